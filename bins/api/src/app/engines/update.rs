//! Changes of an engine, and what follows from them for its databases.

use dilux_core::custody::{SecretOwner, Wanted};
use dilux_core::error::FieldProblem;
use dilux_core::model::{AuditAction, CredentialSource, Database, Engine, EngineId, PolicySource};
use dilux_core::repository::Versioned;
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};
use serde_json::json;

use super::{event, is_discoverable, with_tls_mode};
use crate::app::{Application, RACES, databases, too_many_races, write_error};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::Patch;
use crate::wire::engine::EngineChange;
use crate::wire::sign_in::Keys;

/// A changed engine.
#[derive(Debug)]
pub(crate) struct EngineUpdate {
    /// The engine.
    pub(crate) engine: Versioned<Engine>,
    /// Databases that sign in as it does now, when that was asked for.
    pub(crate) signing_in_as_engine: Option<usize>,
    /// Databases that follow its policy now, when that was asked for and it has one.
    pub(crate) following_its_policy: Option<usize>,
}

impl Application {
    /// Changes an engine.
    pub(crate) async fn update_engine(
        &self,
        id: &EngineId,
        change: &EngineChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<EngineUpdate> {
        let (before, engine) = self.store_engine_change(id, change, if_match).await?;
        let details = json!({
            "engine_id": id.as_str(),
            "engine_type": engine.value.engine_type.as_str(),
            "updated_fields": updated_fields(change),
        });
        let details = with_tls_mode(details, &before, &engine.value);
        self.record(caller, event(AuditAction::Update, &engine.value, details))
            .await;
        let mut update = EngineUpdate {
            engine,
            signing_in_as_engine: None,
            following_its_policy: None,
        };
        if change.apply_to_all_databases {
            let inherit = |database: &mut Database| database.credentials = CredentialSource::Engine;
            update.signing_in_as_engine = Some(self.change_all(id, &inherit, caller).await?);
        }
        if change.apply_policy_to_all_databases && update.engine.value.policy_id.is_some() {
            let inherit = |database: &mut Database| database.policy = PolicySource::Engine;
            update.following_its_policy = Some(self.change_all(id, &inherit, caller).await?);
        }
        Ok(update)
    }

    /// The engine before and after.
    async fn store_engine_change(
        &self,
        id: &EngineId,
        change: &EngineChange,
        if_match: &IfMatch,
    ) -> Result<(Engine, Versioned<Engine>)> {
        let turn = self.registration.take().await?;
        if let Patch::Set(policy) = &change.policy_id {
            self.require_policy("policy_id", policy).await?;
        }
        for _ in 0..RACES {
            let present = self.engine(id).await?;
            if_match.check(&present.version)?;
            let changed = apply(change, &present.value, self.installation.clock.now())?;
            let secret = change.identity().secret();
            turn.require()?;
            match replace(self, &present, changed, secret).await {
                Err(Error::Conflict(_)) if !if_match.is_conditional() => {}
                Err(error) => return Err(error),
                Ok(stored) => return Ok((present.value, stored)),
            }
        }
        too_many_races()
    }

    /// Applies `change` to every database of an engine. Gives their number.
    async fn change_all(
        &self,
        id: &EngineId,
        change: &(dyn Fn(&mut Database) + Sync),
        caller: &Caller,
    ) -> Result<usize> {
        let databases = self.databases_of(id).await?;
        for database in &databases {
            self.change_one(database.clone(), change, caller).await?;
        }
        Ok(databases.len())
    }

    pub(super) async fn change_one(
        &self,
        mut present: Versioned<Database>,
        change: &(dyn Fn(&mut Database) + Sync),
        caller: &Caller,
    ) -> Result<()> {
        let repository = &self.installation.repositories.databases;
        for _ in 0..RACES {
            let mut changed = present.value.clone();
            change(&mut changed);
            if changed == present.value {
                return Ok(());
            }
            changed.updated_at = self.installation.clock.now();
            match databases::replace(self, &present, changed, None).await {
                Ok(stored) => {
                    let details = databases::changes(&present.value, &stored.value);
                    let event =
                        databases::event(AuditAction::DatabaseUpdated, &stored.value, details);
                    self.record(caller, event).await;
                    return Ok(());
                }
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            match repository.get(&present.value.id).await? {
                Some(again) => present = again,
                None => return Ok(()),
            }
        }
        too_many_races()
    }
}

/// Writes the row in the version that was read, and before it a new secret under a name of its own.
pub(super) async fn replace(
    app: &Application,
    present: &Versioned<Engine>,
    mut changed: Engine,
    secret: Option<&SecretValue>,
) -> Result<Versioned<Engine>> {
    let custody = app.installation.custody();
    let kept = changed.secret.take();
    let wanted = Wanted {
        before: present.value.secret.as_ref(),
        kept: kept.as_ref(),
        new: secret,
    };
    let owner = SecretOwner::Engine(changed.id.clone());
    let exchange = custody.begin(owner, wanted).await?;
    changed.secret = exchange.name().cloned();
    changed.discovery_enabled = is_discoverable(&changed);
    let engines = &app.installation.repositories.engines;
    let written = engines.replace(changed, &present.version).await;
    custody.end(exchange, written).await.map_err(write_error)
}

/// The engine after `change`, its new secret apart.
fn apply(change: &EngineChange, present: &Engine, now: jiff::Timestamp) -> Result<Engine> {
    check_address(change, present)?;
    let mut engine = present.clone();
    engine.updated_at = now;
    if let Some(name) = &change.name {
        engine.name = name.clone();
    }
    engine.tls_mode = change.tls_mode.unwrap_or(engine.tls_mode);
    engine.policy_id = change.policy_id.clone().over(engine.policy_id);
    engine.max_jobs = change.max_jobs.clone().over(engine.max_jobs);
    engine.username = change.username.clone().over(engine.username);
    engine.auth_method = change.auth_method.clone().over(engine.auth_method);
    if change.auth_method == Patch::Clear {
        engine.username = None;
    }
    let gives_credentials = matches!(change.username, Patch::Set(_)) || change.password.is_some();
    if engine.auth_method.is_none() && gives_credentials {
        if change.auth_method == Patch::Clear {
            let reason = "must name a method when credentials are given";
            return Err(Error::invalid("auth_method", reason));
        }
        engine.auth_method = Some(dilux_core::model::AuthMethod::UserPassword);
    }
    let (keys, problems) = change
        .identity()
        .over(&keys_of(present), engine.auth_method);
    engine.identity = keys.identity;
    engine.secret = keys.secret;
    if engine.auth_method.is_none() {
        engine.secret = None;
    }
    if problems.is_empty() {
        Ok(engine)
    } else {
        Err(Error::Invalid(problems))
    }
}

/// The part of its credentials that depends on the method.
pub(super) fn keys_of(engine: &Engine) -> Keys {
    Keys {
        method: engine.auth_method,
        identity: engine.identity.clone(),
        secret: engine.secret.clone(),
    }
}

/// Type, host and port stay: stored credentials go to the stored host only.
fn check_address(change: &EngineChange, present: &Engine) -> Result<()> {
    let mut problems = Vec::new();
    let mut check = |field: &str, is_changed: bool| {
        if is_changed {
            problems.push(FieldProblem {
                field: field.to_owned(),
                reason: "cannot be changed here; host and port can, with the password, by PUT \
                         /api/engines/{id}/credentials"
                    .to_owned(),
            });
        }
    };
    let is_other_host =
        |host: &dilux_core::model::Host| !host.as_str().eq_ignore_ascii_case(present.host.as_str());
    check(
        "engine_type",
        change
            .engine_type
            .is_some_and(|kind| kind != present.engine_type),
    );
    check("host", change.host.as_ref().is_some_and(is_other_host));
    check("port", change.port.is_some_and(|port| port != present.port));
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}

/// Names of the fields that a change sets, never their values.
fn updated_fields(change: &EngineChange) -> Vec<&'static str> {
    [
        ("name", change.name.is_some()),
        ("tls_mode", change.tls_mode.is_some()),
        ("auth_method", change.auth_method != Patch::Keep),
        ("username", change.username != Patch::Keep),
        ("password", change.password.is_some()),
        ("tenant_id", change.tenant_id != Patch::Keep),
        ("client_id", change.client_id != Patch::Keep),
        ("client_secret", change.client_secret.is_some()),
        ("policy_id", change.policy_id != Patch::Keep),
        ("max_jobs", change.max_jobs != Patch::Keep),
        ("apply_to_all_databases", change.apply_to_all_databases),
        (
            "apply_policy_to_all_databases",
            change.apply_policy_to_all_databases,
        ),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}
