//! A child process at work: its streams, its end, and its killing.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use dilux_core::transfer::{Failure, FailureKind, ToolExit};
use rustix::pipe::fcntl_getpipe_size;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{Instant, sleep_until, timeout};

use super::deadlines::{Deadlines, spoken, spoken_size};
use super::invocation::Companion;
use super::redact::Redactor;
use super::stderr::StderrTail;

/// How long a killed process may take to go before it is left to a thread of its own.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// What a running child is made of.
pub(crate) struct RunningParts {
    pub(crate) name: String,
    pub(crate) child: Child,
    pub(crate) stdin: Option<OwnedFd>,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    pub(crate) redactor: Redactor,
    pub(crate) companion: Option<Box<dyn Companion>>,
    pub(crate) deadlines: Deadlines,
}

/// A child process with its group. Dropped, it kills the group.
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) redactor: Redactor,
    pub(crate) deadlines: Deadlines,
    pub(crate) started: Instant,
    pub(crate) stderr: StderrTail,
    stdin: Option<Sender>,
    stdout: Receiver,
    leader: Leader,
    /// Dropped after the leader, which may need it to the end.
    _companion: Option<Box<dyn Companion>>,
    bytes_out: u64,
    /// Set when the leader was seen dead while its output was still open.
    dead_since: Option<Instant>,
}

impl Running {
    pub(super) fn new(parts: RunningParts) -> io::Result<Self> {
        // First of all, so that an error below kills the child.
        let leader = Leader::new(parts.child)?;
        Ok(Self {
            stdin: parts.stdin.map(Sender::from_owned_fd).transpose()?,
            stdout: Receiver::from_owned_fd(parts.stdout)?,
            stderr: StderrTail::start(parts.stderr)?,
            name: parts.name,
            redactor: parts.redactor,
            deadlines: parts.deadlines,
            started: Instant::now(),
            leader,
            _companion: parts.companion,
            bytes_out: 0,
            dead_since: None,
        })
    }

    /// Bytes read from its output so far.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    /// Bytes of output that the tool may be ahead of us; 0 when the kernel does not say.
    pub(crate) fn output_capacity(&self) -> usize {
        fcntl_getpipe_size(&self.stdout).unwrap_or(0)
    }

    /// Reads output into the spare capacity of `buffer`; 0 at its end. `silence` is how long the
    /// tool may deliver nothing.
    pub(crate) async fn read(
        &mut self,
        buffer: &mut BytesMut,
        silence: Duration,
    ) -> Result<usize, Failure> {
        let spare = buffer.capacity() - buffer.len();
        if spare == 0 {
            return Err(Failure::new(
                FailureKind::Internal,
                "a dump was read into a full buffer",
            ));
        }
        let total = self.started + self.deadlines.total;
        let silent = Instant::now() + silence;
        loop {
            let orphaned = self.dead_since.map(|dead| dead + self.deadlines.linger);
            let deadline = silent.min(total).min(orphaned.unwrap_or(total));
            let mut target = (&mut *buffer).limit(spare);
            tokio::select! {
                biased;
                result = self.stdout.read_buf(&mut target) => {
                    let count = result.map_err(|error| self.broken("output", &error))?;
                    self.bytes_out += count as u64;
                    return Ok(count);
                }
                () = self.leader.exited(), if self.dead_since.is_none() => {
                    self.dead_since = Some(Instant::now());
                }
                () = sleep_until(deadline) => return Err(self.overdue(orphaned, total, silence)),
            }
        }
    }

    /// Writes all of `bytes` to its input. Fails when the tool has closed it, which it does when
    /// it dies.
    pub(crate) async fn write(&mut self, bytes: &[u8], silence: Duration) -> Result<(), Failure> {
        let total = self.started + self.deadlines.total;
        let Some(mut stdin) = self.stdin.take() else {
            return Err(Failure::new(
                FailureKind::Internal,
                "this tool has no open input",
            ));
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let deadline = (Instant::now() + silence).min(total);
            let written = tokio::select! {
                biased;
                result = stdin.write(rest) => result.map_err(|error| self.broken("input", &error))?,
                () = sleep_until(deadline) => return Err(self.overdue(None, total, silence)),
            };
            rest = &rest[written..];
        }
        self.stdin = Some(stdin);
        Ok(())
    }

    /// Closes its input.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Gives its input away.
    pub(crate) fn take_input(&mut self) -> Option<Sender> {
        self.stdin.take()
    }

