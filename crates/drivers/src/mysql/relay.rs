//! Insists on encryption for MariaDB's tools, which cannot: unless they verify the certificate, they
//! go on without encryption when the server offers none, or when somebody on the way takes the offer
//! out. So they connect by way of this relay. It passes nothing of theirs on before the server has
//! offered encryption and they have taken the offer up; what follows is theirs alone.

use std::io;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::process::Companion;

/// What a tool says when the server offers no encryption.
pub(super) const NO_OFFER: &str = "the server offers no encryption";

/// What a tool says, with the system's number, when the server does not answer.
pub(super) const NO_ANSWER: &str = "the server does not answer";

/// `CLIENT_SSL`, in the first packet of either side.
const ENCRYPTION: u16 = 0x0800;

/// Error numbers of servers; those of clients are taken for damage.
const NETWORK_READ: u16 = 1158;
const SECURE_TRANSPORT_REQUIRED: u16 = 3159;

/// Longest greeting that is taken.
const LONGEST_GREETING: usize = 16 * 1024;

/// Length of a request for encryption.
const REQUEST: usize = 32;

/// How long the one side may go on after the other has ended.
const AFTERWARDS: Duration = Duration::from_secs(5);

const BUFFER: usize = 64 * 1024;

/// A relay on this machine to one server. Dropped, it takes no more connections; those that it has
/// end with the tool.
#[derive(Debug)]
pub(super) struct Relay {
    port: u16,
    accepting: AbortHandle,
}

impl Companion for Relay {}

impl Relay {
    /// A relay to a server, which has to take connections within `patience`.
    pub(super) fn start(server: (String, u16), patience: Duration) -> io::Result<Self> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let listener = TcpListener::from_std(listener)?;
        let server = Arc::new(server);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = Arc::clone(&server);
                // A connection that fails is closed, which the tool sees.
                tokio::spawn(async move { serve(client, &server, patience).await.ok() });
            }
        });
        Ok(Self {
            port,
            accepting: accepting.abort_handle(),
        })
    }

    /// Where a tool connects on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, to: &(String, u16), patience: Duration) -> io::Result<()> {
    let (mut server, greeting) = match timeout(patience, reach(to)).await {
        Ok(Ok(reached)) => reached,
        failed => {
            // 110 is the number for time that is up.
            let number = failed.map_or(110, |result| match result {
                Err(error) => error.raw_os_error().unwrap_or(0),
                Ok(_) => 0,
            });
            let message = format!("{NO_ANSWER} ({number})");
            return refuse(&mut client, NETWORK_READ, &message).await;
        }
    };
    client.set_nodelay(true)?;
    if greeting.is_refusal() {
        return client.write_all(&greeting.0).await;
    }
    if !greeting.offers_encryption() {
        return refuse(&mut client, SECURE_TRANSPORT_REQUIRED, NO_OFFER).await;
    }
    client.write_all(&greeting.0).await?;
    let request = timeout(patience, receive(&mut client, REQUEST)).await??;
    if !request.asks_for_encryption() {
        return Err(io::Error::other("the tool does not encrypt"));
    }
    server.write_all(&request.0).await?;
    relay(client, server).await;
    Ok(())
}

/// The server with the first that it says.
async fn reach((host, port): &(String, u16)) -> io::Result<(TcpStream, Packet)> {
    let mut server = TcpStream::connect((&**host, *port)).await?;
    server.set_nodelay(true)?;
    let greeting = receive(&mut server, LONGEST_GREETING).await?;
    Ok((server, greeting))
}

/// Passes everything on, until both sides have ended.
async fn relay(client: TcpStream, server: TcpStream) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let mut up = std::pin::pin!(pass(client_read, server_write));
    let mut down = std::pin::pin!(pass(server_read, client_write));
    tokio::select! {
        () = &mut up => timeout(AFTERWARDS, down).await.unwrap_or_default(),
        () = &mut down => timeout(AFTERWARDS, up).await.unwrap_or_default(),
    }
}

async fn pass(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut from = BufReader::with_capacity(BUFFER, from);
    // Whatever ended it, the other side hears of the end.
    tokio::io::copy_buf(&mut from, &mut to).await.ok();
    to.shutdown().await.ok();
}

/// A packet: three bytes of length, its number, and its content.
struct Packet(Vec<u8>);

impl Packet {
    fn content(&self) -> &[u8] {
        self.0.get(4..).unwrap_or_default()
    }

    /// Whether a server has no greeting, but an error.
    fn is_refusal(&self) -> bool {
        self.content().first() == Some(&0xff)
    }

