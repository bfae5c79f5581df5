//! Retention on the wire: dry runs, and wishes about single backups.

mod runs;

use dilux_core::expiry::{DatabasePreview, PreviewedBackup, Proposal, Scope};
use dilux_core::model::{self, DatabaseId, Fate, KeepCount, PolicyId};
use dilux_core::retention::{TierKeep, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

use super::backup::Backup;
use crate::input::{Fields, FromFields};

pub(crate) use runs::RetentionRuns;

/// Longest note.
const NOTE_LIMIT: usize = 1000;

/// Why somebody wishes it so: that a backup is kept, that an alert is known.
#[derive(Debug, ToSchema)]
#[schema(as = Wish)]
pub(crate) struct Note {
    /// Why, for those who read it later; at most 1000 characters.
    pub(crate) note: Option<String>,
}

impl FromFields for Note {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let note: Option<String> = fields.optional("note");
        if note
            .as_ref()
            .is_some_and(|note| note.chars().count() > NOTE_LIMIT)
        {
            fields.problem("note", "must be at most 1000 characters long");
        }
        Some(Self { note })
    }
}

/// What a dry run is about.
#[derive(Debug)]
pub(crate) struct DryRun {
    /// Which databases.
    pub(crate) scope: Scope,
    /// Tiers that their policy is to have.
    pub(crate) proposal: Option<Proposal>,
}

/// What a dry run is about; everything may be absent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct DryRunBody {
    /// One database; then kept backups are listed too.
    database_id: Option<String>,
    /// The databases that follow this policy. All databases when both are absent.
    #[schema(example = "production-standard")]
    policy_id: Option<String>,
    /// The policy as it is to be: a whole policy object, of which `enabled` and `keep_count` of
    /// the tiers are looked at. Absent tiers are disabled.
    policy: Option<ProposedPolicy>,
}

/// The tiers of a proposed policy.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct ProposedPolicy {
    hourly: Option<ProposedTier>,
    daily: Option<ProposedTier>,
    weekly: Option<ProposedTier>,
    monthly: Option<ProposedTier>,
    yearly: Option<ProposedTier>,
}

/// A tier of a proposed policy.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct ProposedTier {
    /// Whether it is enabled.
    enabled: bool,
    /// How many backups it is to keep.
    #[schema(example = 7)]
    keep_count: u32,
}

impl FromFields for DryRun {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let database: Option<DatabaseId> = fields.optional("database_id");
        let policy: Option<PolicyId> = fields.optional("policy_id");
        let scope = match (database, policy) {
            (Some(_), Some(_)) => {
                fields.problem("policy_id", "contradicts database_id; send one of them");
                return None;
            }
            (Some(id), None) => Scope::Database(id),
            (None, Some(id)) => Scope::Policy(id),
            (None, None) => Scope::All,
        };
        let proposal = fields.object("policy").map(|policy| read_proposal(&policy));
        Some(Self { scope, proposal })
    }
}

fn read_proposal(policy: &Fields<'_>) -> Proposal {
    let keeps = model::Tier::ALL.into_iter().filter_map(|tier| {
        let fields = policy.object(tier.as_str())?;
        let is_enabled = fields.optional("enabled").unwrap_or(false);
        if !is_enabled {
            return None;
        }
        let keep: KeepCount = fields.required("keep_count")?;
        Some(TierKeep { tier, keep })
    });
    Proposal(keeps.collect())
}

/// Why a backup is kept, or may go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reason {
    /// For programs.
    #[schema(example = "tier")]
    code: &'static str,
    /// For people.
    #[schema(example = "it is number 1 of 7 kept daily backups")]
    text: String,
}

/// What retention would do with a backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewedLine {
    /// Id.
    backup_id: String,
    /// When its dump began.
    taken_at: String,
    /// Tiers that it serves; none for a manual one.
    tiers: Vec<&'static str>,
    /// Bytes as stored.
    file_size_bytes: u64,
    /// `keep` or `expire`.
    #[schema(example = "keep")]
    verdict: &'static str,
    /// Why.
    reasons: Vec<Reason>,
    /// `kept`, or `tombstoned` when its deletion is announced already.
    #[schema(example = "kept")]
    fate: &'static str,
    /// When an announced deletion is carried out, unless somebody objects.
    deletes_after: Option<String>,
}

impl From<PreviewedBackup> for PreviewedLine {
    fn from(backup: PreviewedBackup) -> Self {
        let (verdict, reasons) = match &backup.verdict {
            Verdict::Keep(reasons) => {
                let reasons = reasons.iter().map(|reason| Reason {
                    code: reason.as_str(),
                    text: reason.to_string(),
                });
                ("keep", reasons.collect())
            }
            Verdict::Expire(reason) => {
                let reason = Reason {
                    code: reason.as_str(),
                    text: reason.to_string(),
                };
                ("expire", vec![reason])
            }
        };
        let deletes_after = match &backup.fate {
            Fate::Tombstoned(tombstone) => Some(tombstone.deletes_after.to_string()),
            _ => None,
        };
        Self {
            backup_id: backup.id.to_string(),
            taken_at: backup.taken_at.to_string(),
            tiers: backup.tiers.iter().map(|tier| tier.as_str()).collect(),
            file_size_bytes: backup.stored_bytes,
            verdict,
            reasons,
            fate: backup.fate.as_str(),
            deletes_after,
        }
    }
}

/// What retention would do with the backups of a database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewedDatabase {
    /// Database.
    database_id: String,
    /// Its label; `null` when it is registered no more.
    database_name: Option<String>,
    /// The policy that it follows; `null` when it is registered no more.
    policy_id: Option<String>,
    /// Backups that stay.
    keep_count: u64,
    /// Backups that may go.
    expire_count: u64,
    /// Newest first: all when one database was asked for, else those that may go.
    backups: Vec<PreviewedLine>,
    /// Why nothing of it expires: something of it cannot be read.
    problem: Option<String>,
}

/// What retention would do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionPreview {
    /// The databases.
    databases: Vec<PreviewedDatabase>,
    /// Backups that stay, of all these databases.
    keep_count: u64,
    /// Backups that may go.
    expire_count: u64,
    /// Stored bytes of those.
    expire_bytes: u64,
}

impl From<Vec<DatabasePreview>> for RetentionPreview {
    fn from(previews: Vec<DatabasePreview>) -> Self {
        let may_go = |backup: &&PreviewedBackup| matches!(backup.verdict, Verdict::Expire(_));
        let expire_bytes = previews
            .iter()
            .flat_map(|preview| preview.backups.iter().filter(may_go))
            .map(|backup| backup.stored_bytes)
            .sum();
        let keep_count = previews.iter().map(|preview| preview.kept).sum();
        let expire_count = previews.iter().map(|preview| preview.expired).sum();
        let databases = previews.into_iter().map(|preview| PreviewedDatabase {
            database_id: preview.database_id.to_string(),
            database_name: preview.label.map(|label| label.to_string()),
            policy_id: preview.policy_id.map(|id| id.to_string()),
            keep_count: preview.kept,
            expire_count: preview.expired,
            backups: preview
                .backups
                .into_iter()
                .map(PreviewedLine::from)
                .collect(),
            problem: preview.problem,
        });
        Self {
            databases: databases.collect(),
            keep_count,
            expire_count,
            expire_bytes,
        }
    }
}

/// A backup after a wish about it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackupKept {
    /// The backup.
    pub(crate) backup: Backup,
}
