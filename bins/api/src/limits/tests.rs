use std::net::Ipv4Addr;
use std::sync::Arc;

use dilux_core::clock::ManualClock;
use jiff::SignedDuration;

use super::usage::CAPACITY;
use super::*;

fn clock() -> Arc<ManualClock> {
    let start = "2026-01-31T12:00:00Z".parse().unwrap();
    Arc::new(ManualClock::new(start))
}

fn limit<K: Hash + Eq + Clone>(per_minute: u32, clock: &Arc<ManualClock>) -> Limit<K> {
    let shared: SharedClock = clock.clone();
    Limit::new(NonZeroU32::new(per_minute).unwrap(), &shared)
}

fn address(number: usize) -> IpAddr {
    let number = u32::try_from(number).unwrap();
    Ipv4Addr::from_bits(0x0b00_0000 + number).into()
}

fn seconds(number: i64) -> SignedDuration {
    SignedDuration::from_secs(number)
}

/// How many seconds a request has to wait; 0 when it is answered.
fn wait<K: Hash + Eq + Clone>(limit: &Limit<K>, key: &K) -> u128 {
    let wait = limit.count(key).err().unwrap_or_default();
    wait.as_millis().div_ceil(1000)
}

#[test]
fn a_minutes_worth_goes_at_once_and_then_as_it_drips_in() {
    let clock = clock();
    let limit = limit(3, &clock);
    let waits = [(); 5].map(|()| wait(&limit, &"a"));
    assert_eq!(waits, [0, 0, 0, 20, 20], "refused requests are not counted");
    assert_eq!(wait(&limit, &"b"), 0, "others may");
    clock.advance(seconds(19));
    assert_eq!(wait(&limit, &"a"), 1);
    clock.advance(seconds(1));
    assert_eq!([(); 2].map(|()| wait(&limit, &"a")), [0, 20]);
    clock.advance(seconds(3600));
    let waits = [(); 4].map(|()| wait(&limit, &"a"));
    assert_eq!(
        waits,
        [0, 0, 0, 20],
        "no more than a minute's worth is saved"
    );
}

#[test]
fn a_clock_that_is_put_back_refuses_nobody_for_longer() {
    let clock = clock();
    let limit = limit(1, &clock);
    assert_eq!([(); 2].map(|()| wait(&limit, &"a")), [0, 60]);
    clock.advance(seconds(-86_400));
    assert_eq!(wait(&limit, &"a"), 60);
    clock.advance(seconds(60));
    assert_eq!(wait(&limit, &"a"), 0);
}

#[test]
fn a_flood_from_made_up_addresses_takes_bounded_memory_and_ends() {
    let clock = clock();
    let limit = limit(2, &clock);
    let known = address(0);
    assert_eq!(wait(&limit, &known), 0);
    let flood = (1..CAPACITY + 500).map(|number| wait(&limit, &address(number)));
    let answered = flood.filter(|wait| *wait == 0).count();
    assert_eq!(answered, CAPACITY - 1 + 2, "the last 500 share a bucket");
    assert_eq!(wait(&limit, &known), 0, "who came before still may");
    clock.advance(seconds(60));
    let again = CAPACITY + 499;
    assert_eq!([(); 3].map(|()| wait(&limit, &address(again))), [0, 0, 30]);
    let Limit(limiter) = limit;
    assert_eq!(
        limiter.into_state_store().len(),
        1,
        "the others are forgotten"
    );
}

#[test]
fn a_subscriber_of_ipv6_is_one_however_many_addresses_they_use() {
    let one = |text: &str| neighbourhood(text.parse().unwrap());
    assert_eq!(one("2001:db8:0:1::7"), one("2001:db8:0:1:ffff::9"));
    assert_ne!(one("2001:db8:0:1::7"), one("2001:db8:0:2::7"));
    assert_ne!(one("203.0.113.7"), one("203.0.113.8"));
}

#[test]
fn a_limit_that_is_off_refuses_nobody() {
    let shared: SharedClock = clock();
    let off = RequestLimits {
        callers: None,
        strangers: None,
        costly: None,
        at_once: None,
        downloads_at_once: None,
    };
    let limits = Limits::new(&off, &shared);
    let caller = Caller::bootstrap();
    for _ in 0..10_000 {
        assert!(limits.count_caller(&caller).is_ok());
        assert!(limits.count_costly(&caller).is_ok());
        assert!(limits.count_stranger(None).is_ok());
    }
}
