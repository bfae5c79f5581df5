//! Rows as the table service's JSON. Types that JSON does not have are named beside the value.

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value as Json};

use super::odata;
use crate::storage::azure::failure::Failure;
use crate::storage::{ETag, Entity, EntityKey, StorageResult, StoredEntity, Value};

const PARTITION: &str = "PartitionKey";
const ROW: &str = "RowKey";
const TIMESTAMP: &str = "Timestamp";
const ETAG: &str = "odata.etag";
const TYPE_SUFFIX: &str = "@odata.type";

/// The JSON of a row to be written.
pub(super) fn to_json(entity: &Entity) -> StorageResult<String> {
    let mut map = Map::new();
    map.insert(PARTITION.to_owned(), entity.key.partition.clone().into());
    map.insert(ROW.to_owned(), entity.key.row.clone().into());
    for (name, value) in &entity.properties {
        let name = odata::identifier(name)?;
        let (json, edm) = encode(value);
        map.insert(name.to_owned(), json);
        if let Some(edm) = edm {
            map.insert(format!("{name}{TYPE_SUFFIX}"), edm.into());
        }
    }
    Ok(ascii(&Json::Object(map).to_string()))
}

/// The same JSON in ASCII alone. Whoever reads bodies in pieces (Azurite does) cannot cut a
/// character in two then.
fn ascii(json: &str) -> String {
    if json.is_ascii() {
        return json.to_owned();
    }
    let mut escaped = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if character.is_ascii() {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str("\\u");
                HEXLOWER.encode_append(&unit.to_be_bytes(), &mut escaped);
            }
        }
    }
    escaped
}

/// Reads a row that came with minimal metadata.
pub(super) fn from_json(json: Json) -> Result<StoredEntity, Failure> {
    let Json::Object(mut map) = json else {
        return Err(unreadable("a row is not an object"));
    };
    let mut text = |name: &str| match map.remove(name) {
        Some(Json::String(text)) => Ok(text),
        _ => Err(unreadable(&format!("a row has no {name}"))),
    };
    let key = EntityKey::new(text(PARTITION)?, text(ROW)?);
    let etag = ETag::new(text(ETAG)?);
    let timestamp = text(TIMESTAMP)?
        .parse()
        .map_err(|_| unreadable("a row has a Timestamp that is no instant"))?;
    let mut properties = BTreeMap::new();
    for (name, json) in &map {
        // A property that was asked for and is missing comes as null.
        let is_property = !name.contains("odata.") && !json.is_null();
        if is_property {
            let edm = map
                .get(&format!("{name}{TYPE_SUFFIX}"))
                .and_then(Json::as_str);
            let value = decode(json, edm).ok_or_else(|| {
                unreadable(&format!("property {name} has a value of no known type"))
            })?;
            properties.insert(name.clone(), value);
        }
    }
    Ok(StoredEntity {
        entity: Entity { key, properties },
        etag,
        timestamp,
    })
}

/// A value and the name of its type where JSON alone would say another.
fn encode(value: &Value) -> (Json, Option<&'static str>) {
    match value {
        Value::String(text) => (text.clone().into(), None),
        Value::I32(number) => ((*number).into(), None),
        Value::I64(number) => (number.to_string().into(), Some("Edm.Int64")),
        Value::F64(number) => (encode_double(*number), Some("Edm.Double")),
        Value::Bool(flag) => ((*flag).into(), None),
        Value::DateTime(timestamp) => (odata::instant(*timestamp).into(), Some("Edm.DateTime")),
        Value::Guid(guid) => (guid.to_string().into(), Some("Edm.Guid")),
        Value::Binary(bytes) => (BASE64.encode(bytes).into(), Some("Edm.Binary")),
    }
}

fn encode_double(number: f64) -> Json {
    let word = if number.is_nan() {
        "NaN"
    } else if number.is_sign_positive() {
        "Infinity"
    } else {
        "-Infinity"
    };
    serde_json::Number::from_f64(number).map_or_else(|| word.into(), Json::Number)
}

fn decode(json: &Json, edm: Option<&str>) -> Option<Value> {
    Some(match (edm, json) {
        (None | Some("Edm.String"), Json::String(text)) => Value::String(text.clone()),
        (None | Some("Edm.Boolean"), Json::Bool(flag)) => Value::Bool(*flag),
        (Some("Edm.Int32"), Json::Number(number)) => Value::I32(number.as_i64()?.try_into().ok()?),
        (Some("Edm.Int64"), Json::String(text)) => Value::I64(text.parse().ok()?),
        (Some("Edm.Int64"), Json::Number(number)) => Value::I64(number.as_i64()?),
        (Some("Edm.Double"), Json::Number(number)) => Value::F64(number.as_f64()?),
        (Some("Edm.Double"), Json::String(text)) => Value::F64(decode_double(text)?),
        (None, Json::Number(number)) => match number.as_i64().map(i32::try_from) {
            Some(Ok(small)) => Value::I32(small),
            Some(Err(_)) | None => Value::F64(number.as_f64()?),
        },
        (Some("Edm.DateTime"), Json::String(text)) => Value::DateTime(text.parse().ok()?),
        (Some("Edm.Guid"), Json::String(text)) => Value::Guid(text.parse().ok()?),
        (Some("Edm.Binary"), Json::String(text)) => {
            Value::Binary(BASE64.decode(text.as_bytes()).ok()?.into())
        }
        _ => return None,
    })
}

