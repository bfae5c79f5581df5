//! Delays after failed sign-ins, by account and by address. Kept in memory: each API process counts
//! for itself, and nobody is locked out for longer than the longest delay.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use dilux_core::{Error, Result};
use jiff::{SignedDuration, Timestamp};

/// Failures after which there is no delay yet, and the longest delay.
#[derive(Debug, Clone, Copy)]
struct Rule {
    free: u32,
    longest: Duration,
}

const ACCOUNT: Rule = Rule {
    free: 3,
    longest: Duration::from_secs(30),
};
const ADDRESS: Rule = Rule {
    free: 20,
    longest: Duration::from_mins(1),
};

/// Failures are forgotten when none came for so long.
const MEMORY: SignedDuration = SignedDuration::from_mins(15);

/// Accounts and addresses that are remembered at most.
const CAPACITY: usize = 10_000;

/// What failures are counted by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The e-mail as it is compared, whether anybody has it or not.
    Account(String),
    /// Where attempts come from.
    Address(IpAddr),
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// The failed sign-ins of the last while.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<Key, Failures>>);

impl Attempts {
    /// Begins an attempt, which counts as failed until it succeeded: however many are made at the
    /// same time, each finds the ones before. Fails while its time has not come.
    pub(crate) fn begin(&self, email: &str, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let keys = keys(email, address);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = keys
            .iter()
            .filter_map(|key| wait(all.get(key)?, key.rule(), now))
            .max();
        if let Some(retry_after) = wait {
            return Err(Error::TooManyAttempts {
                message: "too many failed sign-ins; wait a moment and try again".to_owned(),
                retry_after,
            });
        }
        for key in keys {
            make_room(&mut all, now);
            let failures = all.entry(key).or_insert(Failures {
                count: 0,
                last: now,
            });
            if now.duration_since(failures.last) >= MEMORY {
                failures.count = 0;
            }
            failures.count = failures.count.saturating_add(1);
            failures.last = now;
        }
        Ok(())
    }

    /// Notes that an attempt succeeded: the account's failures are forgotten, and the address gets
    /// this one back.
    pub(crate) fn succeed(&self, email: &str, address: Option<IpAddr>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in keys(email, address) {
            match key {
                Key::Account(_) => drop(all.remove(&key)),
                Key::Address(_) => {
                    if let Some(failures) = all.get_mut(&key) {
                        failures.count = failures.count.saturating_sub(1);
                    }
                }
            }
        }
    }
}

impl Key {
    fn rule(&self) -> Rule {
        match self {
            Self::Account(_) => ACCOUNT,
            Self::Address(_) => ADDRESS,
        }
    }
}

/// This machine's own address says nothing about who calls: it is that of a proxy.
fn keys(email: &str, address: Option<IpAddr>) -> Vec<Key> {
    let address = address.filter(|address| !address.is_loopback());
    let account = Key::Account(email.to_owned());
    [account]
        .into_iter()
        .chain(address.map(Key::Address))
        .collect()
}

/// How long the next attempt has to wait; `None` when it need not.
fn wait(failures: &Failures, rule: Rule, now: Timestamp) -> Option<Duration> {
    let over = failures.count.checked_sub(rule.free)?;
    let delay = Duration::from_secs(1 << over.min(16)).min(rule.longest);
    let passed = Duration::try_from(now.duration_since(failures.last)).unwrap_or_default();
    delay.checked_sub(passed).filter(|left| !left.is_zero())
}

/// Forgets what is old, and if nothing is, what is oldest.
fn make_room(all: &mut HashMap<Key, Failures>, now: Timestamp) {
    if all.len() < CAPACITY {
        return;
    }
    all.retain(|_, failures| now.duration_since(failures.last) < MEMORY);
    while all.len() >= CAPACITY {
        let oldest = all.iter().min_by_key(|(_, failures)| failures.last);
        let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
            return;
        };
        all.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn start() -> Timestamp {
        "2026-01-31T12:00:00Z".parse().unwrap()
    }

    fn seconds(number: i64) -> SignedDuration {
        SignedDuration::from_secs(number)
    }

    const ONE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)));
    const TWO: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2)));

    /// What an attempt has to wait; 0 when it may be made.
    fn asked(attempts: &Attempts, email: &str, address: Option<IpAddr>, now: Timestamp) -> u64 {
        match attempts.begin(email, address, now) {
            Ok(()) => 0,
            Err(Error::TooManyAttempts { retry_after, .. }) => retry_after.as_secs(),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn delays_of_an_account_double_up_to_half_a_minute_and_end() {
        let attempts = Attempts::default();
        let mut now = start();
        let mut waits = Vec::new();
        for _ in 0..10 {
            let wait = asked(&attempts, "a", ONE, now);
            waits.push(wait);
            now += SignedDuration::try_from(Duration::from_secs(wait)).unwrap();
            if wait > 0 {
                assert_eq!(asked(&attempts, "a", TWO, now), 0);
            }
        }
        assert_eq!(waits, [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(asked(&attempts, "b", ONE, now), 0, "others may");
        now += MEMORY;
        let after = [(); 4].map(|()| asked(&attempts, "a", None, now));
        assert_eq!(after, [0, 0, 0, 1], "it was forgotten");
    }

    #[test]
    fn attempts_at_the_same_time_count_each_other() {
        let attempts = Attempts::default();
        let allowed = (0..1000).filter(|_| asked(&attempts, "a", None, start()) == 0);
        assert_eq!(allowed.count(), 3);
    }

    #[test]
    fn a_success_clears_the_account_and_not_the_address() {
        let attempts = Attempts::default();
        for number in 0..19 {
            assert_eq!(asked(&attempts, &number.to_string(), ONE, start()), 0);
        }
        assert_eq!(asked(&attempts, "a", ONE, start()), 0);
        attempts.succeed("a", ONE);
        assert_eq!(asked(&attempts, "a", ONE, start()), 0);
        assert_eq!(asked(&attempts, "b", ONE, start()), 1);
        assert_eq!(asked(&attempts, "b", TWO, start()), 0);
        assert_eq!(asked(&attempts, "c", ONE, start() + seconds(1)), 0);
    }

    #[test]
    fn this_machine_is_no_address_to_count_by() {
        let attempts = Attempts::default();
        let local = Some(IpAddr::from([127, 0, 0, 1]));
        let allowed = (0..1000).filter(|it| asked(&attempts, &it.to_string(), local, start()) == 0);
        assert_eq!(allowed.count(), 1000);
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..CAPACITY + 100 {
            asked(&attempts, &number.to_string(), None, start() + seconds(1));
        }
        assert_eq!(attempts.0.lock().unwrap().len(), CAPACITY);
    }
}
