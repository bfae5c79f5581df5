//! A marked password, sent in every field that takes one and on every path that fails, must be
//! found nowhere afterwards.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use axum::http::Method;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::seeds::id;
use crate::world::World;

/// The mark. Each of its encodings differs from the plain text.
const CANARY: &str = "cAnArY\"p@ss/w0rd+\u{20AC} 42";

/// What the process has logged.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Captures everything that is logged from now on, at every level.
fn capture() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    })
    .clone()
}

/// How the mark may be written.
fn encodings() -> Vec<Vec<u8>> {
    let plain = CANARY.as_bytes();
    let json = Value::from(CANARY).to_string();
    let percent: String = url::form_urlencoded::byte_serialize(plain).collect();
    let debug = format!("{CANARY:?}");
    vec![
        plain.to_vec(),
        json.trim_matches('"').as_bytes().to_vec(),
        debug.trim_matches('"').as_bytes().to_vec(),
        percent.into_bytes(),
        BASE64.encode(plain).into_bytes(),
        HEXLOWER.encode(plain).into_bytes(),
        CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    ]
}

#[track_caller]
fn is_clean(place: &str, bytes: &[u8]) {
    for needle in encodings() {
        let found = bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!found, "the password stands in {place}");
    }
}

fn look_through(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += look_through(&path);
        } else {
            is_clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
            files += 1;
        }
    }
    files
}

struct Visitor {
    world: World,
}

impl Visitor {
    /// Calls, and looks through the whole answer.
    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .world
            .call_with(method.clone(), path, &[], Some(body))
            .await;
        is_clean(&format!("the answer of {method} {path}"), &answer.bytes);
        for (name, value) in &answer.headers {
            is_clean(
                &format!("the header {name} of {method} {path}"),
                value.as_bytes(),
            );
        }
        (answer.status, answer.body)
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        self.call(Method::PUT, path, body).await
    }
}

fn engine(host: &str) -> Value {
    json!({"name": "e", "engine_type": "postgresql", "host": host, "username": "u", "password": CANARY})
}

/// Everything works.
async fn walk_the_good_paths(visitor: &Visitor) -> (String, String) {
    let (status, answer) = visitor.post("/api/engines", &engine("one")).await;
    assert_eq!(status, 201);
    let engine_path = format!("/api/engines/{}", id(&answer["engine"]));
    let (status, _) = visitor
        .put(&engine_path, &json!({"password": CANARY}))
        .await;
    assert_eq!(status, 200);
    let nested = json!({
        "engine": engine("two"),
        "database": {"name": "d", "username": "u", "password": CANARY, "use_engine_credentials": false},
    });
    let (status, answer) = visitor.post("/api/databases", &nested).await;
    assert_eq!(status, 201);
    let database_path = format!("/api/databases/{}", id(&answer["database"]));
    let (status, _) = visitor
        .put(&database_path, &json!({"password": CANARY}))
        .await;
    assert_eq!(status, 200);
    let import = json!({"databases": ["i"], "use_engine_credentials": false});
    let (status, _) = visitor
        .post(&format!("{engine_path}/databases"), &import)
        .await;
    assert_eq!(status, 201);
    for path in [
        format!("{engine_path}/test"),
        format!("{database_path}/test"),
    ] {
        let (status, answer) = visitor.post(&path, &json!({})).await;
        assert_eq!(
            (status, &answer["success"]),
            (200, &json!(false)),
            "the server does not know it"
        );
    }
    let (status, _) = visitor
        .post(&format!("{engine_path}/discover"), &json!({}))
        .await;
    assert_eq!(status, 400);
    let form = json!({
        "database_type": "postgresql", "host": "h", "port": 1, "database_name": "d",
        "username": "u", "password": CANARY,
    });
    let (status, _) = visitor.post("/api/databases/test-connection", &form).await;
    assert_eq!(status, 200);
    let (status, _) = visitor
        .post(&format!("{database_path}/backup"), &json!({}))
        .await;
    assert_eq!(status, 202);
    (engine_path, database_path)
}

/// The mark in fields where it does not belong, and in bodies that cannot be read.
async fn walk_the_bad_paths(visitor: &Visitor, engine_path: &str, database_path: &str) {
    for field in [
        "engine_type",
        "host",
        "port",
        "auth_method",
        "policy_id",
        "discover_databases",
        "connection_string",
    ] {
        let mut body = engine("three");
        body[field] = json!(CANARY);
        let (status, _) = visitor.post("/api/engines", &body).await;
        assert_eq!(status, 422, "{field}");
        let (status, _) = visitor.put(engine_path, &json!({ field: CANARY })).await;
        assert!(status == 422 || field == "discover_databases", "{field}");
    }
    for value in [
        json!([CANARY]),
        json!({CANARY: CANARY}),
        json!(format!("{CANARY}\n")),
    ] {
        let (status, _) = visitor
            .put(database_path, &json!({"password": value}))
            .await;
        assert_eq!(status, 422);
        let (status, _) = visitor
            .post("/api/databases", &json!({"tags": value, "port": value}))
            .await;
        assert_eq!(status, 422);
    }
    for bytes in [
        format!("{{\"password\": {CANARY}"),
        format!("{{\"password\": \"{CANARY}"),
        CANARY.to_owned(),
    ] {
        let answer = visitor
            .world
            .post_bytes("/api/engines", bytes.into_bytes())
            .await;
        assert_eq!(answer.status, 400);
        is_clean("the answer to a malformed body", &answer.bytes);
    }
}

/// The stores fail while it is being saved.
async fn walk_the_failing_paths(visitor: &Visitor, engine_path: &str, database_path: &str) {
    let faults = &visitor.world.faults;
    faults.secrets_are_down.store(true, Ordering::SeqCst);
    for path in [engine_path, database_path] {
        assert_eq!(visitor.put(path, &json!({"password": CANARY})).await.0, 503);
    }
    assert_eq!(visitor.post("/api/engines", &engine("four")).await.0, 503);
    faults.mend();
    for table in ["engines", "databaseconfigs"] {
        faults.break_table(table);
        let nested =
            json!({"engine": engine("five"), "database": {"name": "x", "password": CANARY}});
        assert_eq!(visitor.post("/api/databases", &nested).await.0, 503);
        faults.mend();
    }
}

#[tokio::test]
async fn a_marked_password_is_found_nowhere_but_in_the_secret_store() {
    let log = capture();
    let visitor = Visitor {
        world: World::new().await,
    };
    let (engine_path, database_path) = walk_the_good_paths(&visitor).await;
    walk_the_bad_paths(&visitor, &engine_path, &database_path).await;
    walk_the_failing_paths(&visitor, &engine_path, &database_path).await;
    for path in [
        "/api/engines",
        "/api/databases",
        "/api/jobs",
        "/api/backups",
        "/api/openapi.json",
        &engine_path,
        &database_path,
    ] {
        assert_eq!(visitor.call(Method::GET, path, &Value::Null).await.0, 200);
    }
    let logged = log.0.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&logged);
    assert!(text.contains("answered"), "the log was captured");
    is_clean("the log", &logged);
    let files = look_through(visitor.world.directory());
    assert!(files > 1, "the store has files");
    let secrets = visitor.world.installation.storage.secrets.clone();
    let mut names = secrets.list().await.unwrap();
    names.retain(|name| !name.as_str().starts_with("dilux-audit-"));
    assert_eq!(
        names.len(),
        4,
        "two engines and two databases keep a password: {names:?}"
    );
    for name in names {
        let kept = secrets.get(&name).await.unwrap().unwrap();
        assert_eq!(kept.expose(), CANARY, "the secret store has it");
    }
}
