use std::collections::HashMap;

use super::super::{Authentication, IdentitySetting, RequestLimits, StorageSetting};
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

#[test]
fn the_public_url_counts_without_an_identity_provider_too() {
    let url = ("DILUX_PUBLIC_URL", "https://backup.example.org");
    let settings = read(&[url]).unwrap();
    let public = settings.access.public_url.unwrap();
    assert_eq!(public.as_str(), "https://backup.example.org/");
    let provider = read(&[ISSUER, CLIENT, url]).unwrap().identity_provider;
    assert_eq!(provider.unwrap().public_url, public);
    assert_eq!(read(&[]).unwrap().access.public_url, None);
}

#[test]
fn proxies_are_named_by_their_addresses() {
    let named = |text| read(&[("DILUX_TRUSTED_PROXIES", text)]);
    let proxies = named("127.0.0.1, 10.1.0.0/16").unwrap();
    let proxies = proxies.access.trusted_proxies;
    assert!(proxies.contains("10.1.2.3".parse().unwrap()));
    for wrong in ["localhost", "0.0.0.0/0", "127.0.0.1 ::1"] {
        let problems = named(wrong).unwrap_err();
        assert_eq!(problems.0[0].variable, "DILUX_TRUSTED_PROXIES", "{wrong}");
    }
}

#[test]
fn requests_are_limited_unless_somebody_says_zero() {
    let limit = std::num::NonZeroU32::new;
    let usual = RequestLimits {
        callers: limit(3000),
        strangers: limit(300),
        costly: limit(120),
        at_once: limit(256),
        downloads_at_once: limit(16),
    };
    assert_eq!(read(&[]).unwrap().access.limits, usual);
    let changed = read(&[
        ("DILUX_REQUESTS_PER_MINUTE", "0"),
        ("DILUX_COSTLY_REQUESTS_PER_MINUTE", "7"),
        ("DILUX_REQUESTS_AT_ONCE", "9"),
        ("DILUX_DOWNLOADS_AT_ONCE", "0"),
    ]);
    let expected = RequestLimits {
        callers: None,
        costly: limit(7),
        at_once: limit(9),
        downloads_at_once: None,
        ..usual
    };
    assert_eq!(changed.unwrap().access.limits, expected);
    for wrong in ["-1", "many", "1000001", "1.5"] {
        let name = "DILUX_ANONYMOUS_REQUESTS_PER_MINUTE";
        let problems = read(&[(name, wrong)]).unwrap_err();
        assert_eq!(problems.0[0].variable, name, "{wrong}");
    }
}

const OFF: (&str, &str) = ("DILUX_AUTH", "off");
const AGREED: (&str, &str) = ("DILUX_EVERYBODY_IS_ADMIN", "yes");

#[test]
fn authentication_is_off_only_when_it_was_said_twice() {
    let authentication = |pairs: &[(&str, &str)]| read(pairs).unwrap().access.authentication;
    assert_eq!(authentication(&[]), Authentication::Required);
    assert_eq!(
        authentication(&[("DILUX_AUTH", "on")]),
        Authentication::Required
    );
    assert_eq!(authentication(&[OFF, AGREED]), Authentication::Off);
    for (once, named) in [
        (&[OFF][..], "DILUX_AUTH"),
        (&[AGREED], "DILUX_EVERYBODY_IS_ADMIN"),
        (&[OFF, ("DILUX_EVERYBODY_IS_ADMIN", "no")], "DILUX_AUTH"),
        (
            &[OFF, ("DILUX_EVERYBODY_IS_ADMIN", "1")],
            "DILUX_EVERYBODY_IS_ADMIN",
        ),
        (&[("DILUX_AUTH", "OFF"), AGREED], "DILUX_AUTH"),
    ] {
        let problems = read(once).unwrap_err();
        assert_eq!(problems.0[0].variable, named, "{once:?}");
    }
}

#[test]
fn authentication_stays_on_where_others_may_come() {
    for other in [
        ("DILUX_API_ADDRESS", "0.0.0.0:7071"),
        ("DILUX_PUBLIC_URL", "https://backup.example.org"),
        ("DILUX_TRUSTED_PROXIES", "127.0.0.1"),
    ] {
        let problems = read(&[OFF, AGREED, other]).unwrap_err().to_string();
        assert!(
            problems.contains("DILUX_AUTH") && problems.contains(other.0),
            "{problems}"
        );
    }
    let problems = read(&[OFF, AGREED, ISSUER, CLIENT]).unwrap_err();
    assert!(problems.to_string().contains(ISSUER.0));
}

#[test]
fn authentication_stays_on_before_storage_of_others() {
    let store = |text| ("STORAGE_CONNECTION_STRING", text);
    let secrets = ("DILUX_SECRETS_DIRECTORY", "./data");
    let key = "AccountName=acc;AccountKey=aHVudGVyMg==";
    let at = |host: &str| {
        format!(
            "{key};BlobEndpoint=http://{host}:1/acc;QueueEndpoint=http://127.0.0.1:2/acc;\
             TableEndpoint=http://127.0.0.1:3/acc"
        )
    };
    let (local, remote) = (at("127.0.0.1"), at("10.0.0.7"));
    for good in ["file://./data", "UseDevelopmentStorage=true", &local] {
        let settings = read(&[OFF, AGREED, secrets, store(good)]).unwrap();
        assert_eq!(
            settings.access.authentication,
            Authentication::Off,
            "{good}"
        );
    }
    for bad in [
        key,
        &remote,
        "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite.example.org",
        "https://acc.blob.core.windows.net/?sv=1&sig=hunter2",
        "nonsense",
    ] {
        let problems = read(&[OFF, AGREED, secrets, store(bad)]).unwrap_err();
        assert_eq!(problems.0[0].variable, "DILUX_AUTH", "{bad}");
        let text = problems.to_string();
        assert!(text.contains("file://DIRECTORY") && !text.contains("hunter2"));
    }
    let vault = [
        ("KEY_VAULT_NAME", "vault"),
        ("DILUX_STORAGE_IDENTITY", "managed"),
    ];
    let vaulted = read(&[&[OFF, AGREED][..], &vault].concat()).unwrap_err();
    assert!(vaulted.to_string().contains("Key Vault"));
    let account = [
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
    ];
    let identity = [&[OFF, AGREED, secrets][..], &vault[1..], &account].concat();
    assert_eq!(read(&identity).unwrap_err().0[0].variable, "DILUX_AUTH");
}
