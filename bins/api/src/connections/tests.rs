use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;

/// Long enough for whatever is to happen.
const SOON: Duration = Duration::from_secs(20);
/// Short enough to wait for.
const SILENCE: Duration = Duration::from_millis(300);

struct Answering {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    /// Told of each slow request that is begun.
    begun: Arc<Notify>,
}

async fn answering(connections: usize, silence: Duration) -> Answering {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
    let begun = Arc::new(Notify::new());
    let told = begun.clone();
    let slow = move || async move {
        told.notify_one();
        tokio::time::sleep(2 * SILENCE).await;
    };
    let router = Router::new()
        .route("/who", get(who))
        .route("/slow", get(slow));
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let patience = Patience {
        connections,
        silence,
    };
    let task = tokio::spawn(async move { answer(listener, router, patience, &stop).await });
    Answering {
        address,
        shutdown,
        task,
        begun,
    }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the service ends the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut text)).await;
    read.expect("the connection is ended").unwrap();
    String::from_utf8(text).unwrap()
}

const WHO: &str = "GET /who HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn whoever_does_not_end_their_headers_is_sent_away() {
    let service = answering(9, SILENCE).await;
    for begun in [
        "",
        "GET /who HTTP/1.1\r\n",
        "GET /who HTTP/1.1\r\nhost: a\r\nx: ",
    ] {
        let mut stream = send(service.address, begun).await;
        assert!(!rest(&mut stream).await.contains("200 OK"), "{begun:?}");
    }
}

#[tokio::test]
async fn headers_that_come_byte_by_byte_get_no_more_time() {
    let service = answering(9, SILENCE).await;
    let mut stream = send(service.address, "GET /who HTTP/1.1\r\nx: ").await;
    let (mut reading, mut writing) = stream.split();
    let drip = async {
        while writing.write_all(b"y").await.is_ok() {
            tokio::time::sleep(SILENCE / 10).await;
        }
    };
    let ended = async {
        let mut text = Vec::new();
        // A reset ends it as well.
        reading.read_to_end(&mut text).await.ok();
    };
    let outcome = timeout(SOON, async {
        tokio::select! { () = drip => {}, () = ended => {} }
    });
    outcome.await.expect("the connection is ended");
}

#[tokio::test]
async fn a_connection_is_answered_on_until_it_says_nothing() {
    let service = answering(9, SILENCE).await;
    let mut stream = send(service.address, WHO).await;
    let mut told = vec![0; 4096];
    let read = timeout(SOON, stream.read(&mut told))
        .await
        .unwrap()
        .unwrap();
    let told = String::from_utf8_lossy(&told[..read]).into_owned();
    assert!(told.ends_with("127.0.0.1"), "{told}");
    // An answer may take longer than a client may be silent.
    let slow = WHO.replace("/who", "/slow");
    stream.write_all(slow.as_bytes()).await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn whoever_comes_beyond_the_limit_is_answered_when_another_goes() {
    let service = answering(1, SOON).await;
    let first = send(service.address, "").await;
    let last = WHO.replace("host: a", "host: a\r\nconnection: close");
    let mut second = send(service.address, &last).await;
    let mut byte = [0];
    let early = timeout(SILENCE, second.read(&mut byte)).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert!(rest(&mut second).await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn what_was_begun_is_answered_before_the_end() {
    let service = answering(9, SILENCE).await;
    let slow = WHO.replace("/who", "/slow");
    let mut begun = send(service.address, &slow).await;
    timeout(SOON, service.begun.notified()).await.unwrap();
    service.shutdown.cancel();
    timeout(SOON, service.task).await.unwrap().unwrap();
    assert!(rest(&mut begun).await.starts_with("HTTP/1.1 200 OK"));
    assert!(TcpStream::connect(service.address).await.is_err());
}
