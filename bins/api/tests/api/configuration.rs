//! The configuration as a document: exported, looked at, imported, and imported again.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::seeds::id;
use crate::server::PASSWORD;
use crate::world::World;

const EXPORT: &str = "/api/configuration/export";
pub(crate) const IMPORT: &str = "/api/configuration/import";
pub(crate) const DRY_RUN: &str = "/api/configuration/import?dry_run=true";

pub(crate) async fn export(world: &World) -> Value {
    world.get(EXPORT).await.expect(200)
}

async fn import(world: &World, document: &Value) -> Value {
    world.post(IMPORT, document).await.expect(200)
}

/// What becomes of the entries that are not as they shall be: kind, label, action.
fn changed(answer: &Value) -> BTreeSet<[&str; 3]> {
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| ["kind", "name", "action"].map(|name| item[name].as_str().unwrap()))
        .filter(|[_, _, action]| *action != "unchanged")
        .collect()
}

const NOTHING: BTreeSet<[&str; 3]> = BTreeSet::new();

/// Everything that a document can hold. Gives the engine with a password and the database on it.
pub(crate) async fn furnish(world: &World) -> (String, String) {
    let settings = json!({
        "default_retention_days": 90, "default_compression_method": "zstd", "dark_mode": true,
    });
    world.put("/api/settings", &settings).await.expect(200);
    let policy = json!({
        "name": "Nightly Archive", "description": "Long term",
        "time_zone": "Europe/Madrid", "jitter_minutes": 10, "catch_up_hours": 6,
        "daily": {"enabled": true, "keep_count": 30, "time": "01:30"},
        "weekly": {"enabled": true, "keep_count": 5, "cron": "30 2 * * MON-FRI"},
        "blackouts": [{"days": [1, 2], "from": "08:00", "until": "18:00"}],
    });
    world
        .post("/api/backup-policies", &policy)
        .await
        .expect(201);
    let renamed = json!({ "name": "Archive" });
    let path = "/api/backup-policies/nightly-archive";
    world.put(path, &renamed).await.expect(200);
    let standard = json!({ "hourly": {"enabled": false} });
    let path = "/api/backup-policies/production-standard";
    world.put(path, &standard).await.expect(200);
    let engine = json!({
        "name": "Orders", "engine_type": "postgresql", "host": "pg", "port": 5433,
        "auth_method": "user_password", "username": "backup", "password": PASSWORD,
        "policy_id": "nightly-archive", "max_jobs": 3,
    });
    let engine = id(&world.post("/api/engines", &engine).await.expect(201)["engine"]);
    let bare = json!({ "name": "Bare", "engine_type": "mysql", "host": "my" });
    world.post("/api/engines", &bare).await.expect(201);
    let inheriting = json!({
        "engine_id": engine, "name": "Shop", "database_name": "shop",
        "use_engine_credentials": true, "use_engine_policy": true, "rpo_minutes": 90,
        "backup_destination": "archive", "tags": {"team": "sales", "ä": "ö"},
    });
    let database = world.post("/api/databases", &inheriting).await.expect(201);
    let own = json!({
        "engine_id": engine, "name": "Staff", "database_name": "staff", "enabled": false,
        "username": "staff", "password": PASSWORD, "compression": "none",
        "policy_id": "development",
    });
    world.post("/api/databases", &own).await.expect(201);
    (engine, id(&database["database"]))
}

