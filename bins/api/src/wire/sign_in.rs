//! How clients say how to sign in: shared by engines and databases.

use dilux_core::error::FieldProblem;
use dilux_core::model::{AuthMethod, ClientId, EntraIdentity, SecretKind, TenantId, UserName};
use dilux_core::secret::{SecretName, SecretValue};

use crate::input::{Fields, Patch};

const NOT_USED: &str = "is not used with this auth_method; leave it out";

/// Credentials of something new.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignIn {
    /// How; a user name alone means `user_password`.
    pub(crate) auth_method: Option<AuthMethod>,
    /// Account.
    pub(crate) username: Option<UserName>,
    /// Who signs in at Entra ID.
    pub(crate) identity: EntraIdentity,
    /// Password, or secret of the app.
    pub(crate) secret: Option<SecretValue>,
}

impl SignIn {
    /// Reads `auth_method`, `username`, `password`, `tenant_id`, `client_id`, `client_secret`; a
    /// connection string was taken apart into these.
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        let mut auth_method = fields.optional("auth_method");
        let username = fields.optional("username");
        let password: Option<SecretValue> = fields.optional("password");
        let client_secret = fields.optional("client_secret");
        let identity = EntraIdentity {
            tenant_id: fields.optional("tenant_id"),
            client_id: fields.optional("client_id"),
        };
        if auth_method == Some(AuthMethod::ConnectionString)
            && (username.is_none() || password.is_none())
        {
            fields.problem(
                "connection_string",
                "must name an account and a password with this auth_method",
            );
        }
        if auth_method.is_none() && (username.is_some() || password.is_some()) {
            auth_method = Some(AuthMethod::UserPassword);
        }
        let sent = Sent {
            password: password.is_some(),
            client_secret: client_secret.is_some(),
        };
        for (field, reason) in sent.problems(auth_method, &identity, false) {
            fields.problem(field, reason);
        }
        Self {
            auth_method,
            username,
            identity,
            secret: password.or(client_secret),
        }
    }
}

/// A change of credentials.
#[derive(Debug, Clone)]
pub(crate) struct SignInPatch {
    /// How.
    pub(crate) auth_method: Patch<AuthMethod>,
    /// Account.
    pub(crate) username: Patch<UserName>,
    /// A new password; empty or absent leaves the present one.
    pub(crate) password: Option<SecretValue>,
    /// Tenant of the app.
    pub(crate) tenant_id: Patch<TenantId>,
    /// The app, or the user-assigned identity.
    pub(crate) client_id: Patch<ClientId>,
    /// A new secret of the app; empty or absent leaves the present one.
    pub(crate) client_secret: Option<SecretValue>,
}

impl SignInPatch {
    /// Reads the same fields as [`SignIn::read`].
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        Self {
            auth_method: fields.patch("auth_method"),
            username: fields.patch("username"),
            password: fields.optional("password"),
            tenant_id: fields.patch("tenant_id"),
            client_id: fields.patch("client_id"),
            client_secret: fields.optional("client_secret"),
        }
    }
}

/// What a document says of the identity at Entra ID.
#[derive(Debug, Clone)]
pub(crate) struct IdentityPatch {
    /// Tenant of the app.
    pub(crate) tenant_id: Patch<TenantId>,
    /// The app, or the user-assigned identity.
    pub(crate) client_id: Patch<ClientId>,
}

impl IdentityPatch {
    /// Reads `tenant_id` and `client_id`.
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        Self {
            tenant_id: fields.patch("tenant_id"),
            client_id: fields.patch("client_id"),
        }
    }

    /// Whether it names anybody.
    pub(crate) fn names_somebody(&self) -> bool {
        matches!(self.tenant_id, Patch::Set(_)) || matches!(self.client_id, Patch::Set(_))
    }

    /// `present` with this change; what belongs to another method is forgotten.
    pub(crate) fn over(&self, present: EntraIdentity, is_same_method: bool) -> EntraIdentity {
        let present = Some(present).filter(|_| is_same_method).unwrap_or_default();
        EntraIdentity {
            tenant_id: self.tenant_id.clone().over(present.tenant_id),
            client_id: self.client_id.clone().over(present.client_id),
        }
    }
}

