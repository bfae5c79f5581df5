//! What the audit log says of slots that nobody serves.

use dilux_core::model::{AuditAction, AuditEntry, AuditResourceType};
use dilux_core::repository::AuditFilter;
use jiff::SignedDuration;

use crate::world::{World, id, own, world};

impl World {
    /// The entries about missed slots, newest first.
    async fn missed_in_audit(&self) -> Vec<AuditEntry> {
        let mut found = Vec::new();
        let audit = &self.installation.repositories.audit;
        let every = AuditFilter::default();
        let damaged = audit.walk(None, &every, |entry, _| {
            found.push(entry);
            true
        });
        assert_eq!(damaged.await.unwrap(), []);
        found.retain(|entry| entry.action == AuditAction::BackupMissed);
        found
    }
}

/// A database of which two days were missed.
async fn after_an_outage() -> World {
    let world = world().await;
    world.add("db-1", own("production-critical"), true).await;
    world.tick().await;
    world.work(|_| true).await;
    world.clock.advance(SignedDuration::from_hours(48));
    world.tick().await;
    world
}

#[tokio::test]
async fn each_record_of_missed_slots_has_one_entry_in_the_audit_log() {
    let world = after_an_outage().await;
    let misses = world.misses("db-1").await;
    assert_eq!(misses.len(), 2, "hourly and daily: {misses:#?}");
    let entries = world.missed_in_audit().await;
    assert_eq!(entries.len(), 2);
    for miss in misses {
        let tier = miss.slots.tier.as_str();
        let mut of_tier = entries.iter().filter(|entry| entry.details["tier"] == tier);
        let entry = of_tier.next().unwrap();
        assert_eq!(entry.user_email, "scheduler");
        assert_eq!(entry.resource_type, AuditResourceType::Database);
        assert_eq!(entry.resource_id, "db-1");
        assert_eq!(entry.at, miss.decided_at);
        assert_eq!(entry.error_message.as_ref(), Some(&miss.slots.reason));
        assert_eq!(entry.details["count"], miss.slots.count);
        assert_eq!(entry.details["last_slot"], miss.slots.last.to_string());
    }
}

#[tokio::test]
async fn a_tick_that_repeats_what_another_one_had_recorded_writes_no_second_entry() {
    let world = after_an_outage().await;
    let before = world.missed_in_audit().await;
    // As if the scheduler had died before it could note that all is recorded.
    let schedule = &world.installation.repositories.schedule;
    let known = schedule.of(&id("db-1")).await.unwrap();
    let misses = world.misses("db-1").await;
    let mut states = world.states("db-1").await;
    for state in &mut states {
        let mine = misses.iter().filter(|miss| miss.slots.tier == state.tier);
        state.unrecorded = mine.map(|miss| miss.slots.clone()).collect();
    }
    assert!(schedule.write(&id("db-1"), &states, &known).await.unwrap());
    world.clock.advance(SignedDuration::from_mins(1));
    world.tick().await;
    assert!(
        world
            .states("db-1")
            .await
            .iter()
            .all(|state| state.unrecorded.is_empty())
    );
    assert_eq!(world.misses("db-1").await, misses);
    assert_eq!(world.missed_in_audit().await, before);
}
