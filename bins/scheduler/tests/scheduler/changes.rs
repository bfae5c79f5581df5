//! Changed schedules: what was owed before the change, and what never was.

use dilux_core::model::{BackupPolicy, DayOfWeek, Tier, TierRule, TierSchedule};
use dilux_core::schedule::SlotOutcome;
use jiff::SignedDuration;

use crate::world::{World, at, own, slot, tiers, world_at};

const QUARTER: SignedDuration = SignedDuration::from_mins(15);

fn daily(schedule: TierSchedule) -> impl FnOnce(&mut BackupPolicy) {
    move |policy| {
        let keep = policy.rules[0].keep;
        policy.rules = vec![TierRule { schedule, keep }];
    }
}

fn daily_at(time: &str) -> impl FnOnce(&mut BackupPolicy) {
    daily(TierSchedule::Daily {
        at: time.parse().unwrap(),
    })
}

fn daily_as(expression: &str) -> impl FnOnce(&mut BackupPolicy) {
    daily(TierSchedule::Cron {
        tier: Tier::Daily,
        expression: expression.parse().unwrap(),
    })
}

/// A database with a backup of the slot 2026-03-04T02:00 and a daily tier; it is 02:30.
async fn backed_up_at_two() -> World {
    let world = world_at("2026-03-04T01:00:00Z").await;
    world.add_policy("changing", daily_at("02:00")).await;
    world.add("db-1", own("changing"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    world.live("2026-03-04T02:30:00Z", QUARTER, |_| true).await;
    assert_eq!(
        world.states("db-1").await[0].satisfied_slot,
        Some(at("2026-03-04T02:00:00Z"))
    );
    world
}

#[tokio::test]
async fn slots_of_a_new_schedule_from_before_the_change_are_not_recorded_as_missed() {
    let world = backed_up_at_two().await;
    world.live("2026-03-04T12:10:00Z", QUARTER, |_| true).await;
    world.change_policy("changing", daily_as("0 * * * *")).await;
    assert_eq!(world.tick().await.booked, 1, "12:00 was never served");
    let ran = world.work(|_| true).await;
    assert_eq!(slot(&ran[0]), at("2026-03-04T12:00:00Z"));
    assert_eq!(world.misses("db-1").await, []);
    let ran = world.live("2026-03-04T14:00:00Z", QUARTER, |_| true).await;
    assert_eq!(
        ran.iter().map(slot).collect::<Vec<_>>(),
        [at("2026-03-04T13:00:00Z"), at("2026-03-04T14:00:00Z")]
    );
}

#[tokio::test]
async fn a_new_schedule_owes_nothing_for_a_period_that_has_a_backup() {
    let world = backed_up_at_two().await;
    world.change_policy("changing", daily_at("02:15")).await;
    assert_eq!(world.tick().await.booked, 0);
    assert_eq!(world.misses("db-1").await, []);
    let state = world.states("db-1").await.remove(0);
    assert_eq!(state.last_slot, at("2026-03-04T02:15:00Z"));
    assert!(state.reason.contains("changed"), "{}", state.reason);
    let ran = world.live("2026-03-05T02:30:00Z", QUARTER, |_| true).await;
    assert_eq!(slot(&ran[0]), at("2026-03-05T02:15:00Z"));
}

#[tokio::test]
async fn an_edit_that_leaves_the_schedule_alone_hides_no_missed_slot() {
    let world = backed_up_at_two().await;
    world.clock.advance(SignedDuration::from_hours(72));
    let rename = |policy: &mut BackupPolicy| policy.name = "Renamed".parse().unwrap();
    world.change_policy("changing", rename).await;
    assert_eq!(world.tick().await.booked, 1);
    let misses = world.misses("db-1").await;
    assert_eq!(misses.len(), 1);
    assert_eq!(misses[0].slots.first, at("2026-03-05T02:00:00Z"));
    assert_eq!(misses[0].slots.count, 2);
}

#[tokio::test]
async fn a_slot_of_the_old_schedule_that_nobody_decided_is_recorded() {
    let world = backed_up_at_two().await;
    world.clock.advance(SignedDuration::from_hours(34));
    world.change_policy("changing", daily_at("12:15")).await;
    assert_eq!(world.tick().await.booked, 1);
    let ran = world.work(|_| true).await;
    assert_eq!(slot(&ran[0]), at("2026-03-05T12:15:00Z"));
    let misses = world.misses("db-1").await;
    assert_eq!(misses.len(), 1);
    assert_eq!(misses[0].slots.first, at("2026-03-05T02:00:00Z"));
    assert_eq!(misses[0].slots.count, 1);
}

#[tokio::test]
async fn a_tier_that_is_enabled_again_owes_nothing_for_the_time_between() {
    let world = backed_up_at_two().await;
    let weekly = TierSchedule::Weekly {
        day: DayOfWeek::new(0).unwrap(),
        at: "05:00".parse().unwrap(),
    };
    world.change_policy("changing", daily(weekly)).await;
    world.live("2026-03-07T12:00:00Z", QUARTER, |_| true).await;
    world.change_policy("changing", daily_at("02:00")).await;
    world.tick().await;
    let ran = world.work(|_| true).await;
    assert_eq!(tiers(&ran[0]), [Tier::Daily]);
    assert_eq!(slot(&ran[0]), at("2026-03-07T02:00:00Z"));
    assert_eq!(world.misses("db-1").await, []);
}

#[tokio::test]
async fn a_failed_slot_of_the_old_schedule_is_tried_again_under_the_new_one() {
    let world = backed_up_at_two().await;
    world.live("2026-03-05T03:00:00Z", QUARTER, |_| false).await;
    assert_eq!(world.states("db-1").await[0].outcome, SlotOutcome::Failed);
    world
        .change_policy("changing", daily_as("0 12 1 1 *"))
        .await;
    let ran = world.live("2026-03-05T04:00:00Z", QUARTER, |_| true).await;
    assert_eq!(
        ran.iter().map(slot).collect::<Vec<_>>(),
        [at("2026-03-05T02:00:00Z")]
    );
}