/// What a change says of the identity at Entra ID and of secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdentityChange<'a> {
    /// Tenant of the app.
    pub(crate) tenant_id: &'a Patch<TenantId>,
    /// The app, or the user-assigned identity.
    pub(crate) client_id: &'a Patch<ClientId>,
    /// A new password.
    pub(crate) password: Option<&'a SecretValue>,
    /// A new secret of the app.
    pub(crate) client_secret: Option<&'a SecretValue>,
}

/// The part of credentials that depends on the method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// How.
    pub(crate) method: Option<AuthMethod>,
    /// Who signs in at Entra ID.
    pub(crate) identity: EntraIdentity,
    /// Where the secret is kept.
    pub(crate) secret: Option<SecretName>,
}

impl<'a> IdentityChange<'a> {
    /// The secret to keep, whichever it is.
    pub(crate) fn secret(self) -> Option<&'a SecretValue> {
        self.password.or(self.client_secret)
    }

    /// `present` with another method and this change. A kept secret stays only where it is of the
    /// kind that the method keeps, and of the same app.
    pub(crate) fn over(
        self,
        present: &Keys,
        method: Option<AuthMethod>,
    ) -> (Keys, Vec<FieldProblem>) {
        let own = if present.method == method {
            present.identity.clone()
        } else {
            EntraIdentity::default()
        };
        let identity = EntraIdentity {
            tenant_id: changed(
                self.tenant_id,
                own.tenant_id.as_ref(),
                present.identity.tenant_id.as_ref(),
            ),
            client_id: changed(
                self.client_id,
                own.client_id.as_ref(),
                present.identity.client_id.as_ref(),
            ),
        };
        let keeps = keeps_secret((present.method, &present.identity), (method, &identity));
        let secret = present.secret.clone().filter(|_| keeps);
        let sent = Sent {
            password: self.password.is_some(),
            client_secret: self.client_secret.is_some(),
        };
        let problems = sent.problems(method, &identity, secret.is_some());
        let problems = problems.into_iter().map(|(field, reason)| FieldProblem {
            field: field.to_owned(),
            reason: reason.to_owned(),
        });
        let keys = Keys {
            method,
            identity,
            secret,
        };
        (keys, problems.collect())
    }
}

/// The value after a change. Forms send back what they were shown, also of a method that is given
/// up with the same change.
fn changed<T: Clone + PartialEq>(
    patch: &Patch<T>,
    own: Option<&T>,
    shown: Option<&T>,
) -> Option<T> {
    match patch {
        Patch::Set(value) if own.is_none() && shown == Some(value) => None,
        other => other.clone().over(own.cloned()),
    }
}

/// Whether signing in takes a secret: the password of an account, or that of an app.
pub(crate) fn needs_secret(method: Option<AuthMethod>, identity: &EntraIdentity) -> bool {
    match kind(method) {
        Some(SecretKind::Password) => true,
        Some(SecretKind::ClientSecret) => *identity != EntraIdentity::default(),
        None => false,
    }
}

/// Whether a secret stays what it is: of the kind that the method keeps, and of the same app.
pub(crate) fn keeps_secret(
    (before, its): (Option<AuthMethod>, &EntraIdentity),
    (after, new): (Option<AuthMethod>, &EntraIdentity),
) -> bool {
    kind(before) == kind(after) && (after != Some(AuthMethod::AzureAd) || its == new)
}

/// What of an identity does not fit `method`, where its secret may come later.
pub(crate) fn identity_problems(
    method: Option<AuthMethod>,
    identity: &EntraIdentity,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let problems = Sent::default().problems(method, identity, false);
    problems
        .into_iter()
        .filter(|(field, _)| *field != "client_secret")
}

/// What a method keeps; the Python product's rows may name none beside a password.
fn kind(method: Option<AuthMethod>) -> Option<SecretKind> {
    method.map_or(Some(SecretKind::Password), AuthMethod::secret_kind)
}

/// Which secrets were sent.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    password: bool,
    client_secret: bool,
}

