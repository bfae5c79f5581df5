//! Lists that are sorted by name, read page by page with a cursor while others change them.

use serde_json::{Value, json};

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

#[tokio::test]
async fn what_is_no_cursor_is_refused_by_name() {
    let world = World::new().await;
    for list in ["/api/engines", "/api/databases", "/api/users"] {
        let answer = world.get(&format!("{list}?cursor=!")).await;
        assert_eq!(answer.refused_fields(), ["cursor"], "{list}");
    }
}
