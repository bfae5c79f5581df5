//! Lists that are sorted by name or time, read page by page with a cursor while others change them.

use dilux_core::model::{DeadLetterReason, JobId};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::dead_letters::set_aside;
use crate::seeds::{database, engine};
use crate::world::World;

/// Adds an entry of this name to a list.
async fn add(world: &World, list: &str, engine_id: &str, name: &str) {
    match list {
        "/api/engines" => {
            engine(world, "postgresql", name).await;
        }
        "/api/databases" => {
            database(world, engine_id, name).await;
        }
        _ => {
            let body = json!({ "email": format!("{name}@example.com") });
            world.post(list, &body).await.expect(201);
        }
    }
}

fn names(answer: &Value, key: &str, name: &str) -> Vec<String> {
    let items = answer[key].as_array().unwrap().iter();
    items
        .map(|item| item[name].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn pages_by_cursor_neither_skip_nor_repeat_while_entries_are_added() {
    let world = World::new().await;
    let engine_id = engine(&world, "mysql", "my").await;
    for (list, size, key, name) in [
        (
            "/api/engines?engine_type=postgresql&",
            "limit",
            "items",
            "name",
        ),
        ("/api/databases?", "limit", "databases", "name"),
        ("/api/users?", "page_size", "users", "email"),
    ] {
        let path = list.split('?').next().unwrap();
        for entry in ["bb", "dd", "ff", "hh", "jj"] {
            add(&world, path, &engine_id, entry).await;
        }
        let all = names(&world.get(list).await.expect(200), key, name);
        assert_eq!(all.len(), 5, "{all:?}");
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = format!("{list}{size}=2&cursor={cursor}");
            let answer = world.get(&page).await.expect(200);
            read.extend(names(&answer, key, name));
            // It goes before all that is there: by offset, the next page would repeat an entry.
            add(&world, path, &engine_id, &format!("a{}", read.len())).await;
            match answer["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(read, all, "{list}");
    }
}

/// A list that is given whole to whoever asks for no page: its path, the key of its entries, and the
/// key by which they are told apart here.
type Whole = (&'static str, &'static str, &'static str);

const WHOLE: [Whole; 4] = [
    ("/api/backup-policies", "policies", "name"),
    ("/api/dead-letters", "dead_letters", "text"),
    ("/api/alerts?kind=dead_letter&", "alerts", "message"),
    ("/api/tokens", "tokens", "name"),
];

/// Adds an entry to such a list: the newest, or of this name.
async fn add_to_whole(world: &World, path: &str, name: &str) {
    world.clock.advance(SignedDuration::from_secs(1));
    match path.split('?').next().unwrap() {
        "/api/backup-policies" => {
            let policy = json!({ "name": name, "daily": { "enabled": true, "keep_count": 7 } });
            world.post(path, &policy).await.expect(201);
        }
        "/api/tokens" => {
            let token = json!({ "name": name, "role": "viewer" });
            world.post(path, &token).await.expect(201);
        }
        _ => {
            let job = JobId::derive(&"d".parse().unwrap(), name);
            set_aside(world, name, DeadLetterReason::UnknownJob, Some(job)).await;
        }
    }
}

/// `path` with parameters behind it.
fn with(path: &str, parameters: &str) -> String {
    let joint = if path.contains('?') { "" } else { "?" };
    format!("{path}{joint}{parameters}")
}

#[tokio::test]
async fn who_asks_for_no_page_gets_the_whole_list() {
    for (path, key, name) in WHOLE {
        let world = World::new().await;
        let before = world.get(path).await.expect(200)["count"].as_u64().unwrap();
        for number in 0..120 {
            add_to_whole(&world, path, &format!("entry {number:03}")).await;
        }
        let answer = world.get(path).await.expect(200);
        let mut found = names(&answer, key, name);
        assert_eq!(found.len() as u64, before + 120, "{path}");
        assert_eq!(answer["count"], json!(before + 120), "{path}");
        assert_eq!(answer["total"], answer["count"], "{path}");
        assert_eq!(answer["next_cursor"], Value::Null, "{path}");
        let empty = world.get(&with(path, "limit=&cursor=")).await.expect(200);
        assert_eq!(empty, answer, "{path}");
        // From a cursor on it is the whole rest.
        let first = world.get(&with(path, "limit=7")).await.expect(200);
        assert_eq!(first["count"], json!(7), "{path}");
        assert_eq!(first["total"], answer["total"], "{path}");
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = world.get(&with(path, &format!("cursor={cursor}"))).await;
        let rest = names(&rest.expect(200), key, name);
        assert_eq!(rest, found.split_off(7), "{path}");
        assert_eq!(names(&first, key, name), found, "{path}");
    }
}

#[tokio::test]
async fn whole_lists_are_read_page_by_page_while_entries_come_and_go() {
    for (path, key, name) in WHOLE {
        let world = World::new().await;
        for entry in ["bb", "dd", "ff", "hh", "jj"] {
            add_to_whole(&world, path, entry).await;
        }
        let all = names(&world.get(path).await.expect(200), key, name);
        assert!(all.len() >= 5, "{all:?}");
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = with(path, &format!("limit=2&cursor={cursor}"));
            let answer = world.get(&page).await.expect(200);
            read.extend(names(&answer, key, name));
            // Nothing comes before the policies of the product, which are three.
            if key != "policies" || read.len() > 3 {
                // It goes before all that is there: by offset, the next page would repeat an entry.
                add_to_whole(&world, path, &format!("a{}", read.len())).await;
            }
            if read.len() == 4 {
                remove_last_read(&world, path, &answer, key).await;
            }
            match answer["next_cursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => break,
            }
        }
        assert_eq!(read, all, "{path}");
    }
}

/// Removes the entry after which the next page starts.
async fn remove_last_read(world: &World, path: &str, page: &Value, key: &str) {
    let last = page[key].as_array().unwrap().last().unwrap();
    let (collection, id) = match key {
        "alerts" => ("/api/dead-letters", &last["subject"]["id"]),
        _ => (path, &last["id"]),
    };
    if last["is_system"] != json!(true) {
        let path = format!("{collection}/{}", id.as_str().unwrap());
        world.delete(&path).await.expect(200);
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused_by_name() {
    let world = World::new().await;
    for (path, _, _) in WHOLE {
        for (parameters, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("cursor=!", "cursor"),
        ] {
            let answer = world.get(&with(path, parameters)).await;
            assert_eq!(answer.refused_fields(), [field], "{path} {parameters}");
        }
    }
}

#[tokio::test]
async fn what_is_no_cursor_is_refused_by_name() {
    let world = World::new().await;
    for list in ["/api/engines", "/api/databases", "/api/users"] {
        let answer = world.get(&format!("{list}?cursor=!")).await;
        assert_eq!(answer.refused_fields(), ["cursor"], "{list}");
    }
}
