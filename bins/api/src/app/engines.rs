//! Engines: list, read, register, remove. Changes are in `update`.

mod credentials;
mod removal;
mod update;

use std::collections::HashMap;

use dilux_core::custody::SecretOwner;
use dilux_core::model::{
    AuditAction, AuditResourceType, Database, Engine, EngineId, EngineType, Host, PolicyId, Port,
    TlsMode,
};
use dilux_core::repository::{DamagedRow, Listing, Versioned};
use dilux_core::{Error, Result};
use serde_json::json;

pub(crate) use credentials::{AppliedCredentials, CredentialUpdate, CredentialView};
pub(crate) use removal::{EngineRemoved, RemovalPreview};
pub(crate) use update::EngineUpdate;

use super::audit::Event;
use super::{Application, Page};
use crate::caller::Caller;
use crate::wire::engine::{EngineFilter, NewEngine};
use crate::wire::sign_in::SignIn;

/// An engine with what clients want to know beside it.
#[derive(Debug)]
pub(crate) struct EngineView {
    /// The engine.
    pub(crate) engine: Versioned<Engine>,
    /// Databases registered on it.
    pub(crate) database_count: usize,
}

/// A page of engines.
#[derive(Debug)]
pub(crate) struct EnginePage {
    /// Those that match, by name.
    pub(crate) page: Page<EngineView>,
    /// Rows that cannot be read.
    pub(crate) damaged: Vec<DamagedRow>,
}

/// What makes two engines the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EngineAddress {
    engine_type: EngineType,
    host: String,
    port: Port,
}

impl EngineAddress {
    /// Host names do not differ by case.
    pub(super) fn new(engine_type: EngineType, host: &Host, port: Port) -> Self {
        Self {
            engine_type,
            host: host.as_str().to_ascii_lowercase(),
            port,
        }
    }

    /// That of an engine.
    pub(super) fn of(engine: &Engine) -> Self {
        Self::new(engine.engine_type, &engine.host, engine.port)
    }
}

/// An entry of the audit log about an engine.
pub(super) fn event(action: AuditAction, engine: &Engine, details: serde_json::Value) -> Event {
    Event {
        action,
        resource_type: AuditResourceType::Engine,
        resource_id: engine.id.to_string(),
        resource_name: engine.name.to_string(),
        details,
        failure: None,
    }
}

/// What the audit log says of a new engine.
pub(super) fn created(engine: &Engine) -> Event {
    let details = json!({
        "engine_id": engine.id.as_str(),
        "engine_type": engine.engine_type.as_str(),
        "host": engine.host.as_str(),
        "port": engine.port.get(),
        "tls_mode": engine.tls_mode.as_str(),
    });
    event(AuditAction::Create, engine, details)
}

/// `details` with the TLS mode before and after, where that is another: it decides where credentials
/// may travel.
pub(super) fn with_tls_mode(
    mut details: serde_json::Value,
    before: &Engine,
    after: &Engine,
) -> serde_json::Value {
    if before.tls_mode != after.tls_mode {
        details["tls_mode"] = json!({
            "before": before.tls_mode.as_str(),
            "after": after.tls_mode.as_str(),
        });
    }
    details
}

/// Fails when `engine` protects connections less than is demanded for a database on it.
pub(super) fn require_protection(engine: &Engine, demanded: Option<TlsMode>) -> Result<()> {
    match demanded {
        Some(demanded) if demanded > engine.tls_mode => Err(Error::invalid(
            "tls_mode",
            format!(
                "is '{}' for engine '{}', which protects less; change that first, by PUT \
                 /api/engines/{{id}}",
                engine.tls_mode, engine.name
            ),
        )),
        _ => Ok(()),
    }
}

impl Application {
    /// The engines that match `filter`, by name.
    pub(crate) async fn list_engines(&self, filter: &EngineFilter) -> Result<EnginePage> {
        let Listing { items, damaged } = self.installation.repositories.engines.list().await?;
        let counts = self.count_databases().await?;
        let found = items.into_iter();
        let found = found.filter(|engine| matches(filter, &engine.value));
        let views = found.map(|engine| EngineView {
            database_count: counts.get(&engine.value.id).copied().unwrap_or(0),
            engine,
        });
        let page = Page::cut(views.collect(), &filter.start(), filter.limit, |view| {
            let engine = &view.engine.value;
            (engine.name.as_str().to_lowercase(), engine.id.to_string())
        });
        Ok(EnginePage { page, damaged })
    }

    async fn count_databases(&self) -> Result<HashMap<EngineId, usize>> {
        let mut counts = HashMap::new();
        for database in &self.registered().await?.items {
            let engine_id = database.value.engine_id.clone();
            *counts.entry(engine_id).or_insert(0) += 1;
        }
        Ok(counts)
    }

    /// One engine with its count of databases.
    pub(crate) async fn view_engine(&self, id: &EngineId) -> Result<EngineView> {
        let engine = self.engine(id).await?;
        let database_count = self.databases_of(id).await?.len();
        Ok(EngineView {
            engine,
            database_count,
        })
    }

    /// One engine.
    pub(super) async fn engine(&self, id: &EngineId) -> Result<Versioned<Engine>> {
        let found = self.installation.repositories.engines.get(id).await?;
        found.ok_or_else(|| Error::NotFound {
            what: "Engine",
            id: id.to_string(),
        })
    }

