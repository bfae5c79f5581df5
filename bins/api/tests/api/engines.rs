//! Engines.

use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_core::secret::SecretName;
use serde_json::{Value, json};

use crate::seeds::{database, engine, id};
use crate::server::PASSWORD;
use crate::world::World;

fn new_engine() -> Value {
    json!({
        "name": "Production MySQL", "engine_type": "mysql", "host": "mysql.example.com",
        "auth_method": "user_password", "username": "root", "password": PASSWORD,
    })
}

async fn stored_password(world: &World, engine: &str) -> Option<String> {
    let name = SecretName::new(format!("dilux-engine-{engine}")).unwrap();
    let found = world.installation.storage.secrets.get(&name).await.unwrap();
    found.map(|password| password.expose().to_owned())
}

#[tokio::test]
async fn a_registered_engine_is_answered_listed_and_read_without_its_password() {
    let world = World::new().await;
    let answer = world.post("/api/engines", &new_engine()).await;
    let tag = answer.header("etag").to_owned();
    let created = answer.expect(201);
    insta::assert_json_snapshot!("engine_created", created);
    let id = id(&created["engine"]);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    let read = world.get(&format!("/api/engines/{id}")).await;
    assert_eq!(read.header("etag"), tag);
    insta::assert_json_snapshot!("engine_read", read.expect(200));
    let listed = world.get("/api/engines").await.expect(200);
    insta::assert_json_snapshot!("engines_listed", listed);
}

#[tokio::test]
async fn an_engine_without_credentials_takes_the_usual_port_and_cannot_be_asked() {
    let world = World::new().await;
    for (engine_type, port) in [("mysql", 3306), ("postgresql", 5432), ("sqlserver", 1433)] {
        let body = json!({"name": "x", "engine_type": engine_type, "host": "h", "port": null});
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["port"], json!(port));
        assert_eq!(created["engine"]["auth_method"], Value::Null);
        assert_eq!(created["engine"]["discovery_enabled"], json!(false));
        let id = id(&created["engine"]);
        for action in ["test", "discover"] {
            let answer = world
                .post(&format!("/api/engines/{id}/{action}"), &json!({}))
                .await;
            answer.expect(400);
        }
    }
}

#[tokio::test]
async fn every_bad_field_of_a_new_engine_is_named_at_once() {
    let world = World::new().await;
    let bad = json!({
        "name": "", "engine_type": "oracle", "host": "http://x", "port": 70000,
        "auth_method": "kerberos", "username": 7, "password": ["x"], "policy_id": "a/b",
        "discover_databases": "yes", "connection_string": "Server=x;Password=y",
    });
    let fields = world.post("/api/engines", &bad).await.refused_fields();
    let expected = [
        "auth_method",
        "connection_string",
        "discover_databases",
        "engine_type",
        "host",
        "name",
        "password",
        "policy_id",
        "port",
        "username",
    ];
    assert_eq!(fields, expected);
    let none = world.post("/api/engines", &json!({})).await;
    assert_eq!(none.refused_fields(), ["engine_type", "host", "name"]);
}

