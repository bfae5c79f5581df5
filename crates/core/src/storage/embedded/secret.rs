//! The secret port over SQLite, sealed by the envelope.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, params};

use super::EmbeddedStore;
use super::database::Durability::Durable;
use super::envelope::{Envelope, Label};
use super::fault::Fault;
use super::schema::tick;
use crate::secret::{SecretName, SecretStore, SecretValue};
use crate::storage::StorageResult;

#[async_trait]
impl SecretStore for EmbeddedStore {
    async fn set(&self, name: &SecretName, value: &SecretValue) -> StorageResult<()> {
        let (inner, name, value) = (self.inner.clone(), name.clone(), value.clone());
        let now = inner.now();
        let written = self.inner.database.write(Durable, move |tx| {
            let name = name.as_str();
            let version = tick(tx, now)?;
            let label = Label { name, version };
            let random = inner.random.as_ref();
            let envelope = inner.key.seal(label, value.expose().as_bytes(), random)?;
            let mut statement = tx.prepare_cached(
                "INSERT OR REPLACE INTO secrets (name, version, wrapped_key, sealed)
                 VALUES (?1, ?2, ?3, ?4)",
            )?;
            statement.execute(params![
                name,
                version,
                envelope.wrapped_key,
                envelope.sealed
            ])?;
            Ok(())
        });
        written
            .await
            .map_err(|fault| self.inner.error("write secret", fault))
    }

    async fn get(&self, name: &SecretName) -> StorageResult<Option<SecretValue>> {
        let (inner, name) = (self.inner.clone(), name.clone());
        let found = self.inner.database.read(move |connection| {
            let name = name.as_str();
            let mut statement = connection.prepare_cached(
                "SELECT version, wrapped_key, sealed FROM secrets WHERE name = ?1",
            )?;
            let row: Option<(i64, Envelope)> = statement
                .query_row([name], |row| {
                    Ok((
                        row.get(0)?,
                        Envelope {
                            wrapped_key: row.get(1)?,
                            sealed: row.get(2)?,
                        },
                    ))
                })
                .optional()?;
            let Some((version, envelope)) = row else {
                return Ok(None);
            };
            let opened = inner.key.open(Label { name, version }, &envelope)?;
            let text = std::str::from_utf8(&opened);
            let text = text.map_err(|_| Fault::corrupt("a secret is not text"))?;
            Ok(Some(SecretValue::new(text)))
        });
        found
            .await
            .map_err(|fault| self.inner.error("read secret", fault))
    }

    async fn delete(&self, name: &SecretName) -> StorageResult<()> {
        let name = name.clone();
        let deleted = self.inner.database.write(Durable, move |tx| {
            tx.prepare_cached("DELETE FROM secrets WHERE name = ?1")?
                .execute([name.as_str()])?;
            Ok(())
        });
        deleted
            .await
            .map_err(|fault| self.inner.error("delete secret", fault))
    }

    async fn list(&self) -> StorageResult<Vec<SecretName>> {
        let listed = self.inner.database.read(|connection| {
            let mut statement = connection.prepare_cached("SELECT name FROM secrets")?;
            let mut rows = statement.query([])?;
            let mut names = Vec::new();
            while let Some(row) = rows.next()? {
                names.push(SecretName::new(row.get::<_, String>(0)?)?);
            }
            Ok(names)
        });
        listed
            .await
            .map_err(|fault| self.inner.error("list secrets", fault))
    }
}
