//! The settings that users may change.

use dilux_core::Result;
use dilux_core::model::{AppSettings, AuditAction, AuditResourceType};
use dilux_core::repository::{Version, Versioned};
use dilux_core::storage::StorageErrorKind;
use serde_json::{Map, Value, json};

use super::audit::Event;
use super::{Application, RACES, is_lost_race, too_many_races, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::settings::SettingsChange;

impl Application {
    /// The settings; the defaults while nobody has changed them.
    pub(crate) async fn view_settings(&self) -> Result<(AppSettings, Version)> {
        let found = self.installation.repositories.settings.get().await?;
        Ok(or_default(found.as_ref()))
    }

    /// Changes settings. What is already so is not written again.
    pub(crate) async fn update_settings(
        &self,
        change: &SettingsChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<(AppSettings, Version)> {
        let settings = &self.installation.repositories.settings;
        for _ in 0..RACES {
            let found = settings.get().await?;
            let (present, version) = or_default(found.as_ref());
            if_match.check(&version)?;
            let mut changed = change.over(&present);
            if changed == present {
                return Ok((present, version));
            }
            changed.updated_at = Some(self.installation.clock.now());
            let written = settings.put(changed, found.as_ref().map(|row| &row.version));
            match written.await {
                Ok(stored) => {
                    self.record(caller, event(&present, &stored.value)).await;
                    return Ok((stored.value, stored.version));
                }
                Err(error)
                    if is_lost_race(&error) || error.kind() == StorageErrorKind::AlreadyExists =>
                {
                    if if_match.is_conditional() {
                        return Err(write_error(error));
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        too_many_races()
    }
}

fn or_default(found: Option<&Versioned<AppSettings>>) -> (AppSettings, Version) {
    found.map_or_else(
        || (AppSettings::default(), Version::new("defaults")),
        |row| (row.value.clone(), row.version.clone()),
    )
}

/// Names of the fields that differ.
pub(super) fn updated_fields(before: &AppSettings, after: &AppSettings) -> Vec<String> {
    let both = shown(before).into_iter().zip(shown(after));
    both.filter(|((_, from), (_, to))| from != to)
        .map(|((name, _), _)| name.to_owned())
        .collect()
}

/// What the audit log says of a change.
pub(super) fn event(before: &AppSettings, after: &AppSettings) -> Event {
    let (old, new) = (shown(before), shown(after));
    let changes: Map<String, Value> = old
        .into_iter()
        .zip(new)
        .filter(|((_, from), (_, to))| from != to)
        .map(|((name, from), (_, to))| (name.to_owned(), json!({ "from": from, "to": to })))
        .collect();
    Event {
        action: AuditAction::SettingsUpdated,
        resource_type: AuditResourceType::Settings,
        resource_id: "app-settings".to_owned(),
        resource_name: "Settings".to_owned(),
        details: json!({ "changes": changes }),
        failure: None,
    }
}

fn shown(settings: &AppSettings) -> [(&'static str, Value); 4] {
    [
        ("dark_mode", json!(settings.dark_mode)),
        (
            "default_retention_days",
            json!(settings.default_retention_days),
        ),
        (
            "default_compression_method",
            json!(settings.default_compression.as_str()),
        ),
        (
            "access_requests_enabled",
            json!(settings.access_requests_enabled),
        ),
    ]
}
