//! Backups expire: what the retention plan lets go is announced, and deleted after a grace period.
//!
//! The plan is `retention`'s; here are the effects. Each may be repeated after a crash at any
//! point, by several schedulers at once, and none is undone by losing a race: whether a backup may
//! go is one compare-and-swap of its retention state.

mod deletion;
mod findings;
mod holdings;
mod orphans;
mod preview;
mod protection;
mod recovery;
mod refusal;
mod registry;
mod run;
mod wishes;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::installation::{Installation, LONGEST_SKEW};
use crate::model::{BackupId, DatabaseId, RetentionState};
use crate::repository::{Version, Versioned};
use crate::storage::{ContainerName, StorageError, StorageErrorKind};

pub use preview::{DatabasePreview, PreviewedBackup, Proposal, Scope};
pub use protection::Wish;
pub use run::ExpiryReport;

pub(crate) use findings::shown;

/// The name under which retention writes to the audit log.
const ACTOR: &str = "retention";

/// Retention of an installation. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Expiry {
    installation: Installation,
}

impl Expiry {
    /// Retention of `installation`.
    pub fn new(installation: Installation) -> Self {
        Self { installation }
    }

    /// The time by the store's clock. An error when the machine's is far from it: one of them is
    /// wrong, and nothing may be deleted by a wrong clock.
    async fn trusted_time(&self) -> Result<Timestamp> {
        let stored = self.installation.storage_time().await?;
        let skew = self.installation.clock.now().duration_since(stored).abs();
        if skew > LONGEST_SKEW {
            return Err(Error::Refused(format!(
                "the clock of this machine and that of the store are {} s apart; nothing expires \
                 until they agree to within {} s",
                skew.as_secs(),
                LONGEST_SKEW.as_secs()
            )));
        }
        Ok(stored)
    }
}

/// What it means that a container refuses access: one that a database alone uses keeps the data of
/// that database, and nobody else's.
fn refused_by(container: &ContainerName, default: &ContainerName, error: StorageError) -> Error {
    if container == default || error.kind() != StorageErrorKind::Denied {
        return error.into();
    }
    Error::Refused(format!(
        "container '{}' refuses access, so nothing can be said of the backups in it ({error}); let \
         the service read, list and delete there",
        container.as_str()
    ))
}

/// Whether a write lost to another writer.
fn is_lost_race(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::PreconditionFailed | StorageErrorKind::AlreadyExists
    )
}

/// A state that was found, or that of a backup that nobody ever touched.
fn or_untouched(
    found: Option<Versioned<RetentionState>>,
    database: &DatabaseId,
    backup: &BackupId,
) -> (RetentionState, Option<Version>) {
    found.map_or_else(
        || {
            let untouched = RetentionState::untouched(database.clone(), backup.clone());
            (untouched, None)
        },
        |state| (state.value, Some(state.version)),
    )
}
