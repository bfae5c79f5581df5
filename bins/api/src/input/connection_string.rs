//! Connection strings in bodies: taken apart into the fields that say the same, before anything else
//! is read. What is checked and kept is what those fields hold; the text itself is kept nowhere.

use std::borrow::Cow;

use dilux_core::connection_string::ConnectionString;
use dilux_core::model::AuthMethod;
use serde_json::{Map, Value, json};

use super::fields::Problems;

const FIELD: &str = "connection_string";

/// Objects in bodies that may hold one too.
const INNER: [&str; 2] = ["engine", "database"];

/// The object with every connection string in it taken apart.
pub(super) fn expand<'a>(
    object: &'a Map<String, Value>,
    problems: &Problems,
) -> Cow<'a, Map<String, Value>> {
    let mut object = Cow::Borrowed(object);
    if object.contains_key(FIELD) {
        take_apart(object.to_mut(), "", problems);
    }
    for name in INNER {
        let inner = object.get(name).and_then(Value::as_object);
        if inner.is_some_and(|inner| inner.contains_key(FIELD))
            && let Some(Value::Object(inner)) = object.to_mut().get_mut(name)
        {
            take_apart(inner, &format!("{name}."), problems);
        }
    }
    object
}

fn take_apart(object: &mut Map<String, Value>, path: &str, problems: &Problems) {
    let text = match object.get(FIELD) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        None | Some(Value::Null | Value::String(_)) => return,
        Some(_) => return problems.add(format!("{path}{FIELD}"), "must be text"),
    };
    let parts = match ConnectionString::parse(&text) {
        Ok(parts) => parts,
        Err(error) => return problems.add(format!("{path}{FIELD}"), error.to_string()),
    };
    for (name, part) in fields(&parts) {
        let is_free = match object.get(name) {
            None | Some(Value::Null) => true,
            Some(present) => present.as_str() == Some(""),
        };
        if is_free {
            object.insert(name.to_owned(), part);
        } else if object
            .get(name)
            .is_some_and(|present| !is_same(name, present, &part))
        {
            problems.add(format!("{path}{name}"), "contradicts connection_string");
        }
    }
}

/// Both names of the type stand there: bodies of engines and of databases differ.
fn fields(parts: &ConnectionString) -> Vec<(&'static str, Value)> {
    let text = |text: &str| Value::from(text);
    let engine_type = parts.engine_type.map(|kind| text(kind.as_str()));
    let fields = [
        (
            "auth_method",
            Some(text(AuthMethod::ConnectionString.as_str())),
        ),
        ("engine_type", engine_type.clone()),
        ("database_type", engine_type),
        ("host", parts.host.as_ref().map(|host| text(host.as_str()))),
        ("port", parts.port.map(|port| json!(port.get()))),
        (
            "database_name",
            parts.database.as_ref().map(|name| text(name.as_str())),
        ),
        (
            "username",
            parts.username.as_ref().map(|name| text(name.as_str())),
        ),
        (
            "password",
            parts
                .password
                .as_ref()
                .map(|password| text(password.expose())),
        ),
        ("tls_mode", parts.tls_mode().map(|mode| text(mode.as_str()))),
    ];
    let given = |(name, value): (&'static str, Option<Value>)| value.map(|value| (name, value));
    fields.into_iter().filter_map(given).collect()
}

/// Hosts do not differ by case.
fn is_same(name: &str, present: &Value, part: &Value) -> bool {
    match (present.as_str(), part.as_str()) {
        (Some(present), Some(part)) if name == "host" => present.eq_ignore_ascii_case(part),
        _ => present == part,
    }
}
