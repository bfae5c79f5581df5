//! Documents that are not imported: wrong fields, and what an import must not do.

use serde_json::{Value, json};

use crate::configuration::{DRY_RUN, IMPORT, export, furnish};
use crate::world::World;

#[tokio::test]
async fn every_wrong_field_is_named_and_nothing_is_saved() {
    let world = World::new().await;
    furnish(&world).await;
    let before = export(&world).await;
    let document = json!({
        "format": "dilux-configuration", "version": 1,
        "settings": { "default_retention_days": 0 },
        "policies": [
            { "id": "p", "name": "P", "daily": { "enabled": true } },
            { "id": "p", "name": "Q" },
        ],
        "engines": [
            { "id": "e", "name": "E", "engine_type": "oracle", "host": "h" },
            { "id": "f", "name": "F", "engine_type": "mysql", "host": "h", "password": "x" },
            "none",
        ],
        "databases": [{ "id": "d", "engine_id": "f", "name": "D", "rpo_minutes": 1 }],
    });
    let expected = [
        "databases.0.database_name",
        "databases.0.rpo_minutes",
        "engines.0.engine_type",
        "engines.1.password",
        "engines.2",
        "policies.0.daily.keep_count",
        "policies.1.id",
        "settings.default_retention_days",
    ];
    for path in [IMPORT, DRY_RUN] {
        let answer = world.post(path, &document).await;
        assert_eq!(answer.refused_fields(), expected);
    }
    for (change, field) in [("format", json!("other")), ("version", json!(2))] {
        let mut other = before.clone();
        other[change] = field;
        let answer = world.post(IMPORT, &other).await;
        assert_eq!(answer.refused_fields(), [change]);
    }
    assert_eq!(export(&world).await, before);
}

/// The fields that an import is refused for; a dry run shows the same as conflicts, and neither
/// changes anything.
async fn conflicts(world: &World, document: &Value) -> Vec<String> {
    let before = export(world).await;
    let told = world.post(DRY_RUN, document).await.expect(200);
    let fields = world.post(IMPORT, document).await.refused_fields();
    assert!(told["conflicts"].as_u64().unwrap() > 0, "{told}");
    assert_eq!(export(world).await, before);
    fields
}

/// An entry with another value in a field.
fn with(entry: &Value, name: &str, value: Value) -> Value {
    let mut entry = entry.clone();
    entry[name] = value;
    entry
}

/// A list of a document, and the field for which it is refused.
type Refused = (&'static str, Value, &'static str);

fn refused_engines(engine: &str) -> Vec<Refused> {
    let server = |id: &str, host: &str| json!({ "id": id, "name": "X", "engine_type": "postgresql", "host": host, "port": 5433 });
    let orders = server(engine, "pg");
    let managed = with(&orders, "auth_method", json!("managed_identity"));
    let without_policy = with(&orders, "policy_id", json!("none"));
    vec![
        // Stored credentials would go to another host.
        (
            "engines",
            json!([server(engine, "elsewhere")]),
            "engines.0.host",
        ),
        // The platform's metadata.
        (
            "engines",
            json!([server("new", "169.254.169.254")]),
            "engines.0.host",
        ),
        (
            "engines",
            json!([orders, server("twin", "PG")]),
            "engines.1.id",
        ),
        // Its password would be deleted.
        ("engines", json!([managed]), "engines.0.auth_method"),
        ("engines", json!([without_policy]), "engines.0.policy_id"),
    ]
}

fn refused_databases(engine: &str, database: &str) -> Vec<Refused> {
    let shop = json!({
        "id": database, "engine_id": engine, "name": "Shop", "database_name": "shop",
    });
    let nowhere = with(&shop, "engine_id", json!("none"));
    let without_policy = with(&shop, "policy_id", json!("none"));
    let taken = with(&shop, "database_name", json!("staff"));
    let inheriting = with(&taken, "use_engine_credentials", json!(true));
    let inheriting = with(&inheriting, "id", json!("found-by-its-name"));
    vec![
        ("databases", json!([nowhere]), "databases.0.engine_id"),
        (
            "databases",
            json!([without_policy]),
            "databases.0.policy_id",
        ),
        ("databases", json!([taken]), "databases.0.database_name"),
        // Its own password would be deleted.
        (
            "databases",
            json!([inheriting]),
            "databases.0.use_engine_credentials",
        ),
    ]
}

fn refused_policies() -> Vec<Refused> {
    let system = json!({ "id": "x", "name": "X", "is_system": true });
    let taken = json!({ "id": "nightly-archive", "name": "development" });
    vec![
        ("policies", json!([system]), "policies.0.is_system"),
        ("policies", json!([taken]), "policies.0.name"),
    ]
}

#[tokio::test]
async fn what_an_import_must_not_do_is_a_conflict_and_stops_all_of_it() {
    let world = World::new().await;
    let (engine, database) = furnish(&world).await;
    let cases = [
        refused_engines(&engine),
        refused_databases(&engine, &database),
        refused_policies(),
    ]
    .concat();
    for (list, entries, expected) in cases {
        let mut document = json!({
            "format": "dilux-configuration", "version": 1, "settings": { "dark_mode": false },
        });
        document[list] = entries;
        assert_eq!(conflicts(&world, &document).await, [expected], "{document}");
    }
}
