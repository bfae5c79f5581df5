//! A disk that is soon full: a small file system in memory. Needs root, as the tests have.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

/// A mounted small file system; unmounted when dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of this size (`12m`) at `path`, which is created.
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness mounts a throwaway file system"
    )]
    pub fn mount(path: &Path, size: &str) -> Result<Self> {
        std::fs::create_dir_all(path)?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path)
            .status()?;
        ensure!(
            status.success(),
            "a small file system can be mounted; the tests run as root"
        );
        Ok(Self(path.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness unmounts what it mounted"
    )]
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}
