//! Named points at which a test may kill this process as `kill -9` would, or stop it as
//! `kill -STOP` would.
//!
//! Compiled into debug builds only; in a release build a point is nothing.

#[cfg(debug_assertions)]
mod trap;

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
    "after-rehearsal-created",
    "after-verification-read",
    "after-finding-stored",
    "after-finding-shown",
    "after-verification-completed",
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

/// Dies or stops here, when the environment says so.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    debug_assert!(
        [POINTS, OTHER_POINTS, EXPIRY_POINTS]
            .iter()
            .any(|points| points.contains(&name)),
        "{name} is not a registered crash point"
    );
    trap::pass(name);
}

/// Does nothing: this is a release build.
#[cfg(not(debug_assertions))]
pub const fn point(_name: &str) {}

/// Keeps this process from stopping at a point until the guard is dropped: a process that stood
/// still while it holds a lock would hold up everybody else as well. Nothing in a release build.
#[cfg(debug_assertions)]
pub(crate) fn hold_pauses() -> impl Drop {
    trap::hold_pauses()
}

/// A guard of nothing: this is a release build.
#[cfg(not(debug_assertions))]
pub(crate) fn hold_pauses() -> impl Drop {
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {}
    }
    Nothing
}
