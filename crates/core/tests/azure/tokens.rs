//! Tokens for database servers, from an Entra ID that is played.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::config::{EntraSettings, IdentitySetting};
use dilux_core::entra::Tokens;
use dilux_core::model::EngineType;
use dilux_core::random::SystemRandom;
use dilux_core::secret::SecretValue;
use dilux_core::storage::RetryPolicy;
use dilux_core::transfer::{Failure, FailureKind};
use dilux_testkit::entra::{FakeEntra, TokenAnswer};

const SECRET: &str = "canary-secret-0123";
const TOKEN: &str = "canary.token.one";

/// As patient as people are, in little; longer than the one wait that a test asks for.
fn policy() -> RetryPolicy {
    RetryPolicy {
        max_elapsed: Duration::from_secs(2),
        per_try_timeout: Duration::from_secs(2),
        base: Duration::from_millis(5),
        cap: Duration::from_millis(20),
        least_bytes_per_second: NonZeroU64::MIN,
    }
}

fn tokens(entra: &FakeEntra) -> Tokens {
    let tokens = Tokens::new(&EntraSettings::default(), policy(), Arc::new(SystemRandom));
    tokens.over(entra.transport())
}

fn app(secret: &str) -> IdentitySetting {
    IdentitySetting::ClientSecret {
        tenant_id: "contoso.example".to_owned(),
        client_id: "app-1".to_owned(),
        secret: SecretValue::new(secret),
    }
}

async fn start() -> (FakeEntra, Tokens) {
    let entra = FakeEntra::start(SECRET, TOKEN).await.unwrap();
    let tokens = tokens(&entra);
    (entra, tokens)
}

async fn refused(tokens: &Tokens, identity: &IdentitySetting) -> Failure {
    let outcome = tokens.token(identity, EngineType::PostgreSql).await;
    let failure = outcome.unwrap_err();
    let shown = format!("{failure} {failure:?}");
    assert!(!shown.contains("canary"), "{shown}");
    failure
}

#[tokio::test]
async fn an_app_gets_a_token_for_its_kind_of_server_once() {
    let (entra, tokens) = start().await;
    for engine_type in [
        EngineType::PostgreSql,
        EngineType::MySql,
        EngineType::SqlServer,
    ] {
        let token = tokens.token(&app(SECRET), engine_type).await.unwrap();
        assert_eq!(token.expose(), TOKEN);
    }
    let requests = entra.requests();
    assert_eq!(requests.len(), 2, "PostgreSQL and MySQL take the same one");
    let address = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";
    for (request, scope) in requests.iter().zip([
        "https://ossrdbms-aad.database.windows.net/.default",
        "https://database.windows.net/.default",
    ]) {
        assert_eq!(request.url, address);
        assert_eq!(request.fields["grant_type"], "client_credentials");
        assert_eq!(request.fields["client_id"], "app-1");
        assert_eq!(request.fields["client_secret"], SECRET);
        assert_eq!(request.fields["scope"], scope);
    }
}

#[tokio::test]
async fn a_managed_identity_is_asked_for_at_the_metadata_service_alone() {
    let (entra, tokens) = start().await;
    for client_id in [None, Some("identity-7".to_owned())] {
        let identity = IdentitySetting::Managed { client_id };
        let token = tokens.token(&identity, EngineType::MySql).await.unwrap();
        assert_eq!(token.expose(), TOKEN);
    }
    let requests = entra.requests();
    let named: Vec<_> = requests
        .iter()
        .map(|request| request.fields.get("client_id").map(String::as_str))
        .collect();
    assert_eq!(named, [None, Some("identity-7")]);
    for request in requests {
        let address = "http://169.254.169.254/metadata/identity/oauth2/token";
        assert_eq!(request.url, address);
        assert_eq!(request.headers["metadata"], "true");
        let resource = "https://ossrdbms-aad.database.windows.net";
        assert_eq!(request.fields["resource"], resource);
    }
}

#[tokio::test]
async fn many_at_once_send_one_request() {
    let (entra, tokens) = start().await;
    let identity = app(SECRET);
    let asking = (0..20).map(|_| tokens.token(&identity, EngineType::MySql));
    for outcome in futures::future::join_all(asking).await {
        outcome.unwrap();
    }
    assert_eq!(entra.requests().len(), 1);
}