#[tokio::test]
async fn a_bad_field_of_a_new_engine_is_named_and_nothing_is_kept() {
    let world = World::new().await;
    for port in [
        json!(0),
        json!(-1),
        json!("3306"),
        json!(33.5),
        json!(true),
        json!(1e30),
    ] {
        let mut body = new_engine();
        body["port"] = port.clone();
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert_eq!(fields, ["port"], "{port}");
    }
    for (field, value, refused) in [
        ("auth_method", json!("connection_string"), "auth_method"),
        ("auth_method", json!("managed_identity"), "password"),
        ("policy_id", json!("no-such-policy"), "policy_id"),
        ("host", json!("a b"), "host"),
        ("host", json!("-oProxyCommand=x"), "host"),
        ("name", json!("x".repeat(101)), "name"),
        ("password", json!("a\nb"), "password"),
    ] {
        let mut body = new_engine();
        body[field] = value.clone();
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert_eq!(fields, [refused], "{value}");
    }
    let listed = world.get("/api/engines").await.expect(200);
    assert_eq!(listed["total"], json!(0), "nothing of this was kept");
    assert!(
        world
            .installation
            .storage
            .secrets
            .list()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_engines_at_one_address_are_refused_whatever_the_case_of_the_host() {
    let world = World::new().await;
    world.post("/api/engines", &new_engine()).await.expect(201);
    let mut other = new_engine();
    other["name"] = json!("Other");
    other["host"] = json!("MYSQL.example.COM");
    let refused = world.post("/api/engines", &other).await.expect(400);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("already exists"),
        "{refused}"
    );
    other["port"] = json!(3307);
    world.post("/api/engines", &other).await.expect(201);
}

#[tokio::test]
async fn fifty_registrations_of_one_engine_at_once_make_one() {
    let world = std::sync::Arc::new(World::new().await);
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = world.clone();
        attempts.spawn(async move { world.post("/api/engines", &new_engine()).await.status });
    }
    let statuses = attempts.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1);
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 49);
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_cut() {
    let world = World::new().await;
    for (name, engine_type, host) in [
        ("zeta", "mysql", "one"),
        ("Alpha", "postgresql", "two.example"),
        ("beta", "mysql", "three.example"),
    ] {
        let body = json!({"name": name, "engine_type": engine_type, "host": host});
        world.post("/api/engines", &body).await.expect(201);
    }
    for (query, expected, total) in [
        ("", vec!["Alpha", "beta", "zeta"], 3),
        ("?engine_type=mysql", vec!["beta", "zeta"], 2),
        ("?search=EXAMPLE", vec!["Alpha", "beta"], 2),
        ("?search=ZET", vec!["zeta"], 1),
        ("?limit=1&offset=1", vec!["beta"], 3),
        ("?offset=9", vec![], 3),
        (
            "?engine_type=&search=&limit=&unknown=1",
            vec!["Alpha", "beta", "zeta"],
            3,
        ),
    ] {
        let listed = world.get(&format!("/api/engines{query}")).await.expect(200);
        let names: Vec<&str> = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, expected, "{query}");
        assert_eq!(listed["total"], json!(total), "{query}");
    }
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "offset=-1",
        "engine_type=oracle",
    ] {
        let fields = world
            .get(&format!("/api/engines?{query}"))
            .await
            .refused_fields();
        assert_eq!(fields, [query.split('=').next().unwrap()]);
    }
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name_and_an_empty_password_means_keep() {
    let world = World::new().await;
    let id = id(&world.post("/api/engines", &new_engine()).await.expect(201)["engine"]);
    let path = format!("/api/engines/{id}");
    let whole_form = json!({
        "name": "Renamed", "engine_type": "mysql", "host": "MySQL.example.com", "port": 3306,
        "auth_method": "user_password", "username": "root", "password": "",
        "policy_id": "production-critical",
    });
    let changed = world.put(&path, &whole_form).await.expect(200);
    assert_eq!(changed["engine"]["name"], json!("Renamed"));
    assert_eq!(changed["engine"]["policy_id"], json!("production-critical"));
    assert_eq!(changed["engine"]["host"], json!("mysql.example.com"));
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    world.clock.advance(jiff::SignedDuration::from_hours(1));
    let unchanged = world.put(&path, &json!({})).await.expect(200);
    assert_eq!(unchanged["engine"]["username"], json!("root"));
    assert_eq!(
        unchanged["engine"]["updated_at"],
        json!("2026-01-31T13:00:00Z")
    );
    world
        .put(&path, &json!({"password": "new one"}))
        .await
        .expect(200);
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some("new one")
    );
    let cleared = world
        .put(&path, &json!({"policy_id": ""}))
        .await
        .expect(200);
    assert_eq!(cleared["engine"]["policy_id"], Value::Null);
    let cleared = world
        .put(&path, &json!({"auth_method": null}))
        .await
        .expect(200);
    assert_eq!(cleared["engine"]["has_password"], json!(false));
    assert_eq!(cleared["engine"]["username"], Value::Null);
    assert_eq!(stored_password(&world, &id).await, None);
    let given = world
        .put(&path, &json!({"username": "u", "password": "p"}))
        .await
        .expect(200);
    assert_eq!(given["engine"]["auth_method"], json!("user_password"));
    assert_eq!(given["engine"]["discovery_enabled"], json!(true));
}

