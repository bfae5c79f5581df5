//! Appending to the audit log.

use dilux_core::model::{AuditAction, AuditEntry, AuditId, AuditResourceType, AuditStatus};
use serde_json::{Map, Value};

use super::Application;
use crate::caller::Caller;

/// What is to be noted.
#[derive(Debug)]
pub(super) struct Event {
    /// What was done.
    pub(super) action: AuditAction,
    /// To what kind of thing.
    pub(super) resource_type: AuditResourceType,
    /// To which.
    pub(super) resource_id: String,
    /// Its label.
    pub(super) resource_name: String,
    /// Particulars, an object.
    pub(super) details: Value,
    /// Why it did not work; `None` when it did.
    pub(super) failure: Option<String>,
}

impl Application {
    /// Appends an entry. What it tells of has happened already, so a failure to note it is an
    /// error in the log and not one of the request.
    pub(super) async fn record(&self, caller: &Caller, event: Event) {
        self.note(caller, event).await;
    }

    /// Appends an entry as [`Self::record`] does, and says whether it was.
    pub(super) async fn note(&self, caller: &Caller, event: Event) -> bool {
        let details = match event.details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        let entry = AuditEntry {
            id: AuditId::random(&*self.installation.random),
            at: self.installation.clock.now(),
            user_id: caller.user_id.clone(),
            user_email: caller.user_email.clone(),
            action: event.action,
            resource_type: event.resource_type,
            resource_id: event.resource_id,
            resource_name: event.resource_name,
            details,
            status: if event.failure.is_none() {
                AuditStatus::Success
            } else {
                AuditStatus::Failed
            },
            error_message: event.failure,
            ip_address: caller.address,
        };
        let appended = self.installation.repositories.audit.append(&entry).await;
        if let Err(error) = &appended {
            tracing::error!(
                %error,
                audit.action = entry.action.as_str(),
                audit.resource_id = entry.resource_id,
                "audit entry could not be written"
            );
        }
        appended.is_ok()
    }
}
