//! Which audit entries are wanted.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use crate::model::{AuditAction, AuditEntry, AuditResourceType, AuditStatus, EngineType};
use crate::storage::{Filter, Value};

/// Which entries to list. Absent fields do not filter; texts are compared whatever their case.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AuditFilter {
    /// Written at or after.
    pub from: Option<Timestamp>,
    /// Written before.
    pub until: Option<Timestamp>,
    /// Of this user.
    pub user_id: Option<String>,
    /// Telling of this deed.
    pub action: Option<AuditAction>,
    /// About things of this type.
    pub resource_type: Option<AuditResourceType>,
    /// With this result.
    pub status: Option<AuditStatus>,
    /// With this text in the thing's label or id, or in the user's e-mail.
    pub search: Option<String>,
    /// Whose details name this type of database.
    pub database_type: Option<EngineType>,
    /// Whose details name this engine.
    pub engine_id: Option<String>,
    /// With this text in the thing's label.
    pub resource_name: Option<String>,
}

impl AuditFilter {
    /// Whether an entry passes.
    pub fn matches(&self, entry: &AuditEntry) -> bool {
        self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
            && is(self.user_id.as_ref(), &entry.user_id)
            && is(self.action.as_ref(), &entry.action)
            && is(self.resource_type.as_ref(), &entry.resource_type)
            && is(self.status.as_ref(), &entry.status)
            && self.finds(entry)
            && is_in(self.resource_name.as_deref(), &entry.resource_name)
            && names(
                entry,
                "database_type",
                self.database_type.map(EngineType::as_str),
            )
            && names(entry, "engine_id", self.engine_id.as_deref())
    }

    fn finds(&self, entry: &AuditEntry) -> bool {
        let search = self.search.as_deref();
        is_in(search, &entry.resource_name)
            || is_in(search, &entry.user_email)
            || is_in(search, &entry.resource_id)
    }

    /// Whether it asks for nothing but days of UTC, whole ones.
    pub(super) fn is_of_whole_days(&self) -> bool {
        let Self { from, until, .. } = *self;
        let is_midnight =
            |at: Timestamp| at.as_nanosecond() % SignedDuration::from_hours(24).as_nanos() == 0;
        let days = Self {
            from,
            until,
            ..Self::default()
        };
        *self == days && from.into_iter().chain(until).all(is_midnight)
    }

    /// What the store can pick; [`Self::matches`] stays the judge.
    pub(super) fn of_store(&self) -> Vec<Filter> {
        let texts = [
            ("user_id", self.user_id.as_deref()),
            ("action", self.action.map(AuditAction::as_str)),
            (
                "resource_type",
                self.resource_type.map(AuditResourceType::as_str),
            ),
            ("status", self.status.map(AuditStatus::as_str)),
        ];
        let wanted = texts.into_iter().filter_map(|(name, text)| {
            let value = Value::String(text?.to_owned());
            Some(Filter::equal(name, value))
        });
        wanted.collect()
    }
}

fn is<T: PartialEq>(wanted: Option<&T>, is: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == is)
}

fn is_in(part: Option<&str>, whole: &str) -> bool {
    part.is_none_or(|part| whole.to_lowercase().contains(&part.to_lowercase()))
}

fn names(entry: &AuditEntry, detail: &str, wanted: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| {
        let found = entry.details.get(detail).and_then(Json::as_str);
        found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
    })
}
