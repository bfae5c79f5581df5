//! Whether a booked backup may begin when a worker takes it up, which may be long after its slot.

use jiff::{SignedDuration, Timestamp};

use super::opened;
use crate::model::{Job, Timing, Trigger, Work};

/// What its policy says of beginning a job now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timeliness {
    /// It may begin.
    Timely,
    /// A blackout lasts until then.
    Wait(Timestamp),
    /// It is too late for its slot, or will be when the blackout is over: the reason, for people.
    TooLate(String),
}

/// Judges `job` by the timing of its policy at `now`. Only backups of the scheduler have to heed it.
pub fn timeliness(job: &Job, timing: &Timing, now: Timestamp) -> Timeliness {
    let Work::Backup(work) = &job.work else {
        return Timeliness::Timely;
    };
    let Some(slot) = work.slot.filter(|_| job.trigger == Trigger::Scheduler) else {
        return Timeliness::Timely;
    };
    let limit = timing.catch_up().map(|hours| {
        let span = SignedDuration::from_hours(i64::from(hours.get()));
        // What was booked beyond the limit, was so on purpose: the first backup of a new database.
        let is_first = job.created_at.duration_since(slot) > span;
        let from = if is_first { job.created_at } else { slot };
        (hours, from.saturating_add(span).unwrap_or(Timestamp::MAX))
    });
    let passed = |at: Timestamp| limit.filter(|(_, until)| at > *until);
    if let Some((hours, _)) = passed(now) {
        return Timeliness::TooLate(format!(
            "no worker began its backup within {} h of the slot {slot}, and it is not caught up \
             later than that",
            hours.get()
        ));
    }
    let open = opened(timing, now);
    if open <= now {
        return Timeliness::Timely;
    }
    match passed(open) {
        None => Timeliness::Wait(open),
        Some((hours, _)) => Timeliness::TooLate(format!(
            "blackout: the policy lets no backup begin before {open}, and the slot {slot} is not \
             caught up later than {} h",
            hours.get()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        BackupWork, Blackout, CatchUpHours, EngineType, JobId, JobOwner, PolicyZone,
    };

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A job for the slot at 22:00.
    fn job(booked_at: &str, trigger: Trigger) -> Job {
        let owner = JobOwner {
            database_id: "shop".parse().unwrap(),
            database_label: "shop".parse().unwrap(),
            engine_type: EngineType::PostgreSql,
        };
        let work = Work::Backup(BackupWork {
            slot: Some(at("2026-03-04T22:00:00Z")),
            ..BackupWork::default()
        });
        let id = JobId::derive(&owner.database_id, "slot");
        Job::new(id, owner, work, trigger, at(booked_at))
    }

    /// No backups from 23 to 5 o'clock.
    fn nights_off(catch_up: Option<i64>) -> Timing {
        let night = Blackout::new(
            Vec::new(),
            "23:00".parse().unwrap(),
            "05:00".parse().unwrap(),
        );
        let timing = Timing::in_zone(PolicyZone::default());
        let hours = catch_up.map(|hours| CatchUpHours::new(hours).unwrap());
        timing
            .with_blackouts(vec![night])
            .unwrap()
            .with_catch_up(hours)
    }

    #[test]
    fn a_late_job_begins_outside_of_blackouts_and_within_its_limit_only() {
        let booked = job("2026-03-04T21:45:00Z", Trigger::Scheduler);
        let look = |catch_up, now| timeliness(&booked, &nights_off(catch_up), at(now));
        let end = Timeliness::Wait(at("2026-03-05T05:00:00Z"));
        assert_eq!(look(None, "2026-03-04T22:59:59Z"), Timeliness::Timely);
        assert_eq!(look(None, "2026-03-04T23:00:00Z"), end);
        assert_eq!(look(Some(7), "2026-03-05T01:00:00Z"), end);
        assert_eq!(look(None, "2026-03-05T05:00:00Z"), Timeliness::Timely);
        assert_eq!(look(Some(7), "2026-03-05T05:00:00Z"), Timeliness::Timely);
        let Timeliness::TooLate(reason) = look(Some(6), "2026-03-04T23:00:00Z") else {
            panic!("its limit ends with the blackout");
        };
        assert!(reason.starts_with("blackout: "), "{reason}");
        let Timeliness::TooLate(reason) = look(Some(7), "2026-03-05T05:00:01Z") else {
            panic!("its limit is over");
        };
        assert!(reason.contains("within 7 h"), "{reason}");
    }

    #[test]
    fn what_was_booked_beyond_the_limit_has_the_limit_from_then_on() {
        let first = job("2026-03-08T12:00:00Z", Trigger::Scheduler);
        let look = |now| timeliness(&first, &nights_off(Some(2)), at(now));
        assert_eq!(look("2026-03-08T14:00:00Z"), Timeliness::Timely);
        assert!(matches!(
            look("2026-03-08T14:00:01Z"),
            Timeliness::TooLate(_)
        ));
    }

    #[test]
    fn what_somebody_asked_for_begins_at_any_time() {
        let manual = job("2026-03-04T21:45:00Z", Trigger::Manual);
        let night = at("2026-03-05T01:00:00Z");
        assert_eq!(
            timeliness(&manual, &nights_off(Some(1)), night),
            Timeliness::Timely
        );
    }
}
