//! Whatever clients send: taken or refused by its name, never a failure of the service, and nothing
//! else is touched by it.

use axum::http::Method;
use dilux_api::openapi;
use dilux_core::model::BackupId;
use serde_json::{Value, json};

use crate::backups::Shop;
use crate::door::operations;
use crate::policies_refused::{odd, places};
use crate::seeds::{database, engine};
use crate::server::PASSWORD;

/// Texts that break what is put together carelessly.
const ODD_TEXTS: &[&str] = &[
    "'",
    "''",
    "x' or '1' eq '1",
    "a\"b",
    "--",
    "-rf",
    "; drop table x",
    "..",
    "../..",
    "a/b",
    "a\\b",
    "%",
    "_",
    "%2e%2e",
    "名前",
    "Ünïcode",
    "\u{1F600}",
    "\u{202e}x",
    "a b",
    " ",
    "\t",
    "\u{0}",
    "\u{7f}",
    "x\r\nHost: y",
    "null",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "true",
];

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// What must stay as it is.
async fn bystanders(shop: &Shop) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        format!("/api/engines/{}", shop.engine),
        format!("/api/databases/{}", shop.database),
        "/api/backup-policies/production-standard".to_owned(),
        "/api/backups".to_owned(),
    ] {
        seen.push(shop.world.get(&path).await.expect(200));
    }
    // How many follow a policy is not its own.
    seen[2] = seen[2]["policy"].clone();
    seen
}

