//! How values, versions and continuations look in the SQLite file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use super::fault::Fault;
use crate::storage::{Continuation, ETag, StorageErrorKind, Value};

/// A property as JSON: its type beside its value, so that none is guessed when it is read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredValue<'a> {
    #[serde(borrow)]
    String(Cow<'a, str>),
    I32(i32),
    I64(i64),
    /// As text: a JSON number is not read back to the last bit.
    F64(String),
    Bool(bool),
    DateTime(Timestamp),
    Guid(String),
    Binary(String),
}

/// An instant in ticks of 100 ns since 1970, cut, not rounded.
pub(super) fn ticks(instant: Timestamp) -> i64 {
    i64::try_from(instant.as_nanosecond().div_euclid(100)).unwrap_or(i64::MAX)
}

/// The instant of a tick.
pub(super) fn instant(ticks: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_nanosecond(i128::from(ticks) * 100)
        .map_err(|_| Fault::corrupt(format!("{ticks} is no instant")))
}

/// An instant cut to what the store keeps.
pub(super) fn cut(instant: Timestamp) -> Timestamp {
    let nanoseconds = instant.as_nanosecond();
    Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(100)).unwrap_or(instant)
}

/// The ETag of a version.
pub(super) fn etag(version: i64) -> ETag {
    ETag::new(format!("0x{version:016X}"))
}

/// Properties as JSON text.
pub(super) fn encode(properties: &BTreeMap<String, Value>) -> Result<String, Fault> {
    let stored: BTreeMap<&str, StoredValue<'_>> = properties
        .iter()
        .map(|(name, value)| (name.as_str(), to_stored(value)))
        .collect();
    serde_json::to_string(&stored).map_err(|error| Fault::corrupt(error.to_string()))
}

/// Properties from JSON text.
pub(super) fn decode(text: &str) -> Result<BTreeMap<String, Value>, Fault> {
    serde_json::from_str(text)
        .map(|Properties(properties)| properties)
        .map_err(|error| Fault::corrupt(format!("a row is not readable: {error}")))
}

/// Properties as they are read. They were written in order, so that the map is built in one go.
struct Properties(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PropertiesVisitor)
    }
}

struct PropertiesVisitor;

impl<'de> Visitor<'de> for PropertiesVisitor {
    type Value = Properties;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("properties")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties, A::Error> {
        let mut properties = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, StoredValue<'de>>()? {
            properties.push((name, from_stored(value).map_err(A::Error::custom)?));
        }
        Ok(Properties(properties.into_iter().collect()))
    }
}

fn to_stored(value: &Value) -> StoredValue<'_> {
    match value {
        Value::String(text) => StoredValue::String(Cow::Borrowed(text)),
        Value::I32(number) => StoredValue::I32(*number),
        Value::I64(number) => StoredValue::I64(*number),
        Value::F64(number) => StoredValue::F64(number.to_string()),
        Value::Bool(flag) => StoredValue::Bool(*flag),
        Value::DateTime(instant) => StoredValue::DateTime(cut(*instant)),
        Value::Guid(guid) => StoredValue::Guid(guid.to_string()),
        Value::Binary(bytes) => StoredValue::Binary(BASE64.encode(bytes)),
    }
}

fn from_stored(value: StoredValue<'_>) -> Result<Value, String> {
    let damaged = |text: &str| format!("'{text}' is not a value");
    Ok(match value {
        StoredValue::String(text) => Value::String(text.into_owned()),
        StoredValue::I32(number) => Value::I32(number),
        StoredValue::I64(number) => Value::I64(number),
        StoredValue::F64(text) => Value::F64(text.parse().map_err(|_| damaged(&text))?),
        StoredValue::Bool(flag) => Value::Bool(flag),
        StoredValue::DateTime(instant) => Value::DateTime(instant),
        StoredValue::Guid(text) => Value::Guid(Uuid::parse_str(&text).map_err(|_| damaged(&text))?),
        StoredValue::Binary(text) => {
            let bytes = BASE64.decode(text.as_bytes()).map_err(|_| damaged(&text))?;
            Value::Binary(bytes.into())
        }
    })
}

/// A continuation that carries `position`.
pub(super) fn continuation(position: &impl Serialize) -> Result<Continuation, Fault> {
    let json = serde_json::to_vec(position).map_err(|error| Fault::corrupt(error.to_string()))?;
    Ok(Continuation::new(BASE64URL_NOPAD.encode(&json)))
}

/// What a continuation carries.
pub(super) fn position<P: DeserializeOwned>(continuation: &Continuation) -> Result<P, Fault> {
    let json = BASE64URL_NOPAD
        .decode(continuation.as_str().as_bytes())
        .ok();
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| {
            Fault::refused(
                StorageErrorKind::Invalid,
                "the continuation is not one of this store",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survives(value: Value) {
        let properties = BTreeMap::from([("name".to_owned(), value)]);
        let read = decode(&encode(&properties).unwrap()).unwrap();
        assert_eq!(read, properties);
    }

    #[test]
    fn doubles_survive_to_the_last_bit() {
        for number in [
            0.1 + 0.2,
            5e-324,
            f64::MAX,
            -0.0,
            1e21,
            123_456_789.123_456_79,
        ] {
            survives(Value::F64(number));
        }
    }

    #[test]
    fn times_before_1970_are_cut_downwards() {
        let instant_of = |text: &str| text.parse::<Timestamp>().unwrap();
        let before = instant_of("1969-12-31T23:59:59.999999999Z");
        assert_eq!(cut(before), instant_of("1969-12-31T23:59:59.9999999Z"));
        assert_eq!(ticks(before), -1);
        assert_eq!(instant(-1).unwrap(), cut(before));
    }

    #[test]
    fn foreign_continuation_is_refused() {
        for text in ["", "!", "AAAA", "bnVsbA"] {
            let outcome: Result<(String, String), _> = position(&Continuation::new(text));
            assert!(matches!(
                outcome,
                Err(Fault::Refused {
                    kind: StorageErrorKind::Invalid,
                    ..
                })
            ));
        }
    }
}
