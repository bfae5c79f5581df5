//! Addresses that no server may have are refused where they are entered.

use axum::http::Method;
use serde_json::{Value, json};

use crate::seeds::engine;
use crate::server::PASSWORD;
use crate::world::World;

fn at(host: &str) -> Value {
    json!({
        "name": "e", "engine_type": "postgresql", "host": host, "username": "u", "password": PASSWORD,
    })
}

#[tokio::test]
async fn no_engine_is_registered_at_an_address_of_the_platform() {
    let world = World::new().await;
    for host in [
        "169.254.169.254",
        "168.63.129.16",
        "[fd00:ec2::254]",
        "fe80::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ] {
        let answer = world.post("/api/engines", &at(host)).await;
        assert_eq!(answer.refused_fields(), ["host"], "{host}");
        let nested = json!({"engine": at(host), "database": {"name": "d"}});
        let answer = world.post("/api/databases", &nested).await;
        assert_eq!(answer.refused_fields(), ["host"], "{host}");
    }
    assert_eq!(world.passwords().await, 0);
    let id = engine(&world, "postgresql", "127.0.0.1").await;
    let path = format!("/api/engines/{id}/credentials");
    let moved = json!({"host": "169.254.169.254", "username": "u", "password": PASSWORD});
    let answer = world.put(&path, &moved).await;
    assert_eq!(answer.refused_fields(), ["host"]);
}

#[tokio::test]
async fn an_administrator_says_in_which_networks_servers_may_be() {
    let world = World::with_variable("DILUX_ALLOWED_NETWORKS", "10.1.0.0/16").await;
    for (host, status) in [
        ("10.1.2.3", 201),
        ("10.2.0.1", 422),
        ("127.0.0.1", 422),
        ("8.8.8.8", 422),
    ] {
        let answer = world.post("/api/engines", &at(host)).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
    let answer = world
        .call_with(Method::POST, "/api/engines", &[], Some(&at("127.0.0.1")))
        .await;
    let reason = answer.body["errors"][0]["reason"].to_string();
    assert!(reason.contains("DILUX_ALLOWED_NETWORKS"), "{reason}");
}
