//! Schedules of databases and previews of policies.

use std::collections::BTreeSet;

use dilux_core::model::{BackupPolicy, Tier, Timing};
use dilux_core::repository::ScheduleState;
use dilux_core::schedule::{MissedSlots, TierState};
use jiff::Timestamp;
use serde_json::json;

use crate::seeds::{database, engine};
use crate::world::World;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Adds a policy that follows the clocks of Madrid.
async fn madrid(world: &World) {
    let policies = &world.installation.repositories.policies;
    let development = policies.get(&"development".parse().unwrap()).await;
    let policy = BackupPolicy {
        id: "madrid".parse().unwrap(),
        timing: Timing::in_zone("Europe/Madrid".parse().unwrap()),
        ..development.unwrap().unwrap().value
    };
    policies.insert(policy).await.unwrap();
}

#[tokio::test]
async fn a_preview_shows_the_next_ten_runs_in_the_zone_and_in_utc() {
    let world = World::new().await;
    madrid(&world).await;
    let preview = world
        .get("/api/backup-policies/madrid/preview")
        .await
        .expect(200);
    assert_eq!(preview["time_zone"], json!("Europe/Madrid"));
    let runs = preview["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 10);
    assert_eq!(
        runs[0],
        json!({
            "utc": "2026-02-01T01:00:00Z",
            "local": "2026-02-01T02:00:00+01:00[Europe/Madrid]",
            "tiers": ["daily"],
        })
    );
    assert_eq!(runs[1]["tiers"], json!(["weekly"]));
    let missing = "/api/backup-policies/none/preview";
    world.get(missing).await.expect(404);
}

#[tokio::test]
async fn a_schedule_shows_next_slots_last_results_and_missed_slots_with_reasons() {
    let world = World::new().await;
    madrid(&world).await;
    let engine = engine(&world, "mysql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let path = format!("/api/databases/{shop}");
    let policy = json!({"policy_id": "madrid"});
    world.put(&path, &policy).await.expect(200);
    let id = shop.parse().unwrap();
    let schedule = &world.installation.repositories.schedule;
    let slot = at("2026-01-31T01:00:00Z");
    let state = ScheduleState {
        database_id: shop.parse().unwrap(),
        state: TierState::satisfied(Tier::Daily, slot, slot),
    };
    schedule.put(&state).await.unwrap();
    let missed = MissedSlots {
        tier: Tier::Daily,
        first: at("2026-01-29T01:00:00Z"),
        last: at("2026-01-30T01:00:00Z"),
        count: 2,
        reason: "no scheduler looked in time".to_owned(),
    };
    schedule.record_misses(&id, &[missed], slot).await.unwrap();
    let shown = world.get(&format!("{path}/schedule")).await.expect(200);
    assert_eq!(shown["policy_id"], json!("madrid"));
    assert_eq!(shown["next_runs"][0]["utc"], json!("2026-02-01T01:00:00Z"));
    let tiers = shown["tiers"].as_array().unwrap();
    let names: BTreeSet<&str> = tiers
        .iter()
        .filter_map(|tier| tier["tier"].as_str())
        .collect();
    assert_eq!(names.len(), 5);
    let daily = &tiers[1];
    assert_eq!(daily["enabled"], json!(true));
    assert_eq!(daily["next"].as_array().unwrap().len(), 3);
    assert_eq!(daily["last_satisfied_slot"]["utc"], json!(slot.to_string()));
    assert_eq!(shown["missed"][0]["count"], json!(2));
    assert_eq!(
        shown["missed"][0]["reason"],
        json!("no scheduler looked in time")
    );
    let off = json!({"enabled": false});
    world.put(&path, &off).await.expect(200);
    let shown = world.get(&format!("{path}/schedule")).await.expect(200);
    assert_eq!(
        shown["next_runs"],
        json!([]),
        "a disabled database owes nothing"
    );
    world.get("/api/databases/none/schedule").await.expect(404);
}
