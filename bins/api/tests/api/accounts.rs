//! People over HTTP: the first admin, invitations, changes, and who may see whom.

use axum::http::Method;
use dilux_core::accounts::Accounts;
use dilux_core::model::AccessRequest;
use dilux_core::storage::Query;
use serde_json::{Value, json};

use crate::seeds::id;
use crate::sessions::{PASSPHRASE, Session, member, sign_in};
use crate::who_may::token;
use crate::world::World;

async fn set_up(world: &World, email: &str) -> u16 {
    let body = json!({ "email": email, "password": PASSPHRASE });
    world.post("/api/auth/setup", &body).await.status
}

/// The actions of the audit log that worked, and sign-ins that did not, sorted: the clock stands
/// still.
pub(crate) async fn audited(world: &World) -> Vec<String> {
    let tables = &world.installation.storage.tables;
    let table = dilux_core::storage::TableName::new("auditlogs").unwrap();
    let page = tables.query(&table, &Query::default(), None).await;
    let rows = page.unwrap().entities;
    let mut actions: Vec<String> = rows
        .iter()
        .filter(|row| {
            let is = |name, text: &str| {
                let text = dilux_core::storage::Value::String(text.to_owned());
                row.entity.properties.get(name) == Some(&text)
            };
            is("status", "success") || is("action", "user_login")
        })
        .filter_map(|row| match row.entity.properties.get("action") {
            Some(dilux_core::storage::Value::String(action)) => Some(action.clone()),
            _ => None,
        })
        .collect();
    actions.sort();
    actions
}

