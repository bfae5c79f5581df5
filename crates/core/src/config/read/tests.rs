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
