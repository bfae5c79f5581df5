//! Typed repositories over the table port: keys, row mapping, indexes.
//!
//! A row that cannot be decoded is isolated and reported beside the good ones; it never hides
//! them. Key layouts serve access paths; nothing scans a table to answer a page.

mod access_requests;
mod acknowledgements;
mod api_tokens;
mod audit;
mod backups;
mod collection;
mod components;
mod database_states;
mod databases;
mod dead_letters;
mod engines;
mod health;
mod installation;
mod jobs;
mod keys;
mod mirror;
mod places;
mod policies;
mod removals;
mod retention_states;
mod row;
mod rows;
mod schedule_state;
mod secret_notes;
mod sessions;
mod settings;
mod settle;
mod tallies;
mod timeline;
mod timers;
mod turns;
mod users;

use std::sync::Arc;

pub use audit::{
    AuditCheckpoint, AuditFilter, AuditFinding, AuditPlace, AuditRepository, AuditVerdict,
    InvalidCheckpoint,
};
pub use backups::{BackupFilter, BackupRepository, Recount};
pub use collection::{Chunks, Collection, DamagedRow, Listing, Version, Versioned};
pub use databases::DatabaseRow;
pub use health::HealthRepository;
pub use installation::{BootstrapRow, InstallationRepository};
pub use jobs::{Booking, JobRepository, ListedJobs};
pub use keys::{day_of, inverted_ticks};
pub use places::PlaceRepository;
pub use retention_states::RetentionStateRepository;
pub use schedule_state::{ClaimedJob, Miss, ScheduleState, ScheduleStateRepository};
pub use secret_notes::{Noted, NotedSecrets, SecretNoteRepository};
pub use settings::SettingsRepository;
pub use timeline::{Cursor, InvalidCursor, Stretch};
pub use turns::{StoredTurn, TurnRepository};
pub use users::{Departures, UserRepository};

use crate::alert::Acknowledgement;
use crate::component::Component;
use crate::model::{
    AccessRequest, AccessRequestId, AlertId, ApiToken, ApiTokenId, BackupPolicy, ComponentId,
    Database, DatabaseId, DatabaseState, DeadLetter, DeadLetterId, Engine, EngineId, PolicyId,
    Removal, Requeue, RequeueId, Session, SessionId,
};
use crate::random::SharedRandom;
use crate::secret::SecretStore;
use crate::storage::{StorageResult, TableName, TableStore};
use crate::timer::{Timer, TimerState};

/// Names of the tables. The first two are settings of the Python product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    /// `databaseconfigs`.
    pub databases: TableName,
    /// `backuphistory`.
    pub history: TableName,
}

/// Every repository over one store.
#[derive(Debug, Clone)]
pub struct Repositories {
    tables: Arc<dyn TableStore>,
    /// Engines by id.
    pub engines: Collection<Engine, EngineId>,
    /// Databases by id.
    pub databases: Collection<Database, DatabaseId>,
    /// Policies by id.
    pub policies: Collection<BackupPolicy, PolicyId>,
    /// What is known of each database's backups, without its history.
    pub states: Collection<DatabaseState, DatabaseId>,
    /// Dead letters by id.
    pub dead_letters: Collection<DeadLetter, DeadLetterId>,
    /// Requeues of dead letters, by idempotency key. They stand in the table of the letters.
    pub requeues: Collection<Requeue, RequeueId>,
    /// Acknowledgements of alerts, by alert.
    pub acknowledgements: Collection<Acknowledgement, AlertId>,
    /// Removals under way, by engine.
    pub removals: Collection<Removal, EngineId>,
    /// Names of secrets that a change is at.
    pub secret_notes: SecretNoteRepository,
    /// What is done in turns.
    pub turns: TurnRepository,
    /// Users.
    pub users: UserRepository,
    /// Sessions by the hash of their text.
    pub sessions: Collection<Session, SessionId>,
    /// Access requests by id.
    pub access_requests: Collection<AccessRequest, AccessRequestId>,
    /// API tokens by id.
    pub api_tokens: Collection<ApiToken, ApiTokenId>,
    /// Timers by name.
    pub timers: Collection<TimerState, Timer>,
    /// Running processes by id.
    pub components: Collection<Component, ComponentId>,
    /// The newest report of the health monitor.
    pub health: HealthRepository,
    /// Places of running jobs.
    pub places: PlaceRepository,
    /// Jobs.
    pub jobs: JobRepository,
    /// Backup history.
    pub backups: BackupRepository,
    /// Audit log: what was done.
    pub audit: AuditRepository,
    /// What was about to be done, noted before it was.
    pub intents: AuditRepository,
    /// Settings.
    pub settings: SettingsRepository,
    /// The installation itself. Its rows stand in the table of the settings.
    pub installation: InstallationRepository,
    /// What the scheduler knows of each (database, tier).
    pub schedule: ScheduleStateRepository,
    /// What is wished and known about keeping backups.
    pub retention: RetentionStateRepository,
}

