//! What becomes of a conversation with SQL Server that fails, in sentences that a person can act on.
//! Numbers: <https://learn.microsoft.com/azure/azure-sql/database/troubleshoot-common-errors-issues>

use std::io::ErrorKind;
use std::time::Duration;

use dilux_core::model::CredentialKind;
use dilux_core::transfer::{Failure, FailureKind};
use tiberius::error::{Error, TokenError};

use crate::driver::Target;
use crate::explain::{NO_ENCRYPTION, NOT_TRUSTED, OTHER_NAME, Place, fill};
use crate::process::escape_controls;

/// Characters of a server's words that a sentence quotes.
const QUOTED: usize = 300;

const PASSWORD_REFUSED: &str =
    "the server refused the user name or the password of account '{account}'";
const TOKEN_REFUSED: &str = "the server refused the token of '{account}'; make a user for the identity (CREATE USER … FROM EXTERNAL PROVIDER) in the database that it signs in to, which is master for the server itself";
const PASSWORD_EXPIRED: &str =
    "the password of account '{account}' has expired; change it at the server";
const LOCKED: &str = "account '{account}' is locked or disabled at the server";
const NO_DATABASE: &str = "there is no database '{database}' on {host}:{port}, or account '{account}' may not open it: {line}";
const NO_SERVER: &str =
    "Azure knows no server of the name '{host}'; look at the host of the engine: {line}";
const FIREWALL: &str = "the firewall of {host} does not let this machine in; add a rule for its address in Azure: {line}";
const LACKS_PRIVILEGE: &str = "account '{account}' lacks a privilege: {line}";
const NO_ROOM: &str = "{host}:{port} has no free connection left, or is too busy: {line}";
const NOT_READY: &str = "the server on {host}:{port} is starting, stopping or moving; a database of Azure that was paused is ready after a minute: {line}";
const NOTHING_LISTENS: &str =
    "nothing listens on {host}:{port}; is the server running, and is the port right?";
const NO_PATH: &str = "there is no network path to {host}:{port}";
const HUNG_UP: &str = "{host}:{port} ended the connection; is it a SQL Server, and does it take connections of TDS 7 (not strict encryption alone)?";
const SILENT: &str =
    "{host}:{port} did not answer within {limit}; look at firewalls and at the server";
const NO_TDS: &str = "what answers on {host}:{port} does not speak as SQL Server does: {line}";
const CIPHERS: &str = "no encrypted connection to {host}:{port} comes about; it needs TLS 1.2 with a cipher of today: {line}";

/// By number of the server.
fn sentence_of(number: u32) -> Option<(FailureKind, &'static str)> {
    Some(match number {
        18456 | 18452 => (FailureKind::Authentication, PASSWORD_REFUSED),
        18487 | 18488 => (FailureKind::Authentication, PASSWORD_EXPIRED),
        18470 | 18486 => (FailureKind::Authentication, LOCKED),
        4060 | 911 => (FailureKind::UnknownDatabase, NO_DATABASE),
        40532 => (FailureKind::Configuration, NO_SERVER),
        40615 | 40914 | 47073 => (FailureKind::Permission, FIREWALL),
        229 | 262 | 297 | 300 | 916 => (FailureKind::Permission, LACKS_PRIVILEGE),
        10928 | 10929 | 17809 | 40501 => (FailureKind::Unreachable, NO_ROOM),
        6005 | 17142 | 17187 | 18401 | 40197 | 40613 | 49918..=49920 => {
            (FailureKind::Unreachable, NOT_READY)
        }
        _ => return None,
    })
}

/// Makes sentences about one server.
#[derive(Debug, Clone)]
pub(super) struct Words {
    place: Place,
    brings_token: bool,
}

impl Words {
    /// About the server of `target`.
    pub(super) fn of(target: &Target) -> Self {
        Self {
            place: Place {
                tool: String::new(),
                host: target.host.to_string(),
                port: target.port.get(),
                account: target.credentials.username.to_string(),
                database: String::new(),
                connect: Duration::ZERO,
            },
            brings_token: target.credentials.kind == CredentialKind::Token,
        }
    }

    /// The same, about signing in to `database`.
    pub(super) fn in_database(mut self, database: &str) -> Self {
        database.clone_into(&mut self.place.database);
        self
    }

    fn say(&self, kind: FailureKind, sentence: &str, line: &str) -> Failure {
        let line: String = line.chars().take(QUOTED).collect();
        let message = fill(sentence, &self.place, &escape_controls(&line));
        Failure::new(kind, message)
    }

    /// It offers no encryption, which the mode demands.
    pub(super) fn no_encryption(&self) -> Failure {
        self.say(FailureKind::Configuration, NO_ENCRYPTION, "")
    }

    /// Nobody who is trusted vouches for it.
    pub(super) fn not_trusted(&self, line: &str) -> Failure {
        self.say(FailureKind::Configuration, NOT_TRUSTED, line)
    }

    /// Its certificate is another host's.
    pub(super) fn other_name(&self, line: &str) -> Failure {
        self.say(FailureKind::Configuration, OTHER_NAME, line)
    }

    /// Both sides do not agree on how to encrypt.
    pub(super) fn not_encrypted(&self, line: &str) -> Failure {
        self.say(FailureKind::Configuration, CIPHERS, line)
    }

    /// It has not answered within `limit`.
    pub(super) fn silent(&self, limit: Duration) -> Failure {
        let mut words = self.clone();
        words.place.connect = limit;
        words.say(FailureKind::Unreachable, SILENT, "")
    }

    /// The network or the other side failed.
    pub(super) fn of_io(&self, kind: ErrorKind, line: &str) -> Failure {
        match kind {
            ErrorKind::ConnectionRefused => self.say(FailureKind::Unreachable, NOTHING_LISTENS, ""),
            ErrorKind::InvalidData => self.say(FailureKind::Configuration, NO_TDS, line),
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                self.say(FailureKind::Unreachable, NO_PATH, "")
            }
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => self.say(FailureKind::Unreachable, HUNG_UP, ""),
            _ => self.say(
                FailureKind::Unreachable,
                "the connection to {host}:{port} failed: {line}",
                line,
            ),
        }
    }

    /// The client crate failed.
    pub(super) fn of_error(&self, error: &Error) -> Failure {
        match error {
            Error::Server(said) => self.of_server(said),
            Error::Io { kind, message } => self.of_io(*kind, message),
            other => self.say(FailureKind::Configuration, NO_TDS, &other.to_string()),
        }
    }

    fn of_server(&self, said: &TokenError) -> Failure {
        let line = format!("{} ({})", said.message(), said.code());
        let (kind, sentence) = sentence_of(said.code()).unwrap_or((
            FailureKind::ToolFailed,
            "the server {host}:{port} refused: {line}",
        ));
        if sentence == PASSWORD_REFUSED && self.brings_token {
            return self.say(kind, TOKEN_REFUSED, &line);
        }
        self.say(kind, sentence, &line)
    }
}
