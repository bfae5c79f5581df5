//! What other people of the machine see of an installation while it works: the arguments and the
//! environments of its processes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use dilux_testkit::canary::Searcher;

/// Between two looks; a tool that lives shorter is seen by [`RecordingTools`].
const PAUSE: Duration = Duration::from_millis(2);

/// Looks at processes again and again until it is dropped.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    looking: Option<JoinHandle<Seen>>,
}

/// What a watch saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Names of the programs.
    pub programs: BTreeSet<String>,
    /// Where the canary stood, a sentence each.
    pub leaks: BTreeSet<String>,
}

impl Watch {
    /// Watches these processes and whatever they start.
    pub fn over(roots: Vec<u32>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_over);
        let looking = std::thread::spawn(move || {
            let (searcher, mut seen) = (Searcher::default(), Seen::default());
            while !flag.load(Ordering::SeqCst) {
                look(&roots, &searcher, &mut seen);
                std::thread::sleep(PAUSE);
            }
            seen
        });
        Self {
            is_over,
            looking: Some(looking),
        }
    }

    /// Ends it and tells what it saw.
    pub fn end(mut self) -> Result<Seen> {
        self.is_over.store(true, Ordering::SeqCst);
        let looking = self.looking.take().context("a watch ends once")?;
        let seen = looking.join();
        seen.map_err(|_| anyhow::anyhow!("the watch came to grief"))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

fn look(roots: &[u32], searcher: &Searcher, seen: &mut Seen) {
    for (process, program) in family(roots) {
        for file in ["cmdline", "environ"] {
            // It may have ended in between.
            let content = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            if let Some(form) = searcher.find(&content) {
                seen.leaks
                    .insert(format!("{file} of {program} holds it as {form}"));
            }
        }
        seen.programs.insert(program);
    }
}

/// These processes and their descendants, with the names of their programs (proc(5)).
fn family(roots: &[u32]) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let all: Vec<(u32, u32, String)> = entries
        .filter_map(|entry| {
            let process = entry.file_name().to_string_lossy().parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in brackets may hold anything; the parent is the second word after it.
            let (head, tail) = stat.rsplit_once(") ")?;
            let parent = tail.split(' ').nth(1)?.parse().ok()?;
            let (_, program) = head.split_once('(')?;
            Some((process, parent, program.to_owned()))
        })
        .collect();
    let mut members: BTreeSet<u32> = roots.iter().copied().collect();
    loop {
        let before = members.len();
        let children = all
            .iter()
            .filter(|(_, parent, _)| members.contains(parent))
            .map(|(process, _, _)| *process)
            .collect::<Vec<_>>();
        members.extend(children);
        if members.len() == before {
            break;
        }
    }
    all.into_iter()
        .filter(|(process, _, _)| members.contains(process))
        .map(|(process, _, program)| (process, program))
        .collect()
}

/// The real client tools behind scripts that write down the arguments and the environment that
/// they were given, however short they live.
#[derive(Debug)]
pub struct RecordingTools {
    directory: PathBuf,
    record: PathBuf,
}

impl RecordingTools {
    /// Scripts in a new directory of `home`.
    pub fn new(home: &Path) -> Result<Self> {
        let directory = home.join("recording-tools");
        let record = home.join("recorded");
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        fs::write(&record, "")?;
        for name in ["psql", "pg_dump", "mariadb", "mariadb-dump"] {
            let script = directory.join(name);
            let record = record.display();
            let real = real(name)?;
            let real = real.display();
            let text = format!(
                "#!/bin/sh\ncase \"$1\" in --version|--help) exec {real} \"$@\";; esac\n\
                 cat /proc/$$/cmdline /proc/$$/environ >> {record}\nexec {real} \"$@\"\n"
            );
            fs::write(&script, text)?;
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { directory, record })
    }

    /// The value of `DILUX_TOOL_PATH` that makes a service use them.
    pub fn path(&self) -> String {
        self.directory.display().to_string()
    }

    /// Everything that was written down.
    pub fn recorded(&self) -> Result<Vec<u8>> {
        Ok(fs::read(&self.record)?)
    }

    /// How often a tool was started.
    pub fn starts(&self, tool: &str) -> Result<usize> {
        let script = format!("{}\0", self.directory.join(tool).display());
        Ok(memchr::memmem::find_iter(&self.recorded()?, &script).count())
    }
}

/// Where a tool is installed, in its newest version.
fn real(tool: &str) -> Result<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut found: Vec<PathBuf> = versions
        .flatten()
        .map(|entry| entry.path().join("bin").join(tool))
        .filter(|path| path.is_file())
        .collect();
    found.sort();
    let usual = Path::new("/usr/bin").join(tool);
    let found = found.pop().or_else(|| usual.is_file().then_some(usual));
    found.with_context(|| format!("{tool} is not installed"))
}
