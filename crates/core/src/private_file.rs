//! Files for one reader: a secret that the owner of the process finds on the disk, with mode 0600.

use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::random::{Random, hex_text};
use crate::secret::SecretValue;

/// What group and others may do with a file.
const OTHERS: u32 = 0o077;

/// What the file holds, without the white space around it; `None` when there is no such file.
pub async fn read(path: &Path) -> io::Result<Option<SecretValue>> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(Some(SecretValue::new(text.trim()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sees to it that the file holds this one line and that nobody else may read it; folders on the way
/// are made. Whoever reads it meanwhile finds what was there before or all of this. Says whether
/// anything was to be done.
pub async fn write(path: &Path, text: &SecretValue, random: &dyn Random) -> io::Result<bool> {
    let (path, text) = (path.to_owned(), text.clone());
    let part = path.with_extension(hex_text(random, 8));
    let written = tokio::task::spawn_blocking(move || write_now(&path, part, &text));
    written.await.map_err(io::Error::other)?
}

/// Removes the file; one that is not there is removed already.
pub async fn remove(path: &Path) -> io::Result<()> {
    match tokio::fs::remove_file(path).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes under a name of its own, and renames it.
fn write_now(path: &Path, part: PathBuf, text: &SecretValue) -> io::Result<bool> {
    let is_private = std::fs::metadata(path).is_ok_and(|found| found.mode() & OTHERS == 0);
    let holds = |held: Vec<u8>| held.trim_ascii() == text.expose().as_bytes();
    if is_private && std::fs::read(path).is_ok_and(holds) {
        return Ok(false);
    }
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::rename(part, path)?;
    Ok(true)
}
