//! Settings of the installation that users may change.

use jiff::Timestamp;

use super::Compression;

/// The one settings row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSettings {
    /// Preferred look, for users without a preference of their own.
    pub dark_mode: bool,
    /// Days that backups outside every tier are kept, 1–365.
    pub default_retention_days: u32,
    /// Compression of newly registered databases.
    pub default_compression: Compression,
    /// Whether strangers who signed in may ask for access.
    pub access_requests_enabled: bool,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

impl Default for AppSettings {
    fn default() -> Self {
        Self {
            dark_mode: false,
            default_retention_days: 30,
            default_compression: Compression::Gzip,
            access_requests_enabled: true,
            updated_at: None,
        }
    }
}
