//! The process of the WebDriver server and those of its browser, ended by their ids.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{eventually, signal};

/// Longest wait for the browser to end.
const LIMIT: Duration = Duration::from_secs(30);

/// What the driver says when it listens on the port that follows.
const STARTED: &str = "started successfully on port ";

/// The process that starts and steers a browser.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    directory: TempDir,
}

impl Driver {
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness starts the browser that it tests with"
    )]
    pub(super) fn start() -> Result<Self> {
        let directory = TempDir::new()?;
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env_clear();
        for mark in ["PATH", "DILUX_TEST_RUN"] {
            if let Some(value) = std::env::var_os(mark) {
                command.env(mark, value);
            }
        }
        // Profiles and caches go with the directory.
        for home in ["HOME", "TMPDIR"] {
            command.env(home, directory.path());
        }
        let log = File::create(directory.path().join("driver.log"))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start chromedriver; run scripts/lib/install-packages --browser")?;
        Ok(Self { child, directory })
    }

    /// Where it listens.
    pub(super) async fn until_ready(&self) -> Result<String> {
        let log = self.directory.path().join("driver.log");
        let mut port = None;
        eventually("chromedriver listens", async || {
            let text = std::fs::read_to_string(&log)?;
            port = port_in(&text);
            Ok(port.is_some())
        })
        .await?;
        let port = port.context("there is a port")?;
        Ok(format!("http://127.0.0.1:{port}"))
    }
}

/// The port that the driver's log names.
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once(STARTED)?;
    rest.split_once('.')?.0.parse().ok()
}

impl Drop for Driver {
    fn drop(&mut self) {
        let pid = self.child.id();
        // The browser first: once the driver is gone nothing tells any more whose it was.
        within_limit(|| {
            let browser = descendants(pid);
            for process in &browser {
                drop(signal(*process, Signal::KILL));
            }
            browser.is_empty()
        });
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits for something that is not worth an error when it does not come.
fn within_limit(mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// The processes that come from this one and live.
fn descendants(of: u32) -> BTreeSet<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return BTreeSet::new();
    };
    let ids = entries.flatten().filter_map(|entry| id_in(&entry.path()));
    let all: Vec<(u32, u32)> = ids.filter_map(|id| Some((id, parent(id)?))).collect();
    let mut known = BTreeSet::from([of]);
    loop {
        let more = all.iter().filter(|(_, parent)| known.contains(parent));
        let more: BTreeSet<u32> = more.map(|(id, _)| *id).collect();
        if more.is_subset(&known) {
            break;
        }
        known.extend(more);
    }
    known.remove(&of);
    known
}

fn id_in(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The parent of a process that is no zombie (proc(5)).
fn parent(id: u32) -> Option<u32> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z").then_some(parent)
}
