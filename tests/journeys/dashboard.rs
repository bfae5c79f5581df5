//! The dashboard as people use it, in a real browser, over the real services.
#![cfg(test)]

use std::collections::BTreeSet;

use dilux_journeys::{Browser, Client, Home, Sample, Service, StoreKind, eventually, text};
use reqwest::Method;
use serde_json::{Value, json};

const OPEN: [(&str, &str); 2] = [("DILUX_AUTH", "off"), ("DILUX_EVERYBODY_IS_ADMIN", "yes")];
const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "correct horse battery";

/// A label that is a page of its own where it is taken for markup.
const HOSTILE: &str = "<img src=x onerror=\"window.ran = true\">";

/// A home that asks nobody who they are.
fn open_home() -> Home {
    let mut home = Home::new(StoreKind::Embedded).unwrap();
    for (name, value) in OPEN {
        home.set(name, value);
    }
    home
}

/// Registers the first admin over the API.
async fn register_ann(client: &Client) {
    let ann = json!({ "email": EMAIL, "name": "Ann Example", "password": PASSWORD });
    client.post("/auth/setup", &ann).await.unwrap();
}

async fn sign_in(browser: &Browser, password: &str) {
    browser.fill("#sign-in-email", EMAIL).await.unwrap();
    browser.fill("#sign-in-password", password).await.unwrap();
    browser.click("#sign-in button").await.unwrap();
}

async fn sign_in_when_allowed(browser: &Browser) {
    let button = "#sign-in button:enabled";
    browser.until(button, "Sign in").await.unwrap();
    sign_in(browser, PASSWORD).await;
}

/// Fails when the browser had to refuse anything by the page's policy.
async fn complains_of_no_policy(browser: &Browser) {
    let complaints = browser.complaints().await.unwrap();
    let of_policy: Vec<_> = complaints.iter().filter(|it| is_of_policy(it)).collect();
    assert!(of_policy.is_empty(), "{of_policy:#?}");
}

fn is_of_policy(complaint: &str) -> bool {
    ["Content Security Policy", "TrustedHTML", "TrustedScript"]
        .iter()
        .any(|name| complaint.contains(name))
}

/// Fails when a page asked anybody but the API.
async fn asked_nobody_else(browser: &Browser, home: &Home) {
    let asked = browser.asked().await.unwrap();
    assert_eq!(asked, BTreeSet::from([home.url()]));
}

#[tokio::test]
async fn without_authentication_the_page_warns_all_the_time_and_says_what_to_do_first() {
    let home = open_home();
    let (_api, _client) = home.start_api().await.unwrap();
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    let warning = "authentication is off: everybody who reaches this address is an admin";
    browser
        .until("#warning [role=alert]", warning)
        .await
        .unwrap();
    browser
        .until("h1", "Nothing is backed up yet")
        .await
        .unwrap();
    let steps = browser.until("#first-steps", "/api/engines").await.unwrap();
    assert!(steps.contains(&home.url()), "{steps}");
    assert_eq!(browser.text("#sign-out").await.unwrap(), None);

    // It stays in sight, however far somebody scrolls.
    let top = "scrollTo(0, 1e6); return Math.round(
        document.querySelector(arguments[0]).getBoundingClientRect().top)";
    let top = browser.run(top, "#warning [role=alert]").await.unwrap();
    assert_eq!(top, json!(0));
    let height = "return document.documentElement.scrollHeight > innerHeight";
    let scrolls = browser.run(height, "").await.unwrap();
    assert_eq!(scrolls, json!(true), "there is something to scroll");
    complains_of_no_policy(&browser).await;
    asked_nobody_else(&browser, &home).await;
}

/// Services, and a database that was backed up once.
struct Stage {
    _services: [Service; 3],
    client: Client,
    backup: String,
}

async fn stage(home: &Home, sample: &Sample) -> Stage {
    let (api, client) = home.start_api().await.unwrap();
    let scheduler = home.start("dilux-scheduler").unwrap();
    let processor = home.start("dilux-processor").unwrap();
    let engine = sample.register(&client).await.unwrap();
    let shop = sample.register_database(&client, &engine, "shop").await;
    let shop = shop.unwrap();
    change(
        &client,
        &shop,
        &json!({ "name": HOSTILE, "rpo_minutes": 60 }),
    )
    .await;
    let job = client.back_up(&shop).await.unwrap();
    let job = client.completed(&job).await.unwrap();
    Stage {
        _services: [api, scheduler, processor],
        client,
        backup: text(&job, "/backup_id").unwrap(),
    }
}