    /// Whether a greeting offers encryption: its capabilities stand behind the version, the number of
    /// the connection, eight bytes and a zero.
    fn offers_encryption(&self) -> bool {
        let Some((10, rest)) = self.content().split_first() else {
            return false;
        };
        let Some(end) = rest.iter().position(|byte| *byte == 0) else {
            return false;
        };
        has_encryption(rest.get(end + 14..))
    }

    /// Whether it is a client's request for encryption, which holds nothing else.
    fn asks_for_encryption(&self) -> bool {
        let content = self.content();
        content.len() == REQUEST && has_encryption(Some(content))
    }
}

/// Whether capabilities begin with those for encryption.
fn has_encryption(capabilities: Option<&[u8]>) -> bool {
    match capabilities {
        Some([low, high, ..]) => u16::from_le_bytes([*low, *high]) & ENCRYPTION != 0,
        _ => false,
    }
}

async fn receive(from: &mut TcpStream, longest: usize) -> io::Result<Packet> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let [low, middle, high, _] = head;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    if length > longest {
        return Err(io::Error::other("the first packet is too long"));
    }
    let mut packet = head.to_vec();
    packet.resize(4 + length, 0);
    from.read_exact(&mut packet[4..]).await?;
    Ok(Packet(packet))
}

/// An error in the place of a greeting.
async fn refuse(client: &mut TcpStream, code: u16, message: &str) -> io::Result<()> {
    let content = [&[0xff][..], &code.to_le_bytes(), message.as_bytes()].concat();
    let length = u8::try_from(content.len()).map_err(io::Error::other)?;
    let packet = [&[length, 0, 0, 0][..], &content].concat();
    client.write_all(&packet).await?;
    client.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(content: &[u8]) -> Packet {
        Packet([&[0; 4][..], content].concat())
    }

    fn greeting(capabilities: u16) -> Vec<u8> {
        let mut content = [&b"\x0a8.0.36\0\x01\0\0\0"[..], b"12345678\0"].concat();
        content.extend_from_slice(&capabilities.to_le_bytes());
        content.extend_from_slice(&[45, 2, 0]);
        content
    }

    #[test]
    fn only_a_whole_greeting_with_the_offer_is_taken_for_one() {
        let offering = greeting(0x820d | ENCRYPTION);
        assert!(packet(&offering).offers_encryption());
        assert!(!packet(&greeting(!ENCRYPTION)).offers_encryption());
        let needed = offering.len() - 3;
        for cut in 0..needed {
            assert!(!packet(&offering[..cut]).offers_encryption(), "{cut}");
        }
        let mut other = offering;
        other[0] = 9;
        assert!(!packet(&other).offers_encryption());
    }

    #[test]
    fn a_sign_in_is_no_request_for_encryption() {
        let request = [&(0x820d_u16 | ENCRYPTION).to_le_bytes()[..], &[0; 30]].concat();
        assert!(packet(&request).asks_for_encryption());
        assert!(!packet(&[&request[..], b"backup\0"].concat()).asks_for_encryption());
        assert!(!packet(&[0; 32]).asks_for_encryption());
    }

    fn to(server: &StdListener, patience: Duration) -> Relay {
        let port = server.local_addr().unwrap().port();
        Relay::start((Ipv4Addr::LOCALHOST.to_string(), port), patience).unwrap()
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_is_told_of_in_time() {
        let silent = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = to(&silent, Duration::from_millis(50));
        let tool = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
        let mut tool = tool.await.unwrap();
        let told = receive(&mut tool, BUFFER).await.unwrap();
        assert!(told.is_refusal());
        let words = String::from_utf8_lossy(told.content()).into_owned();
        assert!(
            words.ends_with("the server does not answer (110)"),
            "{words}"
        );
    }

    #[tokio::test]
    async fn nothing_of_a_tool_that_does_not_encrypt_gets_through() {
        let server = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = to(&server, Duration::from_secs(30));
        server.set_nonblocking(true).unwrap();
        let server = TcpListener::from_std(server).unwrap();
        let tool = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
        let (tool, accepted) = tokio::join!(tool, server.accept());
        let (mut tool, mut accepted) = (tool.unwrap(), accepted.unwrap().0);
        let content = greeting(0x820d | ENCRYPTION);
        let length = u8::try_from(content.len()).unwrap();
        let offer = [&[length, 0, 0, 0][..], &content].concat();
        accepted.write_all(&offer).await.unwrap();
        assert_eq!(receive(&mut tool, BUFFER).await.unwrap().0, offer);
        let sign_in = [&[32, 0, 0, 1][..], &[0; 32]].concat();
        tool.write_all(&sign_in).await.unwrap();
        let mut seen = Vec::new();
        accepted.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"", "the connection ends without a byte");
    }
}
