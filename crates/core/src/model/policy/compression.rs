//! Compression of backups.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::InvalidPolicy;

/// Compression of a backup's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// gzip, several members: any `gunzip` reads it.
    #[default]
    Gzip,
    /// Zstandard, several frames: any `zstd -d` reads it.
    Zstd,
    /// Stored as dumped.
    None,
}

impl Compression {
    /// The name on the wire and in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::None => "none",
        }
    }

    /// The file format of a compressed SQL dump: `sql.gz`.
    pub fn sql_format(self) -> &'static str {
        match self {
            Self::Gzip => "sql.gz",
            Self::Zstd => "sql.zst",
            Self::None => "sql",
        }
    }
}

impl FromStr for Compression {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        [Self::Gzip, Self::Zstd, Self::None]
            .into_iter()
            .find(|compression| compression.as_str() == text)
            .ok_or_else(|| InvalidPolicy("must be one of gzip, zstd, none".to_owned()))
    }
}
