//! A marked password in every field that takes one, while everything works and while everything
//! fails, is found nowhere but in the secret store.

mod account;
mod places;

use dilux_journeys::{Client, Home, RecordingTools, Sample, Service, StoreKind, Watch, text};
use dilux_testkit::canary::{CANARY, Searcher};
use reqwest::Method;
use serde_json::{Value, json};

use account::{ACCOUNT, admit, create_account};
use places::{look_into_the_secrets, look_through_files, look_through_the_stores};

/// An installation that is looked at from all sides.
struct Scene {
    sample: Sample,
    client: Client,
    searcher: Searcher,
    tools: RecordingTools,
    services: [Service; 3],
    home: Home,
}

impl Scene {
    async fn set(kind: StoreKind, sample: Sample) -> Self {
        let mut home = Home::new(kind).unwrap();
        let tools = RecordingTools::new(home.path()).unwrap();
        home.set("DILUX_TOOL_PATH", tools.path());
        home.set("DILUX_RETRY_ATTEMPTS", "1");
        home.set("LOG_LEVEL", "trace");
        let (api, client) = home.start_api().await.unwrap();
        let services = [
            api,
            home.start("dilux-scheduler").unwrap(),
            home.start("dilux-processor").unwrap(),
        ];
        Self {
            sample,
            client,
            searcher: Searcher::default(),
            tools,
            services,
            home,
        }
    }

    /// Calls, and looks through the answer.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (status, answer) = self.client.call(method.clone(), path, body).await.unwrap();
        let place = format!("the answer of {method} {path}");
        self.searcher
            .is_clean(&place, answer.to_string().as_bytes());
        if let Value::String(text) = &answer {
            self.searcher.is_clean(&place, text.as_bytes());
        }
        (status.as_u16(), answer)
    }

    /// Sends a body, which must be answered so.
    async fn send(&self, (method, path): (Method, &str), body: &Value, expected: u16) -> Value {
        let (status, answer) = self.call(method.clone(), path, Some(body)).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        answer
    }

    async fn post(&self, path: &str, body: Value, expected: u16) -> Value {
        self.send((Method::POST, path), &body, expected).await
    }

    async fn put(&self, path: &str, body: Value, expected: u16) -> Value {
        self.send((Method::PUT, path), &body, expected).await
    }

    /// Waits for the job of an answer, which must end so.
    async fn ends(&self, answer: &Value, status: &str) -> Value {
        let job = text(answer, "/job_id").unwrap();
        let job = self.client.finished(&job).await.unwrap();
        assert_eq!(job["status"], json!(status), "{job}");
        let path = format!("/jobs/{}", text(&job, "/id").unwrap());
        self.call(Method::GET, &path, None).await;
        job
    }

    fn address(&self) -> Value {
        json!({"host": "127.0.0.1", "port": self.sample.port()})
    }

    fn engine(&self) -> Value {
        let mut engine = self.address();
        engine["name"] = json!("Marked");
        engine["engine_type"] = json!(self.sample.engine_type().as_str());
        engine["username"] = json!(ACCOUNT);
        engine["password"] = json!(CANARY);
        engine["discover_databases"] = json!(true);
        engine
    }

    /// The same as one text.
    fn text_form(&self) -> Value {
        let password = CANARY.replace('\'', "''");
        let text = format!(
            "Server=127.0.0.1;Port={};Database=shop;User Id={ACCOUNT};Password='{password}'",
            self.sample.port()
        );
        let engine_type = self.sample.engine_type();
        json!({"database_type": engine_type.as_str(), "connection_string": text})
    }

    fn form(&self) -> Value {
        let mut form = self.address();
        form["database_type"] = json!(self.sample.engine_type().as_str());
        form["database_name"] = json!("shop");
        form["username"] = json!(ACCOUNT);
        form["password"] = json!(CANARY);
        form
    }
}

/// An engine, a database that signs in as it does, and one with a password of its own.
struct Registered {
    engine: String,
    inheriting: String,
    own: String,
}

async fn register(scene: &Scene) -> Registered {
    let engine = scene.post("/engines", scene.engine(), 201).await;
    let engine = text(&engine, "/engine/id").unwrap();
    let database = |name: &str, own: bool| {
        let mut database = json!({"name": name, "alias": name, "enabled": false,
            "use_engine_credentials": !own});
        if own {
            database["username"] = json!(ACCOUNT);
            database["password"] = json!(CANARY);
        }
        json!({"engine_id": engine, "database": database})
    };
    let answer = scene.post("/databases", database("shop", false), 201).await;
    let inheriting = text(&answer, "/database/id").unwrap();
    let answer = scene.post("/databases", database("other", true), 201).await;
    Registered {
        own: text(&answer, "/database/id").unwrap(),
        inheriting,
        engine,
    }
}

