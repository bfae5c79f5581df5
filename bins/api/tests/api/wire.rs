//! The recorded requests of the Python product against this API. Recorded are its 50 routes; kept
//! are those examples whose answer was right and whose route is served here, in the order in which
//! they were made, because each changes what the next one finds. Left out are rows that an earlier
//! version had written, and rows broken by hand: this store does not hold them.

mod audit;
mod compare;
mod deviations;
mod example;
mod front_end;
mod history;
mod people;

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Method, Request};
use dilux_api::openapi;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::world::{Answer, World};
use compare::{Difference, compare};
use deviations::{DEVIATIONS, Deviation};
use example::{Bindings, Example, arrangements, audit_examples, examples, recorded_routes};
use people::People;

/// A host that no server answers at.
const DOWN: &str = "mysql-down.example.internal";

/// The time at which the examples were recorded, for answers that count the days until now.
const RECORDED_AT: &str = "2025-12-10T12:00:00Z";

/// The first example that finds the recorded history.
const FIRST_READ: u32 = 37;

#[tokio::test]
async fn recorded_requests_are_answered_as_before() {
    let mut found = replay().await;
    found.extend(audit::replay().await);
    let unexpected: Vec<String> = found
        .iter()
        .filter(|difference| DEVIATIONS.iter().all(|known| !known.covers(difference)))
        .map(ToString::to_string)
        .collect();
    assert!(
        unexpected.is_empty(),
        "answers that changed:\n{}",
        unexpected.join("\n")
    );
    let outdated: Vec<String> = DEVIATIONS
        .iter()
        .flat_map(|known| outdated(known, &found))
        .collect();
    assert!(
        outdated.is_empty(),
        "deviations that are none any more:\n{}",
        outdated.join("\n")
    );
}

#[test]
fn each_recorded_route_that_is_served_is_replayed() {
    let recorded = recorded_routes();
    assert_eq!(recorded.len(), 50);
    let document = serde_json::to_value(openapi()).unwrap();
    let mut served = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            served.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let all = examples().into_iter().chain(audit_examples());
    let replayed: BTreeSet<String> = all.map(|it| it.route).collect();
    let due: BTreeSet<String> = recorded.intersection(&served).cloned().collect();
    assert_eq!(replayed, due);
}

#[test]
fn examples_have_names_of_their_own_and_deviations_name_examples() {
    let mut all = examples();
    all.extend(audit_examples());
    let names: BTreeSet<&str> = all.iter().map(|example| example.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
    for name in DEVIATIONS.iter().flat_map(|known| known.examples) {
        assert!(names.contains(name), "no example is called {name}");
    }
    for arrangement in arrangements() {
        assert!(names.contains(arrangement.before.as_str()));
    }
}

/// What of a deviation was not found again.
fn outdated(known: &Deviation, found: &[Difference]) -> Vec<String> {
    if known.examples.is_empty() {
        let is_found = found.iter().any(|difference| known.covers(difference));
        return Vec::from_iter((!is_found).then(|| format!("{} ({})", known.at, known.reason)));
    }
    let is_found = |name: &&&str| {
        found
            .iter()
            .any(|it| it.example == ***name && known.covers(it))
    };
    let missing = known.examples.iter().filter(|name| !is_found(name));
    missing
        .map(|name| format!("{name}: {} ({})", known.at, known.reason))
        .collect()
}

/// Sends every example and gives what differs.
async fn replay() -> Vec<Difference> {
    let world = World::new().await;
    world.server.down.lock().unwrap().push(DOWN);
    let mut people = People::register(&world).await;
    let mut bindings = Bindings::default();
    let mut found = Vec::new();
    let mut has_history = false;
    let recorded_at: Timestamp = RECORDED_AT.parse().unwrap();
    let mut prepared: BTreeMap<String, _> = arrangements()
        .into_iter()
        .map(|it| (it.before.clone(), it))
        .collect();
    for example in examples() {
        world.clock.advance(SignedDuration::from_secs(1));
        if !has_history && example.seq >= FIRST_READ {
            history::plant(&world, &mut bindings).await;
            has_history = true;
        }
        people.prepare(&world, &example).await;
        if let Some(arrangement) = prepared.remove(&example.name) {
            let body = bindings.fill_all(&arrangement.body);
            let answer = world.post(&arrangement.path, &body).await.expect(201);
            let thing =
                ["engine", "database", "policy", "user"].map(|key| answer[key]["id"].as_str());
            let id = thing.into_iter().flatten().next().unwrap();
            bindings.bind(&format!("{{{{uuid:{}}}}}", arrangement.gives), id);
        }
        *world.server.databases.lock().unwrap() = found_on_server(&example.answer);
        let headers = people.headers(&world, &example).await;
        let back = if counts_days(&example) {
            recorded_at.duration_since(world.installation.clock.now())
        } else {
            SignedDuration::ZERO
        };
        world.clock.advance(back);
        let answer = send(&world, &example, &bindings, &headers).await;
        world.clock.advance(-back);
        found.extend(compare(&example, &answer, &mut bindings));
    }
    found
}

/// Whether an answer depends on how long ago backups were made.
fn counts_days(example: &Example) -> bool {
    ["/api/system-status", "/api/backup-alerts"].contains(&example.path.as_str())
}

async fn send(
    world: &World,
    example: &Example,
    bindings: &Bindings,
    headers: &[(&str, String)],
) -> Answer {
    let (method, _) = example.route.split_once(' ').unwrap();
    let method: Method = method.parse().unwrap();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in &example.query {
        query.append_pair(name, &bindings.fill(value));
    }
    let path = format!("{}?{}", bindings.fill(&example.path), query.finish());
    let mut request = Request::builder().method(method).uri(&path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let body = match (&example.body, example.body["$raw"].as_str()) {
        (Value::Null, _) => Body::empty(),
        (_, Some(raw)) => Body::from(raw.to_owned()),
        (body, None) => Body::from(bindings.fill_all(body).to_string()),
    };
    world.send(request.body(body).unwrap()).await
}

/// The databases that an answer names as found on the server.
fn found_on_server(answer: &Value) -> Vec<(&'static str, bool)> {
    let lists = ["databases", "discovered_databases"].map(|key| answer[key].as_array());
    lists
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|it| {
            let name = it["name"].as_str()?.to_owned();
            Some((&*name.leak(), it["is_system"].as_bool()?))
        })
        .collect()
}
