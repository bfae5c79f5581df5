//! What the scheduler writes to the audit log: each record of slots that nobody serves.

use dilux_core::model::{AuditAction, AuditEntry, AuditId, AuditResourceType, AuditStatus};
use dilux_core::repository::Miss;
use dilux_core::storage::StorageResult;

use crate::Scheduler;
use crate::plan::Subject;

/// The name under which the scheduler writes to the audit log.
const ACTOR: &str = "scheduler";

impl Scheduler {
    /// Written again, by a later tick or another scheduler, it is the same entry: id and time follow
    /// from the record.
    pub(crate) async fn audit_miss(&self, subject: &Subject<'_>, miss: &Miss) -> StorageResult<()> {
        let slots = &miss.slots;
        let key = format!(
            "missed|{}|{}|{}",
            subject.database.id, slots.tier, slots.last
        );
        let details = serde_json::json!({
            "database_id": subject.database.id.as_str(),
            "database_alias": subject.database.label.as_str(),
            "database_type": subject.engine.engine_type.as_str(),
            "tier": slots.tier.as_str(),
            "first_slot": slots.first.to_string(),
            "last_slot": slots.last.to_string(),
            "count": slots.count,
        });
        let entry = AuditEntry {
            id: AuditId::derive(&key),
            at: miss.decided_at,
            user_id: "system".to_owned(),
            user_email: ACTOR.to_owned(),
            action: AuditAction::BackupMissed,
            resource_type: AuditResourceType::Database,
            resource_id: subject.database.id.to_string(),
            resource_name: subject.database.label.to_string(),
            details: details.as_object().cloned().unwrap_or_default(),
            status: AuditStatus::Failed,
            error_message: Some(slots.reason.clone()),
            ip_address: None,
            intent_id: None,
        };
        self.installation.repositories.audit.append(&entry).await
    }
}
