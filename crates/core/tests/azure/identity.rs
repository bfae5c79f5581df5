//! Entra identities: managed, workload and client secret.
//!
//! Managed and workload identity are found by environment variables, which a test cannot set for
//! itself: those tests run themselves again in a process that has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use azure_core::http::HttpClient;
use data_encoding::BASE64URL_NOPAD;
use dilux_core::clock::{Clock, SystemClock};
use dilux_core::config::IdentitySetting;
use dilux_core::secret::SecretValue;
use dilux_core::storage::azure::{AzureAuth, AzureConfig, AzureEndpoints, AzureStorage};
use dilux_core::storage::{ContainerName, QueueName, StorageErrorKind, StorageResult, TableName};
use dilux_testkit::azurite::{Azurite, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;
use tempfile::TempDir;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::clock;
use super::signing::use_all_three;
use super::transport::{Answer, Scripted, Seen, answer};

/// Says, in the second process, that it is the second.
const AGAIN: &str = "DILUX_TEST_RUNS_AGAIN";
const ENDPOINTS: &str = "DILUX_TEST_ENDPOINTS";

#[expect(
    clippy::disallowed_methods,
    reason = "how the first process tells the second"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Runs the test of this name again with these variables; it must pass there.
#[expect(
    clippy::disallowed_methods,
    reason = "environment variables need a process of their own"
)]
async fn run_again(test: &str, variables: &[(&str, String)]) {
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(AGAIN, "yes")
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && shown.contains("1 passed"),
        "{shown}"
    );
}

fn storage(endpoints: [&str; 3], identity: IdentitySetting) -> AzureStorage {
    let [blob, queue, table] = endpoints;
    let endpoints = AzureEndpoints::new(blob, queue, table).unwrap();
    let config = AzureConfig::new(endpoints, AzureAuth::Identity(identity));
    AzureStorage::connect(&config, &clock()).unwrap()
}

/// A certificate for 127.0.0.1 and the authority that signed it, as PEM files.
fn certificate() -> TempDir {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf_pem = leaf.signed_by(&key, &issuer).unwrap().pem();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("authority.pem"), authority_pem).unwrap();
    std::fs::write(directory.path().join("leaf.pem"), leaf_pem).unwrap();
    std::fs::write(directory.path().join("key.pem"), key.serialize_pem()).unwrap();
    directory
}

/// A token that Azurite takes: it looks at issuer, audience and times, not at the signature.
fn token() -> String {
    let now = SystemClock.now().as_second();
    let part = |json: serde_json::Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let head = part(json!({ "alg": "RS256", "typ": "JWT" }));
    let claims = part(json!({
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "iat": now - 60, "nbf": now - 60, "exp": now + 3600,
    }));
    format!("{head}.{claims}.c2lnbmF0dXJl")
}