#[tokio::test]
async fn the_address_of_an_engine_cannot_be_changed() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    let change = json!({"host": "two", "port": 3307, "engine_type": "postgresql", "name": "x"});
    let answer = world.put(&format!("/api/engines/{id}"), &change).await;
    assert_eq!(answer.refused_fields(), ["engine_type", "host", "port"]);
    let read = world.get(&format!("/api/engines/{id}")).await.expect(200);
    assert_ne!(read["name"], json!("x"));
}

#[tokio::test]
async fn a_change_of_an_outdated_version_is_refused() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    let path = format!("/api/engines/{id}");
    let tag = world.get(&path).await.header("etag").to_owned();
    let change = |name: &str| json!({ "name": name });
    let with = |tag: String, name: &'static str| {
        let (path, world) = (path.clone(), &world);
        async move {
            let body = change(name);
            world
                .call_with(Method::PUT, &path, &[("if-match", &tag)], Some(&body))
                .await
        }
    };
    let first = with(tag.clone(), "first").await;
    let newer = first.header("etag").to_owned();
    first.expect(200);
    with(tag.clone(), "second").await.expect(412);
    with(format!("\"other\", {newer}"), "third")
        .await
        .expect(200);
    with("*".to_owned(), "fourth").await.expect(200);
    let answer = world
        .call_with(Method::DELETE, &path, &[("if-match", &tag)], None)
        .await;
    answer.expect(412);
    world.delete(&path).await.expect(200);
    with("*".to_owned(), "fifth").await.expect(404);
}

#[tokio::test]
async fn a_change_may_be_applied_to_all_databases() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    database(&world, &engine, "inherits").await;
    let own = json!({ "engine_id": engine, "database": {
        "name": "own", "username": "u", "password": "p" } });
    let own = id(&world.post("/api/databases", &own).await.expect(201)["database"]);
    let secret = SecretName::new(format!("dilux-db-{own}")).unwrap();
    let secrets = world.installation.storage.secrets.clone();
    assert!(secrets.get(&secret).await.unwrap().is_some());
    let path = format!("/api/engines/{engine}");
    let none = world
        .put(&path, &json!({"apply_policy_to_all_databases": true}))
        .await
        .expect(200);
    assert!(
        none.get("databases_policy_updated").is_none(),
        "the engine has no policy"
    );
    let change = json!({
        "policy_id": "production-critical",
        "apply_to_all_databases": true, "apply_policy_to_all_databases": true,
    });
    let changed = world.put(&path, &change).await.expect(200);
    assert_eq!(changed["databases_updated"], json!(2));
    assert_eq!(changed["databases_policy_updated"], json!(2));
    let read = world
        .get(&format!("/api/databases/{own}"))
        .await
        .expect(200)["database"]
        .clone();
    assert_eq!(read["use_engine_credentials"], json!(true));
    assert_eq!(read["username"], json!("backup"));
    assert_eq!(read["policy_id"], json!("production-critical"));
    assert!(
        secrets.get(&secret).await.unwrap().is_none(),
        "its own password is gone"
    );
}

