//! Acceptance scenario A-18 at every operation: secret store and tables that go away together, and
//! a process that dies, leave the old credentials or the new ones, and nothing else for long.

use std::collections::BTreeMap;

use axum::http::Method;
use dilux_core::model::{CredentialSource, UserName};
use dilux_core::secret::{SecretName, SecretValue};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::faults::Break;
use crate::seeds::id;
use crate::world::World;

const BREAKS: [Break; 3] = [Break::Refused, Break::Unanswered, Break::Dead];

/// After which a process that is silent counts as dead.
const LONG_ENOUGH: SignedDuration = SignedDuration::from_mins(1);

/// A world whose user names and passwords come in pairs: `user-N` with `password-N`.
struct Pairs {
    world: World,
    newest: usize,
}

impl Pairs {
    async fn new() -> Self {
        let world = World::new().await;
        Self { world, newest: 0 }
    }

    fn next(&mut self) -> (String, String) {
        self.newest += 1;
        let number = self.newest;
        (format!("user-{number}"), format!("password-{number}"))
    }

    fn new_engine(&mut self) -> Value {
        let (username, password) = self.next();
        let host = format!("host-{}", self.newest);
        json!({
            "name": host, "engine_type": "postgresql", "host": host,
            "username": username, "password": password,
        })
    }

    fn new_database(&mut self, engine: &str) -> Value {
        let (username, password) = self.next();
        json!({ "engine_id": engine, "database": {
            "name": format!("database-{}", self.newest), "use_engine_credentials": false,
            "username": username, "password": password,
        } })
    }

    fn rotation(&mut self) -> Value {
        let (username, password) = self.next();
        json!({ "username": username, "password": password, "test": false })
    }

    async fn engine(&mut self) -> String {
        let body = self.new_engine();
        id(&self.world.post("/api/engines", &body).await.expect(201)["engine"])
    }

    async fn database(&mut self, engine: &str) -> String {
        let body = self.new_database(engine);
        id(&self.world.post("/api/databases", &body).await.expect(201)["database"])
    }

    /// Makes a request while the stores go away after so many operations. Gives its status when it
    /// came to its end before that.
    async fn broken(&mut self, request: &Request, operations: usize, how: Break) -> Option<u16> {
        let Request { method, path, body } = request;
        self.world.faults.break_after(operations, how);
        let call = self.world.call_with(method.clone(), path, &[], Some(body));
        let answer = tokio::select! {
            answer = call => Some(answer),
            () = self.world.faults.died.notified() => None,
        };
        let left = *self.world.faults.operations_left.lock().unwrap();
        // Also what goes on after the answer may have died.
        if how == Break::Dead {
            self.world.restart();
        }
        self.world.faults.mend();
        self.world.clock.advance(LONG_ENOUGH);
        let is_over = left.is_some_and(|(left, _)| left > 0);
        answer.filter(|_| is_over).map(|answer| answer.status)
    }

    /// What the rows name, with the user name beside it.
    async fn named(&self) -> Vec<(SecretName, Option<UserName>)> {
        let repositories = &self.world.installation.repositories;
        let engines = repositories.engines.list().await.unwrap();
        let databases = repositories.databases.list().await.unwrap();
        assert!(engines.damaged.is_empty() && databases.damaged.is_empty());
        let of_engines = engines
            .items
            .into_iter()
            .filter_map(|row| Some((row.value.secret?, row.value.username)));
        let of_databases =
            databases
                .items
                .into_iter()
                .filter_map(|row| match row.value.credentials {
                    CredentialSource::Engine => None,
                    CredentialSource::Own {
                        secret, username, ..
                    } => Some((secret?, username)),
                });
        of_engines.chain(of_databases).collect()
    }

    /// Every row must name a password that is there, and that belongs to its user name.
    async fn are_whole(&self, context: &str) {
        let secrets = &self.world.installation.storage.secrets;
        for (name, username) in self.named().await {
            let secret = secrets.get(&name).await.unwrap();
            let secret = secret.as_ref().map(SecretValue::expose);
            let expected = username.map(|name| name.as_str().replace("user-", "password-"));
            assert_eq!(secret, expected.as_deref(), "{context}: {}", name.as_str());
        }
    }

