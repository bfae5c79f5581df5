use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + second).unwrap()
}

fn pending() -> Job {
    let owner = JobOwner {
        database_id: "db-001".parse().unwrap(),
        database_label: "Orders".parse().unwrap(),
        engine_type: EngineType::PostgreSql,
    };
    let id = JobId::derive(&owner.database_id, "slot|x");
    let work = Work::Backup(BackupWork {
        tiers: vec![],
        slot: None,
        needs_enabled: false,
        ..BackupWork::default()
    });
    Job::new(id, owner, work, Trigger::Manual, at(0))
}

fn worker(name: &str) -> WorkerId {
    name.parse().unwrap()
}

const LEASE: SignedDuration = SignedDuration::from_secs(90);

const RULE: RetryRule = RetryRule {
    attempts: 4,
    first_wait: SignedDuration::from_secs(30),
};

fn flaky() -> Failure {
    Failure::new(FailureKind::Unreachable, "nothing listens there")
}

#[test]
fn a_live_lease_keeps_others_out_and_a_dead_one_lets_them_in() {
    let job = pending().claim(worker("one"), at(0), LEASE).unwrap();
    assert!(job.clone().claim(worker("two"), at(89), LEASE).is_err());
    let taken = job.claim(worker("two"), at(90), LEASE).unwrap();
    assert_eq!(taken.epoch, 2);
    assert_eq!(taken.attempts, 1, "the lost attempt counts");
}

#[test]
fn a_transient_failure_is_retried_with_growing_waits_until_the_attempts_are_used_up() {
    let mut job = pending();
    let mut waits = Vec::new();
    for attempt in 1..=RULE.attempts {
        let now = at(i64::from(attempt) * 10_000);
        job = job
            .claim(worker("one"), now, LEASE)
            .unwrap()
            .fail(now, flaky(), RULE)
            .unwrap();
        if !job.is_terminal() {
            waits.push(job.not_before.duration_since(now).as_secs());
        }
    }
    assert_eq!(waits, [30, 120, 480]);
    assert!(matches!(job.state, JobState::Failed { .. }));
}

#[test]
fn a_wrong_password_is_not_tried_again() {
    let wrong = Failure::new(FailureKind::Authentication, "wrong password");
    let job = pending()
        .claim(worker("one"), at(0), LEASE)
        .unwrap()
        .fail(at(1), wrong, RULE)
        .unwrap();
    assert!(matches!(job.state, JobState::Failed { .. }));
}

#[test]
fn a_job_given_back_costs_no_attempt() {
    let job = pending()
        .claim(worker("one"), at(0), LEASE)
        .unwrap()
        .release(at(5))
        .unwrap();
    assert_eq!(job.attempts, 0);
    assert!(job.claim(worker("two"), at(5), LEASE).is_ok());
}

#[test]
fn every_attempt_stands_in_the_log_with_its_worker_and_its_end() {
    let job = pending().claim(worker("one"), at(0), LEASE).unwrap();
    let job = job.claim(worker("two"), at(100), LEASE).unwrap();
    let job = job.fail(at(110), flaky(), RULE).unwrap();
    let job = job.claim(worker("three"), at(200), LEASE).unwrap();
    let job = job.release(at(210)).unwrap();
    let job = job.claim(worker("four"), at(220), LEASE).unwrap();
    assert_eq!(job.started_at(), Some(at(220)));
    let job = job.complete(at(230)).unwrap();
    let log: Vec<(u64, &str, i64, AttemptEnd)> = job
        .log
        .iter()
        .map(|attempt| {
            let seconds = attempt.ended_at.unwrap().duration_since(at(0)).as_secs();
            let end = attempt.end.clone().unwrap();
            (attempt.epoch, attempt.worker.as_str(), seconds, end)
        })
        .collect();
    assert_eq!(
        log,
        [
            (1, "one", 100, AttemptEnd::Lost),
            (2, "two", 110, AttemptEnd::failed(&flaky())),
            (3, "three", 210, AttemptEnd::GivenBack),
            (4, "four", 230, AttemptEnd::Completed),
        ]
    );
    assert_eq!(job.started_at(), Some(at(220)), "also when it is over");
    assert_eq!(job.ended_at(), Some(at(230)));
}

