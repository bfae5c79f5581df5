//! Length and SHA-256 of a stream, computed on a thread of its own so that nobody waits for it.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use dilux_core::transfer::Failure;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::failure;

/// Length and SHA-256 of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hexadecimal.
    pub sha256: String,
}

/// A digest in the making.
pub(crate) struct Hashing {
    pieces: mpsc::Sender<Bytes>,
    digest: JoinHandle<Digest>,
}

impl Hashing {
    /// Pieces that may wait: enough to bridge a switch of threads.
    pub(crate) const WAITING: usize = 2;

    pub(crate) fn start() -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(Self::WAITING);
        let digest = spawn_blocking(move || {
            let mut hasher = Sha256::new();
            let mut bytes = 0;
            while let Some(piece) = waiting.blocking_recv() {
                hasher.update(&piece);
                bytes += piece.len() as u64;
            }
            Digest {
                bytes,
                sha256: HEXLOWER.encode(&hasher.finalize()),
            }
        });
        Self { pieces, digest }
    }

    /// Adds a piece; waits while too many are ahead of it.
    pub(crate) async fn update(&self, piece: Bytes) -> Result<(), Failure> {
        self.pieces
            .send(piece)
            .await
            .map_err(|_| failure::defect("the hash thread ended early"))
    }

    pub(crate) async fn finish(self) -> Result<Digest, Failure> {
        drop(self.pieces);
        self.digest
            .await
            .map_err(|_| failure::defect("the hash thread ended early"))
    }
}
