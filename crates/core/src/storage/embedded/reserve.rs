//! Room kept for deleting: even a delete must write a little first, and on a full disk nothing
//! else would help.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

use super::directory;
use super::fault::Fault;

const BYTES: u64 = 1024 * 1024;

/// A file that holds room, to be given up when a delete finds none.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn new(store: &Path) -> Self {
        Self {
            path: store.join("reserve"),
        }
    }

    /// Takes the room again where it was given up. Without room there is nothing to keep: the
    /// next delete tries again.
    pub(super) fn keep(&self) {
        if let Err(fault) = self.try_keep() {
            tracing::debug!(?fault, "no room is kept for deletes");
        }
    }

    fn try_keep(&self) -> Result<(), Fault> {
        let file = directory::private_file()
            .create(true)
            .truncate(false)
            .open(&self.path)?;
        if file.metadata()?.len() < BYTES {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, BYTES)?;
        }
        Ok(())
    }

    /// Gives the room up. Whether there was any.
    pub(super) fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}
