//! Connection strings as people copy them from portals: `Server=…;User Id=…;Password=…` and
//! `postgresql://user:password@host:port/database`. Read once, and taken apart at once.

mod encryption;

use std::borrow::Cow;

use url::Url;

use crate::model::{DatabaseName, EngineType, Host, InvalidName, Port, TlsMode, UserName};
use crate::secret::SecretValue;
use encryption::Encryption;

/// What a connection string says. Its password is redacted wherever it is printed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionString {
    /// Type of the server, where a URL names it.
    pub engine_type: Option<EngineType>,
    /// Host.
    pub host: Option<Host>,
    /// Port.
    pub port: Option<Port>,
    /// Database.
    pub database: Option<DatabaseName>,
    /// Account.
    pub username: Option<UserName>,
    /// Password.
    pub password: Option<SecretValue>,
    encryption: Encryption,
}

/// Keys with one meaning, without blanks and in small letters.
const KEYS: &[(&str, &[&str])] = &[
    (
        "host",
        &[
            "server",
            "host",
            "datasource",
            "addr",
            "address",
            "networkaddress",
        ],
    ),
    ("port", &["port"]),
    ("database", &["database", "initialcatalog", "db", "dbname"]),
    ("user", &["userid", "uid", "user", "username"]),
    ("password", &["password", "pwd"]),
    ("encryption", &["sslmode", "encrypt", "usessl", "ssl"]),
    ("trust", &["trustservercertificate"]),
];

impl ConnectionString {
    /// Reads one. An error names keys, and no value.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        if is_url(text) {
            return Self::from_url(text);
        }
        let mut found = Self::default();
        for (key, value) in pairs(text)? {
            // It may be a part of a password with a semicolon, so it is not repeated.
            if found.password.is_some() && meaning(&key).is_none() {
                return Err(refused(
                    "has a part behind the password that is not known; a password with a semicolon \
                     has to stand in quotes",
                ));
            }
            found.set(&key, &value)?;
        }
        Ok(found)
    }

    /// The TLS mode that it insists on. Words of different drivers mean different things; this is
    /// never weaker than what any of them means.
    pub fn tls_mode(&self) -> Option<TlsMode> {
        self.encryption.tls_mode()
    }

    fn from_url(text: &str) -> Result<Self, InvalidName> {
        let url = Url::parse(text).map_err(|error| refused(format!("is no URL: {error}")))?;
        let engine_type = match url.scheme() {
            "postgresql" | "postgres" => EngineType::PostgreSql,
            "mysql" | "mariadb" => EngineType::MySql,
            _ => {
                return Err(refused(
                    "must begin with postgresql://, mysql:// or mariadb://, or name its parts as in \
                     Server=…;User Id=…;Password=…",
                ));
            }
        };
        // Behind a ?, # or / of a password that is not written as a code.
        if url.fragment().is_some() || url.query().is_some_and(|query| query.contains('@')) {
            return Err(refused(
                "has a #, ? or / in the password that is not written as %23, %3F or %2F",
            ));
        }
        let mut found = Self {
            engine_type: Some(engine_type),
            ..Self::default()
        };
        let parts = [
            ("host", url.host_str().unwrap_or_default()),
            ("user", url.username()),
            ("password", url.password().unwrap_or_default()),
            ("database", url.path().trim_start_matches('/')),
        ];
        for (key, value) in parts {
            if !value.is_empty() {
                found.set(key, &decoded(value)?)?;
            }
        }
        if let Some(port) = url.port() {
            found.set("port", &port.to_string())?;
        }
        for (key, value) in url.query_pairs() {
            found.set(&key, &value)?;
        }
        Ok(found)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), InvalidName> {
        let named = |error: InvalidName| refused(format!("has a '{key}' that {error}"));
        let is_new = match meaning(key) {
            Some("host") => self.set_host(value).map_err(named)?,
            Some("port") => put(&mut self.port, port(value).map_err(named)?),
            Some("database") => put(&mut self.database, value.parse().map_err(named)?),
            Some("user") => put(&mut self.username, value.parse().map_err(named)?),
            Some("password") => put(&mut self.password, SecretValue::new(value)),
            Some("encryption") => return self.encryption.ask(key, value),
            Some(_) => return self.encryption.trust(key, value),
            None => {
                let key: String = key.chars().take(40).collect();
                return Err(refused(format!("has a key '{key}' that is not known")));
            }
        };
        if is_new {
            Ok(())
        } else {
            Err(refused(format!("names '{key}' twice")))
        }
    }

    /// `host`, `tcp:host`, and with a port behind a comma or, where the host has none, a colon.
    fn set_host(&mut self, value: &str) -> Result<bool, InvalidName> {
        let value = value.strip_prefix("tcp:").unwrap_or(value);
        let (host, number) = match value.split_once(',') {
            Some((host, number)) => (host, Some(number)),
            None => match value.split_once(':') {
                Some((host, number)) if !number.contains(':') => (host, Some(number)),
                _ => (value, None),
            },
        };
        if let Some(number) = number
            && !put(&mut self.port, port(number)?)
        {
            return Ok(false);
        }
        Ok(put(&mut self.host, host.trim().parse()?))
    }
}

/// Whether it begins with a scheme: a password may hold `://` as well.
fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| !scheme.contains(['=', ';', '"', '\'']))
}

/// What a key says, however it is written.
fn meaning(key: &str) -> Option<&'static str> {
    let folded: String = key
        .chars()
        .filter(|c| !matches!(c, ' ' | '_'))
        .flat_map(char::to_lowercase)
        .collect();
    let mut keys = KEYS.iter();
    let found = keys.find(|(_, names)| names.contains(&&*folded));
    found.map(|(meaning, _)| *meaning)
}

/// Whether it was not there before.
fn put<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

fn port(text: &str) -> Result<Port, InvalidName> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| refused("must be between 1 and 65535"))?;
    Port::try_from(number)
}

fn refused(reason: impl Into<String>) -> InvalidName {
    InvalidName(reason.into())
}

fn decoded(text: &str) -> Result<Cow<'_, str>, InvalidName> {
    percent_encoding::percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| refused("holds a percent code that is no text"))
}

/// `key=value` between semicolons. A value with a semicolon stands in quotes of either kind, which
/// are doubled inside.
fn pairs(text: &str) -> Result<Vec<(String, String)>, InvalidName> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start_matches([';', ' ']);
    while !rest.is_empty() {
        let Some((key, after)) = rest.split_once('=') else {
            return Err(refused(
                "must be a URL, or name its parts as in Server=…;User Id=…;Password=…",
            ));
        };
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (value, behind) = match quote {
            Some(quote) => quoted(&after[1..], quote)?,
            None => match after.split_once(';') {
                Some((value, behind)) => (value.trim_end().to_owned(), behind),
                None => (after.trim_end().to_owned(), ""),
            },
        };
        pairs.push((key.trim().to_owned(), value));
        rest = behind.trim_start_matches([';', ' ']);
    }
    if pairs.is_empty() {
        return Err(refused("is empty"));
    }
    Ok(pairs)
}

/// The value up to its closing quote, and what follows.
fn quoted(text: &str, quote: char) -> Result<(String, &str), InvalidName> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once(quote) else {
            return Err(refused("has a quote that is not closed"));
        };
        value.push_str(before);
        match after.strip_prefix(quote) {
            Some(after) => {
                value.push(quote);
                rest = after;
            }
            None if after.trim_start().is_empty() || after.trim_start().starts_with(';') => {
                return Ok((value, after.trim_start()));
            }
            None => return Err(refused("goes on behind a closing quote")),
        }
    }
}

#[cfg(test)]
mod tests;