#[tokio::test]
async fn a_16_the_first_admin_is_made_once_however_many_ask() {
    let world = World::new().await;
    let me = world.get("/api/users/me").await.expect(200);
    assert_eq!(me["is_first_run"], json!(true));
    assert_eq!(me["user"]["role"], json!("admin"));
    let emails: Vec<String> = (0..50).map(|n| format!("a{n}@example.com")).collect();
    let asked = emails.iter().map(|email| set_up(&world, email));
    let mut statuses = futures::future::join_all(asked).await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(
        statuses[1..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );
    let users = world.get("/api/users").await.expect(200);
    assert_eq!(users["total_count"], json!(1));
    assert_eq!(users["users"][0]["role"], json!("admin"));
    let me = world.get("/api/users/me").await.expect(200);
    assert_eq!(me["is_first_run"], json!(false));
}

#[tokio::test]
async fn the_first_admin_needs_the_bootstrap_token_or_an_admins() {
    let world = World::new().await;
    let operator = token(&world, "operator", &["data", "deletion"]).await;
    let body = json!({ "email": "a@example.com", "password": PASSPHRASE });
    for (who, status) in [(None, 401), (Some(operator.as_str()), 403)] {
        let answer = world.call_as(who, Method::POST, "/api/auth/setup", Some(&body));
        assert_eq!(answer.await.status, status);
    }
    assert_eq!(world.get("/api/users").await.expect(200)["count"], json!(0));
}

#[tokio::test]
async fn where_the_admins_email_is_set_nobody_else_is_the_first_admin() {
    let world = World::with_variable("DILUX_ADMIN_EMAIL", "Boss@example.com").await;
    assert_eq!(set_up(&world, "other@example.com").await, 422);
    assert_eq!(set_up(&world, "boss@example.com").await, 201);
}

#[tokio::test]
async fn a_weak_password_is_refused_before_anything_is_made() {
    let world = World::new().await;
    for password in ["", "short", "xxxxxxxxxxxxxx", "x a@example.com x"] {
        let body = json!({ "email": "a@example.com", "password": password });
        let answer = world.post("/api/auth/setup", &body).await;
        assert_eq!(answer.refused_fields(), ["password"], "{password}");
    }
    assert_eq!(world.get("/api/users").await.expect(200)["count"], json!(0));
}

#[tokio::test]
async fn a_24_somebody_invited_signs_in_for_the_first_time_once_and_with_the_right_role() {
    let world = World::new().await;
    let body = json!({ "email": "Grace@example.com", "role": "Operator" });
    let made = world.post("/api/users", &body).await.expect(201);
    assert_eq!(made["user"]["name"], json!("Grace"));
    assert_eq!(made["user"]["is_pending"], json!(true));
    assert_eq!(made["user"]["last_login"], Value::Null);
    let accept = json!({
        "email": "grace@example.com", "invitation": made["invitation"], "password": PASSPHRASE,
    });
    let anonymous = async || {
        let path = "/api/auth/invitation";
        world.call_as(None, Method::POST, path, Some(&accept)).await
    };
    let accepted = anonymous().await.expect(200);
    assert_eq!(anonymous().await.status, 400, "once");
    assert_eq!(id(&accepted["user"]), id(&made["user"]));
    let session = sign_in(&world, "GRACE@example.com").await;
    let me = session.get(&world, "/api/users/me").await.expect(200);
    assert_eq!(me["user"]["role"], json!("operator"));
    assert_eq!(me["user"]["is_pending"], json!(false));
    assert_eq!(id(&me["user"]), id(&made["user"]));
    assert_eq!(world.get("/api/users").await.expect(200)["count"], json!(1));
    let again = json!({ "email": "grace@EXAMPLE.com" });
    assert_eq!(world.post("/api/users", &again).await.status, 409);
    let log = audited(&world).await;
    assert_eq!(log, ["user_created", "user_login", "user_updated"]);
}

#[tokio::test]
async fn people_are_listed_by_email_in_pages_and_found_by_text_and_status() {
    let world = World::new().await;
    for name in ["carol", "Bob", "alice", "dave"] {
        let body = json!({ "email": format!("{name}@example.com"), "name": format!("{name} X") });
        world.post("/api/users", &body).await.expect(201);
    }
    let list = async |query: &str| world.get(&format!("/api/users?{query}")).await.expect(200);
    let names = |list: &Value| -> Vec<String> {
        let users = list["users"].as_array().unwrap();
        users
            .iter()
            .map(|user| user["email"].as_str().unwrap().to_lowercase())
            .collect()
    };
    let all = list("").await;
    let sorted = [
        "alice@example.com",
        "bob@example.com",
        "carol@example.com",
        "dave@example.com",
    ];
    assert_eq!(names(&all), sorted);
    assert_eq!((&all["page"], &all["page_size"]), (&json!(1), &json!(50)));
    assert_eq!(all["pending_requests_count"], json!(0));
    let second = list("page=2&page_size=3").await;
    assert_eq!(names(&second), ["dave@example.com"]);
    assert_eq!(second["has_more"], json!(false));
    assert_eq!(list("page=1&page_size=3").await["has_more"], json!(true));
    assert_eq!(names(&list("search=BOB").await), ["bob@example.com"]);
    let bob = id(&list("search=BOB").await["users"][0]);
    let path = format!("/api/users/{bob}");
    world
        .put(&path, &json!({ "enabled": false }))
        .await
        .expect(200);
    assert_eq!(names(&list("status=disabled").await), ["bob@example.com"]);
    assert_eq!(list("status=active").await["total_count"], json!(3));
    assert_eq!(list("status=").await["total_count"], json!(4));
    for wrong in ["page=0", "page=x", "page_size=0", "status=pending"] {
        let answer = world.get(&format!("/api/users?{wrong}")).await;
        assert_eq!(answer.status, 422, "{wrong}");
    }
}

#[tokio::test]
async fn nobody_takes_their_own_rights_away_and_one_admin_always_stays() {
    let world = World::new().await;
    assert_eq!(set_up(&world, "a@example.com").await, 201);
    let admin = sign_in(&world, "a@example.com").await;
    let own = format!("/api/users/{}", admin.user_id(&world).await);
    for body in [json!({ "role": "viewer" }), json!({ "enabled": false })] {
        let answer = admin.call(&world, Method::PUT, &own, Some(&body)).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let answer = admin.call(&world, Method::DELETE, &own, None).await;
    assert_eq!(answer.status, 400);
    let rename = json!({ "name": "Ann", "role": "admin" });
    let renamed = admin.call(&world, Method::PUT, &own, Some(&rename)).await;
    assert_eq!(renamed.expect(200)["user"]["name"], json!("Ann"));
    for body in [json!({ "role": "viewer" }), json!({ "enabled": false })] {
        let answer = world.put(&own, &body).await;
        assert_eq!(answer.status, 400, "the last admin: {}", answer.body);
    }
    assert_eq!(world.delete(&own).await.status, 400);
    member(&world, "b@example.com", "admin").await;
    world
        .put(&own, &json!({ "role": "viewer" }))
        .await
        .expect(200);
}

#[tokio::test]
async fn people_see_themselves_and_admins_see_everybody() {
    let world = World::new().await;
    let viewer = member(&world, "v@example.com", "viewer").await;
    let other = member(&world, "o@example.com", "operator").await;
    let own = format!("/api/users/{}", viewer.user_id(&world).await);
    let foreign = format!("/api/users/{}", other.user_id(&world).await);
    viewer.get(&world, &own).await.expect(200);
    assert_eq!(viewer.get(&world, &foreign).await.status, 403);
    world.get(&foreign).await.expect(200);
    assert_eq!(world.get("/api/users/nope").await.status, 404);
    let wished = json!({ "dark_mode": true, "page_size": 50, "role": "admin" });
    let path = "/api/users/me/preferences";
    let set = viewer
        .call(&world, Method::PUT, path, Some(&wished))
        .await
        .expect(200);
    assert_eq!(
        (
            &set["user"]["dark_mode"],
            &set["user"]["page_size"],
            &set["user"]["role"]
        ),
        (&json!(true), &json!(50), &json!("viewer"))
    );
    for size in [json!(9), json!(101), json!("many")] {
        let body = json!({ "page_size": size });
        let answer = viewer.call(&world, Method::PUT, path, Some(&body)).await;
        assert_eq!(answer.refused_fields(), ["page_size"]);
    }
    let answer = world.put(path, &wished).await;
    assert_eq!(answer.status, 400, "a token is nobody");
}

#[tokio::test]
async fn two_admins_editing_one_person_notice_each_other() {
    let world = World::new().await;
    let made = world
        .post("/api/users", &json!({ "email": "a@example.com" }))
        .await
        .expect(201);
    let path = format!("/api/users/{}", id(&made["user"]));
    let read = world.get(&path).await;
    let tag = read.header("etag").to_owned();
    let put = async |name: &str| {
        let body = json!({ "name": name });
        let headers = [("if-match", tag.as_str())];
        world
            .call_with(Method::PUT, &path, &headers, Some(&body))
            .await
            .status
    };
    assert_eq!(put("One").await, 200);
    assert_eq!(put("Two").await, 412);
}

#[tokio::test]
async fn requests_for_access_are_listed_approved_and_rejected() {
    let world = World::new().await;
    let accounts = Accounts::new(world.installation.clone());
    let ask = async |name: &str| -> AccessRequest {
        let asked = accounts.request_access(
            format!("{name}-subject").parse().unwrap(),
            format!("{name}@example.com").parse().unwrap(),
            name.parse().unwrap(),
        );
        asked.await.unwrap().unwrap()
    };
    let (carol, dave) = (ask("carol").await, ask("dave").await);
    let list = world.get("/api/access-requests").await.expect(200);
    assert_eq!(list["count"], json!(2));
    let path =
        |request: &AccessRequest, verb: &str| format!("/api/access-requests/{}/{verb}", request.id);
    let bad = world
        .post(&path(&carol, "approve"), &json!({ "role": "root" }))
        .await;
    assert_eq!(bad.refused_fields(), ["role"]);
    let body = json!({ "role": "operator" });
    let approved = world
        .post(&path(&carol, "approve"), &body)
        .await
        .expect(200);
    assert_eq!(id(&approved["user"]), "carol-subject");
    assert_eq!(approved["user"]["role"], json!("operator"));
    assert_eq!(
        world.post(&path(&carol, "approve"), &body).await.status,
        400
    );
    let reason = json!({ "reason": "Contract ended" });
    world
        .post(&path(&dave, "reject"), &reason)
        .await
        .expect(200);
    assert_eq!(
        world.post(&path(&dave, "reject"), &reason).await.status,
        400
    );
    let list = world.get("/api/access-requests").await.expect(200);
    assert_eq!(list["count"], json!(0));
    let missing = world
        .post("/api/access-requests/nope/reject", &reason)
        .await;
    assert_eq!(missing.status, 404);
    let log = audited(&world).await;
    assert_eq!(log, ["access_request_approved", "access_request_rejected"]);
}

#[tokio::test]
async fn a_dashboard_may_note_its_own_sign_ins_and_nothing_else() {
    let world = World::new().await;
    let viewer: Session = member(&world, "v@example.com", "viewer").await;
    let before = audited(&world).await;
    for event in ["login", "logout"] {
        let body = json!({ "event": event });
        let path = "/api/auth/events";
        let noted = viewer.call(&world, Method::POST, path, Some(&body)).await;
        assert_eq!(noted.expect(200), json!({ "success": true }));
    }
    for body in [json!({ "event": "refresh" }), json!({})] {
        let answer = world.post("/api/auth/events", &body).await;
        assert_eq!(answer.status, 400);
        assert_eq!(
            answer.body["error"],
            json!("Invalid event. Must be 'login' or 'logout'")
        );
    }
    let mut expected = [
        before,
        vec!["user_login".to_owned(), "user_logout".to_owned()],
    ]
    .concat();
    expected.sort();
    assert_eq!(audited(&world).await, expected);
}
