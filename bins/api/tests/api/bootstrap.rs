//! The bootstrap token: made while nobody is registered, good for the first admin, and gone then.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use axum::http::Method;
use dilux_core::bootstrap::{Bootstrap, Found};
use dilux_core::secret::{SecretName, SecretValue};
use serde_json::json;

use crate::sessions::{PASSPHRASE, sign_in};
use crate::world::World;

async fn prepare(world: &World) -> Found {
    let bootstrap = Bootstrap::new(world.installation.clone());
    bootstrap.prepare().await.unwrap()
}

/// The token that a start makes or finds.
pub(crate) async fn bootstrap_token(world: &World) -> String {
    match prepare(world).await {
        Found::Made(text) | Found::Kept(text) => text.expose().to_owned(),
        Found::Spent => panic!("somebody is registered"),
    }
}

/// Asks for the first admin to be made, with this token.
async fn set_up(world: &World, token: &str, email: &str) -> u16 {
    let body = json!({ "email": email, "password": PASSPHRASE });
    let path = "/api/auth/setup";
    let answer = world.call_as(Some(token), Method::POST, path, Some(&body));
    answer.await.status
}

fn file(world: &World) -> &Path {
    &world.installation.settings.token_file
}

/// How many secrets hold bootstrap tokens.
pub(crate) async fn kept(world: &World) -> usize {
    let names = world.installation.storage.secrets.list().await.unwrap();
    let is_token = |name: &&SecretName| name.as_str().starts_with("dilux-bootstrap-");
    names.iter().filter(is_token).count()
}

#[tokio::test]
async fn it_is_made_once_and_only_its_owner_can_read_the_file() {
    let world = World::new().await;
    let Found::Made(made) = prepare(&world).await else {
        panic!("there was none");
    };
    let digits = made.expose().strip_prefix("dilux_bootstrap_").unwrap();
    assert_eq!(digits.len(), 64);
    assert!(digits.chars().all(|c| c.is_ascii_hexdigit()));
    let is_in_the_file = || {
        let text = std::fs::read_to_string(file(&world)).unwrap();
        let permissions = std::fs::metadata(file(&world)).unwrap().permissions();
        (text.trim() == made.expose(), permissions.mode() & 0o777)
    };
    assert_eq!(is_in_the_file(), (true, 0o600));
    assert_eq!(prepare(&world).await, Found::Kept(made.clone()));
    std::fs::write(file(&world), "somebody's scribble").unwrap();
    assert_eq!(prepare(&world).await, Found::Kept(made.clone()));
    assert_eq!(is_in_the_file(), (true, 0o600), "the file is mended");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(file(&world), open).unwrap();
    assert_eq!(prepare(&world).await, Found::Kept(made.clone()));
    assert_eq!(is_in_the_file(), (true, 0o600), "nobody else may read it");
    assert_eq!(kept(&world).await, 1);
}

#[tokio::test]
async fn processes_that_start_at_once_agree_on_one() {
    let world = World::new().await;
    let starts = (0..16).map(|_| prepare(&world));
    let found = futures::future::join_all(starts).await;
    let is_made = |found: &&Found| matches!(found, Found::Made(_));
    assert_eq!(found.iter().filter(is_made).count(), 1, "{found:?}");
    let texts: Vec<&SecretValue> = found
        .iter()
        .filter_map(|found| match found {
            Found::Made(text) | Found::Kept(text) => Some(text),
            Found::Spent => None,
        })
        .collect();
    assert_eq!(texts.len(), 16);
    assert!(texts.iter().all(|text| *text == texts[0]));
    assert_eq!(kept(&world).await, 1, "the others are removed");
    let token = bootstrap_token(&world).await;
    assert_eq!(set_up(&world, &token, "a@example.com").await, 201);
}

#[tokio::test]
async fn it_makes_the_first_admin_once_and_is_gone_then() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    let wrong = format!("{token}0");
    assert_eq!(set_up(&world, &wrong, "a@example.com").await, 401);
    assert_eq!(set_up(&world, &token, "a@example.com").await, 201);
    sign_in(&world, "a@example.com").await;
    assert_eq!(kept(&world).await, 0);
    assert!(!file(&world).exists());
    assert_eq!(set_up(&world, &token, "b@example.com").await, 401);
    assert_eq!(
        prepare(&world).await,
        Found::Spent,
        "a start makes no other"
    );
    assert_eq!(kept(&world).await, 0);
    assert!(!file(&world).exists());
}

