//! Key Vault: the suite of the secret port and the vault's own states, on a vault in this process
//! that answers as the real one does, challenge and soft delete included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use azure_core::http::{HttpClient, Method};
use dilux_core::config::IdentitySetting;
use dilux_core::random::SystemRandom;
use dilux_core::secret::key_vault::KeyVaultStore;
use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use dilux_core::storage::{RetryPolicy, RetryingSecretStore, StorageErrorKind};
use dilux_testkit::conformance::{self, Gaps, Time};
use serde_json::{Value as Json, json};

use super::transport::{Answer, Scripted, Seen, answer};

const VAULT: &str = "https://acme.vault.azure.net";
const CLIENT_SECRET: &str = "CANARY-client-secret";

fn identity() -> IdentitySetting {
    IdentitySetting::ClientSecret {
        tenant_id: "tenant".to_owned(),
        client_id: "client".to_owned(),
        secret: SecretValue::new(CLIENT_SECRET),
    }
}

fn name(text: &str) -> SecretName {
    SecretName::new(text).unwrap()
}

/// What a vault knows of a name.
#[derive(Debug, Clone, PartialEq)]
enum Entry {
    Live(String),
    Deleted(String),
    /// Until the next request for it.
    Recovering(String),
}

/// A vault with soft delete, and the identity platform that it trusts.
#[derive(Default)]
struct Vault(Mutex<BTreeMap<String, Entry>>);

impl Vault {
    fn start() -> (Arc<Self>, Arc<Scripted>) {
        let vault = Arc::new(Self::default());
        let same = Arc::clone(&vault);
        (vault, Scripted::new(move |seen| same.answer(seen)))
    }

    fn answer(&self, seen: &Seen) -> Answer {
        if seen
            .url
            .starts_with("https://login.microsoftonline.com/tenant/oauth2/v2.0/token")
        {
            return token(seen);
        }
        let path = seen
            .url
            .strip_prefix(VAULT)
            .expect("only the vault is asked");
        match seen.authorization.as_str() {
            "" => {
                assert!(
                    seen.body.is_empty(),
                    "a secret was sent before the challenge"
                );
                challenge()
            }
            "Bearer granted" => self.serve(seen, path),
            other => panic!("unexpected authorization {other}"),
        }
    }

    fn serve(&self, seen: &Seen, path: &str) -> Answer {
        let mut entries = self.0.lock().unwrap();
        let (path, query) = path.split_once('?').unwrap();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (seen.method, parts.as_slice()) {
            (Method::Put, ["secrets", name]) => set(&mut entries, name, seen),
            (Method::Get, ["secrets"]) => list(&entries, query),
            (Method::Get, ["secrets", name, ..]) => match entries.get(*name) {
                Some(Entry::Live(value)) => secret(name, value),
                _ => refuse(404, "SecretNotFound", None),
            },
            (Method::Delete, ["secrets", name]) => match entries.get(*name).cloned() {
                Some(Entry::Live(value)) => {
                    entries.insert((*name).to_owned(), Entry::Deleted(value));
                    secret(name, "")
                }
                _ => refuse(404, "SecretNotFound", None),
            },
            (Method::Post, ["deletedsecrets", name, "recover"]) => {
                let Some(Entry::Deleted(value)) = entries.get(*name).cloned() else {
                    return refuse(404, "SecretNotFound", None);
                };
                entries.insert((*name).to_owned(), Entry::Recovering(value));
                secret(name, "")
            }
            other => panic!("unexpected request {other:?}"),
        }
    }
}

fn set(entries: &mut BTreeMap<String, Entry>, name: &str, seen: &Seen) -> Answer {
    match entries.get(name).cloned() {
        Some(Entry::Deleted(_)) => refuse(409, "Conflict", Some("ObjectIsDeletedButRecoverable")),
        Some(Entry::Recovering(value)) => {
            entries.insert(name.to_owned(), Entry::Live(value));
            refuse(409, "Conflict", Some("ObjectIsBeingRecovered"))
        }
        Some(Entry::Live(_)) | None => {
            let body: Json = serde_json::from_slice(&seen.body).unwrap();
            let value = body["value"].as_str().unwrap().to_owned();
            entries.insert(name.to_owned(), Entry::Live(value.clone()));
            secret(name, &value)
        }
    }
}

/// Pages of two names.
fn list(entries: &BTreeMap<String, Entry>, query: &str) -> Answer {
    let live = entries
        .iter()
        .filter(|(_, entry)| matches!(entry, Entry::Live(_)));
    let names: Vec<&String> = live.map(|(name, _)| name).collect();
    let skip = query
        .split_once("skip=")
        .map_or(0, |(_, skip)| skip.parse().unwrap());
    let ids: Vec<Json> = names
        .iter()
        .skip(skip)
        .take(2)
        .map(|name| json!({ "id": format!("{VAULT}/secrets/{name}") }))
        .collect();
    let next = (skip + 2 < names.len())
        .then(|| format!("{VAULT}/secrets?api-version=x&skip={}", skip + 2));
    answer(
        200,
        &[],
        json!({ "value": ids, "nextLink": next }).to_string(),
    )
}

fn secret(name: &str, value: &str) -> Answer {
    let id = format!("{VAULT}/secrets/{name}/0123456789abcdef");
    answer(200, &[], json!({ "id": id, "value": value }).to_string())
}

fn refuse(status: u16, code: &str, inner: Option<&str>) -> Answer {
    let error = json!({ "error": {
        "code": code,
        "message": "The vault says no.",
        "innererror": inner.map(|inner| json!({ "code": inner })),
    }});
    answer(status, &[], error.to_string())
}

