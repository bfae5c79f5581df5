//! Named points at which a test may kill this process as `kill -9` would.
//!
//! Compiled into debug builds only; in a release build a point is nothing.

/// The variable that names where to die: `point` or `point:n` for the n-th time it is reached.
#[cfg(debug_assertions)]
const VARIABLE: &str = "DILUX_CRASH_AT";

/// The points that a processor passes in a backup, in their order.
pub const POINTS: &[&str] = &[
    "after-receive",
    "before-place",
    "after-place",
    "after-claim",
    "after-history-started",
    "after-dump-started",
    "mid-dump",
    "after-staging",
    "after-data-commit",
    "after-manifest",
    "after-history-completed",
    "after-state-noted",
    "before-active-forgotten",
    "after-job-completed",
    "after-message-deleted",
    "before-place-freed",
    "after-place-freed",
];

/// The points of everything else that takes several steps.
pub const OTHER_POINTS: &[&str] = &[
    "after-index-entries",
    "after-booking",
    "after-bell",
    "after-failure-recorded",
    "after-attempt-failed",
    "after-release",
    "after-miss",
    "after-restore-created",
    "after-restore-written",
    "after-restore-completed",
    "after-cancel",
    "after-dead-letter",
    "after-requeue",
    "before-removal",
    "after-removal-noted",
    "after-removal-jobs-cancelled",
    "after-removal-database",
    "after-removal-engine",
    "after-removal-audit",
    "mid-rebuild",
    "after-rebuilt-points",
];

/// The points that the deletion of an expired backup passes, in this order.
pub const EXPIRY_POINTS: &[&str] = &[
    "after-tombstone",
    "after-deletion-begun",
    "after-manifest-deleted",
    "after-data-deleted",
    "after-history-deleted",
    "after-deletion-audited",
    "after-deletion-finished",
];

/// Dies here, when the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static HITS: AtomicU64 = AtomicU64::new(0);

    debug_assert!(
        [POINTS, OTHER_POINTS, EXPIRY_POINTS]
            .iter()
            .any(|points| points.contains(&name)),
        "{name} is not a registered crash point"
    );
    #[expect(clippy::disallowed_methods, reason = "a test hook, not a setting")]
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var(VARIABLE).ok()?;
        let (point, hit) = text.split_once(':').unwrap_or((&text, "1"));
        Some((point.to_owned(), hit.parse().ok()?))
    });
    if let Some((point, hit)) = wanted
        && point == name
        && HITS.fetch_add(1, Ordering::SeqCst) + 1 == *hit
    {
        let killed =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        tracing::error!(?killed, "crash point was reached");
    }
}

/// Dies here, when the environment says so: never, in a release build.
#[cfg(not(debug_assertions))]
pub const fn point(_name: &str) {}
