//! Credentials of an engine: changed only after the server took them, and handed on to databases
//! that were chosen. Stored credentials are sent to the stored host only.

use dilux_core::access::SignIn;
use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AuditAction, AuthMethod, CredentialSource, Database, DatabaseId, Engine, EngineId, SecretKind,
};
use dilux_core::repository::Versioned;
use dilux_core::{Error, Result};
use futures::{StreamExt, stream};
use serde_json::json;

use super::update::{keys_of, replace};
use super::{EngineAddress, event, with_tls_mode};
use crate::app::{Application, ConnectionTest};
use crate::caller::Caller;
use crate::etag::IfMatch;
use crate::input::Patch;
use crate::wire::engine::{CredentialChange, CredentialSelection};

/// Databases tested at the same time; the application limits the clients of all requests.
const TESTS_AT_ONCE: usize = 4;

/// Which databases of an engine sign in as it does, and which by themselves.
#[derive(Debug)]
pub(crate) struct CredentialView {
    /// The engine.
    pub(crate) engine: Versioned<Engine>,
    /// Those that sign in as it does, by label.
    pub(crate) inheriting: Vec<Database>,
    /// Those with credentials of their own, by label.
    pub(crate) own: Vec<Database>,
}

/// Credentials that were changed.
#[derive(Debug)]
pub(crate) struct CredentialUpdate {
    /// The engine and its databases afterwards.
    pub(crate) view: CredentialView,
    /// The test that the new credentials passed; `None` when none was wanted.
    pub(crate) test: Option<ConnectionTest>,
}

/// What became of databases that were to sign in as their engine does.
#[derive(Debug)]
pub(crate) struct AppliedCredentials {
    /// Those that do so now.
    pub(crate) updated: Vec<DatabaseId>,
    /// Those that did so before.
    pub(crate) unchanged: Vec<DatabaseId>,
    /// Those that keep their own, and why.
    pub(crate) errors: Vec<(DatabaseId, String)>,
    /// The engine and its databases afterwards.
    pub(crate) view: CredentialView,
}

impl Application {
    /// Which databases would follow a change of an engine's credentials, and which would not.
    pub(crate) async fn view_credentials(&self, id: &EngineId) -> Result<CredentialView> {
        let engine = self.engine(id).await?;
        self.split(engine).await
    }

    async fn split(&self, engine: Versioned<Engine>) -> Result<CredentialView> {
        let databases = self.databases_of(&engine.value.id).await?;
        let mut databases: Vec<Database> = databases.into_iter().map(|row| row.value).collect();
        databases.sort_by_cached_key(|database| database.label.as_str().to_lowercase());
        let (inheriting, own) = databases
            .into_iter()
            .partition(|database| database.credentials == CredentialSource::Engine);
        Ok(CredentialView {
            engine,
            inheriting,
            own,
        })
    }

    /// Changes how an engine is reached and signed in to, once the server has taken that.
    pub(crate) async fn update_credentials(
        &self,
        id: &EngineId,
        change: &CredentialChange,
        if_match: &IfMatch,
        caller: &Caller,
    ) -> Result<CredentialUpdate> {
        let present = self.engine(id).await?;
        if_match.check(&present.version)?;
        let changed = apply(change, &present.value, self.installation.clock.now())?;
        self.require_allowed_host(&changed.host)?;
        let test = if change.is_tested {
            Some(self.try_out(change, &changed).await?)
        } else {
            None
        };
        let stored = self.store_credentials(change, &present, changed).await?;
        let before = &present.value;
        let details = json!({
            "engine_id": id.as_str(),
            "engine_type": before.engine_type.as_str(),
            "updated_fields": updated_fields(before, &stored.value, change),
            "tested": change.is_tested,
        });
        let details = with_tls_mode(details, before, &stored.value);
        let action = AuditAction::EngineCredentialsUpdated;
        self.record(caller, event(action, &stored.value, details))
            .await;
        let view = self.split(stored).await?;
        Ok(CredentialUpdate { view, test })
    }