    /// The databases of an engine.
    pub(super) async fn databases_of(&self, id: &EngineId) -> Result<Vec<Versioned<Database>>> {
        let all = self.registered().await?;
        let of_engine = all.items.iter().filter(|it| it.value.engine_id == *id);
        Ok(of_engine.cloned().collect())
    }

    /// The engine at an address.
    pub(super) async fn engine_at(
        &self,
        address: &EngineAddress,
    ) -> Result<Option<Versioned<Engine>>> {
        let all = self.installation.repositories.engines.all().await?;
        let mut all = all.items.iter();
        let found = all.find(|engine| EngineAddress::of(&engine.value) == *address);
        Ok(found.cloned())
    }

    /// Registers an engine, unless there is one at its address.
    pub(crate) async fn create_engine(
        &self,
        new: NewEngine,
        caller: &Caller,
    ) -> Result<Versioned<Engine>> {
        let turn = self.registration.take().await?;
        let address = EngineAddress::new(new.engine_type, &new.host, new.port);
        if self.engine_at(&address).await?.is_some() {
            return Err(Error::Refused(format!(
                "An engine for {} at {}:{} already exists",
                new.engine_type, new.host, new.port
            )));
        }
        if let Some(policy) = &new.policy_id {
            self.require_policy("policy_id", policy).await?;
        }
        turn.require()?;
        let engine = self.insert_engine(new, caller).await?;
        drop(turn);
        self.record_engine_created(caller, &engine.value).await;
        Ok(engine)
    }

    pub(super) async fn record_engine_created(&self, caller: &Caller, engine: &Engine) {
        self.record(caller, created(engine)).await;
    }

    /// Writes the secret, then the row. The caller has the turn at registering and has checked.
    pub(super) async fn insert_engine(
        &self,
        new: NewEngine,
        caller: &Caller,
    ) -> Result<Versioned<Engine>> {
        self.require_allowed_host(&new.host)?;
        let id = EngineId::random(&*self.installation.random);
        let identity = new.identity();
        let custody = self.installation.custody();
        let owner = SecretOwner::Engine(id.clone());
        let exchange = custody.first(owner, new.secret()).await?;
        let now = self.installation.clock.now();
        let mut engine = Engine {
            id,
            name: new.name,
            engine_type: new.engine_type,
            host: new.host,
            port: new.port,
            tls_mode: new.tls_mode,
            auth_method: new.auth_method,
            username: new.username,
            identity,
            secret: exchange.name().cloned(),
            policy_id: new.policy_id,
            max_jobs: new.max_jobs,
            discovery_enabled: false,
            last_discovery: None,
            created_at: now,
            updated_at: now,
            created_by: Some(caller.user_email.clone()),
        };
        engine.discovery_enabled = is_discoverable(&engine);
        let inserted = self.installation.repositories.engines.insert(engine).await;
        Ok(custody.end(exchange, inserted).await?)
    }

    /// Fails when `host` is an address that no server may have. Names are judged with each connection.
    pub(super) fn require_allowed_host(&self, host: &Host) -> Result<()> {
        let text = host.as_str();
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let Ok(address) = bare.parse() else {
            return Ok(());
        };
        let judged = self.installation.settings.allowed_networks.judge(address);
        judged.map_err(|refusal| Error::invalid("host", format!("is an address {refusal}")))
    }

    /// Fails on `field` unless the policy exists.
    pub(super) async fn require_policy(&self, field: &str, id: &PolicyId) -> Result<()> {
        match self.installation.repositories.policies.get(id).await? {
            Some(_) => Ok(()),
            None => Err(Error::invalid(field, format!("there is no policy '{id}'"))),
        }
    }
}

/// A new engine that somebody only gave the address of, while registering a database.
pub(super) fn described_by_address(
    engine_type: EngineType,
    host: Host,
    port: Port,
    tls_mode: TlsMode,
) -> Result<NewEngine> {
    let title = match engine_type {
        EngineType::MySql => "MySQL",
        EngineType::PostgreSql => "PostgreSQL",
        EngineType::SqlServer => "SQL Server",
    };
    let name: String = format!("{title} - {host}").chars().take(100).collect();
    let SignIn {
        auth_method,
        username,
        ..
    } = SignIn::default();
    Ok(NewEngine {
        name: name
            .parse()
            .map_err(|error| Error::internal("name engine", error))?,
        engine_type,
        host,
        port,
        tls_mode,
        auth_method,
        username,
        password: None,
        tenant_id: None,
        client_id: None,
        client_secret: None,
        connection_string: (),
        policy_id: None,
        max_jobs: None,
        discover_databases: false,
    })
}

/// Whether it can be asked for its databases: every method needs an account there.
pub(super) fn is_discoverable(engine: &Engine) -> bool {
    engine.has_credentials() && engine.username.is_some()
}

fn matches(filter: &EngineFilter, engine: &Engine) -> bool {
    let is_found = filter.search.as_ref().is_none_or(|text| {
        engine.name.as_str().to_lowercase().contains(text)
            || engine.host.as_str().to_lowercase().contains(text)
    });
    is_found
        && filter
            .engine_type
            .is_none_or(|kind| kind == engine.engine_type)
}
