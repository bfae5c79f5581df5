//! A SQL Server that is only played, on a loopback port: it speaks as much TDS 7.4 as it takes to sign
//! in with a password or a token and to be asked two questions, and remembers all that it was told.
//! No real one can be had for tests.
//! <https://learn.microsoft.com/openspecs/windows_protocols/ms-tds/b46a581a-39de-4745-b076-ec4dbb7d13ec>

mod answers;
mod packets;
mod sign_in;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tls::Certificates;
use answers::Answer;
use packets::{Packets, Wrapping, receive, send};
pub use sign_in::SignIn;

const QUESTION: u8 = 0x01;
const ANSWER: u8 = 0x04;
const SIGN_IN: u8 = 0x10;
const GREETING: u8 = 0x12;

/// What the server does when somebody signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It looks at account and password, or at the token.
    Judge,
    /// It refuses with this number and these words. `{secret}` among them stands for what it was told.
    Refuse(u32, String),
    /// It lets them in, and sends them on.
    SendOn(String, u16),
    /// It says nothing any more.
    Silence,
    /// It answers what nobody understands.
    Nonsense,
    /// It hangs up after an answer in which some bytes are wrong, other ones for each visitor: the one to
    /// the sign-in, or the one to a question.
    Garble,
}

/// What it is, and what it lets in.
#[derive(Debug, Clone)]
pub struct Nature {
    /// What becomes of sign-ins.
    pub verdict: Verdict,
    /// Account and password that it knows.
    pub account: (String, String),
    /// Token that it takes.
    pub token: Option<String>,
    /// Its version.
    pub version: String,
    /// Its edition: 3 is SQL Server, 5 a database of Azure SQL.
    pub edition: i32,
    /// Its databases: name, whether it is of replication, whether it is a snapshot.
    pub databases: Vec<(String, bool, bool)>,
}

impl Default for Nature {
    fn default() -> Self {
        let database = |name: &str| (name.to_owned(), false, false);
        Self {
            verdict: Verdict::Judge,
            account: ("backup".to_owned(), "open sesame".to_owned()),
            token: None,
            version: "16.0.4135.4".to_owned(),
            edition: 3,
            databases: ["master", "model", "msdb", "shop", "tempdb"]
                .map(database)
                .into(),
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    visits: usize,
    sign_ins: Vec<SignIn>,
    questions: Vec<String>,
    in_the_clear: Vec<u8>,
}

/// The server. It listens until the test ends.
#[derive(Debug)]
pub struct FakeSqlServer {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl FakeSqlServer {
    /// Starts one, which encrypts where it has a certificate.
    pub fn start(certificates: Option<&Certificates>, nature: Nature) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("play a SQL Server")?;
        let port = listener.local_addr()?.port();
        let config = certificates.map(tls).transpose()?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                lock(&notes).visits += 1;
                let (config, nature, notes) = (config.clone(), nature.clone(), notes.clone());
                // A client that turns away is what some tests want.
                std::thread::spawn(move || serve(stream, config, &nature, &notes).ok());
            }
        });
        Ok(Self { port, seen })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How often somebody connected.
    pub fn visits(&self) -> usize {
        lock(&self.seen).visits
    }

    /// Who signed in, also in vain.
    pub fn sign_ins(&self) -> Vec<SignIn> {
        lock(&self.seen).sign_ins.clone()
    }

    /// What it was asked.
    pub fn questions(&self) -> Vec<String> {
        lock(&self.seen).questions.clone()
    }