async fn change(client: &Client, database: &str, change: &Value) {
    let path = format!("/databases/{database}");
    let changed = client.expect(Method::PUT, &path, Some(change)).await;
    changed.unwrap();
}

#[tokio::test]
async fn somebody_signs_in_sees_what_is_protected_as_it_changes_and_signs_out() {
    let sample = Sample::postgresql().unwrap();
    let home = Home::new(StoreKind::Embedded).unwrap();
    let stage = stage(&home, &sample).await;
    register_ann(&stage.client).await;
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    let warning = browser.text("#warning [role=alert]").await.unwrap();
    assert_eq!(warning, None);
    sign_in(&browser, "wrong").await;
    let refused = "the e-mail or the password is wrong";
    browser
        .until("#sign-in [role=alert]", refused)
        .await
        .unwrap();

    sign_in(&browser, PASSWORD).await;
    browser.until("#account", "Ann Example").await.unwrap();
    browser
        .until("h1", "The database is protected")
        .await
        .unwrap();
    let database = browser.until("#databases tbody tr", "Met").await.unwrap();
    for wanted in [HOSTILE, "shop on Sample", "1 h at most", "switched off"] {
        assert!(database.contains(wanted), "{wanted}: {database}");
    }
    let backup = browser.until("#backups tbody tr", HOSTILE).await.unwrap();
    assert!(backup.contains("Completed, not verified"), "{backup}");
    for service in ["API", "Scheduler", "Processor"] {
        browser.until("#processes", service).await.unwrap();
    }
    let traces = "return [document.querySelectorAll('main img').length, window.ran ?? null]";
    let traces = browser.run(traces, "").await.unwrap();
    assert_eq!(traces, json!([0, null]), "the label is a text");

    // What happens is told without being asked for.
    let path = format!("/backups/{}/verify", stage.backup);
    stage.client.post(&path, &json!({})).await.unwrap();
    let verified = browser.until("#backups tbody tr", "Verified").await;
    assert!(!verified.unwrap().contains("not verified"));

    browser.click("#sign-out").await.unwrap();
    browser.until("main", "You have signed out.").await.unwrap();
    browser.until_gone("#databases").await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    complains_of_no_policy(&browser).await;
    asked_nobody_else(&browser, &home).await;
}

#[tokio::test]
async fn what_is_shown_is_not_taken_for_the_present_when_the_api_is_gone() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (api, client) = home.start_api().await.unwrap();
    register_ann(&client).await;
    let sample = Sample::postgresql().unwrap();
    let engine = sample.register(&client).await.unwrap();
    let shop = sample.register_database(&client, &engine, "shop").await;
    shop.unwrap();
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    sign_in(&browser, PASSWORD).await;
    browser.until("#freshness", "Up to date").await.unwrap();
    browser.until("#databases", "No objective").await.unwrap();

    api.kill().unwrap();
    let alert = "#freshness [role=alert]";
    let said = browser.until(alert, "The API does not answer").await;
    assert!(said.unwrap().contains("What you see is from"));
    browser
        .until("h1", "The present state is not known")
        .await
        .unwrap();
    browser
        .until(".stale #databases", "No objective")
        .await
        .unwrap();

    let (_api, _client) = home.start_api().await.unwrap();
    browser.until("#freshness", "Up to date").await.unwrap();
    browser.until_gone(".stale").await.unwrap();
}

#[tokio::test]
async fn a_page_that_nobody_touches_stops_reading_until_somebody_does() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    register_ann(&client).await;
    let sample = Sample::postgresql().unwrap();
    let engine = sample.register(&client).await.unwrap();
    let shop = sample.register_database(&client, &engine, "shop").await;
    let shop = shop.unwrap();
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    sign_in(&browser, PASSWORD).await;
    browser.until("#freshness", "Up to date").await.unwrap();

    let later = "const now = Date.now; Date.now = () => now() + 16 * 60_000";
    browser.run(later, "").await.unwrap();
    change(&client, &shop, &json!({ "name": "Renamed" })).await;
    // An event, after which the page would read everything.
    client.back_up(&shop).await.unwrap();
    browser
        .until("#freshness [role=alert]", "Paused")
        .await
        .unwrap();
    let shown = browser.text("#databases").await.unwrap().unwrap();
    assert!(!shown.contains("Renamed"), "{shown}");

    browser.click("h1").await.unwrap();
    browser.until("#freshness", "Up to date").await.unwrap();
    browser.until("#databases", "Renamed").await.unwrap();
}

