//! Signing in and what belongs to it, on the wire.

use dilux_core::accounts::NewUser;
use dilux_core::model::{Email, Grants, Label, Role};
use dilux_core::secret::SecretValue;
use serde::Serialize;
use utoipa::ToSchema;

use super::User;
use crate::input::{Fields, FromFields};

/// A sign-in.
#[derive(Debug, ToSchema)]
pub(crate) struct SignIn {
    /// E-mail.
    #[schema(value_type = String, example = "ann@example.com")]
    pub(crate) email: Email,
    /// Password.
    #[schema(value_type = String, format = Password, write_only)]
    pub(crate) password: SecretValue,
}

impl FromFields for SignIn {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (email, password) = (fields.required("email"), fields.required("password"));
        Some(Self {
            email: email?,
            password: password?,
        })
    }
}

/// Somebody who signed in. The session is in the cookie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// Always `true`.
    pub(crate) success: bool,
    /// Who it is.
    pub(crate) user: User,
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Success {
    /// Always `true`.
    pub(crate) success: bool,
}

/// The first admin.
#[derive(Debug, ToSchema)]
pub(crate) struct FirstAdmin {
    /// E-mail; that of `DILUX_ADMIN_EMAIL` where it is set.
    #[schema(value_type = String, example = "ann@example.com")]
    pub(crate) email: Email,
    /// Name; what stands before the `@` when absent.
    #[schema(value_type = Option<String>)]
    pub(crate) name: Option<Label>,
    /// Password, at least 12 characters.
    #[schema(value_type = String, format = Password, write_only)]
    pub(crate) password: SecretValue,
}

impl FirstAdmin {
    /// Who is to be registered, and the password.
    pub(crate) fn into_parts(self) -> (NewUser, SecretValue) {
        let new = NewUser {
            email: self.email,
            name: self.name,
            role: Role::Admin,
            grants: Grants::default(),
        };
        (new, self.password)
    }
}

impl FromFields for FirstAdmin {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let (email, password) = (fields.required("email"), fields.required("password"));
        Some(Self {
            email: email?,
            name: fields.optional("name"),
            password: password?,
        })
    }
}

/// An invitation with the password that was chosen.
#[derive(Debug, ToSchema)]
pub(crate) struct AcceptedInvitation {
    /// E-mail that was invited.
    #[schema(value_type = String, example = "ann@example.com")]
    pub(crate) email: Email,
    /// Text of the invitation.
    #[schema(value_type = String, write_only)]
    pub(crate) invitation: SecretValue,
    /// Password, at least 12 characters.
    #[schema(value_type = String, format = Password, write_only)]
    pub(crate) password: SecretValue,
}

impl FromFields for AcceptedInvitation {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let email = fields.required("email");
        let invitation = fields.required("invitation");
        let password = fields.required("password");
        Some(Self {
            email: email?,
            invitation: invitation?,
            password: password?,
        })
    }
}

/// Another password for oneself.
#[derive(Debug, ToSchema)]
pub(crate) struct PasswordChange {
    /// The present one.
    #[schema(value_type = String, format = Password, write_only)]
    pub(crate) current_password: SecretValue,
    /// The new one, at least 12 characters.
    #[schema(value_type = String, format = Password, write_only)]
    pub(crate) new_password: SecretValue,
}

impl FromFields for PasswordChange {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let present = fields.required("current_password");
        let new = fields.required("new_password");
        Some(Self {
            current_password: present?,
            new_password: new?,
        })
    }
}

/// What a dashboard says about its own sign-ins.
#[derive(Debug, ToSchema)]
pub(crate) struct AuthEvent {
    /// `login` or `logout`.
    #[schema(value_type = String, example = "login")]
    pub(crate) event: Option<String>,
}

impl FromFields for AuthEvent {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        Some(Self {
            event: fields.optional("event"),
        })
    }
}