impl Sent {
    /// What does not fit `method`. An app is named as a whole, with a secret that is sent or kept,
    /// or not at all.
    fn problems(
        self,
        method: Option<AuthMethod>,
        identity: &EntraIdentity,
        is_kept: bool,
    ) -> Vec<(&'static str, &'static str)> {
        let whole = "is required: an app is named by tenant_id, client_id and client_secret";
        let (has_tenant, has_client) = (identity.tenant_id.is_some(), identity.client_id.is_some());
        let has_secret = self.client_secret || is_kept;
        let is_app = method == Some(AuthMethod::AzureAd);
        let is_managed = method == Some(AuthMethod::ManagedIdentity);
        let names_app = is_app && (has_tenant || has_client || has_secret);
        [
            (
                "password",
                self.password && (is_app || is_managed),
                NOT_USED,
            ),
            ("tenant_id", has_tenant && !is_app, NOT_USED),
            ("client_id", has_client && !is_app && !is_managed, NOT_USED),
            ("client_secret", self.client_secret && !is_app, NOT_USED),
            ("tenant_id", names_app && !has_tenant, whole),
            ("client_id", names_app && !has_client, whole),
            ("client_secret", names_app && !has_secret, whole),
        ]
        .into_iter()
        .filter_map(|(field, is_wrong, reason)| is_wrong.then_some((field, reason)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> Keys {
        Keys {
            method: Some(AuthMethod::AzureAd),
            identity: EntraIdentity {
                tenant_id: "contoso.example".parse().ok(),
                client_id: "app-1".parse().ok(),
            },
            secret: SecretName::new("kept").ok(),
        }
    }

    fn change<'a>(
        tenant_id: &'a Patch<TenantId>,
        client_id: &'a Patch<ClientId>,
    ) -> IdentityChange<'a> {
        IdentityChange {
            tenant_id,
            client_id,
            password: None,
            client_secret: None,
        }
    }

    fn fields(problems: &[FieldProblem]) -> Vec<&str> {
        problems
            .iter()
            .map(|problem| problem.field.as_str())
            .collect()
    }

    #[test]
    fn a_kept_secret_stays_with_its_app_and_its_method() {
        let keep = change(&Patch::Keep, &Patch::Keep);
        let (kept, problems) = keep.over(&app(), Some(AuthMethod::AzureAd));
        assert_eq!((kept, fields(&problems)), (app(), vec![]));
        for method in [AuthMethod::UserPassword, AuthMethod::ManagedIdentity] {
            let (keys, problems) = keep.over(&app(), Some(method));
            assert_eq!(keys.secret, None, "{method}");
            assert_eq!(keys.identity, EntraIdentity::default(), "{method}");
            assert_eq!(fields(&problems), Vec::<&str>::new());
        }
        let other = Patch::Set("app-2".parse().unwrap());
        let (keys, problems) = change(&Patch::Keep, &other).over(&app(), app().method);
        assert_eq!(keys.secret, None);
        assert_eq!(fields(&problems), ["client_secret"]);
        let password = Keys {
            method: Some(AuthMethod::UserPassword),
            identity: EntraIdentity::default(),
            secret: SecretName::new("kept").ok(),
        };
        let (tenant, client) = (app().identity.tenant_id, app().identity.client_id);
        let (tenant, client) = (Patch::Set(tenant.unwrap()), Patch::Set(client.unwrap()));
        let (keys, problems) = change(&tenant, &client).over(&password, app().method);
        assert_eq!(keys.secret, None, "a password is never sent to Entra ID");
        assert_eq!(fields(&problems), ["client_secret"]);
    }

    #[test]
    fn what_a_form_was_shown_may_come_back_with_another_method() {
        let (tenant, client) = (app().identity.tenant_id, app().identity.client_id);
        let (tenant, client) = (Patch::Set(tenant.unwrap()), Patch::Set(client.unwrap()));
        let method = Some(AuthMethod::UserPassword);
        let (keys, problems) = change(&tenant, &client).over(&app(), method);
        assert_eq!(keys.identity, EntraIdentity::default());
        assert_eq!(fields(&problems), Vec::<&str>::new());
    }

    #[test]
    fn an_app_that_is_taken_away_takes_its_secret_with_it() {
        let (keys, problems) = change(&Patch::Clear, &Patch::Clear).over(&app(), app().method);
        assert_eq!(
            (keys.secret, keys.identity),
            (None, EntraIdentity::default())
        );
        assert_eq!(fields(&problems), Vec::<&str>::new());
        let (_, problems) = change(&Patch::Clear, &Patch::Keep).over(&app(), app().method);
        assert_eq!(fields(&problems), ["tenant_id", "client_secret"]);
    }
}
