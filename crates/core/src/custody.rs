//! Custody of the secrets of engines and databases: each is kept under a name that is never used
//! again, and the owner's row says which one counts.
//!
//! A change writes the new secret first, then the row, and lets the old secret go last: whoever
//! dies or fails in between leaves the old pair or the new one whole. A name is noted before
//! anything happens to it, so what a broken change left behind is found by [`Custody::clean`]. Only
//! noted names are ever looked at there: the secret store may hold those of others.
//! ([why](../../../docs/adr/2026-11-22-fresh-secret-names.md))

mod cleaning;

use std::fmt;

use crate::error::Result;
use crate::installation::Installation;
use crate::model::{CredentialSource, Database, DatabaseId, Engine, EngineId};
use crate::random::hex_text;
use crate::secret::{SecretName, SecretValue};
use crate::storage::{StorageError, StorageErrorKind, StorageResult};

pub use cleaning::Cleaning;

/// Random bytes in the name of a secret that is not its owner's first.
const SUFFIX: usize = 8;

/// How much of an owner's plain name a name with a suffix begins with, so that both fit into a
/// vault's 127 characters.
const STEM: usize = 100;

/// How names begin that were made here. The Python product's are `engine-…` and `database-…`.
const OURS: [&str; 2] = ["dilux-engine-", "dilux-db-"];

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretOwner {
    /// An engine.
    Engine(EngineId),
    /// A database with credentials of its own.
    Database(DatabaseId),
}

impl SecretOwner {
    fn plain_name(&self) -> String {
        match self {
            Self::Engine(id) => Engine::secret_name(id),
            Self::Database(id) => Database::secret_name(id),
        }
    }
}

impl fmt::Display for SecretOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(id) => write!(formatter, "engine '{id}'"),
            Self::Database(id) => write!(formatter, "database '{id}'"),
        }
    }
}

/// A name that its owner's row may not name, now or soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretNote {
    /// The name.
    pub name: SecretName,
    /// Whose it is.
    pub owner: SecretOwner,
}

/// What the row of an owner is to name.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The secret that it names now.
    pub before: Option<&'a SecretName>,
    /// The secret that it goes on naming unless there is a new one.
    pub kept: Option<&'a SecretName>,
    /// A new one.
    pub new: Option<&'a SecretValue>,
}

/// A change of the secret that a row names: begun, but for the row.
#[derive(Debug)]
#[must_use = "the row is to be written, and the exchange to be ended"]
pub struct Exchange {
    owner: SecretOwner,
    name: Option<SecretName>,
    fresh: Option<SecretName>,
    dropped: Option<SecretName>,
}

impl Exchange {
    /// What the row has to name.
    pub fn name(&self) -> Option<&SecretName> {
        self.name.as_ref()
    }
}

/// Custody of the secrets of an installation.
#[derive(Debug, Clone)]
pub struct Custody {
    installation: Installation,
}

impl Custody {
    /// Custody in `installation`.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// Keeps the secret of an owner whose row is about to be inserted, under the plain name that
    /// the documentation gives.
    pub async fn first(
        &self,
        owner: SecretOwner,
        secret: Option<&SecretValue>,
    ) -> Result<Exchange> {
        let fresh = match secret {
            Some(_) => Some(SecretName::new(owner.plain_name())?),
            None => None,
        };
        let exchange = Exchange {
            owner,
            name: fresh.clone(),
            fresh,
            dropped: None,
        };
        self.prepare(&exchange, secret).await?;
        Ok(exchange)
    }

    /// Prepares a change of the secret that a row names. A new secret that is the kept one keeps its
    /// name, and nothing is written.
    pub async fn begin(&self, owner: SecretOwner, wanted: Wanted<'_>) -> Result<Exchange> {
        let new = match (wanted.new, wanted.kept) {
            (Some(new), Some(kept)) => {
                let present = self.installation.storage.secrets.get(kept).await?;
                Some(new).filter(|new| present.as_ref() != Some(*new))
            }
            (new, _) => new,
        };
        let fresh = match new {
            Some(_) => Some(self.fresh_name(&owner)?),
            None => None,
        };
        let name = fresh.clone().or_else(|| wanted.kept.cloned());
        let exchange = Exchange {
            owner,
            dropped: wanted
                .before
                .cloned()
                .filter(|it| Some(it) != name.as_ref()),
            name,
            fresh,
        };
        self.prepare(&exchange, new).await?;
        Ok(exchange)
    }

    /// Prepares the removal of an owner whose row names `secret`.
    pub async fn removal(
        &self,
        owner: SecretOwner,
        secret: Option<&SecretName>,
    ) -> Result<Exchange> {
        let nothing = Wanted {
            before: secret,
            kept: None,
            new: None,
        };
        self.begin(owner, nothing).await
    }