#[tokio::test]
async fn an_export_imported_elsewhere_is_the_same_export_and_imported_again_changes_nothing() {
    let old = World::new().await;
    furnish(&old).await;
    let document = export(&old).await;
    assert_eq!(document["damaged"], json!([]));
    for (list, count) in [("policies", 4), ("engines", 2), ("databases", 2)] {
        assert_eq!(document[list].as_array().unwrap().len(), count, "{list}");
    }
    let new = World::new().await;
    assert_ne!(export(&new).await, document);
    let first = import(&new, &document).await;
    assert_eq!(first["dry_run"], false);
    assert_eq!(
        changed(&first),
        BTreeSet::from([
            ["settings", "Settings", "update"],
            ["policy", "Archive", "create"],
            ["policy", "Production Standard", "update"],
            ["engine", "Bare", "create"],
            ["engine", "Orders", "create"],
            ["database", "Shop", "create"],
            ["database", "Staff", "create"],
        ])
    );
    assert_eq!(export(&new).await, document);
    let again = import(&new, &document).await;
    assert_eq!(changed(&again), NOTHING);
    assert_eq!(
        (&again["created"], &again["updated"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(export(&new).await, document);
    // Where it came from it changes nothing either, and no password is lost.
    assert_eq!(changed(&import(&old, &document).await), NOTHING);
    assert_eq!((old.passwords().await, new.passwords().await), (2, 0));
}

#[tokio::test]
async fn what_was_imported_asks_for_its_passwords_and_then_works() {
    let old = World::new().await;
    let (engine, database) = furnish(&old).await;
    let document = export(&old).await;
    let text = document.to_string();
    for hidden in [PASSWORD, "secret", "has_password"] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    let new = World::new().await;
    let imported = import(&new, &document).await;
    let items = imported["items"].as_array().unwrap();
    let asking = items.iter().filter(|item| item["needs_password"] == true);
    let asking: Vec<&str> = asking.map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(asking.len(), 4, "{asking:?}");
    let path = format!("/api/engines/{engine}");
    let shown = new.get(&path).await.expect(200);
    assert_eq!(shown["has_password"], false);
    assert_eq!(shown["username"], "backup");
    let backup = format!("/api/databases/{database}/backup");
    let refused = new.post(&backup, &json!({})).await.expect(400);
    assert!(
        refused["error"].as_str().unwrap().contains("password"),
        "{refused}"
    );
    new.put(&path, &json!({ "password": PASSWORD }))
        .await
        .expect(200);
    new.post(&backup, &json!({})).await.expect(202);
    let again = import(&new, &document).await;
    assert_eq!(changed(&again), NOTHING);
    assert_eq!(new.passwords().await, 1, "an import takes no password away");
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_done_and_changes_nothing() {
    let world = World::new().await;
    let (engine, _) = furnish(&world).await;
    let before = export(&world).await;
    let mut document = before.clone();
    document["settings"]["default_retention_days"] = json!(7);
    for database in document["databases"].as_array_mut().unwrap() {
        database["tags"] = json!({ "team": "other" });
        database["backup_destination"] = Value::Null;
    }
    for entry in document["engines"].as_array_mut().unwrap() {
        if entry["id"] == json!(engine) {
            entry["max_jobs"] = Value::Null;
            entry["name"] = json!("Renamed");
        }
    }
    let told = world.post(DRY_RUN, &document).await.expect(200);
    assert_eq!(told["dry_run"], true);
    assert_eq!(
        (&told["updated"], &told["conflicts"]),
        (&json!(4), &json!(0))
    );
    let fields = |name: &str| {
        let mut items = told["items"].as_array().unwrap().iter();
        items.find(|item| item["name"] == name).unwrap()["fields"].clone()
    };
    assert_eq!(fields("Settings"), json!(["default_retention_days"]));
    assert_eq!(fields("Renamed"), json!(["name", "max_jobs"]));
    assert_eq!(fields("Shop"), json!(["backup_destination", "tags"]));
    assert_eq!(fields("Staff"), json!(["tags"]));
    assert_eq!(export(&world).await, before);
    import(&world, &document).await;
    assert_eq!(export(&world).await, document);
}

#[tokio::test]
async fn things_of_other_ids_are_found_by_their_names() {
    let old = World::new().await;
    furnish(&old).await;
    let document = export(&old).await;
    let new = World::new().await;
    // Ids are made alike in every world; not in this one.
    new.installation.random.fill(&mut [0; 8]);
    let (engine, database) = furnish(&new).await;
    let before = export(&new).await;
    let told = import(&new, &document).await;
    assert_eq!(changed(&told), NOTHING, "{told}");
    assert_eq!(export(&new).await, before);
    let ids = told["items"].to_string();
    assert!(ids.contains(&engine) && ids.contains(&database), "{ids}");
    assert!(!document.to_string().contains(&engine), "the ids differ");
}

#[tokio::test]
async fn an_import_that_broke_off_is_finished_by_the_next_one_and_audited_entry_by_entry() {
    let old = World::new().await;
    furnish(&old).await;
    let document = export(&old).await;
    let new = World::new().await;
    new.faults.break_partition("databaseconfigs", "database");
    let broken = new.post(IMPORT, &document).await;
    assert_eq!(broken.status, 503);
    new.faults.mend();
    new.clock.advance(SignedDuration::from_secs(1));
    let half = export(&new).await;
    assert_eq!(half["engines"], document["engines"], "engines come first");
    assert_eq!(half["databases"], json!([]));
    let rest = import(&new, &document).await;
    assert_eq!(rest["created"], json!(2), "{rest}");
    assert_eq!(export(&new).await, document);
    let intents = new.get("/api/audit?action=configuration_imported").await;
    let intents = intents.expect(200);
    assert_eq!(intents["total"], json!(2));
    let newest = &intents["logs"][0]["details"];
    assert_eq!(newest["event"], "begun");
    assert_eq!(newest["items"].as_array().unwrap().len(), 2);
    let results = new
        .get("/api/audit?action=database_created")
        .await
        .expect(200);
    let results = results["logs"].as_array().unwrap().clone();
    assert!(
        results
            .iter()
            .all(|entry| entry["details"]["import"] == true)
    );
    let failed = results.iter().filter(|entry| entry["status"] == "failed");
    assert_eq!((results.len(), failed.count()), (3, 1));
}

#[tokio::test]
async fn a_document_may_be_longer_than_other_bodies() {
    let world = World::new().await;
    let mut document = export(&world).await;
    document["remark"] = json!("x".repeat(2 * 1024 * 1024));
    let told = world.post(DRY_RUN, &document).await.expect(200);
    assert_eq!(changed(&told), NOTHING);
    document["remark"] = json!("x".repeat(16 * 1024 * 1024));
    world.post(DRY_RUN, &document).await.expect(413);
}

#[tokio::test]
async fn a_dry_run_needs_no_writes() {
    let world = World::new().await;
    furnish(&world).await;
    let document = export(&world).await;
    world.faults.break_partition("databaseconfigs", "engine");
    world.faults.secrets_are_down.store(true, Ordering::SeqCst);
    let told = world.post(DRY_RUN, &document).await.expect(200);
    assert_eq!(changed(&told), NOTHING);
}
