//! Who comes in with a good token: people that were registered, the first admin, and nobody else.

use axum::http::Method;
use dilux_core::accounts::{Accounts, NewUser};
use dilux_core::model::{Grants, Role, User};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::issuer::{AUDIENCE, Issuer};
use crate::accounts::audited;
use crate::bootstrap::{self, bootstrap_token};
use crate::seeds::id;
use crate::sessions::{PASSPHRASE, member};
use crate::world::{Answer, World};

async fn call(world: &World, token: &str, path: &str) -> Answer {
    world.call_as(Some(token), Method::GET, path, None).await
}

async fn me(world: &World, token: &str) -> Answer {
    call(world, token, "/api/users/me").await
}

async fn invite(world: &World, email: &str, role: &str) -> Value {
    let body = json!({ "email": email, "role": role });
    world.post("/api/users", &body).await.expect(201)
}

async fn count(world: &World, path: &str) -> Value {
    world.get(path).await.expect(200)["count"].clone()
}

#[tokio::test]
async fn a_24_somebody_invited_comes_from_the_provider_once_and_with_the_right_role() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    let made = invite(&world, "Ann@Example.com", "operator").await;
    let token = issuer.token(&json!({}));
    let calls = (0..20).map(|_| me(&world, &token));
    for answer in futures::future::join_all(calls).await {
        let user = answer.expect(200)["user"].clone();
        assert_eq!(id(&user), id(&made["user"]));
        assert_eq!(user["role"], json!("operator"));
        assert_eq!(user["is_pending"], json!(false));
    }
    assert_eq!(count(&world, "/api/users").await, json!(1));
    let mut log = audited(&world).await;
    // The clock stands still: who did the very same at the same instant cannot be told apart.
    log.dedup();
    assert_eq!(log, ["user_created", "user_login"]);
    let accept = json!({
        "email": "ann@example.com", "invitation": made["invitation"], "password": PASSPHRASE,
    });
    let path = "/api/auth/invitation";
    let late = world.call_as(None, Method::POST, path, Some(&accept)).await;
    assert_eq!(late.status, 400, "the invitation is used up");
    let other = json!({
        "sub": "another", "oid": "bbbbbbbb-0000-4000-8000-000000000002",
    });
    let answer = me(&world, &issuer.token(&other)).await;
    assert_eq!(answer.status, 403, "the e-mail is somebody's now");
    let renamed = json!({ "email": "ann.married@example.com" });
    let user = me(&world, &issuer.token(&renamed)).await.expect(200)["user"].clone();
    assert_eq!(id(&user), id(&made["user"]), "the subject is what counts");
    assert_eq!(count(&world, "/api/users").await, json!(1));
}

#[tokio::test]
async fn a_24_of_two_subjects_with_one_verified_email_one_is_bound() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    invite(&world, "ann@example.com", "viewer").await;
    let tokens: Vec<String> = (0..20)
        .map(|n| issuer.token(&json!({ "sub": format!("subject-{n}") })))
        .collect();
    let calls = tokens.iter().map(|token| me(&world, token));
    let statuses: Vec<u16> = futures::future::join_all(calls)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    let admitted = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(admitted, 1, "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 403].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(count(&world, "/api/users").await, json!(1));
}

#[tokio::test]
async fn somebody_with_a_password_keeps_it_and_is_the_same_person_by_token() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    let session = member(&world, "ann@example.com", "operator").await;
    let token = issuer.token(&json!({}));
    let user = me(&world, &token).await.expect(200)["user"].clone();
    assert_eq!(user["id"], json!(session.user_id(&world).await));
    let answer = world
        .call_as(Some(&token), Method::POST, "/api/auth/logout", None)
        .await;
    assert_eq!(answer.status, 400, "a token is no session");
    session.get(&world, "/api/users/me").await.expect(200);
}

