use std::collections::BTreeMap;

use super::*;
use crate::model::{
    BackupPolicy, Blackout, Compression, CredentialSource, DatabaseId, PolicySource, PolicyZone,
    RecoveryPoint, RpoMinutes, Tier, TierRule, TierSchedule, Timing,
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
        let found = rpo(
            &database(true, None),
            Some(Promise::of(policy)),
            Some(&state),
            at(now),
        );
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
    let look = |now| {
        rpo(
            &database(true, None),
            Some(Promise::of(&hourly)),
            None,
            at(now),
        )
    };
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
    let disabled = rpo(
        &database(false, None),
        Some(Promise::of(&hourly)),
        None,
        now,
    );
    let without = rpo(&database(true, None), None, None, now);
    let mut empty = hourly;
    empty.rules.clear();
    let empty = rpo(&database(true, None), Some(Promise::of(&empty)), None, now);
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
    let found = rpo(
        &database(true, None),
        Some(Promise::of(&hourly)),
        Some(&state),
        now,
    );
    assert!(
        found
            .reason
            .ends_with("the last attempt failed, its job says why"),
        "{}",
        found.reason
    );
}

fn with_cron(tier: Tier, expression: &str) -> BackupPolicy {
    let (_, mut policy) = policies();
    let keep = policy.rules[0].keep;
    let expression = expression.parse().unwrap();
    let schedule = TierSchedule::Cron { tier, expression };
    policy.rules = vec![TierRule { schedule, keep }];
    policy
}

fn gap_in_hours(policy: &BackupPolicy) -> i64 {
    Promise::of(policy).longest_gap().unwrap().as_hours()
}

#[test]
fn the_longest_time_between_two_slots_counts_and_not_the_name_of_the_tier() {
    for (tier, expression, hours) in [
        (Tier::Weekly, "0 2 * * 1,4", 4 * 24),
        (Tier::Hourly, "0 6,18 * * *", 12),
        (Tier::Hourly, "*/30 * * * *", 0),
        (Tier::Daily, "0 2 * * 1-5", 3 * 24),
        (Tier::Daily, "0 2 * 1-6 *", 185 * 24),
        (Tier::Yearly, "0 2 29 2 *", 1461 * 24),
    ] {
        let policy = with_cron(tier, expression);
        assert_eq!(gap_in_hours(&policy), hours, "{expression}");
    }
    // Two tiers together are closer than either.
    let mut both = with_cron(Tier::Daily, "0 2 * * 1-5");
    both.rules
        .extend(with_cron(Tier::Weekly, "0 2 * * 7").rules);
    assert_eq!(gap_in_hours(&both), 2 * 24);
}

#[test]
fn blackouts_are_part_of_the_promise_and_changes_of_the_clock_are_not() {
    let (mut hourly, _) = policies();
    let night = Blackout::new(
        Vec::new(),
        "22:00".parse().unwrap(),
        "06:00".parse().unwrap(),
    );
    let zone: PolicyZone = "Europe/Berlin".parse().unwrap();
    hourly
        .rules
        .retain(|rule| rule.schedule.tier() == Tier::Hourly);
    hourly.timing = Timing::in_zone(zone.clone());
    assert_eq!(gap_in_hours(&hourly), 1);
    hourly.timing = Timing::in_zone(zone).with_blackouts(vec![night]).unwrap();
    // From 21:00 to 6:00.
    assert_eq!(gap_in_hours(&hourly), 9);
}

#[test]
fn a_cron_expression_gives_the_objective() {
    let twice_a_week = with_cron(Tier::Weekly, "0 2 * * 1,4");
    let monday = backed_up("2026-03-02T02:00:00Z");
    let state_at = |now: &str| {
        let promise = Some(Promise::of(&twice_a_week));
        rpo(&database(true, None), promise, Some(&monday), at(now)).state
    };
    assert_eq!(state_at("2026-03-06T01:59:59Z"), RpoState::Met);
    assert_eq!(state_at("2026-03-07T02:00:00Z"), RpoState::Breached);
    let twice_a_day = Some(Promise::of(&with_cron(Tier::Hourly, "0 6,18 * * *")));
    let state = backed_up("2026-03-02T06:00:00Z");
    let noon = at("2026-03-02T12:00:00Z");
    let found = rpo(&database(true, None), twice_a_day, Some(&state), noon);
    assert_eq!(found.state, RpoState::Met);
}
