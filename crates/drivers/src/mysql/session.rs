//! Questions to a server through its command line client: a script goes in, rows come out.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use dilux_core::model::{CredentialKind, DatabaseName, TlsMode};
use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind, ToolExit};

use super::choose;
use super::options::{client_options, tls_options, token_options};
use super::relay::Relay;
use super::words::WORDS;
use crate::driver::Target;
use crate::drivers::DriverSettings;
use crate::explain::Place;
use crate::guard::bare;
use crate::process::{Invocation, ToolEnd, capture};
use crate::tools::{Family, Tool, Tools};

/// Longest line of an options file that the tools read whole.
const LONGEST_OPTION: usize = 4000;

/// A way to one server.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) tools: &'a Tools,
    pub(super) settings: &'a DriverSettings,
    pub(super) target: &'a Target,
}

impl Session<'_> {
    /// What messages call the place that is talked to.
    pub(super) fn place(&self, tool: &str, database: Option<&DatabaseName>) -> Place {
        Place {
            tool: tool.to_owned(),
            host: self.target.host.to_string(),
            port: self.target.port.get(),
            account: self.target.credentials.username.to_string(),
            database: database.map(ToString::to_string).unwrap_or_default(),
            connect: self.settings.deadlines.connect,
        }
    }

    /// Starts the command line of a tool. Where the server is and how to sign in stands in an
    /// options file in memory, which must be the first argument and keeps every other one away.
    pub(super) fn connect(&self, tool: &Tool) -> Result<Invocation, Failure> {
        self.start(tool, "")
    }

    /// The client for a script on its input, connected to `database`, as `family` makes it if that
    /// is installed. The name stands in the options file too: MySQL's client, unlike the dump
    /// tools, takes a name that begins with dashes for an option even behind `--`.
    pub(super) fn client(
        &self,
        family: Option<Family>,
        database: Option<&DatabaseName>,
    ) -> Result<Invocation, Failure> {
        let tool = choose::client(self.tools, family)?;
        let connect = self.settings.deadlines.connect.as_secs().max(1);
        let database = database.map(|name| {
            let name = option_value(name.as_str());
            format!("[mysql]\ndatabase={name}\n")
        });
        Ok(self
            .start(tool, &database.unwrap_or_default())?
            .arguments(client_options(tool))
            .argument(format!("--connect-timeout={connect}")))
    }

    /// With `more` at the end of the options file.
    fn start(&self, tool: &Tool, more: &str) -> Result<Invocation, Failure> {
        let Target {
            credentials,
            tls_mode,
            ..
        } = self.target;
        let token_options = match credentials.kind {
            CredentialKind::Password => Vec::new(),
            CredentialKind::Token => token_options(tool),
        };
        let relay = self.relay(tool)?;
        let options = options_file(self.target, relay.as_ref().map(Relay::port), more)?;
        let invocation = tool
            .invoke()
            .redacting(&credentials.password)
            .secret_argument("--defaults-file=", &options)?
            .own_arguments(tls_options(tool, *tls_mode, &self.settings.authorities))
            .arguments(token_options)
            .argument("--default-character-set=utf8mb4");
        Ok(match relay {
            Some(relay) => invocation.accompanied_by(relay),
            None => invocation,
        })
    }

    /// What insists on encryption for a tool that cannot do so itself.
    fn relay(&self, tool: &Tool) -> Result<Option<Relay>, Failure> {
        if self.target.tls_mode != TlsMode::Require || tool.family == Family::MySql {
            return Ok(None);
        }
        let (host, port) = (host_for_tools(self.target), self.target.port.get());
        let relay = Relay::start((host, port), self.settings.deadlines.connect);
        relay.map(Some).map_err(|error| {
            let message = format!("the relay for encrypted connections does not start: {error}");
            Failure::new(FailureKind::Internal, message)
        })
    }

    /// Runs `script` and hands the columns of each row to `take`. It may last `limit`.
    pub(super) async fn for_each(
        &self,
        database: Option<&DatabaseName>,
        (script, limit): (&str, Duration),
        take: &mut (dyn FnMut(Vec<String>) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        let invocation = self.client(None, database)?;
        // Literals below are written for the usual mode.
        let script = Bytes::from(format!("SET SESSION sql_mode = '';\n{script}"));
        let captured = capture(
            invocation,
            script,
            (self.settings.deadlines, limit),
            &mut |line| take(columns(&String::from_utf8_lossy(line))),
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
        let tool = &choose::client(self.tools, None)?.identity.name;
        let failure = WORDS.explain(&self.place(tool, database), &end);
        Err(captured
            .redactor
            .failure(&failure)
            .with_detail(captured.words))
    }

    /// All rows of a short script.
    pub(super) async fn rows(
        &self,
        database: Option<&DatabaseName>,
        script: &str,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let mut rows = Vec::new();
        let limit = self.settings.deadlines.connect + self.settings.deadlines.query;
        self.for_each(database, (script, limit), &mut |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }
}

/// An options file with the way to the server, which leads by a relay on this machine if there is
/// one, and with `more` at its end.
fn options_file(target: &Target, relay: Option<u16>, more: &str) -> Result<SecretValue, Failure> {
    let Target {
        port, credentials, ..
    } = target;
    let password = format!("password={}", option_value(credentials.password.expose()));
    if password.contains('\0') || password.len() > LONGEST_OPTION {
        let message = match credentials.kind {
            CredentialKind::Password => {
                "the password is too long or contains a NUL character, which the client tools cannot take; choose another"
            }
            CredentialKind::Token => {
                "the token is longer than the client tools can take; let the identity be in fewer groups"
            }
        };
        return Err(Failure::new(FailureKind::Configuration, message));
    }
    let (host, port) = match relay {
        Some(port) => (Ipv4Addr::LOCALHOST.to_string(), port),
        None => (host_for_tools(target), port.get()),
    };
    // By TCP always: the tools take the name localhost for a socket file.
    Ok(SecretValue::new(format!(
        "[client]\nprotocol=tcp\nhost={}\nport={port}\nuser={}\n{password}\n{more}",
        option_value(&host),
        option_value(credentials.username.as_str()),
    )))
}

/// The tools have no option for an address beside a name. Where they look at a certificate they need
/// the name, and the certificate tells them that they talk to the right server; else they get the
/// address.
fn host_for_tools(target: &Target) -> String {
    let is_verified = target.tls_mode == TlsMode::VerifyFull;
    match target.addresses.first() {
        Some(address) if !is_verified => address.to_string(),
        _ => bare(&target.host).to_owned(),
    }
}

/// A value as options files quote it.
fn option_value(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The columns of a row as the client prints it in batch mode.
fn columns(line: &str) -> Vec<String> {
    line.split('\t').map(unescape).collect()
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('0') => plain.push('\0'),
            Some(other) => plain.push(other),
            None => plain.push('\\'),
        }
    }
    plain
}

/// `text` as a quoted SQL identifier.
pub(super) fn identifier(text: &str) -> String {
    format!("`{}`", text.replace('`', "``"))
}

/// `text` as an SQL literal in a session whose mode is the usual one.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_output_is_read_back_literally() {
        assert_eq!(
            columns("a\\tb\\\\c\\nd\tNULL\t"),
            ["a\tb\\c\nd", "NULL", ""]
        );
    }

    #[test]
    fn option_values_survive_every_special_character() {
        assert_eq!(option_value("p'a\"s\\s #;\n"), "\"p'a\\\"s\\\\s #;\\n\"");
    }
}
