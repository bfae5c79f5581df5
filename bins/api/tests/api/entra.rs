//! Engines and databases that sign in with tokens of Entra ID.

use axum::http::Method;
use dilux_testkit::entra::{FakeEntra, TokenAnswer};
use serde_json::{Value, json};

use crate::seeds::{database, id};
use crate::server::{PASSWORD, TOKEN};
use crate::who_may::token;
use crate::world::World;

const SECRET: &str = "canary-secret-of-the-app";
const HOST: &str = "shop.postgres.database.azure.com";

/// A world in which an app of this secret gets what the played server takes.
async fn world() -> (World, FakeEntra) {
    let entra = FakeEntra::start(SECRET, TOKEN).await.unwrap();
    let world = World::with_entra(&entra, &[]).await;
    (world, entra)
}

fn app() -> Value {
    json!({
        "name": "Sales", "engine_type": "postgresql", "host": HOST, "auth_method": "azure_ad",
        "username": "dilux-backup", "tenant_id": "contoso.example", "client_id": "app-1",
        "client_secret": SECRET,
    })
}

fn managed() -> Value {
    json!({
        "name": "Shop", "engine_type": "mysql", "host": "shop.mysql.database.azure.com",
        "auth_method": "managed_identity", "username": "dilux-backup", "client_id": "identity-7",
    })
}

async fn create(world: &World, engine: &Value) -> String {
    let created = world.post("/api/engines", engine).await.expect(201);
    assert!(!created.to_string().contains("canary"), "{created}");
    id(&created["engine"])
}

#[tokio::test]
async fn an_app_is_kept_without_its_secret_being_shown_and_opens_what_its_token_opens() {
    let (world, entra) = world().await;
    let engine = create(&world, &app()).await;
    let read = world
        .get(&format!("/api/engines/{engine}"))
        .await
        .expect(200);
    assert_eq!(read["tenant_id"], json!("contoso.example"));
    assert_eq!(read["client_id"], json!("app-1"));
    assert_eq!(read["has_password"], json!(true));
    assert_eq!(read["discovery_enabled"], json!(true));
    assert!(!read.to_string().contains("canary"), "{read}");
    let database = database(&world, &engine, "shop").await;
    for path in [
        format!("/api/engines/{engine}/test"),
        format!("/api/databases/{database}/test"),
    ] {
        let test = world.post(&path, &json!({})).await.expect(200);
        assert_eq!(test["success"], json!(true), "{test}");
    }
    let discover = format!("/api/engines/{engine}/discover");
    world.post(&discover, &json!({})).await.expect(200);
    let backup = format!("/api/databases/{database}/backup");
    world.post(&backup, &json!({})).await.expect(202);
    assert_eq!(entra.requests().len(), 1);
    let visits = world.server.visits.lock().unwrap().clone();
    assert!(visits.iter().all(|(_, password)| password == TOKEN));
}

#[tokio::test]
async fn a_managed_identity_keeps_no_secret() {
    let (world, entra) = world().await;
    let engine = create(&world, &managed()).await;
    let test = format!("/api/engines/{engine}/test");
    let test = world.post(&test, &json!({})).await.expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    assert_eq!(world.passwords().await, 0);
    let request = &entra.requests()[0];
    assert_eq!(request.fields["client_id"], "identity-7");
    let metadata = "http://169.254.169.254/metadata/identity/oauth2/token";
    assert_eq!(request.url, metadata);
}

