//! How clients say how to sign in: shared by engines and databases.

use dilux_core::model::{AuthMethod, UserName};
use dilux_core::secret::SecretValue;

use crate::input::{Fields, Patch};

/// Credentials of something new.
#[derive(Debug, Clone, Default)]
pub(crate) struct SignIn {
    /// How; a user name alone means `user_password`.
    pub(crate) auth_method: Option<AuthMethod>,
    /// Account.
    pub(crate) username: Option<UserName>,
    /// Password.
    pub(crate) password: Option<SecretValue>,
}

impl SignIn {
    /// Reads `auth_method`, `username`, `password`; a connection string was taken apart into these.
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        let mut found = Self {
            auth_method: fields.optional("auth_method"),
            username: fields.optional("username"),
            password: fields.optional("password"),
        };
        if found.auth_method == Some(AuthMethod::ConnectionString)
            && (found.username.is_none() || found.password.is_none())
        {
            fields.problem(
                "connection_string",
                "must name an account and a password with this auth_method",
            );
        }
        if found.auth_method.is_none() && (found.username.is_some() || found.password.is_some()) {
            found.auth_method = Some(AuthMethod::UserPassword);
        }
        if found.password.is_some() && uses_no_password(found.auth_method) {
            fields.problem(
                "password",
                "is not used with this auth_method; leave it out",
            );
        }
        found
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
}

impl SignInPatch {
    /// Reads the same fields as [`SignIn::read`].
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        Self {
            auth_method: fields.patch("auth_method"),
            username: fields.patch("username"),
            password: fields.optional("password"),
        }
    }
}

/// Whether a method signs in without a password of ours.
pub(crate) fn uses_no_password(method: Option<AuthMethod>) -> bool {
    matches!(
        method,
        Some(AuthMethod::ManagedIdentity | AuthMethod::AzureAd)
    )
}
