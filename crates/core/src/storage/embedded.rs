//! The embedded adapter: SQLite for tables, queues and secrets; files for blobs.
//!
//! Several processes of one machine share a store. It is durable: what was acknowledged survives
//! `kill -9` and, as far as the disk keeps its promises, a loss of power. Not for network file
//! systems, whose locks do not hold.

mod blob;
mod codec;
mod commit;
mod database;
mod directory;
mod envelope;
mod fault;
mod files;
mod filter;
mod key_file;
mod queue;
mod reserve;
mod schema;
mod secret;
mod staging;
mod sweep;
mod table;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::SharedClock;
use crate::random::SharedRandom;
use crate::storage::StorageResult;

use database::Database;
use envelope::MasterKey;
use fault::Fault;
use files::BlobFiles;
use reserve::Reserve;

pub use sweep::Swept;

/// Tables, queues, blobs and secrets in one directory. Cheap to clone; needs a Tokio runtime.
#[derive(Clone)]
pub struct EmbeddedStore {
    inner: Arc<Inner>,
}

struct Inner {
    directory: PathBuf,
    database: Database,
    files: BlobFiles,
    reserve: Reserve,
    key: MasterKey,
    clock: SharedClock,
    random: SharedRandom,
    /// Names this run of the machine; bytes staged before a power loss are not to be trusted.
    boot: String,
}

impl EmbeddedStore {
    /// Opens the store in `directory`, making it where it is missing. Blocks for some
    /// milliseconds. Refuses a network file system, a store of a newer version, and a key file
    /// that others can read or that is not the one that the store's secrets were sealed with.
    pub fn open(
        directory: impl Into<PathBuf>,
        clock: SharedClock,
        random: SharedRandom,
    ) -> StorageResult<Self> {
        let directory = directory.into();
        let reserve = Reserve::new(&directory);
        let mut opened = Self::try_open(&directory, clock.clone(), random.clone());
        if opened.as_ref().is_err_and(Fault::is_full) && reserve.give_up() {
            opened = Self::try_open(&directory, clock, random);
        } else {
            reserve.keep();
        }
        opened.map_err(|fault| fault.into_error("open embedded store", &directory))
    }

    fn try_open(directory: &Path, clock: SharedClock, random: SharedRandom) -> Result<Self, Fault> {
        directory::prepare(directory)?;
        // Held until the end of this function; the system drops it with the process.
        let _lock = directory::lock(directory)?;
        let files = BlobFiles::open(directory)?;
        let database = Database::open(directory)?;
        let key = database.prepare(|connection| {
            schema::migrate(connection)?;
            key_file::open(directory, connection, random.as_ref())
        })?;
        directory::sync(directory)?;
        let inner = Inner {
            directory: directory.to_owned(),
            database,
            files,
            reserve: Reserve::new(directory),
            key,
            clock,
            random,
            boot: directory::boot_id(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.inner.directory
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("EmbeddedStore")
            .field("directory", &self.inner.directory)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// The clock in ticks of 100 ns since 1970.
    fn now(&self) -> i64 {
        codec::ticks(self.clock.now())
    }

    fn fresh_id(&self) -> String {
        crate::random::hex_text(self.random.as_ref(), 16)
    }

    /// Carries out something that makes room, if need be in the room kept for that.
    async fn making_room<R, F>(&self, attempt: impl Fn() -> F) -> Result<R, Fault>
    where
        F: Future<Output = Result<R, Fault>>,
    {
        match attempt().await {
            Err(fault) if fault.is_full() && self.reserve.give_up() => {
                let outcome = attempt().await;
                self.reserve.keep();
                outcome
            }
            outcome => outcome,
        }
    }

    fn error(&self, operation: &'static str, fault: Fault) -> crate::storage::StorageError {
        fault.into_error(operation, &self.directory)
    }
}
