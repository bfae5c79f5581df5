use std::collections::HashMap;

use super::super::{IdentitySetting, StorageSetting};
use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigProblems> {
    let map: HashMap<String, String> = pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    settings(&|name| map.get(name).cloned())
}

#[test]
fn nothing_set_means_the_embedded_store_in_data() {
    let settings = read(&[]).unwrap();
    assert_eq!(
        settings.storage,
        StorageSetting::Embedded {
            directory: "./data".into()
        }
    );
    assert_eq!(settings.api_address.to_string(), "127.0.0.1:7071");
    assert_eq!(settings.token_file, PathBuf::from("./data/bootstrap-token"));
}

#[test]
fn every_problem_is_named_at_once_and_no_value_is_shown() {
    let problems = read(&[
        ("STORAGE_CONNECTION_STRING", "AccountKey=hunter2"),
        ("STORAGE_ACCOUNT_NAME", "acc"),
        ("DILUX_WORKERS", "many"),
        ("DILUX_JOB_LEASE_SECONDS", "1"),
    ])
    .unwrap_err();
    let text = problems.to_string();
    for expected in [
        "STORAGE_CONNECTION_STRING",
        "DILUX_WORKERS",
        "DILUX_JOB_LEASE_SECONDS",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("hunter2"));
}

#[test]
fn timers_are_at_two_and_every_six_hours_unless_settings_say_otherwise() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.retention.at, "02:00".parse().ok());
    assert_eq!(settings.health, Duration::from_hours(6));
    let moved = [
        ("DILUX_RETENTION_TIME", "23:45"),
        ("DILUX_HEALTH_HOURS", "1"),
    ];
    let settings = read(&moved).unwrap();
    assert_eq!(settings.retention.at, "23:45".parse().ok());
    assert_eq!(settings.health, Duration::from_hours(1));
    let off = read(&[("DILUX_RETENTION_TIME", "off")]).unwrap();
    assert_eq!(off.retention.at, None);
    for (name, wrong) in [
        ("DILUX_RETENTION_TIME", "2 o'clock"),
        ("DILUX_RETENTION_TIME", "24:00"),
        ("DILUX_HEALTH_HOURS", "0"),
        ("DILUX_HEALTH_HOURS", "25"),
    ] {
        let problems = read(&[(name, wrong)]).unwrap_err();
        assert_eq!(problems.0[0].variable, name, "{wrong}");
    }
}

#[test]
fn azure_without_a_place_for_secrets_is_refused() {
    let problems =
        read(&[("STORAGE_CONNECTION_STRING", "UseDevelopmentStorage=true")]).unwrap_err();
    assert!(problems.to_string().contains("DILUX_SECRETS_DIRECTORY"));
}

#[test]
fn an_identity_is_said_and_never_guessed() {
    let base = [
        ("STORAGE_ACCOUNT_NAME", "acc"),
        ("STORAGE_BLOB_ENDPOINT", "https://acc.blob.core.windows.net"),
        (
            "STORAGE_QUEUE_ENDPOINT",
            "https://acc.queue.core.windows.net",
        ),
        (
            "STORAGE_TABLE_ENDPOINT",
            "https://acc.table.core.windows.net",
        ),
        ("KEY_VAULT_NAME", "vault"),
    ];
    assert!(read(&base).is_err());
    let mut with = base.to_vec();
    with.push(("DILUX_STORAGE_IDENTITY", "workload"));
    let settings = read(&with).unwrap();
    assert!(matches!(
        settings.storage,
        StorageSetting::Identity {
            identity: IdentitySetting::Workload,
            ..
        }
    ));
}

const ISSUER: (&str, &str) = ("DILUX_OIDC_ISSUER", "https://id.example.org/realm");
const CLIENT: (&str, &str) = ("DILUX_OIDC_CLIENT_ID", "dilux");

#[test]
fn an_identity_provider_needs_an_issuer_and_a_client() {
    let provider = read(&[ISSUER, CLIENT]).unwrap().identity_provider.unwrap();
    assert_eq!(provider.issuer, ISSUER.1);
    assert_eq!(provider.audience, "dilux");
    assert_eq!(provider.public_url.as_str(), "http://localhost:7071/");
    assert_eq!(read(&[]).unwrap().identity_provider, None);
    let named = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().0[0].variable;
    assert_eq!(named(&[ISSUER]), "DILUX_OIDC_CLIENT_ID");
    assert_eq!(named(&[CLIENT]), "DILUX_OIDC_CLIENT_ID", "without issuer");
}

#[test]
fn an_issuer_is_https_or_on_this_machine() {
    let problem = |issuer| {
        let read = read(&[("DILUX_OIDC_ISSUER", issuer), CLIENT]);
        read.err().map(|problems| problems.0[0].variable)
    };
    for good in [
        "https://id.example.org",
        "https://id.example.org/realm/",
        "http://localhost:8080/realm",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ] {
        assert_eq!(problem(good), None, "{good}");
    }
    for bad in [
        "http://id.example.org",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "ftp://localhost",
        "id.example.org",
        "https://user@id.example.org",
        "https://id.example.org?x=1",
        "https://id.example.org#x",
    ] {
        assert_eq!(problem(bad), Some("DILUX_OIDC_ISSUER"), "{bad}");
    }
    let entra = "https://login.microsoftonline.com/1/v2.0";
    assert_eq!(problem(entra), Some("DILUX_OIDC_TENANT"));
}

#[test]
fn the_public_url_is_an_origin_and_the_secret_is_said_once() {
    for bad in [
        "http://backup.example.org",
        "https://backup.example.org/path",
        "https://backup.example.org/?x",
        "backup.example.org",
    ] {
        let problems = read(&[ISSUER, CLIENT, ("DILUX_PUBLIC_URL", bad)]).unwrap_err();
        assert_eq!(problems.0[0].variable, "DILUX_PUBLIC_URL", "{bad}");
    }
    let twice = [
        ISSUER,
        CLIENT,
        ("DILUX_OIDC_CLIENT_SECRET", "hunter2"),
        ("DILUX_OIDC_CLIENT_SECRET_FILE", "/run/secret"),
    ];
    let problems = read(&twice).unwrap_err();
    assert_eq!(problems.0[0].variable, "DILUX_OIDC_CLIENT_SECRET_FILE");
    assert!(!problems.to_string().contains("hunter2"));
}