    /// All that somebody on the network could have read.
    pub fn in_the_clear(&self) -> Vec<u8> {
        lock(&self.seen).in_the_clear.clone()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tls(certificates: &Certificates) -> Result<Arc<ServerConfig>> {
    let chain = CertificateDer::from_pem_file(certificates.path("leaf.pem"))?;
    let key = PrivateKeyDer::from_pem_file(certificates.path("key.pem"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)?;
    Ok(Arc::new(config))
}

/// Notes what it reads.
struct Overheard<'a>(TcpStream, &'a Mutex<Seen>);

impl Read for Overheard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        lock(self.1)
            .in_the_clear
            .extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Overheard<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn serve(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    nature: &Nature,
    seen: &Mutex<Seen>,
) -> io::Result<()> {
    let mut stream = Overheard(stream, seen);
    let greeting = receive(&mut stream)?;
    let wants_encryption = option_of(&greeting.content, 1) == Some(1);
    let brings_token = option_of(&greeting.content, 6) == Some(1);
    let encrypts = config.is_some() && wants_encryption;
    let own = own_greeting(if encrypts { 1 } else { 2 }, brings_token);
    send(&mut stream, ANSWER, &own)?;
    match config.filter(|_| encrypts) {
        None => converse(&mut stream, false, (nature, seen)),
        Some(config) => {
            let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
            let mut wrapping = Wrapping::new(stream);
            while connection.is_handshaking() {
                connection.complete_io(&mut wrapping)?;
            }
            let mut stream = StreamOwned::new(connection, wrapping.end()?);
            converse(&mut stream, true, (nature, seen))
        }
    }
}

/// The first byte of an option of a greeting.
fn option_of(greeting: &[u8], wanted: u8) -> Option<u8> {
    let mut rest = greeting;
    while let [option, high, low, _, _, after @ ..] = rest {
        if *option == wanted {
            return greeting
                .get(usize::from(u16::from_be_bytes([*high, *low])))
                .copied();
        }
        rest = after;
    }
    None
}

/// Version, encryption, and whether tokens are known; with a word that no client of ours asked for.
fn own_greeting(encryption: u8, takes_tokens: bool) -> Vec<u8> {
    let table = [
        0, 0, 21, 0, 6, 1, 0, 27, 0, 1, 6, 0, 28, 0, 1, 4, 0, 29, 0, 1, 0xff,
    ];
    let values = [16, 0, 16, 39, 0, 0, encryption, takes_tokens.into(), 0];
    [&table[..], &values].concat()
}

fn converse(
    stream: &mut (impl Read + Write),
    is_encrypted: bool,
    (nature, seen): (&Nature, &Mutex<Seen>),
) -> io::Result<()> {
    let packets = receive(stream)?;
    let Packets { kind: SIGN_IN, .. } = packets else {
        return Err(io::Error::other("nobody signs in"));
    };
    let sign_in = SignIn::read(&packets.content, is_encrypted)
        .ok_or_else(|| io::Error::other("the sign-in is broken"))?;
    lock(seen).sign_ins.push(sign_in.clone());
    let number = lock(seen).sign_ins.len() as u64;
    let answer = match &nature.verdict {
        Verdict::Silence => return receive(stream).map(drop),
        Verdict::Nonsense => return send(stream, ANSWER, b"\x42nonsense"),
        Verdict::Refuse(number, words) => {
            let words = words.replace("{secret}", sign_in.secret());
            Answer::default().error(*number, &words)
        }
        Verdict::SendOn(host, port) => Answer::default().welcome(&sign_in).send_on(host, *port),
        Verdict::Garble if number.is_multiple_of(2) => {
            let answer = judged(nature, &sign_in).done();
            return send(stream, ANSWER, &garbled(answer, number));
        }
        Verdict::Judge | Verdict::Garble => judged(nature, &sign_in),
    };
    let stays = matches!(nature.verdict, Verdict::Judge | Verdict::Garble);
    let is_in = answer.is_welcome() && stays;
    send(stream, ANSWER, &answer.done())?;
    if !is_in {
        return Ok(());
    }
    loop {
        let packets = receive(stream)?;
        if packets.kind != QUESTION {
            return Err(io::Error::other("nobody asks"));
        }
        let question = question(&packets.content);
        let answer = answered(nature, &question);
        lock(seen).questions.push(question);
        if nature.verdict == Verdict::Garble {
            return send(stream, ANSWER, &garbled(answer.done(), number));
        }
        send(stream, ANSWER, &answer.done())?;
    }
}

/// The same with one to four wrong bytes.
fn garbled(mut answer: Vec<u8>, number: u64) -> Vec<u8> {
    let mut dice = number;
    let mut roll = || {
        // The constants of MMIX; the high bits are the good ones.
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        dice >> 33
    };
    for _ in 0..=roll() % 4 {
        let length = answer.len() as u64;
        let place = usize::try_from(roll() % length).unwrap_or(0);
        answer[place] = roll().to_le_bytes()[0];
    }
    answer
}

fn judged(nature: &Nature, sign_in: &SignIn) -> Answer {
    let (account, password) = &nature.account;
    let is_known = match &sign_in.token {
        Some(token) => nature.token.as_ref() == Some(token),
        None => sign_in.account == *account && sign_in.password == *password,
    };
    let database = &sign_in.database;
    let has_database = |name: &str| nature.databases.iter().any(|(own, _, _)| own == name);
    if !is_known {
        let words = format!("Login failed for user '{}'.", sign_in.account);
        return Answer::default().error(18456, &words);
    }
    if !database.is_empty() && !has_database(database) {
        let words = format!("Cannot open database \"{database}\" requested by the login.");
        return Answer::default()
            .error(4060, &words)
            .error(18456, "Login failed.");
    }
    Answer::default().welcome(sign_in)
}

/// The text of a question, behind its headers.
fn question(content: &[u8]) -> String {
    let start = content
        .first_chunk()
        .map_or(0, |length| u32::from_le_bytes(*length) as usize);
    sign_in::text(content.get(start..).unwrap_or_default())
}

fn answered(nature: &Nature, question: &str) -> Answer {
    if question.contains("SERVERPROPERTY") {
        let row = (nature.version.as_str(), vec![nature.edition]);
        return Answer::default().rows(&[row]);
    }
    if question.contains("sys.databases") {
        let rows: Vec<_> = nature
            .databases
            .iter()
            .map(|(name, first, second)| {
                (name.as_str(), vec![i32::from(*first), i32::from(*second)])
            })
            .collect();
        return Answer::default().rows(&rows);
    }
    Answer::default().error(102, "Incorrect syntax.")
}
