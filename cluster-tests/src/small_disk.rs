//! A file system so small that it can be filled.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Failure, during};

/// A small file system of its own, gone when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    /// Where it is mounted.
    pub at: PathBuf,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// This user or kernel cannot mount.
    pub fn mount(at: &Path, size: &str) -> Result<Self, Failure> {
        fs::create_dir_all(at).map_err(during("make a mount point"))?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at);
        let output = mount.output().map_err(during("mount"))?;
        if output.status.success() {
            return Ok(Self { at: at.to_path_buf() });
        }
        Err(format!("no tmpfs can be mounted: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Takes all the space there is; it is there again when this file is removed.
    ///
    /// # Errors
    /// Not even a file can be made.
    pub fn fill(&self) -> Result<PathBuf, Failure> {
        let path = self.at.join("fill");
        let mut file = fs::File::create(&path).map_err(during("fill a disk"))?;
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What is left mounted is only memory.
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}
