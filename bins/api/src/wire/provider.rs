//! Sign-in through the identity provider, on the wire.

use dilux_core::secret::SecretValue;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::identity::{Callback, ReturnPath};
use crate::input::{Filters, FromQuery};

/// The ways to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInMethods {
    /// Each way, the preferred one first; none while nobody is asked who they are.
    methods: Vec<SignInMethod>,
    /// Whether callers must say who they are: `required`, or `off`.
    #[schema(example = "required")]
    authentication: &'static str,
    /// What a dashboard must show on every page; `null` when there is nothing to warn of.
    warning: Option<&'static str>,
}

/// A way to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignInMethod {
    /// `oidc` or `password`.
    #[schema(example = "oidc")]
    kind: &'static str,
    /// Where a browser begins; `null` for `password`, which is posted to `/api/auth/login`.
    #[schema(example = "/api/auth/oidc/start")]
    start: Option<&'static str>,
    /// The issuer, for `oidc`.
    #[schema(example = "https://login.microsoftonline.com/TENANT/v2.0")]
    issuer: Option<String>,
}

impl SignInMethods {
    /// Those there are with this issuer, or none.
    pub(crate) fn new(issuer: Option<&str>) -> Self {
        let oidc = issuer.map(|issuer| SignInMethod {
            kind: "oidc",
            start: Some("/api/auth/oidc/start"),
            issuer: Some(issuer.to_owned()),
        });
        let password = SignInMethod {
            kind: "password",
            start: None,
            issuer: None,
        };
        Self {
            methods: oidc.into_iter().chain([password]).collect(),
            authentication: "required",
            warning: None,
        }
    }

    /// Nobody needs to sign in, of which this warns.
    pub(crate) fn none(warning: &'static str) -> Self {
        Self {
            methods: Vec::new(),
            authentication: "off",
            warning: Some(warning),
        }
    }
}

/// How a sign-in begins.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProviderStart {
    /// Where to go afterwards: a path of this site, `/` when absent.
    #[param(value_type = Option<String>, example = "/databases")]
    pub(crate) return_to: ReturnPath,
}

impl FromQuery for ProviderStart {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        Some(Self {
            return_to: filters.parsed("return_to").unwrap_or_default(),
        })
    }
}

/// What the identity provider sends a browser back with.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ProviderCallback {
    /// What is exchanged for tokens, once.
    #[param(value_type = Option<String>)]
    code: Option<SecretValue>,
    /// What was sent along at the beginning.
    state: Option<String>,
    /// The issuer (RFC 9207).
    iss: Option<String>,
    /// Why nobody signed in.
    error: Option<String>,
}

impl FromQuery for ProviderCallback {
    fn read(filters: &Filters<'_>) -> Option<Self> {
        let text = |name| filters.text(name).map(str::to_owned);
        Some(Self {
            code: filters.text("code").map(SecretValue::new),
            state: text("state"),
            iss: text("iss"),
            error: text("error"),
        })
    }
}

impl From<ProviderCallback> for Callback {
    fn from(callback: ProviderCallback) -> Self {
        Self {
            code: callback.code,
            state: callback.state,
            issuer: callback.iss,
            error: callback.error,
        }
    }
}
