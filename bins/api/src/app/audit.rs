//! Appending to the audit log.

use dilux_core::Result;
use dilux_core::model::{AuditAction, AuditEntry, AuditId, AuditResourceType, AuditStatus};
use serde_json::{Map, Value, json};

use super::Application;
use crate::attest::{Announced, Intent};
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
    /// Notes what somebody is about to do. Nothing may be done when that fails.
    pub(crate) async fn intend(&self, caller: &Caller, announced: &Announced) -> Result<Intent> {
        let entry = AuditEntry {
            status: AuditStatus::Intended,
            ..self.entry(caller, announcement(announced))
        };
        self.installation
            .repositories
            .intents
            .append(&entry)
            .await?;
        Ok(Intent::new(entry.id))
    }

    /// Appends an entry about something that was announced, or not even that since its caller may
    /// not do it, and that was not done for this reason.
    pub(crate) async fn record_refusal(
        &self,
        caller: &Caller,
        announced: &Announced,
        reason: String,
    ) {
        let event = Event {
            failure: Some(reason),
            ..announcement(announced)
        };
        self.record(caller, event).await;
    }

    /// Notes in the log of intents that there was nothing to change. The audit log tells of what was
    /// done, and nothing was.
    pub(crate) async fn close_intent(&self, caller: &Caller, announced: &Announced) {
        let entry = self.entry(caller, announcement(announced));
        let appended = self.installation.repositories.intents.append(&entry).await;
        if let Err(error) = appended {
            tracing::error!(%error, "an intent that came to nothing was not closed");
        }
    }

    /// Appends an entry. What it tells of has happened already, so a failure to note it is an
    /// error in the log and not one of the request; its intent stays without a result.
    pub(super) async fn record(&self, caller: &Caller, event: Event) {
        self.note(caller, event).await;
    }

    /// Appends an entry as [`Self::record`] does, and says whether it was.
    pub(super) async fn note(&self, caller: &Caller, event: Event) -> bool {
        if let Some(intent) = &caller.intent {
            intent.take_up(event.failure.is_some());
        }
        let entry = self.entry(caller, event);
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

    fn entry(&self, caller: &Caller, event: Event) -> AuditEntry {
        let details = match event.details {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        AuditEntry {
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
            intent_id: caller.intent.as_ref().map(|intent| intent.id.clone()),
        }
    }
}

/// An event that tells what was announced, and no more.
fn announcement(announced: &Announced) -> Event {
    Event {
        action: announced.deed.action,
        resource_type: announced.deed.resource_type,
        resource_id: announced.resource_id.clone(),
        resource_name: String::new(),
        details: json!({
            "request": announced.request,
            "request_id": announced.request_id,
        }),
        failure: None,
    }
}
