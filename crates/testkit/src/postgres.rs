//! A throwaway PostgreSQL server on a free loopback port, with password authentication.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use dilux_core::model::{Credentials, Host, Port, UserName};
use dilux_core::secret::SecretValue;
use rustix::process::Signal;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::azurite::TlsFiles;
use crate::server_process::{
    Account, ServerProcess, cached, new_command, open_directory, run, start_on_free_port,
    write_private,
};

/// Its superuser.
pub const ADMIN: &str = "dilux_admin";

/// The superuser's password: hard to quote, and easy to find where it must not be.
pub const PASSWORD: &str = r#"canary: p'a"s\s w$1%:d"#;

/// What `psql` reads the password from, in the server's directory.
const PASSWORD_FILE: &str = "passwords";

/// A running server with an empty data directory of its own.
#[derive(Debug)]
pub struct PostgresServer {
    process: ServerProcess,
    programs: PathBuf,
    port: u16,
    directory: TempDir,
}

impl PostgresServer {
    /// Starts the newest server installed. Fails with a sentence that says what to install.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with settings: `[("max_connections", "5")]`.
    pub fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        Self::start_in(open_directory()?, settings)
    }

    /// As [`Self::start`], with encryption.
    pub fn start_with_tls(files: TlsFiles<'_>) -> Result<Self> {
        let directory = open_directory()?;
        let account = Account::unprivileged()?;
        let [certificate, key] = account.copy_of_tls(files, directory.path())?;
        let settings = [
            ("ssl", "on"),
            ("ssl_cert_file", &*certificate),
            ("ssl_key_file", &*key),
        ];
        Self::start_in(directory, &settings)
    }

    fn start_in(directory: TempDir, settings: &[(&str, &str)]) -> Result<Self> {
        let programs = programs()?;
        let account = Account::unprivileged()?;
        write_private(&directory.path().join(PASSWORD_FILE), &password_line())?;
        let data = directory.path().join("data");
        account.copy_of(&template(&programs, account)?, &data)?;
        std::fs::set_permissions(&data, Permissions::from_mode(0o700))?;
        let (process, port) = start_on_free_port("could not bind", |port| {
            launch((&programs, &data), account, port, settings)
        })?;
        Ok(Self {
            process,
            programs,
            port,
            directory,
        })
    }

    /// Where it listens.
    pub fn host(&self) -> Host {
        loopback()
    }

    /// Its port.
    pub fn port(&self) -> Port {
        port(self.port)
    }

    /// Its superuser with the password.
    pub fn credentials(&self) -> Credentials {
        credentials(ADMIN, PASSWORD)
    }

    /// The directory of its programs: `initdb`, `pg_dump`…
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs SQL as superuser in `database` and gives the rows: columns parted by `|`, a line each.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = new_command(&self.programs.join("psql"))
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", ADMIN)
            // Not by the environment: a test that looks for the password in every process below
            // its own must not find it in this one.
            .env("PGPASSFILE", self.directory.path().join(PASSWORD_FILE))
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"])
            .args(["--set=ON_ERROR_STOP=1", "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start psql")?;
        let mut input = psql.stdin.take().context("psql has no input")?;
        let sql = sql.to_owned();
        let feeding = std::thread::spawn(move || input.write_all(sql.as_bytes()));
        let output = psql.wait_with_output()?;
        // A psql that stopped reading says why below.
        drop(feeding.join());
        if !output.status.success() {
            bail!("psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?
            .trim_end_matches('\n')
            .to_owned())
    }

    /// Creates a database, by its literal name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let quoted = name.replace('"', "\"\"");
        self.execute("postgres", &format!("CREATE DATABASE \"{quoted}\";"))
            .map(drop)
    }

    /// Whether there is a database of this literal name.
    pub fn has_database(&self, name: &str) -> Result<bool> {
        let quoted = name.replace('\\', "\\\\").replace('\'', "''");
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname = E'{quoted}';");
        Ok(self.execute("postgres", &sql)? == "1")
    }
}

pub(crate) fn loopback() -> Host {
    "127.0.0.1".parse().expect("an address is a host")
}

pub(crate) fn port(number: u16) -> Port {
    Port::try_from(i64::from(number)).expect("a server listens on a port above 0")
}

pub(crate) fn credentials(username: &str, password: &str) -> Credentials {
    let username = username
        .parse::<UserName>()
        .expect("a test's account is a proper name");
    Credentials::with_password(username, SecretValue::new(password))
}

/// The password of every server and account, as a `.pgpass` file writes it.
fn password_line() -> String {
    let password = PASSWORD.replace('\\', "\\\\").replace(':', "\\:");
    format!("*:*:*:*:{password}\n")
}

/// A data directory as `initdb` makes it, made once for each version of the server.
fn template(programs: &Path, account: Account) -> Result<PathBuf> {
    let initdb = std::fs::metadata(programs.join("initdb"))?;
    let key = Sha256::digest(format!(
        "{ADMIN} {PASSWORD} {} {}",
        initdb.len(),
        initdb.mtime()
    ));
    let key = key
        .iter()
        .take(8)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    cached(&format!("postgresql-{key}"), || {
        let directory = open_directory()?;
        let home = account.directory(directory.path(), "server")?;
        let password = home.join("password");
        std::fs::write(&password, PASSWORD)?;
        account.own(&password)?;
        let mut initialise = account.command(&programs.join("initdb"));
        initialise
            .args([
                "--no-sync",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .args(["--username", ADMIN, "--pwfile"])
            .arg(&password)
            .arg(home.join("data"))
            .current_dir(&home);
        run(&mut initialise, "initialise a PostgreSQL server")?;
        Ok((directory, home.join("data")))
    })
}

fn launch(
    (programs, data): (&Path, &Path),
    account: Account,
    port: u16,
    settings: &[(&str, &str)],
) -> Result<ServerProcess> {
    let mut command = account.command(&programs.join("postgres"));
    command
        .arg("-D")
        .arg(data)
        .args(["-p", &port.to_string()])
        .current_dir(data);
    let usual = [
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        // It lives for one test: nothing must survive a crash of the machine.
        ("fsync", "off"),
        ("synchronous_commit", "off"),
        ("full_page_writes", "off"),
        ("shared_buffers", "32MB"),
        ("max_locks_per_transaction", "256"),
    ];
    for (name, value) in usual.iter().chain(settings) {
        command.args(["-c", &format!("{name}={value}")]);
    }
    let ready = "database system is ready to accept connections";
    ServerProcess::start(command, ready, Signal::QUIT)
}

/// The programs of the newest version installed.
fn programs() -> Result<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
    {
        let version = entry.file_name().to_string_lossy().parse();
        let programs = entry.path().join("bin");
        if let Ok(version) = version
            && programs.join("initdb").is_file()
        {
            found.push((version, programs));
        }
    }
    let newest = found.into_iter().max().map(|(_, programs)| programs);
    newest.context("no PostgreSQL server is installed: install the package postgresql")
}
