//! Audit entries: who did what to which resource, and with what result.

use std::net::IpAddr;
use std::str::FromStr;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{AuditId, InvalidName};

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in rows.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// Reads the name used on the wire.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }

            /// The name for people: its words, each with a capital.
            pub fn label(self) -> String {
                let words = self.as_str().split('_').map(capitalised);
                words.collect::<Vec<_>>().join(" ")
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text).ok_or_else(|| {
                    let names: Vec<&str> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    InvalidName(format!("must be one of {}", names.join(", ")))
                })
            }
        }
    };
}

wire_enum!(
    /// What was done. Those of the Python product come first, in its order.
    AuditAction {
        /// Something of another resource type was created (documented for engines).
        Create = "create",
        /// Something of another resource type was changed.
        Update = "update",
        /// Something of another resource type was deleted.
        Delete = "delete",
        /// A backup was committed.
        BackupCompleted = "backup_completed",
        /// A backup failed for good.
        BackupFailed = "backup_failed",
        /// A person deleted a backup.
        BackupDeleted = "backup_deleted",
        /// A person deleted several backups at once.
        BackupDeletedBulk = "backup_deleted_bulk",
        /// Retention deleted a backup.
        BackupDeletedRetention = "backup_deleted_retention",
        /// A backup was asked for by hand.
        BackupTriggered = "backup_triggered",
        /// A link to a backup was given out, or its bytes.
        BackupDownloaded = "backup_downloaded",
        /// A database was registered.
        DatabaseCreated = "database_created",
        /// A database was changed.
        DatabaseUpdated = "database_updated",
        /// A database was removed.
        DatabaseDeleted = "database_deleted",
        /// A connection was tested.
        DatabaseTestConnection = "database_test_connection",
        /// A policy was made.
        PolicyCreated = "policy_created",
        /// A policy was changed.
        PolicyUpdated = "policy_updated",
        /// A policy was removed.
        PolicyDeleted = "policy_deleted",
        /// A user was registered.
        UserCreated = "user_created",
        /// A user was changed.
        UserUpdated = "user_updated",
        /// A user was removed.
        UserDeleted = "user_deleted",
        /// Somebody signed in, or tried to.
        UserLogin = "user_login",
        /// Somebody signed out.
        UserLogout = "user_logout",
        /// A request for access was granted.
        AccessRequestApproved = "access_request_approved",
        /// A request for access was turned down.
        AccessRequestRejected = "access_request_rejected",
        /// The settings were changed.
        SettingsUpdated = "settings_updated",
        /// Databases of an engine were discovered.
        EngineDiscovered = "engine_discovered",
        /// A backup was never tried, for a reason.
        BackupMissed = "backup_missed",
        /// A verification was asked for.
        VerificationTriggered = "verification_triggered",
        /// A verification read a backup to its end and found it whole.
        BackupVerified = "backup_verified",
        /// A verification found a backup damaged, or could not be carried out.
        VerificationFailed = "verification_failed",
        /// The labels of a backup were changed.
        BackupLabelled = "backup_labelled",
        /// A backup was pinned.
        BackupPinned = "backup_pinned",
        /// A pin was taken off.
        BackupUnpinned = "backup_unpinned",
        /// A backup was put on hold.
        BackupHeld = "backup_held",
        /// A hold was released.
        BackupReleased = "backup_released",
        /// An announced deletion was taken back.
        BackupUndeleted = "backup_undeleted",
        /// A restore was asked for.
        RestoreTriggered = "restore_triggered",
        /// A restore ended well.
        RestoreCompleted = "restore_completed",
        /// A restore failed.
        RestoreFailed = "restore_failed",
        /// A dead letter was put back into the queue, or its job booked anew.
        DeadLetterRequeued = "dead_letter_requeued",
        /// A dead letter was thrown away.
        DeadLetterDiscarded = "dead_letter_discarded",
        /// A job was cancelled.
        JobCancelled = "job_cancelled",
        /// The work of a job was booked anew.
        JobRetried = "job_retried",
        /// Credentials of an engine were changed.
        EngineCredentialsUpdated = "engine_credentials_updated",
        /// Databases were made to sign in as their engine does.
        EngineCredentialsApplied = "engine_credentials_applied",
        /// An API token was made.
        TokenCreated = "token_created",
        /// An API token was revoked.
        TokenDeleted = "token_deleted",
        /// Somebody took note of an alert.
        AlertAcknowledged = "alert_acknowledged",
        /// A configuration is about to be imported; each change has an entry of its own too.
        ConfigurationImported = "configuration_imported",
    }
);

wire_enum!(
    /// What it was done to.
    AuditResourceType {
        /// A backup.
        Backup = "backup",
        /// A database.
        Database = "database",
        /// An engine.
        Engine = "engine",
        /// A policy.
        Policy = "policy",
        /// A user.
        User = "user",
        /// The settings.
        Settings = "settings",
        /// An access request.
        AccessRequest = "access_request",
        /// An API token.
        Token = "token",
        /// An alert.
        Alert = "alert",
        /// The configuration as a whole.
        Configuration = "configuration",
    }
);

wire_enum!(
    /// Whether it worked.
    AuditStatus {
        /// Yes.
        Success = "success",
        /// No.
        Failed = "failed",
        /// Nothing is done yet: an intent. Stands in the log of intents only.
        Intended = "intended",
    }
);

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Who: a user id, or `system` for the services themselves.
    pub user_id: String,
    /// Their e-mail, or the service's name.
    pub user_email: String,
    /// What.
    pub action: AuditAction,
    /// To what kind of thing.
    pub resource_type: AuditResourceType,
    /// To which.
    pub resource_id: String,
    /// Its label at the time.
    pub resource_name: String,
    /// Particulars by action.
    pub details: Map<String, Value>,
    /// Whether it worked.
    pub status: AuditStatus,
    /// Why not.
    pub error_message: Option<String>,
    /// From where.
    pub ip_address: Option<IpAddr>,
    /// The intent that it answers; `None` for intents, and for what nobody announced.
    pub intent_id: Option<AuditId>,
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_uppercase().to_string() + letters.as_str()
    })
}
