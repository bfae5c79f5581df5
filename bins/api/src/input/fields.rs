//! Reading the fields of a JSON object.

use std::cell::RefCell;

use dilux_core::error::FieldProblem;
use serde_json::{Map, Value};

use super::convert::FromJson;

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<FieldProblem>>);

impl Problems {
    /// Notes a problem.
    pub(crate) fn add(&self, field: impl Into<String>, reason: impl Into<String>) {
        self.0.borrow_mut().push(FieldProblem {
            field: field.into(),
            reason: reason.into(),
        });
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<FieldProblem> {
        self.0.into_inner()
    }
}

/// A thing that clients send as a JSON object. `None` means that a problem was noted.
pub(crate) trait FromFields: Sized {
    /// Reads it.
    fn read(fields: &Fields<'_>) -> Option<Self>;
}

/// A change of something that may be absent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Patch<T> {
    /// Not named: leave it.
    Keep,
    /// `null` or empty text: take it away.
    Clear,
    /// This.
    Set(T),
}

impl<T> Patch<T> {
    /// What is there after the change.
    pub(crate) fn over(self, present: Option<T>) -> Option<T> {
        match self {
            Self::Keep => present,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

/// A JSON object under reading. Unknown keys are passed over: forms send what they were given.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: String,
    problems: &'a Problems,
}

impl<'a> Fields<'a> {
    /// The fields of `object`, which stands at `path` in the body.
    pub(crate) fn new(
        object: &'a Map<String, Value>,
        path: impl Into<String>,
        problems: &'a Problems,
    ) -> Self {
        Self {
            object,
            path: path.into(),
            problems,
        }
    }

    /// Where a field stands in the body.
    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    /// Notes a problem of a field.
    pub(crate) fn problem(&self, name: &str, reason: impl Into<String>) {
        self.problems.add(self.full_name(name), reason);
    }

    /// Whether the key is there, whatever its value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.object.contains_key(name)
    }

    /// Whether the key is there with the value `null`.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(Value::is_null)
    }

    /// The value, unless it is absent, `null` or empty text.
    fn present(&self, name: &str) -> Option<&'a Value> {
        self.object
            .get(name)
            .filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    /// Whether the key is there with a value other than `null` or empty text.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.present(name).is_some()
    }

    fn convert<T: FromJson>(&self, name: &str, value: &Value) -> Option<T> {
        match T::from_json(value) {
            Ok(parsed) => Some(parsed),
            Err(reason) => {
                self.problem(name, reason);
                None
            }
        }
    }

    /// A field that must be there.
    pub(crate) fn required<T: FromJson>(&self, name: &str) -> Option<T> {
        match self.object.get(name) {
            None | Some(Value::Null) => {
                self.problem(name, "is required");
                None
            }
            Some(value) => self.convert(name, value),
        }
    }

    /// A field that may be absent, `null` or empty text.
    pub(crate) fn optional<T: FromJson>(&self, name: &str) -> Option<T> {
        self.convert(name, self.present(name)?)
    }

    /// A field of something that exists: absent means "leave it", `null` is refused.
    pub(crate) fn changed<T: FromJson>(&self, name: &str) -> Option<T> {
        match self.object.get(name)? {
            Value::Null => {
                self.problem(name, "must not be null");
                None
            }
            value => self.convert(name, value),
        }
    }

    /// A field of something that exists and may be taken away.
    pub(crate) fn patch<T: FromJson>(&self, name: &str) -> Patch<T> {
        match (self.has(name), self.present(name)) {
            (false, _) => Patch::Keep,
            (true, None) => Patch::Clear,
            (true, Some(value)) => self.convert(name, value).map_or(Patch::Keep, Patch::Set),
        }
    }

    /// An object inside this one; `None` when it is absent or `null`, and when it is something
    /// else, which is noted.
    pub(crate) fn object(&self, name: &str) -> Option<Fields<'a>> {
        match self.object.get(name)? {
            Value::Null => None,
            Value::Object(object) => Some(Fields::new(object, self.full_name(name), self.problems)),
            _ => {
                self.problem(name, "must be an object");
                None
            }
        }
    }

    /// A list; empty when it is absent or `null`.
    pub(crate) fn list(&self, name: &str) -> &'a [Value] {
        match self.object.get(name) {
            None | Some(Value::Null) => &[],
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.problem(name, "must be a list");
                &[]
            }
        }
    }

    /// The objects of a list; what is none is noted.
    pub(crate) fn objects(&self, name: &str) -> Vec<Fields<'a>> {
        let items = self.list(name).iter().enumerate();
        let objects = items.filter_map(|(index, item)| {
            let name = format!("{name}.{index}");
            let Value::Object(object) = item else {
                self.problem(&name, "must be an object");
                return None;
            };
            Some(Fields::new(object, self.full_name(&name), self.problems))
        });
        objects.collect()
    }

    /// The values of a list; each that is refused is noted.
    pub(crate) fn values<T: FromJson>(&self, name: &str) -> Vec<T> {
        let items = self.list(name).iter().enumerate();
        items
            .filter_map(|(index, item)| self.convert(&format!("{name}.{index}"), item))
            .collect()
    }
}
