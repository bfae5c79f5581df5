//! How far a running job is.

use serde::{Deserialize, Serialize};

/// What a running job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Signing in, choosing the tool.
    Preparing,
    /// Moving bytes out of the server.
    Dumping,
    /// Making the backup visible.
    Committing,
    /// Moving bytes into the server.
    Restoring,
    /// Checking what was restored.
    Checking,
}

/// How far a running job is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub stage: Option<Stage>,
    /// Bytes of the dump moved so far.
    pub plain_bytes: u64,
    /// Bytes stored so far.
    pub stored_bytes: u64,
    /// Plain bytes a second since the stage began.
    pub bytes_per_second: u64,
}
