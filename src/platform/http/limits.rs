//! Rate limits: GCRA per key, with a bounded number of keys.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::{
    Quota, RateLimiter as Gcra,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use ipnet::IpNet;

use crate::crypto;

/// Keys longer than this many bytes are stored as their SHA-256.
const LONGEST_KEY: usize = 128;

type Limiter = Gcra<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// Limits each key to a sustained rate with a burst. Idle keys are dropped and the number of keys is bounded, so that invented keys cannot
/// fill the memory.
#[derive(Clone)]
pub struct RateLimiter {
    quota: Quota,
    keys: moka::sync::Cache<String, Arc<Limiter>>,
}

impl std::fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RateLimiter").field("quota", &self.quota).finish_non_exhaustive()
    }
}

impl RateLimiter {
    /// `per_minute` sustained, `burst` at once; 0 counts as 1.
    pub fn new(per_minute: u32, burst: u32) -> Self {
        let one = NonZeroU32::MIN;
        let quota = Quota::per_minute(NonZeroU32::new(per_minute).unwrap_or(one))
            .allow_burst(NonZeroU32::new(burst).unwrap_or(one));
        let keys = moka::sync::Cache::builder().max_capacity(100_000).time_to_idle(Duration::from_secs(3600)).build();
        Self { quota, keys }
    }

    /// `burst` at once, and one more after each `every`: for what is rare.
    pub fn sparse(every: Duration, burst: u32) -> Self {
        let one = NonZeroU32::MIN;
        let burst = NonZeroU32::new(burst).unwrap_or(one);
        let quota = Quota::with_period(every).unwrap_or(Quota::per_minute(one)).allow_burst(burst);
        let idle = every.saturating_mul(burst.get()).max(Duration::from_secs(3600));
        Self { quota, keys: moka::sync::Cache::builder().max_capacity(100_000).time_to_idle(idle).build() }
    }

    /// Takes one request from the allowance of `key`.
    pub fn take(&self, key: &str) -> Result<Allowance, Refusal> {
        // The client chooses some keys (the e-mail of a sign-in), so their length must be bounded too.
        let digest = (key.len() > LONGEST_KEY).then(|| crypto::sha256_hex(key));
        let key = digest.as_deref().unwrap_or(key);
        let limiter = match self.keys.get(key) {
            Some(limiter) => limiter,
            None => self.keys.get_with(key.to_owned(), || {
                Arc::new(Gcra::direct(self.quota).with_middleware::<StateInformationMiddleware>())
            }),
        };
        match limiter.check() {
            Ok(state) => Ok(self.allowance(state.remaining_burst_capacity())),
            Err(not_until) => Err(Refusal {
                retry_after: not_until.wait_time_from(DefaultClock::default().now()),
                allowance: self.allowance(0),
            }),
        }
    }

    /// As [`Self::take`]; `Err` is the time to wait.
    pub fn check(&self, key: &str) -> Result<(), Duration> {
        self.take(key).map(drop).map_err(|refusal| refusal.retry_after)
    }

    fn allowance(&self, remaining: u32) -> Allowance {
        let limit = self.quota.burst_size().get();
        let reset = self.quota.replenish_interval().saturating_mul(limit.saturating_sub(remaining));
        Allowance { limit, remaining, reset }
    }
}

/// What is left of a key's limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// The burst.
    pub limit: u32,
    pub remaining: u32,
    /// Time until `remaining` equals `limit` again.
    pub reset: Duration,
}

impl Allowance {
    /// Sets `RateLimit-Limit`, `-Remaining` and `-Reset`, in seconds (draft-ietf-httpapi-ratelimit-headers-07).
    pub fn tell(self, headers: &mut HeaderMap) {
        let reset = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(self.limit));
        headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(self.remaining));
        headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(reset));
    }

    /// Sets the same figures under the header names that OpenAI's clients read.
    pub fn tell_openai(self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("x-ratelimit-limit-requests"), HeaderValue::from(self.limit));
        headers.insert(HeaderName::from_static("x-ratelimit-remaining-requests"), HeaderValue::from(self.remaining));
        if let Ok(reset) = HeaderValue::from_str(&format!("{}ms", self.reset.as_millis())) {
            headers.insert(HeaderName::from_static("x-ratelimit-reset-requests"), reset);
        }
    }
}

/// The limit is exhausted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub retry_after: Duration,
    pub allowance: Allowance,
}

/// Client address: the peer's, or the one that trusted proxies report. `X-Forwarded-For` is read from the right, through trusted proxies
/// only: clients can write anything at its left end.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip.to_canonical()));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let forwarded: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(',')).collect();
    for hop in forwarded.iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        client = ip.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Key of the rate limit: for IPv6 the /64, which is what one customer has.
pub fn address_key(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded: &str) -> HeaderMap {
        HeaderMap::from_iter([(axum::http::HeaderName::from_static("x-forwarded-for"), forwarded.parse().unwrap())])
    }

    #[test]
    fn forwarded_addresses_are_believed_only_from_trusted_proxies_and_from_the_right() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        let ask =
            |peer: &str, forwarded| client_address(peer.parse().unwrap(), &headers(forwarded), &trusted).to_string();
        assert_eq!(ask("203.0.113.9", "1.1.1.1"), "203.0.113.9");
        assert_eq!(ask("10.0.0.1", "1.1.1.1, 203.0.113.7"), "203.0.113.7");
        assert_eq!(ask("10.0.0.1", "203.0.113.7, 10.0.0.2"), "203.0.113.7");
        assert_eq!(ask("10.0.0.1", "garbage"), "10.0.0.1");
    }

    #[test]
    fn an_ipv6_customer_is_one_key() {
        let key = |ip: &str| address_key(ip.parse().unwrap());
        assert_eq!(key("2001:db8:1:2:3::4"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
    }

    #[test]
    fn a_burst_is_allowed_and_then_waits() {
        let limiter = RateLimiter::new(60, 3);
        assert!((0..3).all(|_| limiter.check("a").is_ok()));
        let wait = limiter.check("a").unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
        assert!(limiter.check("b").is_ok());
    }

    #[test]
    fn a_long_key_is_one_key_and_takes_no_more_memory_than_others() {
        let limiter = RateLimiter::new(60, 1);
        let long = "x".repeat(1 << 20);
        assert!(limiter.check(&long).is_ok() && limiter.check(&long).is_err());
        assert!(limiter.check(&format!("{long}y")).is_ok());
        assert!(limiter.keys.iter().all(|(key, _)| key.len() <= LONGEST_KEY));
    }

    #[test]
    fn what_is_left_is_told() {
        let limiter = RateLimiter::new(60, 3);
        let left: Vec<_> = (0..3).map(|_| limiter.take("a").unwrap()).map(|a| (a.limit, a.remaining)).collect();
        assert_eq!(left, [(3, 2), (3, 1), (3, 0)]);
        let refused = limiter.take("a").unwrap_err();
        assert_eq!(refused.allowance, Allowance { limit: 3, remaining: 0, reset: Duration::from_secs(3) });
        let mut headers = HeaderMap::new();
        refused.allowance.tell(&mut headers);
        assert_eq!(headers["ratelimit-reset"], "3");
    }
}