#[tokio::test]
async fn only_a_verified_email_finds_who_was_invited() {
    let issuer = Issuer::start().await;
    let plain = issuer.world(&[]).await;
    invite(&plain, "ann@example.com", "admin").await;
    for changes in [
        json!({ "email_verified": false }),
        json!({ "email_verified": null }),
        json!({ "email_verified": "true" }),
        json!({ "email_verified": 1 }),
        json!({ "email": null }),
        json!({ "email": ["ann@example.com"] }),
        json!({ "email": "ann" }),
        json!({ "email_verified": null, "xms_edov": true }),
    ] {
        let answer = me(&plain, &issuer.token(&changes)).await;
        assert_eq!(answer.status, 403, "{changes}");
        assert_eq!(answer.body["type"], json!("urn:dilux:problem:forbidden"));
    }
    assert_eq!(count(&plain, "/api/access-requests").await, json!(0));
    let entra = issuer.tenant_world().await;
    invite(&entra, "ann@example.com", "admin").await;
    let unverified = json!({ "email_verified": null });
    for changes in [
        json!({ "idp": "https://sts.windows.net/other/" }),
        json!({ "acct": 1 }),
        json!({ "preferred_username": "ann" }),
        json!({ "preferred_username": "else@example.com", "xms_edov": false }),
    ] {
        let changes = super::issuer::merged(unverified.clone(), &changes);
        let changes = super::issuer::merged(changes, &json!({ "email_verified": false }));
        let answer = me(&entra, &issuer.token(&changes)).await;
        assert_eq!(answer.status, 403, "{changes}: {}", answer.body);
    }
    let own = json!({ "email": "unproved@example.com", "email_verified": null });
    me(&entra, &issuer.token(&own)).await.expect(200);
}

#[tokio::test]
async fn a_guest_of_the_tenant_is_known_by_an_email_whose_owner_was_verified() {
    let issuer = Issuer::start().await;
    for edov in [json!(true), json!(1), json!("1"), json!("true")] {
        let world = issuer.tenant_world().await;
        invite(&world, "ann@example.com", "viewer").await;
        let guest = json!({
            "idp": "https://sts.windows.net/other/", "email_verified": null, "xms_edov": edov,
        });
        me(&world, &issuer.token(&guest)).await.expect(200);
    }
}

#[tokio::test]
async fn a_person_of_the_python_product_is_known_by_the_object_id() {
    let issuer = Issuer::start().await;
    let world = issuer.tenant_world().await;
    let oid = "aaaaaaaa-0000-4000-8000-000000000001";
    let accounts = Accounts::new(world.installation.clone());
    let new = NewUser {
        email: "old.address@example.com".parse().unwrap(),
        name: None,
        role: Role::Operator,
        grants: Grants::default(),
    };
    let (made, _) = accounts.invite(new, "test").await.unwrap();
    let users = &world.installation.repositories.users;
    users.delete(&made, None).await.unwrap();
    let row = User {
        id: oid.parse().unwrap(),
        invitation: None,
        ..made.value
    };
    users.create(row).await.unwrap();
    let user = me(&world, &issuer.token(&json!({}))).await.expect(200)["user"].clone();
    assert_eq!(
        (&user["id"], &user["role"]),
        (&json!(oid), &json!("operator"))
    );
    let plain = issuer.world(&[]).await;
    let row = users.list().await.unwrap().items.remove(0).value;
    plain
        .installation
        .repositories
        .users
        .create(row)
        .await
        .unwrap();
    let answer = me(&plain, &issuer.token(&json!({}))).await;
    assert_eq!(
        answer.status, 403,
        "an object id counts with its tenant only"
    );
}

#[tokio::test]
async fn a_16_of_fifty_who_come_first_the_one_of_the_settings_is_admin() {
    let issuer = Issuer::start().await;
    let world = issuer
        .world(&[("DILUX_ADMIN_EMAIL", "Boss@example.com")])
        .await;
    bootstrap_token(&world).await;
    let tokens: Vec<String> = (0..50)
        .map(|n| {
            // Several of them have the e-mail, and one of those has it twice.
            let (subject, email) = match n {
                0..10 => ("subject-of-boss".to_owned(), "boss@example.com".to_owned()),
                10..20 => (format!("impostor-{n}"), "boss@example.com".to_owned()),
                _ => (format!("other-{n}"), format!("other-{n}@example.com")),
            };
            issuer.token(&json!({ "sub": subject, "email": email }))
        })
        .collect();
    let calls = tokens.iter().map(|token| me(&world, token));
    let answers = futures::future::join_all(calls).await;
    let admins: Vec<&Answer> = answers.iter().filter(|it| it.status == 200).collect();
    assert!(!admins.is_empty());
    for admin in &admins {
        assert_eq!(admin.body["user"]["role"], json!("admin"));
        assert_eq!(admin.body["user"]["id"], admins[0].body["user"]["id"]);
    }
    let refused = answers.iter().filter(|answer| answer.status == 403).count();
    assert_eq!(admins.len() + refused, 50);
    let users = world.get("/api/users").await.expect(200);
    assert_eq!(users["total_count"], json!(1));
    assert_eq!(users["users"][0]["email"], json!("boss@example.com"));
    let made = audited(&world).await;
    let made = made.iter().filter(|action| *action == "user_created");
    assert_eq!(made.count(), 1);
    assert_eq!(bootstrap::kept(&world).await, 0, "the other way in is shut");
}

