//! How many requests are answered: of each caller, of the strangers at each address, of each caller
//! for what is costly, and of all at the same time. Kept in memory: each API process counts for itself.

mod crowd;
mod stopwatch;
mod usage;

use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use dilux_core::Error;
use dilux_core::clock::SharedClock;
use dilux_core::config::RequestLimits;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::{Quota, RateLimiter};

use crate::addressing::Addressing;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Answer, Refusal};
pub(crate) use crowd::admit_to_crowd;

use crowd::Crowd;
use stopwatch::Stopwatch;
use usage::Usage;

/// What watches whether the service lives is not counted: it asks all the time, and an answer that
/// says to wait would look like a failure.
const PROBES: [&str; 2] = ["/api/health", "/api/ready"];

/// A bucket for each key: as many requests as go into a minute at once, then as they drip in.
#[derive(Debug)]
struct Limit<K: Hash + Eq + Clone>(RateLimiter<K, Usage<K>, Stopwatch, NoOpMiddleware<Duration>>);

/// The limits on requests. One that is absent limits nothing.
#[derive(Debug)]
pub(crate) struct Limits {
    callers: Option<Limit<String>>,
    strangers: Option<Limit<Option<IpAddr>>>,
    costly: Option<Limit<String>>,
    crowd: Crowd,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(per_minute: NonZeroU32, clock: &SharedClock) -> Self {
        let clock = Stopwatch::new(clock.clone());
        let quota = Quota::per_minute(per_minute);
        let usage = Usage::new(quota.replenish_interval());
        Self(RateLimiter::new(quota, usage, clock))
    }

    /// Counts a request; how long to wait when there were too many.
    fn count(&self, key: &K) -> Result<(), Duration> {
        let Self(limiter) = self;
        let counted = limiter.check_key(key);
        counted.map_err(|until| until.wait_time_from(limiter.clock().now()))
    }
}

impl Limits {
    /// Limits as the settings say, by this clock.
    pub(crate) fn new(settings: &RequestLimits, clock: &SharedClock) -> Self {
        Self {
            callers: settings.callers.map(|limit| Limit::new(limit, clock)),
            strangers: settings.strangers.map(|limit| Limit::new(limit, clock)),
            costly: settings.costly.map(|limit| Limit::new(limit, clock)),
            crowd: Crowd::new(settings.at_once, settings.downloads_at_once),
        }
    }

    /// Counts a request of somebody who is known.
    pub(crate) fn count_caller(&self, caller: &Caller) -> Result<(), Refusal> {
        count(self.callers.as_ref(), &caller.user_id)
    }

    /// Counts a request for something costly.
    pub(crate) fn count_costly(&self, caller: &Caller) -> Result<(), Refusal> {
        count(self.costly.as_ref(), &caller.user_id)
    }

    /// Counts a request from this address of somebody who is not known.
    pub(crate) fn count_stranger(&self, address: Option<IpAddr>) -> Result<(), Refusal> {
        count(self.strangers.as_ref(), &address.map(neighbourhood))
    }

    /// Counts a request that failed at the door, unless that was no fault of the client's.
    pub(crate) fn count_refused(
        &self,
        error: &Error,
        address: Option<IpAddr>,
    ) -> Result<(), Refusal> {
        if matches!(error, Error::Unavailable { .. } | Error::Internal { .. }) {
            return Ok(());
        }
        self.count_stranger(address)
    }
}

fn count<K: Hash + Eq + Clone>(limit: Option<&Limit<K>>, key: &K) -> Result<(), Refusal> {
    limit
        .map_or(Ok(()), |limit| limit.count(key))
        .map_err(Refusal::TooManyRequests)
}

/// What one subscriber has: an address, or in IPv6 a network of /64 with addresses without end.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// Whether a request is one that is not counted.
pub(crate) fn is_probe(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    path.is_some_and(|path| PROBES.contains(&path.as_str()))
}

/// Lets a request to what is open to everybody pass, unless too many came from its address.
pub(crate) async fn admit_stranger(
    State(app): State<App>,
    addressing: Addressing,
    request: Request,
    next: Next,
) -> Answer<Response> {
    if !is_probe(&request) {
        app.limits.count_stranger(addressing.client())?;
    }
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests;
