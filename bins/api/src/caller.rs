//! Who calls: the identity that goes with a request, and the door that finds it out.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::http::header::{self, HeaderMap};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use dilux_core::model::{ApiToken, Grants, Role, SessionId, User, UserId};
use dilux_core::secret::SecretValue;
use dilux_core::{Error, Result};

use crate::addressing::Addressing;
use crate::app::App;
use crate::attest::Intent;
use crate::limits::is_probe;
use crate::permission::Permission;
use crate::problem::{Answer, Problem};
use crate::session_cookie::{refuse_foreign_page, require_own_page, session_in};

/// Who asked for something. Only the door makes one for a request, so a handler that takes a caller
/// cannot be reached without having passed it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Id for the audit log.
    pub(crate) user_id: String,
    /// E-mail for the audit log and `created_by`.
    pub(crate) user_email: String,
    /// Where the request came from.
    pub(crate) address: Option<IpAddr>,
    /// What they may do.
    pub(crate) rights: Rights,
    /// Which person it is; `None` for programs and the holder of the bootstrap token.
    pub(crate) person: Option<Person>,
    /// What they announced, while they do it.
    pub(crate) intent: Option<Intent>,
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rights {
    /// What somebody of this role may, and as an operator beside.
    Role(Role, Grants),
    /// To make the first admin, and nothing else.
    FirstAdmin,
}

impl Rights {
    /// What they are called in the audit log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Role(role, _) => role.as_str(),
            Self::FirstAdmin => "first-admin",
        }
    }

    /// What they allow beside a role.
    pub(crate) fn grants(self) -> Grants {
        match self {
            Self::Role(_, grants) => grants,
            Self::FirstAdmin => Grants::default(),
        }
    }

    /// Whether they are those of this role.
    pub(crate) fn is_role(self, role: Role) -> bool {
        matches!(self, Self::Role(own, _) if own == role)
    }
}

/// A person who signed in.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// Id.
    pub(crate) id: UserId,
    /// The session in use; `None` with a token of the identity provider.
    pub(crate) session: Option<SessionId>,
}

impl Caller {
    /// The holder of the bootstrap token.
    pub(crate) fn bootstrap() -> Self {
        Self {
            rights: Rights::FirstAdmin,
            ..Self::admin("bootstrap".to_owned(), "bootstrap@localhost".to_owned())
        }
    }

    /// Whoever calls while nobody is asked who they are.
    pub(crate) fn anybody() -> Self {
        Self::admin("anybody".to_owned(), "anybody@localhost".to_owned())
    }

    /// An admin of this name, for what goes on in their name after they asked for it.
    pub(crate) fn admin(user_id: String, user_email: String) -> Self {
        Self {
            user_id,
            user_email,
            address: None,
            rights: Rights::Role(Role::Admin, Grants::default()),
            person: None,
            intent: None,
        }
    }

    /// Somebody whom the identity provider knows and nobody here does, for the audit log.
    pub(crate) fn stranger(subject: &UserId, email: String, address: Option<IpAddr>) -> Self {
        Self {
            user_id: subject.to_string(),
            user_email: email,
            address,
            rights: Rights::Role(Role::Viewer, Grants::default()),
            person: None,
            intent: None,
        }
    }

    /// A program with this API token.
    pub(crate) fn program(token: &ApiToken) -> Self {
        Self {
            user_id: format!("token:{}", token.id),
            user_email: format!("token:{}", token.name),
            address: None,
            rights: Rights::Role(token.role, token.grants),
            person: None,
            intent: None,
        }
    }

    /// A person in a session.
    pub(crate) fn person(user: &User, session: SessionId) -> Self {
        Self::of(user, Some(session))
    }

    /// A person with a token of the identity provider.
    pub(crate) fn bearer(user: &User) -> Self {
        Self::of(user, None)
    }

