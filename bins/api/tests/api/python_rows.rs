//! The rows of a Python installation: its engines and databases go on, with the passwords that its
//! vault keeps.

use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::storage::{Entity, EntityKey, TableName, TableOperation, Value as Cell};
use serde_json::{Value, json};

use crate::server::PASSWORD;
use crate::world::World;

const ENGINE: &str = "314e613a-6c94-4090-91d2-87977db2c309";
const DATABASE: &str = "0a27b2b5-0116-484d-99d1-17eb2de60999";
const FOLLOWER: &str = "c6a1a7c5-8d04-4341-a173-9666838d9830";

/// Rows as the Python product wrote them, both kinds in one table.
fn rows() -> Value {
    json!([
        {
            "PartitionKey": "engine", "RowKey": ENGINE, "name": "MySQL Production",
            "engine_type": "mysql", "host": "mysql01.example.internal", "port": 3306,
            "auth_method": "user_password", "username": "backup_user",
            "password_secret_name": format!("engine-{ENGINE}"), "connection_string": "",
            "policy_id": "production-critical", "discovery_enabled": true,
            "last_discovery": "2025-12-10T12:00:03.601266",
            "created_at": "2025-12-10T12:00:00.188244", "updated_at": "2025-12-10T12:00:03.604569",
            "created_by": "alice.admin@example.com",
        },
        {
            "PartitionKey": "database", "RowKey": DATABASE, "name": "CRM Production",
            "database_type": "mysql", "engine_id": ENGINE, "use_engine_credentials": false,
            "host": "mysql01.example.internal", "port": 3306, "database_name": "crm",
            "auth_method": "", "username": "crm_backup",
            "password_secret_name": format!("database-{DATABASE}"), "policy_id": "weekly-dev",
            "use_engine_policy": false, "enabled": true, "schedule": "", "retention_days": 0,
            "backup_destination": "", "compression": true, "tags": "{'env': 'prod'}",
            "created_at": "2025-12-10T12:00:00.268852", "updated_at": "2025-12-10T12:00:02.977129",
            "created_by": "",
        },
        {
            "PartitionKey": "database", "RowKey": FOLLOWER, "name": "Orders",
            "database_type": "mysql", "engine_id": ENGINE, "use_engine_credentials": true,
            "host": "mysql01.example.internal", "port": 3306, "database_name": "orders",
            "auth_method": "", "username": "backup_user", "password_secret_name": "",
            "policy_id": "", "use_engine_policy": true, "enabled": true, "schedule": "",
            "retention_days": 0, "backup_destination": "", "compression": true, "tags": "{}",
            "created_at": "2025-12-10T12:00:00.252906", "updated_at": "2025-12-10T12:00:00.252918",
            "created_by": "",
        },
    ])
}

fn entity(row: &Value) -> Entity {
    let text = |name: &str| row[name].as_str().unwrap();
    let key = EntityKey::new(text("PartitionKey"), text("RowKey"));
    let properties = row.as_object().unwrap().iter();
    properties.fold(Entity::new(key), |entity, (name, value)| match value {
        _ if name.ends_with("Key") => entity,
        Value::Bool(flag) => entity.with(name, Cell::Bool(*flag)),
        Value::Number(number) => {
            let number = i32::try_from(number.as_i64().unwrap()).unwrap();
            entity.with(name, Cell::I32(number))
        }
        other => entity.with(name, Cell::String(other.as_str().unwrap().to_owned())),
    })
}

async fn installation() -> World {
    let world = World::new().await;
    let storage = &world.installation.storage;
    let table = TableName::new("databaseconfigs").unwrap();
    for row in rows().as_array().unwrap() {
        let write = TableOperation::Insert(entity(row));
        storage.tables.write(&table, write).await.unwrap();
    }
    for name in [format!("engine-{ENGINE}"), format!("database-{DATABASE}")] {
        let name = SecretName::new(name).unwrap();
        let password = SecretValue::new(PASSWORD);
        storage.secrets.set(&name, &password).await.unwrap();
    }
    world
}

#[tokio::test]
async fn its_engines_and_databases_are_listed_as_they_were() {
    let world = installation().await;
    let engines = world.get("/api/engines").await.expect(200);
    assert_eq!(engines["damaged"], json!([]));
    let engine = &engines["items"][0];
    assert_eq!(engine["id"], json!(ENGINE));
    assert_eq!(engine["name"], json!("MySQL Production"));
    assert_eq!(engine["policy_id"], json!("production-critical"));
    assert_eq!(engine["created_at"], json!("2025-12-10T12:00:00.188244Z"));
    assert_eq!(
        engine["last_discovery"],
        json!("2025-12-10T12:00:03.601266Z")
    );
    let databases = world.get("/api/databases").await.expect(200);
    assert_eq!(databases["damaged"], json!([]));
    assert_eq!(databases["count"], json!(2));
    for database in databases["databases"].as_array().unwrap() {
        assert_eq!(database["engine_id"], json!(ENGINE));
        assert_eq!(database["host"], json!("mysql01.example.internal"));
    }
    let of_engine = world
        .get(&format!("/api/databases?engine_id={ENGINE}"))
        .await;
    assert_eq!(of_engine.expect(200)["count"], json!(2));
}

#[tokio::test]
async fn the_passwords_of_its_vault_open_its_servers() {
    let world = installation().await;
    let none = json!({});
    for path in [
        format!("/api/engines/{ENGINE}/test"),
        format!("/api/databases/{DATABASE}/test"),
        format!("/api/databases/{FOLLOWER}/test"),
    ] {
        let tested = world.post(&path, &none).await.expect(200);
        assert_eq!(tested["success"], json!(true), "{path}: {tested}");
    }
    let path = format!("/api/databases/{FOLLOWER}/backup");
    world.post(&path, &none).await.expect(202);
}

#[tokio::test]
async fn they_are_changed_and_removed_as_any_others() {
    let world = installation().await;
    let path = format!("/api/engines/{ENGINE}");
    let renamed = world
        .put(&path, &json!({"name": "Sales"}))
        .await
        .expect(200);
    assert_eq!(renamed["engine"]["name"], json!("Sales"));
    let password = json!({"username": "u", "password": PASSWORD});
    world
        .put(&format!("{path}/credentials"), &password)
        .await
        .expect(200);
    let tested = world.post(&format!("{path}/test"), &json!({})).await;
    assert_eq!(tested.expect(200)["success"], json!(true));
    world.delete(&path).await.expect(400);
    let all = format!("{path}?delete_databases=true");
    world.delete(&all).await.expect(200);
    world.get(&path).await.expect(404);
    let left = world.get("/api/databases").await.expect(200);
    assert_eq!(left["count"], json!(0));
}
