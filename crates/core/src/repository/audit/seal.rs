//! Seals of rows: an HMAC over all that a row holds, by a key that only the secret store has.

use std::sync::Arc;

use ring::hmac;
use tokio::sync::OnceCell;

use super::LEDGER;
use super::chain::first_head;
use crate::random::{SharedRandom, hex_text};
use crate::secret::{SecretName, SecretStore, SecretValue};
use crate::storage::{
    Entity, EntityKey, StorageError, StorageErrorKind, StorageResult, TableName, TableOperation,
    TableStore, Value,
};

/// The property that holds a row's seal.
pub(super) const SEAL: &str = "chain_seal";

/// The row that names the key.
const KEY_ROW: &str = "~key";

/// How names of keys begin. A row that names another secret is refused: whoever can write rows
/// could else name one whose text he knows.
const KEY_NAMES: &str = "dilux-audit-";

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// Attempts to agree with other processes on one key.
const RACES: usize = 4;

/// The key of the seals.
#[derive(Debug, Clone)]
pub(super) struct SealKey(hmac::Key);

impl SealKey {
    fn new(text: &SecretValue) -> StorageResult<Self> {
        let bytes = data_encoding::HEXLOWER
            .decode(text.expose().as_bytes())
            .ok()
            .filter(|bytes| bytes.len() == KEY_BYTES);
        let bytes = bytes.ok_or_else(|| corrupt("the key of the audit log is not one"))?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The seal of a row.
    pub(super) fn seal(&self, row: &Entity) -> String {
        let tag = hmac::sign(&self.0, &canonical(row));
        data_encoding::HEXLOWER.encode(tag.as_ref())
    }

    /// The seal of a row, put into it.
    pub(super) fn sealed(&self, mut row: Entity) -> Entity {
        let seal = self.seal(&row);
        row.properties.insert(SEAL.to_owned(), Value::String(seal));
        row
    }

    /// Whether a row holds the seal that it should.
    pub(super) fn is_genuine(&self, row: &Entity) -> bool {
        let Some(Value::String(seal)) = row.properties.get(SEAL) else {
            return false;
        };
        let tag = data_encoding::HEXLOWER.decode(seal.as_bytes());
        tag.is_ok_and(|tag| hmac::verify(&self.0, &canonical(row), &tag).is_ok())
    }
}

/// All of a row but its seal, so that no two rows read the same: keys, then each property with its
/// name and type, in the order of names, every part led by its length.
fn canonical(row: &Entity) -> Vec<u8> {
    let mut bytes = Vec::new();
    part(&mut bytes, row.key.partition.as_bytes());
    part(&mut bytes, row.key.row.as_bytes());
    for (name, value) in row.properties.iter().filter(|(name, _)| *name != SEAL) {
        part(&mut bytes, name.as_bytes());
        match value {
            Value::String(text) => typed(&mut bytes, b's', text.as_bytes()),
            Value::I32(number) => typed(&mut bytes, b'i', &number.to_be_bytes()),
            Value::I64(number) => typed(&mut bytes, b'l', &number.to_be_bytes()),
            Value::F64(number) => typed(&mut bytes, b'd', &number.to_bits().to_be_bytes()),
            Value::Bool(flag) => typed(&mut bytes, b'b', &[u8::from(*flag)]),
            Value::DateTime(at) => {
                let ticks = at.as_nanosecond() / 100;
                typed(&mut bytes, b't', &ticks.to_be_bytes());
            }
            Value::Guid(id) => typed(&mut bytes, b'g', id.as_bytes()),
            Value::Binary(binary) => typed(&mut bytes, b'x', binary),
        }
    }
    bytes
}

fn typed(bytes: &mut Vec<u8>, kind: u8, value: &[u8]) {
    bytes.push(kind);
    part(bytes, value);
}

fn part(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
    bytes.extend_from_slice(value);
}

/// Where the key is. A row of the log names the secret, so that processes which start at the same
/// time agree on one.
#[derive(Debug, Clone)]
pub(super) struct KeyRing {
    tables: Arc<dyn TableStore>,
    table: TableName,
    secrets: Arc<dyn SecretStore>,
    random: SharedRandom,
    key: Arc<OnceCell<SealKey>>,
}

impl KeyRing {
    pub(super) fn new(
        tables: Arc<dyn TableStore>,
        table: TableName,
        secrets: Arc<dyn SecretStore>,
        random: SharedRandom,
    ) -> Self {
        Self {
            tables,
            table,
            secrets,
            random,
            key: Arc::default(),
        }
    }

