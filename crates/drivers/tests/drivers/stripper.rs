//! Somebody on the way to a server who takes the offer to encrypt out of what it says, and reads what
//! clients then send as it is.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dilux_core::model::EngineType;
use dilux_drivers::Target;

/// Bit of the greeting's capabilities, in the second of their bytes.
const MYSQL_OFFER: u8 = 0x08;

/// What a client of PostgreSQL sends first to ask for encryption.
const POSTGRESQL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

#[derive(Debug, Default)]
struct Seen {
    /// Connections that are still passed on as they are.
    left_alone: AtomicUsize,
    stripped: AtomicUsize,
    plain: Mutex<Vec<u8>>,
}

/// The one in the middle. It works until the test ends.
pub(crate) struct Stripper {
    port: u16,
    seen: Arc<Seen>,
}

impl Stripper {
    /// Before the server of `target`.
    pub(crate) fn before(engine_type: EngineType, target: &Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, server) = (Arc::new(Seen::default()), target.port.get());
        let notes = Arc::clone(&seen);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let notes = Arc::clone(&notes);
                // Clients that turn away are what the tests want.
                std::thread::spawn(move || serve(engine_type, client, server, &notes).ok());
            }
        });
        Self { port, seen }
    }

    /// The same server, by way of the one in the middle.
    pub(crate) fn target(&self, target: &Target) -> Target {
        Target {
            port: i64::from(self.port).try_into().unwrap(),
            ..target.clone()
        }
    }

    /// Leaves this many connections alone from now on, and strips those that follow.
    pub(crate) fn leave_alone(&self, connections: usize) {
        self.seen.left_alone.store(connections, Ordering::SeqCst);
        self.seen.stripped.store(0, Ordering::SeqCst);
    }

    /// How many connections were stripped since.
    pub(crate) fn stripped(&self) -> usize {
        self.seen.stripped.load(Ordering::SeqCst)
    }

    /// What clients sent as it is, on all stripped connections.
    pub(crate) fn plain(&self) -> Vec<u8> {
        self.seen.plain.lock().unwrap().clone()
    }
}

fn serve(
    engine_type: EngineType,
    mut client: TcpStream,
    server: u16,
    seen: &Seen,
) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let take = |left: usize| left.checked_sub(1);
    let order = Ordering::SeqCst;
    if seen.left_alone.fetch_update(order, order, take).is_ok() {
        return pass_both(client, server, None);
    }
    seen.stripped.fetch_add(1, order);
    if engine_type == EngineType::PostgreSql {
        let mut request = [0; 8];
        client.read_exact(&mut request)?;
        assert_eq!(request, POSTGRESQL_REQUEST);
        client.write_all(b"N")?;
    } else {
        let mut greeting = [0; 1024];
        let count = server.read(&mut greeting)?;
        let version = greeting[5..count].iter().position(|byte| *byte == 0);
        let capabilities = 5 + version.unwrap() + 14;
        greeting[capabilities + 1] &= !MYSQL_OFFER;
        client.write_all(&greeting[..count])?;
    }
    pass_both(client, server, Some(seen))
}

fn pass_both(client: TcpStream, server: TcpStream, seen: Option<&Seen>) -> io::Result<()> {
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || pass(server_too, client_too, None).ok());
    pass(client, server, seen)
}

fn pass(mut from: TcpStream, mut to: TcpStream, seen: Option<&Seen>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).unwrap_or(0);
        if count == 0 {
            return to.shutdown(Shutdown::Write);
        }
        if let Some(seen) = seen {
            seen.plain
                .lock()
                .unwrap()
                .extend_from_slice(&buffer[..count]);
        }
        to.write_all(&buffer[..count])?;
    }
}
