//! The recovery point of a database follows what becomes of its backups: one that is damaged or
//! deleted takes nobody back anywhere.

use super::Expiry;
use super::holdings::{Holding, Holdings};
use crate::error::Result;
use crate::model::{Backup, BackupStatus, DatabaseId, Fate, Finding, RecoveryPoint};

impl Expiry {
    /// Lets the recovery point follow the status of a backup. What a crash leaves undone here, the
    /// next run of retention does.
    pub(super) async fn follow(&self, line: &Backup) -> Result<()> {
        let states = &self.installation.repositories.states;
        let Some(known) = states.get(&line.database_id).await? else {
            return Ok(());
        };
        let point = known.value.recovery_point;
        let is_point = point.is_some_and(|point| point.backup_id == line.id);
        match (line.status, line.started_at) {
            (BackupStatus::Completed, Some(at)) if !is_point => {
                let changed = states.change(&line.database_id, |state| state.succeed(&line.id, at));
                changed.await?;
            }
            (BackupStatus::Damaged | BackupStatus::Deleted, _) if is_point => {
                let newest = self.newest_good(&line.database_id, line).await?;
                let lose = states.change(&line.database_id, |state| {
                    state.lose(&line.id, newest.as_ref());
                });
                lose.await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The newest good backup besides `gone`, by the index.
    async fn newest_good(&self, id: &DatabaseId, gone: &Backup) -> Result<Option<RecoveryPoint>> {
        let backups = &self.installation.repositories.backups;
        let standing = backups.standing_of(id).await?.items;
        let good = standing.into_iter().map(|line| line.value).filter(|line| {
            // The Python product's backups are proven by nothing.
            line.status == BackupStatus::Completed && line.id != gone.id && line.id.job().is_some()
        });
        let points = good.filter_map(|line| {
            Some(RecoveryPoint {
                at: line.started_at?,
                backup_id: line.id,
            })
        });
        Ok(points.max_by_key(|point| point.at))
    }

    /// Brings the recovery point into line with all that is there.
    pub(super) async fn settle_recovery_point(&self, holdings: &Holdings) -> Result<()> {
        let (id, states) = (
            &holdings.database_id,
            &self.installation.repositories.states,
        );
        let Some(known) = states.get(id).await? else {
            return Ok(());
        };
        let good = holdings.backups.iter().filter(|holding| is_good(holding));
        let newest = good
            .max_by_key(|holding| holding.manifest.started_at)
            .map(|holding| RecoveryPoint {
                backup_id: holding.id.clone(),
                at: holding.manifest.started_at,
            });
        if known.value.recovery_point == newest {
            return Ok(());
        }
        if let Some(point) = &known.value.recovery_point
            && !self.is_point_good(holdings, point).await?
        {
            let lose = states.change(id, |state| state.lose(&point.backup_id, newest.as_ref()));
            lose.await?;
        }
        if let Some(newest) = &newest {
            let succeed = states.change(id, |state| state.succeed(&newest.backup_id, newest.at));
            succeed.await?;
        }
        Ok(())
    }

    async fn is_point_good(&self, holdings: &Holdings, point: &RecoveryPoint) -> Result<bool> {
        let mut held = holdings.backups.iter();
        if let Some(holding) = held.find(|holding| holding.id == point.backup_id) {
            return Ok(is_good(holding));
        }
        // Not seen: made since the look, or gone.
        match point.backup_id.job() {
            Some(job) => Ok(self.has_manifest(&job).await?),
            None => Ok(true),
        }
    }
}

fn is_good(holding: &Holding) -> bool {
    let is_sound = !matches!(holding.state.finding, Some(Finding::Damaged { .. }));
    let is_there = matches!(holding.state.fate, Fate::Kept | Fate::Tombstoned(_));
    is_sound && is_there && holding.damage.is_none()
}
