//! The file of the master key: `master.key`, 64 hexadecimal digits, readable by its owner only.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use rusqlite::{Connection, OptionalExtension};
use zeroize::Zeroizing;

use super::directory;
use super::envelope::{KEY_BYTES, MasterKey};
use super::fault::Fault;
use crate::random::Random;
use crate::storage::StorageErrorKind;

/// Reads the master key, or makes one for a store that has no secret yet. The caller holds the
/// store's lock.
pub(super) fn open(
    store: &Path,
    connection: &Connection,
    random: &dyn Random,
) -> Result<MasterKey, Fault> {
    let path = store.join("master.key");
    let proof: Option<Vec<u8>> = connection
        .query_row("SELECT sealed FROM key_check", [], |row| row.get(0))
        .optional()?;
    let key = match read(&path)? {
        Some(key) => key,
        None if has_secrets(connection)? => {
            return Err(denied(
                &path,
                "is missing, and without it the secrets of this store cannot \
                be read; put it back from a copy",
            ));
        }
        None => return create(&path, connection, random),
    };
    match proof {
        Some(proof) if key.made(&proof) => Ok(key),
        Some(_) if has_secrets(connection)? => Err(denied(
            &path,
            "is not the one that the secrets of this store were sealed with; put the right one back",
        )),
        _ => remember(&key, connection, random).map(|()| key),
    }
}

fn denied(path: &Path, what: &str) -> Fault {
    let message = format!("the key file '{}' {what}", path.display());
    Fault::refused(StorageErrorKind::Denied, message)
}

fn has_secrets(connection: &Connection) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM secrets)";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

fn read(path: &Path) -> Result<Option<MasterKey>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mode = file.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let what = format!(
            "can be used by others than its owner (mode {mode:04o}); run chmod 600 on it, and \
             change the secrets if somebody may have read it"
        );
        return Err(denied(path, &what));
    }
    let mut text = Zeroizing::new(String::with_capacity(4 * KEY_BYTES));
    let too_long = 4 * KEY_BYTES as u64;
    let unreadable = || {
        denied(
            path,
            "does not hold 64 hexadecimal digits; put it back from a copy",
        )
    };
    file.take(too_long)
        .read_to_string(&mut text)
        .map_err(|_| unreadable())?;
    let digits = text.trim_end().as_bytes();
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if HEXLOWER_PERMISSIVE.decode_len(digits.len()) != Ok(KEY_BYTES) {
        return Err(unreadable());
    }
    HEXLOWER_PERMISSIVE
        .decode_mut(digits, key.as_mut())
        .map_err(|_| unreadable())?;
    Ok(Some(MasterKey::new(key)))
}

fn create(path: &Path, connection: &Connection, random: &dyn Random) -> Result<MasterKey, Fault> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    random.fill(bytes.as_mut());
    // Room for all of it at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
    HEXLOWER.encode_append(bytes.as_ref(), &mut text);
    text.push('\n');
    let part: PathBuf = path.with_extension("key.part");
    let mut file = directory::private_file()
        .create(true)
        .truncate(true)
        .open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    directory::sync(path.parent().unwrap_or(Path::new(".")))?;
    let key = MasterKey::new(bytes);
    remember(&key, connection, random)?;
    Ok(key)
}

/// Notes which key the store belongs to.
fn remember(key: &MasterKey, connection: &Connection, random: &dyn Random) -> Result<(), Fault> {
    connection.execute(
        "INSERT OR REPLACE INTO key_check (id, sealed) VALUES (1, ?1)",
        [key.proof(random)?],
    )?;
    Ok(())
}
