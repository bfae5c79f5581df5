//! Connection tests on the wire.

use dilux_core::access::{self, Secret};
use dilux_core::error::FieldProblem;
use dilux_core::model::{
    AuthMethod, DatabaseName, Engine, EngineId, EngineType, Host, Port, SecretKind, TlsMode,
    UserName,
};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::FailureKind;
use dilux_core::{Error, Result};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::ConnectionTest;
use crate::input::{Fields, FromFields};
use crate::wire::engine::EngineTest;
use crate::wire::sign_in::SignIn;

/// Which credentials a form wants tested.
#[derive(Debug)]
pub(crate) enum FormCredentials {
    /// Those in the form.
    Own(Box<SignIn>),
    /// The stored ones of an engine.
    OfEngine(EngineId),
}

/// A connection that is not saved yet.
#[derive(Debug)]
pub(crate) struct ConnectionForm {
    /// Type of the server.
    pub(crate) engine_type: EngineType,
    /// Host; with stored credentials it must be the engine's.
    pub(crate) host: Host,
    /// Port; with stored credentials it must be the engine's.
    pub(crate) port: Port,
    /// How the connection is protected, at least.
    pub(crate) tls_mode: TlsMode,
    /// Name on the server.
    pub(crate) database_name: DatabaseName,
    /// Which credentials.
    pub(crate) credentials: FormCredentials,
}

impl FromFields for ConnectionForm {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let engine_type = fields.required("database_type");
        let host = fields.required("host");
        let port = fields.required("port");
        let tls_mode = fields.optional("tls_mode").unwrap_or_default();
        let database_name = fields.required("database_name");
        let credentials = if fields.optional("use_engine_credentials").unwrap_or(false) {
            fields.required("engine_id").map(FormCredentials::OfEngine)
        } else {
            read_own(fields).map(|own| FormCredentials::Own(Box::new(own)))
        };
        Some(Self {
            engine_type: engine_type?,
            host: host?,
            port: port?,
            tls_mode,
            database_name: database_name?,
            credentials: credentials?,
        })
    }
}

/// Credentials of the form: a password, unless a method without one is named.
fn read_own(fields: &Fields<'_>) -> Option<SignIn> {
    let method: Option<AuthMethod> = fields.optional("auth_method");
    let kind = method.map_or(Some(SecretKind::Password), AuthMethod::secret_kind);
    if kind != Some(SecretKind::Password) {
        let username = fields.required::<UserName>("username");
        return username.map(|_| SignIn::read(fields));
    }
    let username = fields.required("username");
    let password = fields.required::<SecretValue>("password");
    Some(SignIn {
        auth_method: Some(AuthMethod::UserPassword),
        username: Some(username?),
        identity: dilux_core::model::EntraIdentity::default(),
        secret: Some(password?),
    })
}

impl ConnectionForm {
    /// How the credentials of the form, `own`, sign in.
    pub(crate) fn sign_in<'a>(&'a self, own: &'a SignIn) -> access::SignIn<'a> {
        access::SignIn {
            owner: "the form".to_owned(),
            method: own.auth_method,
            username: own.username.as_ref(),
            identity: &own.identity,
            secret: Secret::Kept(None),
            engine_type: self.engine_type,
            host: &self.host,
            tls_mode: self.tls_mode,
        }
        .with_secret(own.secret.as_ref())
    }

    /// Fails unless the form names the engine's own address: stored credentials go nowhere else.
    pub(crate) fn require_address_of(&self, engine: &Engine) -> Result<()> {
        let is_same_host = self
            .host
            .as_str()
            .eq_ignore_ascii_case(engine.host.as_str());
        let wrong = [
            ("database_type", self.engine_type != engine.engine_type),
            ("host", !is_same_host),
            ("port", self.port != engine.port),
        ];
        let problems: Vec<FieldProblem> = wrong
            .into_iter()
            .filter(|(_, is_wrong)| *is_wrong)
            .map(|(field, _)| FieldProblem {
                field: field.to_owned(),
                reason: "must be the engine's while its stored credentials are used".to_owned(),
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(Error::Invalid(problems))
        }
    }
}

/// Outcome of a connection test. A failed test is an answer, not an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatabaseTest {
    /// Whether the server let us in.
    success: bool,
    /// What happened, for a person. Where no backups are made of the type, it says so.
    #[schema(example = "Connection successful")]
    message: String,
    /// `ConnectionFailed`, `Timeout`, `ToolNotFound` or `UnsupportedType`.
    error_type: Option<String>,
    /// Milliseconds until the outcome.
    duration_ms: f64,
    /// What the server says it is.
    server_version: Option<String>,
}

impl From<ConnectionTest> for DatabaseTest {
    fn from(test: ConnectionTest) -> Self {
        let test = EngineTest::from(test);
        Self {
            success: test.success,
            message: test.message,
            error_type: test.error_type,
            duration_ms: test.latency_ms,
            server_version: test.server_version,
        }
    }
}

impl From<ConnectionTest> for EngineTest {
    fn from(test: ConnectionTest) -> Self {
        let latency_ms = test.duration.as_secs_f64() * 1000.0;
        match test.outcome {
            Ok(server) => Self {
                success: true,
                message: noted("Connection successful", test.no_backups.as_deref()),
                latency_ms,
                error_type: None,
                server_version: Some(format!("{} {}", server.flavour, server.version)),
            },
            Err(failure) => Self {
                success: false,
                message: failure.message,
                latency_ms,
                error_type: Some(error_type(failure.kind, test.is_supported).to_owned()),
                server_version: None,
            },
        }
    }
}

/// `message`, with why backups are not made, if they are not.
pub(crate) fn noted(message: &str, no_backups: Option<&str>) -> String {
    match no_backups {
        None => message.to_owned(),
        Some(why) => format!("{message}, but {why}"),
    }
}

/// The words of the Python product.
fn error_type(kind: FailureKind, is_supported: bool) -> &'static str {
    if !is_supported {
        return "UnsupportedType";
    }
    match kind {
        FailureKind::Stalled | FailureKind::TimedOut => "Timeout",
        FailureKind::ToolMissing | FailureKind::ToolTooOld => "ToolNotFound",
        FailureKind::Authentication
        | FailureKind::Configuration
        | FailureKind::Permission
        | FailureKind::Unreachable
        | FailureKind::UnknownDatabase
        | FailureKind::TargetExists
        | FailureKind::ToolFailed
        | FailureKind::Truncated
        | FailureKind::Integrity
        | FailureKind::Storage
        | FailureKind::Cancelled
        | FailureKind::LeaseLost
        | FailureKind::Missed
        | FailureKind::WorkerLost
        | FailureKind::Internal => "ConnectionFailed",
    }
}
