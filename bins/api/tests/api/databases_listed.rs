//! Listing databases and policies.

use serde_json::json;

use crate::seeds::{database, engine};
use crate::world::World;

/// Two engines, three databases; `beta` is disabled and follows its engine's policy. Gives the id
/// of the MySQL engine.
async fn three(world: &World) -> String {
    let mysql = engine(world, "mysql", "one.example").await;
    let postgresql = engine(world, "postgresql", "two.example").await;
    for (engine, name) in [(&mysql, "zeta"), (&mysql, "Alpha")] {
        database(world, engine, name).await;
    }
    let beta = database(world, &postgresql, "beta").await;
    let critical = json!({"policy_id": "production-critical"});
    let path = format!("/api/engines/{postgresql}");
    world.put(&path, &critical).await.expect(200);
    let inherit = json!({"use_engine_policy": true, "enabled": false});
    let path = format!("/api/databases/{beta}");
    world.put(&path, &inherit).await.expect(200);
    mysql
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_cut() {
    let world = World::new().await;
    let mysql = three(&world).await;
    let of_mysql = format!("engine_id={mysql}&type=&limit=");
    for (query, expected, total) in [
        ("", "Alpha beta zeta", 3),
        ("enabled_only=true", "Alpha zeta", 2),
        ("enabled_only=1", "Alpha zeta", 2),
        ("type=mysql", "Alpha zeta", 2),
        ("limit=2", "Alpha beta", 3),
        ("limit=2&offset=2", "zeta", 3),
        ("offset=50", "", 3),
        ("search=TWO.", "beta", 1),
        ("host=one.example", "Alpha zeta", 2),
        ("policy_id=production-critical", "beta", 1),
        ("policy_id=production-standard", "Alpha zeta", 2),
        (of_mysql.as_str(), "Alpha zeta", 2),
        ("engine_id=none", "", 0),
    ] {
        let path = format!("/api/databases?{query}");
        let listed = world.get(&path).await.expect(200);
        let rows = listed["databases"].as_array().unwrap();
        let names: Vec<&str> = rows
            .iter()
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.join(" "), expected, "{query}");
        assert_eq!(listed["count"], json!(names.len()), "{query}");
        assert_eq!(listed["total"], json!(total), "{query}");
        assert_eq!(listed["has_more"], json!(query == "limit=2"), "{query}");
    }
}

#[tokio::test]
async fn senseless_filters_are_refused() {
    let world = World::new().await;
    for query in [
        "limit=0",
        "limit=-1",
        "limit=ten",
        "offset=x",
        "type=oracle",
        "enabled_only=maybe",
    ] {
        let fields = world
            .get(&format!("/api/databases?{query}"))
            .await
            .refused_fields();
        assert_eq!(fields, [query.split('=').next().unwrap()]);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_stands_beside_the_good_ones() {
    use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation};
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    database(&world, &engine, "good").await;
    let damaged = Entity::new(EntityKey::new("database", "damaged"));
    let table = TableName::new("databaseconfigs").unwrap();
    let write = TableOperation::Replace(damaged, Condition::None);
    world
        .installation
        .storage
        .tables
        .write(&table, write)
        .await
        .unwrap();
    let listed = world.get("/api/databases").await.expect(200);
    assert_eq!(listed["count"], json!(1));
    assert_eq!(listed["damaged"][0]["id"], json!("damaged"), "{listed}");
}

#[tokio::test]
async fn policies_are_listed_and_read_with_all_their_tiers() {
    let world = World::new().await;
    let listed = world.get("/api/backup-policies").await.expect(200);
    insta::assert_json_snapshot!("policies_listed", listed);
    let engine = engine(&world, "mysql", "one").await;
    database(&world, &engine, "shop").await;
    let read = world
        .get("/api/backup-policies/production-standard")
        .await
        .expect(200);
    assert_eq!(read["usage_count"], json!(1));
    assert_eq!(read["policy"]["summary"], json!("12h/7d/4w/2m/1y"));
    world.get("/api/backup-policies/none").await.expect(404);
}
