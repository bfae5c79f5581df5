//! Registering discovered databases, on the wire.

use dilux_core::error::FieldProblem;
use dilux_core::model::{DatabaseName, Label, PolicyId, PolicySource};
use dilux_core::schedule::DEFAULT_POLICY;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Database;
use super::new::read_policy_id;
use crate::app::Import;
use crate::input::{Fields, FromFields, Problems};

/// One database to register.
#[derive(Debug)]
pub(crate) struct ImportEntry {
    /// Name on the server.
    pub(crate) name: DatabaseName,
    /// Label.
    pub(crate) alias: Label,
    /// Policy.
    pub(crate) policy: PolicySource,
}

/// Databases to register. An entry that cannot be read stands beside the others with the reason.
#[derive(Debug)]
pub(crate) struct NewImport {
    /// What was sent as the name, and what it means.
    pub(crate) entries: Vec<(Value, Result<ImportEntry, Vec<FieldProblem>>)>,
    /// Whether they sign in as their engine does, else with a copy of its credentials.
    pub(crate) use_engine_credentials: bool,
}

impl FromFields for NewImport {
    fn read(fields: &Fields<'_>) -> Option<Self> {
        let entries = fields.list("databases").iter().map(read_entry).collect();
        Some(Self {
            entries,
            use_engine_credentials: fields.optional("use_engine_credentials").unwrap_or(true),
        })
    }
}

/// An entry is an object, or simply the name.
fn read_entry(value: &Value) -> (Value, Result<ImportEntry, Vec<FieldProblem>>) {
    let problems = Problems::default();
    let (sent, entry) = match value {
        Value::Object(object) => {
            let sent = object.get("name").cloned().unwrap_or(Value::Null);
            let fields = Fields::new(object, "", &problems);
            (sent, read_object(&fields))
        }
        name => {
            let object = Map::from_iter([("name".to_owned(), name.clone())]);
            let fields = Fields::new(&object, "", &problems);
            (name.clone(), read_object(&fields))
        }
    };
    let found = problems.into_vec();
    match entry {
        Some(entry) if found.is_empty() => (sent, Ok(entry)),
        _ => (sent, Err(found)),
    }
}

fn read_object(fields: &Fields<'_>) -> Option<ImportEntry> {
    let name: Option<DatabaseName> = fields.required("name");
    let alias = if fields.is_given("alias") {
        fields.optional("alias")
    } else {
        fields.optional("name")
    };
    let policy = match (
        fields.optional("use_engine_policy").unwrap_or(false),
        read_policy_id(fields),
    ) {
        (true, _) => PolicySource::Engine,
        (false, Some(id)) => PolicySource::Own(id),
        (false, None) => PolicySource::Own(default_policy()?),
    };
    Some(ImportEntry {
        name: name?,
        alias: alias?,
        policy,
    })
}

/// The policy of databases that name none.
fn default_policy() -> Option<PolicyId> {
    DEFAULT_POLICY.parse().ok()
}

/// An entry that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportRefusal {
    /// What was sent as the name.
    database: Value,
    /// Why it was refused.
    error: String,
}

/// What became of an import.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Imported {
    /// Databases registered.
    created: Vec<Database>,
    /// Entries refused.
    errors: Vec<ImportRefusal>,
    /// Number of databases registered.
    pub(crate) total_created: usize,
    /// Number of entries refused.
    total_errors: usize,
    /// Why backups of them are not made; absent where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl From<Import> for Imported {
    fn from(import: Import) -> Self {
        Self {
            total_created: import.created.len(),
            total_errors: import.refused.len(),
            note: import.no_backups,
            created: import
                .created
                .iter()
                .map(|database| Database::new(database, &import.engine))
                .collect(),
            errors: import
                .refused
                .into_iter()
                .map(|(database, error)| ImportRefusal { database, error })
                .collect(),
        }
    }
}
