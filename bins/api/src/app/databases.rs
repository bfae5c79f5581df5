//! Databases: list, read, remove. Registering is in `create`, changing in `update`, changing the
//! engine in `moving`.

mod create;
mod moving;
mod update;

use std::collections::HashMap;

use dilux_core::custody::{SecretOwner, Wanted};
use dilux_core::model::{
    AuditAction, AuditResourceType, ClientId, CredentialSource, Database, DatabaseId, DatabaseName,
    Engine, EngineId, EntraIdentity, PolicyId, PolicySource, RpoMinutes, TenantId, Work,
};
use dilux_core::repository::Versioned;
use dilux_core::schedule::DEFAULT_POLICY;
use dilux_core::secret::{SecretName, SecretValue};
use dilux_core::{Error, Result};
use serde_json::{Map, Value, json};

use super::audit::Event;
use super::deletions::BackupsDeleted;
use super::{Application, Page, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::permission::Permission;
use crate::wire::database::{DatabaseFilter, DatabaseRemoval};

/// A database with its engine.
#[derive(Debug)]
pub(crate) struct DatabaseView {
    /// The database.
    pub(crate) database: Versioned<Database>,
    /// Its engine.
    pub(crate) engine: Engine,
}

/// A page of databases.
#[derive(Debug)]
pub(crate) struct DatabasePage {
    /// Those that match, by label.
    pub(crate) page: Page<DatabaseView>,
    /// Ids of rows that cannot be shown, and why.
    pub(crate) damaged: Vec<(String, String)>,
}

/// The policy that a database follows, by itself or through its engine.
pub(crate) fn effective_policy<'a>(database: &'a Database, engine: &'a Engine) -> &'a str {
    let named = database.policy_named(Some(engine));
    named.map_or(DEFAULT_POLICY, PolicyId::as_str)
}

/// An entry of the audit log about a database.
pub(super) fn event(action: AuditAction, database: &Database, details: Value) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Database,
        resource_id: database.id.to_string(),
        resource_name: database.label.to_string(),
        details,
        failure: None,
    }
}

/// What the audit log says of a new database.
pub(super) fn creation_details(database: &Database, engine: &Engine) -> Value {
    json!({
        "database_type": engine.engine_type.as_str(),
        "engine_id": engine.id.as_str(),
        "host": engine.host.as_str(),
        "port": engine.port.get(),
        "database_name": database.database_name.as_str(),
        "policy_id": effective_policy(database, engine),
    })
}

/// What the audit log says of a change: each field with its two values. Secrets have none to show.
pub(super) fn changes(before: &Database, after: &Database) -> Value {
    let (old, new) = (shown(before), shown(after));
    let changes: Map<String, Value> = new
        .into_iter()
        .filter_map(|(field, to)| {
            let from = old.get(&field).cloned().unwrap_or(Value::Null);
            (from != to).then(|| (field, json!({ "from": from, "to": to })))
        })
        .collect();
    json!({ "engine_id": after.engine_id.as_str(), "changes": changes })
}

/// Names of the fields that differ, whether they are shown or not.
pub(super) fn differing(before: &Database, after: &Database) -> Vec<String> {
    let (old, new) = (shown(before), shown(after));
    let names = new
        .into_iter()
        .filter(|(name, to)| old.get(name) != Some(to));
    names.map(|(name, _)| name).collect()
}

