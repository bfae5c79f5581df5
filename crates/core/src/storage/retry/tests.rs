//! Tests of the retry loop, on a clock that only the tests move.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Retry, RetryPolicy};
use crate::random::Random;
use crate::storage::{StorageError, StorageErrorKind, StorageResult};

/// Draws the same byte for ever: 0 waits not at all, 255 as long as allowed.
#[derive(Debug)]
struct Constant(u8);

impl Random for Constant {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

fn retry(policy: RetryPolicy, drawn: u8) -> Retry {
    Retry {
        policy,
        random: Arc::new(Constant(drawn)),
    }
}

fn failure(kind: StorageErrorKind) -> StorageError {
    StorageError::new(kind, "get entity", "on purpose")
}

#[tokio::test(start_paused = true)]
async fn transient_failures_are_tried_again_until_it_works() {
    let tries = Cell::new(0);
    let answer = retry(RetryPolicy::interactive(), 255)
        .run("get entity", 0, || {
            tries.set(tries.get() + 1);
            let outcome = match tries.get() {
                1 => Err(failure(StorageErrorKind::Unavailable)),
                2 => Err(failure(StorageErrorKind::Throttled)),
                _ => Ok(7),
            };
            async move { outcome }
        })
        .await;
    assert_eq!(answer.unwrap(), 7);
    assert_eq!(tries.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn permanent_failures_are_not_tried_again() {
    for kind in [
        StorageErrorKind::NotFound,
        StorageErrorKind::AlreadyExists,
        StorageErrorKind::PreconditionFailed,
        StorageErrorKind::Invalid,
        StorageErrorKind::Denied,
        StorageErrorKind::Protected,
        StorageErrorKind::Full,
        StorageErrorKind::Corrupt,
        StorageErrorKind::Internal,
    ] {
        let tries = Cell::new(0);
        let answer: StorageResult<()> = retry(RetryPolicy::worker(), 255)
            .run("get entity", 0, || {
                tries.set(tries.get() + 1);
                async move { Err(failure(kind)) }
            })
            .await;
        assert_eq!(answer.unwrap_err().kind(), kind);
        assert_eq!(tries.get(), 1, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn interactive_calls_give_up_on_a_refusing_store_within_ten_seconds() {
    for drawn in [0x20, 255] {
        let started = Instant::now();
        let answer: StorageResult<()> = retry(RetryPolicy::interactive(), drawn)
            .run("get entity", 0, || async {
                Err(failure(StorageErrorKind::Unavailable))
            })
            .await;
        assert_eq!(answer.unwrap_err().kind(), StorageErrorKind::Unavailable);
        assert!(started.elapsed() <= Duration::from_secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn interactive_calls_give_up_on_a_silent_store_within_ten_seconds() {
    let tries = Cell::new(0);
    let started = Instant::now();
    let answer: StorageResult<()> = retry(RetryPolicy::interactive(), 255)
        .run("get entity", 0, || {
            tries.set(tries.get() + 1);
            std::future::pending()
        })
        .await;
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), StorageErrorKind::Unavailable);
    assert!(
        error
            .to_string()
            .starts_with("get entity: no answer came within")
    );
    assert!(tries.get() > 1);
    assert!(started.elapsed() <= Duration::from_secs(10));
}

/// The last try is cut short by the end of the time; what the one before it said is worth more.
#[tokio::test(start_paused = true)]
async fn the_last_whole_failure_stands_when_time_is_up() {
    let tries = Cell::new(0);
    let policy = RetryPolicy {
        max_elapsed: Duration::from_secs(4),
        ..RetryPolicy::interactive()
    };
    let answer: StorageResult<()> = retry(policy, 0)
        .run("get entity", 0, || {
            tries.set(tries.get() + 1);
            let is_first = tries.get() == 1;
            async move {
                if is_first {
                    return Err(failure(StorageErrorKind::Throttled));
                }
                std::future::pending().await
            }
        })
        .await;
    assert_eq!(answer.unwrap_err().kind(), StorageErrorKind::Throttled);
}

#[tokio::test(start_paused = true)]
async fn workers_outlast_a_store_that_is_away_for_a_minute() {
    let started = Instant::now();
    let answer = retry(RetryPolicy::worker(), 255)
        .run("get entity", 0, || async {
            if started.elapsed() < Duration::from_mins(1) {
                Err(failure(StorageErrorKind::Unavailable))
            } else {
                Ok(())
            }
        })
        .await;
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let tries = Cell::new(0);
    let started = Instant::now();
    let answer = retry(RetryPolicy::interactive(), 0)
        .run("get entity", 0, || {
            tries.set(tries.get() + 1);
            let outcome = if tries.get() == 1 {
                let asked = Some(Duration::from_secs(5));
                Err(failure(StorageErrorKind::Throttled).with_retry_after(asked))
            } else {
                Ok(())
            };
            async move { outcome }
        })
        .await;
    answer.unwrap();
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_limit_ends_the_call_at_once() {
    let started = Instant::now();
    let answer: StorageResult<()> = retry(RetryPolicy::interactive(), 0)
        .run("get entity", 0, || async {
            let asked = Some(Duration::from_secs(30));
            Err(failure(StorageErrorKind::Throttled).with_retry_after(asked))
        })
        .await;
    assert_eq!(
        answer.unwrap_err().retry_after(),
        Some(Duration::from_secs(30))
    );
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_carries_bytes_gets_more_time() {
    let slow = Duration::from_mins(10);
    let call = |bytes| {
        let retry = retry(RetryPolicy::worker(), 255);
        async move {
            retry
                .run("stage block", bytes, || async {
                    tokio::time::sleep(slow).await;
                    Ok(())
                })
                .await
        }
    };
    assert!(call(0).await.is_err());
    assert!(call(64 * 1024 * slow.as_secs()).await.is_ok());
}

#[test]
fn waits_double_up_to_the_cap_and_are_drawn_between_nothing_and_that() {
    let policy = RetryPolicy::interactive();
    let longest: Vec<Duration> = (0..7).map(|tries| retry(policy, 255).wait(tries)).collect();
    assert_eq!(
        longest,
        [100, 200, 400, 800, 1600, 2000, 2000].map(Duration::from_millis)
    );
    assert_eq!(retry(policy, 255).wait(u32::MAX), policy.cap);
    assert_eq!(retry(policy, 0).wait(5), Duration::ZERO);
}
