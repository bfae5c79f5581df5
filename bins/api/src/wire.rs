//! What clients send and see. Keys and shapes are those of the Python product where it had them;
//! domain types stay behind these.

#![expect(
    clippy::struct_field_names,
    clippy::struct_excessive_bools,
    reason = "keys are those that clients know"
)]

pub(crate) mod access_request;
pub(crate) mod alert;
pub(crate) mod audit;
pub(crate) mod backup;
pub(crate) mod component;
pub(crate) mod configuration;
pub(crate) mod dashboard;
pub(crate) mod database;
pub(crate) mod dead_letter;
pub(crate) mod engine;
pub(crate) mod event;
pub(crate) mod export;
mod failure;
pub(crate) mod health;
pub(crate) mod job;
pub(crate) mod metrics;
pub(crate) mod page;
pub(crate) mod policy;
pub(crate) mod provider;
pub(crate) mod retention;
pub(crate) mod rpo;
pub(crate) mod schedule;
pub(crate) mod settings;
pub(crate) mod sign_in;
pub(crate) mod system;
pub(crate) mod token;
pub(crate) mod user;

use serde::Serialize;
use utoipa::ToSchema;

/// A stored row that cannot be read, beside the good ones.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Damaged {
    /// Id of the thing.
    pub(crate) id: String,
    /// What is wrong with it.
    pub(crate) reason: String,
}

impl From<&dilux_core::repository::DamagedRow> for Damaged {
    fn from(row: &dilux_core::repository::DamagedRow) -> Self {
        Self {
            id: row.key.row.clone(),
            reason: row.reason.clone(),
        }
    }
}

/// A deed that is done, in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// What was done.
    pub(crate) message: String,
}

/// The text of an enum that serialises to one.
fn enum_text(value: &impl Serialize) -> Option<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => Some(text),
        _ => None,
    }
}
