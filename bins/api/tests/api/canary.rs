//! A marked password, sent in every field that takes one and on every path that fails, must be
//! found nowhere afterwards.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use axum::http::Method;
use dilux_testkit::canary::{CANARY, Searcher};
use dilux_testkit::entra::{FakeEntra, TokenAnswer};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;

use crate::seeds::id;
use crate::server::TOKEN;
use crate::world::World;

/// What the process has logged.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// All of it so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

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
pub(crate) fn capture() -> Log {
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

fn look_through(searcher: &Searcher, folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += look_through(searcher, &path);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            searcher.is_clean(&path.display().to_string(), &bytes);
            files += 1;
        }
    }
    files
}

struct Visitor {
    world: World,
    searcher: Searcher,
}

impl Visitor {
    /// Calls, and looks through the whole answer.
    async fn call(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let answer = self
            .world
            .call_with(method.clone(), path, &[], Some(body))
            .await;
        self.searcher
            .is_clean(&format!("the answer of {method} {path}"), &answer.bytes);
        for (name, value) in &answer.headers {
            self.searcher.is_clean(
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

/// The mark as the secret of an app, right and wrong, and a token that opens.
async fn walk_the_paths_of_entra_id(visitor: &Visitor, entra: &FakeEntra) {
    let app = json!({
        "name": "e", "engine_type": "postgresql", "host": "six.postgres.database.azure.com",
        "auth_method": "azure_ad", "username": "u", "tenant_id": "contoso.example",
        "client_id": "app-1", "client_secret": CANARY,
    });
    let (status, answer) = visitor.post("/api/engines", &app).await;
    assert_eq!(status, 201);
    let path = format!("/api/engines/{}", id(&answer["engine"]));
    let quoting = TokenAnswer::refusal(401, &format!("the secret {CANARY} is wrong"));
    entra.answer_next([quoting]);
    for is_right in [false, true] {
        let (status, answer) = visitor.post(&format!("{path}/test"), &json!({})).await;
        let outcome = (status, &answer["success"]);
        assert_eq!(outcome, (200, &json!(is_right)), "{answer}");
    }
    let (status, _) = visitor.put(&path, &json!({"client_secret": CANARY})).await;
    assert_eq!(status, 200);
    let (status, _) = visitor.put(&path, &json!({"tenant_id": CANARY})).await;
    assert_eq!(status, 422);
    let (status, _) = visitor.post(&format!("{path}/discover"), &json!({})).await;
    assert_eq!(status, 200);
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
        let place = "the answer to a malformed body";
        visitor.searcher.is_clean(place, &answer.bytes);
    }
}

/// The stores fail while it is being saved.
async fn walk_the_failing_paths(visitor: &Visitor, engine_path: &str, database_path: &str) {
    let faults = &visitor.world.faults;
    faults.secrets_are_down.store(true, Ordering::SeqCst);
    // One that is not stored yet: the same is not written again.
    let another = json!({ "password": format!("{CANARY}-another") });
    for path in [engine_path, database_path] {
        assert_eq!(visitor.put(path, &another).await.0, 503);
    }
    assert_eq!(visitor.post("/api/engines", &engine("four")).await.0, 503);
    faults.mend();
    for partition in ["engine", "database"] {
        faults.break_partition("databaseconfigs", partition);
        let nested =
            json!({"engine": engine("five"), "database": {"name": "x", "password": CANARY}});
        assert_eq!(visitor.post("/api/databases", &nested).await.0, 503);
        faults.mend();
    }
}

#[tokio::test]
async fn a_marked_password_is_found_nowhere_but_in_the_secret_store() {
    let log = capture();
    let entra = FakeEntra::start(CANARY, TOKEN).await.unwrap();
    let visitor = Visitor {
        world: World::with_entra(&entra, &[]).await,
        searcher: Searcher::default(),
    };
    walk_the_paths_of_entra_id(&visitor, &entra).await;
    let (engine_path, database_path) = walk_the_good_paths(&visitor).await;
    walk_the_bad_paths(&visitor, &engine_path, &database_path).await;
    walk_the_failing_paths(&visitor, &engine_path, &database_path).await;
    for path in [
        "/api/engines",
        "/api/databases",
        "/api/jobs",
        "/api/backups",
        "/api/openapi.json",
        "/api/audit/export?format=jsonl",
        "/api/configuration/export",
        &engine_path,
        &database_path,
    ] {
        assert_eq!(visitor.call(Method::GET, path, &Value::Null).await.0, 200);
    }
    let logged = log.bytes();
    let text = String::from_utf8_lossy(&logged);
    assert!(text.contains("answered"), "the log was captured");
    visitor.searcher.is_clean("the log", &logged);
    let files = look_through(&visitor.searcher, visitor.world.directory());
    assert!(files > 1, "the store has files");
    // What was written before a row that nobody knows of goes a day later.
    let installation = &visitor.world.installation;
    visitor.world.clean_secrets().await;
    let secrets = installation.storage.secrets.clone();
    let mut names = secrets.list().await.unwrap();
    names.retain(|name| !name.as_str().starts_with("dilux-audit-"));
    assert_eq!(
        names.len(),
        5,
        "three engines and two databases keep a secret: {names:?}"
    );
    for name in names {
        let kept = secrets.get(&name).await.unwrap().unwrap();
        assert_eq!(kept.expose(), CANARY, "the secret store has it");
    }
}
