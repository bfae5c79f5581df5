//! The audit log as a file.

use super::Entry;
use crate::wire::export::Exported;

impl Exported for Entry {
    const FILE: &'static str = "audit";

    const COLUMNS: &'static [&'static str] = &[
        "id",
        "timestamp",
        "user_id",
        "user_email",
        "action",
        "resource_type",
        "resource_id",
        "resource_name",
        "status",
        "error_message",
        "ip_address",
        "details",
        "intent_id",
    ];
}
