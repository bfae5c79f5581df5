//! The service itself on the wire.

use serde::Serialize;
use utoipa::ToSchema;

/// That the process lives.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `healthy`.
    #[schema(example = "healthy")]
    pub(crate) status: &'static str,
    /// Always `dilux-backup-api`.
    #[schema(example = "dilux-backup-api")]
    pub(crate) service: &'static str,
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Now.
    pub(crate) timestamp: String,
}

/// What is installed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Version of the program.
    pub(crate) version: &'static str,
    /// Tells installations apart; another one after the bootstrap token was replaced.
    pub(crate) installation_id: String,
    /// Name of the environment, from the settings.
    #[schema(example = "production")]
    pub(crate) environment: String,
}

/// That the stores answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    /// Always `ready`.
    #[schema(example = "ready")]
    pub(crate) status: &'static str,
}
