//! One question to a server: connect, greet, encrypt, sign in, ask, and leave.

use std::time::Duration;

use dilux_core::model::{CredentialKind, DatabaseName, TlsMode};
use dilux_core::transfer::{Failure, FailureKind};
use tiberius::error::Error;
use tiberius::{AuthMethod, Client, Config, Row};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;

use super::encryption::encrypted;
use super::greeting::{ServerGreeting, of_client};
use super::packet::exchange;
use super::redirect;
use super::stream::Greeted;
use super::words::Words;
use crate::driver::Target;
use crate::drivers::DriverSettings;
use crate::guard::{Guard, bare};
use crate::process::{Redactor, spoken};

/// Characters of a name or password, at most; longer ones do not fit into a sign-in.
const LONGEST: usize = 128;

/// A way to one server.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) settings: &'a DriverSettings,
    pub(super) guard: &'a Guard,
    pub(super) target: &'a Target,
}

type Connection = Client<Compat<Greeted>>;

/// What became of a sign-in.
enum SignedIn {
    Here(Box<Connection>),
    Elsewhere { host: String, port: u16 },
}

impl Session<'_> {
    /// The rows that answer `query` in `database`, or in the one that the server chooses.
    ///
    /// The client crate logs what servers say as it is. Servers may say anything, also what they were
    /// told in confidence, so its log is not listened to.
    pub(super) async fn rows(
        &self,
        database: Option<&DatabaseName>,
        query: &'static str,
    ) -> Result<Vec<Row>, Failure> {
        self.require_room(database)?;
        let limit = self.settings.deadlines.query;
        let asking = self.ask(database, query);
        let outcome = timeout(limit, asking.with_subscriber(NoSubscriber::new())).await;
        let outcome = outcome.unwrap_or_else(|_| {
            let Target { host, port, .. } = self.target;
            let limit = spoken(limit);
            let message = format!("{host}:{port} did not answer a question within {limit}");
            Err(Failure::new(FailureKind::TimedOut, message))
        });
        let redactor = Redactor::new(&self.target.credentials.password);
        outcome.map_err(|failure| redactor.failure(&failure))
    }

    async fn ask(
        &self,
        database: Option<&DatabaseName>,
        query: &'static str,
    ) -> Result<Vec<Row>, Failure> {
        let mut connection = self.open(database).await?;
        let words = Words::of(self.target);
        let answer = match connection.simple_query(query).await {
            Ok(answer) => answer.into_first_result().await,
            Err(error) => Err(error),
        };
        let rows = answer.map_err(|error| words.of_error(&error))?;
        // Whether it hears of the end makes no difference to the answer.
        connection.close().await.ok();
        Ok(rows)
    }

    /// Signs in, where the server or one that it names lets us in.
    async fn open(&self, database: Option<&DatabaseName>) -> Result<Connection, Failure> {
        let mut target = self.target.clone();
        for _ in 0..=redirect::MOST {
            match self.in_time(&target, database).await? {
                SignedIn::Here(connection) => return Ok(*connection),
                SignedIn::Elsewhere { host, port } => {
                    let followed = redirect::followed(&target, (&host, port))?;
                    target = self.guard.judged(&followed).await?;
                }
            }
        }
        let host = &self.target.host;
        let message = format!("{host} sends its clients on and on; try again later");
        Err(Failure::new(FailureKind::Unreachable, message))
    }

    async fn in_time(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<SignedIn, Failure> {
        let limit = self.settings.deadlines.connect;
        let signing_in = self.sign_in(target, database);
        let silent = |_| Err(Words::of(target).silent(limit));
        timeout(limit, signing_in).await.unwrap_or_else(silent)
    }

    async fn sign_in(
        &self,
        target: &Target,
        database: Option<&DatabaseName>,
    ) -> Result<SignedIn, Failure> {
        let stream = self.greet(target).await?;
        match Client::connect(config(target, database), stream.compat()).await {
            Ok(connection) => Ok(SignedIn::Here(Box::new(connection))),
            Err(Error::Routing { host, port }) => Ok(SignedIn::Elsewhere { host, port }),
            Err(error) => {
                let database = database.map_or("master", DatabaseName::as_str);
                Err(Words::of(target).in_database(database).of_error(&error))
            }
        }
    }

    /// A connection that is as protected as the mode demands. Nothing that is secret has been sent.
    async fn greet(&self, target: &Target) -> Result<Greeted, Failure> {
        let (stream, greeting) = self.exchange(target, true).await?;
        if greeting.encrypts {
            let stream = encrypted(stream, target, &self.settings.authorities).await?;
            return Ok(Greeted::new(
                Box::new(stream),
                &greeting.without_encryption(),
            ));
        }
        if target.tls_mode != TlsMode::Prefer {
            return Err(Words::of(target).no_encryption());
        }
        // A greeting that offers encryption must be followed by it: another one is needed.
        let (stream, greeting) = self.exchange(target, false).await?;
        if greeting.encrypts {
            let line = "it first offers no encryption, and then insists on it";
            return Err(Words::of(target).not_encrypted(line));
        }
        Ok(Greeted::new(
            Box::new(stream),
            &greeting.without_encryption(),
        ))
    }

    /// Connects, and exchanges greetings.
    async fn exchange(
        &self,
        target: &Target,
        encrypts: bool,
    ) -> Result<(TcpStream, ServerGreeting), Failure> {
        let mut stream = connected(target, self.settings.deadlines.connect).await?;
        let brings_token = target.credentials.kind == CredentialKind::Token;
        let greeting = of_client(encrypts, brings_token);
        let answer = exchange(&mut stream, &greeting).await;
        answer
            .and_then(|answer| ServerGreeting::read(&answer))
            .map(|greeting| (stream, greeting))
            .map_err(|error| Words::of(target).of_io(error.kind(), &error.to_string()))
    }

    /// Fails when something does not fit into a sign-in.
    fn require_room(&self, database: Option<&DatabaseName>) -> Result<(), Failure> {
        let credentials = &self.target.credentials;
        let password = match credentials.kind {
            CredentialKind::Password => credentials.password.expose(),
            CredentialKind::Token => "",
        };
        let all = [
            ("the password", password),
            ("the user name", credentials.username.as_str()),
            (
                "the name of the database",
                database.map_or("", DatabaseName::as_str),
            ),
        ];
        let is_long = |text: &str| text.encode_utf16().count() > LONGEST;
        match all.into_iter().find(|(_, text)| is_long(text)) {
            None => Ok(()),
            Some((what, _)) => {
                let message = format!(
                    "{what} is longer than {LONGEST} characters, which no SQL Server takes"
                );
                Err(Failure::new(FailureKind::Configuration, message))
            }
        }
    }
}

