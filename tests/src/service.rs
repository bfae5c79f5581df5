//! A service as a process of its own, ended by its process id.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for a process to end after it was asked to.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// What the services say when they have started.
const READY: [&str; 2] = ["is ready", "the API listens"];

/// The path of a binary of this workspace, built beside the running test.
pub fn binary(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let directory = test
        .parent()
        .and_then(Path::parent)
        .context("find the target directory")?;
    let path = directory.join(name);
    if !path.is_file() {
        bail!(
            "{} is not built; run 'cargo build --workspace' first",
            path.display()
        );
    }
    Ok(path)
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a binary with just these variables; its log goes to a file in `home`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness starts our own binaries"
    )]
    pub fn start(
        name: &str,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
        home: &Path,
    ) -> Result<Self> {
        let log = (0..1_000_000_u32)
            .map(|number| home.join(format!("{name}-{number}.log")))
            .find(|path| !path.exists())
            .context("name the log")?;
        let file = File::create(&log)?;
        let mut command = Command::new(binary(name)?);
        command.args(arguments).env_clear().envs(variables);
        for mark in ["PATH", "TMPDIR", "DILUX_TEST_RUN", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(mark) {
                command.env(mark, value);
            }
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// A line of its /proc/PID/status (proc(5)), in KiB.
    pub fn memory_kib(&self, line: &str) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id()))?;
        let found = status.lines().find_map(|found| found.strip_prefix(line));
        let figure = found.with_context(|| format!("{line} is missing"))?;
        let figure = figure.trim_start_matches(':').trim_end_matches(" kB");
        Ok(figure.trim().parse()?)
    }

    /// The largest memory of its own that it ever had, in KiB: buffers, not program text, which
    /// differs between builds.
    pub fn own_peak_kib(&self) -> Result<u64> {
        let shared = self.memory_kib("RssFile")? + self.memory_kib("RssShmem")?;
        Ok(self.memory_kib("VmHWM")?.saturating_sub(shared))
    }

    /// Its exit status, when it has ended.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Asks it to stop and waits.
    pub fn stop(mut self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!(
            "{} did not stop within {STOP_LIMIT:?}; its log:\n{}",
            self.name,
            self.log()
        )
    }

    /// Asks it to stop and waits, without holding up what else runs on this thread. One that is
    /// still starting would not hear it.
    pub async fn stopped(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP_LIMIT;
        while self.ended()?.is_none() && !READY.iter().any(|text| self.log().contains(text)) {
            if Instant::now() > deadline {
                bail!("{} is not ready; its log:\n{}", self.name, self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.signal(Signal::TERM)?;
        self.until_ended().await
    }

    /// Waits until it has ended.
    pub async fn until_ended(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!(
                    "{} did not end within {STOP_LIMIT:?}; its log:\n{}",
                    self.name,
                    self.log()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until it stands still, as `kill -STOP` leaves it.
    pub async fn until_paused(&mut self) -> Result<()> {
        let path = format!("/proc/{}/stat", self.process_id());
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = self.ended()? {
                bail!(
                    "{} ended with {status}; its log:\n{}",
                    self.name,
                    self.log()
                );
            }
            let text = std::fs::read_to_string(&path)?;
            // The name in brackets may hold anything; the state is the letter after it.
            let state = text.rsplit_once(") ").map(|(_, rest)| rest);
            if state.is_some_and(|rest| rest.starts_with('T')) {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} runs on; its log:\n{}", self.name, self.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it as `kill -9` does, and waits.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        crate::signal(self.child.id(), signal)
    }
}

/// Sends a signal to a process that the harness started.
pub fn signal(process: u32, signal: Signal) -> Result<()> {
    let id = Pid::from_raw(i32::try_from(process)?).context("process id")?;
    kill_process(id, signal)?;
    Ok(())
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}
