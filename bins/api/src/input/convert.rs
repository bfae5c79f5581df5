//! From a JSON value to a domain value, or to the reason why not.

use std::collections::BTreeMap;

use dilux_core::model::{
    AuthMethod, BackupId, CatchUpHours, ClientId, Compression, CronExpression, DatabaseId,
    DatabaseName, DayOfMonth, DayOfWeek, Destination, Email, EngineId, EngineType, Grant, Host,
    HourlyInterval, JitterMinutes, KeepCount, Label, MaxJobs, Month, PageSize, PolicyId,
    PolicyZone, Port, Role, RpoMinutes, TenantId, TimeOfDay, TlsMode, UserName,
};
use dilux_core::secret::SecretValue;
use serde_json::Value;

/// Longest password, in bytes.
const PASSWORD_LIMIT: usize = 4096;

/// Most tags, and the longest tag, in characters: together they fit into one property of a row.
const TAG_COUNT_LIMIT: usize = 50;
const TAG_KEY_LIMIT: usize = 64;
const TAG_VALUE_LIMIT: usize = 256;

/// A value that clients send.
pub(crate) trait FromJson: Sized {
    /// Converts it; the error says what would be right and never repeats the value.
    fn from_json(value: &Value) -> Result<Self, String>;
}

macro_rules! from_text {
    ($($name:ty),* $(,)?) => {
        $(impl FromJson for $name {
            fn from_json(value: &Value) -> Result<Self, String> {
                let text = value.as_str().ok_or("must be text")?;
                text.parse().map_err(|error| format!("{error}"))
            }
        })*
    };
}

from_text!(
    AuthMethod,
    BackupId,
    ClientId,
    Compression,
    CronExpression,
    DatabaseId,
    DatabaseName,
    Destination,
    Email,
    EngineId,
    EngineType,
    Grant,
    Host,
    Label,
    PolicyId,
    PolicyZone,
    Role,
    String,
    TenantId,
    TimeOfDay,
    TlsMode,
    UserName,
);

impl FromJson for bool {
    fn from_json(value: &Value) -> Result<Self, String> {
        value
            .as_bool()
            .ok_or_else(|| "must be true or false".to_owned())
    }
}

/// A whole number; one beyond what fits is out of any range.
fn whole_number(value: &Value) -> Result<i64, String> {
    if value.is_i64() || value.is_u64() {
        Ok(value.as_i64().unwrap_or(i64::MAX))
    } else {
        Err("must be a whole number".to_owned())
    }
}

impl FromJson for u32 {
    fn from_json(value: &Value) -> Result<Self, String> {
        Self::try_from(whole_number(value)?).map_err(|_| "is out of range".to_owned())
    }
}

macro_rules! from_number {
    ($($name:ty: $parse:ident),* $(,)?) => {
        $(impl FromJson for $name {
            fn from_json(value: &Value) -> Result<Self, String> {
                Self::$parse(whole_number(value)?).map_err(|error| error.to_string())
            }
        })*
    };
}

from_number!(
    CatchUpHours: new,
    DayOfMonth: new,
    DayOfWeek: new,
    HourlyInterval: new,
    JitterMinutes: new,
    KeepCount: new,
    MaxJobs: try_from,
    Month: new,
    PageSize: try_from,
    Port: try_from,
    RpoMinutes: try_from,
);

impl FromJson for SecretValue {
    fn from_json(value: &Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("must be text")?;
        if text.len() > PASSWORD_LIMIT {
            Err(format!("must be at most {PASSWORD_LIMIT} bytes long"))
        } else if text.contains(['\0', '\n', '\r']) {
            Err("must not contain line ends or a NUL character".to_owned())
        } else {
            Ok(Self::new(text))
        }
    }
}

/// Free labels of a database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tags(pub(crate) BTreeMap<String, String>);

impl FromJson for Tags {
    fn from_json(value: &Value) -> Result<Self, String> {
        let object = value
            .as_object()
            .ok_or("must be an object whose values are texts")?;
        if object.len() > TAG_COUNT_LIMIT {
            return Err(format!("must have at most {TAG_COUNT_LIMIT} entries"));
        }
        let mut tags = BTreeMap::new();
        for (key, value) in object {
            let text = value.as_str().ok_or("must have texts as values")?;
            if !is_plain(key, TAG_KEY_LIMIT) || key.is_empty() || !is_plain(text, TAG_VALUE_LIMIT) {
                return Err(format!(
                    "must have keys of 1–{TAG_KEY_LIMIT} and values of at most {TAG_VALUE_LIMIT} \
                     characters, without control characters"
                ));
            }
            tags.insert(key.clone(), text.to_owned());
        }
        Ok(Self(tags))
    }
}

fn is_plain(text: &str, limit: usize) -> bool {
    text.chars().count() <= limit && !text.chars().any(char::is_control)
}