/// What a vault says to a request without a token.
fn challenge() -> Answer {
    let challenge = "Bearer authorization=\"https://login.microsoftonline.com/tenant\", \
                     resource=\"https://vault.azure.net\"";
    answer(401, &[("www-authenticate", challenge)], "")
}

fn token(seen: &Seen) -> Answer {
    let form: BTreeMap<_, _> = url::form_urlencoded::parse(&seen.body)
        .into_owned()
        .collect();
    assert_eq!(form["client_secret"], CLIENT_SECRET);
    assert_eq!(form["scope"], "https://vault.azure.net/.default");
    let granted = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": "granted" });
    answer(200, &[], granted.to_string())
}

fn store(transport: Arc<Scripted>) -> KeyVaultStore {
    let transport: Arc<dyn HttpClient> = transport;
    KeyVaultStore::connect_over(VAULT, &identity(), &transport).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_keep_the_contract() {
    let (_vault, transport) = Vault::start();
    let store = RetryingSecretStore::new(
        Arc::new(store(transport)),
        RetryPolicy::interactive(),
        Arc::new(SystemRandom),
    );
    conformance::secret_store(Arc::new(store), &Gaps::none(Time::Real))
        .await
        .unwrap();
}

#[tokio::test]
async fn one_token_serves_many_requests() {
    let (_vault, transport) = Vault::start();
    let store = store(Arc::clone(&transport));
    for number in 0..5 {
        store
            .set(&name(&format!("n{number}")), &SecretValue::new("x"))
            .await
            .unwrap();
    }
    let names = store.list().await.unwrap();
    assert_eq!(names, ["n0", "n1", "n2", "n3", "n4"].map(name));
    let seen = transport.seen();
    let tokens = seen
        .iter()
        .filter(|seen| seen.url.contains("/token"))
        .count();
    let unsigned = seen
        .iter()
        .filter(|seen| seen.url.starts_with(VAULT) && seen.authorization.is_empty());
    assert_eq!((tokens, unsigned.count()), (1, 1));
}

#[tokio::test]
async fn a_deleted_secret_is_missing_and_its_name_is_brought_back() {
    let (vault, transport) = Vault::start();
    let store = store(transport);
    let state = || vault.0.lock().unwrap()["n"].clone();
    store
        .set(&name("n"), &SecretValue::new("old"))
        .await
        .unwrap();
    store.delete(&name("n")).await.unwrap();
    assert_eq!(state(), Entry::Deleted("old".to_owned()));
    assert!(store.get(&name("n")).await.unwrap().is_none());
    // The vault brings it back in its own time, so that the first try is told to come again.
    let error = store
        .set(&name("n"), &SecretValue::new("new"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert!(error.is_transient());
    store
        .set(&name("n"), &SecretValue::new("new"))
        .await
        .unwrap();
    assert_eq!(state(), Entry::Live("new".to_owned()));
}

/// Writes a secret where every signed request is answered by `refusal`; the error must be of
/// `kind`, name `word`, and show no secret.
async fn refused(
    refusal: impl Fn() -> Answer + Send + Sync + 'static,
    kind: StorageErrorKind,
    word: &str,
) {
    let transport = Scripted::new(move |seen| match seen.authorization.as_str() {
        "" if seen.url.starts_with(VAULT) => challenge(),
        "" => token(seen),
        _ => refusal(),
    });
    let value = SecretValue::new("CANARY-value");
    let error = store(transport).set(&name("n"), &value).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert_eq!(error.kind(), kind, "{shown}");
    assert!(shown.contains(word), "{shown}");
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[tokio::test]
async fn refusals_are_told_apart_and_show_no_secret() {
    use StorageErrorKind::{Denied, Invalid, Throttled, Unavailable};
    let forbidden = || refuse(403, "Forbidden", Some("ForbiddenByRbac"));
    refused(forbidden, Denied, "ForbiddenByRbac").await;
    refused(
        || answer(429, &[("retry-after", "3")], ""),
        Throttled,
        "429",
    )
    .await;
    refused(
        || refuse(400, "BadParameter", None),
        Invalid,
        "BadParameter",
    )
    .await;
    refused(|| answer(503, &[], "oops"), Unavailable, "503").await;
    let cut = || {
        let kind = azure_core::error::ErrorKind::Connection;
        Err(azure_core::Error::with_message(kind, "connection refused"))
    };
    refused(cut, Unavailable, "connection refused").await;
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_quoted() {
    let transport = Scripted::new(|seen| match seen.authorization.as_str() {
        "" if seen.url.starts_with(VAULT) => challenge(),
        "" => token(seen),
        _ => answer(200, &[], r#"{"id": 1, "value": {"CANARY": "CANARY"}}"#),
    });
    let error = store(transport).get(&name("n")).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Internal);
    assert!(!format!("{error} {error:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_wrong_client_secret_is_denied_without_showing_it() {
    let transport = Scripted::new(|seen| {
        if seen.url.starts_with(VAULT) {
            return challenge();
        }
        let refusal = json!({
            "error": "invalid_client", "error_codes": [7_000_215],
            "error_description": "AADSTS7000215: Invalid client secret provided.",
        });
        answer(401, &[], refusal.to_string())
    });
    let store = store(transport);
    let error = store.get(&name("n")).await.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Denied);
    assert!(error.to_string().contains("AADSTS7000215"), "{error}");
    assert!(!format!("{error} {error:?} {store:?}").contains("CANARY"));
}

#[tokio::test]
async fn a_vault_without_https_is_refused() {
    for url in ["http://acme.vault.azure.net", "acme", "https://"] {
        let transport: Arc<dyn HttpClient> = Scripted::new(|_| panic!("nothing is sent"));
        let error = KeyVaultStore::connect_over(url, &identity(), &transport).unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Invalid);
    }
}