    fn of(user: &User, session: Option<SessionId>) -> Self {
        Self {
            user_id: user.id.to_string(),
            user_email: user.email.to_string(),
            address: None,
            rights: Rights::Role(user.role, user.grants),
            person: Some(Person {
                id: user.id.clone(),
                session,
            }),
            intent: None,
        }
    }

    /// Fails unless the caller may do this.
    pub(crate) fn require(&self, permission: Permission) -> Result<()> {
        if permission.allows(self.rights) {
            Ok(())
        } else {
            Err(Error::Forbidden(permission.refusal(self.rights)))
        }
    }

    /// The person who calls; fails for programs.
    pub(crate) fn require_person(&self) -> Result<&Person> {
        self.person.as_ref().ok_or_else(|| {
            Error::Refused("this is for people who signed in, not for tokens".to_owned())
        })
    }

    /// Whether the caller is this person.
    pub(crate) fn is(&self, id: &UserId) -> bool {
        self.person.as_ref().is_some_and(|person| person.id == *id)
    }

    /// Whether the caller may see user names of engines and databases, and where secrets are.
    pub(crate) fn sees_accounts(&self) -> bool {
        matches!(self.rights, Rights::Role(role, _) if role > Role::Viewer)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Error::Unauthenticated.into())
    }
}

/// What a request shows to say who calls.
#[derive(Debug, Clone)]
pub(crate) enum Proof {
    /// A token: one of ours, or of the identity provider.
    Token(SecretValue),
    /// The text of a session.
    Session(SecretValue),
    /// Nothing, since nobody is asked who they are.
    Unasked,
}

impl Proof {
    /// What these headers show. A token counts before a session, and a wrong one is not made good by
    /// a session beside it.
    fn of(headers: &HeaderMap) -> Result<Self> {
        let (shown, wrap): (_, fn(SecretValue) -> Self) =
            if headers.contains_key(header::AUTHORIZATION) {
                (bearer(headers), Self::Token)
            } else {
                (session_in(headers), Self::Session)
            };
        let text = shown.ok_or(Error::Unauthenticated)?;
        Ok(wrap(SecretValue::new(text)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Proof {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Answer<Self> {
        let proof = parts.extensions.get::<Self>().cloned();
        proof.ok_or_else(|| Error::Unauthenticated.into())
    }
}

/// Lets a request pass when it says who calls. What they may do is decided at each route.
pub(crate) async fn authenticate(
    State(app): State<App>,
    addressing: Addressing,
    mut request: Request,
    next: Next,
) -> Answer<Response> {
    let address = addressing.client();
    let is_probe = is_probe(&request);
    let (method, headers) = (request.method(), request.headers());
    let (mut caller, proof) = match identify(&app, method, headers, &addressing).await {
        Ok(found) => found,
        Err(error) => {
            if !is_probe {
                app.limits.count_refused(&error, address)?;
            }
            return Err(error.into());
        }
    };
    if !is_probe {
        app.limits.count_caller(&caller)?;
    }
    caller.address = address;
    let extensions = request.extensions_mut();
    extensions.insert(caller);
    extensions.insert(proof);
    extensions.insert(app.clone());
    Ok(next.run(request).await)
}

/// Who calls, and what shows it.
async fn identify(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    addressing: &Addressing,
) -> Result<(Caller, Proof)> {
    let proof = if app.trusts_everybody() {
        Proof::Unasked
    } else {
        Proof::of(headers)?
    };
    let caller = match &proof {
        Proof::Token(token) => {
            let address = addressing.client();
            app.identify_token(token.expose(), address).await?
        }
        Proof::Session(text) => {
            let caller = app.identify_session(text.expose()).await?;
            require_own_page(method, headers, addressing)?;
            caller
        }
        Proof::Unasked => {
            // A browser of this machine reaches the API too, whatever page it shows.
            refuse_foreign_page(headers, addressing)?;
            require_own_page(method, headers, addressing)?;
            Caller::anybody()
        }
    };
    Ok((caller, proof))
}

/// The token that a request brings. Two are none: proxies and we could each mean another one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