    /// After a day nothing else may be left in the secret store, nor noted anywhere.
    async fn leave_nothing_behind(&self, context: &str) {
        let installation = &self.world.installation;
        let cleaning = self.world.clean_secrets().await;
        assert_eq!(
            (cleaning.waiting, cleaning.unclear),
            (0, 0),
            "{context}: {cleaning:?}"
        );
        self.are_whole(context).await;
        let mut named: Vec<SecretName> = self.named().await.into_iter().map(|it| it.0).collect();
        named.sort();
        let mut kept = installation.storage.secrets.list().await.unwrap();
        kept.retain(|name| !name.as_str().starts_with("dilux-audit-"));
        kept.sort();
        assert_eq!(kept, named, "{context}");
        let notes = installation.repositories.secret_notes.list().await.unwrap();
        assert!(notes.items.is_empty(), "{context}: {notes:?}");
    }
}

struct Request {
    method: Method,
    path: String,
    body: Value,
}

/// Makes requests until one comes to its end, each with stores that go away an operation later.
async fn break_everywhere(mut prepare: impl AsyncFnMut(&mut Pairs) -> Request) {
    for how in BREAKS {
        let mut pairs = Pairs::new().await;
        let mut operations = 1;
        loop {
            let request = prepare(&mut pairs).await;
            let status = pairs.broken(&request, operations, how).await;
            let context = format!("{} {} {how:?} {operations}", request.method, request.path);
            pairs.are_whole(&context).await;
            if let Some(status) = status {
                assert!(status < 300, "{context}: {status}");
                break;
            }
            operations += 1;
            assert!(operations < 200, "{context} never ends");
        }
        assert!(operations > 5, "{how:?}: only {operations} operations");
        pairs.leave_nothing_behind(&format!("{how:?}")).await;
    }
}