#[tokio::test]
async fn nobody_becomes_admin_by_coming_first_when_the_settings_name_none() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    assert_eq!(me(&world, &issuer.token(&json!({}))).await.status, 403);
    assert_eq!(count(&world, "/api/users").await, json!(0));
    let late = issuer
        .world(&[("DILUX_ADMIN_EMAIL", "ann@example.com")])
        .await;
    member(&late, "first@example.com", "admin").await;
    assert_eq!(me(&late, &issuer.token(&json!({}))).await.status, 403);
}

#[tokio::test]
async fn an_unknown_person_asks_for_access_once_and_comes_in_when_it_is_granted() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let token = issuer.token(&json!({}));
    for n in 0..5 {
        let answer = me(&world, &token).await;
        assert_eq!(answer.status, 403, "call {n}");
        assert!(answer.body["error"].as_str().unwrap().contains("access"));
    }
    let path = "/api/audit?action=user_login&resource_type=access_request";
    let noted = world.get(path).await.expect(200);
    assert_eq!(noted["total"], json!(1));
    let noted = noted["logs"][0].clone();
    assert_eq!(noted["details"]["event"], json!("access_request_created"));
    assert_eq!(noted["user_email"], json!("ann@example.com"));
    assert_eq!(noted["status"], json!("success"));
    let asked = world.get("/api/access-requests").await.expect(200);
    assert_eq!(asked["count"], json!(1));
    let request = &asked["requests"][0];
    assert_eq!(noted["resource_id"], request["id"]);
    assert_eq!(request["email"], json!("ann@example.com"));
    assert_eq!(request["name"], json!("Ann Example"));
    let path = format!("/api/access-requests/{}/approve", id(request));
    let body = json!({ "role": "operator" });
    world.post(&path, &body).await.expect(200);
    let user = me(&world, &token).await.expect(200)["user"].clone();
    assert_eq!(user["role"], json!("operator"));
    assert_eq!(count(&world, "/api/users").await, json!(1));
}

#[tokio::test]
async fn somebody_unknown_is_noted_once_an_hour() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let exp = issuer.claims()["exp"].as_i64().unwrap() + 86_400;
    let path = "/api/audit?action=user_login&status=failed";
    let denied = async |email: Option<&str>, count: u64| {
        let token = match email {
            Some(email) => json!({ "exp": exp, "sub": email, "email": email }),
            None => json!({ "exp": exp, "sub": "nameless", "email": null }),
        };
        for _ in 0..3 {
            let answer = me(&world, &issuer.token(&token)).await;
            assert_eq!(answer.status, 403, "{}", answer.body);
        }
        let noted = world.get(path).await.expect(200);
        assert_eq!(noted["total"], json!(count), "{noted}");
        noted["logs"][0].clone()
    };
    let noted = denied(Some("bob@example.com"), 1).await;
    assert_eq!(
        noted["details"]["event"],
        json!("login_denied_not_registered")
    );
    assert_eq!(noted["user_email"], json!("bob@example.com"));
    denied(None, 2).await;
    denied(Some("bob@example.com"), 2).await;
    world.clock.advance(SignedDuration::from_hours(1));
    denied(Some("bob@example.com"), 3).await;
}

