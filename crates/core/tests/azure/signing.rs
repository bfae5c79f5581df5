//! Ways of signing in to a storage account, on Azurite: key, SAS, and what they refuse.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_core::http::HttpClient;
use bytes::Bytes;
use dilux_core::clock::{ManualClock, SharedClock};
use dilux_core::storage::azure::{AzureConfig, AzureStorage};
use dilux_core::storage::{
    BlobName, ContainerName, Entity, EntityKey, PutOptions, QueueName, SendOptions,
    StorageErrorKind, StorageResult, TableName, TableOperation,
};
use dilux_testkit::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use url::Url;

use super::{clock, config, start};

const FOREIGN_KEY: &str = "Q0FOQVJZa2V5bWF0ZXJpYWxxdXh6QQ==";

fn container() -> ContainerName {
    ContainerName::new("backups").unwrap()
}

fn blob() -> BlobName {
    BlobName::new("mysql/a b%é.sql.gz").unwrap()
}

/// Writes and reads through each of the three services.
pub(crate) async fn use_all_three(storage: &AzureStorage) -> StorageResult<()> {
    let table = TableName::new("jobs")?;
    let key = EntityKey::new("it's p", "r");
    storage.tables.create_table(&table).await?;
    storage
        .tables
        .write(&table, TableOperation::Insert(Entity::new(key.clone())))
        .await?;
    assert!(storage.tables.get(&table, &key).await?.is_some());
    let queue = QueueName::new("jobs")?;
    storage.queues.create_queue(&queue).await?;
    storage
        .queues
        .send(&queue, "text", SendOptions::default())
        .await?;
    assert_eq!(storage.queues.peek(&queue, 1).await?, ["text"]);
    storage.blobs.create_container(&container()).await?;
    let bytes = Bytes::from_static(b"0123456789");
    storage
        .blobs
        .put(&container(), &blob(), bytes.clone(), PutOptions::default())
        .await?;
    assert_eq!(
        storage
            .blobs
            .read(&container(), &blob(), 0..10, None)
            .await?,
        bytes
    );
    assert_eq!(
        storage
            .blobs
            .list(&container(), "mysql/", 10, None)
            .await?
            .blobs
            .len(),
        1
    );
    Ok(())
}

#[tokio::test]
async fn a_foreign_key_is_denied_by_each_service_and_not_shown() {
    let azurite = Azurite::start().unwrap();
    let text = azurite
        .connection_string()
        .replace(ACCOUNT_KEY, FOREIGN_KEY);
    let storage = AzureStorage::connect(&config(&text), &clock()).unwrap();
    let table = storage
        .tables
        .create_table(&TableName::new("jobs").unwrap())
        .await;
    let queue = storage
        .queues
        .create_queue(&QueueName::new("jobs").unwrap())
        .await;
    let blobs = storage.blobs.create_container(&container()).await;
    for outcome in [table, queue, blobs] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Denied);
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("Azure refused the credentials"), "{shown}");
        assert!(
            !shown.contains(FOREIGN_KEY) && !shown.contains("Q0FOQVJZ"),
            "{shown}"
        );
    }
    let missing = storage
        .blobs
        .properties(&super::signing::container(), &blob())
        .await;
    assert_eq!(missing.unwrap_err().kind(), StorageErrorKind::Denied);
}

/// An account SAS for all three services, valid until long after.
pub(crate) fn account_sas() -> String {
    let (version, services, types) = ("2022-11-02", "bqt", "sco");
    let (permissions, expiry, protocol) = ("rwdlacup", "2099-01-01T00:00:00Z", "https,http");
    let text = [
        ACCOUNT,
        permissions,
        services,
        types,
        "",
        expiry,
        "",
        protocol,
        version,
        "",
        "",
    ]
    .join("\n");
    let signature = hmac_sha256(&text, &Secret::new(ACCOUNT_KEY)).unwrap();
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("sv", version)
        .append_pair("ss", services)
        .append_pair("srt", types)
        .append_pair("sp", permissions)
        .append_pair("se", expiry)
        .append_pair("spr", protocol)
        .append_pair("sig", &signature)
        .finish()
}

pub(crate) fn sas_config(azurite: &Azurite, signature: &str) -> AzureConfig {
    config(&format!(
        "BlobEndpoint={};QueueEndpoint={};TableEndpoint={};SharedAccessSignature={signature}",
        azurite.blob_endpoint(),
        azurite.queue_endpoint(),
        azurite.table_endpoint(),
    ))
}

