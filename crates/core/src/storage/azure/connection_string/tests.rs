//! Tests of connection strings and SAS URLs.

use crate::secret::SecretValue;
use crate::storage::azure::{AzureAuth, AzureConfig};
use crate::storage::{StorageErrorKind, StorageResult};

/// Base64 that appears in no message by chance.
const KEY: &str = "Q0FOQVJZa2V5bWF0ZXJpYWxxdXh6QQ==";
const SIGNATURE: &str = "sv=2022-11-02&ss=bqt&sig=Q0FOQVJZc2lnbmF0dXJl%3D";

fn parse(text: &str) -> StorageResult<AzureConfig> {
    AzureConfig::from_connection_string(&SecretValue::new(text))
}

fn addresses(config: &AzureConfig) -> [&str; 3] {
    let endpoints = &config.endpoints;
    [
        endpoints.blob().as_str(),
        endpoints.queue().as_str(),
        endpoints.table().as_str(),
    ]
}

#[test]
fn an_account_key_gives_the_public_endpoints() {
    let config = parse(&format!("AccountName=acme1;AccountKey={KEY}")).unwrap();
    assert_eq!(
        addresses(&config),
        [
            "https://acme1.blob.core.windows.net/",
            "https://acme1.queue.core.windows.net/",
            "https://acme1.table.core.windows.net/",
        ]
    );
    let AzureAuth::SharedKey { account, key } = config.auth else {
        panic!("not a key")
    };
    assert_eq!((account.as_str(), key.expose()), ("acme1", KEY));
}

#[test]
fn names_ignore_case_and_blanks_and_values_keep_their_equals_signs() {
    let text = format!(
        " defaultendpointsprotocol = http ;ACCOUNTNAME=acme1;; accountkey={KEY};EndpointSuffix=core.example;"
    );
    let config = parse(&text).unwrap();
    assert_eq!(addresses(&config)[1], "http://acme1.queue.core.example/");
    let AzureAuth::SharedKey { key, .. } = config.auth else {
        panic!("not a key")
    };
    assert_eq!(key.expose(), KEY);
}

#[test]
fn explicit_endpoints_win_and_lose_their_last_slash() {
    let text = format!(
        "AccountName=acme1;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:1/acme1/;\
         TableEndpoint=http://127.0.0.1:3/acme1"
    );
    let config = parse(&text).unwrap();
    assert_eq!(
        addresses(&config),
        [
            "http://127.0.0.1:1/acme1",
            "https://acme1.queue.core.windows.net/",
            "http://127.0.0.1:3/acme1",
        ]
    );
}

#[test]
fn a_signature_needs_no_account_when_the_endpoints_are_there() {
    let text = format!(
        "BlobEndpoint=https://b.example;QueueEndpoint=https://q.example;\
         TableEndpoint=https://t.example;SharedAccessSignature=?{SIGNATURE}"
    );
    let AzureAuth::Sas(signature) = parse(&text).unwrap().auth else {
        panic!("not a SAS")
    };
    assert_eq!(signature.expose(), SIGNATURE);
}

#[test]
fn development_storage_is_the_emulator_on_its_ports() {
    let config = parse("UseDevelopmentStorage=true").unwrap();
    assert_eq!(
        addresses(&config)[2],
        "http://127.0.0.1:10002/devstoreaccount1"
    );
    assert!(matches!(config.auth, AzureAuth::SharedKey { .. }));
    let config =
        parse("usedevelopmentstorage=TRUE;DevelopmentStorageProxyUri=http://emulator/").unwrap();
    assert_eq!(
        addresses(&config)[0],
        "http://emulator:10000/devstoreaccount1"
    );
}

#[test]
fn a_sas_url_of_the_blob_service_names_its_siblings() {
    let config = parse(&format!(
        "https://acme1.blob.core.usgovcloudapi.net/?{SIGNATURE}"
    ))
    .unwrap();
    assert_eq!(
        addresses(&config),
        [
            "https://acme1.blob.core.usgovcloudapi.net/",
            "https://acme1.queue.core.usgovcloudapi.net/",
            "https://acme1.table.core.usgovcloudapi.net/",
        ]
    );
}

