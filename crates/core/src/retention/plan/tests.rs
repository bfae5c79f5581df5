use jiff::SignedDuration;

use super::*;
use crate::model::KeepCount;

const NOW: &str = "2026-03-01T02:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// A backup called `name`, taken so many days ago.
fn backup(name: &str, days_ago: i64, tiers: &[Tier]) -> Candidate {
    Candidate {
        id: name.parse().unwrap(),
        taken_at: now() - SignedDuration::from_hours(24 * days_ago),
        tiers: tiers.to_vec(),
        slot: None,
        soundness: Soundness::Unverified,
        is_pinned: false,
        is_held: false,
    }
}

fn rules(tiers: &[(Tier, i64)]) -> Rules {
    let keeps = tiers.iter().map(|(tier, keep)| TierKeep {
        tier: *tier,
        keep: KeepCount::new(*keep).unwrap(),
    });
    Rules {
        standing: Standing::Registered(keeps.collect()),
        outside_days: 30,
        minimum: 1,
    }
}

fn expired(candidates: &[Candidate], rules: &Rules) -> Vec<String> {
    let plan = plan(candidates, rules, now());
    assert_eq!(plan.decisions.len(), candidates.len());
    plan.expired()
        .map(|(decision, _)| decision.id.to_string())
        .collect()
}

fn sentences(candidates: &[Candidate], rules: &Rules, name: &str) -> Vec<String> {
    let plan = plan(candidates, rules, now());
    let decision = plan.decisions.iter().find(|one| one.id.as_str() == name);
    match &decision.unwrap().verdict {
        Verdict::Keep(reasons) => reasons.iter().map(ToString::to_string).collect(),
        Verdict::Expire(reason) => vec![reason.to_string()],
    }
}

#[test]
fn of_two_backups_of_one_slot_a_tier_counts_the_newer_one_only() {
    let of_slot = |name, days_ago, slot: i64, tiers: &[Tier]| Candidate {
        slot: Some(now() - SignedDuration::from_hours(24 * slot)),
        ..backup(name, days_ago, tiers)
    };
    let rules = rules(&[(Tier::Daily, 2), (Tier::Weekly, 1)]);
    let mut history = [
        of_slot("retry", 1, 2, &[Tier::Daily]),
        of_slot("late", 2, 2, &[Tier::Daily]),
        of_slot("before", 3, 3, &[Tier::Daily]),
        of_slot("old", 4, 4, &[Tier::Daily]),
    ];
    assert_eq!(expired(&history, &rules), ["late", "old"]);
    let told = sentences(&history, &rules, "late");
    assert_eq!(
        told,
        ["a newer backup of the same slot (2026-02-27T02:00:00Z) is kept"]
    );
    // It is wanted where nothing else serves the slot.
    history[1].tiers.push(Tier::Weekly);
    assert_eq!(expired(&history, &rules), ["old"]);
    history[1].tiers.pop();
    history[0].soundness = Soundness::Unsound;
    assert_eq!(expired(&history, &rules), ["old"]);
}

#[test]
fn weekly_backup_survives_when_daily_expires() {
    let history = [
        backup("a", 1, &[Tier::Daily]),
        backup("b", 2, &[Tier::Daily]),
        backup("c", 3, &[Tier::Daily, Tier::Weekly]),
        backup("d", 4, &[Tier::Daily]),
    ];
    let rules = rules(&[(Tier::Daily, 2), (Tier::Weekly, 1)]);
    assert_eq!(expired(&history, &rules), ["d"]);
    assert_eq!(
        sentences(&history, &rules, "c"),
        ["it is number 1 of 1 kept weekly backups"]
    );
    assert_eq!(
        sentences(&history, &rules, "d"),
        ["2 newer daily backups are kept"]
    );
}

#[test]
fn manual_backup_takes_no_place_of_a_tier_and_goes_by_age() {
    let history = [
        backup("young", 29, &[]),
        backup("old", 31, &[]),
        backup("daily", 40, &[Tier::Daily]),
    ];
    let rules = rules(&[(Tier::Daily, 1)]);
    assert_eq!(expired(&history, &rules), ["old"]);
    assert_eq!(
        sentences(&history, &rules, "young"),
        [
            "it was made by hand and is kept until 2026-03-02T02:00:00Z",
            "it is the newest backup of its database, of which none is verified"
        ]
    );
}