#[tokio::test]
async fn an_engine_with_databases_goes_only_when_they_may_go_with_it() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let path = format!("/api/engines/{engine}");
    let refused = world.delete(&path).await.expect(400);
    assert_eq!(
        refused["error"],
        json!(
            "Cannot delete engine with 1 associated database(s). Delete databases first or use delete_databases=true."
        )
    );
    let both = format!("{path}?delete_databases=true&delete_backups=true");
    let refused = world.delete(&both).await.expect(400);
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("cannot delete backups"),
        "{refused}"
    );
    world
        .get(&format!("/api/databases/{shop}"))
        .await
        .expect(200);
    let deleted = world
        .delete(&format!("{path}?delete_databases=true"))
        .await
        .expect(200);
    assert_eq!(deleted, json!({"deleted": true, "databases_deleted": 1}));
    world
        .get(&format!("/api/databases/{shop}"))
        .await
        .expect(404);
    world.get(&path).await.expect(404);
    assert!(
        world
            .installation
            .storage
            .secrets
            .list()
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_failing_secret_store_fails_the_request_and_nothing_is_half_saved() {
    let world = World::new().await;
    let path = format!("/api/engines/{}", engine(&world, "mysql", "one").await);
    world.faults.secrets_are_down.store(true, Ordering::SeqCst);
    world.post("/api/engines", &new_engine()).await.expect(503);
    let change = json!({"name": "changed", "password": "changed"});
    world.put(&path, &change).await.expect(503);
    world.faults.mend();
    let listed = world.get("/api/engines").await.expect(200);
    assert_eq!(listed["total"], json!(1));
    assert_eq!(listed["items"][0]["name"], json!("mysql at one"));
    assert_eq!(
        stored_password(&world, &path["/api/engines/".len()..])
            .await
            .as_deref(),
        Some(PASSWORD)
    );
}

#[tokio::test]
async fn a_failing_table_takes_the_new_password_back() {
    let world = World::new().await;
    let id = engine(&world, "mysql", "one").await;
    world.faults.break_table("engines");
    world.post("/api/engines", &new_engine()).await.expect(503);
    world
        .put(
            &format!("/api/engines/{id}"),
            &json!({"password": "changed"}),
        )
        .await
        .expect(503);
    world.faults.mend();
    assert_eq!(
        stored_password(&world, &id).await.as_deref(),
        Some(PASSWORD)
    );
    assert_eq!(
        world
            .installation
            .storage
            .secrets
            .list()
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_connection_test_is_answered_well_or_badly_but_always_answered() {
    let world = World::new().await;
    let id = engine(&world, "postgresql", "one").await;
    let path = format!("/api/engines/{id}/test");
    let good = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(good["success"], json!(true));
    assert_eq!(good["message"], json!("Connection successful"));
    assert_eq!(good["server_version"], json!("played 1.0"));
    assert!(good["latency_ms"].is_number());
    world
        .put(&format!("/api/engines/{id}"), &json!({"password": "wrong"}))
        .await
        .expect(200);
    let bad = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(bad["success"], json!(false));
    assert_eq!(bad["error_type"], json!("ConnectionFailed"));
    let mut body = new_engine();
    body["engine_type"] = json!("sqlserver");
    let id = crate::seeds::id(&world.post("/api/engines", &body).await.expect(201)["engine"]);
    let none = world
        .post(&format!("/api/engines/{id}/test"), &json!({}))
        .await
        .expect(200);
    assert_eq!(none["error_type"], json!("UnsupportedType"), "{none}");
}

#[tokio::test]
async fn azure_identities_are_kept_and_said_to_be_unavailable() {
    let world = World::new().await;
    for (host, method) in [("one", "managed_identity"), ("two", "azure_ad")] {
        let body =
            json!({"name": "x", "engine_type": "postgresql", "host": host, "auth_method": method});
        let created = world.post("/api/engines", &body).await.expect(201);
        assert_eq!(created["engine"]["auth_method"], json!(method));
        let id = id(&created["engine"]);
        for action in ["test", "discover"] {
            let answer = world
                .post(&format!("/api/engines/{id}/{action}"), &json!({}))
                .await
                .expect(400);
            assert!(
                answer["error"].as_str().unwrap().contains(method),
                "{answer}"
            );
        }
        let database = database(&world, &id, "shop").await;
        let answer = world
            .post(&format!("/api/databases/{database}/backup"), &json!({}))
            .await
            .expect(400);
        assert!(
            answer["error"].as_str().unwrap().contains("not available"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_discovery_says_what_is_registered_what_is_new_and_what_is_gone() {
    let world = World::new().await;
    let engine = engine(&world, "postgresql", "one").await;
    let shop = database(&world, &engine, "shop").await;
    let gone = database(&world, &engine, "gone").await;
    *world.server.databases.lock().unwrap() =
        vec![("shop", false), ("postgres", true), ("new", false)];
    let found = world
        .post(&format!("/api/engines/{engine}/discover"), &json!({}))
        .await
        .expect(200);
    assert_eq!(found["engine_id"], json!(engine));
    assert_eq!(found["engine_name"], json!("postgresql at one"));
    let entry = |name: &str, existing: Option<&str>, is_system: bool, missing: bool| {
        json!({"name": name, "exists": existing.is_some(), "existing_id": existing,
               "is_system": is_system, "system": is_system, "missing": missing})
    };
    let expected = [
        entry("new", None, false, false),
        entry("postgres", None, true, false),
        entry("shop", Some(&shop), false, false),
        entry("gone", Some(&gone), false, true),
    ];
    assert_eq!(found["databases"], json!(expected));
    let read = world
        .get(&format!("/api/engines/{engine}"))
        .await
        .expect(200);
    assert_eq!(read["last_discovery"], json!("2026-01-31T12:00:00Z"));
}

#[tokio::test]
async fn a_failed_discovery_is_said_and_not_noted_as_one() {
    let world = World::new().await;
    let mut body = new_engine();
    body["password"] = json!("wrong");
    body["discover_databases"] = json!(true);
    let created = world.post("/api/engines", &body).await.expect(201);
    assert!(
        created["discovery_error"]
            .as_str()
            .unwrap()
            .contains("refused user"),
        "{created}"
    );
    assert!(created.get("discovered_databases").is_none());
    let id = id(&created["engine"]);
    database(&world, &id, "registered").await;
    let failed = world
        .post(&format!("/api/engines/{id}/discover"), &json!({}))
        .await
        .expect(400);
    assert!(
        failed["error"]
            .as_str()
            .unwrap()
            .starts_with("Failed to discover databases")
    );
    let read = world.get(&format!("/api/engines/{id}")).await.expect(200);
    assert_eq!(read["last_discovery"], Value::Null);
}

#[tokio::test]
async fn registering_with_discovery_answers_the_databases() {
    let world = World::new().await;
    *world.server.databases.lock().unwrap() = vec![("orders_db", false), ("mysql", true)];
    let mut body = new_engine();
    body["discover_databases"] = json!(true);
    let created = world.post("/api/engines", &body).await.expect(201);
    let names: Vec<&Value> = created["discovered_databases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| &found["name"])
        .collect();
    assert_eq!(names, ["mysql", "orders_db"]);
}

#[tokio::test]
async fn an_import_registers_the_good_entries_and_names_the_bad_ones() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let path = format!("/api/engines/{engine}/databases");
    let body = json!({"databases": [
        {"name": "orders", "alias": "Orders DB", "policy_id": "production-critical"},
        "plain", {"name": 7}, {"alias": "nameless"}, {"name": "plain"},
        {"name": "x", "policy_id": "no-such-policy"},
    ]});
    let imported = world.post(&path, &body).await.expect(201);
    assert_eq!(imported["total_created"], json!(2));
    assert_eq!(imported["total_errors"], json!(4));
    assert_eq!(imported["created"][0]["name"], json!("Orders DB"));
    assert_eq!(
        imported["created"][0]["use_engine_credentials"],
        json!(true)
    );
    assert_eq!(
        imported["created"][1]["policy_id"],
        json!("production-standard")
    );
    assert_eq!(imported["errors"][0]["database"], json!(7));
    assert_eq!(imported["errors"][1]["database"], Value::Null);
    assert!(
        imported["errors"]
            .as_array()
            .unwrap()
            .iter()
            .all(|error| error["error"].is_string())
    );
    let none = world
        .post(&path, &json!({"databases": [{"name": 7}]}))
        .await
        .expect(400);
    assert_eq!(
        (&none["total_created"], &none["total_errors"]),
        (&json!(0), &json!(1))
    );
    world
        .post(&path, &json!({"databases": []}))
        .await
        .expect(400);
    world.post(&path, &json!({})).await.expect(400);
    assert_eq!(
        world
            .post(&path, &json!({"databases": "x"}))
            .await
            .refused_fields(),
        ["databases"]
    );
    world
        .post("/api/engines/none/databases", &body)
        .await
        .expect(404);
}

#[tokio::test]
async fn an_import_with_own_credentials_copies_those_of_the_engine() {
    let world = World::new().await;
    let engine = engine(&world, "mysql", "one").await;
    let body = json!({"databases": ["orders"], "use_engine_credentials": false});
    let imported = world
        .post(&format!("/api/engines/{engine}/databases"), &body)
        .await
        .expect(201);
    let database = &imported["created"][0];
    assert_eq!(database["use_engine_credentials"], json!(false));
    assert_eq!(database["username"], json!("backup"));
    world
        .put(
            &format!("/api/engines/{engine}"),
            &json!({"password": "changed"}),
        )
        .await
        .expect(200);
    let path = format!("/api/databases/{}/test", id(database));
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(
        test["success"],
        json!(true),
        "the copy did not change with the original"
    );
}
