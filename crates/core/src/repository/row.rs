//! Reading and writing the properties of a row, with errors that name the property.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::storage::{Entity, EntityKey, Value};

/// Why a row could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("property '{property}' {reason}")]
pub(super) struct RowError {
    /// Which property.
    pub(super) property: String,
    /// What is wrong with it.
    pub(super) reason: String,
}

pub(super) type RowResult<T> = Result<T, RowError>;

/// A thing that is kept as a row.
pub trait Row: Sized + Send + Sync {
    /// The row key.
    fn row_key(&self) -> String;
    /// Writes the properties.
    #[doc(hidden)]
    fn write(&self, row: &mut RowWriter);
    /// Reads the properties.
    #[doc(hidden)]
    fn read(row: &RowReader<'_>) -> Result<Self, RowFault>;
}

/// Public face of a decode error, so that [`Row`] may be named outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct RowFault(#[from] RowError);

/// Builds an entity.
#[derive(Debug)]
pub struct RowWriter(Entity);

impl RowWriter {
    pub(super) fn new(key: EntityKey) -> Self {
        Self(Entity::new(key))
    }

    pub(super) fn finish(self) -> Entity {
        self.0
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.properties.insert(name.to_owned(), value);
    }

    pub(super) fn text(&mut self, name: &str, text: impl Into<String>) {
        self.put(name, Value::String(text.into()));
    }

    pub(super) fn optional_text(&mut self, name: &str, text: Option<impl Into<String>>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    pub(super) fn flag(&mut self, name: &str, flag: bool) {
        self.put(name, Value::Bool(flag));
    }

    pub(super) fn small(&mut self, name: &str, number: u32) {
        self.put(name, Value::I32(i32::try_from(number).unwrap_or(i32::MAX)));
    }

    pub(super) fn size(&mut self, name: &str, number: u64) {
        self.put(name, Value::I64(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    pub(super) fn instant(&mut self, name: &str, at: Timestamp) {
        self.text(name, at.to_string());
    }

    pub(super) fn optional_instant(&mut self, name: &str, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.instant(name, at);
        }
    }

    /// Writes a value as JSON text. The types written so cannot fail to serialise.
    pub(super) fn json(&mut self, name: &str, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.text(name, text);
        }
    }
}

/// Reads an entity. Empty text and absence are the same, as in the rows of the Python product.
#[derive(Debug)]
pub struct RowReader<'a>(pub(super) &'a Entity);

impl RowReader<'_> {
    pub(super) fn row_key(&self) -> &str {
        &self.0.key.row
    }

    fn fault(name: &str, reason: impl Into<String>) -> RowError {
        RowError {
            property: name.to_owned(),
            reason: reason.into(),
        }
    }

    pub(super) fn optional_text(&self, name: &str) -> RowResult<Option<&str>> {
        match self.0.properties.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Self::fault(name, "is not text")),
        }
    }

    pub(super) fn text(&self, name: &str) -> RowResult<&str> {
        self.optional_text(name)?
            .ok_or_else(|| Self::fault(name, "is missing"))
    }

    pub(super) fn parsed<T>(&self, name: &str) -> RowResult<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.text(name)?
            .parse()
            .map_err(|error: T::Err| Self::fault(name, error.to_string()))
    }

    pub(super) fn optional_parsed<T>(&self, name: &str) -> RowResult<Option<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.optional_text(name)?
            .map(|text| {
                text.parse()
                    .map_err(|error: T::Err| Self::fault(name, error.to_string()))
            })
            .transpose()
    }

    pub(super) fn key_parsed<T>(&self) -> RowResult<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.row_key()
            .parse()
            .map_err(|error: T::Err| Self::fault("RowKey", error.to_string()))
    }

    pub(super) fn flag(&self, name: &str, absent: bool) -> RowResult<bool> {
        match self.0.properties.get(name) {
            None => Ok(absent),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Self::fault(name, "is not true or false")),
        }
    }

    pub(super) fn optional_number(&self, name: &str) -> RowResult<Option<i64>> {
        match self.0.properties.get(name) {
            None => Ok(None),
            Some(Value::I32(number)) => Ok(Some(i64::from(*number))),
            Some(Value::I64(number)) => Ok(Some(*number)),
            Some(_) => Err(Self::fault(name, "is not a whole number")),
        }
    }

    pub(super) fn number(&self, name: &str) -> RowResult<i64> {
        self.optional_number(name)?
            .ok_or_else(|| Self::fault(name, "is missing"))
    }

    pub(super) fn unsigned(&self, name: &str) -> RowResult<Option<u64>> {
        self.optional_number(name)?
            .map(|number| {
                u64::try_from(number).map_err(|_| Self::fault(name, "must not be negative"))
            })
            .transpose()
    }

    pub(super) fn count(&self, name: &str) -> RowResult<u32> {
        let number = self.optional_number(name)?.unwrap_or(0);
        u32::try_from(number).map_err(|_| Self::fault(name, "is out of range"))
    }

    /// An instant as RFC 3339 text, as a native date, or zone-less as the Python product wrote
    /// it, which means UTC.
    pub(super) fn optional_instant(&self, name: &str) -> RowResult<Option<Timestamp>> {
        if let Some(Value::DateTime(at)) = self.0.properties.get(name) {
            return Ok(Some(*at));
        }
        self.optional_text(name)?
            .map(|text| parse_instant(text).ok_or_else(|| Self::fault(name, "is not an instant")))
            .transpose()
    }

    pub(super) fn instant(&self, name: &str) -> RowResult<Timestamp> {
        self.optional_instant(name)?
            .ok_or_else(|| Self::fault(name, "is missing"))
    }

    pub(super) fn optional_json<T: DeserializeOwned>(&self, name: &str) -> RowResult<Option<T>> {
        self.optional_text(name)?
            .map(|text| {
                serde_json::from_str(text).map_err(|error| Self::fault(name, error.to_string()))
            })
            .transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> RowResult<T> {
        self.optional_json(name)?
            .ok_or_else(|| Self::fault(name, "is missing"))
    }
}

fn parse_instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()
            .map(|zoned| zoned.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zoneless_time_of_the_python_product_is_utc() {
        assert_eq!(
            parse_instant("2025-12-10T12:00:00.123456"),
            Some("2025-12-10T12:00:00.123456Z".parse().unwrap())
        );
        assert_eq!(parse_instant("yesterday"), None);
    }
}
