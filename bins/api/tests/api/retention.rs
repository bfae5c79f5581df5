//! Dry runs of retention, pins, holds, deletions taken back, and what readers block.

use std::collections::BTreeMap;

use dilux_core::expiry::Expiry;
use dilux_core::model::BackupId;
use dilux_core::timer::{Timer, TimerOutcome, TimerRun, TimerState};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::backups::Shop;

/// Backups outside every tier, taken so many days ago.
async fn planted(shop: &Shop, days_ago: &[i64]) -> Vec<BackupId> {
    let mut ids = Vec::new();
    for days in days_ago {
        let mut seed = shop.seed();
        seed.at -= SignedDuration::from_hours(24 * days);
        ids.push(seed.plant(&shop.world).await);
    }
    ids
}

async fn dry_run(shop: &Shop, body: &Value) -> Value {
    let answer = shop.world.post("/api/retention/dry-run", body).await;
    answer.expect(200)
}

async fn expire(shop: &Shop) -> u64 {
    let expiry = Expiry::new(shop.world.installation.clone());
    expiry.run().await.unwrap().deleted
}

fn pass_days(shop: &Shop, days: i64) {
    let time = SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(1);
    shop.world.clock.advance(time);
}

#[tokio::test]
async fn a_dry_run_says_what_would_go_and_why_and_changes_nothing() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[1, 2, 40, 50]).await;
    for body in [
        json!({}),
        json!({"policy_id": "production-standard"}),
        json!({"database_id": shop.database}),
    ] {
        let answer = dry_run(&shop, &body).await;
        assert_eq!(
            (&answer["keep_count"], &answer["expire_count"]),
            (&json!(2), &json!(2))
        );
        assert!(answer["expire_bytes"].as_u64().unwrap() > 0);
        let database = &answer["databases"][0];
        assert_eq!(database["database_id"], json!(shop.database));
        assert_eq!(database["policy_id"], json!("production-standard"));
        let lines = database["backups"].as_array().unwrap();
        let is_one = body.get("database_id").is_some();
        assert_eq!(lines.len(), if is_one { 4 } else { 2 });
        let last = lines.last().unwrap();
        assert_eq!(last["backup_id"], json!(ids[3].as_str()));
        assert_eq!(last["verdict"], json!("expire"));
        assert_eq!(last["reasons"][0]["code"], json!("manual_too_old"));
        assert_eq!(last["fate"], json!("kept"));
    }
    let shown = shop.world.get(&format!("/api/backups/{}", ids[3])).await;
    assert_eq!(
        shown.expect(200)["backup"]["retention"]["deletes_after"],
        json!(null)
    );
}

#[tokio::test]
async fn a_proposed_policy_is_tried_before_it_is_saved() {
    let shop = Shop::new().await;
    planted(&shop, &[1]).await;
    let shorter = json!({"policy": {"name": "whatever", "daily": {"enabled": true, "keep_count": 1, "time": "02:00"}, "weekly": {"enabled": false, "keep_count": 0}}});
    assert_eq!(dry_run(&shop, &shorter).await["keep_count"], json!(1));
    assert_eq!(
        dry_run(&shop, &json!({"policy": {}})).await["expire_count"],
        json!(0)
    );
    for (body, field) in [
        (
            json!({"policy": {"daily": {"enabled": true, "keep_count": 0}}}),
            "policy.daily.keep_count",
        ),
        (
            json!({"policy": {"daily": {"enabled": true}}}),
            "policy.daily.keep_count",
        ),
        (json!({"policy": []}), "policy"),
        (json!({"database_id": "a/b"}), "database_id"),
        (json!({"database_id": "a", "policy_id": "b"}), "policy_id"),
    ] {
        let refused = shop.world.post("/api/retention/dry-run", &body).await;
        assert_eq!(refused.refused_fields(), [field]);
    }
    let unknown = json!({"policy_id": "no-such-policy"});
    let answer = shop.world.post("/api/retention/dry-run", &unknown).await;
    answer.expect(404);
}

#[tokio::test]
async fn pins_and_holds_are_set_shown_and_taken_off() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[1, 2, 40]).await;
    let path = format!("/api/backups/{}", ids[2]);
    for (kind, field) in [("pin", "pinned"), ("hold", "held")] {
        let wish = json!({"note": "before the migration"});
        let set = shop.world.post(&format!("{path}/{kind}"), &wish).await;
        assert_eq!(set.expect(200)["backup"]["retention"][field], json!(true));
        let body = json!({"database_id": shop.database});
        let answer = dry_run(&shop, &body).await;
        let line = &answer["databases"][0]["backups"][2];
        assert_eq!(line["reasons"][0]["code"], json!(field));
        let off = shop.world.delete(&format!("{path}/{kind}")).await;
        assert_eq!(off.expect(200)["backup"]["retention"][field], json!(false));
    }
    let long = json!({"note": "x".repeat(1001)});
    let refused = shop.world.post(&format!("{path}/pin"), &long).await;
    assert_eq!(refused.refused_fields(), ["note"]);
    let nobody = shop
        .world
        .post("/api/backups/no-such/pin", &json!({}))
        .await;
    nobody.expect(404);
}