/// A table whose name is fixed. The names are constants that satisfy the rule.
#[expect(
    clippy::expect_used,
    reason = "each name is a literal that the tests build"
)]
fn fixed(name: &'static str) -> TableName {
    TableName::new(name).expect("a literal table name is valid")
}

impl Repositories {
    /// Repositories over `tables`. The key of the audit log is made with `random` and kept in
    /// `secrets`.
    pub fn new(
        tables: Arc<dyn TableStore>,
        secrets: Arc<dyn SecretStore>,
        random: SharedRandom,
        names: &TableNames,
    ) -> Self {
        let days = fixed("timelinedays");
        let sealing = (secrets, random);
        let log =
            |table| AuditRepository::new(tables.clone(), sealing.clone(), (table, days.clone()));
        Self {
            // Beside the databases, where the Python product kept them.
            engines: Collection::new(tables.clone(), names.databases.clone(), "engine"),
            databases: Collection::new(tables.clone(), names.databases.clone(), "database"),
            policies: Collection::new(tables.clone(), fixed("backuppolicies"), "backup_policy"),
            states: Collection::new(tables.clone(), fixed("databasestates"), "database"),
            dead_letters: Collection::new(tables.clone(), fixed("deadletters"), "dead_letter"),
            requeues: Collection::new(tables.clone(), fixed("deadletters"), "requeue"),
            acknowledgements: Collection::new(
                tables.clone(),
                fixed("alertacknowledgements"),
                "alert",
            ),
            removals: Collection::new(tables.clone(), fixed("removals"), "engine"),
            secret_notes: SecretNoteRepository::new(tables.clone(), fixed("secretnotes")),
            turns: TurnRepository::new(tables.clone(), fixed("turns")),
            users: UserRepository::new(tables.clone(), fixed("users")),
            sessions: Collection::new(tables.clone(), fixed("sessions"), "session"),
            access_requests: Collection::new(
                tables.clone(),
                fixed("accessrequests"),
                "access_requests",
            ),
            api_tokens: Collection::new(tables.clone(), fixed("apitokens"), "api_token"),
            timers: Collection::new(tables.clone(), fixed("timers"), "timer"),
            components: Collection::new(tables.clone(), fixed("components"), "component"),
            health: HealthRepository::new(tables.clone(), fixed("healthreports")),
            places: PlaceRepository::new(tables.clone(), fixed("places")),
            jobs: JobRepository::new(
                tables.clone(),
                fixed("jobs"),
                fixed("jobindex"),
                days.clone(),
            ),
            backups: BackupRepository::new(
                tables.clone(),
                names.history.clone(),
                fixed("backupindex"),
                days.clone(),
                Collection::new(
                    tables.clone(),
                    fixed("backuptallies"),
                    BackupRepository::TALLIES,
                ),
            ),
            audit: log(fixed("auditlogs")),
            intents: log(fixed("auditintents")),
            settings: SettingsRepository::new(tables.clone(), fixed("settings")),
            installation: InstallationRepository::new(tables.clone(), fixed("settings")),
            schedule: ScheduleStateRepository::new(
                tables.clone(),
                fixed("schedulestate"),
                fixed("schedulemisses"),
            ),
            retention: RetentionStateRepository::new(tables.clone(), fixed("retentionstate")),
            tables,
        }
    }

    /// Names of all tables.
    pub fn table_names(&self) -> Vec<&TableName> {
        let tables = [
            self.databases.table(),
            self.policies.table(),
            self.states.table(),
            self.dead_letters.table(),
            self.acknowledgements.table(),
            self.removals.table(),
            self.secret_notes.table(),
            self.turns.table(),
            self.api_tokens.table(),
            self.users.table(),
            self.sessions.table(),
            self.access_requests.table(),
            self.timers.table(),
            self.components.table(),
            self.health.table(),
            self.places.table(),
        ];
        let others = self
            .jobs
            .tables()
            .into_iter()
            .chain(self.backups.tables())
            .chain(self.audit.tables())
            .chain(self.intents.tables())
            .chain(self.schedule.tables())
            .chain([self.settings.table(), self.retention.table()]);
        tables.into_iter().chain(others).collect()
    }

    /// Makes sure that every table exists. Called once at start, never on the way.
    pub async fn create_tables(&self) -> StorageResult<()> {
        for table in self.table_names() {
            self.tables.create_table(table).await?;
        }
        Ok(())
    }
}
