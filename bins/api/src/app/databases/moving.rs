//! Moving a database to another engine of its type: it is opened there first, with credentials that
//! may go there. Its backups, its history and what the scheduler knows of it stay as they are.

use dilux_core::access::SignIn;
use dilux_core::error::FieldProblem;
use dilux_core::model::{AuthMethod, CredentialSource, Database, DatabaseId, Engine, SecretKind};
use dilux_core::repository::Version;
use dilux_core::{Error, Result};

use super::DatabaseView;
use super::update::{apply, problem};
use crate::app::Application;
use crate::app::connections::Opened;
use crate::caller::Caller;
use crate::permission::Permission;
use crate::wire::database::DatabaseChange;

/// A move that the server has let through.
#[derive(Debug)]
pub(super) struct Move {
    to: Engine,
    /// The version of the database that was tried.
    version: Version,
}

impl Move {
    /// The engine that it goes to; a conflict when the database was changed since it was tried.
    pub(super) fn destination(&self, present: &DatabaseView) -> Result<&Engine> {
        if present.database.version == self.version {
            return Ok(&self.to);
        }
        Err(Error::Conflict(
            "it was changed by somebody else while it was being moved".to_owned(),
        ))
    }
}

impl Application {
    /// Opens the database on the engine that it is to move to; `None` when it is to stay.
    pub(super) async fn try_move(
        &self,
        id: &DatabaseId,
        change: &DatabaseChange,
        caller: &Caller,
    ) -> Result<Option<Move>> {
        let Some(wanted) = &change.engine_id else {
            return Ok(None);
        };
        let present = self.view_database(id).await?;
        if present.engine.id == *wanted {
            return Ok(None);
        }
        let found = self.installation.repositories.engines.get(wanted).await?;
        let unknown = || Error::invalid("engine_id", "there is no such engine");
        let to = found.ok_or_else(unknown)?.value;
        if to.engine_type != present.engine.engine_type {
            let reason = format!(
                "must be of type {}, as the present one",
                present.engine.engine_type
            );
            return Err(Error::invalid("engine_id", reason));
        }
        let moved = apply(change, &present.database.value, (&present.engine, &to))?;
        self.require_free_name(&to, &moved.database_name, Some(id), "database_name")
            .await?;
        let target = self.open_there(change, &moved, &to, caller).await?;
        let test = self
            .test_database_at(to.engine_type, target, &moved.database_name)
            .await;
        match test.outcome {
            Ok(_) => Ok(Some(Move {
                to,
                version: present.database.version,
            })),
            Err(failure) => Err(Error::Refused(format!(
                "the database could not be opened on engine '{}', and nothing was changed: {failure}",
                to.name
            ))),
        }
    }

    /// The other engine, signed in to as it is itself, or with a secret that was sent with the move.
    /// The stored one goes to the stored host only.
    async fn open_there(
        &self,
        change: &DatabaseChange,
        moved: &Database,
        to: &Engine,
        caller: &Caller,
    ) -> Result<Opened> {
        let secret = change.identity().secret();
        if let CredentialSource::Own { .. } = &moved.credentials {
            caller.require(Permission::ManageEngines)?;
            require_secret(&moved.credentials, secret.is_some())?;
        }
        let sign_in = SignIn::of_database(moved, to).with_secret(secret);
        self.reach(&sign_in, to.port).await
    }
}

/// Fails unless all that the method needs was sent with the move.
fn require_secret(credentials: &CredentialSource, is_sent: bool) -> Result<()> {
    let CredentialSource::Own {
        auth_method,
        username,
        secret,
        ..
    } = credentials
    else {
        return Ok(());
    };
    let again = "has to be sent with a move: the stored one is only ever sent to the stored host";
    let kind = AuthMethod::secret_kind(*auth_method);
    let is_password = kind == Some(SecretKind::Password);
    let is_app = kind == Some(SecretKind::ClientSecret) && secret.is_some();
    let problems: Vec<FieldProblem> = [
        ("password", is_password && !is_sent, again),
        ("client_secret", is_app && !is_sent, again),
        (
            "username",
            is_password && is_sent && username.is_none(),
            "is required",
        ),
    ]
    .into_iter()
    .filter(|(_, is_wrong, _)| *is_wrong)
    .map(|(field, _, reason)| problem(field, reason))
    .collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(problems))
    }
}
