//! Questions to a server through `psql`: a script goes in, one JSON document a line comes out.

use std::time::Duration;

use bytes::Bytes;
use dilux_core::model::TlsMode;
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind, ToolExit};
use serde::de::DeserializeOwned;

use super::words::WORDS;
use crate::driver::Target;
use crate::drivers::DriverSettings;
use crate::explain::Place;
use crate::guard::bare;
use crate::process::{Invocation, ToolEnd, capture};
use crate::tools::{Purpose, Tool, Tools};

/// Databases that a server has besides those of its users, to talk to the server itself.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// A way to one server.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) tools: &'a Tools,
    pub(super) settings: &'a DriverSettings,
    pub(super) target: &'a Target,
}

impl Session<'_> {
    /// The newest client: it talks to every older server.
    pub(super) fn client(&self) -> Result<&Tool, Failure> {
        self.tools.for_purpose(Purpose::PostgreSqlClient).max_by_key(|tool| &tool.version).ok_or_else(
            || {
                Failure::new(
                    FailureKind::ToolMissing,
                    "psql is not installed on the machine of the worker; install the package postgresql-client",
                )
            },
        )
    }

    /// What messages call the place that is talked to.
    pub(super) fn place(&self, tool: &str, database: &str) -> Place {
        Place {
            tool: tool.to_owned(),
            host: self.target.host.to_string(),
            port: self.target.port.get(),
            account: self.target.credentials.username.to_string(),
            database: database.to_owned(),
            connect: self.settings.deadlines.connect,
        }
    }

    /// Gives a tool the way to `database`: all by environment, the password by a memory file. The
    /// name of a database is taken literally there, unlike in an argument.
    pub(super) fn connect(
        &self,
        invocation: Invocation,
        database: &str,
    ) -> Result<Invocation, Failure> {
        let Target {
            host,
            port,
            credentials,
            tls_mode,
            addresses,
            renewal: _,
        } = self.target;
        // A host for each address: libpq tries one after the other, and checks certificates against
        // the name.
        let hosts = vec![bare(host); addresses.len().max(1)].join(",");
        let connect = self.settings.deadlines.connect.as_secs().max(2);
        let invocation = invocation
            .redacting(&credentials.password)
            .variable("PGHOST", hosts)
            .variable("PGPORT", port.to_string())
            .variable("PGUSER", credentials.username.as_str())
            .variable("PGDATABASE", database)
            // The words of the mode are those of libpq.
            .variable("PGSSLMODE", tls_mode.as_str())
            .variable("PGCONNECT_TIMEOUT", connect.to_string())
            .variable("PGAPPNAME", "dilux")
            .secret_variable("PGPASSFILE", &password_file(&credentials.password)?)?;
        let invocation = if addresses.is_empty() {
            invocation
        } else {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            invocation.variable("PGHOSTADDR", addresses.join(","))
        };
        // Where it is set, even a mode that does not verify does.
        Ok(match tls_mode {
            TlsMode::VerifyFull => {
                invocation.variable("PGSSLROOTCERT", self.settings.authorities.as_os_str())
            }
            TlsMode::Prefer | TlsMode::Require => invocation,
        })
    }

    /// `psql` for a script on its input, connected to `database`.
    pub(super) fn psql(&self, database: &str) -> Result<Invocation, Failure> {
        let invocation = self.client()?.invoke().arguments([
            "--no-psqlrc",
            "--no-password",
            "--quiet",
            "--no-align",
            "--tuples-only",
            "--set=ON_ERROR_STOP=1",
            // Adds the code of an error, which is the same in every language.
            "--set=VERBOSITY=verbose",
        ]);
        self.connect(invocation, database)
    }

    /// Runs `script` and hands each line of its output to `take`. It may last `limit`.
    pub(super) async fn for_each<T: DeserializeOwned>(
        &self,
        database: &str,
        (script, limit): (&str, Duration),
        take: &mut (dyn FnMut(T) + Send),
    ) -> Result<(), Failure> {
        let invocation = self.psql(database)?.variable("PGCLIENTENCODING", "UTF8");
        let script = Bytes::copy_from_slice(script.as_bytes());
        let captured = capture(
            invocation,
            script,
            (self.settings.deadlines, limit),
            &mut |line| {
                if !line.is_empty() {
                    take(serde_json::from_slice(line).map_err(|error| unexpected(&error))?);
                }
                Ok(())
            },
        )
        .await?;
        if captured.exit == ToolExit::Code(0) {
            return Ok(());
        }
        let raw_words = String::from_utf8_lossy(&captured.raw_words);
        let end = ToolEnd {
            exit: captured.exit,
            raw_words: &raw_words,
        };
        let failure = WORDS.explain(&self.place("psql", database), &end);
        Err(captured
            .redactor
            .failure(&failure)
            .with_detail(captured.words))
    }

    /// All rows of a short script.
    pub(super) async fn rows<T: DeserializeOwned + Send>(
        &self,
        database: &str,
        script: &str,
    ) -> Result<Vec<T>, Failure> {
        let mut rows = Vec::new();
        let limit = self.settings.deadlines.connect + self.settings.deadlines.query;
        self.for_each(database, (script, limit), &mut |row| rows.push(row))
            .await?;
        Ok(rows)
    }

    /// The one row of a short script.
    pub(super) async fn row<T: DeserializeOwned + Send>(
        &self,
        database: &str,
        script: &str,
    ) -> Result<T, Failure> {
        let rows = self.rows(database, script).await?;
        rows.into_iter().next().ok_or_else(|| {
            Failure::new(
                FailureKind::Internal,
                "the server gave no answer to a question about itself",
            )
        })
    }

    /// All rows of a short script about the server, not about one database.
    pub(super) async fn maintenance_rows<T: DeserializeOwned + Send>(
        &self,
        script: &str,
    ) -> Result<Vec<T>, Failure> {
        let [first, second] = MAINTENANCE;
        match self.rows(first, script).await {
            Err(failure) if failure.kind == FailureKind::UnknownDatabase => {
                self.rows(second, script).await
            }
            result => result,
        }
    }

    /// The one row of a short script about the server.
    pub(super) async fn maintenance_row<T: DeserializeOwned + Send>(
        &self,
        script: &str,
    ) -> Result<T, Failure> {
        let rows = self.maintenance_rows(script).await?;
        rows.into_iter().next().ok_or_else(|| {
            Failure::new(
                FailureKind::Internal,
                "the server gave no answer to a question about itself",
            )
        })
    }
}

fn unexpected(error: &serde_json::Error) -> Failure {
    Failure::new(
        FailureKind::Internal,
        format!("an answer of the server is not understood: {error}"),
    )
}

/// A password file that fits every host, port, database and account.
fn password_file(password: &SecretValue) -> Result<SecretValue, Failure> {
    let text = password.expose();
    if text.contains(['\n', '\r', '\0']) {
        return Err(Failure::new(
            FailureKind::Configuration,
            "the password contains a line end, which PostgreSQL's password file cannot hold; choose another",
        ));
    }
    let escaped = text.replace('\\', "\\\\").replace(':', "\\:");
    Ok(SecretValue::new(format!("*:*:*:*:{escaped}\n")))
}

/// `text` as a quoted SQL identifier.
pub(super) fn identifier(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// `text` as an SQL literal, whatever the server thinks of backslashes.
pub(super) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