#[tokio::test]
async fn an_announced_deletion_is_taken_back_until_it_is_carried_out() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[1, 2, 40, 50]).await;
    assert_eq!(expire(&shop).await, 0);
    let path = format!("/api/backups/{}", ids[2]);
    let shown = shop.world.get(&path).await.expect(200);
    assert_eq!(shown["backup"]["status"], json!("completed"));
    assert_eq!(
        shown["backup"]["retention"]["reason"],
        json!("manual_too_old")
    );
    let data = shop.world.get(&format!("{path}/data")).await;
    assert_eq!(data.status, 200, "it can still be had");
    let kept = shop
        .world
        .post(&format!("{path}/undelete"), &json!({}))
        .await;
    assert_eq!(
        kept.expect(200)["backup"]["retention"]["pinned"],
        json!(true)
    );
    pass_days(&shop, 7);
    assert_eq!(expire(&shop).await, 1);
    let data = shop.world.get(&format!("{path}/data")).await;
    assert_eq!(data.status, 200);

    let gone = format!("/api/backups/{}", ids[3]);
    let shown = shop.world.get(&gone).await.expect(200);
    assert_eq!(shown["backup"]["status"], json!("deleted"));
    assert_eq!(shown["backup"]["blob_url"], json!(null));
    assert_eq!(shown["manifest"], json!(null));
    for late in ["undelete", "pin", "hold", "restore"] {
        let refused = shop.world.post(&format!("{gone}/{late}"), &json!({})).await;
        refused.expect(400);
    }
    shop.world.get(&format!("{gone}/data")).await.expect(400);
    let listed = shop
        .world
        .get("/api/backups?status=deleted")
        .await
        .expect(200);
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_link_and_a_restore_keep_what_they_read_from_being_deleted() {
    let shop = Shop::new().await;
    let ids = planted(&shop, &[1, 2, 40, 50]).await;
    expire(&shop).await;
    pass_days(&shop, 7);
    let link = format!("/api/backups/{}/download", ids[2]);
    shop.world.get(&link).await.expect(200);
    let restore = format!("/api/backups/{}/restore", ids[3]);
    shop.world.post(&restore, &json!({})).await.expect(202);
    assert_eq!(expire(&shop).await, 0);
    pass_days(&shop, 1);
    assert_eq!(expire(&shop).await, 1, "the link is no longer valid");
}

#[tokio::test]
async fn the_runs_of_retention_are_listed_newest_first_with_what_they_did() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let none = world.get("/api/retention/runs").await.expect(200);
    assert_eq!(
        none,
        json!({ "runs": [], "count": 0, "next_at": null, "running_since": null })
    );
    let mut state = TimerState::unknown(Timer::Retention);
    for (day, deleted) in [(1, 7), (2, 0)] {
        let slot = format!("2026-01-3{}T02:00:00Z", day - 1).parse().unwrap();
        let run = TimerRun {
            slot,
            started_at: slot,
            ended_at: slot + SignedDuration::from_secs(30),
            outcome: TimerOutcome::Done,
            message: format!("{deleted} are deleted"),
            counts: BTreeMap::from([("deleted".to_owned(), deleted)]),
        };
        let next = "2026-02-01T02:00:00Z".parse().unwrap();
        state = state
            .claimed(slot, "me", slot)
            .ended("me", run, next)
            .unwrap();
    }
    let timers = &world.installation.repositories.timers;
    timers.insert(state).await.unwrap();
    let listed = world.get("/api/retention/runs").await.expect(200);
    assert_eq!(listed["count"], 2);
    assert_eq!(listed["next_at"], "2026-02-01T02:00:00Z");
    let newest = json!({
        "due_at": "2026-01-31T02:00:00Z",
        "started_at": "2026-01-31T02:00:00Z",
        "ended_at": "2026-01-31T02:00:30Z",
        "outcome": "done",
        "message": "0 are deleted",
        "counts": { "deleted": 0 },
    });
    assert_eq!(listed["runs"][0], newest);
    assert_eq!(listed["runs"][1]["counts"], json!({ "deleted": 7 }));
}
