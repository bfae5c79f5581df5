//! The table of deeds: what each route that changes something is about to do, in the words of the
//! audit log. An intent is noted before such a route runs (see `attest`), and a route that is not in
//! the table answers nobody.

use axum::http::Method;
use dilux_core::model::AuditAction as Action;
use dilux_core::model::AuditResourceType as Thing;

/// What a route is about to do, and to what kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deed {
    /// What.
    pub(crate) action: Action,
    /// To what kind of thing.
    pub(crate) resource_type: Thing,
}

/// What is to be noted of a route before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announcement {
    /// It changes nothing, whatever its method.
    None,
    /// It does this.
    Of(Deed),
    /// The table does not say: a defect.
    Unknown,
}

/// Routes whose method is one of changes and that change nothing: what retention would do, and a
/// line in the audit log itself.
const HARMLESS: [(&str, &str); 2] = [
    ("POST", "/api/retention/dry-run"),
    ("POST", "/api/auth/events"),
];

/// The table.
#[rustfmt::skip]
const DEEDS: &[(&str, &str, Action, Thing)] = &[
    ("POST", "/api/access-requests/{request_id}/approve", Action::AccessRequestApproved, Thing::AccessRequest),
    ("POST", "/api/access-requests/{request_id}/reject", Action::AccessRequestRejected, Thing::AccessRequest),
    ("POST", "/api/alerts/{alert_id}/acknowledge", Action::AlertAcknowledged, Thing::Alert),
    ("POST", "/api/auth/logout", Action::UserLogout, Thing::User),
    ("POST", "/api/auth/setup", Action::UserCreated, Thing::User),
    ("POST", "/api/backup-policies", Action::PolicyCreated, Thing::Policy),
    ("PUT", "/api/backup-policies/{policy_id}", Action::PolicyUpdated, Thing::Policy),
    ("DELETE", "/api/backup-policies/{policy_id}", Action::PolicyDeleted, Thing::Policy),
    ("DELETE", "/api/backups/delete", Action::BackupDeleted, Thing::Backup),
    ("POST", "/api/backups/delete-bulk", Action::BackupDeletedBulk, Thing::Backup),
    ("DELETE", "/api/backups/{backup_id}", Action::BackupDeleted, Thing::Backup),
    ("POST", "/api/backups/{backup_id}/hold", Action::BackupHeld, Thing::Backup),
    ("DELETE", "/api/backups/{backup_id}/hold", Action::BackupReleased, Thing::Backup),
    ("PUT", "/api/backups/{backup_id}/labels", Action::BackupLabelled, Thing::Backup),
    ("POST", "/api/backups/{backup_id}/pin", Action::BackupPinned, Thing::Backup),
    ("DELETE", "/api/backups/{backup_id}/pin", Action::BackupUnpinned, Thing::Backup),
    ("POST", "/api/backups/{backup_id}/restore", Action::RestoreTriggered, Thing::Backup),
    ("POST", "/api/backups/{backup_id}/undelete", Action::BackupUndeleted, Thing::Backup),
    ("POST", "/api/backups/{backup_id}/verify", Action::VerificationTriggered, Thing::Backup),
    ("POST", "/api/configuration/import", Action::ConfigurationImported, Thing::Configuration),
    ("POST", "/api/databases", Action::DatabaseCreated, Thing::Database),
    ("POST", "/api/databases/test-connection", Action::DatabaseTestConnection, Thing::Database),
    ("PUT", "/api/databases/{database_id}", Action::DatabaseUpdated, Thing::Database),
    ("DELETE", "/api/databases/{database_id}", Action::DatabaseDeleted, Thing::Database),
    ("POST", "/api/databases/{database_id}/backup", Action::BackupTriggered, Thing::Database),
    ("POST", "/api/databases/{database_id}/test", Action::DatabaseTestConnection, Thing::Database),
    ("POST", "/api/dead-letters/{dead_letter_id}/requeue", Action::DeadLetterRequeued, Thing::Backup),
    ("DELETE", "/api/dead-letters/{dead_letter_id}", Action::DeadLetterDiscarded, Thing::Backup),
    ("POST", "/api/engines", Action::Create, Thing::Engine),
    ("PUT", "/api/engines/{engine_id}", Action::Update, Thing::Engine),
    ("DELETE", "/api/engines/{engine_id}", Action::Delete, Thing::Engine),
    ("POST", "/api/engines/{engine_id}/apply-credentials", Action::EngineCredentialsApplied, Thing::Engine),
    ("PUT", "/api/engines/{engine_id}/credentials", Action::EngineCredentialsUpdated, Thing::Engine),
    ("POST", "/api/engines/{engine_id}/databases", Action::DatabaseCreated, Thing::Engine),
    ("POST", "/api/engines/{engine_id}/discover", Action::EngineDiscovered, Thing::Engine),
    ("POST", "/api/engines/{engine_id}/test", Action::DatabaseTestConnection, Thing::Engine),
    ("POST", "/api/jobs/{job_id}/cancel", Action::JobCancelled, Thing::Backup),
    ("POST", "/api/jobs/{job_id}/retry", Action::JobRetried, Thing::Backup),
    ("POST", "/api/restores", Action::RestoreTriggered, Thing::Backup),
    ("PUT", "/api/settings", Action::SettingsUpdated, Thing::Settings),
    ("POST", "/api/tokens", Action::TokenCreated, Thing::Token),
    ("DELETE", "/api/tokens/{token_id}", Action::TokenDeleted, Thing::Token),
    ("POST", "/api/users", Action::UserCreated, Thing::User),
    ("PUT", "/api/users/me/password", Action::UserUpdated, Thing::User),
    ("PUT", "/api/users/me/preferences", Action::UserUpdated, Thing::User),
    ("PUT", "/api/users/{user_id}", Action::UserUpdated, Thing::User),
    ("DELETE", "/api/users/{user_id}", Action::UserDeleted, Thing::User),
    ("POST", "/api/users/{user_id}/invitation", Action::UserUpdated, Thing::User),
];

impl Announcement {
    /// What the table says of a method on a path, as the route is registered.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let route = (method.as_str(), path);
        if method.is_safe() || HARMLESS.contains(&route) {
            return Self::None;
        }
        let mut rows = DEEDS.iter();
        let row = rows.find(|(method, path, ..)| (*method, *path) == route);
        row.map_or(Self::Unknown, |&(_, _, action, resource_type)| {
            Self::Of(Deed {
                action,
                resource_type,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::document::openapi;

    /// Method and path of each operation that is not open to everybody.
    fn closed_operations() -> BTreeSet<(String, String)> {
        let described = serde_json::to_value(openapi()).unwrap();
        let paths = described["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method, path, operation))
        });
        operations
            .filter(|(.., operation)| operation["x-permission"] != "public")
            .map(|(method, path, _)| (method.to_uppercase(), path.clone()))
            .collect()
    }

    #[test]
    fn every_route_that_is_not_a_read_stands_in_the_table() {
        for (method, path) in closed_operations() {
            let parsed = Method::from_bytes(method.as_bytes()).unwrap();
            let announcement = Announcement::of(&parsed, &path);
            assert_ne!(announcement, Announcement::Unknown, "{method} {path}");
        }
    }

    #[test]
    fn the_table_names_routes_that_there_are() {
        let operations = closed_operations();
        let named = DEEDS.iter().map(|(method, path, ..)| (*method, *path));
        for (method, path) in named.chain(HARMLESS) {
            let operation = (method.to_owned(), path.to_owned());
            assert!(operations.contains(&operation), "{method} {path}");
        }
    }
}