    /// Signs in with what is to be stored. A failure is a refusal: nothing was changed.
    async fn try_out(&self, change: &CredentialChange, changed: &Engine) -> Result<ConnectionTest> {
        let sign_in = SignIn::of_engine(changed).with_secret(change.identity().secret());
        let target = self.reach(&sign_in, changed.port).await?;
        let test = self.test_target(changed.engine_type, target).await;
        match &test.outcome {
            Ok(_) => Ok(test),
            Err(failure) => Err(Error::Refused(format!(
                "the test of the new credentials failed, and nothing was changed: {failure}"
            ))),
        }
    }

    async fn store_credentials(
        &self,
        change: &CredentialChange,
        present: &Versioned<Engine>,
        changed: Engine,
    ) -> Result<Versioned<Engine>> {
        let turn = self.registration.take().await?;
        let address = EngineAddress::of(&changed);
        if address != EngineAddress::of(&present.value) {
            self.require_movable(&present.value, &address).await?;
        }
        turn.require()?;
        replace(self, present, changed, change.identity().secret()).await
    }

    /// Fails when another engine is at the new address, and while databases have passwords of
    /// their own: those were given for the present host.
    async fn require_movable(&self, engine: &Engine, address: &EngineAddress) -> Result<()> {
        if let Some(other) = self.engine_at(address).await? {
            return Err(Error::Refused(format!(
                "engine '{}' is at this address already",
                other.value.name
            )));
        }
        let databases = self.databases_of(&engine.id).await?;
        let own = databases
            .iter()
            .filter(|row| row.value.credentials != CredentialSource::Engine)
            .count();
        if own == 0 {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "{own} database(s) of this engine have passwords of their own, which are only ever \
             sent to '{}'; make them sign in as their engine does first",
            engine.host
        )))
    }

    /// Makes databases of an engine sign in as it does, once the server has let each of them be
    /// opened so. One that stays as it is does not keep the others.
    pub(crate) async fn apply_credentials(
        &self,
        id: &EngineId,
        selection: &CredentialSelection,
        caller: &Caller,
    ) -> Result<AppliedCredentials> {
        let engine = self.engine(id).await?;
        if !engine.value.has_credentials() {
            return Err(Error::Refused(
                "Engine has no credentials configured".to_owned(),
            ));
        }
        let chosen = self.selected(id, selection).await?;
        let (own, inheriting): (Vec<_>, Vec<_>) = chosen
            .into_iter()
            .partition(|row| row.value.credentials != CredentialSource::Engine);
        let tested = self
            .test_all(&engine.value, own, selection.is_tested)
            .await?;
        let (mut updated, mut errors) = (Vec::new(), Vec::new());
        for (database, outcome) in tested {
            let id = database.value.id.clone();
            if let Err(reason) = outcome {
                errors.push((id, reason));
                continue;
            }
            let inherit = |database: &mut Database| database.credentials = CredentialSource::Engine;
            self.change_one(database, &inherit, caller).await?;
            updated.push(id);
        }
        let unchanged = inheriting.into_iter().map(|row| row.value.id).collect();
        let ids =
            |ids: &[DatabaseId]| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
        let details = json!({
            "engine_id": id.as_str(),
            "updated": ids(&updated),
            "error_count": errors.len(),
            "tested": selection.is_tested,
        });
        let action = AuditAction::EngineCredentialsApplied;
        self.record(caller, event(action, &engine.value, details))
            .await;
        Ok(AppliedCredentials {
            updated,
            unchanged,
            errors,
            view: self.split(engine).await?,
        })
    }

    /// The databases that were chosen, which must all be the engine's.
    async fn selected(
        &self,
        id: &EngineId,
        selection: &CredentialSelection,
    ) -> Result<Vec<Versioned<Database>>> {
        let all = self.databases_of(id).await?;
        let Some(ids) = &selection.database_ids else {
            return Ok(all);
        };
        let problems: Vec<FieldProblem> = ids
            .iter()
            .enumerate()
            .filter(|(_, id)| all.iter().all(|row| row.value.id != **id))
            .map(|(index, _)| FieldProblem {
                field: format!("database_ids.{index}"),
                reason: "is no database of this engine".to_owned(),
            })
            .collect();
        if problems.is_empty() {
            let is_chosen = |row: &Versioned<Database>| ids.contains(&row.value.id);
            Ok(all.into_iter().filter(is_chosen).collect())
        } else {
            Err(Error::Invalid(problems))
        }
    }

    /// Opens each database as its engine signs in.
    async fn test_all(
        &self,
        engine: &Engine,
        databases: Vec<Versioned<Database>>,
        is_tested: bool,
    ) -> Result<Vec<(Versioned<Database>, Result<(), String>)>> {
        if !is_tested {
            return Ok(databases.into_iter().map(|row| (row, Ok(()))).collect());
        }
        let target = self.open_engine(engine).await?;
        let test = |row: Versioned<Database>| {
            let target = target.clone();
            async move {
                let name = &row.value.database_name;
                let test = self
                    .test_database_at(engine.engine_type, target, name)
                    .await;
                let outcome = test.outcome.map(drop).map_err(|failure| failure.message);
                (row, outcome)
            }
        };
        let tested = stream::iter(databases).map(test).buffered(TESTS_AT_ONCE);
        Ok(tested.collect().await)
    }
}

