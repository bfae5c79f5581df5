//! Things that tests find in place.

use serde_json::{Value, json};

use crate::server::PASSWORD;
use crate::world::World;

/// Registers an engine and gives its id.
pub(crate) async fn engine(world: &World, engine_type: &str, host: &str) -> String {
    let body = json!({
        "name": format!("{engine_type} at {host}"), "engine_type": engine_type, "host": host,
        "auth_method": "user_password", "username": "backup", "password": PASSWORD,
    });
    let answer = world.post("/api/engines", &body).await.expect(201);
    id(&answer["engine"])
}

/// Registers a database that signs in as its engine does, and gives its id.
pub(crate) async fn database(world: &World, engine: &str, name: &str) -> String {
    let body = json!({ "engine_id": engine, "database": { "name": name } });
    let answer = world.post("/api/databases", &body).await.expect(201);
    id(&answer["database"])
}

/// The id of a resource.
pub(crate) fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_owned()
}
