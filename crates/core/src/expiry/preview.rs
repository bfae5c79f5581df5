//! What retention would do, and why, without doing it; also under a policy that is only proposed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;

use super::Expiry;
use super::holdings::Holding;
use super::registry::{Followed, Registry};
use crate::error::{Error, Result};
use crate::model::{BackupId, DatabaseId, Fate, Label, PolicyId, Tier};
use crate::retention::{
    Candidate, ExpireReason, KeepReason, Soundness, Standing, TierKeep, Verdict, plan,
};

/// Which databases to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every registered one, and every one whose backups outlived its registration.
    All,
    /// This one.
    Database(DatabaseId),
    /// Those that follow this policy, by themselves or through their engine.
    Policy(PolicyId),
}

/// Tiers that a policy is to have: an empty list disables all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal(pub Vec<TierKeep>);

/// The verdict on one backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewedBackup {
    /// Id.
    pub id: BackupId,
    /// When its dump began.
    pub taken_at: Timestamp,
    /// Tiers that it serves.
    pub tiers: Vec<Tier>,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// What is to become of it.
    pub verdict: Verdict,
    /// How far its deletion is already.
    pub fate: Fate,
}

/// What retention would do to one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePreview {
    /// Database.
    pub database_id: DatabaseId,
    /// Its label; `None` when it is registered no more.
    pub label: Option<Label>,
    /// The policy that it follows; `None` when it is registered no more.
    pub policy_id: Option<PolicyId>,
    /// Backups that stay.
    pub kept: u64,
    /// Backups that may go.
    pub expired: u64,
    /// Newest first: all of them when one database was asked for, else those that may go.
    pub backups: Vec<PreviewedBackup>,
    /// Why nothing of it would expire: something of it cannot be read.
    pub problem: Option<String>,
}

impl DatabasePreview {
    fn add(&mut self, holding: Holding, verdict: Verdict) {
        match verdict {
            Verdict::Keep(_) => self.kept += 1,
            Verdict::Expire(_) => self.expired += 1,
        }
        self.backups.push(PreviewedBackup {
            id: holding.id,
            taken_at: holding.manifest.started_at,
            tiers: holding.manifest.tiers,
            stored_bytes: holding.manifest.data.stored_bytes,
            verdict,
            fate: holding.state.fate,
        });
    }
}

/// What becomes of a backup whose deletion a person asked for.
fn verdict_on_unwanted(holding: &Holding, wanted: &[Candidate]) -> Verdict {
    let candidate = holding.candidate();
    match &holding.state.fate {
        Fate::Tombstoned(tombstone) if !candidate.is_last_good(wanted) => {
            Verdict::Expire(ExpireReason::Requested {
                sentence: tombstone.sentence.clone(),
            })
        }
        _ if candidate.soundness == Soundness::Verified => {
            Verdict::Keep(vec![KeepReason::NewestVerified])
        }
        _ => Verdict::Keep(vec![KeepReason::NewestCommitted]),
    }
}

impl Expiry {
    /// Plans for the databases of `scope`, as if their policy were `proposal` where that is given.
    /// Changes nothing.
    pub async fn preview(
        &self,
        scope: &Scope,
        proposal: Option<&Proposal>,
    ) -> Result<Vec<DatabasePreview>> {
        let now = self.trusted_time().await?;
        let registry = Registry::read(&self.installation.repositories).await?;
        let ids: BTreeSet<DatabaseId> = match scope {
            Scope::All => self.known_databases(&registry).await?,
            Scope::Database(id) => BTreeSet::from([id.clone()]),
            Scope::Policy(id) => {
                if registry.policy(id).is_none() {
                    return Err(Error::NotFound {
                        what: "Policy",
                        id: id.to_string(),
                    });
                }
                let follows = |database: &&DatabaseId| {
                    let followed = registry.followed(database).ok();
                    followed
                        .and_then(|followed| followed.policy)
                        .is_some_and(|policy| policy.id == *id)
                };
                registry.ids().filter(follows).cloned().collect()
            }
        };
        let shows_kept = matches!(scope, Scope::Database(_));
        let mut previews = Vec::new();
        for id in ids {
            let mut preview = self.preview_database(&registry, &id, proposal, now).await?;
            if !shows_kept {
                preview
                    .backups
                    .retain(|backup| matches!(backup.verdict, Verdict::Expire(_)));
            }
            previews.push(preview);
        }
        Ok(previews)
    }

    async fn preview_database(
        &self,
        registry: &Registry,
        id: &DatabaseId,
        proposal: Option<&Proposal>,
        now: Timestamp,
    ) -> Result<DatabasePreview> {
        let mut preview = DatabasePreview {
            database_id: id.clone(),
            label: None,
            policy_id: None,
            kept: 0,
            expired: 0,
            backups: Vec::new(),
            problem: None,
        };
        let followed = match registry.followed(id) {
            Ok(followed) => followed,
            Err(problem) => {
                preview.problem = Some(problem);
                return Ok(preview);
            }
        };
        preview.label = followed.database.map(|database| database.label.clone());
        preview.policy_id = followed.policy.map(|policy| policy.id.clone());
        let standing = self
            .previewed_standing(&followed, id, proposal, now)
            .await?;
        let holdings = match self.holdings(id, followed.database).await {
            Ok(holdings) => holdings,
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => {
                preview.problem = Some(error.to_string());
                return Ok(preview);
            }
        };
        let standing_ones = holdings
            .backups
            .into_iter()
            .filter(|one| !matches!(one.state.fate, Fate::Deleting(_) | Fate::Deleted(_)));
        let (unwanted, wanted): (Vec<_>, Vec<_>) =
            standing_ones.partition(|one| one.state.is_unwanted());
        let mut by_id: HashMap<BackupId, _> = wanted
            .into_iter()
            .map(|one| (one.id.clone(), one))
            .collect();
        let candidates: Vec<Candidate> = by_id.values().map(Holding::candidate).collect();
        let rules = registry.rules(standing, self.installation.settings.retention.minimum);
        for decision in plan(&candidates, &rules, now).decisions {
            let Some(holding) = by_id.remove(&decision.id) else {
                continue;
            };
            preview.add(holding, decision.verdict);
        }
        for holding in unwanted {
            let verdict = verdict_on_unwanted(&holding, &candidates);
            preview.add(holding, verdict);
        }
        preview
            .backups
            .sort_by_key(|backup| Reverse((backup.taken_at, backup.id.clone())));
        Ok(preview)
    }

    async fn previewed_standing(
        &self,
        followed: &Followed<'_>,
        id: &DatabaseId,
        proposal: Option<&Proposal>,
        now: Timestamp,
    ) -> Result<Standing> {
        match (followed.standing(), proposal) {
            (Some(_), Some(proposal)) => Ok(Standing::Registered(proposal.0.clone())),
            (Some(standing), None) => Ok(standing),
            (None, _) => {
                let states = &self.installation.repositories.retention;
                let since = states.known_unregistered_since(id).await?.unwrap_or(now);
                Ok(self.unregistered(since))
            }
        }
    }
}
