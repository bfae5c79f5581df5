//! From what is owed to jobs. Pure.

use dilux_core::model::{
    BackupPolicy, BackupWork, Database, Engine, Job, JobId, JobOwner, Tier, Trigger, Work,
};
use dilux_core::repository::ScheduleState;
use dilux_core::schedule::{Due, due};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What is known of a database at the time of the tick.
pub(crate) struct Snapshot<'a> {
    pub(crate) database: &'a Database,
    pub(crate) engine: &'a Engine,
    pub(crate) policy: &'a BackupPolicy,
    pub(crate) booked: Vec<(Tier, Timestamp)>,
}

/// A job to book, and the state to write once it is.
pub(crate) struct Owed {
    pub(crate) job: Job,
    pub(crate) states: Vec<ScheduleState>,
    pub(crate) reason: String,
}

/// What is owed at `now`, and after it what falls due until `horizon`: that one is booked ahead,
/// so that it starts in its minute although ticks are rarer.
pub(crate) fn plan(snapshot: &Snapshot<'_>, now: Timestamp, horizon: Timestamp) -> Vec<Owed> {
    let mut booked = snapshot.booked.clone();
    let mut all = Vec::new();
    for until in [now, horizon] {
        if let Some(found) = due(snapshot.policy, &TimeZone::UTC, &booked, until) {
            booked.retain(|(tier, _)| !found.tiers.iter().any(|(due, _)| due == tier));
            booked.extend(&found.tiers);
            all.push(owed(snapshot, found, now));
        }
    }
    all
}

fn owed(snapshot: &Snapshot<'_>, due: Due, now: Timestamp) -> Owed {
    let database = snapshot.database;
    let states = due
        .tiers
        .iter()
        .map(|(tier, slot)| ScheduleState {
            database_id: database.id.clone(),
            tier: *tier,
            last_slot: *slot,
        })
        .collect();
    let work = BackupWork {
        tiers: due.tiers.iter().map(|(tier, _)| *tier).collect(),
        slot: Some(due.slot),
        needs_enabled: true,
    };
    let id = JobId::derive(&database.id, &format!("slot|{}", due.slot));
    let owner = JobOwner {
        database_id: database.id.clone(),
        database_label: database.label.clone(),
        engine_type: snapshot.engine.engine_type,
    };
    let job = Job::new(id, owner, Work::Backup(work), Trigger::Scheduler, now).starting(due.slot);
    Owed {
        job,
        states,
        reason: due.reason,
    }
}
