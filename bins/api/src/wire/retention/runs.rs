//! Runs of retention on the wire.

use std::collections::BTreeMap;

use dilux_core::timer::TimerRun;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::TimerView;

/// One run of retention, over all databases.
#[derive(Debug, Serialize, ToSchema)]
struct RetentionRun {
    /// When it was due.
    #[schema(example = "2026-03-05T02:00:00Z")]
    due_at: String,
    /// When it began.
    started_at: String,
    /// When it ended.
    ended_at: String,
    /// `done`, `partial` (some databases could not be looked at) or `failed` (it is tried again).
    #[schema(example = "done")]
    outcome: &'static str,
    /// What it did, or why it failed; of runs before the last one at most 300 characters.
    #[schema(example = "2 databases, 40 backups stay, 3 are announced, 1 are deleted")]
    message: String,
    /// Databases looked at, and those that could not be (`failed`); backups that stay (`kept`), whose
    /// deletion was `announced`, `withdrawn`, or waits for its time (`waiting`); those `deleted`;
    /// those that were due and stay for now, because somebody reads them (`blocked`) or because the
    /// run had deleted enough (`over_budget`); those newly found `damaged`; data without a backup
    /// that was removed (`orphans`). Empty for a run that failed.
    counts: BTreeMap<String, u64>,
}

impl From<&TimerRun> for RetentionRun {
    fn from(run: &TimerRun) -> Self {
        Self {
            due_at: run.slot.to_string(),
            started_at: run.started_at.to_string(),
            ended_at: run.ended_at.to_string(),
            outcome: run.outcome.as_str(),
            message: run.message.clone(),
            counts: run.counts.clone(),
        }
    }
}

/// The newest runs of retention.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionRuns {
    /// Newest first; the last 31 are remembered.
    runs: Vec<RetentionRun>,
    /// Runs in this answer.
    count: usize,
    /// When it is due next; `null` while it is switched off, and before a scheduler has seen to it.
    next_at: Option<String>,
    /// Since when it runs; `null` while it does not.
    running_since: Option<String>,
}

impl From<TimerView> for RetentionRuns {
    fn from(view: TimerView) -> Self {
        let TimerView { state, now } = view;
        let runs: Vec<RetentionRun> = state
            .last
            .iter()
            .chain(&state.earlier)
            .map(RetentionRun::from)
            .collect();
        Self {
            count: runs.len(),
            runs,
            next_at: state.next.map(|next| next.to_string()),
            running_since: state.running(now).map(|claim| claim.since.to_string()),
        }
    }
}