#[tokio::test]
async fn a_token_near_its_end_is_fetched_again() {
    let (entra, tokens) = start().await;
    entra.give(&["token.one", "token.two", "token.three"]);
    entra.set_lifetime(299);
    for expected in ["token.one", "token.two"] {
        let token = tokens.token(&app(SECRET), EngineType::MySql).await.unwrap();
        assert_eq!(token.expose(), expected);
    }
    entra.set_lifetime(3600);
    for _ in 0..2 {
        let token = tokens.token(&app(SECRET), EngineType::MySql).await.unwrap();
        assert_eq!(token.expose(), "token.three");
    }
}

#[tokio::test]
async fn another_secret_gets_no_token_that_was_given_to_the_right_one() {
    let (entra, tokens) = start().await;
    tokens.token(&app(SECRET), EngineType::MySql).await.unwrap();
    let failure = refused(&tokens, &app("canary-wrong")).await;
    assert_eq!(failure.kind, FailureKind::Authentication);
    assert_eq!(
        failure.message,
        "the app 'app-1' of tenant 'contoso.example' gets no token: Azure answered 401: \
         AADSTS7000215: Invalid client secret provided; check tenant, client id and client secret"
    );
    tokens.token(&app(SECRET), EngineType::MySql).await.unwrap();
    assert_eq!(entra.requests().len(), 3);
}

#[tokio::test]
async fn an_identity_that_is_not_assigned_is_named() {
    let (entra, tokens) = start().await;
    let sentence = "Identity \"7\" not found\r\nTrace ID: 1234";
    entra.answer_next([TokenAnswer::refusal(400, sentence)]);
    let client_id = Some("identity-7".to_owned());
    let failure = refused(&tokens, &IdentitySetting::Managed { client_id }).await;
    assert_eq!(failure.kind, FailureKind::Authentication);
    assert_eq!(
        failure.message,
        "the managed identity 'identity-7' gets no token: Azure answered 400: Identity \"7\" not found; \
         check that it is assigned to this machine or container"
    );
}

#[tokio::test]
async fn a_busy_entra_id_is_asked_again_after_the_wait_that_it_wants() {
    let (entra, tokens) = start().await;
    let busy = TokenAnswer {
        retry_after: Some(1),
        ..TokenAnswer::refusal(429, "too many requests")
    };
    let ill = TokenAnswer {
        body: "<html>a proxy is ill</html>".to_owned(),
        ..TokenAnswer::refusal(503, "")
    };
    entra.answer_next([ill, busy]);
    let token = tokens.token(&app(SECRET), EngineType::MySql).await.unwrap();
    assert_eq!(token.expose(), TOKEN);
    assert_eq!(entra.requests().len(), 3);
}

#[tokio::test]
async fn an_entra_id_that_stays_busy_is_given_up_as_an_outage() {
    let (entra, tokens) = start().await;
    let busy = TokenAnswer {
        retry_after: Some(60),
        ..TokenAnswer::refusal(429, "canary? no: too many requests")
    };
    entra.answer_next([busy.clone(), busy]);
    let outcome = tokens.token(&app(SECRET), EngineType::MySql).await;
    let failure = outcome.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(failure.message.contains("429"), "{failure}");
    assert_eq!(entra.requests().len(), 1, "it asked for a minute's rest");
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_taken_for_a_token() {
    let answers = [
        "<html>",
        "{}",
        "\"canary\"",
        r#"{"access_token": "", "expires_in": 3600}"#,
        r#"{"access_token": {"canary": 1}, "expires_in": 3600}"#,
        r#"{"access_token": "canary\nline", "expires_in": 3600}"#,
    ];
    let looked_at = answers.map(async |body| {
        let (entra, tokens) = start().await;
        let answer = TokenAnswer {
            status: 200,
            body: body.to_owned(),
            retry_after: None,
        };
        entra.answer_next(std::iter::repeat_n(answer, 2000));
        let failure = refused(&tokens, &app(SECRET)).await;
        assert_eq!(failure.kind, FailureKind::Unreachable, "{body}");
        assert!(failure.message.contains("cannot be read"), "{failure}");
    });
    futures::future::join_all(looked_at).await;
}

#[tokio::test]
async fn a_silent_endpoint_is_an_outage() {
    let (entra, tokens) = start().await;
    entra.stop();
    let failure = refused(&tokens, &app(SECRET)).await;
    assert_eq!(failure.kind, FailureKind::Unreachable);
    assert!(
        failure
            .message
            .starts_with("the app 'app-1' of tenant 'contoso.example' could not be given a token"),
        "{failure}"
    );
}
