//! The use cases: what the API does, free of HTTP. Each takes typed input and the caller, and
//! answers with domain values or a core error.

mod alerts;
mod audit;
mod audit_log;
mod backups;
mod components;
mod configuration;
mod connections;
mod dashboard;
mod databases;
mod dead_letters;
mod deletions;
mod discovery;
mod downloads;
mod engines;
mod events;
mod export;
mod files;
mod health;
mod history;
mod identities;
mod jobs;
mod metrics;
mod noted;
mod page;
mod people;
mod policies;
mod provider_sign_ins;
mod readiness;
mod requeues;
mod restores;
mod retention;
mod retries;
mod rpo;
mod schedules;
mod sessions;
mod settings;
mod tokens;
mod verifications;

use std::sync::Arc;

use dilux_core::config::Authentication;
use dilux_core::expiry::Expiry;
use dilux_core::installation::Installation;
use dilux_core::model::{BackupId, InstallationId, UserId};
use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::transfer::{Failure, FailureKind};
use dilux_core::turn::Turns;
use dilux_core::{Error, Result};
use dilux_drivers::Drivers;
use tokio::sync::{Mutex, OnceCell, Semaphore};

pub(crate) use alerts::AlertView;
pub(crate) use audit_log::{AuditPage, AuditStart, AuditSummary};
pub(crate) use backups::BackupView;
pub(crate) use components::ComponentsView;
pub(crate) use configuration::{ConfigurationView, ImportAction, ImportPlan, PlannedItem};
pub(crate) use connections::ConnectionTest;
pub(crate) use dashboard::{FailingDatabase, Period, Status, StorageUse};
pub(crate) use databases::{DatabasePage, DatabaseView, effective_policy};
pub(crate) use deletions::{BackupsDeleted, BulkOutcome, Deleted};
pub(crate) use discovery::{Discovery, FoundDatabase, Import};
pub(crate) use downloads::{BackupData, Link};
pub(crate) use engines::{
    AppliedCredentials, CredentialUpdate, CredentialView, EnginePage, EngineRemoved, EngineUpdate,
    EngineView, RemovalPreview,
};
pub(crate) use events::{Change, Event, EventId, EventStream};
pub(crate) use export::ExportPart;
pub(crate) use files::{BackupFile, BackupFiles};
pub(crate) use health::HealthView;
pub(crate) use history::{BackupPage, Paging};
pub(crate) use jobs::{JobPage, Started};
pub(crate) use metrics::{DatabaseFigures, Figures};
pub(crate) use page::{Listed, Page, Position, Start};
pub(crate) use people::UserPage;
pub(crate) use retention::TimerView;

use crate::attempts::Attempts;
use crate::context::Context;
use crate::identity::IdentityProvider;
use crate::limits::Limits;
use crate::password::Passwords;
use crate::traffic::Traffic;

/// Clients started at once for connection tests and discoveries.
const PROBES_AT_ONCE: usize = 8;

/// How often a change that names no version is repeated after it lost a race.
const RACES: usize = 5;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct Application {
    /// Settings, stores, repositories, clock.
    pub(crate) installation: Installation,
    /// Drivers of the engine types.
    drivers: Arc<Drivers>,
    /// The id of the installation, once it was read.
    id: OnceCell<InstallationId>,
    /// Hashes and verifies passwords.
    passwords: Passwords,
    /// Failed sign-ins.
    attempts: Attempts,
    /// Who vouches for people beside the accounts kept here.
    provider: Option<IdentityProvider>,
    /// People of the provider whose refusal was noted.
    denials: noted::Noted<UserId>,
    /// People of the provider who are unknown here, and whose refusal was noted.
    strangers: noted::Noted<UserId>,
    /// Whose reading of which backup in ranges was noted.
    readings: noted::Noted<(String, BackupId)>,
    /// Taken while something is registered, renamed, or is let follow a policy: that nothing of the
    /// name is there, and that the policy is, is found out by looking, which is only safe one at a
    /// time in all processes.
    registration: Turns,
    /// Held while a removal is carried out.
    removing: Mutex<()>,
    /// Limits the clients started for tests.
    probes: Semaphore,
    /// How many requests are answered.
    pub(crate) limits: Arc<Limits>,
    /// The requests that this process answered.
    pub(crate) traffic: Traffic,
    /// What happens, for those who listen.
    events: events::Hub,
}

/// The shared application.
pub(crate) type App = Arc<Application>;

impl Application {
    /// The application over `context`.
    pub(crate) fn new(context: Context) -> Self {
        let settings = &context.installation.settings.access;
        let limits = Limits::new(&settings.limits, &context.installation.clock);
        Self {
            limits: Arc::new(limits),
            passwords: Passwords::new(context.installation.random.clone()),
            attempts: Attempts::default(),
            provider: context
                .installation
                .settings
                .identity_provider
                .clone()
                .map(IdentityProvider::new),
            denials: noted::Noted::default(),
            strangers: noted::Noted::default(),
            readings: noted::Noted::default(),
            registration: Turns::new(context.installation.clone(), "registration"),
            removing: Mutex::new(()),
            installation: context.installation,
            drivers: context.drivers,
            id: OnceCell::new(),
            probes: Semaphore::new(PROBES_AT_ONCE),
            traffic: Traffic::default(),
            events: events::Hub::default(),
        }
    }
}

impl Application {
    /// Ends what would go on for as long as its callers like, because the service stops.
    pub(crate) fn close(&self) {
        self.events.close();
    }

    /// Whether everybody is an admin, since nobody is asked who they are.
    pub(crate) fn trusts_everybody(&self) -> bool {
        self.installation.settings.access.authentication == Authentication::Off
    }

    /// What tells this installation from others.
    pub(crate) async fn installation_id(&self) -> Result<&InstallationId> {
        self.id.get_or_try_init(|| self.installation.id()).await
    }

    /// Retention of the installation.
    fn expiry(&self) -> Expiry {
        Expiry::new(self.installation.clone())
    }
}

/// A failure that stopped a use case before any server was asked.
fn refuse(failure: Failure) -> Error {
    if failure.kind == FailureKind::Storage {
        Error::Unavailable {
            message: failure.message,
            retry_after: None,
            source: None,
        }
    } else {
        Error::Refused(failure.message)
    }
}

/// Whether a conditional write met another version than the one that was read, or none.
fn is_lost_race(error: &StorageError) -> bool {
    matches!(
        error.kind(),
        StorageErrorKind::PreconditionFailed | StorageErrorKind::NotFound
    )
}

/// The error of a conditional write to a row that was there a moment ago.
fn write_error(error: StorageError) -> Error {
    if is_lost_race(&error) {
        Error::Conflict("it was changed or removed by somebody else in the meantime".to_owned())
    } else {
        error.into()
    }
}

/// The answer to a change that lost its race again and again.
fn too_many_races<T>() -> Result<T> {
    Err(Error::Unavailable {
        message: "others change it all the time; try again in a moment".to_owned(),
        retry_after: None,
        source: None,
    })
}
