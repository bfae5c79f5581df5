//! What is to be run: an absolute program, arguments, an environment built from nothing, and
//! secrets that only the child can read.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use dilux_core::secret::SecretValue;
use dilux_core::transfer::{Failure, FailureKind};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use super::deadlines::Deadlines;
use super::output_buffer;
use super::redact::Redactor;
use super::running::{Running, RunningParts};
use super::secret_file::SecretFile;

/// A large pipe lets the tool and us work in longer strides.
const PIPE_BYTES: usize = 1024 * 1024;

/// Something that a child needs while it runs. It is dropped afterwards.
pub(crate) trait Companion: std::fmt::Debug + Send + Sync {}

/// A command line under construction. Nothing of our own environment reaches the child.
#[derive(Debug)]
pub(crate) struct Invocation {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, OsString)>,
    secrets: Vec<OwnedFd>,
    redactor: Redactor,
    companion: Option<Box<dyn Companion>>,
}

impl Invocation {
    /// Runs `program`, which must be an absolute path; `name` is what messages call it.
    pub(crate) fn new(name: &str, program: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: Vec::new(),
            environment: vec![
                // Messages in English, in UTF-8: failures are recognised by their words.
                ("LC_ALL", "C.UTF-8".into()),
                ("TZ", "UTC".into()),
                ("PATH", "/usr/bin:/bin".into()),
                // No tool finds a person's settings, history or certificates.
                ("HOME", "/nonexistent".into()),
            ],
            secrets: Vec::new(),
            redactor: Redactor::default(),
            companion: None,
        }
    }

    /// Appends an argument.
    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Appends arguments.
    pub(crate) fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(OsString::from));
        self
    }

    /// Appends arguments made on the spot.
    pub(crate) fn own_arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(OsString::from));
        self
    }

    /// Sets a variable of the child's environment.
    pub(crate) fn variable(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Has a tool that writes through the C library do so in longer strides.
    pub(crate) fn buffering_output(mut self) -> Self {
        self.environment.extend(output_buffer::variables());
        self
    }

    /// Sets a variable to the path of a file with this content that only the child can open.
    pub(crate) fn secret_variable(
        mut self,
        name: &'static str,
        content: &SecretValue,
    ) -> Result<Self, Failure> {
        let path = self.keep_secret(content)?;
        self.environment.push((name, path.into()));
        Ok(self)
    }

    /// Appends `prefix` with the path of a file with this content that only the child can open.
    pub(crate) fn secret_argument(
        mut self,
        prefix: &str,
        content: &SecretValue,
    ) -> Result<Self, Failure> {
        let path = self.keep_secret(content)?;
        self.arguments.push(format!("{prefix}{path}").into());
        Ok(self)
    }

    /// Keeps `companion` for as long as the child runs.
    pub(crate) fn accompanied_by(mut self, companion: impl Companion + 'static) -> Self {
        self.companion = Some(Box::new(companion));
        self
    }

    /// Takes this secret out of everything that the tool says.
    pub(crate) fn redacting(mut self, secret: &SecretValue) -> Self {
        self.redactor = Redactor::new(secret);
        self
    }

    fn keep_secret(&mut self, content: &SecretValue) -> Result<String, Failure> {
        let file = SecretFile::new(content).map_err(|error| {
            Failure::new(
                FailureKind::Internal,
                format!(
                    "the credentials for {} cannot be handed over: {error}",
                    self.name
                ),
            )
        })?;
        let path = file.path();
        self.secrets.push(file.into_descriptor());
        Ok(path)
    }

    /// Starts the child, with a pipe to its input if `has_input`.
    pub(crate) async fn spawn(
        self,
        has_input: bool,
        deadlines: Deadlines,
    ) -> Result<Running, Failure> {
        let name = self.name.clone();
        let (kind, error) = match self.try_spawn(has_input, deadlines).await {
            Ok(running) => return Ok(running),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                (FailureKind::ToolMissing, error)
            }
            Err(error) => (FailureKind::Internal, error),
        };
        Err(Failure::new(
            kind,
            format!("{name} cannot be started: {error}"),
        ))
    }

    async fn try_spawn(self, has_input: bool, deadlines: Deadlines) -> io::Result<Running> {
        let (stdin_read, stdin_write) = if has_input {
            let (read, write) = large_pipe()?;
            (Some(read), Some(write))
        } else {
            (None, None)
        };
        let (stdout_read, stdout_write) = large_pipe()?;
        let (stderr_read, stderr_write) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut command = new_command(&self.program);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment)
            .current_dir("/")
            .stdin(stdin_read.map_or_else(Stdio::null, Stdio::from))
            .stdout(Stdio::from(stdout_write))
            .stderr(Stdio::from(stderr_write));
        let child = spawn(command, self.secrets).await?;
        Running::new(RunningParts {
            name: self.name,
            child,
            stdin: stdin_write,
            stdout: stdout_read,
            stderr: stderr_read,
            redactor: self.redactor,
            companion: self.companion,
            deadlines,
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that spawns"
)]
fn new_command(program: &Path) -> Command {
    Command::new(program)
}

fn large_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
    // The kernel's limit per user may refuse it; the usual 64 KiB work as well, only slower.
    fcntl_setpipe_size(&read, PIPE_BYTES).ok();
    Ok((read, write))
}

/// Spawns from the thread that never ends, and waits without blocking this one.
async fn spawn(command: Command, inherited: Vec<OwnedFd>) -> io::Result<Child> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    dilux_process_plumbing::spawn(command, inherited, move |result| {
        // The caller is gone: nobody else will ever stop this child.
        if let Err(Ok(mut child)) = sender.send(result) {
            child.kill().ok();
            child.wait().ok();
        }
    });
    receiver
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the spawning thread gave no answer")))
}
