//! Names, hosts and ports that came from people.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidName(pub String);

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                let check: fn(&str) -> Result<(), &'static str> = $check;
                match check(&text) {
                    Ok(()) => Ok(Self(text)),
                    Err(reason) => Err(InvalidName(reason.to_owned())),
                }
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

text_type!(
    /// Label of an engine, database or policy as people see it: 1–100 characters, not blank,
    /// without control characters.
    Label,
    |text| {
        if text.trim().is_empty() {
            Err("must not be empty")
        } else if text.chars().count() > 100 {
            Err("must be at most 100 characters long")
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters")
        } else {
            Ok(())
        }
    }
);

text_type!(
    /// Name of a database on its server, taken literally: 1–255 bytes, no NUL. Anything else is
    /// allowed, also quotes, blanks, dashes in front, line ends, emoji: servers allow it, so the
    /// drivers must never put it where it could be read as an option or a connection string.
    DatabaseName,
    |text| {
        if text.is_empty() {
            Err("must not be empty")
        } else if text.len() > 255 {
            Err("must be at most 255 bytes long")
        } else if text.contains('\0') {
            Err("must not contain a NUL character")
        } else {
            Ok(())
        }
    }
);

text_type!(
    /// Host name or IP address of a server: 1–253 characters of letters, digits and `.-_:[]%`.
    /// Lower-cased comparison is the caller's business.
    Host,
    |text| {
        let is_host_character =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']' | '%');
        if text.is_empty() {
            Err("must not be empty")
        } else if text.len() > 253 {
            Err("must be at most 253 characters long")
        } else if text.starts_with('-') {
            Err("must not start with a dash")
        } else if !text.chars().all(is_host_character) {
            Err("must be a host name or an IP address, without scheme, port or blanks")
        } else {
            Ok(())
        }
    }
);

text_type!(
    /// Name of an account on a database server: 1–128 bytes, without control characters.
    UserName,
    |text| {
        if text.is_empty() {
            Err("must not be empty")
        } else if text.len() > 128 {
            Err("must be at most 128 bytes long")
        } else if text.chars().any(char::is_control) {
            Err("must not contain control characters")
        } else {
            Ok(())
        }
    }
);

text_type!(
    /// A tenant of Entra ID, by its id or one of its domains: 1–253 letters, digits, dots and
    /// hyphens.
    TenantId,
    |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if (1..=253).contains(&text.len()) && text.chars().all(is_plain) {
            Ok(())
        } else {
            Err("must be the id or a domain of a tenant: letters, digits, dots and hyphens")
        }
    }
);

text_type!(
    /// An app or a user-assigned identity in Entra ID, by its client id: 1–64 letters, digits and
    /// hyphens.
    ClientId,
    |text| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if (1..=64).contains(&text.len()) && text.chars().all(is_plain) {
            Ok(())
        } else {
            Err("must be a client id: letters, digits and hyphens")
        }
    }
);

text_type!(
    /// E-mail address of a person: at most 254 characters, one `@` between two parts, no blanks.
    /// Kept as it was written; compared whatever its case.
    Email,
    |text| {
        let mut parts = text.split('@');
        let (before, after, more) = (parts.next(), parts.next(), parts.next());
        let is_part = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
        if !is_part(before) || !is_part(after) || more.is_some() {
            Err("must be an e-mail address")
        } else if text.chars().count() > 254 {
            Err("must be at most 254 characters long")
        } else if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            Err("must not contain blanks or control characters")
        } else {
            Ok(())
        }
    }
);

impl Email {
    /// The address as it is compared.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Whether both are the same address.
    pub fn is_same(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

/// TCP port, 1–65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Port(u16);

impl Port {
    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<i64> for Port {
    type Error = InvalidName;

    fn try_from(number: i64) -> Result<Self, InvalidName> {
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(InvalidName("must be between 1 and 65535".to_owned())),
        }
    }
}

impl From<Port> for i64 {
    fn from(port: Port) -> Self {
        Self::from(port.0)
    }
}

impl fmt::Display for Port {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A container of the same store that takes the data of some databases: 3–63 lower-case letters,
/// digits and single inner hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination(String);

impl Destination {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Destination {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_valid = (3..=63).contains(&text.len())
            && text.chars().all(is_plain)
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        if is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(
                "must be 3–63 lower-case letters, digits and single hyphens inside".to_owned(),
            ))
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Type of a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineType {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    PostgreSql,
    /// Microsoft SQL Server and Azure SQL.
    SqlServer,
}

impl EngineType {
    /// Every type, in the order of the documents.
    pub const ALL: [Self; 3] = [Self::MySql, Self::PostgreSql, Self::SqlServer];

    /// The name on the wire, in rows and in blob names.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::PostgreSql => "postgresql",
            Self::SqlServer => "sqlserver",
        }
    }

    /// The port that servers of this type listen on by custom.
    pub fn default_port(self) -> Port {
        Port(match self {
            Self::MySql => 3306,
            Self::PostgreSql => 5432,
            Self::SqlServer => 1433,
        })
    }
}

impl FromStr for EngineType {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| InvalidName("must be one of mysql, postgresql, sqlserver".to_owned()))
    }
}

impl fmt::Display for EngineType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
