//! Damaged, cut, silent and dead connections, and answers that make no sense.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::{AsyncRawResponse, HttpClient, Request};
use bytes::Bytes;
use dilux_core::clock::SystemClock;
use dilux_core::random::SystemRandom;
use dilux_core::storage::azure::{AzureConfig, AzureStorage};
use dilux_core::storage::{
    BlobName, BlobStore, BlockId, ContainerName, EntityKey, PutOptions, Query, QueueName,
    QueueStore, RetryPolicy, RetryingBlobStore, RetryingQueueStore, RetryingTableStore,
    SendOptions, StorageErrorKind, TableName, TableStore,
};
use dilux_testkit::azurite::Azurite;
use futures::StreamExt;
use tokio::time::Instant;

use super::transport::{Answer, Scripted, answer, body, network};
use super::{clock, config};

const SAS: &str = "sv=2022-11-02&sig=CANARY%3D";

fn container() -> ContainerName {
    ContainerName::new("backups").unwrap()
}

fn blob() -> BlobName {
    BlobName::new("mysql/x").unwrap()
}

fn table() -> TableName {
    TableName::new("jobs").unwrap()
}

/// Changes one byte of every body of an upload, after everything was signed.
#[derive(Debug)]
struct Damaging(Arc<dyn HttpClient>);

#[async_trait]
impl HttpClient for Damaging {
    async fn execute_request(&self, request: &Request) -> Answer {
        let mut request = request.clone();
        let mut bytes = body(&request).to_vec();
        if let Some(byte) = bytes.get_mut(3) {
            *byte ^= 1;
        }
        request.set_body(bytes);
        self.0.execute_request(&request).await
    }
}

#[tokio::test]
async fn uploads_that_arrive_damaged_are_refused_and_may_be_tried_again() {
    let azurite = Azurite::start().unwrap();
    let config = config(&azurite.connection_string());
    let whole = AzureStorage::connect(&config, &clock()).unwrap().blobs;
    whole.create_container(&container()).await.unwrap();
    let damaging: Arc<dyn HttpClient> = Arc::new(Damaging(network()));
    let damaged = AzureStorage::connect_over(&config, &clock(), &damaging)
        .unwrap()
        .blobs;
    for size in [100, 200_000] {
        let bytes = Bytes::from(vec![7; size]);
        let put = damaged
            .put(&container(), &blob(), bytes.clone(), PutOptions::default())
            .await;
        let error = put.unwrap_err();
        assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error}");
        let stage = damaged
            .stage_block(&container(), &blob(), BlockId([1; 32]), bytes)
            .await;
        assert_eq!(stage.unwrap_err().kind(), StorageErrorKind::Unavailable);
    }
    assert!(
        whole
            .properties(&container(), &blob())
            .await
            .unwrap()
            .is_none()
    );
    let commit = whole
        .commit_blocks(
            &container(),
            &blob(),
            &[BlockId([1; 32])],
            PutOptions::default(),
        )
        .await;
    assert_eq!(commit.unwrap_err().kind(), StorageErrorKind::Invalid);
}

/// Cuts the body of each of the first few answers that have one.
#[derive(Debug)]
struct Cutting {
    network: Arc<dyn HttpClient>,
    cuts_left: AtomicUsize,
}

#[async_trait]
impl HttpClient for Cutting {
    async fn execute_request(&self, request: &Request) -> Answer {
        let response = self.network.execute_request(request).await?;
        let is_read = request
            .headers()
            .iter()
            .any(|(name, _)| name.as_str().ends_with("range"));
        let take = |left: usize| left.checked_sub(1);
        let cut = self
            .cuts_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take);
        if !is_read || cut.is_err() {
            return Ok(response);
        }
        let (status, headers, body) = response.deconstruct();
        let broken = azure_core::Error::with_message(ErrorKind::Io, "the connection was reset");
        let cut = body.take(1).chain(futures::stream::iter([Err(broken)]));
        Ok(AsyncRawResponse::new(status, headers, Box::pin(cut)))
    }
}

#[tokio::test]
async fn a_read_that_is_cut_is_an_outage_and_is_read_again_whole() {
    let azurite = Azurite::start().unwrap();
    let config = config(&azurite.connection_string());
    let transport: Arc<dyn HttpClient> = Arc::new(Cutting {
        network: network(),
        cuts_left: AtomicUsize::new(0),
    });
    let whole = AzureStorage::connect_over(&config, &clock(), &transport)
        .unwrap()
        .blobs;
    whole.create_container(&container()).await.unwrap();
    let bytes: Bytes = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    whole
        .put(&container(), &blob(), bytes.clone(), PutOptions::default())
        .await
        .unwrap();

    let cutting = |cuts| -> Arc<dyn BlobStore> {
        let transport: Arc<dyn HttpClient> = Arc::new(Cutting {
            network: network(),
            cuts_left: AtomicUsize::new(cuts),
        });
        AzureStorage::connect_over(&config, &clock(), &transport)
            .unwrap()
            .blobs
    };
    let range = 0..1_200_000;
    let error = cutting(1)
        .read(&container(), &blob(), range.clone(), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error}");
    let patient = RetryingBlobStore::new(
        cutting(3),
        RetryPolicy::interactive(),
        Arc::new(SystemRandom),
    );
    assert_eq!(
        patient
            .read(&container(), &blob(), range, None)
            .await
            .unwrap(),
        bytes
    );
}

/// Stores whose every address is `address`, signed with a SAS that must not be shown.
fn stores_at(address: &str) -> AzureStorage {
    let text = format!(
        "BlobEndpoint={address};QueueEndpoint={address};TableEndpoint={address};\
         SharedAccessSignature={SAS}"
    );
    AzureStorage::connect(&config(&text), &clock()).unwrap()
}

