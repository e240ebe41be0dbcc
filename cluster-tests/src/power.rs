//! Power cuts: the node's disk as it was at one instant, without what was written and not synced.
//!
//! An ext4 image lies in an XFS image; a reflink copy of the inner one is taken while the node is
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

/// Both images, mounted; fields drop in this order.
#[derive(Debug)]
pub struct Rig {
    /// The node's disk.
    pub disk: Disk,
    outer: Disk,
    folder: PathBuf,
}

impl Rig {
    /// Makes both file systems in an empty folder.
    ///
    /// # Errors
    /// What this machine lacks.
    pub fn new(folder: &Path) -> Result<Self, Failure> {
        const GIB: u64 = 1 << 30;
        let image = folder.join("outer.xfs");
        sparse(&image, 4 * GIB)?;
        run("mkfs.xfs", &["-q", "-m", "reflink=1", text(&image)?])?;
        let outer = Disk::mount(&image, &folder.join("outer"))?;
        let inner = outer.at.join("node.ext4");
        sparse(&inner, GIB)?;
        run("mkfs.ext4", &["-q", "-F", text(&inner)?])?;
        let disk = Disk::mount(&inner, &folder.join("disk"))?;
        Ok(Self { disk, outer, folder: folder.to_path_buf() })
    }

    /// Copies the disk as it is at this instant.
    ///
    /// # Errors
    /// The copy could not be made.
    pub fn cut(&self) -> Result<(), Failure> {
        let (from, to) = (self.outer.at.join("node.ext4"), self.outer.at.join("cut.ext4"));
        run("cp", &["--reflink=always", text(&from)?, text(&to)?])
    }

    /// Mounts the last copy: what the machine finds when power is back.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub fn after_the_cut(&self) -> Result<Disk, Failure> {
        Disk::mount(&self.outer.at.join("cut.ext4"), &self.folder.join("after"))
    }
}