fn decode_double(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" | "INF" => Some(f64::INFINITY),
        "-Infinity" | "-INF" => Some(f64::NEG_INFINITY),
        number => number.parse().ok(),
    }
}

fn unreadable(reason: &str) -> Failure {
    Failure::Unreadable(format!(
        "the table service's answer cannot be read: {reason}"
    ))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    #[test]
    fn types_that_json_lacks_are_named() {
        let entity = Entity::new(EntityKey::new("p", "r"))
            .with("A", Value::String("it's".to_owned()))
            .with("B", Value::I32(1))
            .with("C", Value::I64(i64::MAX))
            .with("D", Value::F64(5.0))
            .with("E", Value::Bool(false))
            .with(
                "F",
                Value::DateTime("2026-11-21T10:00:00.123456789Z".parse().unwrap()),
            )
            .with("G", Value::Guid(uuid::Uuid::from_u128(7)))
            .with("H", Value::Binary(Bytes::from_static(b"\0\xff")))
            .with("I", Value::F64(f64::NEG_INFINITY));
        let written: Json = serde_json::from_str(&to_json(&entity).unwrap()).unwrap();
        assert_eq!(
            written,
            json!({
                "PartitionKey": "p", "RowKey": "r", "A": "it's", "B": 1,
                "C": "9223372036854775807", "C@odata.type": "Edm.Int64",
                "D": 5.0, "D@odata.type": "Edm.Double", "E": false,
                "F": "2026-11-21T10:00:00.1234567Z", "F@odata.type": "Edm.DateTime",
                "G": "00000000-0000-0000-0000-000000000007", "G@odata.type": "Edm.Guid",
                "H": "AP8=", "H@odata.type": "Edm.Binary",
                "I": "-Infinity", "I@odata.type": "Edm.Double",
            })
        );
    }

    #[test]
    fn text_beyond_ascii_is_escaped_and_means_the_same() {
        let text = "naïve 数据 🗄️ \u{10ffff}";
        let entity =
            Entity::new(EntityKey::new("p", "é")).with("A", Value::String(text.to_owned()));
        let json = to_json(&entity).unwrap();
        assert!(json.is_ascii(), "{json}");
        let read: Json = serde_json::from_str(&json).unwrap();
        assert_eq!(
            read,
            json!({ "PartitionKey": "p", "RowKey": "é", "A": text })
        );
    }

    #[test]
    fn rows_are_read_with_version_and_instant_and_without_nulls() {
        let read = from_json(json!({
            "odata.metadata": "http://x/$metadata", "odata.etag": "W/\"1\"",
            "PartitionKey": "p", "RowKey": "r", "Timestamp": "2026-11-21T10:00:00.1234567Z",
            "Missing": null, "Small": 1, "Whole": 5.0, "Large": 10_000_000_000_i64,
            "Long": "-1", "Long@odata.type": "Edm.Int64",
            "Limit": "NaN", "Limit@odata.type": "Edm.Double",
        }))
        .unwrap();
        assert_eq!(read.etag.as_str(), "W/\"1\"");
        assert_eq!(
            read.timestamp,
            "2026-11-21T10:00:00.1234567Z".parse().unwrap()
        );
        let properties = read.entity.properties;
        assert_eq!(properties["Small"], Value::I32(1));
        assert_eq!(properties["Whole"], Value::F64(5.0));
        assert_eq!(properties["Large"], Value::F64(1e10));
        assert_eq!(properties["Long"], Value::I64(-1));
        assert!(matches!(properties["Limit"], Value::F64(number) if number.is_nan()));
        assert!(!properties.contains_key("Missing"));
        assert_eq!(properties.len(), 5);
    }

    #[test]
    fn rows_that_cannot_be_read_are_failures() {
        let whole = json!({
            "odata.etag": "1", "PartitionKey": "p", "RowKey": "r", "Timestamp": "2026-11-21T10:00:00Z",
        });
        for name in ["odata.etag", "PartitionKey", "RowKey", "Timestamp"] {
            let mut map = whole.as_object().unwrap().clone();
            map.remove(name);
            assert!(from_json(Json::Object(map)).is_err(), "{name}");
        }
        for (value, edm) in [
            (json!("x"), json!("Edm.Int64")),
            (json!("x"), json!("Edm.Guid")),
            (json!([]), json!(null)),
            (json!("x"), json!("Edm.Unknown")),
        ] {
            let mut map = whole.as_object().unwrap().clone();
            map.insert("A".to_owned(), value);
            map.insert("A@odata.type".to_owned(), edm);
            assert!(from_json(Json::Object(map)).is_err());
        }
    }
}
