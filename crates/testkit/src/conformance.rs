//! One conformance suite per storage port. An adapter is an adapter when it passes them.
//!
//! # Running them on a new adapter
//!
//! Put the limits above the adapter, as production does, and call the suites from an integration
//! test; each runs every check, on names of its own, and fails with the list of those that failed:
//!
//! ```no_run
//! # async fn run(adapter: std::sync::Arc<dyn dilux_core::storage::TableStore>) -> anyhow::Result<()> {
//! use std::sync::Arc;
//! use dilux_core::storage::LimitedTableStore;
//! use dilux_testkit::conformance::{self, Gaps, Time};
//!
//! let store = Arc::new(LimitedTableStore::new(adapter));
//! conformance::table_store(store, &Gaps::none(Time::Real)).await
//! # }
//! ```
//!
//! - [`Time`] says how the store's clock moves: a [`Time::Manual`] clock is moved, a real one is
//!   awaited by polling.
//! - A known difference is a field of [`Gaps`] with its reason. The check still runs and must
//!   fail: a gap that has closed is reported, so that it gets removed.
//! - The store may be shared and need not be empty. The runtime should have several threads, so
//!   that the races are races.

mod blob;
mod queue;
mod secret;
mod table;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use dilux_core::clock::ManualClock;
use dilux_core::random::{SystemRandom, hex_text};
use dilux_core::storage::{StorageErrorKind, StorageResult};
use jiff::SignedDuration;

pub use blob::blob_store;
pub use queue::queue_store;
pub use secret::secret_store;
pub use table::table_store;

/// How the clock of the store under test moves.
#[derive(Debug, Clone)]
pub enum Time {
    /// The store reads this clock; the suite moves it.
    Manual(Arc<ManualClock>),
    /// The store has a clock of its own; the suite waits for what should come.
    Real,
}

/// What the adapter under test is known to do differently, each with the reason.
#[derive(Debug, Clone)]
pub struct Gaps {
    /// How its clock moves.
    pub time: Time,
    /// A comparison with an integer of the other width matches.
    pub integer_widths_match: Option<&'static str>,
    /// A comparison of a text with a 64-bit integer compares digits.
    pub long_matches_text: Option<&'static str>,
    /// Dates compare to the millisecond only.
    pub dates_compare_to_milliseconds: Option<&'static str>,
    /// Messages that one call received have one receipt.
    pub receive_shares_receipts: Option<&'static str>,
    /// A carriage return in a message does not survive.
    pub carriage_return_changes: Option<&'static str>,
    /// A delete of a name with nothing but staged blocks succeeds.
    pub delete_finds_staged_blobs: Option<&'static str>,
    /// Blocks can be committed after they were discarded.
    pub discard_keeps_blocks: Option<&'static str>,
    /// Blocks staged before a `put` of the same name can be committed after it.
    pub put_keeps_staged_blocks: Option<&'static str>,
}

impl Gaps {
    /// No known difference.
    pub fn none(time: Time) -> Self {
        Self {
            time,
            integer_widths_match: None,
            long_matches_text: None,
            dates_compare_to_milliseconds: None,
            receive_shares_receipts: None,
            carriage_return_changes: None,
            delete_finds_staged_blobs: None,
            discard_keeps_blocks: None,
            put_keeps_staged_blocks: None,
        }
    }
}

impl Time {
    /// Lets `span` pass, after which `condition` must hold. A manual clock also proves that it did
    /// not hold a second earlier.
    async fn until<F>(&self, span: Duration, mut condition: F) -> anyhow::Result<()>
    where
        F: AsyncFnMut() -> anyhow::Result<bool>,
    {
        const SECOND: SignedDuration = SignedDuration::from_secs(1);
        match self {
            Self::Manual(clock) => {
                clock.advance(SignedDuration::try_from(span)? - SECOND);
                anyhow::ensure!(
                    !condition().await?,
                    "it came true more than 1 s before {span:?}"
                );
                clock.advance(SECOND);
                anyhow::ensure!(condition().await?, "it did not come true after {span:?}");
                Ok(())
            }
            Self::Real => {
                let poll = async {
                    while !condition().await? {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    anyhow::Ok(())
                };
                match tokio::time::timeout(span + Duration::from_secs(30), poll).await {
                    Ok(outcome) => outcome,
                    Err(_) => anyhow::bail!("it did not come true within 30 s after {span:?}"),
                }
            }
        }
    }
}

/// Collects what the checks of one suite found.
struct Report {
    suite: &'static str,
    checks: usize,
    failures: Vec<String>,
}

impl Report {
    fn new(suite: &'static str) -> Self {
        Self {
            suite,
            checks: 0,
            failures: Vec::new(),
        }
    }