/// Asks each store, with the patience of an interactive call, on a paused clock.
async fn give_up_in_time(storage: AzureStorage) {
    let (policy, random) = (RetryPolicy::interactive(), Arc::new(SystemRandom));
    let tables = RetryingTableStore::new(storage.tables, policy, random.clone());
    let queues = RetryingQueueStore::new(storage.queues, policy, random.clone());
    let blobs = RetryingBlobStore::new(storage.blobs, policy, random);
    let queue = QueueName::new("jobs").unwrap();
    let started = Instant::now();
    let get = tables.get(&table(), &EntityKey::new("p", "r")).await;
    let after_table = Instant::now();
    let receive = queues.receive(&queue, 1, Duration::from_secs(30)).await;
    let after_queue = Instant::now();
    let properties = blobs.properties(&container(), &blob()).await;
    let spans = [
        after_table - started,
        after_queue - after_table,
        after_queue.elapsed(),
    ];
    let errors = [get.map(drop), receive.map(drop), properties.map(drop)].map(Result::unwrap_err);
    for (span, error) in spans.into_iter().zip(errors) {
        assert_eq!(error.kind(), StorageErrorKind::Unavailable, "{error}");
        assert!(span <= Duration::from_secs(10), "{span:?}: {error}");
        assert!(
            !format!("{error} {error:?}").contains("CANARY"),
            "{error:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_is_given_up_within_ten_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/account", listener.local_addr().unwrap());
    drop(listener);
    give_up_in_time(stores_at(&address)).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_endpoint_is_given_up_within_ten_seconds() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/account", listener.local_addr().unwrap());
    give_up_in_time(stores_at(&address)).await;
    drop(listener);
}

/// Stores that get this answer to whatever they ask.
fn stores_answering(script: impl Fn() -> Answer + Send + Sync + 'static) -> AzureStorage {
    let address = "http://127.0.0.1:1/account";
    let text = format!(
        "BlobEndpoint={address};QueueEndpoint={address};TableEndpoint={address};\
         SharedAccessSignature={SAS}"
    );
    let transport: Arc<dyn HttpClient> = Scripted::new(move |_| script());
    AzureStorage::connect_over(&config(&text), &clock(), &transport).unwrap()
}

#[tokio::test]
async fn answers_that_make_no_sense_are_errors() {
    for text in [
        "",
        "<html>Sign in to this network</html>",
        "{}",
        "[]",
        "<EnumerationResults>",
        "<html><body/></html>",
    ] {
        let storage = stores_answering(move || answer(200, &[], text));
        let (tables, queues, blobs) = (storage.tables, storage.queues, storage.blobs);
        let key = EntityKey::new("p", "r");
        let queue = QueueName::new("jobs").unwrap();
        let options = PutOptions::default();
        let outcomes = [
            tables.get(&table(), &key).await.map(drop),
            tables
                .query(&table(), &Query::default(), None)
                .await
                .map(drop),
            queues
                .send(&queue, "x", SendOptions::default())
                .await
                .map(drop),
            queues.approximate_count(&queue).await.map(drop),
            blobs.properties(&container(), &blob()).await.map(drop),
            blobs
                .put(&container(), &blob(), Bytes::new(), options)
                .await
                .map(drop),
        ];
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let error = outcome.expect_err(&format!("call {number} accepted {text:?}"));
            assert_eq!(
                error.kind(),
                StorageErrorKind::Internal,
                "call {number}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn bytes_that_are_not_the_range_asked_for_are_not_taken() {
    for text in ["", "12345", "123456789"] {
        let blobs = stores_answering(move || answer(200, &[], text)).blobs;
        blobs
            .read(&container(), &blob(), 0..5, None)
            .await
            .unwrap_err();
        let other = [("content-range", "bytes 5-9/20")];
        let blobs = stores_answering(move || answer(206, &other, text)).blobs;
        blobs
            .read(&container(), &blob(), 0..5, None)
            .await
            .unwrap_err();
    }
    let same = [("content-range", "bytes 0-4/20")];
    let blobs = stores_answering(move || answer(206, &same, "12345")).blobs;
    assert_eq!(
        blobs.read(&container(), &blob(), 0..5, None).await.unwrap(),
        "12345"
    );
}

#[tokio::test]
async fn a_busy_service_says_how_long_to_wait() {
    let busy = || {
        answer(
            503,
            &[("x-ms-error-code", "ServerBusy"), ("retry-after", "17")],
            "",
        )
    };
    let storage = stores_answering(busy);
    let queue = QueueName::new("jobs").unwrap();
    let errors = [
        storage.tables.create_table(&table()).await.unwrap_err(),
        storage.queues.create_queue(&queue).await.unwrap_err(),
        storage
            .blobs
            .create_container(&container())
            .await
            .unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StorageErrorKind::Throttled, "{error}");
        assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
    }
}

#[tokio::test]
async fn one_call_is_one_request() {
    let transport = Scripted::new(|_| answer(503, &[], ""));
    let config: AzureConfig = config("UseDevelopmentStorage=true");
    let client: Arc<dyn HttpClient> = transport.clone();
    let clock: dilux_core::clock::SharedClock = Arc::new(SystemClock);
    let storage = AzureStorage::connect_over(&config, &clock, &client).unwrap();
    let queue = QueueName::new("jobs").unwrap();
    storage.tables.create_table(&table()).await.unwrap_err();
    storage.queues.create_queue(&queue).await.unwrap_err();
    storage
        .blobs
        .create_container(&container())
        .await
        .unwrap_err();
    assert_eq!(transport.seen().len(), 3, "the Azure crates must not retry");
}