/// The engine after `change`, its new secret apart.
fn apply(change: &CredentialChange, present: &Engine, now: jiff::Timestamp) -> Result<Engine> {
    let mut engine = present.clone();
    engine.updated_at = now;
    engine.auth_method = change
        .auth_method
        .or(present.auth_method)
        .or(Some(AuthMethod::UserPassword));
    engine.username = change.username.clone().over(engine.username);
    if let Some(host) = &change.host {
        engine.host = host.clone();
    }
    if let Some(port) = change.port {
        engine.port = port;
    }
    engine.tls_mode = change.tls_mode.unwrap_or(engine.tls_mode);
    let is_moved = EngineAddress::of(&engine) != EngineAddress::of(present);
    let (keys, mut problems) = change
        .identity()
        .over(&keys_of(present), engine.auth_method);
    engine.identity = keys.identity;
    engine.secret = keys.secret;
    let more = missing(change, &engine, is_moved)
        .into_iter()
        .filter(|(_, is_wrong, _)| *is_wrong)
        .map(|(field, _, reason)| FieldProblem {
            field: field.to_owned(),
            reason: reason.to_owned(),
        });
    problems.extend(more);
    if problems.is_empty() {
        Ok(engine)
    } else {
        Err(Error::Invalid(problems))
    }
}

/// What is missing to sign in, if it is wrong that it is: a stored secret does not follow an engine
/// to another address.
fn missing(
    change: &CredentialChange,
    engine: &Engine,
    is_moved: bool,
) -> [(&'static str, bool, &'static str); 4] {
    let again =
        "is required when host or port change: the stored one is only ever sent to the stored host";
    let kind = engine.auth_method.and_then(AuthMethod::secret_kind);
    let needs_password = kind == Some(SecretKind::Password);
    let has_app = kind == Some(SecretKind::ClientSecret) && engine.secret.is_some();
    let is_sent = change.identity().secret().is_some();
    [
        ("password", needs_password && is_moved && !is_sent, again),
        ("client_secret", has_app && is_moved && !is_sent, again),
        (
            "password",
            needs_password && !is_moved && !is_sent && engine.secret.is_none(),
            "is required",
        ),
        (
            "username",
            needs_password && engine.username.is_none(),
            "is required",
        ),
    ]
}

/// Names of the fields that a change sets, never their values.
fn updated_fields(before: &Engine, after: &Engine, change: &CredentialChange) -> Vec<&'static str> {
    [
        ("auth_method", before.auth_method != after.auth_method),
        (
            "username",
            change.username != Patch::Keep && before.username != after.username,
        ),
        ("password", change.password.is_some()),
        (
            "tenant_id",
            before.identity.tenant_id != after.identity.tenant_id,
        ),
        (
            "client_id",
            before.identity.client_id != after.identity.client_id,
        ),
        ("client_secret", change.client_secret.is_some()),
        ("host", before.host != after.host),
        ("port", before.port != after.port),
        ("tls_mode", before.tls_mode != after.tls_mode),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect()
}
