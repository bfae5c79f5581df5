//! Two people edit the same thing: the second is told, and what the present version is.

use std::collections::BTreeSet;

use axum::http::Method;
use dilux_api::openapi;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::seeds::id;
use crate::server::PASSWORD;

/// What only its owner edits, and no two admins.
const OF_ONE_PERSON: [&str; 2] = ["/api/users/me/preferences", "/api/users/me/password"];

/// A thing that is edited.
struct Edited {
    /// The route of the edit, as in the document.
    route: &'static str,
    /// Where it is read.
    read: String,
    /// Where it is edited.
    path: String,
    /// What the first sends.
    first: Value,
    /// What the second sends.
    second: Value,
}

async fn edited(shop: &Shop) -> Vec<Edited> {
    let backup = shop.seed().plant(&shop.world).await;
    let policy = json!({"name": "Mine", "daily": {"enabled": true, "keep_count": 2}});
    let made = shop.world.post("/api/backup-policies", &policy).await;
    made.expect(201);
    let body = json!({ "email": "ann@example.com" });
    let user = shop.world.post("/api/users", &body).await.expect(201);
    let user = id(&user["user"]);
    let (engine, database) = (&shop.engine, &shop.database);
    let name = |name: &str| json!({ "name": name });
    let same = |route, path: String| Edited {
        route,
        read: path.clone(),
        path,
        first: name("First"),
        second: name("Second"),
    };
    vec![
        same("/api/users/{user_id}", format!("/api/users/{user}")),
        same("/api/engines/{engine_id}", format!("/api/engines/{engine}")),
        same(
            "/api/databases/{database_id}",
            format!("/api/databases/{database}"),
        ),
        same(
            "/api/backup-policies/{policy_id}",
            "/api/backup-policies/mine".to_owned(),
        ),
        Edited {
            route: "/api/engines/{engine_id}/credentials",
            read: format!("/api/engines/{engine}/credentials"),
            path: format!("/api/engines/{engine}/credentials"),
            first: json!({"username": "first", "password": PASSWORD}),
            second: json!({"username": "second", "password": PASSWORD}),
        },
        Edited {
            route: "/api/backups/{backup_id}/labels",
            read: format!("/api/backups/{backup}"),
            path: format!("/api/backups/{backup}/labels"),
            first: json!({"labels": {"who": "first"}}),
            second: json!({"labels": {"who": "second"}}),
        },
        Edited {
            route: "/api/settings",
            read: "/api/settings".to_owned(),
            path: "/api/settings".to_owned(),
            first: json!({"default_retention_days": 10}),
            second: json!({"default_retention_days": 20}),
        },
    ]
}

#[tokio::test]
async fn a_20_the_second_of_two_admins_is_told_the_present_version_by_every_update() {
    let shop = Shop::new().await;
    let all = edited(&shop).await;
    let document = serde_json::to_value(openapi()).unwrap();
    let documented: BTreeSet<&str> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, item)| item.get("put").is_some())
        .map(|(path, _)| path.as_str())
        .collect();
    let tried = all.iter().map(|it| it.route).chain(OF_ONE_PERSON);
    let tried: BTreeSet<&str> = tried.collect();
    assert_eq!(tried, documented, "every update is tried here");
    for it in all {
        let read = shop.world.get(&it.read).await;
        let tag = read.header("etag").to_owned();
        assert!(!tag.is_empty(), "{} gives no version", it.read);
        let guard = [("if-match", tag.as_str())];
        let put = |body| {
            shop.world
                .call_with(Method::PUT, &it.path, &guard, Some(body))
        };
        let first = put(&it.first).await;
        let present = first.header("etag").to_owned();
        assert_ne!(present, tag, "{}", it.path);
        let edited = first.expect(200);
        let second = put(&it.second).await;
        assert_eq!(second.header("etag"), present, "{}", it.path);
        let refused = second.expect(412);
        assert_eq!(refused["type"], json!("urn:dilux:problem:changed"));
        let after = shop.world.get(&it.read).await;
        assert_eq!(after.header("etag"), present, "{}", it.path);
        let shown = after.expect(200).to_string();
        let is_seconds = ["\"second\"", "\"Second\""].map(|text| shown.contains(text));
        assert_eq!(is_seconds, [false, false], "{edited}");
        // Old clients send none, and the last one wins.
        let old = shop.world.put(&it.path, &it.second).await;
        old.expect(200);
        let any = [("if-match", "*")];
        let last = shop
            .world
            .call_with(Method::PUT, &it.path, &any, Some(&it.first));
        last.await.expect(200);
    }
}