/// The text must be refused with this reason, and nothing of it may be shown.
fn refuse(text: &str, reason: &str) {
    let error = parse(text).unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Invalid);
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(shown.contains(reason), "{reason}: {shown}");
        assert!(!shown.contains("CANARY"), "leak: {shown}");
        assert!(!shown.contains("Q0FOQVJZ"), "leak: {shown}");
    }
}

#[test]
fn parts_that_are_no_settings_are_refused() {
    refuse("CANARY", "not NAME=VALUE");
    refuse(KEY, "name that is not known");
    refuse(&format!("AccountName=acme1;AcountKey={KEY}"), "not known");
    let twice = format!("AccountName=acme1;AccountKey={KEY};AccountKey={KEY}");
    refuse(&twice, "AccountKey twice");
    refuse("UseDevelopmentStorage=CANARY", "only be true");
}

#[test]
fn accounts_need_one_usable_way_to_sign_in() {
    let endpoints = "BlobEndpoint=https://b;QueueEndpoint=https://q;TableEndpoint=https://t";
    refuse("", "neither AccountName");
    refuse("AccountName=acme1", "neither AccountKey nor");
    refuse(&format!("AccountKey={KEY};{endpoints}"), "no AccountName");
    let odd = format!("AccountName=Not An Account;AccountKey={KEY};{endpoints}");
    refuse(&odd, "AccountName is not");
    let cut = &KEY[..KEY.len() - 1];
    refuse(&format!("AccountName=acme1;AccountKey={cut}"), "not base64");
    let both = format!("AccountName=acme1;AccountKey={KEY};SharedAccessSignature={SIGNATURE}");
    refuse(&both, "keep one");
    refuse("AccountName=acme1;SharedAccessSignature=sv=CANARY", "sig=");
}

#[test]
fn addresses_that_are_odd_or_hold_secrets_are_refused() {
    let account = format!("AccountName=acme1;AccountKey={KEY}");
    refuse(
        &format!("{account};BlobEndpoint=https://b/?{SIGNATURE}"),
        "blob endpoint",
    );
    refuse(
        &format!("{account};QueueEndpoint=https://u:CANARY@q"),
        "queue endpoint",
    );
    refuse(
        &format!("{account};TableEndpoint=ftp://t"),
        "table endpoint",
    );
    refuse(
        &format!("https://files.example/?{SIGNATURE}"),
        "SAS URL must be",
    );
    refuse("https://acme1.blob.core.windows.net/?sv=CANARY", "sig=");
}

proptest::proptest! {
    /// However a key is mangled or misplaced, an error shows no piece of it.
    #[test]
    fn no_piece_of_a_key_is_shown(
        before in "[A-Za-z;= ]{0,12}",
        key in "[A-Za-z0-9+/]{24,64}={0,2}",
        after in "[;=?& ]{0,3}[A-Za-z]{0,8}",
    ) {
        // A slash would make the rest of the key a path, and paths are shown.
        let user = key.replace('/', "x");
        let texts = [
            format!("{before}{key}{after}"),
            format!("AccountName=acme1;AccountKey={before}{key}{after}"),
            format!("AccountName={key};AccountKey={before}"),
            format!("AccountName=acme1;SharedAccessSignature={before}{key}{after}"),
            format!("AccountName=acme1;AccountKey=AAAA;BlobEndpoint=https://{user}@h{after}"),
            format!("https://acme1.blob.core.windows.net/{before}?{key}{after}"),
        ];
        for text in texts {
            let shown = match parse(&text) {
                Ok(config) => format!("{config:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            for piece in key.as_bytes().windows(12).chain(user.as_bytes().windows(12)) {
                let piece = std::str::from_utf8(piece).unwrap();
                proptest::prop_assert!(!shown.contains(piece), "{} shows {}", shown, piece);
            }
        }
    }
}

#[test]
fn a_configuration_shows_no_secret() {
    for text in [
        format!("AccountName=acme1;AccountKey={KEY}"),
        format!("AccountName=acme1;SharedAccessSignature={SIGNATURE}"),
        format!("https://acme1.blob.core.windows.net/?{SIGNATURE}"),
    ] {
        let shown = format!("{:?}", parse(&text).unwrap());
        assert!(
            shown.contains("acme1") && !shown.contains("Q0FOQVJZ"),
            "leak: {shown}"
        );
    }
}
