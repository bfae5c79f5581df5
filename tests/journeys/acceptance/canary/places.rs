//! The places of an installation in which a secret might be left.

use std::fs;
use std::path::{Path, PathBuf};

use dilux_core::installation::Installation;
use dilux_core::storage::Value as Property;
use dilux_journeys::rows;
use dilux_testkit::canary::{CANARY, Searcher};

/// Tables, queue, manifests and what stands beside blobs.
pub(super) async fn look_through_the_stores(searcher: &Searcher, installation: &Installation) {
    let (mut seen, mut accounts) = (0, 0);
    for table in installation.repositories.table_names() {
        for (key, properties) in rows(installation, table.as_str()).await.unwrap() {
            let place = format!("the row {key:?} of {table:?}");
            searcher.is_clean(&place, format!("{key:?}").as_bytes());
            for (name, value) in properties {
                seen += 1;
                let bytes = match value {
                    Property::String(text) => text.into_bytes(),
                    Property::Binary(bytes) => bytes.to_vec(),
                    other => format!("{other:?}").into_bytes(),
                };
                accounts += usize::from(bytes == super::account::ACCOUNT.as_bytes());
                searcher.is_clean(&format!("{name} of {place}"), &bytes);
            }
        }
    }
    assert!(seen > 500, "{seen} values were looked at");
    assert_eq!(accounts, 2, "engine and database name the account");
    let storage = &installation.storage;
    let queued = storage.queues.peek(&installation.settings.queue, 32).await;
    for message in queued.unwrap() {
        searcher.is_clean("a message", message.as_bytes());
    }
    let container = &installation.settings.container;
    let page = storage.blobs.list(container, "", 1000, None).await.unwrap();
    assert_eq!(page.blobs.len(), 2, "a backup and its manifest");
    for entry in page.blobs {
        let place = format!("the blob {}", entry.name.as_str());
        let properties = storage.blobs.properties(container, &entry.name).await;
        searcher.is_clean(&place, format!("{:?}", properties.unwrap()).as_bytes());
        let range = 0..entry.size;
        let bytes = storage
            .blobs
            .read(container, &entry.name, range, None)
            .await;
        searcher.is_clean(&place, &bytes.unwrap());
    }
}

/// Every file of the installation: logs, store, and the secrets, which are encrypted.
pub(super) fn look_through_files(searcher: &Searcher, home: &Path) {
    let mut open: Vec<PathBuf> = vec![home.to_path_buf()];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
        } else {
            searcher.is_clean(&path.display().to_string(), &fs::read(&path).unwrap());
            seen += 1;
        }
    }
    assert!(seen > 6, "{seen} files were looked at");
}

/// The one place where the canary belongs.
pub(super) async fn look_into_the_secrets(installation: &Installation) {
    let secrets = &installation.storage.secrets;
    let mut marked = 0;
    for name in secrets.list().await.unwrap() {
        let secret = secrets.get(&name).await.unwrap().unwrap();
        marked += usize::from(secret.expose() == CANARY);
    }
    assert_eq!(marked, 2, "engine and database have it in the secret store");
}
