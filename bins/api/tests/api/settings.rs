//! Settings, components and networks.

use axum::http::Method;
use dilux_core::component::{Component, ComponentKind};
use jiff::SignedDuration;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::World;

#[tokio::test]
async fn settings_have_defaults_are_changed_one_by_one_and_count() {
    let world = World::new().await;
    let found = world.get("/api/settings").await.expect(200);
    assert_eq!(
        found["settings"],
        json!({
            "dark_mode": false, "default_retention_days": 30, "default_compression": true,
            "default_compression_method": "gzip", "access_requests_enabled": true,
            "updated_at": null,
        })
    );
    let saved = world
        .put("/api/settings", &json!({"default_retention_days": 45}))
        .await;
    let saved = saved.expect(200);
    assert_eq!(saved["message"], json!("Settings updated"));
    assert_eq!(saved["settings"]["default_retention_days"], json!(45));
    assert_eq!(saved["settings"]["access_requests_enabled"], json!(true));
    let off = world
        .put("/api/settings", &json!({"default_compression": false}))
        .await;
    assert_eq!(
        off.expect(200)["settings"]["default_compression_method"],
        json!("none")
    );
    let method = json!({"default_compression_method": "zstd"});
    let on = world.put("/api/settings", &method).await.expect(200);
    assert_eq!(on["settings"]["default_compression"], json!(true));
    let engine = crate::seeds::engine(&world, "postgresql", "pg").await;
    let database = crate::seeds::database(&world, &engine, "shop").await;
    let made = world
        .get(&format!("/api/databases/{database}"))
        .await
        .expect(200);
    assert_eq!(made["database"]["compression_method"], json!("zstd"));
}

#[tokio::test]
async fn settings_refuse_what_they_cannot_mean() {
    let world = World::new().await;
    for (body, field) in [
        (
            json!({"default_retention_days": 0}),
            "default_retention_days",
        ),
        (
            json!({"default_retention_days": 366}),
            "default_retention_days",
        ),
        (
            json!({"default_retention_days": "30"}),
            "default_retention_days",
        ),
        (
            json!({"default_retention_days": 1.5}),
            "default_retention_days",
        ),
        (
            json!({"default_retention_days": null}),
            "default_retention_days",
        ),
        (json!({"dark_mode": "yes"}), "dark_mode"),
        (json!({"default_compression": 1}), "default_compression"),
        (
            json!({"default_compression": false, "default_compression_method": "gzip"}),
            "default_compression_method",
        ),
        (
            json!({"access_requests_enabled": null}),
            "access_requests_enabled",
        ),
    ] {
        let answer = world.put("/api/settings", &body).await;
        assert!(answer.body["error"].is_string());
        assert_eq!(answer.refused_fields(), [field]);
    }
    let found = world.get("/api/settings").await.expect(200);
    assert_eq!(found["settings"]["updated_at"], json!(null));
    let unknown = world
        .put("/api/settings", &json!({"foo": 1}))
        .await
        .expect(200);
    assert_eq!(unknown["settings"], found["settings"]);
}

#[tokio::test]
async fn settings_are_guarded_by_their_version_from_the_first_change_on() {
    let world = World::new().await;
    let tag = world.get("/api/settings").await.header("etag").to_owned();
    let guard = [("if-match", tag.as_str())];
    let body = json!({"dark_mode": true});
    let first = world
        .call_with(Method::PUT, "/api/settings", &guard, Some(&body))
        .await;
    first.is(200);
    let second = world
        .call_with(Method::PUT, "/api/settings", &guard, Some(&body))
        .await;
    assert_eq!(second.header("etag"), first.header("etag"));
    second.expect(412);
}

#[tokio::test]
async fn processes_are_listed_while_they_live_and_a_day_after_they_fell_silent() {
    let world = World::new().await;
    let none = world.get("/api/components").await.expect(200);
    assert_eq!(none["missing"], json!(["api", "scheduler", "processor"]));
    let installation = &world.installation;
    let stop = CancellationToken::new();
    let component = Component::starting(installation, ComponentKind::Scheduler, "1.2.3");
    let alive = {
        let (installation, stop) = (installation.clone(), stop.clone());
        tokio::spawn(async move { component.keep_alive(&installation, &stop).await })
    };
    let silent = Component::starting(installation, ComponentKind::Processor, "1.2.3");
    installation
        .repositories
        .components
        .insert(silent)
        .await
        .unwrap();
    let listed = loop {
        let listed = world.get("/api/components").await.expect(200);
        if listed["count"] == json!(2) {
            break listed;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(listed["missing"], json!(["api"]));
    assert_eq!(listed["components"][0]["kind"], json!("scheduler"));
    assert_eq!(listed["components"][0]["alive"], json!(true));
    assert_eq!(listed["components"][0]["version"], json!("1.2.3"));
    stop.cancel();
    alive.await.unwrap();
    world.clock.advance(SignedDuration::from_mins(4));
    let listed = world.get("/api/components").await.expect(200);
    assert_eq!(listed["count"], json!(1), "the one that ended said so");
    assert_eq!(listed["components"][0]["alive"], json!(false));
    world.clock.advance(SignedDuration::from_hours(25));
    let stop = CancellationToken::new();
    stop.cancel();
    let next = Component::starting(installation, ComponentKind::Api, "1.2.3");
    next.keep_alive(installation, &stop).await;
    let listed = world.get("/api/components").await.expect(200);
    assert_eq!(listed["count"], json!(0));
}

#[tokio::test]
async fn an_installation_without_azure_has_no_networks_to_tell_of() {
    let world = World::new().await;
    let status = world.get("/api/vnet-status").await.expect(200);
    assert_eq!(
        status,
        json!({
            "has_vnet_integration": false, "vnets": [], "function_apps": [],
            "inconsistencies": [], "query_error": null,
        })
    );
}
