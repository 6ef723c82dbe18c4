//! Connection limit per client address, so that one client cannot take all connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ipnet::IpNet;

use super::address_key;

/// Limits open connections per address. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLimit {
    most: usize,
    /// Proxies: many clients share one of their addresses.
    exempt: Arc<[IpNet]>,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// A connection's permit, released when dropped.
#[derive(Debug)]
pub(super) struct ConnectionPermit(Option<(ConnectionLimit, String)>);

impl ConnectionLimit {
    pub(super) fn new(most: usize, exempt: Vec<IpNet>) -> Self {
        Self { most, exempt: exempt.into(), taken: Arc::default() }
    }

    /// `None` when the address is at its limit.
    pub(super) fn take(&self, peer: IpAddr) -> Option<ConnectionPermit> {
        let peer = peer.to_canonical();
        if self.exempt.iter().any(|net| net.contains(&peer)) {
            return Some(ConnectionPermit(None));
        }
        let key = address_key(peer);
        let mut taken = self.taken();
        let count = taken.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit(Some((self.clone(), key))))
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some((limit, key)) = &self.0 else { return };
        let mut taken = limit.taken();
        if let Some(count) = taken.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_places_and_gets_them_back() {
        let limit = ConnectionLimit::new(2, vec!["10.0.0.0/8".parse().unwrap()]);
        let take = |ip: &str| limit.take(ip.parse().unwrap());
        let held = [take("203.0.113.9"), take("::ffff:203.0.113.9")];
        assert!(held.iter().all(Option::is_some) && take("203.0.113.9").is_none());
        let other = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(other.iter().all(Option::is_some) && take("2001:db8::3").is_none(), "an IPv6 customer is one address");
        let proxies: Vec<_> = (0..9).map(|_| take("10.1.2.3")).collect();
        assert!(proxies.iter().all(Option::is_some), "a proxy stands for many");
        drop(held);
        assert!(take("203.0.113.9").is_some());
        drop((other, proxies));
        assert!(limit.taken().is_empty(), "nothing is remembered of who has gone");
    }
}
