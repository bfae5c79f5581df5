//! The directory of a store: made private, checked, locked while it is opened.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::fault::Fault;
use crate::storage::StorageErrorKind;

/// Magic numbers of file systems whose locks or renames do not hold (`statfs(2)`).
const NETWORK: [(i64, &str); 4] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
];

/// Makes a directory that only its owner can enter, where it is missing.
pub(super) fn make(directory: &Path) -> Result<(), Fault> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    Ok(())
}

/// Makes the store's directory and refuses one that several processes cannot share safely.
pub(super) fn prepare(directory: &Path) -> Result<(), Fault> {
    make(directory)?;
    let kind = rustix::fs::statfs(directory)?.f_type;
    match NETWORK.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(Fault::refused(
            StorageErrorKind::Invalid,
            format!(
                "'{}' is on a network file system ({name}), which cannot keep a store safe; use a \
                 local disk, or Azure storage",
                directory.display()
            ),
        )),
    }
}

/// Waits for the right to open the store, so that one process at a time makes what is missing.
pub(super) fn lock(directory: &Path) -> Result<File, Fault> {
    let file = private_file()
        .create(true)
        .truncate(false)
        .open(directory.join("open.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Options of a file that only its owner can read and write.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// Makes what was created, renamed or removed in a directory durable.
pub(super) fn sync(directory: &Path) -> Result<(), Fault> {
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// Names this run of the machine. Empty where the system does not tell.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}
