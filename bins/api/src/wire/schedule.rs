//! Schedules on the wire: what comes next, and what became of the last slots.

use dilux_core::model::{BackupPolicy, PolicyZone};
use dilux_core::schedule::Run;
use dilux_core::timetable::{TierTimetable, Timetable};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// An instant, in UTC and on the clocks of a policy's zone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Instant {
    /// UTC.
    #[schema(example = "2026-03-01T01:00:00Z")]
    utc: String,
    /// With the zone's offset and name.
    #[schema(example = "2026-03-01T02:00:00+01:00[Europe/Madrid]")]
    local: String,
}

impl Instant {
    fn new(at: Timestamp, zone: &PolicyZone) -> Self {
        Self {
            utc: at.to_string(),
            local: at.to_zoned(zone.rules().clone()).to_string(),
        }
    }
}

/// A coming backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ComingRun {
    /// When.
    #[serde(flatten)]
    at: Instant,
    /// The tiers that it serves.
    tiers: Vec<String>,
}

impl ComingRun {
    fn new(run: &Run, zone: &PolicyZone) -> Self {
        Self {
            at: Instant::new(run.slot, zone),
            tiers: run.tiers.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What a policy will do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preview {
    /// Id of the policy.
    policy_id: String,
    /// Its time zone.
    time_zone: String,
    /// The next runs of a database whose backups are all up to date, without its jitter.
    runs: Vec<ComingRun>,
}

impl Preview {
    pub(crate) fn new(policy: &BackupPolicy, runs: &[Run]) -> Self {
        let zone = policy.timing.zone();
        Self {
            policy_id: policy.id.to_string(),
            time_zone: zone.to_string(),
            runs: runs.iter().map(|run| ComingRun::new(run, zone)).collect(),
        }
    }
}

/// One tier of a database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TierSchedule {
    /// Which.
    tier: String,
    /// Whether the policy enables it.
    enabled: bool,
    /// Its next slots.
    next: Vec<Instant>,
    /// The newest slot that was decided.
    last_slot: Option<Instant>,
    /// The job of that slot, or of the one before that had one.
    last_job_id: Option<String>,
    /// What became of that job: `claimed`, `booked`, `completed`, `failed`, `missed`, `cancelled`.
    last_outcome: Option<&'static str>,
    /// Why the last decision was taken.
    reason: Option<String>,
    /// Seconds between the last booked slot and its start.
    late_seconds: u64,
    /// The newest slot that has a backup.
    last_satisfied_slot: Option<Instant>,
    /// Jobs that failed since the last success.
    failures: u32,
}

/// Slots that have no backup.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MissedSlots {
    /// Tier.
    tier: String,
    /// The oldest.
    first: Instant,
    /// The newest.
    last: Instant,
    /// How many.
    count: u64,
    /// Why.
    reason: String,
}

/// The schedule of a database.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// Database.
    database_id: String,
    /// Whether the scheduler backs it up.
    enabled: bool,
    /// The policy that it follows.
    policy_id: String,
    /// Why it follows another policy than it names; absent when it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_note: Option<String>,
    /// The policy's time zone.
    time_zone: String,
    /// Its next backups; empty while it is disabled.
    next_runs: Vec<ComingRun>,
    /// Its tiers.
    tiers: Vec<TierSchedule>,
    /// The newest slots that have no backup.
    missed: Vec<MissedSlots>,
}

impl From<&Timetable> for Schedule {
    fn from(view: &Timetable) -> Self {
        let zone = view.policy.timing.zone();
        let tiers = view.tiers.iter();
        let missed = view.misses.iter().map(|miss| MissedSlots {
            tier: miss.slots.tier.to_string(),
            first: Instant::new(miss.slots.first, zone),
            last: Instant::new(miss.slots.last, zone),
            count: miss.slots.count,
            reason: miss.slots.reason.clone(),
        });
        Self {
            database_id: view.database.id.to_string(),
            enabled: view.database.enabled,
            policy_id: view.policy.id.to_string(),
            policy_note: view.policy_note.clone(),
            time_zone: zone.to_string(),
            next_runs: view
                .runs
                .iter()
                .map(|run| ComingRun::new(run, zone))
                .collect(),
            tiers: tiers
                .map(|tier| tier_schedule(&view.policy, tier))
                .collect(),
            missed: missed.collect(),
        }
    }
}

fn tier_schedule(policy: &BackupPolicy, told: &TierTimetable) -> TierSchedule {
    let state = told.state.as_ref();
    let zone = policy.timing.zone();
    let instant = |at: Timestamp| Instant::new(at, zone);
    let job = state.and_then(|state| state.job.as_ref());
    TierSchedule {
        tier: told.tier.to_string(),
        enabled: policy.rule(told.tier).is_some(),
        next: told.next.iter().copied().map(instant).collect(),
        last_slot: state.map(|state| instant(state.last_slot)),
        last_job_id: job.map(|job| job.id.to_string()),
        last_outcome: state
            .filter(|_| job.is_some())
            .map(|state| state.outcome.as_str()),
        reason: state
            .map(|state| state.reason.clone())
            .filter(|reason| !reason.is_empty()),
        late_seconds: state.map_or(0, |state| state.late_seconds),
        last_satisfied_slot: state.and_then(|state| state.satisfied_slot).map(instant),
        failures: state.map_or(0, |state| state.failures),
    }
}
