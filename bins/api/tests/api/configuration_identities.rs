//! Who signs in at Entra ID, in documents: everybody is named, and no secret is.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::configuration::{IMPORT, export};
use crate::seeds::id;
use crate::world::World;

const SECRET: &str = "canary-secret-of-the-app";

fn engine(name: &str, method: &str, identity: &Value) -> Value {
    let mut body = json!({
        "name": name, "engine_type": "postgresql", "auth_method": method, "username": "backup",
        "host": format!("{}.postgres.database.azure.com", name.to_lowercase()),
    });
    let own = identity.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(own);
    body
}

/// An app, an identity of the platform, a database that signs in as another one.
async fn furnish(world: &World) {
    let app =
        json!({ "tenant_id": "contoso.example", "client_id": "app-1", "client_secret": SECRET });
    for body in [
        engine("Sales", "azure_ad", &app),
        engine("Itself", "azure_ad", &json!({})),
        engine(
            "Shop",
            "managed_identity",
            &json!({ "client_id": "identity-7" }),
        ),
    ] {
        let created = world.post("/api/engines", &body).await.expect(201);
        if body["name"] == "Shop" {
            let own = json!({
                "engine_id": id(&created["engine"]), "name": "Staff", "database_name": "staff",
                "auth_method": "managed_identity", "username": "staff", "client_id": "identity-8",
            });
            world.post("/api/databases", &own).await.expect(201);
        }
    }
}

/// The entry of this label.
fn entry<'a>(document: &'a mut Value, list: &str, name: &str) -> &'a mut Value {
    let mut entries = document[list].as_array_mut().unwrap().iter_mut();
    entries.find(|entry| entry["name"] == name).unwrap()
}

#[tokio::test]
async fn whoever_signs_in_is_imported_and_only_an_app_asks_for_its_secret() {
    let (old, new) = (World::new().await, World::new().await);
    furnish(&old).await;
    let mut document = export(&old).await;
    assert!(!document.to_string().contains("canary"), "{document}");
    let named = |entry: &mut Value| ["tenant_id", "client_id"].map(|name| entry[name].take());
    let mut shown = document.clone();
    let app = named(entry(&mut shown, "engines", "Sales"));
    assert_eq!(app, [json!("contoso.example"), json!("app-1")]);
    let staff = named(entry(&mut shown, "databases", "Staff"));
    assert_eq!(staff, [Value::Null, json!("identity-8")]);

    let imported = new.post(IMPORT, &document).await.expect(200);
    let items = imported["items"].as_array().unwrap().iter();
    let asking: BTreeMap<&str, &Value> = items
        .filter(|item| item["kind"] == "engine" || item["kind"] == "database")
        .map(|item| (item["name"].as_str().unwrap(), &item["needs_password"]))
        .collect();
    let (yes, no) = (json!(true), json!(false));
    let expected = [
        ("Itself", &no),
        ("Sales", &yes),
        ("Shop", &no),
        ("Staff", &no),
    ];
    assert_eq!(asking, BTreeMap::from(expected));
    assert_eq!(export(&new).await, document);

    // Another identity of the platform is a change like any other, and so is none.
    entry(&mut document, "engines", "Shop")["client_id"] = json!("identity-9");
    entry(&mut document, "databases", "Staff")["client_id"] = Value::Null;
    let told = new.post(IMPORT, &document).await.expect(200);
    assert_eq!(told["updated"], json!(2), "{told}");
    let shown = told["items"].as_array().unwrap().iter();
    let changed: Vec<&Value> = shown.filter(|item| item["action"] == "update").collect();
    assert!(
        changed
            .iter()
            .all(|item| item["fields"] == json!(["client_id"])),
        "{told}"
    );
    assert_eq!(export(&new).await, document);
    // Without the secret that comes afterwards the app may still become another one.
    entry(&mut document, "engines", "Sales")["client_id"] = json!("app-2");
    new.post(IMPORT, &document).await.expect(200);
    assert_eq!(export(&new).await, document);
}

/// List and label of an entry, another value in it, and the field for which it is refused.
type Refused = (&'static str, &'static str, Value, &'static str);

fn refused() -> Vec<Refused> {
    vec![
        (
            "engines",
            "Sales",
            json!({ "client_id": "app-2" }),
            "client_id",
        ),
        (
            "engines",
            "Sales",
            json!({ "tenant_id": "other.example" }),
            "client_id",
        ),
        (
            "engines",
            "Sales",
            json!({ "auth_method": "managed_identity" }),
            "auth_method",
        ),
        (
            "engines",
            "Sales",
            json!({ "client_secret": SECRET }),
            "client_secret",
        ),
        (
            "engines",
            "Shop",
            json!({ "tenant_id": "contoso.example" }),
            "tenant_id",
        ),
        (
            "engines",
            "Itself",
            json!({ "tenant_id": "contoso.example" }),
            "client_id",
        ),
        (
            "databases",
            "Staff",
            json!({ "tenant_id": "contoso.example" }),
            "tenant_id",
        ),
        (
            "databases",
            "Staff",
            json!({ "client_id": "a/b" }),
            "client_id",
        ),
    ]
}

#[tokio::test]
async fn a_kept_secret_stays_with_its_app_and_nothing_is_named_that_is_not_used() {
    let world = World::new().await;
    furnish(&world).await;
    let before = export(&world).await;
    for (list, name, change, field) in refused() {
        let mut document = before.clone();
        let changed = entry(&mut document, list, name).as_object_mut().unwrap();
        // An identity of the platform names no tenant.
        if change["auth_method"] == "managed_identity" {
            changed.remove("tenant_id");
        }
        changed.extend(change.as_object().unwrap().clone());
        let refused = world.post(IMPORT, &document).await.refused_fields();
        let end = format!(".{field}");
        assert!(
            refused.len() == 1 && refused[0].ends_with(&end),
            "{change}: {refused:?}"
        );
        assert_eq!(export(&world).await, before);
    }
}
