//! Decorators that retry transient failures: the one layer that does.
//!
//! A write whose answer was lost may have happened. Its retry then meets its own effect and gives
//! `AlreadyExists`, `NotFound` or `PreconditionFailed`: callers of conditional writes re-read and
//! compare what is there with what they wrote. A message sent twice is delivered twice, and one
//! received by a call whose answer was lost stays hidden until its visibility ends; both are
//! within the contract of a queue.

mod blob;
mod queue;
mod secret;
mod table;

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::{StorageError, StorageErrorKind, StorageResult};
use crate::random::SharedRandom;

pub use blob::RetryingBlobStore;
pub use queue::RetryingQueueStore;
pub use secret::RetryingSecretStore;
pub use table::RetryingTableStore;

/// How long a call may go on trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// All tries and waits of one call together.
    pub max_elapsed: Duration,
    /// One try.
    pub per_try_timeout: Duration,
    /// Longest first wait. Each further wait may be twice as long; the actual one is drawn
    /// evenly between nothing and that (full jitter).
    pub base: Duration,
    /// Longest wait, unless the server asks for more.
    pub cap: Duration,
    /// The slowest transfer that counts as alive: a call that carries bytes gets this much more
    /// time, per try and in all.
    pub least_bytes_per_second: NonZeroU64,
}

impl RetryPolicy {
    /// For calls that a person waits for: a dead store is reported within 10 seconds.
    pub const fn interactive() -> Self {
        Self {
            max_elapsed: Duration::from_secs(9),
            per_try_timeout: Duration::from_secs(4),
            base: Duration::from_millis(100),
            cap: Duration::from_secs(2),
            least_bytes_per_second: rate(256),
        }
    }

    /// For jobs, which outlast a failover of the store: gives up after two minutes.
    pub const fn worker() -> Self {
        Self {
            max_elapsed: Duration::from_mins(2),
            per_try_timeout: Duration::from_secs(30),
            base: Duration::from_millis(250),
            cap: Duration::from_secs(15),
            least_bytes_per_second: rate(64),
        }
    }

    /// What moving `bytes` adds to the limits.
    fn allowance(&self, bytes: u64) -> Duration {
        Duration::from_secs(bytes / self.least_bytes_per_second)
    }
}

/// KiB a second.
const fn rate(kibibytes: u64) -> NonZeroU64 {
    match NonZeroU64::new(kibibytes * 1024) {
        Some(rate) => rate,
        None => NonZeroU64::MIN,
    }
}

/// Runs calls under a policy.
#[derive(Clone)]
pub(crate) struct Retry {
    policy: RetryPolicy,
    random: SharedRandom,
}

impl fmt::Debug for Retry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(formatter)
    }
}

impl Retry {
    /// Calls run under `policy`, with waits drawn from `random`.
    pub(crate) fn new(policy: RetryPolicy, random: SharedRandom) -> Self {
        Self { policy, random }
    }

    /// Calls `attempt` until it succeeds, fails for good, or time is up; then the last failure
    /// stands. `bytes` is what the call carries in either direction.
    pub(crate) async fn run<T, F>(
        &self,
        operation: &'static str,
        bytes: u64,
        mut attempt: impl FnMut() -> F,
    ) -> StorageResult<T>
    where
        F: Future<Output = StorageResult<T>>,
    {
        let allowance = self.policy.allowance(bytes);
        let deadline = Instant::now() + self.policy.max_elapsed + allowance;
        let mut tries = 0_u32;
        let mut last = None;
        loop {
            let started = Instant::now();
            let limit = deadline.min(started + self.policy.per_try_timeout + allowance);
            let error = match timeout_at(limit, attempt()).await {
                Ok(Err(error)) if error.is_transient() => error,
                Ok(outcome) => return outcome,
                // What was cut short says less than the failure before it.
                Err(_) => match last.take() {
                    Some(error) if limit == deadline => return Err(error),
                    _ => silent(operation, limit - started),
                },
            };
            let wait = self
                .wait(tries)
                .max(error.retry_after().unwrap_or_default());
            tries += 1;
            if Instant::now() + wait >= deadline {
                tracing::debug!(storage.operation = operation, tries, %error, "gave up");
                return Err(error);
            }
            tracing::debug!(storage.operation = operation, tries, %error, ?wait, "trying again");
            last = Some(error);
            sleep(wait).await;
        }
    }

    /// A wait between nothing and twice the last ceiling, which ends at the cap.
    fn wait(&self, tries: u32) -> Duration {
        let factor = 2_u32.checked_pow(tries).unwrap_or(u32::MAX);
        let ceiling = self.policy.base.saturating_mul(factor).min(self.policy.cap);
        let mut bytes = [0_u8; 4];
        self.random.fill(&mut bytes);
        ceiling.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX))
    }
}

fn silent(operation: &'static str, waited: Duration) -> StorageError {
    StorageError::new(
        StorageErrorKind::Unavailable,
        operation,
        format!("no answer came within {:.1} s", waited.as_secs_f64()),
    )
}

/// The length of a payload as the policies count it.
fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