fn shown(database: &Database) -> Map<String, Value> {
    let nobody = EntraIdentity::default();
    let identity = match &database.credentials {
        CredentialSource::Engine => &nobody,
        CredentialSource::Own { identity, .. } => identity,
    };
    let (inherits, method, username, has_password) = match &database.credentials {
        CredentialSource::Engine => (true, None, None, false),
        CredentialSource::Own {
            auth_method,
            username,
            secret,
            ..
        } => (
            false,
            Some(auth_method.as_str()),
            username.as_ref().map(|name| name.as_str().to_owned()),
            secret.is_some(),
        ),
    };
    let policy = match &database.policy {
        PolicySource::Engine => None,
        PolicySource::Own(id) => Some(id.as_str()),
    };
    let fields = [
        ("engine_id", json!(database.engine_id.as_str())),
        ("name", json!(database.label.as_str())),
        ("database_name", json!(database.database_name.as_str())),
        ("use_engine_credentials", json!(inherits)),
        ("auth_method", json!(method)),
        ("username", json!(username)),
        (
            "tenant_id",
            json!(identity.tenant_id.as_ref().map(TenantId::as_str)),
        ),
        (
            "client_id",
            json!(identity.client_id.as_ref().map(ClientId::as_str)),
        ),
        ("has_password", json!(has_password)),
        ("policy_id", json!(policy)),
        ("enabled", json!(database.enabled)),
        (
            "rpo_minutes",
            json!(database.rpo_minutes.map(RpoMinutes::get)),
        ),
        ("compression_method", json!(database.compression.as_str())),
        (
            "backup_destination",
            json!(database.destination.as_ref().map(ToString::to_string)),
        ),
        ("tags", json!(database.tags)),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Writes the row in the version that was read, and before it a new secret under a name of its own.
pub(super) async fn replace(
    app: &Application,
    present: &Versioned<Database>,
    mut changed: Database,
    secret: Option<&SecretValue>,
) -> Result<Versioned<Database>> {
    let custody = app.installation.custody();
    let kept = own_secret(&changed).cloned();
    let wanted = Wanted {
        before: own_secret(&present.value),
        kept: kept.as_ref(),
        new: secret.filter(|_| changed.credentials != CredentialSource::Engine),
    };
    let owner = SecretOwner::Database(changed.id.clone());
    let exchange = custody.begin(owner, wanted).await?;
    if let CredentialSource::Own { secret, .. } = &mut changed.credentials {
        *secret = exchange.name().cloned();
    }
    let databases = &app.installation.repositories.databases;
    let written = databases.replace(changed, &present.version).await;
    custody.end(exchange, written).await.map_err(write_error)
}

/// The secret that a change left without an owner.
pub(super) fn dropped_secret<'a>(before: &'a Database, after: &Database) -> Option<&'a SecretName> {
    let before = own_secret(before)?;
    (own_secret(after) != Some(before)).then_some(before)
}

fn own_secret(database: &Database) -> Option<&SecretName> {
    match &database.credentials {
        CredentialSource::Engine => None,
        CredentialSource::Own { secret, .. } => secret.as_ref(),
    }
}

impl Application {
    /// The databases that match `filter`, by label.
    pub(crate) async fn list_databases(&self, filter: &DatabaseFilter) -> Result<DatabasePage> {
        let listing = self.registered().await?;
        let engines = self.engines_by_id().await?;
        let mut damaged: Vec<(String, String)> = listing
            .damaged
            .iter()
            .map(|row| (row.key.row.clone(), row.reason.clone()))
            .collect();
        let mut items = Vec::new();
        for database in &listing.items {
            match engines.get(&database.value.engine_id) {
                Some(engine) if matches(filter, &database.value, engine) => {
                    items.push((database, engine));
                }
                Some(_) => {}
                None => damaged.push((
                    database.value.id.to_string(),
                    format!("its engine '{}' cannot be found", database.value.engine_id),
                )),
            }
        }
        let limit = filter.limit.unwrap_or(usize::MAX);
        let page = Page::cut(items, &filter.start(), limit, |(database, _)| {
            let database = &database.value;
            let label = database.label.as_str().to_lowercase();
            (label, database.id.to_string())
        });
        let page = page.map(|(database, engine)| DatabaseView {
            database: database.clone(),
            engine: engine.clone(),
        });
        Ok(DatabasePage { page, damaged })
    }

    /// All engines.
    pub(super) async fn engines_by_id(&self) -> Result<HashMap<EngineId, Engine>> {
        let all = self.installation.repositories.engines.all().await?;
        let all = all.items.iter().map(|engine| &engine.value);
        Ok(all
            .map(|engine| (engine.id.clone(), engine.clone()))
            .collect())
    }

