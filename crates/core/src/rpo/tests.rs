use std::collections::BTreeMap;

use super::*;
use crate::model::{
    Compression, CredentialSource, DatabaseId, PolicySource, RecoveryPoint, RpoMinutes,
};
use crate::schedule::system_policies;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn database(enabled: bool, rpo_minutes: Option<i64>) -> Database {
    Database {
        id: "db".parse().unwrap(),
        engine_id: "engine".parse().unwrap(),
        label: "Orders".parse().unwrap(),
        database_name: "orders".parse().unwrap(),
        credentials: CredentialSource::Engine,
        policy: PolicySource::Engine,
        enabled,
        rpo_minutes: rpo_minutes.map(|minutes| RpoMinutes::try_from(minutes).unwrap()),
        compression: Compression::Gzip,
        destination: None,
        tags: BTreeMap::new(),
        created_at: at("2026-03-01T00:00:00Z"),
        updated_at: at("2026-03-01T00:00:00Z"),
        created_by: None,
    }
}

/// `production-standard`, hourly, and `development`, daily.
fn policies() -> (BackupPolicy, BackupPolicy) {
    let all = system_policies(at("2026-01-01T00:00:00Z")).unwrap();
    let named = |id: &str| all.iter().find(|policy| policy.id.as_str() == id).unwrap();
    (
        named("production-standard").clone(),
        named("development").clone(),
    )
}

fn backed_up(instant: &str) -> DatabaseState {
    let id: DatabaseId = "db".parse().unwrap();
    DatabaseState {
        recovery_point: Some(RecoveryPoint {
            backup_id: "db.x".parse().unwrap(),
            at: at(instant),
        }),
        ..DatabaseState::unknown(id)
    }
}

#[test]
fn the_shortest_tier_gives_the_objective_and_slack_for_a_slow_or_repeated_backup() {
    let (hourly, daily) = policies();
    let state = backed_up("2026-03-01T10:00:00Z");
    for (policy, now, expected) in [
        (&hourly, "2026-03-01T11:14:59Z", RpoState::Met),
        (&hourly, "2026-03-01T11:15:00Z", RpoState::AtRisk),
        (&hourly, "2026-03-01T11:30:00Z", RpoState::Breached),
        (&daily, "2026-03-02T12:59:59Z", RpoState::Met),
        (&daily, "2026-03-02T13:00:00Z", RpoState::AtRisk),
        (&daily, "2026-03-02T16:00:00Z", RpoState::Breached),
    ] {
        let found = rpo(&database(true, None), Some(policy), Some(&state), at(now));
        assert_eq!(found.state, expected, "{now}: {found:?}");
        assert!(!found.is_set);
    }
}

#[test]
fn an_objective_that_was_set_counts_also_for_a_database_that_nothing_schedules() {
    let state = backed_up("2026-03-01T10:00:00Z");
    for (now, expected) in [
        ("2026-03-01T11:19:59Z", RpoState::Met),
        ("2026-03-01T11:20:00Z", RpoState::AtRisk),
        ("2026-03-01T11:40:00Z", RpoState::Breached),
    ] {
        let found = rpo(&database(false, Some(100)), None, Some(&state), at(now));
        assert_eq!(found.state, expected, "{now}");
        assert!(found.is_set);
    }
}

#[test]
fn a_database_that_was_never_backed_up_is_as_old_as_its_registration() {
    let (hourly, _) = policies();
    let look = |now| rpo(&database(true, None), Some(&hourly), None, at(now));
    assert_eq!(look("2026-03-01T00:10:00Z").state, RpoState::Met);
    let late = look("2026-03-01T02:00:00Z");
    assert_eq!(late.state, RpoState::Breached);
    assert!(
        late.reason.contains("no good backup yet"),
        "{}",
        late.reason
    );
}

#[test]
fn nothing_scheduled_and_nothing_set_is_unknown_and_says_why() {
    let (hourly, _) = policies();
    let now = at("2026-03-05T00:00:00Z");
    let disabled = rpo(&database(false, None), Some(&hourly), None, now);
    let without = rpo(&database(true, None), None, None, now);
    let mut empty = hourly;
    empty.rules.clear();
    let empty = rpo(&database(true, None), Some(&empty), None, now);
    for (found, word) in [
        (disabled, "does not back"),
        (without, "cannot be found"),
        (empty, "no enabled tier"),
    ] {
        assert_eq!(found.state, RpoState::Unknown);
        assert!(found.reason.contains(word), "{}", found.reason);
    }
}

#[test]
fn a_breach_tells_of_the_failures_behind_it_and_not_what_the_server_said() {
    let (hourly, _) = policies();
    let mut state = backed_up("2026-03-01T10:00:00Z");
    state.fail(at("2026-03-01T11:00:00Z"), "nothing listens there");
    let now = at("2026-03-01T12:00:00Z");
    let found = rpo(&database(true, None), Some(&hourly), Some(&state), now);
    assert!(
        found
            .reason
            .ends_with("the last attempt failed, its job says why"),
        "{}",
        found.reason
    );
}
