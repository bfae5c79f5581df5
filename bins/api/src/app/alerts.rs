//! Alerts, and who has taken note of them.

use std::collections::HashMap;

use dilux_core::alert::{Acknowledgement, Alert, find};
use dilux_core::model::{AlertId, AuditAction, AuditResourceType};
use dilux_core::repository::{DamagedRow, Version, Versioned};
use dilux_core::storage::StorageErrorKind;
use dilux_core::{Error, Result};
use serde_json::json;

use super::audit::Event;
use super::page::newest_first;
use super::{Application, Listed, Page, is_lost_race};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::wire::alert::AlertFilter;
use crate::wire::page::PageWish;

/// An alert as it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AlertView {
    /// The alert.
    pub(crate) alert: Alert,
    /// That somebody has taken note of it.
    pub(crate) acknowledgement: Option<Acknowledgement>,
}

impl AlertView {
    /// Changes with who has taken note of it. What an alert tells of is found anew each time and
    /// nobody changes it, so it has no part in the version.
    pub(crate) fn version(&self) -> Version {
        let noted = self.acknowledgement.as_ref();
        let noted = noted.map_or_else(|| "open".to_owned(), |it| format!("{} {}", it.at, it.by));
        Version::new(format!("{} {noted}", self.alert.id))
    }
}

/// The alerts.
#[derive(Debug)]
pub(super) struct AlertsView {
    /// Those of the newest onset first.
    pub(super) items: Vec<AlertView>,
    /// Rows that cannot be read.
    damaged: Vec<DamagedRow>,
}

type Acknowledgements = HashMap<AlertId, Versioned<Acknowledgement>>;

impl Application {
    /// All alerts that there are now.
    pub(super) async fn alerts(&self) -> Result<AlertsView> {
        let (view, _) = self.alerts_and_others().await?;
        Ok(view)
    }

    /// The alerts that match `filter`, those of the newest onset first.
    pub(crate) async fn list_alerts(
        &self,
        filter: &AlertFilter,
        wish: &PageWish,
    ) -> Result<Listed<AlertView>> {
        let AlertsView { mut items, damaged } = self.alerts().await?;
        items.retain(|view| filter.matches(view));
        let page = Page::cut(items, &wish.start(), wish.limit(), |view: &AlertView| {
            (newest_first(view.alert.since), view.alert.id.to_string())
        });
        Ok(Listed { page, damaged })
    }

    /// One alert.
    pub(crate) async fn view_alert(&self, id: &AlertId) -> Result<AlertView> {
        let (view, _) = self.alerts_and_others().await?;
        the_one(view, id)
    }

    /// Notes that the caller has taken note of an alert. Who was first stays noted.
    pub(crate) async fn acknowledge_alert(
        &self,
        id: &AlertId,
        note: Option<String>,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<AlertView> {
        let (view, others) = self.alerts_and_others().await?;
        let mut view = the_one(view, id)?;
        if_match.check(&view.version())?;
        if view.acknowledgement.is_none() {
            let acknowledgement = Acknowledgement {
                alert_id: id.clone(),
                at: self.installation.clock.now(),
                by: caller.user_email.clone(),
                note,
            };
            let (stands, is_new) = self.note_acknowledgement(acknowledgement).await?;
            if is_new {
                self.record(caller, event(&view.alert, &stands)).await;
            }
            view.acknowledgement = Some(stands);
        }
        self.forget_acknowledgements(others).await;
        Ok(view)
    }

    /// The alerts, and acknowledgements of what is over.
    async fn alerts_and_others(&self) -> Result<(AlertsView, Acknowledgements)> {
        // First the acknowledgements: an alert that is not found afterwards is over.
        let noted = self.installation.repositories.acknowledgements.list();
        let noted = noted.await?;
        let mut acknowledgements: Acknowledgements = noted
            .items
            .into_iter()
            .map(|row| (row.value.alert_id.clone(), row))
            .collect();
        let found = find(&self.installation, self.installation.clock.now()).await?;
        let view = |alert: Alert| AlertView {
            acknowledgement: acknowledgements.remove(&alert.id).map(|row| row.value),
            alert,
        };
        let items = found.alerts.into_iter().map(view).collect();
        let mut damaged = found.damaged;
        damaged.extend(noted.damaged);
        Ok((AlertsView { items, damaged }, acknowledgements))
    }

    /// Writes an acknowledgement, unless somebody was faster; gives the one that stands and whether
    /// it is this one.
    async fn note_acknowledgement(
        &self,
        acknowledgement: Acknowledgement,
    ) -> Result<(Acknowledgement, bool)> {
        let acknowledgements = &self.installation.repositories.acknowledgements;
        match acknowledgements.insert(acknowledgement.clone()).await {
            Ok(written) => Ok((written.value, true)),
            Err(error) if error.kind() == StorageErrorKind::AlreadyExists => {
                let present = acknowledgements.get(&acknowledgement.alert_id).await?;
                Ok((present.map_or(acknowledgement, |row| row.value), false))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Drops acknowledgements of what is over, so that they do not add up. Best effort: nobody sees
    /// them.
    async fn forget_acknowledgements(&self, others: Acknowledgements) {
        let acknowledgements = &self.installation.repositories.acknowledgements;
        for (id, row) in others {
            match acknowledgements.delete(&id, &row.version).await {
                Err(error) if !is_lost_race(&error) => {
                    tracing::warn!(%error, "an acknowledgement of what is over stays for now");
                    return;
                }
                _ => {}
            }
        }
    }
}

fn the_one(view: AlertsView, id: &AlertId) -> Result<AlertView> {
    let mut items = view.items.into_iter();
    items
        .find(|view| view.alert.id == *id)
        .ok_or_else(|| Error::NotFound {
            what: "Alert",
            id: id.to_string(),
        })
}

fn event(alert: &Alert, acknowledgement: &Acknowledgement) -> Event {
    let database = alert.database.as_ref();
    Event {
        action: AuditAction::AlertAcknowledged,
        resource_type: AuditResourceType::Alert,
        resource_id: alert.id.to_string(),
        resource_name: alert.subject.label.clone(),
        details: json!({
            "kind": alert.kind.as_str(),
            "subject_type": alert.subject.kind.as_str(),
            "subject_id": alert.subject.id,
            "database_id": database.map(|database| database.id.as_str()),
            "since": alert.since.to_string(),
            "note": acknowledgement.note,
        }),
        failure: None,
    }
}
