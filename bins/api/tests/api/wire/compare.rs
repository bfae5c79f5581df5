//! Whether an answer has what was recorded: its status, every key, type and nesting, and the values
//! that do not differ from run to run. Keys beside those recorded are welcome.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::example::{Bindings, Example};
use crate::world::Answer;

/// Something that is not as recorded.
#[derive(Debug)]
pub(super) struct Difference {
    /// Name of the example.
    pub(super) example: String,
    /// `status`, or where in the body: `/databases/*/name`.
    pub(super) at: String,
    /// What was and what is.
    pub(super) what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.example, self.at, self.what)
    }
}

/// What differs, with the ids of new things taken from the answer. Of an answer that failed where
/// none had, only the status is told.
pub(super) fn compare(
    example: &Example,
    answer: &Answer,
    bindings: &mut Bindings,
) -> Vec<Difference> {
    let mut comparison = Comparison {
        bindings,
        found: Vec::new(),
    };
    if answer.status != example.status {
        let (was, is) = (example.status, answer.status);
        comparison.note("status", format!("was {was}, is {is}"));
    }
    let have_both_failed = answer.status >= 400 && example.status >= 400;
    if answer.status == example.status || have_both_failed {
        comparison.values("", &example.answer, &answer.body);
    }
    let name = |(at, what)| Difference {
        example: example.name.clone(),
        at,
        what,
    };
    comparison.found.into_iter().map(name).collect()
}

struct Comparison<'a> {
    bindings: &'a mut Bindings,
    found: Vec<(String, String)>,
}

impl Comparison<'_> {
    fn note(&mut self, at: &str, what: String) {
        self.found.push((at.to_owned(), what));
    }

    fn values(&mut self, at: &str, was: &Value, is: &Value) {
        match (was, is) {
            (Value::String(text), is) if text == "{{float}}" => {
                if !is.is_number() {
                    self.note(at, format!("was a number, is {}", kind(is)));
                }
            }
            (Value::String(was), Value::String(is)) => self.texts(at, was, is),
            (Value::Object(was), Value::Object(is)) => {
                for (key, value) in was {
                    let at = format!("{at}/{key}");
                    match is.get(key) {
                        Some(present) => self.values(&at, value, present),
                        None => self.note(&at, "is missing".to_owned()),
                    }
                }
            }
            (Value::Array(was), Value::Array(is)) => {
                if was.len() == is.len() {
                    for (was, is) in was.iter().zip(is) {
                        self.values(&format!("{at}/*"), was, is);
                    }
                } else {
                    let (was, is) = (was.len(), is.len());
                    self.note(at, format!("had {was} items, has {is}"));
                }
            }
            (Value::Number(was), Value::Number(is)) if was.as_f64() == is.as_f64() => {}
            (Value::Number(_), Value::Number(_)) | (Value::Bool(_), Value::Bool(_)) => {
                if was != is {
                    self.note(at, format!("was {was}, is {is}"));
                }
            }
            (Value::Null, Value::Null) => {}
            _ => self.note(at, format!("was {}, is {}", kind(was), kind(is))),
        }
    }

    fn texts(&mut self, at: &str, was: &str, is: &str) {
        if Bindings::is_id(was) && self.bindings.get(was).is_none() {
            self.bindings.bind(was, is);
        }
        let was = self.bindings.fill_known(was);
        let is_open = was.contains("{{");
        let is_same_time = instant(&was).is_some_and(|was| instant(is) == Some(was));
        if !is_open && was != is && !is_same_time {
            self.note(at, format!("was '{was}', is '{is}'"));
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A time, with or without a zone; without one it is UTC, as the Python product wrote it.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    let without_zone = || {
        let time: DateTime = text.parse().ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(without_zone)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn differences(was: &Value, is: Value) -> Vec<String> {
        let example = serde_json::from_value(json!({
            "name": "x", "seq": 1, "route": "GET /x", "path": "/x", "status": 200, "answer": was,
        }));
        let answer = Answer {
            status: 200,
            headers: HeaderMap::new(),
            bytes: Vec::new(),
            body: is,
        };
        let found = compare(&example.unwrap(), &answer, &mut Bindings::default());
        found
            .iter()
            .map(|it| format!("{} {}", it.at, it.what))
            .collect()
    }

    #[test]
    fn missing_keys_other_types_and_other_values_are_told() {
        let was = json!({
            "items": [{"id": "{{uuid:a}}", "size": "{{float}}", "at": "2025-01-02T03:04:05.5"}],
            "name": "a", "count": 1, "more": false, "next": null, "self": "/{{uuid:a}}",
        });
        let same = json!({
            "items": [{"id": "1", "size": 2, "at": "2025-01-02T03:04:05.5Z", "new": 1}],
            "name": "a", "count": 1, "more": false, "next": null, "self": "/1", "new": 1,
        });
        assert_eq!(differences(&was, same), Vec::<String>::new());
        let other = json!({
            "items": [{"size": "2", "at": "2025-01-02T03:04:06Z"}],
            "name": "b", "count": 2, "more": true, "next": "x", "self": null,
        });
        assert_eq!(
            differences(&was, other),
            [
                "/count was 1, is 2",
                "/items/*/at was '2025-01-02T03:04:05.5', is '2025-01-02T03:04:06Z'",
                "/items/*/id is missing",
                "/items/*/size was a number, is text",
                "/more was false, is true",
                "/name was 'a', is 'b'",
                "/next was null, is text",
                "/self was text, is null",
            ]
        );
        let longer = json!({ "items": [{}, {}] });
        assert!(differences(&was, longer).contains(&"/items had 1 items, has 2".to_owned()));
    }
}
