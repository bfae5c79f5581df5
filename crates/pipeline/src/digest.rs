//! Length and SHA-256 of a stream, as a rule computed on a thread of its own so that nobody waits
//! for it.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use dilux_core::transfer::Failure;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::{Computing, failure};

/// Length and SHA-256 of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// A digest in the making.
pub(crate) enum Hashing {
    OnThread {
        pieces: mpsc::Sender<Bytes>,
        digest: JoinHandle<Digest>,
    },
    InPlace(Mutex<Hasher>),
}

impl Hashing {
    /// Pieces that may wait: enough to bridge a switch of threads.
    pub(crate) const WAITING: usize = 2;

    pub(crate) fn start(computing: Computing) -> Self {
        match computing {
            Computing::InPlace => Self::InPlace(Mutex::default()),
            Computing::OnThreads => {
                let (pieces, mut waiting) = mpsc::channel::<Bytes>(Self::WAITING);
                let digest = spawn_blocking(move || {
                    let mut hasher = Hasher::default();
                    while let Some(piece) = waiting.blocking_recv() {
                        hasher.update(&piece);
                    }
                    hasher.finish()
                });
                Self::OnThread { pieces, digest }
            }
        }
    }

    /// Adds a piece; waits while too many are ahead of it.
    pub(crate) async fn update(&self, piece: Bytes) -> Result<(), Failure> {
        match self {
            Self::OnThread { pieces, .. } => pieces.send(piece).await.map_err(|_| ended_early()),
            Self::InPlace(hasher) => {
                hasher
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .update(&piece);
                Ok(())
            }
        }
    }

    pub(crate) async fn finish(self) -> Result<Digest, Failure> {
        match self {
            Self::OnThread { pieces, digest } => {
                drop(pieces);
                digest.await.map_err(|_| ended_early())
            }
            Self::InPlace(hasher) => {
                let hasher = hasher.into_inner();
                Ok(hasher.unwrap_or_else(PoisonError::into_inner).finish())
            }
        }
    }
}

fn ended_early() -> Failure {
    failure::defect("the hash thread ended early")
}

/// Length and hash so far.
#[derive(Default)]
pub(crate) struct Hasher {
    sha256: Sha256,
    bytes: u64,
}

impl Hasher {
    fn update(&mut self, piece: &[u8]) {
        self.sha256.update(piece);
        self.bytes += piece.len() as u64;
    }

    fn finish(self) -> Digest {
        Digest {
            bytes: self.bytes,
            sha256: HEXLOWER.encode(&self.sha256.finalize()),
        }
    }
}
