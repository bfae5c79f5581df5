//! New databases as clients send them: the flat body of the Python product, and the two nested
//! bodies of the design document.

use dilux_core::model::{
    Compression, DatabaseName, Destination, EngineId, EngineType, Host, Label, PolicyId, Port,
    RpoMinutes, TlsMode,
};
use serde_json::Value;

use super::policy_source;
use crate::input::{Fields, FromFields, FromJson, Tags};
use crate::wire::engine::NewEngine;
use crate::wire::sign_in::SignIn;

/// Which engine a new database belongs to.
#[derive(Debug)]
pub(crate) enum EngineChoice {
    /// This one; the rest must agree with it where it is given.
    Existing {
        /// Id.
        id: EngineId,
        /// Type, if given.
        engine_type: Option<EngineType>,
        /// Host, if given.
        host: Option<Host>,
        /// Port, if given.
        port: Option<Port>,
        /// The least protection of its connections, if given.
        tls_mode: Option<TlsMode>,
    },
    /// The one at this address, registered without credentials when there is none.
    At(EngineType, Host, Port, TlsMode),
    /// The one described, registered when there is none at its address.
    Described(Box<NewEngine>),
}

/// Which policy a database follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyChoice {
    /// The usual one.
    Default,
    /// Its engine's.
    Engine,
    /// This one.
    Own(PolicyId),
}

/// How backups are compressed, as far as it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CompressionChoice {
    /// Whether at all.
    pub(crate) is_on: Option<bool>,
    /// How.
    pub(crate) method: Option<Compression>,
}

impl CompressionChoice {
    /// Reads `compression`, which is a flag or a method, and `compression_method`; the two must
    /// agree.
    pub(crate) fn read(fields: &Fields<'_>) -> Self {
        Self::read_as(fields, ["compression", "compression_method"])
    }

    /// The same under other names.
    pub(crate) fn read_as(fields: &Fields<'_>, [choice, method_name]: [&str; 2]) -> Self {
        let named: Self = fields.optional(choice).unwrap_or_default();
        let method = fields.optional(method_name);
        let contradicts = match (named.is_on, named.method, method) {
            (Some(is_on), _, Some(method)) => is_on == (method == Compression::None),
            (_, Some(named), Some(method)) => named != method,
            _ => false,
        };
        if contradicts {
            fields.problem(method_name, format!("contradicts {choice}"));
        }
        Self {
            is_on: named.is_on,
            method: method.or(named.method),
        }
    }

    /// The compression that was chosen over `present`, which holds as far as nothing was said.
    pub(crate) fn over(self, present: Compression) -> Compression {
        match (self.method, self.is_on) {
            (Some(method), _) => method,
            (None, Some(false)) => Compression::None,
            (None, Some(true)) if present == Compression::None => Compression::default(),
            (None, _) => present,
        }
    }
}

impl FromJson for CompressionChoice {
    fn from_json(value: &Value) -> Result<Self, String> {
        match (value.as_bool(), value.as_str()) {
            (Some(is_on), _) => Ok(Self {
                is_on: Some(is_on),
                method: None,
            }),
            (None, Some(_)) => Ok(Self {
                is_on: None,
                method: Some(Compression::from_json(value)?),
            }),
            (None, None) => Err("must be true, false, gzip, zstd or none".to_owned()),
        }
    }
}

/// A new database.
#[derive(Debug)]
pub(crate) struct NewDatabase {
    /// Its engine.
    pub(crate) engine: EngineChoice,
    /// Label.
    pub(crate) label: Label,
    /// Name on the server.
    pub(crate) database_name: DatabaseName,
    /// Its own credentials; `None` when it signs in as its engine does.
    pub(crate) own_credentials: Option<SignIn>,
    /// Policy.
    pub(crate) policy: PolicyChoice,
    /// Whether the scheduler backs it up.
    pub(crate) enabled: bool,
    /// How much of its changes may be lost at most.
    pub(crate) rpo_minutes: Option<RpoMinutes>,
    /// Compression.
    pub(crate) compression: CompressionChoice,
    /// Container of its data, when it is not the installation's.
    pub(crate) destination: Option<Destination>,
    /// Free labels.
    pub(crate) tags: Tags,
}

/// Reads `backup_policy_id` (design document) or `policy_id` (Python product).
pub(super) fn read_policy_id(fields: &Fields<'_>) -> Option<PolicyId> {
    let documented = fields.optional("backup_policy_id");
    let shipped = fields.optional("policy_id");
    if documented.is_some() && shipped.is_some() && documented != shipped {
        fields.problem("backup_policy_id", "contradicts policy_id");
    }
    documented.or(shipped)
}

impl FromFields for NewDatabase {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        if fields.has("database") || fields.has("engine") {
            read_nested(fields)
        } else {
            read_flat(fields)
        }
    }
}

fn read_flat(fields: &Fields<'_>) -> Option<NewDatabase> {
    if fields.is_given("id") {
        fields.problem("id", "is given by the service; leave it out");
    }
    let label = fields.required("name");
    let database_name = fields.required("database_name");
    let engine = read_flat_engine(fields);
    let use_engine_credentials = fields.optional("use_engine_credentials").unwrap_or(false);
    let rest = Rest::read(fields, use_engine_credentials);
    Some(rest.build(engine?, label?, database_name?))
}