/// A connection to the first address that takes one.
async fn connected(target: &Target, patience: Duration) -> Result<TcpStream, Failure> {
    let words = Words::of(target);
    let count = u32::try_from(target.addresses.len()).unwrap_or(u32::MAX);
    let share = patience / count.max(1);
    let mut failure = words.silent(patience);
    for address in &target.addresses {
        let connecting = TcpStream::connect((*address, target.port.get()));
        match timeout(share, connecting).await {
            Ok(Ok(stream)) => {
                // Only for speed.
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Ok(Err(error)) => failure = words.of_io(error.kind(), &error.to_string()),
            Err(_) => {}
        }
    }
    Err(failure)
}

/// What the client crate is told. Connecting, encrypting and limits of time are not its business.
fn config(target: &Target, database: Option<&DatabaseName>) -> Config {
    let credentials = &target.credentials;
    let secret = credentials.password.expose();
    let mut config = Config::new();
    config.host(bare(&target.host));
    config.port(target.port.get());
    config.application_name("dilux");
    config.authentication(match credentials.kind {
        CredentialKind::Password => AuthMethod::sql_server(&credentials.username, secret),
        CredentialKind::Token => AuthMethod::aad_token(secret),
    });
    if let Some(database) = database {
        config.database(database.as_str());
    }
    config.handshake_timeout(None);
    config.command_timeout(None);
    config
}