/// The server does not take the password.
async fn while_it_is_refused(scene: &Scene, known: &Registered) {
    let Registered {
        engine,
        inheriting,
        own,
    } = known;
    for path in [
        format!("/engines/{engine}/test"),
        format!("/databases/{inheriting}/test"),
        format!("/databases/{own}/test"),
    ] {
        let test = scene.post(&path, json!({}), 200).await;
        assert_eq!(test["success"], json!(false), "{test}");
    }
    let form = scene
        .post("/databases/test-connection", scene.form(), 200)
        .await;
    assert_eq!(form["success"], json!(false), "{form}");
    scene
        .post(&format!("/engines/{engine}/discover"), json!({}), 400)
        .await;
    let credentials = json!({"username": ACCOUNT, "password": CANARY});
    let path = format!("/engines/{engine}/credentials");
    scene.put(&path, credentials, 400).await;
    let apply = format!("/engines/{engine}/apply-credentials");
    let applied = scene.post(&apply, json!({"all": true}), 200).await;
    assert!(
        !applied["errors"].as_array().unwrap().is_empty(),
        "{applied}"
    );
    for database in [inheriting, own] {
        let path = format!("/databases/{database}/backup");
        let started = scene.post(&path, json!({}), 202).await;
        let job = scene.ends(&started, "failed").await;
        assert_eq!(job["error_kind"], json!("authentication"), "{job}");
    }
}

/// The server takes it. Gives the id of a backup.
async fn while_it_is_taken(scene: &Scene, known: &Registered) -> String {
    let Registered {
        engine,
        inheriting,
        own,
    } = known;
    let credentials = json!({"username": ACCOUNT, "password": CANARY});
    let path = format!("/engines/{engine}/credentials");
    scene.put(&path, credentials.clone(), 200).await;
    scene
        .put(&format!("/engines/{engine}"), credentials.clone(), 200)
        .await;
    scene
        .put(&format!("/databases/{own}"), credentials, 200)
        .await;
    for path in [
        format!("/engines/{engine}/test"),
        format!("/databases/{inheriting}/test"),
        format!("/databases/{own}/test"),
    ] {
        let test = scene.post(&path, json!({}), 200).await;
        assert_eq!(test["success"], json!(true), "{test}");
    }
    for form in [scene.form(), scene.text_form()] {
        let form = scene.post("/databases/test-connection", form, 200).await;
        assert_eq!(form["success"], json!(true), "{form}");
    }
    let found = scene
        .post(&format!("/engines/{engine}/discover"), json!({}), 200)
        .await;
    assert!(found.to_string().contains("\"shop\""), "{found}");
    let path = format!("/databases/{inheriting}/backup");
    let started = scene.post(&path, json!({}), 202).await;
    let job = scene.ends(&started, "completed").await;
    let backup = text(&job, "/backup_id").unwrap();
    let path = format!("/backups/{backup}/restore");
    let target = json!({"target_database": "shop_copy", "compare_with_source": true});
    let restore = scene.post(&path, target, 202).await;
    let restore = scene.ends(&restore, "completed").await;
    assert_eq!(
        restore["restore"]["comparison"]["equal"],
        json!(true),
        "{restore}"
    );
    let path = format!("/backups/{backup}/verify");
    for body in [json!({}), json!({"engine_id": engine})] {
        let started = scene.post(&path, body, 202).await;
        scene.ends(&started, "completed").await;
    }
    backup
}

/// The server takes it no more, and what runs with it fails.
async fn once_it_is_withdrawn(scene: &Scene, known: &Registered, backup: &str) {
    let path = format!("/backups/{backup}/restore");
    let restore = scene
        .post(&path, json!({"target_database": "never"}), 202)
        .await;
    scene.ends(&restore, "failed").await;
    let path = format!("/backups/{backup}/verify");
    let rehearsal = scene
        .post(&path, json!({"engine_id": known.engine}), 202)
        .await;
    scene.ends(&rehearsal, "failed").await;
}

