//! A throwaway MariaDB server on a free loopback port, with password authentication.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use dilux_core::model::{Credentials, Host, Port};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::azurite::TlsFiles;
use crate::postgres::{credentials, loopback, port};
use crate::server_process::{
    Account, ServerProcess, cached, new_command, open_directory, run, start_on_free_port,
    write_private,
};

/// Its administrator.
pub const ADMIN: &str = "dilux_admin";

/// The administrator's password: hard to quote, and easy to find where it must not be.
pub const PASSWORD: &str = r#"canary: p'a"s\s w$1%#;d"#;

/// What the client reads the password from, in the server's directory.
const OPTIONS_FILE: &str = "client.cnf";

/// Options that make it quick: it lives for one test, and nothing must survive a crash.
const OPTIONS: &[&str] = &[
    "--bind-address=127.0.0.1",
    "--skip-log-bin",
    "--character-set-server=utf8mb4",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-fast-shutdown=2",
    "--aria-pagecache-buffer-size=8M",
    "--key-buffer-size=8M",
    "--event-scheduler=OFF",
];

/// A running server with an empty data directory of its own.
#[derive(Debug)]
pub struct MariaDbServer {
    process: ServerProcess,
    port: u16,
    directory: TempDir,
}

impl MariaDbServer {
    /// Starts the server installed. Fails with a sentence that says what to install.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more options: `["--max-connections=5"]`.
    pub fn start_with(options: &[&str]) -> Result<Self> {
        Self::start_in(open_directory()?, options)
    }

    /// As [`Self::start`], with encryption.
    pub fn start_with_tls(files: TlsFiles<'_>) -> Result<Self> {
        let directory = open_directory()?;
        let account = Account::unprivileged()?;
        let [certificate, key] = account.copy_of_tls(files, directory.path())?;
        let options = [
            format!("--ssl-cert={certificate}"),
            format!("--ssl-key={key}"),
        ];
        Self::start_in(directory, &options.each_ref().map(String::as_str))
    }

    fn start_in(directory: TempDir, options: &[&str]) -> Result<Self> {
        let account = Account::unprivileged()?;
        write_private(&directory.path().join(OPTIONS_FILE), &client_options())?;
        let home = account.directory(directory.path(), "server")?;
        account.copy_of(&template(account)?, &home.join("data"))?;
        let first_words = home.join("first-words.sql");
        std::fs::write(&first_words, create_administrator())?;
        account.own(&first_words)?;
        let (process, port) = start_on_free_port("in use", |port| {
            launch((&home, &first_words), account, port, options)
        })?;
        Ok(Self {
            process,
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

    /// Its administrator with the password.
    pub fn credentials(&self) -> Credentials {
        credentials(ADMIN, PASSWORD)
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs SQL as administrator in `database` (none when empty) and gives the rows: columns
    /// parted by tabs, a line each.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String> {
        let options = self.directory.path().join(OPTIONS_FILE);
        let mut client = new_command(&installed("mariadb")?)
            // Not by the environment: a test that looks for the password in every process below
            // its own must not find it in this one.
            .arg(format!("--defaults-file={}", options.display()))
            .args(["--batch", "--raw", "--skip-column-names", "--binary-mode"])
            .args([
                "--host=127.0.0.1",
                "--protocol=tcp",
                "--default-character-set=utf8mb4",
            ])
            .args([format!("--port={}", self.port), format!("--user={ADMIN}")])
            .args(["--", database])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start the MariaDB client")?;
        let mut input = client.stdin.take().context("the client has no input")?;
        let sql = sql.to_owned();
        let feeding = std::thread::spawn(move || input.write_all(sql.as_bytes()));
        let output = client.wait_with_output()?;
        // A client that stopped reading says why below.
        drop(feeding.join());
        if !output.status.success() {
            bail!(
                "mariadb: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8(output.stdout)?
            .trim_end_matches('\n')
            .to_owned())
    }

    /// Creates a database, by its literal name.
    pub fn create_database(&self, name: &str) -> Result<()> {
        let quoted = name.replace('`', "``");
        self.execute("", &format!("CREATE DATABASE `{quoted}`;"))
            .map(drop)
    }

    /// Whether there is a database of this literal name.
    pub fn has_database(&self, name: &str) -> Result<bool> {
        let quoted = name.replace('\\', "\\\\").replace('\'', "''");
        let sql = format!(
            "SELECT count(*) FROM information_schema.schemata WHERE schema_name = '{quoted}';"
        );
        Ok(self.execute("", &sql)? == "1")
    }
}

fn launch(
    (home, first_words): (&Path, &Path),
    account: Account,
    port: u16,
    options: &[&str],
) -> Result<ServerProcess> {
    let mut command = account.command(&installed("mariadbd")?);
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", home.join("data").display()))
        .arg(format!("--socket={}", home.join("socket").display()))
        .arg(format!("--pid-file={}", home.join("pid").display()))
        // A server that starts deletes the temporary tables that it finds, also another one's.
        .arg(format!("--tmpdir={}", home.display()))
        .arg(format!("--init-file={}", first_words.display()))
        .arg(format!("--port={port}"))
        .args(OPTIONS)
        .args(options)
        .current_dir(home);
    ServerProcess::start(command, "ready for connections", Signal::TERM)
}

/// A data directory as the server's own script makes it, made once for each version of the server:
/// that takes seconds.
fn template(account: Account) -> Result<PathBuf> {
    let server = std::fs::metadata(installed("mariadbd")?)?;
    cached(
        &format!("mariadb-{}-{}", server.len(), server.mtime()),
        || {
            let directory = open_directory()?;
            let home = account.directory(directory.path(), "server")?;
            let mut initialise = account.command(&installed("mariadb-install-db")?);
            initialise
                .args(["--no-defaults", "--auth-root-authentication-method=normal"])
                .args(["--skip-test-db", "--innodb-log-file-size=16M"])
                .arg(format!("--datadir={}", home.join("data").display()))
                // Two that start at once would delete each other's temporary tables.
                .arg(format!("--tmpdir={}", home.display()))
                .current_dir(&home);
            run(&mut initialise, "initialise a MariaDB server")?;
            Ok((directory, home.join("data")))
        },
    )
}

/// The password as an options file writes it.
fn client_options() -> String {
    let password = PASSWORD.replace('\\', "\\\\").replace('"', "\\\"");
    format!("[client]\npassword=\"{password}\"\n")
}

/// Statements of one line each, as an init file wants them.
fn create_administrator() -> String {
    let password = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
    [
        format!("CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{password}';"),
        format!("GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;"),
        // Accounts without a password, which would also shadow the one above.
        "DELETE FROM mysql.global_priv WHERE user IN ('', 'root');".to_owned(),
        "FLUSH PRIVILEGES;\n".to_owned(),
    ]
    .join("\n")
}

fn installed(program: &str) -> Result<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(program))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{program} is not installed: install the packages mariadb-server-core and mariadb-client")
        })
}