#[tokio::test]
async fn a_19_an_odd_id_in_any_path_names_nothing() {
    let shop = Shop::new().await;
    shop.seed().plant(&shop.world).await;
    let before = bystanders(&shop).await;
    let mut tried = 0;
    for (method, path) in operations() {
        if !path.contains("some-id") {
            continue;
        }
        for text in ODD_TEXTS {
            let path = path.replace("some-id", &escaped(text));
            let body = Some(json!({}));
            let call = shop
                .world
                .call_with(method.clone(), &path, &[], body.as_ref());
            let answer = call.await;
            let is_refused = matches!(answer.status, 400 | 404 | 422);
            assert!(
                is_refused,
                "{method} {path}: {} {}",
                answer.status, answer.body
            );
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
    assert_eq!(bystanders(&shop).await, before);
}

#[tokio::test]
async fn a_19_an_odd_query_finds_nothing_or_is_refused_by_its_name() {
    let shop = Shop::new().await;
    shop.seed().plant(&shop.world).await;
    let before = bystanders(&shop).await;
    let document = serde_json::to_value(openapi()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters = item["get"]["parameters"].as_array();
        for parameter in parameters.into_iter().flatten() {
            if parameter["in"] != "query" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap();
            for text in ODD_TEXTS {
                let path = format!("{path}?{name}={}", escaped(text));
                let answer = shop.world.get(&path).await;
                assert!(answer.status < 500, "{path}: {}", answer.body);
                if answer.status == 422 {
                    let fields = answer.refused_fields();
                    assert!(fields.iter().any(|it| it == name), "{path}: {fields:?}");
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
    assert_eq!(bystanders(&shop).await, before);
}

/// A request: method, path, body.
type Sent = (Method, String, Value);

fn post(path: &str, body: Value) -> Sent {
    (Method::POST, path.to_owned(), body)
}

fn put(path: String, body: Value) -> Sent {
    (Method::PUT, path, body)
}

/// Right bodies that register engines and databases, with every field that they may have.
fn registering(edited: &str, kept: &str) -> Vec<Sent> {
    let new_engine = json!({
        "name": "New", "engine_type": "mysql", "host": "new", "port": 3306,
        "auth_method": "user_password", "username": "u", "password": PASSWORD,
        "policy_id": "production-standard", "max_jobs": 2, "discover_databases": false,
    });
    let flat = json!({
        "name": "Flat", "database_type": "postgresql", "host": "flat", "port": 5432,
        "database_name": "flat", "engine_id": edited, "use_engine_credentials": false,
        "use_engine_policy": false, "username": "u", "password": PASSWORD,
        "policy_id": "production-standard", "enabled": true, "backup_destination": "elsewhere",
        "compression": true, "compression_method": "zstd", "rpo_minutes": 60,
        "tags": {"team": "sales"},
    });
    let nested = json!({
        "engine": {"name": "Nested", "engine_type": "mysql", "host": "nested", "port": 3306},
        "database": {
            "name": "app", "alias": "App", "use_engine_credentials": false,
            "auth_method": "user_password", "username": "u", "password": PASSWORD,
            "backup_policy_id": "production-standard",
        },
    });
    vec![
        post("/api/engines", new_engine.clone()),
        post("/api/databases", flat.clone()),
        post("/api/databases", nested),
        post("/api/databases/test-connection", flat.clone()),
        put(format!("/api/engines/{edited}"), new_engine),
        put(format!("/api/databases/{kept}"), flat),
        put(
            format!("/api/engines/{edited}/credentials"),
            json!({"auth_method": "user_password", "username": "u", "password": PASSWORD, "host": "h", "port": 1, "test": true}),
        ),
        post(
            &format!("/api/engines/{edited}/apply-credentials"),
            json!({"database_ids": [kept], "all": false, "test": true}),
        ),
        post(
            &format!("/api/engines/{edited}/databases"),
            json!({"databases": [{"name": "a", "alias": "A", "policy_id": "production-standard"}], "use_engine_credentials": true}),
        ),
    ]
}

/// Right bodies about backups and settings.
fn keeping(backup: &BackupId, edited: &str, kept: &str) -> Vec<Sent> {
    vec![
        put(
            "/api/settings".to_owned(),
            json!({"dark_mode": true, "default_retention_days": 30, "default_compression": true, "default_compression_method": "gzip", "access_requests_enabled": true}),
        ),
        put(
            format!("/api/backups/{backup}/labels"),
            json!({"labels": {"a": "b"}}),
        ),
        post(
            "/api/backups/delete-bulk",
            json!({"blob_names": ["mysql/none/none.sql"]}),
        ),
        post("/api/backups/delete-bulk", json!({"backup_ids": ["none"]})),
        post(
            &format!("/api/backups/{backup}/verify"),
            json!({ "engine_id": edited }),
        ),
        post(
            &format!("/api/backups/{backup}/restore"),
            json!({"target_database": "copy", "engine_id": edited, "compare_with_source": true}),
        ),
        post(
            "/api/restores",
            json!({"backup_id": backup.as_str(), "target_database": "copy", "engine_id": edited, "compare_with_source": true}),
        ),
        post(&format!("/api/backups/{backup}/pin"), json!({"note": "x"})),
        post(
            "/api/retention/dry-run",
            json!({"database_id": kept, "policy": {"daily": {"enabled": true, "keep_count": 2}}}),
        ),
    ]
}

#[tokio::test]
async fn a_19_whatever_stands_in_a_body_is_taken_or_refused_and_touches_nothing_else() {
    let shop = Shop::new().await;
    let mut values = odd();
    values.extend(ODD_TEXTS.iter().map(|text| json!(text)));
    let backup = shop.seed().plant(&shop.world).await;
    let edited = engine(&shop.world, "postgresql", "edited").await;
    let kept = database(&shop.world, &edited, "kept").await;
    let mut right = registering(&edited, &kept);
    right.extend(keeping(&backup, &edited, &kept));
    let before = &bystanders(&shop).await[..3];
    let (mut refused, mut taken) = (0, 0);
    for (method, path, body) in right {
        let mut all = Vec::new();
        places(&body, "", &mut all);
        for place in all {
            for value in &values {
                let mut sent = body.clone();
                *sent.pointer_mut(&place).unwrap() = value.clone();
                let call = shop
                    .world
                    .call_with(method.clone(), &path, &[], Some(&sent));
                let answer = call.await;
                let shown: String = value.to_string().chars().take(60).collect();
                match answer.status {
                    200..=299 => taken += 1,
                    422 => {
                        refused += 1;
                        answer.refused_fields();
                    }
                    400 | 404 | 409 => refused += 1,
                    status => panic!("{method} {path} {place} {shown}: {status} {}", answer.body),
                }
            }
        }
        shop.world.server.visits.lock().unwrap().clear();
    }
    assert!(refused > 2000 && taken > 200, "{refused} {taken}");
    assert_eq!(&bystanders(&shop).await[..3], before);
}
