//! Retention as users see it: what would expire and why, pins, holds, deletions taken back.

use dilux_core::Result;
use dilux_core::expiry::{DatabasePreview, Wish};
use dilux_core::model::{AuditAction, AuditResourceType, BackupId, Mark};
use dilux_core::repository::Version;
use dilux_core::timer::{Timer, TimerState};
use jiff::Timestamp;
use serde_json::json;

use super::audit::Event;
use super::backups::wishes;
use super::{Application, BackupView};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::backup::describe;
use crate::wire::retention::DryRun;

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

    /// Changes what is wished about keeping a backup: pin, hold, or take a deletion back.
    pub(crate) async fn wish(
        &self,
        id: &BackupId,
        wish: Wish,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<(BackupView, Version)> {
        let backup = self.backup(id).await?;
        let (action, note) = told(&wish);
        let accepts = |version: Option<&Version>| if_match.check(&wishes(version.cloned()));
        let (changed, version) = self.expiry().wish_if(&backup, wish, accepts).await?;
        let event = Event {
            action,
            resource_type: AuditResourceType::Backup,
            resource_id: changed.id.to_string(),
            resource_name: describe(&changed),
            details: json!({"database_id": changed.database_id.as_str(), "note": note}),
            failure: None,
        };
        self.record(caller, event).await;
        Ok((self.with_engine(changed).await?, wishes(version)))
    }

    /// The mark of somebody who wishes something now.
    pub(crate) fn mark(&self, note: Option<String>, caller: &Caller) -> Mark {
        Mark {
            at: self.installation.clock.now(),
            by: caller.user_email.clone(),
            note,
        }
    }
}

/// The action of a wish for the audit log, and what was said with it.
fn told(wish: &Wish) -> (AuditAction, Option<String>) {
    match wish {
        Wish::Pin(mark) => (AuditAction::BackupPinned, mark.note.clone()),
        Wish::Unpin => (AuditAction::BackupUnpinned, None),
        Wish::Hold(mark) => (AuditAction::BackupHeld, mark.note.clone()),
        Wish::Release => (AuditAction::BackupReleased, None),
        Wish::Undelete(mark) => (AuditAction::BackupUndeleted, mark.note.clone()),
        Wish::Label(_) => (AuditAction::BackupLabelled, None),
    }
}