#[test]
fn the_log_keeps_the_newest_attempts_and_their_sentences_short() {
    let long = Failure::new(FailureKind::Unreachable, "é".repeat(4000));
    let many = RetryRule {
        attempts: 100,
        ..RULE
    };
    let mut job = pending();
    for attempt in 0..30 {
        let now = at(attempt * 10_000);
        job = job.claim(worker("one"), now, LEASE).unwrap();
        job = job.fail(now, long.clone(), many).unwrap();
    }
    let epochs: Vec<u64> = job.log.iter().map(|attempt| attempt.epoch).collect();
    assert_eq!(epochs, (21..=30).collect::<Vec<u64>>());
    let text = serde_json::to_string(&job.log).unwrap();
    assert!(text.encode_utf16().count() < 20_000, "it fits into a row");
    assert_eq!(
        serde_json::from_str::<Vec<Attempt>>(&text).unwrap(),
        job.log
    );
}

#[test]
fn cancelling_stops_a_waiting_job_at_once_and_asks_a_running_one() {
    let waiting = pending().request_cancel(at(1)).unwrap();
    assert!(matches!(waiting.state, JobState::Cancelled { .. }));
    let running = pending().claim(worker("one"), at(0), LEASE).unwrap();
    let running = running.request_cancel(at(1)).unwrap();
    assert!(running.cancel_requested && !running.is_terminal());
    let stopped = Failure::new(FailureKind::Cancelled, "cancelled");
    let ended = running.fail(at(2), stopped, RULE).unwrap();
    assert!(matches!(ended.state, JobState::Cancelled { .. }));
}

#[test]
fn a_manifest_outranks_a_failed_row() {
    let job = pending().claim(worker("one"), at(0), LEASE).unwrap();
    let failed = job
        .fail(at(1), Failure::new(FailureKind::Internal, "defect"), RULE)
        .unwrap();
    assert!(matches!(
        failed.complete(at(2)).unwrap().state,
        JobState::Completed { .. }
    ));
}

#[derive(Debug, Clone)]
enum Step {
    Claim,
    Renew,
    Complete,
    FailTransient,
    FailForGood,
    Release,
    Cancel,
    Miss,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Claim),
        Just(Step::Renew),
        Just(Step::Complete),
        Just(Step::FailTransient),
        Just(Step::FailForGood),
        Just(Step::Release),
        Just(Step::Cancel),
        Just(Step::Miss),
        (0_i64..200).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn epochs_never_fall_and_ends_are_final(steps in prop::collection::vec(step(), 0..60)) {
        let mut job = pending();
        let mut now = 0;
        for step in steps {
            let before = job.clone();
            let next = match step {
                Step::Wait(seconds) => { now += seconds; Ok(job) }
                Step::Claim => job.claim(worker("one"), at(now), LEASE),
                Step::Renew => job.renew(at(now), LEASE),
                Step::Complete => job.complete(at(now)),
                Step::FailTransient => job.fail(at(now), flaky(), RULE),
                Step::FailForGood => {
                    job.fail(at(now), Failure::new(FailureKind::Permission, "no"), RULE)
                }
                Step::Release => job.release(at(now)),
                Step::Cancel => job.request_cancel(at(now)),
                Step::Miss => job.miss(at(now), "no".to_owned()),
            };
            job = next.unwrap_or_else(|_| before.clone());
            prop_assert!(job.epoch >= before.epoch);
            prop_assert!(job.attempts >= before.attempts);
            if before.is_terminal() {
                let is_late_success = matches!(before.state, JobState::Failed { .. })
                    && matches!(job.state, JobState::Completed { .. });
                prop_assert!(job == before || is_late_success);
            }
            if before.live_lease(at(now)).is_some() {
                prop_assert_eq!(job.epoch, before.epoch, "nobody claims over a live lease");
            }
        }
    }
}