fn read_flat_engine(fields: &Fields<'_>) -> Option<EngineChoice> {
    let tls_mode = fields.optional("tls_mode");
    if fields.is_given("engine_id") {
        let id = fields.optional("engine_id");
        let (engine_type, host) = (fields.optional("database_type"), fields.optional("host"));
        let port = fields.optional("port");
        return Some(EngineChoice::Existing {
            id: id?,
            engine_type,
            host,
            port,
            tls_mode,
        });
    }
    let engine_type = fields.required("database_type");
    let host = fields.required("host");
    let port = fields.required("port");
    let tls_mode = tls_mode.unwrap_or_default();
    Some(EngineChoice::At(engine_type?, host?, port?, tls_mode))
}

fn read_nested(fields: &Fields<'_>) -> Option<NewDatabase> {
    let engine = read_nested_engine(fields);
    let Some(database) = fields.object("database") else {
        if !fields.has("database") {
            fields.problem("database", "is required");
        }
        return None;
    };
    let database_name: Option<DatabaseName> = database.required("name");
    let label = match database.optional("alias") {
        Some(alias) => Some(alias),
        None => database.optional("name"),
    };
    let has_own = ["auth_method", "username", "password", "connection_string"]
        .iter()
        .any(|name| database.is_given(name));
    let use_engine_credentials = database
        .optional("use_engine_credentials")
        .unwrap_or(!has_own);
    let rest = Rest::read(&database, use_engine_credentials);
    let engine = engine.and_then(|engine| agree(engine, &database));
    if let (Some(name), Some(other)) = (&database_name, database.optional("database_name"))
        && *name != other
    {
        database.problem("name", "contradicts connection_string");
    }
    Some(rest.build(engine?, label?, database_name?))
}

/// The engine, which must be the server that a connection string of the database names, with the
/// protection that the database demands.
fn agree(mut engine: EngineChoice, database: &Fields<'_>) -> Option<EngineChoice> {
    let demanded: Option<TlsMode> = database.optional("tls_mode");
    match &mut engine {
        EngineChoice::Existing { tls_mode, .. } => *tls_mode = demanded,
        EngineChoice::Described(new) => {
            new.tls_mode = new.tls_mode.max(demanded.unwrap_or_default());
        }
        EngineChoice::At(..) => {}
    }
    if !database.is_given("connection_string") {
        return Some(engine);
    }
    let engine_type = database.optional("database_type");
    let (host, port) = (database.optional("host"), database.optional("port"));
    match engine {
        EngineChoice::Existing { id, tls_mode, .. } => Some(EngineChoice::Existing {
            id,
            engine_type,
            host,
            port,
            tls_mode,
        }),
        EngineChoice::Described(new) => {
            let is_host = |host: &Host| host.as_str().eq_ignore_ascii_case(new.host.as_str());
            let is_same = engine_type.is_none_or(|kind| kind == new.engine_type)
                && host.as_ref().is_none_or(is_host)
                && port.is_none_or(|port| port == new.port);
            if is_same {
                return Some(EngineChoice::Described(new));
            }
            database.problem("connection_string", "names another server than engine");
            None
        }
        EngineChoice::At(..) => Some(engine),
    }
}

fn read_nested_engine(fields: &Fields<'_>) -> Option<EngineChoice> {
    match (fields.has("engine"), fields.has("engine_id")) {
        (true, true) => {
            fields.problem("engine_id", "contradicts engine; send one of them");
            None
        }
        (true, false) => {
            let engine = NewEngine::read(&fields.object("engine")?)?;
            Some(EngineChoice::Described(Box::new(engine)))
        }
        (false, _) => Some(EngineChoice::Existing {
            id: fields.required("engine_id")?,
            engine_type: None,
            host: None,
            port: None,
            tls_mode: None,
        }),
    }
}

/// The fields that both bodies share.
struct Rest {
    own_credentials: Option<SignIn>,
    policy: PolicyChoice,
    enabled: bool,
    rpo_minutes: Option<RpoMinutes>,
    compression: CompressionChoice,
    destination: Option<Destination>,
    tags: Tags,
}

impl Rest {
    fn read(fields: &Fields<'_>, use_engine_credentials: bool) -> Self {
        let sign_in = SignIn::read(fields);
        for name in ["password", "client_secret"] {
            if use_engine_credentials && fields.is_given(name) {
                fields.problem(
                    name,
                    "is not used while use_engine_credentials is true; leave it out",
                );
            }
        }
        let use_engine_policy = fields.optional("use_engine_policy").unwrap_or(false);
        Self {
            own_credentials: (!use_engine_credentials).then_some(sign_in),
            policy: policy_source(use_engine_policy, read_policy_id(fields)),
            enabled: fields.optional("enabled").unwrap_or(true),
            rpo_minutes: fields.optional("rpo_minutes"),
            compression: CompressionChoice::read(fields),
            destination: fields.optional("backup_destination"),
            tags: fields.optional("tags").unwrap_or_default(),
        }
    }

    fn build(self, engine: EngineChoice, label: Label, database_name: DatabaseName) -> NewDatabase {
        NewDatabase {
            engine,
            label,
            database_name,
            own_credentials: self.own_credentials,
            policy: self.policy,
            enabled: self.enabled,
            rpo_minutes: self.rpo_minutes,
            compression: self.compression,
            destination: self.destination,
            tags: self.tags,
        }
    }
}