#[tokio::test]
async fn a_16_of_fifty_who_show_it_first_one_is_admin() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    let emails: Vec<String> = (0..50).map(|n| format!("a{n}@example.com")).collect();
    let asked = emails.iter().map(|email| set_up(&world, &token, email));
    let mut statuses = futures::future::join_all(asked).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    let is_refused = |status: &u16| matches!(status, 401 | 409);
    assert!(statuses[1..].iter().all(is_refused), "{statuses:?}");
    let users = world.get("/api/users").await.expect(200);
    assert_eq!(users["total_count"], json!(1));
    assert_eq!((kept(&world).await, file(&world).exists()), (0, false));
}

#[tokio::test]
async fn one_that_could_not_be_removed_opens_nothing_and_goes_at_the_next_start() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    world.faults.secrets_stay.store(true, Ordering::SeqCst);
    assert_eq!(set_up(&world, &token, "a@example.com").await, 201);
    assert_eq!(kept(&world).await, 1);
    assert_eq!(set_up(&world, &token, "b@example.com").await, 401);
    world.faults.mend();
    assert_eq!(prepare(&world).await, Found::Spent);
    assert_eq!(kept(&world).await, 0);
}

#[tokio::test]
async fn whoever_is_registered_in_another_way_spends_it_too() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    let body = json!({ "email": "v@example.com", "role": "viewer" });
    world.post("/api/users", &body).await.expect(201);
    assert_eq!((kept(&world).await, file(&world).exists()), (0, false));
    assert_eq!(set_up(&world, &token, "a@example.com").await, 401);
}

#[tokio::test]
async fn one_whose_text_is_lost_is_made_anew() {
    let world = World::new().await;
    let lost = bootstrap_token(&world).await;
    let rows = &world.installation.repositories.installation;
    let row = rows.bootstrap_token().await.unwrap().unwrap();
    let secrets = &world.installation.storage.secrets;
    secrets.delete(&row.value.secret).await.unwrap();
    let Found::Made(another) = prepare(&world).await else {
        panic!("nobody could present the one before");
    };
    assert_eq!(set_up(&world, &lost, "a@example.com").await, 401);
    let made = set_up(&world, another.expose(), "a@example.com").await;
    assert_eq!(made, 201);
}

#[tokio::test]
async fn what_is_left_of_one_that_was_an_admin_for_ever_is_removed() {
    let world = World::new().await;
    let name = SecretName::new("dilux-bootstrap-token").unwrap();
    let former = SecretValue::new(format!("dilux_{}", "7".repeat(64)));
    let secrets = &world.installation.storage.secrets;
    secrets.set(&name, &former).await.unwrap();
    std::fs::write(file(&world), former.expose()).unwrap();
    let body = json!({ "email": "a@example.com", "role": "admin" });
    world.post("/api/users", &body).await.expect(201);
    assert_eq!(set_up(&world, former.expose(), "b@example.com").await, 401);
    assert_eq!(prepare(&world).await, Found::Spent);
    assert_eq!((kept(&world).await, file(&world).exists()), (0, false));
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_left_alone() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    std::fs::write(file(&world), "dilux_api_one_two").unwrap();
    assert_eq!(set_up(&world, &token, "a@example.com").await, 201);
    let text = std::fs::read_to_string(file(&world)).unwrap();
    assert_eq!(text, "dilux_api_one_two");
}

#[tokio::test]
async fn a_file_that_cannot_be_written_keeps_nobody_out() {
    let world = World::with_variable("DILUX_TOKEN_FILE", "/dev/null/token").await;
    let token = bootstrap_token(&world).await;
    assert_eq!(set_up(&world, &token, "a@example.com").await, 201);
    assert_eq!(kept(&world).await, 0);
}

#[tokio::test]
async fn an_unavailable_store_is_no_wrong_token() {
    let world = World::new().await;
    let token = bootstrap_token(&world).await;
    world.faults.tables_are_down.store(true, Ordering::SeqCst);
    assert_eq!(set_up(&world, &token, "a@example.com").await, 503);
}