    /// Waits for the exit of the tool, at most `limit`, then ends whatever it left behind and
    /// collects its last words. A tool that does not exit is killed.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Result<ToolExit, Failure> {
        let total = self.started + self.deadlines.total;
        let deadline = (Instant::now() + limit).min(total);
        let has_exited = tokio::select! {
            () = self.leader.exited() => true,
            () = sleep_until(deadline) => false,
        };
        if !has_exited {
            self.kill().await;
            return Err(Failure::new(
                FailureKind::Stalled,
                format!(
                    "{} closed its output, but did not exit within {}; it was stopped",
                    self.name,
                    spoken(limit)
                ),
            ));
        }
        let exit = self.leader.reap();
        self.stderr
            .settle(self.deadlines.linger.min(AFTER_KILL))
            .await;
        Ok(exit)
    }

    /// Ends the group: asks, waits for the grace, kills, and waits.
    pub(crate) async fn kill(&mut self) {
        self.leader.signal_group(Signal::TERM);
        if timeout(self.deadlines.grace, self.leader.exited())
            .await
            .is_err()
        {
            self.leader.signal_group(Signal::KILL);
            // A process that even KILL does not end hangs in the kernel.
            if timeout(AFTER_KILL, self.leader.exited()).await.is_err() {
                return;
            }
        }
        self.leader.reap();
        self.stderr.settle(Duration::from_millis(200)).await;
    }

    /// The end of what it said on standard error, fit to be shown.
    pub(crate) fn last_words(&self) -> String {
        self.stderr.shown(&self.redactor)
    }

    fn broken(&self, stream: &str, error: &io::Error) -> Failure {
        let message = format!("the {stream} of {} broke off: {error}", self.name);
        Failure::new(FailureKind::ToolFailed, message)
    }

    fn overdue(&self, orphaned: Option<Instant>, total: Instant, silence: Duration) -> Failure {
        let now = Instant::now();
        let name = &self.name;
        let done = spoken_size(self.bytes_out);
        let (kind, message) = if now >= total {
            let limit = spoken(self.deadlines.total);
            (
                FailureKind::TimedOut,
                format!(
                    "{name} was stopped after {limit}, the limit for the whole, with {done} done"
                ),
            )
        } else if orphaned.is_some_and(|orphaned| now >= orphaned) {
            (
                FailureKind::ToolFailed,
                format!(
                    "{name} has exited, but left a process behind that holds its output open; it was stopped after {done}"
                ),
            )
        } else if self.stdin.is_none() && self.bytes_out == 0 {
            let limit = spoken(silence);
            (
                FailureKind::Stalled,
                format!(
                    "{name} moved nothing for {limit}; the server may be waiting for a lock, or the network is silent"
                ),
            )
        } else {
            let limit = spoken(silence);
            (
                FailureKind::Stalled,
                format!(
                    "{name} moved nothing for {limit} after {done}; the server or the network is silent"
                ),
            )
        };
        Failure::new(kind, message).with_detail(self.last_words())
    }
}

/// The first process of the group. Its process id stays reserved until it is reaped, so signals to
/// its group cannot reach a stranger.
struct Leader {
    child: Option<Child>,
    group: Pid,
    exit_watch: AsyncFd<OwnedFd>,
}

impl Leader {
    fn new(mut child: Child) -> io::Result<Self> {
        #[expect(
            deprecated,
            reason = "the successor is unsafe and asks that the descriptor stays the same, which an OwnedFd does"
        )]
        let watch = |child: &Child| {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
            let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
            Ok((
                pid,
                AsyncFd::with_interest(descriptor, tokio::io::Interest::READABLE)?,
            ))
        };
        match watch(&child) {
            Ok((group, exit_watch)) => Ok(Self {
                child: Some(child),
                group,
                exit_watch,
            }),
            Err(error) => {
                child.kill().ok();
                child.wait().ok();
                Err(error)
            }
        }
    }

    /// Completes when the process has ended; it stays to be reaped.
    async fn exited(&self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while let Ok(mut ready) = self.exit_watch.readable().await {
            match waitid(WaitId::PidFd(self.exit_watch.as_fd()), options) {
                Ok(None) => ready.clear_ready(),
                Ok(Some(_)) | Err(_) => return,
            }
        }
    }

    fn signal_group(&self, signal: Signal) {
        if self.child.is_some() {
            // Fails only when nobody is left in the group.
            kill_process_group(self.group, signal).ok();
        }
    }

    /// Ends what the leader left behind and takes its exit status; to be called after `exited`.
    fn reap(&mut self) -> ToolExit {
        self.signal_group(Signal::KILL);
        let status = self.child.take().map(|mut child| child.wait());
        match status {
            Some(Ok(status)) => status.signal().map_or_else(
                || ToolExit::Code(status.code().unwrap_or(-1)),
                ToolExit::Signal,
            ),
            Some(Err(_)) | None => ToolExit::Code(-1),
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.signal_group(Signal::KILL);
        let Some(mut child) = self.child.take() else {
            return;
        };
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        // Collected elsewhere: a drop must not wait. If no thread starts, the exit of this process
        // collects it.
        std::thread::Builder::new()
            .name("reaper".to_owned())
            .spawn(move || child.wait())
            .ok();
    }
}