    /// The key; made when there is none yet.
    pub(super) async fn key(&self) -> StorageResult<SealKey> {
        let key = self.key.get_or_try_init(|| self.find_or_make()).await?;
        Ok(key.clone())
    }

    /// The key; `None` when there is none yet.
    pub(super) async fn existing(&self) -> StorageResult<Option<SealKey>> {
        let Some(name) = self.named().await? else {
            return Ok(None);
        };
        let Some(text) = self.secrets.get(&name).await? else {
            return Err(corrupt(
                "the key of the audit log is not in the secret store",
            ));
        };
        SealKey::new(&text).map(Some)
    }

    async fn find_or_make(&self) -> StorageResult<SealKey> {
        for _ in 0..RACES {
            if let Some(key) = self.existing().await? {
                return Ok(key);
            }
            self.make().await?;
        }
        Err(corrupt("the key of the audit log vanishes again and again"))
    }

    /// Makes a secret and names it, unless another process is faster. The head of the ledger comes
    /// with the name, so that a log with a key and no ledger has lost it.
    async fn make(&self) -> StorageResult<()> {
        let name = SecretName::new(format!("{KEY_NAMES}{}", hex_text(&*self.random, 8)))?;
        let text = SecretValue::new(hex_text(&*self.random, KEY_BYTES));
        self.secrets.set(&name, &text).await?;
        let key = SealKey::new(&text)?;
        let named = Value::String(name.as_str().to_owned());
        let row = Entity::new(EntityKey::new(LEDGER, KEY_ROW)).with("secret", named);
        let name_row = TableOperation::Insert(row);
        let head = TableOperation::Insert(first_head(&key, LEDGER));
        let both = vec![name_row.clone(), head];
        let Err(error) = self.tables.write_batch(&self.table, both).await else {
            return Ok(());
        };
        if error.kind() != StorageErrorKind::AlreadyExists {
            return Err(error);
        }
        // The answer to our own batch may have been lost.
        match self.named().await? {
            Some(present) if present == name => Ok(()),
            Some(_) => self.secrets.delete(&name).await,
            // Somebody took the name away and left the ledger. Entries go on under a new key, and
            // a verification tells the old ones.
            None => self
                .tables
                .write(&self.table, name_row)
                .await
                .map(drop)
                .or_else(accept_present),
        }
    }

    async fn named(&self) -> StorageResult<Option<SecretName>> {
        let key = EntityKey::new(LEDGER, KEY_ROW);
        let Some(row) = self.tables.get(&self.table, &key).await? else {
            return Ok(None);
        };
        match row.entity.properties.get("secret") {
            Some(Value::String(name)) if name.starts_with(KEY_NAMES) => {
                SecretName::new(name.as_str()).map(Some)
            }
            _ => Err(corrupt(
                "the row that names the key of the audit log was changed",
            )),
        }
    }
}

fn accept_present(error: StorageError) -> StorageResult<()> {
    if error.kind() == StorageErrorKind::AlreadyExists {
        Ok(())
    } else {
        Err(error)
    }
}

fn corrupt(why: &str) -> StorageError {
    StorageError::new(StorageErrorKind::Corrupt, "seal audit entry", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Entity {
        Entity::new(EntityKey::new("2026-01-31", "1_a"))
            .with("action", Value::String("create".to_owned()))
            .with("chain_sequence", Value::I64(1))
    }

    fn key() -> SealKey {
        SealKey::new(&SecretValue::new("ab".repeat(KEY_BYTES))).unwrap()
    }

    #[test]
    fn a_seal_holds_for_the_row_that_it_was_made_for_and_no_other() {
        let sealed = key().sealed(row());
        assert!(key().is_genuine(&sealed));
        let other_key = SealKey::new(&SecretValue::new("cd".repeat(KEY_BYTES))).unwrap();
        assert!(!other_key.is_genuine(&sealed));
        let mut moved = sealed.clone();
        moved.key.row = "2_a".to_owned();
        let typed = sealed.clone().with("chain_sequence", Value::I32(1));
        let longer = sealed.clone().with("note", Value::String(String::new()));
        let mut shorter = sealed.clone();
        shorter.properties.remove("action");
        let mut bare = sealed.clone();
        bare.properties.remove(SEAL);
        for changed in [moved, typed, longer, shorter, bare] {
            assert!(!key().is_genuine(&changed), "{changed:?}");
        }
    }

    #[test]
    fn a_key_is_thirty_two_bytes_in_hexadecimal() {
        for text in ["", "ab", "no hexadecimal text at all, is it?"] {
            assert!(SealKey::new(&SecretValue::new(text)).is_err());
        }
    }
}
