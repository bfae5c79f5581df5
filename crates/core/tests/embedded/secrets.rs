//! Secrets: sealed at rest, bound to their names, refused when the key is exposed or wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dilux_core::secret::{SecretName, SecretStore, SecretValue};
use dilux_core::storage::StorageErrorKind;
use dilux_core::storage::embedded::EmbeddedStore;

use crate::support::{open, refusal, sqlite};

const CANARY: &str = "correct horse battery staple";

fn name(text: &str) -> SecretName {
    SecretName::new(text).unwrap()
}

async fn store_with_two_secrets(directory: &Path) -> EmbeddedStore {
    let store = open(directory).unwrap();
    store
        .set(&name("one"), &SecretValue::new(CANARY))
        .await
        .unwrap();
    store
        .set(&name("two"), &SecretValue::new("other"))
        .await
        .unwrap();
    store
}

/// All files below a directory.
fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                walk(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[tokio::test]
async fn value_is_in_no_file_and_key_in_none_but_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with_two_secrets(directory.path()).await;
    let key_path = directory.path().join("master.key");
    let key = fs::read_to_string(&key_path).unwrap();
    let key_bytes = data_encoding::HEXLOWER
        .decode(key.trim().as_bytes())
        .unwrap();
    let holds = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    for path in walk(directory.path()) {
        let bytes = fs::read(&path).unwrap();
        assert!(
            !holds(&bytes, CANARY.as_bytes()),
            "{} holds the value",
            path.display()
        );
        if path != key_path {
            assert!(
                !holds(&bytes, key.trim().as_bytes()),
                "{} holds the key",
                path.display()
            );
            assert!(
                !holds(&bytes, &key_bytes),
                "{} holds the key",
                path.display()
            );
        }
    }
    assert!(!format!("{store:?}").contains(key.trim()));
}

#[tokio::test]
async fn files_are_private_to_their_owner() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("store");
    let _store = store_with_two_secrets(&place).await;
    for path in walk(&place) {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    for path in [place.clone(), place.join("blobs")] {
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o700, "{}", path.display());
    }
}

#[tokio::test]
async fn exchanged_rows_do_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with_two_secrets(directory.path()).await;
    let exchange = "CREATE TEMP TABLE kept AS SELECT * FROM secrets;
        UPDATE secrets SET (version, wrapped_key, sealed) =
        (SELECT version, wrapped_key, sealed FROM kept WHERE kept.name != secrets.name);";
    sqlite(directory.path()).execute_batch(exchange).unwrap();
    for secret in ["one", "two"] {
        let error = refusal(store.get(&name(secret)).await, StorageErrorKind::Corrupt);
        assert!(error.to_string().contains("does not open"), "{error}");
        assert!(!format!("{error:?}").contains(CANARY));
    }
}

#[tokio::test]
async fn earlier_value_put_back_under_a_later_version_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with_two_secrets(directory.path()).await;
    let connection = sqlite(directory.path());
    let keep = "CREATE TEMP TABLE kept AS SELECT * FROM secrets WHERE name = 'one'";
    connection.execute(keep, []).unwrap();
    store
        .set(&name("one"), &SecretValue::new("renewed"))
        .await
        .unwrap();
    let put_back = "UPDATE secrets SET wrapped_key = (SELECT wrapped_key FROM kept),
        sealed = (SELECT sealed FROM kept) WHERE name = 'one'";
    assert_eq!(connection.execute(put_back, []).unwrap(), 1);
    refusal(store.get(&name("one")).await, StorageErrorKind::Corrupt);
}

#[tokio::test]
async fn key_file_that_others_can_use_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    drop(store_with_two_secrets(directory.path()).await);
    let key = directory.path().join("master.key");
    for mode in [0o644, 0o640, 0o604, 0o620, 0o660] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let error = refusal(open(directory.path()), StorageErrorKind::Denied);
        let sentence = error.to_string();
        assert!(
            sentence.contains("chmod 600") && sentence.contains("master.key"),
            "{sentence}"
        );
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
        let store = open(directory.path()).unwrap();
        assert_eq!(
            store.get(&name("one")).await.unwrap().unwrap().expose(),
            CANARY
        );
    }
}

#[tokio::test]
async fn wrong_key_stops_the_start() {
    let directory = tempfile::tempdir().unwrap();
    drop(store_with_two_secrets(directory.path()).await);
    let key = directory.path().join("master.key");
    let right = fs::read_to_string(&key).unwrap();
    fs::write(&key, "00".repeat(32)).unwrap();
    let error = refusal(open(directory.path()), StorageErrorKind::Denied);
    assert!(
        error.to_string().contains("put the right one back"),
        "{error}"
    );
    for damaged in [
        "",
        "zz",
        &right[..63],
        &right.replace('\n', "0"),
        "\u{fffd}",
    ] {
        fs::write(&key, damaged).unwrap();
        let error = refusal(open(directory.path()), StorageErrorKind::Denied);
        assert!(
            error.to_string().contains("64 hexadecimal digits"),
            "{error}"
        );
    }
    fs::write(&key, &right).unwrap();
    let store = open(directory.path()).unwrap();
    assert_eq!(
        store.get(&name("one")).await.unwrap().unwrap().expose(),
        CANARY
    );
}

#[tokio::test]
async fn missing_key_is_not_made_anew_while_there_are_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_with_two_secrets(directory.path()).await;
    let key = directory.path().join("master.key");
    fs::remove_file(&key).unwrap();
    let error = refusal(open(directory.path()), StorageErrorKind::Denied);
    assert!(error.to_string().contains("is missing"), "{error}");
    assert!(!key.exists());
    for secret in ["one", "two"] {
        store.delete(&name(secret)).await.unwrap();
    }
    drop(store);
    let store = store_with_two_secrets(directory.path()).await;
    assert_eq!(
        store.get(&name("one")).await.unwrap().unwrap().expose(),
        CANARY
    );
}
