//! Settings on the wire.

use dilux_core::model::{AppSettings, Compression};
use serde::Serialize;
use utoipa::ToSchema;

use super::database::CompressionChoice;
use crate::input::{Fields, FromFields, FromJson};

/// The settings that users may change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Settings {
    /// Preferred look, for users without a preference of their own.
    dark_mode: bool,
    /// Days that backups outside every tier are kept.
    #[schema(example = 30)]
    default_retention_days: u32,
    /// Whether the backups of newly registered databases are compressed.
    default_compression: bool,
    /// How.
    #[schema(example = "gzip")]
    default_compression_method: &'static str,
    /// Whether strangers who signed in may ask for access.
    access_requests_enabled: bool,
    /// Last change; `null` while nobody has made one.
    updated_at: Option<String>,
}

impl From<&AppSettings> for Settings {
    fn from(settings: &AppSettings) -> Self {
        Self {
            dark_mode: settings.dark_mode,
            default_retention_days: settings.default_retention_days,
            default_compression: settings.default_compression != Compression::None,
            default_compression_method: settings.default_compression.as_str(),
            access_requests_enabled: settings.access_requests_enabled,
            updated_at: settings.updated_at.map(|at| at.to_string()),
        }
    }
}

/// The settings, wrapped as clients know them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OneSettings {
    /// The settings.
    pub(crate) settings: Settings,
}

/// The settings after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingsSaved {
    /// What happened.
    #[schema(example = "Settings updated")]
    pub(crate) message: &'static str,
    /// The settings.
    pub(crate) settings: Settings,
}

/// Days that backups outside every tier are kept: 1–365.
#[derive(Debug, Clone, Copy)]
struct RetentionDays(u32);

impl FromJson for RetentionDays {
    fn from_json(value: &serde_json::Value) -> Result<Self, String> {
        value
            .as_u64()
            .filter(|days| (1..=365).contains(days))
            .and_then(|days| u32::try_from(days).ok())
            .map(Self)
            .ok_or_else(|| "must be a whole number between 1 and 365".to_owned())
    }
}

/// A change of the settings. Absent fields stay as they are.
#[derive(Debug)]
pub(crate) struct SettingsChange {
    dark_mode: Option<bool>,
    retention_days: Option<RetentionDays>,
    compression: CompressionChoice,
    access_requests_enabled: Option<bool>,
}

impl FromFields for SettingsChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let names = ["default_compression", "default_compression_method"];
        Some(Self {
            dark_mode: fields.changed("dark_mode"),
            retention_days: fields.changed("default_retention_days"),
            compression: CompressionChoice::read_as(fields, names),
            access_requests_enabled: fields.changed("access_requests_enabled"),
        })
    }
}

impl SettingsChange {
    /// The settings after the change.
    pub(crate) fn over(&self, present: &AppSettings) -> AppSettings {
        AppSettings {
            dark_mode: self.dark_mode.unwrap_or(present.dark_mode),
            default_retention_days: self
                .retention_days
                .map_or(present.default_retention_days, |days| days.0),
            default_compression: self.compression.over(present.default_compression),
            access_requests_enabled: self
                .access_requests_enabled
                .unwrap_or(present.access_requests_enabled),
            updated_at: present.updated_at,
        }
    }
}

/// A change of the settings. Absent fields stay as they are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, and is never built")]
pub(crate) struct SettingsChangeBody {
    /// Preferred look, for users without a preference of their own.
    dark_mode: Option<bool>,
    /// Days that backups outside every tier are kept.
    #[schema(minimum = 1, maximum = 365)]
    default_retention_days: Option<u32>,
    /// Whether the backups of newly registered databases are compressed.
    default_compression: Option<bool>,
    /// How: `gzip`, `zstd` or `none`.
    default_compression_method: Option<String>,
    /// Whether strangers who signed in may ask for access.
    access_requests_enabled: Option<bool>,
}
