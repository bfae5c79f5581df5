//! Retention as users see it: what would expire and why, pins, holds, deletions taken back.

use dilux_core::Result;
use dilux_core::expiry::DatabasePreview;
use dilux_core::model::{AuditAction, AuditResourceType, Backup, BackupId, Mark};
use dilux_core::timer::{Timer, TimerState};
use jiff::Timestamp;
use serde_json::json;

use super::audit::Event;
use super::{Application, BackupView};
use crate::caller::Caller;
use crate::wire::backup::describe;
use crate::wire::retention::{DryRun, Wish};

/// A timer as it stands.
#[derive(Debug)]
pub(crate) struct TimerView {
    /// Its state.
    pub(crate) state: TimerState,
    /// Now.
    pub(crate) now: Timestamp,
}

impl Application {
    /// The timer of retention, with its newest runs.
    pub(crate) async fn view_retention_timer(&self) -> Result<TimerView> {
        let timers = &self.installation.repositories.timers;
        let state = timers.get(&Timer::Retention).await?;
        Ok(TimerView {
            state: state.map_or_else(|| TimerState::unknown(Timer::Retention), |row| row.value),
            now: self.installation.clock.now(),
        })
    }

    /// What retention would do, and why.
    pub(crate) async fn preview_retention(&self, wish: &DryRun) -> Result<Vec<DatabasePreview>> {
        self.expiry()
            .preview(&wish.scope, wish.proposal.as_ref())
            .await
    }

    /// Pins a backup.
    pub(crate) async fn pin(
        &self,
        id: &BackupId,
        wish: Wish,
        caller: &Caller,
    ) -> Result<BackupView> {
        let backup = self.backup(id).await?;
        let mark = self.mark(wish, caller);
        let pinned = self.expiry().pin(&backup, &mark).await?;
        self.changed(AuditAction::BackupPinned, pinned, Some(&mark), caller)
            .await
    }

    /// Takes a pin off.
    pub(crate) async fn unpin(&self, id: &BackupId, caller: &Caller) -> Result<BackupView> {
        let backup = self.backup(id).await?;
        let unpinned = self.expiry().unpin(&backup).await?;
        self.changed(AuditAction::BackupUnpinned, unpinned, None, caller)
            .await
    }

    /// Holds a backup.
    pub(crate) async fn hold(
        &self,
        id: &BackupId,
        wish: Wish,
        caller: &Caller,
    ) -> Result<BackupView> {
        let backup = self.backup(id).await?;
        let mark = self.mark(wish, caller);
        let held = self.expiry().hold(&backup, &mark).await?;
        self.changed(AuditAction::BackupHeld, held, Some(&mark), caller)
            .await
    }

    /// Releases a hold.
    pub(crate) async fn release(&self, id: &BackupId, caller: &Caller) -> Result<BackupView> {
        let backup = self.backup(id).await?;
        let released = self.expiry().release(&backup).await?;
        self.changed(AuditAction::BackupReleased, released, None, caller)
            .await
    }

    /// Takes an announced deletion back.
    pub(crate) async fn undelete(
        &self,
        id: &BackupId,
        wish: Wish,
        caller: &Caller,
    ) -> Result<BackupView> {
        let backup = self.backup(id).await?;
        let mark = self.mark(wish, caller);
        let kept = self.expiry().undelete(&backup, &mark).await?;
        self.changed(AuditAction::BackupUndeleted, kept, Some(&mark), caller)
            .await
    }

    fn mark(&self, wish: Wish, caller: &Caller) -> Mark {
        Mark {
            at: self.installation.clock.now(),
            by: caller.user_email.clone(),
            note: wish.note,
        }
    }

    async fn changed(
        &self,
        action: AuditAction,
        backup: Backup,
        mark: Option<&Mark>,
        caller: &Caller,
    ) -> Result<BackupView> {
        let event = Event {
            action,
            resource_type: AuditResourceType::Backup,
            resource_id: backup.id.to_string(),
            resource_name: describe(&backup),
            details: json!({
                "database_id": backup.database_id.as_str(),
                "note": mark.and_then(|mark| mark.note.clone()),
            }),
            failure: None,
        };
        self.record(caller, event).await;
        self.with_engine(backup).await
    }
}