    /// One database.
    pub(super) async fn database(&self, id: &DatabaseId) -> Result<Versioned<Database>> {
        let found = self.installation.repositories.databases.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Database",
            id: id.to_string(),
        })
    }

    /// One database with its engine.
    pub(crate) async fn view_database(&self, id: &DatabaseId) -> Result<DatabaseView> {
        let database = self.database(id).await?;
        let engine_id = &database.value.engine_id;
        let engine = self
            .installation
            .repositories
            .engines
            .get(engine_id)
            .await?;
        let engine = engine.ok_or_else(|| {
            Error::Refused(format!("Engine '{engine_id}' of this database not found"))
        })?;
        Ok(DatabaseView {
            database,
            engine: engine.value,
        })
    }

    /// Fails on `field` when another database of the engine has the name. The caller has the
    /// turn at registering.
    pub(super) async fn require_free_name(
        &self,
        engine: &Engine,
        name: &DatabaseName,
        except: Option<&DatabaseId>,
        field: &str,
    ) -> Result<()> {
        let taken = self.databases_of(&engine.id).await?;
        let holder = taken
            .iter()
            .map(|database| &database.value)
            .find(|database| database.database_name == *name && Some(&database.id) != except);
        match holder {
            None => Ok(()),
            Some(holder) => Err(Error::Refused(format!(
                "{field}: this database of engine '{}' is registered already, as '{}'",
                engine.name, holder.label
            ))),
        }
    }

    /// Removes a database, its own password, and its backup jobs that wait or run. Its backups
    /// stay, unless they are to go too; then what became of them is told.
    pub(crate) async fn delete_database(
        &self,
        id: &DatabaseId,
        removal: &DatabaseRemoval,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<Option<BackupsDeleted>> {
        let database = self.database(id).await?;
        if_match.check(&database.version)?;
        // First, so that the request can be repeated when it is interrupted.
        let backups = if removal.delete_backups {
            caller.require(Permission::DeleteData)?;
            Some(self.delete_backups_of(id, caller).await?)
        } else {
            None
        };
        self.remove_database(database, caller).await?;
        Ok(backups)
    }

    /// Removes a database in the version that was read.
    pub(super) async fn remove_database(
        &self,
        database: Versioned<Database>,
        caller: &Caller,
    ) -> Result<()> {
        let id = &database.value.id;
        let custody = self.installation.custody();
        let owner = SecretOwner::Database(id.clone());
        let exchange = custody.removal(owner, own_secret(&database.value)).await?;
        let databases = &self.installation.repositories.databases;
        let deleted = databases.delete(id, &database.version).await;
        custody.end(exchange, deleted).await.map_err(write_error)?;
        let engines = &self.installation.repositories.engines;
        let engine = engines.get(&database.value.engine_id).await?;
        let details = match engine {
            Some(engine) => creation_details(&database.value, &engine.value),
            None => json!({ "engine_id": database.value.engine_id.as_str() }),
        };
        let event = event(AuditAction::DatabaseDeleted, &database.value, details);
        self.record(caller, event).await;
        self.cancel_backups_of(id, caller).await
    }

    async fn cancel_backups_of(&self, id: &DatabaseId, caller: &Caller) -> Result<()> {
        let now = self.installation.clock.now();
        for job in self.installation.repositories.jobs.active(now).await? {
            if job.value.database_id == *id && matches!(job.value.work, Work::Backup(_)) {
                match self
                    .cancel_job(&job.value.id, &IfMatch::Absent, caller)
                    .await
                {
                    // It ended by itself in the meantime.
                    Ok(_) | Err(Error::WrongState(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

fn matches(filter: &DatabaseFilter, database: &Database, engine: &Engine) -> bool {
    let is_found = filter.search.as_ref().is_none_or(|text| {
        database.label.as_str().to_lowercase().contains(text)
            || engine.host.as_str().to_lowercase().contains(text)
    });
    let policy = effective_policy(database, engine);
    let is_host = |host: &String| engine.host.as_str().eq_ignore_ascii_case(host);
    is_found
        && (database.enabled || !filter.enabled_only)
        && filter
            .engine_type
            .is_none_or(|kind| kind == engine.engine_type)
        && filter.host.as_ref().is_none_or(is_host)
        && filter.policy_id.as_deref().is_none_or(|id| id == policy)
        && filter
            .engine_id
            .as_deref()
            .is_none_or(|id| id == engine.id.as_str())
}
