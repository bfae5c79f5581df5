//! A throwaway Azurite: the three storage services on free loopback ports, in memory.
//!
//! Azurite is not durable and misses parts of Azure; it proves requests and answers, not crashes.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The account that Azurite has from the start.
pub const ACCOUNT: &str = "devstoreaccount1";

/// That account's key: published by Microsoft, the same everywhere, no secret.
pub const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A running Azurite. Ends with this value, and also when the test process dies.
#[derive(Debug)]
pub struct Azurite {
    child: Child,
    blob: SocketAddr,
    queue: SocketAddr,
    table: SocketAddr,
    scheme: &'static str,
    _directory: TempDir,
}

/// Certificate and key, both PEM files, for an Azurite that speaks HTTPS and takes Entra tokens.
#[derive(Debug, Clone, Copy)]
pub struct TlsFiles<'a> {
    /// Certificate chain.
    pub certificate: &'a Path,
    /// Private key.
    pub key: &'a Path,
}

impl Azurite {
    /// Starts one over HTTP and waits until its three ports accept connections. Fails with a
    /// sentence that says what to run when Azurite is not installed.
    pub fn start() -> Result<Self> {
        Self::launch("http", &[])
    }

    /// Starts one over HTTPS that takes Entra tokens as well as the account key.
    pub fn start_with_tokens(files: TlsFiles<'_>) -> Result<Self> {
        let certificate = files.certificate.display().to_string();
        let key = files.key.display().to_string();
        Self::launch(
            "https",
            &["--oauth", "basic", "--cert", &certificate, "--key", &key],
        )
    }

    /// A connection string with the account key and the three endpoints.
    pub fn connection_string(&self) -> String {
        format!(
            "DefaultEndpointsProtocol={};AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};\
             BlobEndpoint={};QueueEndpoint={};TableEndpoint={};",
            self.scheme,
            self.blob_endpoint(),
            self.queue_endpoint(),
            self.table_endpoint(),
        )
    }

    /// The addresses of the blob, the queue and the table service.
    pub(crate) fn addresses(&self) -> [SocketAddr; 3] {
        [self.blob, self.queue, self.table]
    }

    /// The blob service, account included: `http://127.0.0.1:40001/devstoreaccount1`.
    pub fn blob_endpoint(&self) -> String {
        self.endpoint(self.blob)
    }

    /// The queue service, account included.
    pub fn queue_endpoint(&self) -> String {
        self.endpoint(self.queue)
    }

    /// The table service, account included.
    pub fn table_endpoint(&self) -> String {
        self.endpoint(self.table)
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    fn endpoint(&self, address: SocketAddr) -> String {
        format!("{}://{address}/{ACCOUNT}", self.scheme)
    }

    fn launch(scheme: &'static str, extra: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir().context("make a directory for Azurite")?;
        let mut child = spawn(&directory, extra)?;
        match await_listening(&mut child) {
            Ok([blob, queue, table]) => Ok(Self {
                child,
                blob,
                queue,
                table,
                scheme,
                _directory: directory,
            }),
            Err(error) => {
                end(&mut child);
                Err(error)
            }
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test kit starts throwaway servers itself"
)]
fn spawn(directory: &TempDir, extra: &[&str]) -> Result<Child> {
    let program = program()?;
    let address = ["127.0.0.1", "0"];
    let services = ["blob", "queue", "table"].map(|service| {
        let [host, port] = address;
        [
            format!("--{service}Host"),
            host.to_owned(),
            format!("--{service}Port"),
            port.to_owned(),
        ]
    });
    Command::new("node")
        .arg("--require")
        .arg(repository_root().join("tests/azurite/end-with-parent.js"))
        .arg(program)
        .args(services.as_flattened())
        .args([
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
            "--inMemoryPersistence",
        ])
        .args(extra)
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start Node.js for Azurite: install Node.js 20 or later, with npm")
}

fn program() -> Result<PathBuf> {
    let program = repository_root().join("target/azurite/node_modules/azurite/dist/src/azurite.js");
    if program.is_file() {
        Ok(program)
    } else {
        bail!("Azurite is not installed: run scripts/lib/install-azurite")
    }
}

fn repository_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Waits for the three lines in which Azurite names its addresses: blob, queue, table.
fn await_listening(child: &mut Child) -> Result<[SocketAddr; 3]> {
    let output = child
        .stdout
        .take()
        .context("Azurite has no standard output")?;
    let errors = child
        .stderr
        .take()
        .context("Azurite has no standard error")?;
    let lines = read_lines(output);
    let complaints = read_lines(errors);
    let deadline = Instant::now() + START_LIMIT;
    let mut addresses = Vec::new();
    while addresses.len() < 3 {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => addresses.extend(listening_address(&line)),
            Err(RecvTimeoutError::Timeout) => bail!("Azurite did not start within 60 seconds"),
            Err(RecvTimeoutError::Disconnected) => {
                let complaint = complaints.iter().take(20).collect::<Vec<_>>().join("\n");
                bail!("Azurite ended while it started: {complaint}");
            }
        }
    }
    for address in &addresses {
        TcpStream::connect_timeout(address, START_LIMIT)
            .with_context(|| format!("connect to Azurite at {address}"))?;
    }
    addresses
        .try_into()
        .map_err(|_| anyhow!("Azurite named more than three addresses"))
}

/// Reads lines on a thread of its own until the stream ends, so that the child never blocks on a
/// full pipe, also after nobody asks any more.
fn read_lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            drop(sender.send(line));
        }
    });
    receiver
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, url) = line.split_once("is successfully listening at ")?;
    let (_, address) = url.trim().split_once("://")?;
    address.parse().ok()
}

/// Asks the process to close, waits for it, and kills it when it does not.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let is_asked = id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok());
    let deadline = Instant::now() + STOP_LIMIT;
    while is_asked && Instant::now() < deadline {
        match child.try_wait() {
            Ok(None) => thread::sleep(Duration::from_millis(10)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
    drop(child.kill());
    drop(child.wait());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listening_line_names_the_address() {
        let line = "Azurite Blob service is successfully listening at http://127.0.0.1:45821";
        assert_eq!(
            listening_address(line),
            Some(SocketAddr::from(([127, 0, 0, 1], 45821)))
        );
        assert_eq!(
            listening_address("Azurite Blob service is starting at http://x:0"),
            None
        );
    }

    #[test]
    fn ends_with_its_value_and_leaves_no_process() {
        let azurite = Azurite::start().unwrap();
        let id = Pid::from_raw(i32::try_from(azurite.process_id()).unwrap()).unwrap();
        let address = azurite.table;
        assert!(rustix::process::test_kill_process(id).is_ok());
        drop(azurite);
        assert!(
            rustix::process::test_kill_process(id).is_err(),
            "the process is still there"
        );
        assert!(
            TcpStream::connect(address).is_err(),
            "the port still accepts"
        );
    }

    #[test]
    fn ends_when_nobody_holds_its_input_any_more() {
        let mut azurite = Azurite::start().unwrap();
        drop(azurite.child.stdin.take());
        assert!(azurite.child.wait().unwrap().success());
    }
}
