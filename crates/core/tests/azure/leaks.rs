//! Nothing secret is logged or shown, at the most talkative level, whatever happens.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use azure_core::http::HttpClient;
use dilux_core::storage::azure::AzureStorage;
use dilux_core::storage::{BlobName, ContainerName};
use dilux_testkit::azurite::{ACCOUNT_KEY, Azurite};
use tracing::level_filters::LevelFilter;

use super::signing::{account_sas, sas_config, use_all_three};
use super::transport::{Scripted, answer};
use super::{clock, config};

/// Where log lines go.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

thread_local! {
    /// Where the lines of this thread go, once it listens.
    static HEARD: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// Hears everything that this thread logs from now on. The subscriber is the process's: one of a
/// thread's own would miss what other tests had met first without one.
fn listen() -> Lines {
    static START: Once = Once::new();
    START.call_once(|| {
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::TRACE)
            .with_writer(|| HEARD.with_borrow(|lines| lines.clone().unwrap_or_default()))
            .init();
    });
    let lines = Lines::default();
    HEARD.set(Some(lines.clone()));
    lines
}

/// The parts of a secret that count: as it is, and as an address would encode it.
fn assert_hidden(text: &str, secret: &str) {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    for shown in [secret, &encoded, &secret[..16]] {
        assert!(!text.contains(shown), "a secret is shown");
    }
}

#[tokio::test]
async fn the_key_and_what_it_signs_are_never_logged() {
    let lines = listen();
    let azurite = Azurite::start().unwrap();
    let storage = AzureStorage::connect(&config(&azurite.connection_string()), &clock()).unwrap();
    use_all_three(&storage).await.unwrap();
    let name = BlobName::new("mysql/x").unwrap();
    let container = ContainerName::new("backups").unwrap();
    let life = Duration::from_mins(5);
    let link = storage
        .blobs
        .download_link(&container, &name, life, "x")
        .await
        .unwrap()
        .unwrap();
    let (_, signature) = link.query_pairs().find(|(name, _)| name == "sig").unwrap();
    storage
        .blobs
        .delete(&container, &name, None)
        .await
        .unwrap_err();
    let logged = lines.text();
    assert!(
        logged.contains("sending request"),
        "nothing was logged: {logged}"
    );
    for text in [logged, format!("{storage:?}")] {
        assert_hidden(&text, ACCOUNT_KEY);
        assert_hidden(&text, &signature);
        assert!(
            !text.contains("SharedKey devstoreaccount1:"),
            "an authorization is shown"
        );
    }
}

#[tokio::test]
async fn a_sas_is_never_logged_in_success_or_failure() {
    let lines = listen();
    let sas = account_sas();
    let (_, signature) = url::form_urlencoded::parse(sas.as_bytes())
        .find(|(name, _)| name == "sig")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .unwrap();
    let azurite = Azurite::start().unwrap();
    let config = sas_config(&azurite, &sas);
    let storage = AzureStorage::connect(&config, &clock()).unwrap();
    use_all_three(&storage).await.unwrap();
    drop(azurite);
    let dead = use_all_three(&storage).await.unwrap_err();
    let refusing: Arc<dyn HttpClient> = Scripted::new(|seen| {
        answer(
            403,
            &[],
            format!(
                "<Error><Message>{} did not match</Message></Error>",
                seen.url
            ),
        )
    });
    let storage = AzureStorage::connect_over(&config, &clock(), &refusing).unwrap();
    let refused = use_all_three(&storage).await.unwrap_err();
    let logged = lines.text();
    assert!(
        logged.contains("sending request"),
        "nothing was logged: {logged}"
    );
    for text in [
        logged,
        format!("{dead} {dead:?}"),
        format!("{refused} {refused:?}"),
        format!("{config:?} {storage:?}"),
    ] {
        assert_hidden(&text, &signature);
    }
}