#[tokio::test]
async fn an_account_sas_serves_all_three_and_is_never_handed_out() {
    let azurite = Azurite::start().unwrap();
    let storage = AzureStorage::connect(&sas_config(&azurite, &account_sas()), &clock()).unwrap();
    use_all_three(&storage).await.unwrap();
    let life = Duration::from_mins(5);
    let link = storage
        .blobs
        .download_link(&container(), &blob(), life, "x")
        .await
        .unwrap();
    assert_eq!(link, None);
}

#[tokio::test]
async fn a_tampered_sas_is_denied_and_not_shown() {
    let azurite = Azurite::start().unwrap();
    let signature = account_sas().replace("sp=rwdlacup", "sp=rwdlacupx");
    let mac = signature.split_once("sig=").unwrap().1.to_owned();
    let storage = AzureStorage::connect(&sas_config(&azurite, &signature), &clock()).unwrap();
    let error = storage
        .blobs
        .create_container(&container())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Denied);
    assert!(!format!("{error} {error:?} {storage:?}").contains(&mac));
}

#[tokio::test]
async fn accounts_named_by_their_host_are_signed_for_as_well() {
    let azurite = Azurite::start().unwrap();
    let mut resolver = reqwest::Client::builder().no_gzip().no_deflate();
    let mut text = format!("AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY}");
    let services = [
        ("blob", "BlobEndpoint", azurite.blob_endpoint()),
        ("queue", "QueueEndpoint", azurite.queue_endpoint()),
        ("table", "TableEndpoint", azurite.table_endpoint()),
    ];
    for (service, setting, endpoint) in services {
        let port = Url::parse(&endpoint).unwrap().port().unwrap();
        let host = format!("{ACCOUNT}.{service}.localhost");
        resolver = resolver.resolve(&host, ([127, 0, 0, 1], port).into());
        text = format!("{text};{setting}=http://{host}:{port}");
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let transport: Arc<dyn HttpClient> = Arc::new(resolver.build().unwrap());
    let storage = AzureStorage::connect_over(&config(&text), &clock(), &transport).unwrap();
    use_all_three(&storage).await.unwrap();
}

/// A blob and the account's store on a clock of the test's.
async fn blob_at(time: &str) -> (Azurite, AzureStorage) {
    let azurite = Azurite::start().unwrap();
    let clock: SharedClock = Arc::new(ManualClock::new(time.parse().unwrap()));
    let storage = AzureStorage::connect(&config(&azurite.connection_string()), &clock).unwrap();
    use_all_three(&storage).await.unwrap();
    (azurite, storage)
}

async fn link(storage: &AzureStorage) -> Url {
    let life = Duration::from_mins(5);
    let link = storage
        .blobs
        .download_link(&container(), &blob(), life, "Größe 1\".sql.gz")
        .await;
    link.unwrap().unwrap()
}

fn browser() -> reqwest::Client {
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().build().unwrap()
}

#[tokio::test]
async fn a_download_link_downloads_under_the_name_asked_for() {
    let (_azurite, storage) = start();
    use_all_three(&storage).await.unwrap();
    let response = browser().get(link(&storage).await).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let disposition = response.headers()["content-disposition"].to_str().unwrap();
    assert_eq!(
        disposition,
        "attachment; filename=\"Gr__e 1_.sql.gz\"; \
         filename*=UTF-8''Gr%C3%B6%C3%9Fe%201%22.sql.gz"
    );
    assert_eq!(response.bytes().await.unwrap(), "0123456789");
}

#[tokio::test]
async fn a_download_link_grants_nothing_else() {
    let (_azurite, storage) = start();
    use_all_three(&storage).await.unwrap();
    let other = BlobName::new("mysql/other").unwrap();
    let bytes = Bytes::from_static(b"x");
    storage
        .blobs
        .put(&container(), &other, bytes, PutOptions::default())
        .await
        .unwrap();
    let link = link(&storage).await;
    let mut elsewhere = link.clone();
    elsewhere.set_path(&format!("/{ACCOUNT}/backups/mysql%2Fother"));
    assert_eq!(browser().get(elsewhere).send().await.unwrap().status(), 403);
    assert_eq!(
        browser()
            .delete(link.clone())
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    let overwrite = browser()
        .put(link)
        .header("x-ms-blob-type", "BlockBlob")
        .body("y");
    assert_eq!(overwrite.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_download_link_ends_with_its_life() {
    let (_azurite, storage) = blob_at("2020-01-01T00:00:00Z").await;
    assert_eq!(
        browser()
            .get(link(&storage).await)
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
}
