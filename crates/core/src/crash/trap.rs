//! What happens at a point: this process dies, stops, or notes that it came by, as three variables
//! of its environment say.

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

/// Where to die: `point`, or `point:n` for the n-th time that it is reached.
static CRASH: Trap = Trap::new("DILUX_CRASH_AT");

/// Where to stop until somebody continues the process, in the same form.
static PAUSE: Trap = Trap::new("DILUX_PAUSE_AT");

/// Read by whoever must not stand still, written by whoever is about to.
static BUSY: RwLock<()> = RwLock::new(());

/// A file that gets a line for every point that is reached.
static NOTES: OnceLock<Option<String>> = OnceLock::new();

/// How long a signal may be on its way to the process.
const UNTIL_STOPPED: Duration = Duration::from_millis(300);

/// A point that a variable names.
struct Trap {
    variable: &'static str,
    wanted: OnceLock<Option<(String, u64)>>,
    hits: AtomicU64,
}

impl Trap {
    const fn new(variable: &'static str) -> Self {
        Self {
            variable,
            wanted: OnceLock::new(),
            hits: AtomicU64::new(0),
        }
    }

    /// Whether it is this time at this point.
    fn snaps(&self, name: &str) -> bool {
        let wanted = self.wanted.get_or_init(|| {
            let text = variable(self.variable)?;
            let (point, hit) = text.split_once(':').unwrap_or((&text, "1"));
            Some((point.to_owned(), hit.parse().ok()?))
        });
        wanted.as_ref().is_some_and(|(point, hit)| {
            point == name && self.hits.fetch_add(1, Ordering::SeqCst) + 1 == *hit
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "a test hook, not a setting")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn pass(name: &str) {
    note(name);
    if CRASH.snaps(name) {
        raise(name, Signal::KILL);
    }
    if PAUSE.snaps(name) {
        let _nobody_is_busy = BUSY.write().unwrap_or_else(PoisonError::into_inner);
        raise(name, Signal::STOP);
        // Any thread may take the signal, and this one must not go on before it has.
        std::thread::sleep(UNTIL_STOPPED);
    }
}

pub(super) fn hold_pauses() -> RwLockReadGuard<'static, ()> {
    BUSY.read().unwrap_or_else(PoisonError::into_inner)
}

fn note(name: &str) {
    let notes = NOTES.get_or_init(|| variable("DILUX_POINTS_FILE"));
    let Some(path) = notes else { return };
    let file = std::fs::File::options()
        .append(true)
        .create(true)
        .open(path);
    // One write, so that lines of several threads do not mix.
    let line = format!("{name}\n");
    if let Err(error) = file.and_then(|mut file| file.write_all(line.as_bytes())) {
        tracing::error!(%error, path, "point cannot be noted");
    }
}

fn raise(name: &str, signal: Signal) {
    let raised = kill_process(getpid(), signal);
    tracing::error!(?raised, ?signal, "point '{name}' was reached");
}
