//! Carrying an import out, entry by entry. Each is one write, so an interruption leaves what the
//! next run finds and goes on from.

use dilux_core::model::{AuditAction, AuditResourceType, Database, Engine};
use dilux_core::storage::{StorageError, StorageErrorKind};
use dilux_core::turn::Turn;
use dilux_core::{Error, Result};
use serde_json::{Map, Value, json};

use super::plan::{ImportPlan, PlannedItem, Rewrite, Write};
use crate::app::audit::Event;
use crate::app::{Application, databases, engines, policies, settings, write_error};
use crate::caller::Caller;

/// Entries that one entry of the audit log announces: so many fit into its details.
const ANNOUNCED_AT_ONCE: usize = 50;

impl Application {
    /// Writes everything that a plan without conflicts changes.
    pub(super) async fn carry_out(
        &self,
        plan: &ImportPlan,
        turn: &Turn,
        caller: &Caller,
    ) -> Result<()> {
        let changes = plan.items.iter().filter(|item| item.write.is_some());
        let changes: Vec<&PlannedItem> = changes.collect();
        for part in changes.chunks(ANNOUNCED_AT_ONCE) {
            self.record(caller, announcement(part)).await;
        }
        for item in changes {
            let Some(write) = &item.write else { continue };
            turn.require()?;
            match self.write_item(write).await {
                Ok(event) => self.record(caller, of_import(event)).await,
                Err(error) => {
                    let mut event = of_import(event_of(write));
                    event.failure = Some(error.to_string());
                    self.record(caller, event).await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Writes one row; gives what the audit log is to say of it.
    async fn write_item(&self, write: &Write) -> Result<Event> {
        let repositories = &self.installation.repositories;
        let written = match write {
            Write::Settings(Rewrite { before, after }) => {
                let version = before.as_ref().map(|(_, version)| version);
                let put = repositories.settings.put(after.clone(), version).await;
                put.map(drop)
            }
            Write::Policy(rewrite) => {
                let (table, after) = (&repositories.policies, rewrite.after.clone());
                match &rewrite.before {
                    None => table.insert(after).await.map(drop),
                    Some((_, version)) => table.replace(after, version).await.map(drop),
                }
            }
            Write::Engine(rewrite) => {
                let (table, after) = (&repositories.engines, rewrite.after.clone());
                match &rewrite.before {
                    None => table.insert(after).await.map(drop),
                    Some((_, version)) => table.replace(after, version).await.map(drop),
                }
            }
            Write::Database(rewrite) => {
                let (table, after) = (&repositories.databases, rewrite.after.clone());
                match &rewrite.before {
                    None => table.insert(after).await.map(drop),
                    Some((_, version)) => table.replace(after, version).await.map(drop),
                }
            }
        };
        written.map_err(overtaken)?;
        Ok(event_of(write))
    }
}

/// What the audit log says of a change, as it does when the change is made alone.
fn event_of(write: &Write) -> Event {
    match write {
        Write::Settings(Rewrite { before, after }) => {
            let before = before.as_ref().map(|(before, _)| before.clone());
            settings::event(&before.unwrap_or_default(), after)
        }
        Write::Policy(rewrite) => {
            let before = rewrite.before.as_ref().map(|(before, _)| before);
            policies::written(before, &rewrite.after)
        }
        Write::Engine(rewrite) => engine_event(rewrite),
        Write::Database(rewrite) => database_event(rewrite),
    }
}

fn engine_event(rewrite: &Rewrite<Engine>) -> Event {
    let after = &rewrite.after;
    let Some((before, _)) = &rewrite.before else {
        return engines::created(after);
    };
    let details = json!({
        "engine_id": after.id.as_str(),
        "engine_type": after.engine_type.as_str(),
        "updated_fields": super::engines::differing(before, after),
    });
    let details = engines::with_tls_mode(details, before, after);
    engines::event(AuditAction::Update, after, details)
}

fn database_event(rewrite: &Rewrite<Database>) -> Event {
    let after = &rewrite.after;
    if let Some((before, _)) = &rewrite.before {
        let details = databases::changes(before, after);
        return databases::event(AuditAction::DatabaseUpdated, after, details);
    }
    let details = json!({
        "engine_id": after.engine_id.as_str(),
        "database_name": after.database_name.as_str(),
    });
    databases::event(AuditAction::DatabaseCreated, after, details)
}

/// Somebody else took the id, or changed the row, since the plan was made.
fn overtaken(error: StorageError) -> Error {
    if error.kind() == StorageErrorKind::AlreadyExists {
        let text = "it was made by somebody else in the meantime; import again";
        return Error::Conflict(text.to_owned());
    }
    write_error(error)
}

/// The entry that says what is about to be changed.
fn announcement(items: &[&PlannedItem]) -> Event {
    let intents = items.iter().map(|item| {
        let (kind, action) = (item.kind.as_str(), item.action.as_str());
        json!({ "kind": kind, "id": item.id, "action": action })
    });
    Event {
        action: AuditAction::ConfigurationImported,
        resource_type: AuditResourceType::Configuration,
        resource_id: "configuration".to_owned(),
        resource_name: "Configuration".to_owned(),
        details: json!({ "event": "begun", "items": intents.collect::<Vec<Value>>() }),
        failure: None,
    }
}

/// The same entry, saying where the change came from.
fn of_import(mut event: Event) -> Event {
    let mut details = match event.details {
        Value::Object(details) => details,
        _ => Map::new(),
    };
    details.insert("import".to_owned(), Value::Bool(true));
    event.details = Value::Object(details);
    event
}