#[tokio::test]
async fn an_app_is_named_as_a_whole_and_other_methods_name_none() {
    let (world, _entra) = world().await;
    for (field, refused) in [
        ("tenant_id", vec!["tenant_id"]),
        ("client_id", vec!["client_id"]),
        ("client_secret", vec!["client_secret"]),
    ] {
        let mut body = app();
        body[field] = json!(null);
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert_eq!(fields, refused);
    }
    for (method, field, value) in [
        ("azure_ad", "password", json!("x")),
        ("azure_ad", "tenant_id", json!("../common")),
        ("azure_ad", "client_id", json!("a/b")),
        ("azure_ad", "client_secret", json!("a\nb")),
    ] {
        let mut body = app();
        body["auth_method"] = json!(method);
        body[field] = value;
        let fields = world.post("/api/engines", &body).await.refused_fields();
        assert!(fields.contains(&field.to_owned()), "{fields:?}");
    }
    let mut body = app();
    body["auth_method"] = json!("user_password");
    let fields = world.post("/api/engines", &body).await.refused_fields();
    assert_eq!(fields, ["client_id", "client_secret", "tenant_id"]);
    let mut body = managed();
    body["tenant_id"] = json!("contoso.example");
    body["client_secret"] = json!(SECRET);
    let fields = world.post("/api/engines", &body).await.refused_fields();
    assert_eq!(fields, ["client_secret", "tenant_id"]);
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn what_entra_id_says_is_the_outcome_of_a_test() {
    let (world, entra) = world().await;
    let engine = create(&world, &app()).await;
    entra.answer_next([TokenAnswer::refusal(
        401,
        "AADSTS7000222: The provided client secret keys are expired.",
    )]);
    let path = format!("/api/engines/{engine}/test");
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(test["success"], json!(false));
    let message = test["message"].as_str().unwrap();
    assert!(message.contains("AADSTS7000222"), "{message}");
    assert!(world.server.visits.lock().unwrap().is_empty());
}

/// Else whoever may register an engine could have the service's token sent to a host of their own,
/// and use it at every other server.
#[tokio::test]
async fn a_token_goes_to_database_servers_of_azure_only() {
    let (world, entra) = world().await;
    for host in [
        "evil.example",
        "database.azure.com.evil.example",
        "10.0.0.1",
    ] {
        let mut body = managed();
        body["host"] = json!(host);
        let engine = create(&world, &body).await;
        let path = format!("/api/engines/{engine}/test");
        let refused = world.post(&path, &json!({})).await.expect(400);
        let error = refused["error"].as_str().unwrap();
        assert!(error.contains("DILUX_TOKEN_HOSTS"), "{error}");
    }
    assert_eq!(entra.requests(), []);
    assert!(world.server.visits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn credentials_change_after_a_test_with_a_token_and_a_move_wants_the_secret_again() {
    let (world, _entra) = world().await;
    let engine = create(&world, &app()).await;
    let path = format!("/api/engines/{engine}/credentials");
    let wrong = json!({"client_secret": "canary-wrong"});
    let refused = world.put(&path, &wrong).await.expect(400);
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("AADSTS7000215"), "{error}");
    assert!(error.contains("nothing was changed"), "{error}");
    assert!(!error.contains("canary"), "{error}");
    let elsewhere = json!({"host": "other.postgres.database.azure.com"});
    let fields = world.put(&path, &elsewhere).await.refused_fields();
    assert_eq!(fields, ["client_secret"]);
    for other in [
        json!({"client_id": "app-2"}),
        json!({"tenant_id": "fabrikam.example"}),
    ] {
        let fields = world.put(&path, &other).await.refused_fields();
        assert_eq!(fields, ["client_secret"], "{other}");
    }
    let right = json!({
        "host": "other.postgres.database.azure.com", "client_id": "app-2", "client_secret": SECRET,
    });
    let changed = world.put(&path, &right).await.expect(200);
    assert_eq!(changed["engine"]["client_id"], json!("app-2"));
    assert_eq!(changed["test"]["success"], json!(true));
    assert!(!changed.to_string().contains("canary"), "{changed}");
}

/// Each kind of secret is sent to one place only.
#[tokio::test]
async fn a_password_is_never_taken_for_the_secret_of_an_app_nor_the_other_way_round() {
    let (world, entra) = world().await;
    let body = json!({
        "name": "x", "engine_type": "postgresql", "host": HOST, "username": "u",
        "password": PASSWORD,
    });
    let engine = create(&world, &body).await;
    let path = format!("/api/engines/{engine}");
    let app =
        json!({"auth_method": "azure_ad", "tenant_id": "contoso.example", "client_id": "app-1"});
    for path in [path.clone(), format!("{path}/credentials")] {
        let fields = world.put(&path, &app).await.refused_fields();
        assert_eq!(fields, ["client_secret"]);
    }
    let mut whole = app.clone();
    whole["client_secret"] = json!(SECRET);
    world.put(&path, &whole).await.expect(200);
    assert_eq!(world.passwords().await, 1);
    let back = json!({"auth_method": "user_password", "tenant_id": "contoso.example"});
    let fields = world
        .put(&format!("{path}/credentials"), &back)
        .await
        .refused_fields();
    assert_eq!(fields, ["password"]);
    let changed = world.put(&path, &back).await.expect(200);
    assert_eq!(changed["engine"]["has_password"], json!(false));
    assert_eq!(changed["engine"]["tenant_id"], Value::Null);
    assert_eq!(world.passwords().await, 0, "the app's secret is gone");
    assert_eq!(entra.requests(), []);
}

#[tokio::test]
async fn a_database_has_an_app_of_its_own_and_asks_for_its_secret_when_it_moves() {
    let (world, entra) = world().await;
    let first = create(&world, &managed()).await;
    let mut second = managed();
    second["host"] = json!("second.mysql.database.azure.com");
    let second = create(&world, &second).await;
    let body = json!({
        "engine_id": first,
        "database": {
            "name": "shop", "auth_method": "azure_ad", "username": "shop-backup",
            "tenant_id": "contoso.example", "client_id": "app-1", "client_secret": SECRET,
        },
    });
    let created = world.post("/api/databases", &body).await.expect(201);
    let created = &created["database"];
    assert_eq!(created["client_id"], json!("app-1"));
    assert_eq!(created["use_engine_credentials"], json!(false));
    assert!(!created.to_string().contains("canary"), "{created}");
    let path = format!("/api/databases/{}", id(created));
    let test = world
        .post(&format!("{path}/test"), &json!({}))
        .await
        .expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    assert_eq!(entra.requests()[0].fields["client_secret"], SECRET);
    let moving = json!({"engine_id": second});
    let fields = world.put(&path, &moving).await.refused_fields();
    assert_eq!(fields, ["client_secret"]);
    let moving = json!({"engine_id": second, "client_secret": SECRET});
    let moved = world.put(&path, &moving).await.expect(200);
    assert_eq!(moved["database"]["engine_id"], json!(second));
    let inherit = json!({"use_engine_credentials": true, "client_secret": SECRET});
    assert_eq!(
        world.put(&path, &inherit).await.refused_fields(),
        ["client_secret"]
    );
    let inherit = json!({"use_engine_credentials": true});
    let inherits = world.put(&path, &inherit).await.expect(200);
    assert_eq!(
        inherits["database"]["client_id"],
        json!("identity-7"),
        "the engine's"
    );
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn a_form_is_tested_with_a_token() {
    let (world, _entra) = world().await;
    let path = "/api/databases/test-connection";
    let mut form = json!({
        "database_type": "postgresql", "host": HOST, "port": 5432, "database_name": "shop",
        "auth_method": "azure_ad", "username": "dilux-backup", "tenant_id": "contoso.example",
        "client_id": "app-1", "client_secret": SECRET,
    });
    let good = world.post(path, &form).await.expect(200);
    assert_eq!(good["success"], json!(true), "{good}");
    form["client_secret"] = json!("canary-wrong");
    let bad = world.post(path, &form).await.expect(200);
    assert_eq!(bad["success"], json!(false));
    assert!(!bad.to_string().contains("canary"), "{bad}");
    form["username"] = json!(null);
    assert_eq!(world.post(path, &form).await.refused_fields(), ["username"]);
}

#[tokio::test]
async fn an_app_that_is_not_named_is_the_services_own() {
    let entra = FakeEntra::start(SECRET, TOKEN).await.unwrap();
    let variables = [
        ("AZURE_TENANT_ID", "own.example"),
        ("AZURE_CLIENT_ID", "own-app"),
        ("AZURE_CLIENT_SECRET", SECRET),
    ];
    let world = World::with_entra(&entra, &variables).await;
    let body = json!({
        "name": "x", "engine_type": "postgresql", "host": HOST, "auth_method": "azure_ad",
        "username": "dilux-backup",
    });
    let engine = create(&world, &body).await;
    let path = format!("/api/engines/{engine}/test");
    let test = world.post(&path, &json!({})).await.expect(200);
    assert_eq!(test["success"], json!(true), "{test}");
    assert_eq!(entra.requests()[0].fields["client_id"], "own-app");
    assert_eq!(world.passwords().await, 0);
}

#[tokio::test]
async fn viewers_do_not_see_who_signs_in_at_entra_id() {
    let (world, _entra) = world().await;
    let engine = create(&world, &app()).await;
    let database = database(&world, &engine, "shop").await;
    let viewer = token(&world, "viewer", &[]).await;
    for path in [
        format!("/api/engines/{engine}"),
        format!("/api/databases/{database}"),
    ] {
        let seen = world.get(&path).await.expect(200);
        let answer = world.call_as(Some(&viewer), Method::GET, &path, None).await;
        let answer = answer.expect(200);
        let shown = |answer: &Value| match &answer["database"] {
            Value::Null => answer.clone(),
            database => database.clone(),
        };
        let (seen, answer) = (shown(&seen), shown(&answer));
        for field in ["tenant_id", "client_id", "username"] {
            assert_ne!(seen[field], Value::Null, "{field} in {seen}");
            assert_eq!(answer[field], Value::Null, "{field} in {answer}");
        }
    }
}
