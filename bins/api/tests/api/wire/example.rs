//! The recorded examples, and what their placeholders stand for: `{{uuid:name}}` and `{{id:name}}`
//! for one id each, `{{float}}` for a number, `{{secret}}` for the right password, and `{{time}}`,
//! `{{text}}` and others for texts that differ from run to run.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::server::PASSWORD;

const FILES: [&str; 7] = [
    include_str!("../../wire/system.json"),
    include_str!("../../wire/engines.json"),
    include_str!("../../wire/databases.json"),
    include_str!("../../wire/policies.json"),
    include_str!("../../wire/backups.json"),
    include_str!("../../wire/users.json"),
    include_str!("../../wire/settings.json"),
];

/// A recorded request with its answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Example {
    pub(super) name: String,
    /// Its place in the order of all.
    pub(super) seq: u32,
    /// Method and path with named parts.
    pub(super) route: String,
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    /// JSON, or `$raw` with text that is sent as it is.
    #[serde(default)]
    pub(super) body: Value,
    /// Who asked; absent where that made no difference.
    #[serde(default, rename = "as")]
    pub(super) caller: Option<String>,
    pub(super) status: u16,
    pub(super) answer: Value,
}

/// A thing that a request which is not replayed had made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arrangement {
    /// The example that needs it first.
    pub(super) before: String,
    /// Name of its id in the examples.
    pub(super) gives: String,
    /// Where it is made, with `body`.
    pub(super) path: String,
    pub(super) body: Value,
}

/// All examples in the order in which they were recorded.
pub(super) fn examples() -> Vec<Example> {
    let mut all: Vec<Example> = FILES
        .iter()
        .flat_map(|file| serde_json::from_str::<Vec<Example>>(file).unwrap())
        .collect();
    all.sort_by_key(|example| example.seq);
    all
}

/// The examples of the audit log, which has a history of its own.
pub(super) fn audit_examples() -> Vec<Example> {
    serde_json::from_str(include_str!("../../wire/audit.json")).unwrap()
}

/// What is made beside them.
pub(super) fn arrangements() -> Vec<Arrangement> {
    serde_json::from_str(include_str!("../../wire/arrangements.json")).unwrap()
}

/// Every route of the Python product.
pub(super) fn recorded_routes() -> BTreeSet<String> {
    serde_json::from_str(include_str!("../../wire/routes.json")).unwrap()
}

/// What placeholders stand for: ids from the answers so far, and one password.
#[derive(Debug, Default)]
pub(super) struct Bindings(BTreeMap<String, String>);

impl Bindings {
    /// Whether `text` is a placeholder of an id and nothing else.
    pub(super) fn is_id(text: &str) -> bool {
        let is_whole = text.ends_with("}}") && text.matches("{{").count() == 1;
        is_whole && (text.starts_with("{{uuid:") || text.starts_with("{{id:"))
    }

    pub(super) fn get(&self, placeholder: &str) -> Option<&str> {
        self.0.get(placeholder).map(String::as_str)
    }

    pub(super) fn bind(&mut self, placeholder: &str, value: &str) {
        self.0.insert(placeholder.to_owned(), value.to_owned());
    }

    /// `text` with what is known put in.
    pub(super) fn fill_known(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (placeholder, value) in &self.0 {
            filled = filled.replace(placeholder, value);
        }
        filled
    }

    /// `text` of a request; fails when an id in it is not known.
    #[track_caller]
    pub(super) fn fill(&self, text: &str) -> String {
        if text.starts_with("{{secret") {
            return PASSWORD.to_owned();
        }
        let filled = self.fill_known(text);
        assert!(!filled.contains("{{"), "nothing gives {filled}");
        filled
    }

    /// A body with all its texts filled.
    pub(super) fn fill_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_all(item)).collect(),
            Value::Object(object) => object
                .iter()
                .map(|(key, value)| (key.clone(), self.fill_all(value)))
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}
