//! Power cuts: nodes' disks as they were at one instant, without what was written and not synced.
//!
//! Ext4 images lie in an XFS image; reflink copies of the inner ones are taken while the nodes are
//! frozen. What stood only in the page cache above the inner file system is not in the copy. Needs
//! root, loop devices and `mkfs.xfs`. Invariant: what is mounted is unmounted when the rig is
//! dropped.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, during};

fn run(program: &str, words: &[&str]) -> Result<(), Failure> {
    let output = Command::new(program).args(words).output().map_err(during(program))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)))
}

fn text(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn sparse(path: &Path, bytes: u64) -> Result<(), Failure> {
    let file = File::create(path).map_err(during("make an image"))?;
    file.set_len(bytes).map_err(during("make an image"))
}

/// A mounted image.
#[derive(Debug)]
pub struct Disk {
    /// Where it is mounted.
    pub at: PathBuf,
}

impl Disk {
    fn mount(image: &Path, at: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(at).map_err(during("make a mount point"))?;
        run("mount", &["-o", "loop", text(image)?, text(at)?])?;
        Ok(Self { at: at.to_path_buf() })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A lazy unmount also works while a killed process is still being cleaned up.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

/// All images, mounted; fields drop in this order.
#[derive(Debug)]
pub struct Rig {
    /// The nodes' disks.
    pub disks: Vec<Disk>,
    outer: Disk,
    folder: PathBuf,
    cuts: usize,
}

impl Rig {
    /// Makes the file systems in a folder, one for each node, and mounts each where it is wanted.
    ///
    /// # Errors
    /// What this machine lacks.
    pub fn new(folder: &Path, wanted: &[PathBuf]) -> Result<Self, Failure> {
        const GIB: u64 = 1 << 30;
        let image = folder.join("outer.xfs");
        sparse(&image, 8 * GIB)?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1", text(&image)?])?;
        let outer = Disk::mount(&image, &folder.join("outer"))?;
        let mut rig = Self { disks: Vec::new(), outer, folder: folder.to_path_buf(), cuts: 0 };
        for (number, at) in wanted.iter().enumerate() {
            let inner = rig.image(number, 0);
            sparse(&inner, GIB)?;
            run("mkfs.ext4", &["-q", "-F", text(&inner)?])?;
            rig.disks.push(Disk::mount(&inner, at)?);
        }
        Ok(rig)
    }

    /// A disk as it is since a cut.
    fn image(&self, number: usize, cut: usize) -> PathBuf {
        self.outer.at.join(format!("node-{number}-{cut}.ext4"))
    }

    fn cut_image(&self, number: usize) -> PathBuf {
        self.outer.at.join(format!("cut-{number}.ext4"))
    }

    /// Copies every disk as it is at this instant; whoever writes to them is frozen.
    ///
    /// # Errors
    /// A copy could not be made.
    pub fn cut(&self) -> Result<(), Failure> {
        for number in 0..self.disks.len() {
            let (from, to) = (self.image(number, self.cuts), self.cut_image(number));
            run("cp", &["--reflink=always", text(&from)?, text(&to)?])?;
        }
        Ok(())
    }

    /// Mounts the last copy of the first disk: what its machine finds when power is back.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn after_the_cut(&self) -> Result<Disk, Failure> {
        Disk::mount(&self.cut_image(0), &self.folder.join("after"))
    }

    /// Every disk is what its machine finds when power is back; nobody may use them meanwhile.
    ///
    /// # Errors
    /// They cannot be mounted.
    pub fn power_is_back(&mut self) -> Result<(), Failure> {
        let old: Vec<PathBuf> = self.disks.drain(..).map(|disk| disk.at.clone()).collect();
        for (number, at) in old.iter().enumerate() {
            let (from, to) = (self.cut_image(number), self.image(number, self.cuts + 1));
            fs::rename(&from, &to).map_err(during("keep the copy"))?;
            fs::remove_file(self.image(number, self.cuts)).map_err(during("forget a disk"))?;
            self.disks.push(Disk::mount(&to, at)?);
        }
        self.cuts += 1;
        Ok(())
    }
}
