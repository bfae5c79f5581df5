//! A MySQL server that is only played: it asks every client for its password as it is, remembers what
//! it was told, and lets nobody in.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use dilux_core::model::Credentials;
use dilux_core::secret::SecretValue;
use dilux_drivers::Target;
use dilux_testkit::tls::Certificates;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Protocol 4.1, secure connection, plugins.
/// <https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html>
const CAPABILITIES: u32 = 0x0008_820d;
const WITH_TLS: u32 = 0x0000_0800;

#[derive(Debug, Default)]
struct Seen {
    visits: usize,
    passwords: Vec<String>,
}

/// The server. It listens until the test ends.
pub(crate) struct ClearPasswordServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl ClearPasswordServer {
    /// Starts one, which encrypts where it has a certificate.
    pub(crate) fn start(certificates: Option<&Certificates>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let config = certificates.map(tls);
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                notes.lock().unwrap().visits += 1;
                // A client that turns away is what some tests want.
                serve(stream, config.clone(), &notes).ok();
            }
        });
        Self { port, seen }
    }

    pub(crate) fn target(&self) -> Target {
        let nobody = Credentials::with_password("nobody".parse().unwrap(), SecretValue::new("x"));
        let port = i64::from(self.port).try_into().unwrap();
        Target::at("127.0.0.1".parse().unwrap(), port, nobody)
    }

    pub(crate) fn passwords(&self) -> Vec<String> {
        self.seen.lock().unwrap().passwords.clone()
    }

    pub(crate) fn is_visited(&self) -> bool {
        self.seen.lock().unwrap().visits > 0
    }
}

fn tls(certificates: &Certificates) -> Arc<ServerConfig> {
    let chain = CertificateDer::from_pem_file(certificates.path("leaf.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(certificates.path("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    Arc::new(config)
}

/// Greets a client, has it encrypt where that can be, and asks for its password.
fn serve(
    mut stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let tls = if config.is_some() { WITH_TLS } else { 0 };
    send(&mut stream, 0, &greeting(CAPABILITIES | tls))?;
    let Some(config) = config else {
        receive(&mut stream)?;
        return ask(&mut stream, 2, seen);
    };
    receive(&mut stream)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    receive(&mut stream)?;
    ask(&mut stream, 3, seen)
}

fn ask(stream: &mut (impl Read + Write), number: u8, seen: &Mutex<Seen>) -> io::Result<()> {
    send(stream, number, b"\xfemysql_clear_password\0")?;
    let answer = receive(stream)?;
    let password = answer.strip_suffix(b"\0").unwrap_or(&answer);
    let password = String::from_utf8_lossy(password).into_owned();
    // Before the client hears of it, and the test of the client.
    seen.lock().unwrap().passwords.push(password);
    let refusal = [&b"\xff\x15\x04#28000"[..], b"Access denied for user"].concat();
    send(stream, number + 2, &refusal)
}

/// <https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html>
fn greeting(capabilities: u32) -> Vec<u8> {
    let [low, lower, high, higher] = capabilities.to_le_bytes();
    let mut packet = vec![10];
    packet.extend_from_slice(b"8.0.36\0");
    packet.extend_from_slice(&[1, 0, 0, 0]);
    packet.extend_from_slice(b"12345678\0");
    // Capabilities, character set, status, capabilities, length of the salt.
    packet.extend_from_slice(&[low, lower, 45, 2, 0, high, higher, 21]);
    packet.extend_from_slice(&[0; 10]);
    packet.extend_from_slice(b"123456789012\0");
    packet.extend_from_slice(b"mysql_native_password\0");
    packet
}

fn send(stream: &mut impl Write, number: u8, payload: &[u8]) -> io::Result<()> {
    let [low, middle, high, _] = u32::try_from(payload.len()).unwrap().to_le_bytes();
    stream.write_all(&[&[low, middle, high, number], payload].concat())?;
    stream.flush()
}

fn receive(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    let mut payload = vec![0; length as usize];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}