#[tokio::test]
async fn a_18_credentials_of_an_engine_are_the_old_or_the_new_ones_wherever_a_change_breaks() {
    for path in ["", "/credentials"] {
        let mut engine = None;
        break_everywhere(async |pairs| {
            if pairs.newest == 0 {
                engine = Some(pairs.engine().await);
            }
            let engine = engine.as_deref().unwrap();
            Request {
                method: Method::PUT,
                path: format!("/api/engines/{engine}{path}"),
                body: {
                    let mut body = pairs.rotation();
                    if path.is_empty() {
                        body.as_object_mut().unwrap().remove("test");
                    }
                    body
                },
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_18_credentials_of_a_database_are_the_old_or_the_new_ones_wherever_a_change_breaks() {
    let mut database = None;
    break_everywhere(async |pairs| {
        if pairs.newest == 0 {
            let engine = pairs.engine().await;
            database = Some(pairs.database(&engine).await);
        }
        let mut body = pairs.rotation();
        body.as_object_mut().unwrap().remove("test");
        body["use_engine_credentials"] = json!(false);
        let database = database.as_deref().unwrap();
        Request {
            method: Method::PUT,
            path: format!("/api/databases/{database}"),
            body,
        }
    })
    .await;
}

#[tokio::test]
async fn a_18_credentials_that_are_given_up_are_whole_or_gone_wherever_that_breaks() {
    break_everywhere(async |pairs| {
        let engine = pairs.engine().await;
        let database = pairs.database(&engine).await;
        Request {
            method: Method::PUT,
            path: format!("/api/databases/{database}"),
            body: json!({ "use_engine_credentials": true }),
        }
    })
    .await;
}

#[tokio::test]
async fn a_18_registrations_and_removals_leave_no_password_behind_wherever_they_break() {
    break_everywhere(async |pairs| Request {
        method: Method::POST,
        path: "/api/engines".to_owned(),
        body: pairs.new_engine(),
    })
    .await;
    break_everywhere(async |pairs| {
        let engine = pairs.new_engine();
        let mut body = pairs.new_database("");
        body.as_object_mut().unwrap().remove("engine_id");
        body["engine"] = engine;
        Request {
            method: Method::POST,
            path: "/api/databases".to_owned(),
            body,
        }
    })
    .await;
    break_everywhere(async |pairs| {
        let engine = pairs.engine().await;
        let database = pairs.database(&engine).await;
        Request {
            method: Method::DELETE,
            path: format!("/api/databases/{database}"),
            body: json!({}),
        }
    })
    .await;
    break_everywhere(async |pairs| {
        let engine = pairs.engine().await;
        pairs.database(&engine).await;
        Request {
            method: Method::DELETE,
            path: format!("/api/engines/{engine}?delete_databases=true"),
            body: json!({}),
        }
    })
    .await;
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }
}

async fn any_request(pairs: &mut Pairs, dice: &mut Dice) -> Request {
    let repositories = &pairs.world.installation.repositories;
    let engines = repositories.engines.list().await.unwrap().items;
    let databases = repositories.databases.list().await.unwrap().items;
    let (method, path, body) = match (dice.roll(8), engines.len(), databases.len()) {
        (0 | 1, ..) | (_, 0, _) => (Method::POST, "/api/engines".to_owned(), pairs.new_engine()),
        (2 | 3, count, _) => {
            let engine = engines[dice.roll(count)].value.id.to_string();
            let body = pairs.new_database(&engine);
            (Method::POST, "/api/databases".to_owned(), body)
        }
        (6, count, _) => {
            let engine = &engines[dice.roll(count)].value.id;
            let path = format!("/api/engines/{engine}?delete_databases=true");
            (Method::DELETE, path, json!({}))
        }
        (4, count, _) | (_, count, 0) => {
            let engine = &engines[dice.roll(count)].value.id;
            let path = format!("/api/engines/{engine}/credentials");
            (Method::PUT, path, pairs.rotation())
        }
        (5, _, count) => {
            let database = &databases[dice.roll(count)].value.id;
            let mut body = pairs.rotation();
            body.as_object_mut().unwrap().remove("test");
            body["use_engine_credentials"] = json!(false);
            (Method::PUT, format!("/api/databases/{database}"), body)
        }
        (_, _, count) => {
            let database = &databases[dice.roll(count)].value.id;
            let path = format!("/api/databases/{database}");
            (Method::DELETE, path, json!({}))
        }
    };
    Request { method, path, body }
}

#[tokio::test]
async fn no_sequence_of_broken_changes_leaves_a_row_that_names_a_missing_password() {
    const RUNS: u64 = 12;
    const REQUESTS: usize = 40;
    let mut ends: BTreeMap<bool, usize> = BTreeMap::new();
    for run in 1..=RUNS {
        let mut dice = Dice(run.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut pairs = Pairs::new().await;
        for number in 0..REQUESTS {
            let request = any_request(&mut pairs, &mut dice).await;
            let how = BREAKS[dice.roll(BREAKS.len())];
            let operations = 1 + dice.roll(60);
            let status = pairs.broken(&request, operations, how).await;
            *ends.entry(status.is_some()).or_default() += 1;
            let context = format!(
                "run {run}, request {number}: {} {} {how:?} {operations}",
                request.method, request.path
            );
            pairs.are_whole(&context).await;
            if dice.roll(4) == 0 {
                pairs.world.clock.advance(SignedDuration::from_hours(9));
                let custody = pairs.world.installation.custody();
                let operations = dice.roll(12) + 1;
                pairs
                    .world
                    .faults
                    .break_after(operations, Break::Unanswered);
                custody.clean().await.unwrap_or_default();
                pairs.world.faults.mend();
                pairs.are_whole(&context).await;
            }
        }
        pairs.leave_nothing_behind(&format!("run {run}")).await;
    }
    assert!(ends[&false] > 100 && ends[&true] > 50, "{ends:?}");
}
