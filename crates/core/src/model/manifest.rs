//! The manifest: the small JSON blob beside the data that makes the data a backup.
//!
//! It is written once, create-only, under the job's name; its existence is the commit point. The
//! catalogue can be rebuilt from manifests alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Compression, DatabaseId, DatabaseName, EngineId, EngineType, JobId, Label, ServerIdentity,
    Tier, ToolIdentity, Trigger,
};

/// Properties of a database that a restore must give to the new one before data flows: encoding,
/// collation and the like, by names that only its driver interprets.
pub type DatabaseTraits = BTreeMap<String, String>;

/// Where the data is and what it must look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredData {
    /// Container.
    pub container: String,
    /// Blob, unique to the attempt that wrote it.
    pub blob: String,
    /// ETag of the committed version.
    pub etag: String,
    /// Compression layer.
    pub compression: Compression,
    /// `sql.gz`, `sql.zst`, `sql`.
    pub format: String,
    /// Bytes as stored.
    pub stored_bytes: u64,
    /// SHA-256 of the stored bytes, lower-case hexadecimal.
    pub stored_sha256: String,
    /// Bytes as the tool wrote them.
    pub plain_bytes: u64,
    /// SHA-256 of those, lower-case hexadecimal.
    pub plain_sha256: String,
}

/// What a backup is, complete enough to restore it without any table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format; readers refuse a major version that they do not know.
    pub schema: u32,
    /// The job that owed it; also names this manifest.
    pub job_id: JobId,
    /// When the job was booked: with `job_id`, the key of the history row.
    pub job_created_at: Timestamp,
    /// Which claim on the job wrote it.
    pub epoch: u64,
    /// Worker that wrote it.
    pub worker: String,
    /// The database by its id.
    pub database_id: DatabaseId,
    /// Its label at the time.
    pub database_label: Label,
    /// Its name on the server.
    pub database_name: DatabaseName,
    /// Its engine.
    pub engine_id: EngineId,
    /// Type of the engine.
    pub engine_type: EngineType,
    /// The server as probed.
    pub server: ServerIdentity,
    /// The tool that dumped.
    pub tool: ToolIdentity,
    /// Encoding, collation…
    pub traits: DatabaseTraits,
    /// GFS tiers that this backup serves; empty for a manual one.
    pub tiers: Vec<Tier>,
    /// The slot that it was due for; the catalogue's schedule state is rebuilt from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Timestamp>,
    /// Who asked.
    pub trigger: Trigger,
    /// When the dump started.
    pub started_at: Timestamp,
    /// When the data was committed.
    pub committed_at: Timestamp,
    /// The data.
    pub data: StoredData,
    /// What a person should know about this backup, one sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Warnings of the tool, redacted.
    #[serde(default)]
    pub warnings: String,
    /// Fields of a later version, kept.
    #[serde(flatten)]
    pub unknown: BTreeMap<String, serde_json::Value>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or a field is missing or wrong.
    #[error("the manifest cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Written by a later version.
    #[error("the manifest has format {0}, this version of Dilux reads up to {SCHEMA}; upgrade first", SCHEMA = Manifest::SCHEMA)]
    TooNew(u32),
}

impl Manifest {
    /// The format version written now.
    pub const SCHEMA: u32 = 1;

    /// Name of the manifest blob of a job.
    pub fn blob_name(job: &JobId) -> String {
        let folder = job
            .database()
            .map_or_else(|| "unknown".to_owned(), String::from);
        format!("manifests/{folder}/{job}.json")
    }

    /// The manifest as its blob's bytes.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }

    /// Reads a manifest blob.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let Version { schema } = serde_json::from_slice(bytes)?;
        if schema > Self::SCHEMA {
            return Err(ManifestError::TooNew(schema));
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}