/// Where it does not belong, or cannot be read.
async fn in_the_wrong_places(scene: &Scene, known: &Registered) {
    for field in [
        "engine_type",
        "host",
        "port",
        "auth_method",
        "policy_id",
        "max_jobs",
    ] {
        let mut body = scene.engine();
        body[field] = json!(CANARY);
        scene.post("/engines", body, 422).await;
    }
    for value in [json!([CANARY]), json!({CANARY: CANARY})] {
        let path = format!("/databases/{}", known.own);
        scene.put(&path, json!({"password": value}), 422).await;
    }
    let mut body = scene.engine();
    body["connection_string"] = json!(format!("Server=h;User Id=u;Password={CANARY}"));
    scene.post("/engines", body, 422).await;
}

/// Passwords of people.
async fn of_people(scene: &Scene) {
    let person = |email: &str| json!({"email": email, "name": "Ann", "password": CANARY});
    scene
        .post("/auth/setup", person("ann@example.com"), 201)
        .await;
    scene
        .post("/auth/setup", person("bob@example.com"), 409)
        .await;
    let body = json!({"email": "eve@example.com", "role": "viewer"});
    let invited = scene.client.post("/users", &body).await.unwrap();
    let invitation = text(&invited, "/invitation").unwrap();
    for (text, status) in [("wrong", 400), (&*invitation, 200)] {
        let mut body = person("eve@example.com");
        body["invitation"] = json!(text);
        body.as_object_mut().unwrap().remove("name");
        scene.post("/auth/invitation", body, status).await;
    }
}

/// Every route that can be read, exports included.
async fn read_everything(scene: &Scene, known: &Registered, backup: &str) {
    let (_, document) = scene.call(Method::GET, "/openapi.json", None).await;
    let mut read = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let streams = operations["get"].to_string().contains("text/event-stream");
        if operations["get"].is_null() || streams {
            continue;
        }
        let path = path
            .trim_start_matches("/api")
            .replace("{engine_id}", &known.engine)
            .replace("{database_id}", &known.inheriting)
            .replace("{backup_id}", backup);
        let (status, _) = scene.call(Method::GET, &path, None).await;
        assert!(status < 500, "{path}: {status}");
        read += usize::from(status == 200);
    }
    for format in ["csv", "jsonl"] {
        let path = format!("/audit/export?format={format}");
        assert_eq!(scene.call(Method::GET, &path, None).await.0, 200);
    }
    assert!(read > 30, "{read} routes could be read");
}

async fn is_nowhere(kind: StoreKind, sample: Sample, tools: [&str; 2]) {
    sample.create_database("other").unwrap();
    let scene = Scene::set(kind, sample).await;
    let watch = Watch::over(scene.services.iter().map(Service::process_id).collect());
    create_account(&scene.sample);
    admit(&scene.sample, "another password");
    let known = register(&scene).await;
    while_it_is_refused(&scene, &known).await;
    admit(&scene.sample, CANARY);
    let backup = while_it_is_taken(&scene, &known).await;
    admit(&scene.sample, "another password");
    once_it_is_withdrawn(&scene, &known, &backup).await;
    in_the_wrong_places(&scene, &known).await;
    of_people(&scene).await;
    read_everything(&scene, &known, &backup).await;

    let seen = watch.end().unwrap();
    assert_eq!(
        seen.leaks.into_iter().collect::<Vec<_>>(),
        Vec::<String>::new()
    );
    for program in ["dilux-api", "dilux-scheduler", "dilux-processor"] {
        let is_seen = |seen: &String| program.starts_with(seen.as_str());
        assert!(
            seen.programs.iter().any(is_seen),
            "{program}: {:?}",
            seen.programs
        );
    }
    let recorded = scene.tools.recorded().unwrap();
    scene
        .searcher
        .is_clean("arguments and environments of tools", &recorded);
    assert!(
        memchr::memmem::find(&recorded, b"LC_ALL=C.UTF-8\0").is_some(),
        "environments were recorded"
    );
    for tool in tools {
        let starts = scene.tools.starts(tool).unwrap();
        assert!(starts >= 1, "{tool} was not started");
    }
    let installation = scene.home.look_inside().unwrap();
    look_through_the_stores(&scene.searcher, &installation).await;
    look_through_files(&scene.searcher, scene.home.path());
    look_into_the_secrets(&installation).await;
}

#[tokio::test]
async fn a_17_a_marked_password_of_postgresql_is_found_nowhere_but_in_the_secret_store() {
    let sample = Sample::postgresql().unwrap();
    is_nowhere(StoreKind::Embedded, sample, ["psql", "pg_dump"]).await;
}

#[tokio::test]
async fn a_17_a_marked_password_of_mariadb_is_found_nowhere_but_in_the_secret_store() {
    let sample = Sample::mariadb().unwrap();
    is_nowhere(StoreKind::Azurite, sample, ["mariadb", "mariadb-dump"]).await;
}
