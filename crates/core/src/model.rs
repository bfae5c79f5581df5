//! The domain: engines, databases, policies, jobs, backups. Pure: no I/O, no clock, no storage.

mod access_request;
mod api_token;
mod audit;
mod backup;
mod credentials;
mod database;
mod database_state;
mod dead_letter;
mod engine;
mod fingerprint;
mod id;
mod installation_id;
mod job;
mod manifest;
mod name;
mod policy;
mod removal;
mod retention_state;
mod role;
mod session;
mod settings;
mod tally;
mod tls_mode;
mod tool;
mod user;

pub use access_request::{AccessRequest, AccessRequestStatus};
pub use api_token::{ApiToken, SecretHash};
pub use audit::{AuditAction, AuditEntry, AuditResourceType, AuditStatus};
pub use backup::{Backup, BackupMarks, BackupStatus};
pub use credentials::{AuthMethod, CredentialKind, Credentials, EntraIdentity, SecretKind};
pub use database::{CredentialSource, Database, PolicySource, RpoMinutes};
pub use database_state::{DatabaseState, RecoveryPoint};
pub use dead_letter::{DeadLetter, DeadLetterReason, Requeue, Requeued};
pub use engine::{Engine, MaxJobs};
pub use fingerprint::{Fingerprint, ObjectFingerprint, TableFingerprint};
pub use id::{
    AccessRequestId, AlertId, ApiTokenId, AuditId, BackupId, ComponentId, DatabaseId, DeadLetterId,
    EngineId, InvalidId, JobId, PolicyId, RequeueId, SessionId, UserId, WorkerId,
};
pub use installation_id::InstallationId;
pub use job::{
    Attempt, AttemptEnd, BackupWork, Comparison, InvalidTransition, Job, JobOwner, JobState, Lease,
    Progress, RestoreWork, RetryRule, Stage, Trigger, Urgency, VerifyWork, Work,
};
pub use manifest::{DatabaseTraits, Manifest, ManifestError, StoredData};
pub use name::{
    ClientId, DatabaseName, Destination, Email, EngineType, Host, InvalidName, Label, Port,
    TenantId, UserName,
};
pub use policy::{
    BackupPolicy, Blackout, CatchUpHours, Compression, CronExpression, DayOfMonth, DayOfWeek,
    HourlyInterval, InvalidPolicy, JitterMinutes, KeepCount, Month, PolicyZone, Tier, TierRule,
    TierSchedule, TimeOfDay, Timing,
};
pub use removal::Removal;
pub use retention_state::{
    DamageKind, Deletion, Fate, Finding, Mark, RestoreLease, RetentionRefusal, RetentionState,
    Tombstone,
};
pub use role::{Grant, Grants, Role};
pub use session::{Session, SessionLimits};
pub use settings::AppSettings;
pub use tally::{
    Damage, DamagedBackup, FirstFailure, LatestFailure, Line, NeedsRecount, Streak, Tally, Turnout,
};
pub use tls_mode::TlsMode;
pub use tool::{ServerIdentity, ToolIdentity};
pub use user::{Invitation, PageSize, PasswordHash, User};