#[tokio::test]
async fn a_rejected_person_may_ask_again_after_the_cool_down() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let exp = issuer.claims()["exp"].as_i64().unwrap() + 30 * 86_400;
    let token = issuer.token(&json!({ "exp": exp }));
    assert_eq!(me(&world, &token).await.status, 403);
    let asked = world.get("/api/access-requests").await.expect(200);
    let path = format!("/api/access-requests/{}/reject", id(&asked["requests"][0]));
    world
        .post(&path, &json!({ "reason": "no" }))
        .await
        .expect(200);
    world.clock.advance(SignedDuration::from_hours(7 * 24 - 1));
    assert_eq!(me(&world, &token).await.status, 403);
    assert_eq!(count(&world, "/api/access-requests").await, json!(0));
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(me(&world, &token).await.status, 403);
    assert_eq!(count(&world, "/api/access-requests").await, json!(1));
}

#[tokio::test]
async fn a_disabled_person_is_refused_at_once_and_noted_once_an_hour() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let exp = issuer.claims()["exp"].as_i64().unwrap() + 86_400;
    let token = issuer.token(&json!({ "exp": exp }));
    let made = invite(&world, "ann@example.com", "admin").await;
    me(&world, &token).await.expect(200);
    let path = format!("/api/users/{}", id(&made["user"]));
    member(&world, "other@example.com", "admin").await;
    let off = json!({ "enabled": false });
    world.put(&path, &off).await.expect(200);
    let before = audited(&world).await.len();
    for _ in 0..5 {
        let answer = me(&world, &token).await;
        assert_eq!(answer.status, 401);
        assert!(answer.body["error"].as_str().unwrap().contains("disabled"));
    }
    assert_eq!(audited(&world).await.len(), before + 1);
    world.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(me(&world, &token).await.status, 401);
    assert_eq!(audited(&world).await.len(), before + 2);
    world
        .put(&path, &json!({ "enabled": true }))
        .await
        .expect(200);
    me(&world, &token).await.expect(200);
}

#[tokio::test]
async fn somebody_disabled_before_they_ever_came_is_not_bound() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let made = invite(&world, "ann@example.com", "admin").await;
    let path = format!("/api/users/{}", id(&made["user"]));
    world
        .put(&path, &json!({ "enabled": false }))
        .await
        .expect(200);
    assert_eq!(me(&world, &issuer.token(&json!({}))).await.status, 401);
    let user = world.get(&path).await.expect(200)["user"].clone();
    assert_eq!(user["is_pending"], json!(true));
    assert_eq!(count(&world, "/api/access-requests").await, json!(0));
}

#[tokio::test]
async fn a_request_with_a_token_writes_nothing_until_an_hour_is_over() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let made = invite(&world, "ann@example.com", "viewer").await;
    let exp = issuer.claims()["exp"].as_i64().unwrap() + 86_400;
    let token = issuer.token(&json!({ "exp": exp }));
    me(&world, &token).await.expect(200);
    let path = format!("/api/users/{}", id(&made["user"]));
    let tag = world.get(&path).await.header("etag").to_owned();
    let log = audited(&world).await;
    world.clock.advance(SignedDuration::from_mins(59));
    for _ in 0..5 {
        me(&world, &token).await.expect(200);
        call(&world, &token, "/api/engines").await.expect(200);
    }
    assert_eq!(world.get(&path).await.header("etag"), tag);
    assert_eq!(audited(&world).await, log);
    world.clock.advance(SignedDuration::from_mins(1));
    me(&world, &token).await.expect(200);
    assert_ne!(world.get(&path).await.header("etag"), tag);
}

#[tokio::test]
async fn somebody_removed_is_unknown_and_may_be_invited_anew() {
    let issuer = Issuer::start().await;
    let world = issuer.world(&[]).await;
    let token = issuer.token(&json!({}));
    let made = invite(&world, "ann@example.com", "viewer").await;
    me(&world, &token).await.expect(200);
    let path = format!("/api/users/{}", id(&made["user"]));
    world.delete(&path).await.expect(200);
    assert_eq!(me(&world, &token).await.status, 403);
    let anew = invite(&world, "ann@example.com", "operator").await;
    let user = me(&world, &token).await.expect(200)["user"].clone();
    assert_eq!(id(&user), id(&anew["user"]));
    assert_eq!(issuer.claims()["aud"], json!(AUDIENCE));
}
