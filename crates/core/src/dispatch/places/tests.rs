use proptest::prelude::*;

use super::*;
use crate::model::DatabaseId;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_770_000_000 + second).unwrap()
}

const RULE: PlaceRule = PlaceRule {
    total: 3,
    hold: SignedDuration::from_secs(90),
};

fn wants(key: &str, engine: &str, urgency: Urgency, since: i64) -> Applicant {
    let database: DatabaseId = "db".parse().unwrap();
    Applicant {
        job: JobId::derive(&database, key),
        epoch: 1,
        engine: Some(engine.parse().unwrap()),
        engine_limit: 2,
        urgency,
        since: at(since),
    }
}

fn scheduled(key: &str, engine: &str, since: i64) -> Applicant {
    wants(key, engine, Urgency::Scheduled, since)
}

#[test]
fn an_engine_bears_its_limit_and_the_installation_its_own() {
    let mut places = Places::default();
    assert!(places.admit(&scheduled("a", "one", 0), RULE, at(0)));
    assert!(places.admit(&scheduled("b", "one", 0), RULE, at(0)));
    assert!(!places.admit(&scheduled("c", "one", 0), RULE, at(0)));
    assert!(
        places.admit(&scheduled("d", "two", 0), RULE, at(0)),
        "a full engine holds up nobody else"
    );
    assert!(!places.admit(&scheduled("e", "two", 0), RULE, at(0)));
    assert_eq!((places.taken(), places.waiting()), (3, 2));
}

#[test]
fn a_free_place_goes_to_whoever_is_most_urgent_and_then_to_whoever_came_first() {
    let mut places = Places::default();
    for key in ["a", "b"] {
        assert!(places.admit(&scheduled(key, "one", 0), RULE, at(0)));
    }
    let (early, late) = (scheduled("early", "one", 1), scheduled("late", "one", 2));
    let (manual, restore) = (
        wants("manual", "one", Urgency::Manual, 3),
        wants("restore", "one", Urgency::Restore, 4),
    );
    for applicant in [&late, &early, &manual, &restore] {
        assert!(!places.admit(applicant, RULE, at(5)));
    }
    for expected in [&restore, &manual, &early, &late] {
        let running = places.taken[0].clone();
        places.release(&running.job, running.epoch);
        assert_eq!(places.next(RULE.total), vec![expected.job.clone()]);
        for other in [&late, &early, &manual, &restore] {
            let may = other.job == expected.job;
            if places.line.iter().any(|waiting| waiting.job == other.job) {
                assert_eq!(places.clone().admit(other, RULE, at(6)), may);
            }
        }
        assert!(places.admit(expected, RULE, at(6)));
    }
}

#[test]
fn whoever_waits_and_never_comes_back_holds_up_nobody_for_long() {
    let mut places = Places::default();
    assert!(places.admit(&scheduled("a", "one", 0), RULE, at(0)));
    assert!(places.admit(&scheduled("b", "one", 0), RULE, at(0)));
    assert!(!places.admit(&scheduled("gone", "one", 1), RULE, at(2)));
    places.release(&scheduled("a", "one", 0).job, 1);
    assert!(!places.admit(&scheduled("late", "one", 3), RULE, at(4)));
    assert!(places.admit(&scheduled("late", "one", 3), RULE, at(93)));
}

#[test]
fn a_place_goes_with_the_lease_of_its_job_and_an_old_claim_frees_no_newer_one() {
    let mut places = Places::default();
    let job = scheduled("a", "one", 0);
    assert!(places.admit(&job, RULE, at(0)));
    assert_eq!(places.doubtful(at(89)), []);
    assert_eq!(places.doubtful(at(90)), vec![job.job.clone()]);
    places.settle(&job.job, Some(at(150)));
    assert_eq!(places.doubtful(at(149)), []);
    places.settle(&job.job, None);
    assert_eq!(places.taken(), 0, "the worker died, and its lease with it");

    assert!(places.admit(&job, RULE, at(0)));
    let again = Applicant { epoch: 2, ..job };
    assert!(places.admit(&again, RULE, at(200)));
    places.release(&again.job, 1);
    assert_eq!(places.taken(), 1);
    places.release(&again.job, 2);
    assert_eq!(places.taken(), 0);
}

#[test]
fn the_row_holds_the_fullest_house() {
    let mut places = Places::default();
    let rule = PlaceRule { total: 64, ..RULE };
    let database: DatabaseId = "d".repeat(100).parse().unwrap();
    for number in 0..500 {
        let mut applicant = scheduled("x", &"e".repeat(40), number);
        applicant.job = JobId::derive(&database, &number.to_string());
        applicant.engine_limit = 64;
        places.admit(&applicant, rule, at(0));
    }
    assert_eq!((places.taken(), places.waiting()), (64, 64));
    let taken = serde_json::to_string(&places.taken).unwrap();
    let line = serde_json::to_string(&places.line).unwrap();
    assert!(taken.len().max(line.len()) < 30_000, "each fits a property");
}

proptest! {
    #[test]
    fn no_order_of_arrivals_and_endings_admits_too_many(
        steps in prop::collection::vec((0_u8..12, 0_u8..3, 0_u8..3, any::<bool>()), 1..200),
    ) {
        let mut places = Places::default();
        for (second, (key, engine, urgency, ends)) in (0..).zip(steps) {
            let urgency = [Urgency::Restore, Urgency::Manual, Urgency::Scheduled]
                [usize::from(urgency)];
            // A job stays with its engine.
            let engine = format!("engine-{}", (key + engine - engine) % 3);
            let applicant = wants(&key.to_string(), &engine, urgency, second);
            if ends {
                places.release(&applicant.job, 1);
            } else {
                places.admit(&applicant, RULE, at(second));
            }
            prop_assert!(places.taken() <= 3);
            for engine in ["engine-0", "engine-1", "engine-2"] {
                let count = places
                    .taken
                    .iter()
                    .filter(|taken| taken.engine.as_ref().unwrap().as_str() == engine)
                    .count();
                prop_assert!(count <= 2);
            }
        }
    }
}