#[tokio::test]
async fn the_first_admin_is_made_in_the_browser() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (api, client) = home.start_api().await.unwrap();
    let token_file = home.path().join("data/bootstrap-token");
    let token = std::fs::read_to_string(&token_file).unwrap();
    let shown = format!("with the bootstrap token {}\n", token.trim());
    assert_eq!(api.log().matches(&shown).count(), 1);
    assert_eq!(api.log().matches(token.trim()).count(), 1);
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser
        .until("main", "Nobody is registered yet")
        .await
        .unwrap();
    browser
        .click("details:has(#first-admin) summary")
        .await
        .unwrap();
    let fill = async |token: &str, password: &str| {
        for (field, value) in [("token", token), ("email", EMAIL), ("password", password)] {
            let selector = format!("#first-admin-{field}");
            browser.fill(&selector, value).await.unwrap();
        }
        browser.click("#first-admin button").await.unwrap();
    };
    fill("wrong", PASSWORD).await;
    let wrong = "This is not the bootstrap token, or it was used.";
    browser
        .until("#first-admin [role=alert]", wrong)
        .await
        .unwrap();
    fill(token.trim(), "short").await;
    let note = "#first-admin-password-note";
    browser.until(note, "New password: must").await.unwrap();
    let marked = "return document.activeElement.getAttribute('aria-invalid')";
    assert_eq!(browser.run(marked, "").await.unwrap(), json!("true"));

    fill(token.trim(), PASSWORD).await;
    browser.until("#account", "admin").await.unwrap();
    let users = client.get("/users").await.unwrap();
    assert_eq!(users["users"][0]["email"], json!(EMAIL));
    assert!(!token_file.exists(), "the bootstrap token is spent");
    complains_of_no_policy(&browser).await;
}

#[tokio::test]
async fn who_comes_back_from_elsewhere_without_a_session_is_told_why() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (_api, _client) = home.start_api().await.unwrap();
    let browser = Browser::start().await.unwrap();
    let callback = format!("{}/api/auth/oidc/callback?code=x&state=y", home.url());
    browser.open(&callback).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    let notice = "main [role=status]";
    browser.until(notice, "Way to sign in").await.unwrap();
    let address = browser.run("return location.href", "").await.unwrap();
    assert_eq!(address, json!(format!("{}/", home.url())));
    complains_of_no_policy(&browser).await;
}

#[tokio::test]
async fn whoever_tries_too_often_is_told_when_to_try_again() {
    let home = Home::new(StoreKind::Embedded).unwrap();
    let (_api, client) = home.start_api().await.unwrap();
    register_ann(&client).await;
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("h1", "Sign in").await.unwrap();
    let delayed = eventually("a sign-in is delayed", async || {
        browser.until("#sign-in button:enabled", "Sign in").await?;
        sign_in(&browser, "wrong").await;
        let said = browser.until("#sign-in [role=alert]", "").await?;
        Ok(said.contains("too many failed sign-ins") && said.contains("Try again at"))
    });
    delayed.await.unwrap();
    let button = "#sign-in button:disabled";
    browser.until(button, "Sign in (in ").await.unwrap();
    sign_in_when_allowed(&browser).await;
    browser.until("#account", "Ann Example").await.unwrap();
}

#[tokio::test]
async fn nothing_that_gets_into_the_page_is_run_or_becomes_markup() {
    let home = open_home();
    let (_api, _client) = home.start_api().await.unwrap();
    let browser = Browser::start().await.unwrap();
    browser.open(&home.url()).await.unwrap();
    browser.until("#freshness", "Up to date").await.unwrap();
    complains_of_no_policy(&browser).await;
    let attempts = [
        "document.body.innerHTML = text",
        "document.body.insertAdjacentHTML('beforeend', text)",
        "eval('window.ran = true')",
        "const script = document.createElement('script');
            script.append('window.ran = true'); document.body.append(script)",
        "document.body.setAttribute('onclick', 'window.ran = true'); document.body.click()",
        "const frame = document.createElement('iframe');
            frame.src = 'javascript:parent.ran = true'; document.body.append(frame)",
    ];
    for attempt in attempts {
        // As a script of the page: what the driver runs itself is let pass.
        let script = format!(
            "const text = arguments[0]; window.tried = false;
            setTimeout(() => {{ try {{ {attempt} }} finally {{ window.tried = true }} }})"
        );
        browser.run(&script, HOSTILE).await.unwrap();
        let what = format!("a refusal of {attempt}");
        let mut refused = false;
        let waited = eventually(&what, async || {
            let complaints = browser.complaints().await?;
            refused |= complaints.iter().any(|it| is_of_policy(it));
            Ok(refused && browser.run("return window.tried", "").await? == json!(true))
        });
        waited.await.unwrap();
        let ran = browser.run("return window.ran ?? null", "").await.unwrap();
        assert_eq!(ran, json!(null), "{attempt}");
    }
}
