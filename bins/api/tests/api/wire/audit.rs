//! The recorded requests to the audit log, against the log that they were answered from.

use dilux_core::model::AuditEntry;
use dilux_core::storage::{Condition, Entity, EntityKey, TableName, TableOperation, Value as Cell};
use serde_json::{Map, Value};

use super::compare::{Difference, compare, instant};
use super::example::{Bindings, Example, audit_examples};
use super::send;
use crate::world::{TOKEN, World};

const ENTRIES: &str = include_str!("../../wire/audit-rows.json");
const LEGACY: &str = include_str!("../../wire/audit-rows-legacy.json");

/// Sends the examples of an empty log, of the recorded one, and of one with rows of the layout
/// before, and gives what differs.
pub(super) async fn replay() -> Vec<Difference> {
    let (fresh, later): (Vec<_>, Vec<_>) = audit_examples()
        .into_iter()
        .partition(|it| it.name.starts_with("fresh."));
    let (legacy, seeded): (Vec<_>, Vec<_>) = later
        .into_iter()
        .partition(|it| it.name.starts_with("legacy."));
    let mut bindings = Bindings::default();
    let world = World::new().await;
    let mut found = ask(&world, fresh, &mut bindings).await;
    plant(&world, &mut bindings).await;
    found.extend(ask(&world, seeded, &mut bindings).await);
    let world = World::new().await;
    plant_legacy(&world).await;
    found.extend(ask(&world, legacy, &mut bindings).await);
    found
}

async fn ask(world: &World, examples: Vec<Example>, bindings: &mut Bindings) -> Vec<Difference> {
    let mut found = Vec::new();
    let headers = [
        ("host", "localhost:7071".to_owned()),
        ("authorization", format!("Bearer {TOKEN}")),
    ];
    for example in examples {
        let answer = send(world, &example, bindings, &headers).await;
        found.extend(compare(&example, &answer, bindings));
    }
    found
}

/// Appends the recorded entries, each id a placeholder stands for being its name.
async fn plant(world: &World, bindings: &mut Bindings) {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(ENTRIES).unwrap();
    assert_eq!(rows.len(), 38);
    for row in rows {
        bind_names(&Value::Object(row.clone()).to_string(), bindings);
        let text = |name: &str| bindings.fill(row[name].as_str().unwrap());
        let optional = |name: &str| row[name].as_str().map(|text| bindings.fill(text));
        let details = bindings.fill_all(&row["details"]);
        let entry = AuditEntry {
            id: text("id").parse().unwrap(),
            at: instant(&text("timestamp")).unwrap(),
            user_id: text("user_id"),
            user_email: text("user_email"),
            action: text("action").parse().unwrap(),
            resource_type: text("resource_type").parse().unwrap(),
            resource_id: text("resource_id"),
            resource_name: text("resource_name"),
            details: details.as_object().cloned().unwrap_or_default(),
            status: text("status").parse().unwrap(),
            error_message: optional("error_message"),
            ip_address: text("ip_address").parse().ok(),
            intent_id: None,
        };
        let audit = &world.installation.repositories.audit;
        audit.append(&entry).await.unwrap();
    }
}

fn bind_names(text: &str, bindings: &mut Bindings) {
    for part in text.split("{{").skip(1) {
        let (placeholder, _) = part.split_once("}}").unwrap();
        let (_, name) = placeholder.split_once(':').unwrap();
        bindings.bind(&format!("{{{{{placeholder}}}}}"), name);
    }
}

async fn plant_legacy(world: &World) {
    let rows: Vec<Map<String, Value>> = serde_json::from_str(LEGACY).unwrap();
    for row in rows {
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let mut entity = Entity::new(EntityKey::new(text("PartitionKey"), text("RowKey")));
        for (name, value) in &row {
            if !name.ends_with("Key") {
                let value = Cell::String(value.as_str().unwrap().to_owned());
                entity = entity.with(name, value);
            }
        }
        let table = TableName::new("auditlogs").unwrap();
        let write = TableOperation::Replace(entity, Condition::None);
        let tables = &world.installation.storage.tables;
        tables.write(&table, write).await.unwrap();
    }
}
