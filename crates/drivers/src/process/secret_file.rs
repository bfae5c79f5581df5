//! A file that exists only in memory and only for one child: how secrets reach a tool.

use std::io::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};

use dilux_core::secret::SecretValue;
use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};

/// A file without a name, readable by our user alone, gone with the last process that holds it.
#[derive(Debug)]
pub(crate) struct SecretFile {
    descriptor: OwnedFd,
}

impl SecretFile {
    /// A file with this content.
    pub(crate) fn new(content: &SecretValue) -> std::io::Result<Self> {
        let descriptor = memfd_create("credentials", MemfdFlags::CLOEXEC)?;
        // libpq ignores a password file that others may read.
        fchmod(&descriptor, Mode::RUSR | Mode::WUSR)?;
        let mut file = std::fs::File::from(descriptor);
        file.write_all(content.expose().as_bytes())?;
        Ok(Self {
            descriptor: file.into(),
        })
    }

    /// The path under which the child that inherits it opens it.
    pub(crate) fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.descriptor.as_raw_fd())
    }

    /// The descriptor, to be inherited.
    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.descriptor
    }
}
