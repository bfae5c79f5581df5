//! A database to try, as the command line names it.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use dilux_core::model::EngineType;
use dilux_core::secret::SecretValue;
use jiff::Timestamp;
use url::Url;

/// A database on a server, and where its password is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) engine_type: &'static str,
    pub(super) engine_name: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) username: String,
    pub(super) database: String,
    password_file: PathBuf,
}

/// Why a text names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidSubject {
    #[error("write it as postgresql://USER@HOST:PORT/DATABASE?password_file=FILE or mysql://…")]
    Form,
    #[error(
        "a password in an argument can be read by everybody on this machine; put it into a file and add ?password_file=FILE"
    )]
    Password,
    #[error("add ?password_file=FILE, a file that holds the password")]
    NoPasswordFile,
    #[error("'{0}' is not a parameter; there are password_file and name")]
    Parameter(String),
}

/// Longest name that PostgreSQL (63 bytes) and MySQL (64 characters) both take.
const NAME_LIMIT: usize = 63;

impl Subject {
    /// Reads the password, without the line end that editors add.
    pub(super) fn password(&self) -> anyhow::Result<SecretValue> {
        let file = &self.password_file;
        let text = std::fs::read_to_string(file).with_context(|| {
            format!(
                "cannot read the password of {} from {}",
                self.database,
                file.display()
            )
        })?;
        Ok(SecretValue::new(text.trim_end_matches(['\r', '\n'])))
    }

    /// The name of a new database to restore into: this one's with the time.
    pub(super) fn new_name(&self, now: Timestamp) -> String {
        let suffix = now.strftime("_restored_%Y%m%d_%H%M%S").to_string();
        let mut length = self.database.len().min(NAME_LIMIT - suffix.len());
        while !self.database.is_char_boundary(length) {
            length -= 1;
        }
        format!("{}{suffix}", &self.database[..length])
    }
}

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        let url = Url::parse(text).map_err(|_| InvalidSubject::Form)?;
        let engine_type = match url.scheme() {
            "postgresql" | "postgres" => EngineType::PostgreSql,
            "mysql" | "mariadb" => EngineType::MySql,
            _ => return Err(InvalidSubject::Form),
        };
        if url.password().is_some() {
            return Err(InvalidSubject::Password);
        }
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(InvalidSubject::Form)?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = url
            .port()
            .unwrap_or_else(|| engine_type.default_port().get());
        let username = decoded(url.username())?;
        let database = decoded(url.path().trim_start_matches('/'))?;
        if username.is_empty() || database.is_empty() {
            return Err(InvalidSubject::Form);
        }
        let mut engine_name = format!("{} {host}:{port}", engine_type.as_str());
        let mut password_file = None;
        for (key, value) in url.query_pairs() {
            match key.as_ref() {
                "password_file" => password_file = Some(PathBuf::from(value.as_ref())),
                "name" => engine_name = value.into_owned(),
                other => return Err(InvalidSubject::Parameter(other.to_owned())),
            }
        }
        let password_file = password_file.ok_or(InvalidSubject::NoPasswordFile)?;
        let engine_type = engine_type.as_str();
        Ok(Self {
            engine_type,
            engine_name,
            host,
            port,
            username,
            database,
            password_file,
        })
    }
}

/// A part of a URL without its percent signs.
fn decoded(part: &str) -> Result<String, InvalidSubject> {
    percent_encoding::percent_decode_str(part)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| InvalidSubject::Form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_server_account_database_and_password_file() {
        let subject: Subject =
            "mysql://ba%40ck@db.example:3307/my%20shop?password_file=/run/secret"
                .parse()
                .unwrap();
        assert_eq!(
            subject,
            Subject {
                engine_type: "mysql",
                engine_name: "mysql db.example:3307".to_owned(),
                host: "db.example".to_owned(),
                port: 3307,
                username: "ba@ck".to_owned(),
                database: "my shop".to_owned(),
                password_file: "/run/secret".into(),
            }
        );
    }

    #[test]
    fn a_missing_port_is_the_engines_own_and_a_name_may_be_given() {
        let subject: Subject =
            "postgresql://backup@[::1]/shop?password_file=p&name=Sample%20server"
                .parse()
                .unwrap();
        assert_eq!((subject.host.as_str(), subject.port), ("::1", 5432));
        assert_eq!(subject.engine_name, "Sample server");
    }

    #[test]
    fn a_password_in_the_url_is_refused_without_repeating_it() {
        let refusal = "mysql://u:hunter2@h/d".parse::<Subject>().unwrap_err();
        assert_eq!(refusal, InvalidSubject::Password);
        assert!(!refusal.to_string().contains("hunter2"));
    }

    #[test]
    fn what_names_no_database_is_refused() {
        for text in [
            "shop",
            "oracle://u@h/d",
            "mysql://h/d",
            "mysql://u@h/",
            "mysql:///d",
        ] {
            let refusal = format!("{text}?password_file=p")
                .parse::<Subject>()
                .unwrap_err();
            assert_eq!(refusal, InvalidSubject::Form, "{text}");
        }
        assert_eq!(
            "mysql://u@h/d".parse::<Subject>(),
            Err(InvalidSubject::NoPasswordFile)
        );
    }

    #[test]
    fn a_new_name_fits_both_servers_and_breaks_no_character() {
        let long: Subject = format!("mysql://u@h/{}?password_file=p", "é".repeat(60))
            .parse()
            .unwrap();
        let name = long.new_name("2026-11-21T14:30:00Z".parse().unwrap());
        assert!(
            name.len() <= NAME_LIMIT && name.ends_with("_restored_20261121_143000"),
            "{name}"
        );
        let short: Subject = "mysql://u@h/shop?password_file=p".parse().unwrap();
        let name = short.new_name("2026-11-21T14:30:00Z".parse().unwrap());
        assert_eq!(name, "shop_restored_20261121_143000");
    }
}
