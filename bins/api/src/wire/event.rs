//! Live events on the wire: what happened, in the shapes in which the routes answer it.

use serde::Serialize;
use utoipa::ToSchema;

use super::alert::Alert;
use super::backup::Backup;
use super::job::Job;
use crate::app::Change;
use crate::caller::Caller;

/// What an event tells, as JSON in its field `data`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EventData {
    /// Of `job`: a job that is new, went on or ended, as `GET /api/jobs/{job_id}` answers it.
    Job(Box<Job>),
    /// Of `backup`: a backup that was made, as `GET /api/backups` lists it.
    Backup(Box<Backup>),
    /// Of `alert`: an alert that was raised, acknowledged or changed, as `GET /api/alerts/{alert_id}`
    /// answers it.
    Alert(Box<Alert>),
    /// Of `alert_over`: an alert whose condition is over.
    AlertOver(AlertOver),
    /// Of `reset`, `unavailable` and `available`.
    Notice(Notice),
}

/// An alert that there is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AlertOver {
    /// Its id.
    id: String,
}

/// What a listener must know about the stream itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notice {
    /// What it is, and what to do.
    #[schema(example = "read everything anew: what happened before this is not told")]
    message: &'static str,
}

impl EventData {
    /// What to tell this caller of a change: its name, and what it is.
    pub(crate) fn of(change: &Change, caller: &Caller) -> (&'static str, Self) {
        let notice = |name, message| (name, Self::Notice(Notice { message }));
        match change {
            Change::Job(job) => ("job", Self::Job(Box::new(Job::new(job, None, caller)))),
            Change::Backup(view) => {
                let backup = Backup::new(view, caller);
                ("backup", Self::Backup(Box::new(backup)))
            }
            Change::Alert(view) => {
                let alert = Alert::new((**view).clone(), caller);
                ("alert", Self::Alert(Box::new(alert)))
            }
            Change::AlertOver(id) => (
                "alert_over",
                Self::AlertOver(AlertOver { id: id.to_string() }),
            ),
            Change::Reset => notice(
                "reset",
                "read everything anew: what happened before this is not told",
            ),
            Change::Unavailable => notice(
                "unavailable",
                "storage does not answer; what happens meanwhile is told when it does",
            ),
            Change::Available => notice("available", "storage answers again"),
        }
    }
}