    /// Ends a change with what became of the row, which is handed on. What cannot be cleaned up now
    /// is left to a cleaning, and so is everything when nobody knows whether the row was written.
    pub async fn end<T>(&self, exchange: Exchange, written: StorageResult<T>) -> StorageResult<T> {
        match &written {
            Ok(_) => self.finish(&exchange).await,
            Err(error) if is_refusal(error) => {
                if let Some(name) = exchange.fresh {
                    let note = SecretNote {
                        name,
                        owner: exchange.owner,
                    };
                    if let Err(error) = self.drop_refused(&note).await {
                        left(&error, &note.name);
                    }
                }
            }
            Err(_) => {}
        }
        written
    }

    fn fresh_name(&self, owner: &SecretOwner) -> StorageResult<SecretName> {
        let plain = owner.plain_name();
        let stem: String = plain.chars().take(STEM).collect();
        let suffix = hex_text(&*self.installation.random, SUFFIX);
        SecretName::new(format!("{stem}-{suffix}"))
    }

    /// Notes what the exchange touches, then writes the new secret.
    async fn prepare(&self, exchange: &Exchange, secret: Option<&SecretValue>) -> Result<()> {
        let touched = exchange.fresh.iter().chain(&exchange.dropped);
        let notes: Vec<SecretNote> = touched
            .filter(|name| is_ours(name))
            .map(|name| SecretNote {
                name: name.clone(),
                owner: exchange.owner.clone(),
            })
            .collect();
        if !notes.is_empty() {
            self.installation
                .repositories
                .secret_notes
                .put(&notes)
                .await?;
        }
        if let (Some(name), Some(secret)) = (&exchange.fresh, secret) {
            self.installation.storage.secrets.set(name, secret).await?;
        }
        Ok(())
    }

    /// The row names what it is to name.
    async fn finish(&self, exchange: &Exchange) {
        let notes = &self.installation.repositories.secret_notes;
        if let Some(name) = exchange.dropped.as_ref().filter(|name| may_go(name)) {
            let deleted = self.installation.storage.secrets.delete(name).await;
            let outcome = match deleted {
                Ok(()) if is_ours(name) => notes.forget(name).await,
                outcome => outcome,
            };
            if let Err(error) = outcome {
                left(&error, name);
            }
        }
        if let Some(name) = &exchange.fresh
            && let Err(error) = notes.forget(name).await
        {
            left(&error, name);
        }
    }

    /// The row was not written, unless it was, and somebody wrote over it before the store repeated
    /// itself.
    async fn drop_refused(&self, note: &SecretNote) -> StorageResult<()> {
        self.delete_unless_named(note).await?;
        let notes = &self.installation.repositories.secret_notes;
        notes.forget(&note.name).await
    }

    /// Deletes a secret unless its owner's row names it. Gives whether it did not. Only for names
    /// that no change under way is about to use.
    async fn delete_unless_named(&self, note: &SecretNote) -> StorageResult<bool> {
        let is_named = self.named_by(&note.owner).await?.as_ref() == Some(&note.name);
        if !is_named {
            self.installation.storage.secrets.delete(&note.name).await?;
        }
        Ok(!is_named)
    }

    /// The secret that the row of an owner names; an error when it cannot be read.
    async fn named_by(&self, owner: &SecretOwner) -> StorageResult<Option<SecretName>> {
        let repositories = &self.installation.repositories;
        match owner {
            SecretOwner::Engine(id) => {
                let row = repositories.engines.get(id).await?;
                Ok(row.and_then(|row| row.value.secret))
            }
            SecretOwner::Database(id) => {
                let row = repositories.databases.get(id).await?;
                Ok(row.and_then(|row| match row.value.credentials {
                    CredentialSource::Engine => None,
                    CredentialSource::Own { secret, .. } => secret,
                }))
            }
        }
    }
}

fn is_ours(name: &SecretName) -> bool {
    OURS.iter().any(|start| name.as_str().starts_with(start))
}

/// Whether it may be a password. A row that names another secret of the service's own was tampered
/// with.
fn may_go(name: &SecretName) -> bool {
    is_ours(name) || !name.as_str().starts_with("dilux-")
}

/// Whether the row was certainly not written.
fn is_refusal(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::AlreadyExists
            | StorageErrorKind::PreconditionFailed
            | StorageErrorKind::NotFound
            | StorageErrorKind::Invalid
    )
}

fn left(error: &StorageError, name: &SecretName) {
    tracing::warn!(%error, secret = name.as_str(), "an unused secret is left to the next cleaning");
}