#[test]
fn backup_of_disabled_tiers_goes_by_age() {
    let history = [
        backup("daily", 1, &[Tier::Daily]),
        backup("young", 10, &[Tier::Hourly]),
        backup("old", 31, &[Tier::Hourly, Tier::Yearly]),
        backup("both", 35, &[Tier::Hourly, Tier::Daily]),
    ];
    let rules = rules(&[(Tier::Daily, 2)]);
    assert_eq!(expired(&history, &rules), ["old"]);
    assert_eq!(
        sentences(&history, &rules, "old"),
        ["its tiers are disabled in the policy, and it is older than 30 days"]
    );
}

#[test]
fn unsound_backup_takes_no_place_and_stays() {
    let mut gone = backup("gone", 1, &[Tier::Daily]);
    gone.soundness = Soundness::Unsound;
    let history = [
        gone,
        backup("good", 2, &[Tier::Daily]),
        backup("spare", 3, &[Tier::Daily]),
    ];
    assert_eq!(expired(&history, &rules(&[(Tier::Daily, 1)])), ["spare"]);
}

#[test]
fn newest_verified_backup_stays_beside_newer_ones_that_nobody_read() {
    let mut verified = backup("verified", 9, &[Tier::Daily]);
    verified.soundness = Soundness::Verified;
    let history = [
        backup("a", 1, &[Tier::Daily]),
        verified,
        backup("b", 10, &[Tier::Daily]),
    ];
    let rules = rules(&[(Tier::Daily, 1)]);
    assert_eq!(expired(&history, &rules), ["b"]);
    assert_eq!(
        sentences(&history, &rules, "verified"),
        ["it is the newest verified backup of its database"]
    );
}

#[test]
fn pins_and_holds_keep_and_take_no_place() {
    let mut pinned = backup("pinned", 1, &[Tier::Daily]);
    pinned.is_pinned = true;
    let mut held = backup("held", 300, &[]);
    held.is_held = true;
    let history = [
        pinned,
        backup("a", 2, &[Tier::Daily]),
        backup("b", 3, &[Tier::Daily]),
        held,
    ];
    assert_eq!(expired(&history, &rules(&[(Tier::Daily, 1)])), ["b"]);
}

#[test]
fn minimum_redundancy_outweighs_the_policy() {
    let history = [
        backup("a", 1, &[Tier::Daily]),
        backup("b", 2, &[Tier::Daily]),
        backup("c", 3, &[Tier::Daily]),
    ];
    let mut rules = rules(&[(Tier::Daily, 1)]);
    rules.minimum = 2;
    assert_eq!(expired(&history, &rules), ["c"]);
    assert_eq!(
        sentences(&history, &rules, "b"),
        ["at least 2 sound backups of a database remain"]
    );
}

#[test]
fn empty_policy_expires_by_age_and_leaves_the_last_good_one() {
    let history = [
        backup("newest", 100, &[Tier::Daily]),
        backup("older", 101, &[Tier::Daily]),
    ];
    assert_eq!(expired(&history, &rules(&[])), ["older"]);
}

#[test]
fn unregistered_database_keeps_everything_for_the_grace_and_one_backup_after_it() {
    let history = [
        backup("newest", 100, &[Tier::Daily]),
        backup("yearly", 500, &[Tier::Yearly]),
    ];
    let mut rules = rules(&[]);
    rules.standing = Standing::Unregistered {
        grace_until: now() + SignedDuration::from_hours(1),
    };
    assert!(expired(&history, &rules).is_empty());
    rules.standing = Standing::Unregistered { grace_until: now() };
    assert_eq!(expired(&history, &rules), ["yearly"]);
}

#[test]
fn database_without_any_sound_backup_loses_nothing() {
    let mut only = backup("only", 900, &[Tier::Daily]);
    only.soundness = Soundness::Unsound;
    assert!(expired(&[only], &rules(&[])).is_empty());
    assert!(expired(&[], &rules(&[])).is_empty());
}
