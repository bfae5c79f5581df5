//! Changes of a database.

use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AuditAction, AuthMethod, CredentialSource, Database, DatabaseId, Engine, EntraIdentity,
    PolicySource,
};
use dilux_core::repository::Versioned;
use dilux_core::{Error, Result};

use super::{DatabaseView, changes, event, replace};
use crate::app::engines::require_protection;
use crate::app::{Application, RACES, too_many_races};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::permission::Permission;
use crate::wire::database::DatabaseChange;
use crate::wire::sign_in::Keys;

impl Application {
    /// Changes a database.
    pub(crate) async fn update_database(
        &self,
        id: &DatabaseId,
        change: &DatabaseChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<DatabaseView> {
        let moving = self.try_move(id, change, caller).await?;
        let turn = self.registration.take().await?;
        if let Some(policy) = &change.policy_id
            && change.use_engine_policy != Some(true)
        {
            self.require_policy("policy_id", policy).await?;
        }
        for _ in 0..RACES {
            let present = self.view_database(id).await?;
            if_match.check(&present.database.version)?;
            let engine = match &moving {
                Some(moving) => moving.destination(&present)?,
                None => &present.engine,
            };
            if moving.is_some() {
                self.require_staying(&engine.id).await?;
            }
            if moving.is_some() || change.database_name.is_some() {
                let name = &present.database.value.database_name;
                let name = change.database_name.as_ref().unwrap_or(name);
                self.require_free_name(engine, name, Some(id), "database_name")
                    .await?;
            }
            turn.require()?;
            let stored = self.replace_database((&present, engine), change, caller);
            match stored.await {
                Err(Error::Conflict(_)) if !if_match.is_conditional() => {}
                Err(error) => return Err(error),
                Ok(stored) => {
                    let details = changes(&present.database.value, &stored.value);
                    let event = event(AuditAction::DatabaseUpdated, &stored.value, details);
                    self.record(caller, event).await;
                    return Ok(DatabaseView {
                        database: stored,
                        engine: engine.clone(),
                    });
                }
            }
        }
        too_many_races()
    }

    async fn replace_database(
        &self,
        (present, engine): (&DatabaseView, &Engine),
        change: &DatabaseChange,
        caller: &Caller,
    ) -> Result<Versioned<Database>> {
        let before = &present.database.value;
        let mut changed = apply(change, before, (&present.engine, engine))?;
        let new_secret = change.identity().secret();
        if changed.credentials != before.credentials || new_secret.is_some() {
            caller.require(Permission::ManageEngines)?;
        }
        changed.updated_at = self.installation.clock.now();
        replace(self, &present.database, changed, new_secret).await
    }
}

/// The database after `change`, its new secret apart, on the engine that it is to be on.
pub(super) fn apply(
    change: &DatabaseChange,
    present: &Database,
    (from, to): (&Engine, &Engine),
) -> Result<Database> {
    require_protection(to, change.tls_mode)?;
    let mut problems = unchangeable(change, from, to);
    let mut database = present.clone();
    database.engine_id = to.id.clone();
    if let Some(label) = &change.name {
        database.label = label.clone();
    }
    if let Some(name) = &change.database_name {
        database.database_name = name.clone();
    }
    if let Some(enabled) = change.enabled {
        database.enabled = enabled;
    }
    if let Some(tags) = &change.tags {
        database.tags = tags.0.clone();
    }
    database.rpo_minutes = change.rpo_minutes.clone().over(database.rpo_minutes);
    database.destination = change.destination.clone().over(database.destination);
    database.compression = change.compression.over(database.compression);
    match (change.use_engine_policy, &change.policy_id) {
        (Some(true), _) => database.policy = PolicySource::Engine,
        (_, Some(id)) => database.policy = PolicySource::Own(id.clone()),
        (Some(false), None) if database.policy == PolicySource::Engine => problems.push(problem(
            "policy_id",
            "is required when use_engine_policy is switched off",
        )),
        (_, None) => {}
    }
    database.credentials = credentials(change, &present.credentials, &mut problems);
    if problems.is_empty() {
        Ok(database)
    } else {
        Err(Error::Invalid(problems))
    }
}

fn credentials(
    change: &DatabaseChange,
    present: &CredentialSource,
    problems: &mut Vec<FieldProblem>,
) -> CredentialSource {
    let inherits = change
        .use_engine_credentials
        .unwrap_or(*present == CredentialSource::Engine);
    if inherits {
        for (name, secret) in [
            ("password", &change.password),
            ("client_secret", &change.client_secret),
        ] {
            if secret.is_some() {
                problems.push(problem(
                    name,
                    "is not used while use_engine_credentials is true; leave it out",
                ));
            }
        }
        return CredentialSource::Engine;
    }
    let (keys, username) = match present.clone() {
        CredentialSource::Engine => (no_keys(), None),
        CredentialSource::Own {
            auth_method,
            username,
            identity,
            secret,
        } => {
            let keys = Keys {
                method: Some(auth_method),
                identity,
                secret,
            };
            (keys, username)
        }
    };
    let method = change.auth_method.clone().over(keys.method);
    let auth_method = method.unwrap_or(AuthMethod::UserPassword);
    let (keys, more) = change.identity().over(&keys, Some(auth_method));
    problems.extend(more);
    CredentialSource::Own {
        auth_method,
        username: change.username.clone().over(username),
        identity: keys.identity,
        secret: keys.secret,
    }
}

/// What a database has that signed in as its engine does.
fn no_keys() -> Keys {
    Keys {
        method: Some(AuthMethod::UserPassword),
        identity: EntraIdentity::default(),
        secret: None,
    }
}

/// Type, host and port are the engine's; forms send those of the engine that it was on.
fn unchangeable(change: &DatabaseChange, from: &Engine, to: &Engine) -> Vec<FieldProblem> {
    let is_foreign = |is_other: &dyn Fn(&Engine) -> bool| is_other(from) && is_other(to);
    let is_other_host = |engine: &Engine| {
        let host = change.host.as_ref();
        host.is_some_and(|host| !host.as_str().eq_ignore_ascii_case(engine.host.as_str()))
    };
    let is_other_type = |engine: &Engine| {
        let kind = change.database_type;
        kind.is_some_and(|kind| kind != engine.engine_type)
    };
    let is_other_port = |engine: &Engine| change.port.is_some_and(|port| port != engine.port);
    [
        ("database_type", is_foreign(&is_other_type)),
        ("host", is_foreign(&is_other_host)),
        ("port", is_foreign(&is_other_port)),
    ]
    .into_iter()
    .filter(|(_, is_changed)| *is_changed)
    .map(|(field, _)| {
        problem(
            field,
            "is the engine's; name another engine_id, or register the database again",
        )
    })
    .collect()
}

pub(super) fn problem(field: &str, reason: &str) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        reason: reason.to_owned(),
    }
}
