//! When a failed attempt is tried again.

use jiff::SignedDuration;

/// When a failed attempt is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRule {
    /// Attempts in all before a transient failure is final.
    pub attempts: u32,
    /// Wait after the first; each further wait is four times as long, at most an hour.
    pub first_wait: SignedDuration,
}

impl RetryRule {
    /// The wait after so many attempts.
    pub(super) fn wait_after(self, attempts: u32) -> SignedDuration {
        const LONGEST: SignedDuration = SignedDuration::from_hours(1);
        let factor = 4_i32.saturating_pow(attempts.saturating_sub(1));
        self.first_wait
            .checked_mul(factor)
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }
}
