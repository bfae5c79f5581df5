//! Cases that mostly wait, a few at a time.

use std::sync::Mutex;

use futures::future::join_all;

/// Whether a proof is run in its long form.
#[expect(
    clippy::disallowed_methods,
    reason = "the switch of a proof, not a setting"
)]
pub fn proves_all() -> bool {
    std::env::var_os("DILUX_PROVE_ALL").is_some()
}

/// Runs `lane` as often at once; each takes case after case by calling its argument.
pub async fn in_lanes<T>(
    lanes: usize,
    cases: impl IntoIterator<Item = T>,
    lane: impl AsyncFn(&dyn Fn() -> Option<T>),
) {
    let cases: Vec<T> = cases.into_iter().collect();
    let left = Mutex::new(cases.into_iter());
    let next = || {
        let mut left = left
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        left.next()
    };
    join_all((0..lanes).map(|_| lane(&next))).await;
}