    fn record(&mut self, check: &str, outcome: anyhow::Result<()>) {
        self.checks += 1;
        if let Err(error) = outcome {
            self.failures.push(format!("{check}: {error:#}"));
        }
    }

    /// Records a check whose failure is known when `gap` names a reason.
    fn record_unless(
        &mut self,
        gap: Option<&'static str>,
        check: &str,
        outcome: anyhow::Result<()>,
    ) {
        match (gap, outcome) {
            (None, outcome) => self.record(check, outcome),
            (Some(reason), Ok(())) => self.record(
                check,
                Err(anyhow::anyhow!(
                    "passes, so the gap has closed; remove it ({reason})"
                )),
            ),
            (Some(reason), Err(difference)) => {
                self.checks += 1;
                tracing::warn!(
                    suite = self.suite,
                    check,
                    reason,
                    "known gap: {difference:#}"
                );
            }
        }
    }

    fn finish(self) -> anyhow::Result<()> {
        let failed = self.failures.len();
        anyhow::ensure!(
            failed == 0,
            "{failed} of {} checks of {} failed:\n  {}",
            self.checks,
            self.suite,
            self.failures.join("\n  ")
        );
        Ok(())
    }
}

/// Runs checks by name: `run_checks!(report, bench, [first_check, second_check])`.
macro_rules! run_checks {
    ($report:expr, $bench:expr, [$($check:ident),* $(,)?]) => {
        $( $report.record(stringify!($check), $check($bench).await); )*
    };
}
use run_checks;

/// Text that no other check uses.
fn unique(prefix: &str) -> String {
    format!("{prefix}{}", hex_text(&SystemRandom, 8))
}

/// The operation must fail with this kind.
fn refused<T: Debug>(outcome: StorageResult<T>, kind: StorageErrorKind) -> anyhow::Result<()> {
    match outcome {
        Ok(value) => anyhow::bail!("{kind:?} was expected, but it succeeded with {value:?}"),
        Err(error) if error.kind() == kind => Ok(()),
        Err(error) => Err(anyhow::anyhow!(
            "{kind:?} was expected, but it was {:?}",
            error.kind()
        ))
        .map_err(|wrong| wrong.context(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use dilux_core::clock::Clock;

    use super::*;

    fn failure() -> anyhow::Result<()> {
        Err(anyhow::anyhow!("it differs"))
    }

    #[test]
    fn failed_checks_are_all_named() {
        let mut report = Report::new("suite");
        report.record("first_check", failure());
        report.record("good_check", Ok(()));
        report.record("last_check", failure());
        let error = report.finish().unwrap_err().to_string();
        assert!(error.contains("2 of 3"), "{error}");
        assert!(error.contains("first_check: it differs") && error.contains("last_check"));
        assert!(!error.contains("good_check"));
    }

    #[test]
    fn known_gap_is_tolerated_while_it_is_open() {
        let mut report = Report::new("suite");
        report.record_unless(Some("the emulator lacks it"), "check", failure());
        report.finish().unwrap();
    }

    #[test]
    fn closed_gap_is_reported() {
        let mut report = Report::new("suite");
        report.record_unless(Some("the emulator lacks it"), "check", Ok(()));
        let error = report.finish().unwrap_err().to_string();
        assert!(error.contains("the gap has closed"), "{error}");
    }

    #[tokio::test]
    async fn manual_time_finds_what_comes_true_too_early_or_never() {
        let clock = Arc::new(ManualClock::new(jiff::Timestamp::UNIX_EPOCH));
        let time = Time::Manual(clock.clone());
        let span = Duration::from_secs(10);
        assert!(time.until(span, async || Ok(true)).await.is_err());
        assert!(time.until(span, async || Ok(false)).await.is_err());
        let due = clock
            .now()
            .checked_add(SignedDuration::from_secs(10))
            .unwrap();
        time.until(span, async || Ok(clock.now() >= due))
            .await
            .unwrap();
    }

    #[test]
    fn only_the_expected_kind_counts_as_refused() {
        let error = |kind| dilux_core::storage::StorageError::new(kind, "test", "message");
        let invalid = StorageErrorKind::Invalid;
        refused::<()>(Err(error(invalid)), invalid).unwrap();
        refused::<()>(Err(error(StorageErrorKind::NotFound)), invalid).unwrap_err();
        refused(Ok(()), invalid).unwrap_err();
    }
}
