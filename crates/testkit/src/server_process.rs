//! What throwaway database servers have in common: a directory, an account that is not root, a
//! free port, a log, and an end.

use std::collections::VecDeque;
use std::fs::{
    OpenOptions, Permissions, copy, create_dir, create_dir_all, read_dir, read_to_string, rename,
    set_permissions,
};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::azurite::TlsFiles;

const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOG_LINES: usize = 200;

/// How many ports are tried.
const ATTEMPTS: usize = 3;

/// Database servers refuse to run as root: the account that they run as then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    ids: Option<(u32, u32)>,
}

impl Account {
    /// `nobody` when we are root, else ourselves.
    pub(crate) fn unprivileged() -> Result<Self> {
        if !geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let accounts = read_to_string("/etc/passwd").context("read the list of accounts")?;
        let ids = accounts.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            let (name, user, group) = (fields.first()?, fields.get(2)?, fields.get(3)?);
            (*name == "nobody").then(|| Some((user.parse().ok()?, group.parse().ok()?)))?
        });
        let ids = ids.context("there is no account 'nobody' to run a database server as")?;
        Ok(Self { ids: Some(ids) })
    }

    /// A directory that it owns, in `parent`.
    pub(crate) fn directory(self, parent: &Path, name: &str) -> Result<PathBuf> {
        let path = parent.join(name);
        create_dir(&path).context("make a directory for a server")?;
        self.own(&path)?;
        Ok(path)
    }

    /// Gives it a file or directory.
    pub(crate) fn own(self, path: &Path) -> Result<()> {
        match self.ids {
            Some((user, group)) => chown(path, Some(user), Some(group)).context("give a file away"),
            None => Ok(()),
        }
    }

    /// A copy of the directory `from`, which it owns.
    pub(crate) fn copy_of(self, from: &Path, to: &Path) -> Result<()> {
        create_dir(to).context("make a directory for a server")?;
        self.own(to)?;
        for entry in read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                self.copy_of(&entry.path(), &target)?;
            } else {
                copy(entry.path(), &target).context("copy a server's file")?;
                self.own(&target)?;
            }
        }
        Ok(())
    }

    /// Copies of a certificate and its key that it owns, the key for nobody else.
    pub(crate) fn copy_of_tls(self, files: TlsFiles<'_>, to: &Path) -> Result<[String; 2]> {
        let mut copies = Vec::new();
        for (from, name) in [
            (files.certificate, "certificate.pem"),
            (files.key, "key.pem"),
        ] {
            let target = to.join(name);
            copy(from, &target).context("copy a certificate")?;
            set_permissions(&target, Permissions::from_mode(0o600))?;
            self.own(&target)?;
            copies.push(target.display().to_string());
        }
        <[String; 2]>::try_from(copies)
            .ok()
            .context("two files are two files")
    }

    /// A command that runs as this account, with nothing of our environment.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = new_command(program);
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }
}

/// A command with nothing of our environment but the mark by which `scripts/test` finds leftovers.
#[expect(
    clippy::disallowed_methods,
    reason = "the test kit starts throwaway servers itself"
)]
pub(crate) fn new_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8");
    if let Some(run) = std::env::var_os("DILUX_TEST_RUN") {
        command.env("DILUX_TEST_RUN", run);
    }
    command
}

/// A directory that other accounts may enter.
pub(crate) fn open_directory() -> Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("dilux-").tempdir();
    let directory = directory.context("make a directory for a server")?;
    set_permissions(directory.path(), Permissions::from_mode(0o755))?;
    Ok(directory)
}

/// Writes a file that only this account reads.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(content.as_bytes())?)
}

/// The directory `key` of what is slow to make and the same for every test, made by `make` when it
/// is not there. It lies outside of version control.
pub(crate) fn cached(
    key: &str,
    make: impl FnOnce() -> Result<(TempDir, PathBuf)>,
) -> Result<PathBuf> {
    let cache = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/testkit");
    let kept = cache.join(key);
    if kept.is_dir() {
        return Ok(kept);
    }
    let (_holder, result) = make()?;
    create_dir_all(&cache)?;
    let own = tempfile::Builder::new().prefix("new-").tempdir_in(&cache)?;
    let copy = own.path().join("copy");
    Account { ids: None }.copy_of(&result, &copy)?;
    // Another test may have been quicker: its directory is as good.
    match rename(&copy, &kept) {
        Err(error) if !kept.is_dir() => Err(error).context("keep a directory for later tests"),
        _ => Ok(kept),
    }
}

/// Starts a server on a free port with `launch`. Others may take the port first: an error that has
/// the words of `taken` means that, and another port is tried.
pub(crate) fn start_on_free_port(
    taken: &str,
    launch: impl Fn(u16) -> Result<ServerProcess>,
) -> Result<(ServerProcess, u16)> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let port = free_port()?;
        match launch(port) {
            Ok(process) => return Ok((process, port)),
            Err(error) if error.to_string().contains(taken) => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.context("no port was free")?)
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

/// Runs `command` to its end; fails with its own words when it does.
pub(crate) fn run(command: &mut Command, what: &str) -> Result<Output> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| what.to_owned())?;
    if output.status.success() {
        return Ok(output);
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    bail!("{what}: {}: {words}", output.status)
}

/// A running server. It ends with this value, and also when the test process dies.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
    stop_signal: Signal,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl ServerProcess {
    /// Starts it and waits for `ready` in a line of its log on standard error.
    pub(crate) fn start(mut command: Command, ready: &str, stop_signal: Signal) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = dilux_process_plumbing::spawn_and_wait_for_start(command, Vec::new())
            .context("start a database server")?;
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child
            .stderr
            .take()
            .context("the server has no standard error")?;
        let readiness = follow(stderr, Arc::clone(&log), ready.to_owned());
        let server = Self {
            child,
            stop_signal,
            log,
        };
        match readiness.recv_timeout(START_LIMIT) {
            Ok(()) => Ok(server),
            Err(RecvTimeoutError::Timeout) => {
                bail!(
                    "the server did not start within a minute:\n{}",
                    server.log()
                )
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the server ended while it started:\n{}", server.log())
            }
        }
    }

    /// The end of its log.
    pub(crate) fn log(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().flat_map(|line| [line, "\n"]).collect()
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it.
    pub(crate) fn stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Some(pid), Ok(None)) = (pid, self.child.try_wait()) {
            kill_process(pid, self.stop_signal).ok();
        }
        let deadline = Instant::now() + STOP_LIMIT;
        while let Ok(None) = self.child.try_wait() {
            if Instant::now() > deadline {
                self.child.kill().ok();
                self.child.wait().ok();
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Keeps the end of the log, and tells once when `ready` was in it.
fn follow(
    stderr: impl Read + Send + 'static,
    log: Arc<Mutex<VecDeque<String>>>,
    ready: String,
) -> Receiver<()> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut sender = Some(sender);
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let is_ready = line.contains(&ready);
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.len() == LOG_LINES {
                log.pop_front();
            }
            log.push_back(line);
            if is_ready && let Some(sender) = sender.take() {
                // The starter may have given up.
                sender.send(()).ok();
            }
        }
    });
    receiver
}