/// The platform's endpoint for managed identities, which gives one token and expects one request.
async fn identity_endpoint() -> MockServer {
    let server = MockServer::start().await;
    let expires_on = (SystemClock.now().as_second() + 3600).to_string();
    let granted = json!({
        "access_token": token(), "expires_on": expires_on,
        "resource": "https://storage.azure.com", "token_type": "Bearer",
    });
    Mock::given(method("GET"))
        .and(path("/msi"))
        .and(header("x-identity-header", "CANARY-header"))
        .and(query_param("client_id", "my-client"))
        .and(query_param("resource", "https://storage.azure.com"))
        .respond_with(ResponseTemplate::new(200).set_body_json(granted))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_managed_identity_serves_all_three_with_one_token() {
    if let Some(endpoints) = variable(ENDPOINTS) {
        let endpoints: Vec<&str> = endpoints.split(' ').collect();
        let identity = IdentitySetting::Managed {
            client_id: Some("my-client".to_owned()),
        };
        let storage = storage(endpoints.try_into().unwrap(), identity);
        return use_all_three(&storage).await.unwrap();
    }
    let files = certificate();
    let file = |name| files.path().join(name);
    let azurite = Azurite::start_with_tokens(TlsFiles {
        certificate: &file("leaf.pem"),
        key: &file("key.pem"),
    })
    .unwrap();
    let platform = identity_endpoint().await;
    let endpoints = [
        azurite.blob_endpoint(),
        azurite.queue_endpoint(),
        azurite.table_endpoint(),
    ]
    .join(" ");
    let variables = [
        ("SSL_CERT_FILE", file("authority.pem").display().to_string()),
        ("IDENTITY_ENDPOINT", format!("{}/msi", platform.uri())),
        ("IDENTITY_HEADER", "CANARY-header".to_owned()),
        (ENDPOINTS, endpoints),
    ];
    run_again(
        "identity::a_managed_identity_serves_all_three_with_one_token",
        &variables,
    )
    .await;
    platform.verify().await;
}

const ENTRA: &str = "https://login.microsoftonline.com/my-tenant/oauth2/v2.0/token";
const ACCOUNT: [&str; 3] = [
    "https://acme1.blob.core.windows.net",
    "https://acme1.queue.core.windows.net",
    "https://acme1.table.core.windows.net",
];

/// Gives a token to whoever proves to be `my-client` with this field of the form, and creates
/// whatever is asked for with it.
fn entra(field: &'static str, proof: &'static str) -> Arc<Scripted> {
    Scripted::new(move |seen: &Seen| -> Answer {
        if seen.url == ENTRA {
            let form: BTreeMap<_, _> = url::form_urlencoded::parse(&seen.body)
                .into_owned()
                .collect();
            assert_eq!(form["client_id"], "my-client");
            assert_eq!(form["scope"], "https://storage.azure.com/.default");
            if form.get(field).map(String::as_str) != Some(proof) {
                let refusal = json!({
                    "error_codes": [7_000_215],
                    "error_description": "AADSTS7000215: Invalid client secret provided.",
                });
                return answer(401, &[], refusal.to_string());
            }
            let granted = json!({
                "token_type": "Bearer", "expires_in": 3600, "access_token": "granted",
            });
            return answer(200, &[], granted.to_string());
        }
        assert_eq!(seen.authorization, "Bearer granted", "{}", seen.url);
        answer(201, &[], "")
    })
}

/// Creates something in each service of the account, over this transport.
async fn create_in_all_three(
    identity: IdentitySetting,
    transport: &Arc<Scripted>,
) -> [StorageResult<()>; 3] {
    let [blob, queue, table] = ACCOUNT;
    let endpoints = AzureEndpoints::new(blob, queue, table).unwrap();
    let config = AzureConfig::new(endpoints, AzureAuth::Identity(identity));
    let transport: Arc<dyn HttpClient> = transport.clone();
    let storage = AzureStorage::connect_over(&config, &clock(), &transport).unwrap();
    [
        storage
            .tables
            .create_table(&TableName::new("jobs").unwrap())
            .await,
        storage
            .queues
            .create_queue(&QueueName::new("jobs").unwrap())
            .await,
        storage
            .blobs
            .create_container(&ContainerName::new("jobs").unwrap())
            .await,
    ]
}

fn client_secret(secret: &str) -> IdentitySetting {
    IdentitySetting::ClientSecret {
        tenant_id: "my-tenant".to_owned(),
        client_id: "my-client".to_owned(),
        secret: SecretValue::new(secret),
    }
}

#[tokio::test]
async fn a_client_secret_serves_all_three_with_one_token() {
    let transport = entra("client_secret", "CANARY-secret");
    for outcome in create_in_all_three(client_secret("CANARY-secret"), &transport).await {
        outcome.unwrap();
    }
    let tokens = transport
        .seen()
        .iter()
        .filter(|seen| seen.url == ENTRA)
        .count();
    assert_eq!(tokens, 1);
}

#[tokio::test]
async fn a_wrong_client_secret_is_denied_and_not_shown() {
    let transport = entra("client_secret", "right");
    for outcome in create_in_all_three(client_secret("CANARY-wrong"), &transport).await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Denied);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("AADSTS7000215"), "{shown}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}

#[tokio::test]
async fn a_workload_identity_proves_itself_with_its_token_file() {
    if variable(AGAIN).is_some() {
        let transport = entra("client_assertion", "CANARY-federated");
        for outcome in create_in_all_three(IdentitySetting::Workload, &transport).await {
            outcome.unwrap();
        }
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, "CANARY-federated").unwrap();
    let variables = [
        ("AZURE_TENANT_ID", "my-tenant".to_owned()),
        ("AZURE_CLIENT_ID", "my-client".to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.display().to_string()),
    ];
    run_again(
        "identity::a_workload_identity_proves_itself_with_its_token_file",
        &variables,
    )
    .await;
}

#[tokio::test]
async fn an_identity_is_refused_where_its_token_would_travel_in_the_clear() {
    let endpoints = AzureEndpoints::new(
        "http://acme1.blob.core.windows.net",
        "https://acme1.queue.core.windows.net",
        "https://acme1.table.core.windows.net",
    );
    let auth = AzureAuth::Identity(client_secret("CANARY-secret"));
    let config = AzureConfig::new(endpoints.unwrap(), auth);
    let error = AzureStorage::connect(&config, &clock()).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Invalid);
    assert!(error.to_string().contains("is not https://"), "{error}");
    assert!(!format!("{config:?} {error:?}").contains("CANARY"));
}
