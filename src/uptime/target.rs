//! Addresses that a probe may connect to: the only way to one.
//!
//! A name is resolved once; each address is judged by `platform::http_client::may_be_asked` with `uptime.private_networks`, and what was judged is
//! what is connected to, by the type: nothing resolves the name again. Redirects, referrals of RDAP and steps of a flow go the same way.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{Name, RData},
};
use ipnet::IpNet;
use reqwest::Url;
use tokio::sync::OnceCell;

use super::{
    model::{Failure, Reason},
    spec::Family,
};
use platform::{
    error::chain,
    http_client::{AddressError, may_be_asked},
};

/// A name server answers sooner, or is asked again.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of a name that are tried.
const MOST: usize = 3;

/// An address that may be connected to. Only this module makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Judged(SocketAddr);

impl Judged {
    pub fn address(self) -> SocketAddr {
        self.0
    }
}

/// Which addresses may be connected to: those of the public internet, and these.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    networks: Arc<[IpNet]>,
}

impl Policy {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self { networks: networks.into() }
    }

    pub fn permits(&self, ip: IpAddr) -> bool {
        may_be_asked(ip, &self.networks)
    }
}

/// A literal address in a URL or in place of a host's name, with its brackets or without.
pub fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Judges a URL as far as possible without a resolver: when a monitor is saved.
pub fn judge(url: &str, policy: &Policy) -> Result<(), AddressError> {
    let url: Url = url.parse().map_err(|_| AddressError::Invalid)?;
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or(AddressError::Invalid)?;
    judge_host(host, policy)
}

/// As [`judge`], for a host's name or address.
pub fn judge_host(host: &str, policy: &Policy) -> Result<(), AddressError> {
    match literal(host) {
        Some(ip) if !policy.permits(ip) => Err(AddressError::NotPublic(ip)),
        _ => Ok(()),
    }
}

/// Name servers: those of this host, or a certain one. Made at the first question, because the settings of the host are read then.
#[derive(Clone, Default)]
pub struct Resolver {
    server: Option<SocketAddr>,
    inner: Arc<OnceCell<TokioResolver>>,
}

impl Resolver {
    /// Asks only this server.
    pub fn at(server: SocketAddr) -> Self {
        Self { server: Some(server), ..Self::default() }
    }

    pub async fn get(&self) -> Result<&TokioResolver, NetError> {
        self.inner.get_or_try_init(|| async { build(self.server) }).await
    }
}

fn build(server: Option<SocketAddr>) -> Result<TokioResolver, NetError> {
    let mut builder = match server {
        None => TokioResolver::builder_tokio()?,
        Some(server) => {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            let config = ResolverConfig::from_name_servers(vec![config]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv6AndIpv4;
    // What is measured is what a visitor meets, and what changes is seen.
    options.cache_size = 0;
    builder.build()
}

/// The addresses of a host that may be connected to, at most three, families by turns. A literal address is judged as it is; of a name the addresses
/// that may not be asked are left out, and if none is left that is the failure.
pub async fn resolve(
    resolver: &Resolver,
    host: &str,
    port: u16,
    family: Family,
    policy: &Policy,
) -> Result<Vec<Judged>, Failure> {
    let found = match literal(host) {
        Some(ip) => vec![ip],
        None => look_up(resolver, host, family).await?,
    };
    let is_wanted = |ip: &IpAddr| match family {
        Family::Auto => true,
        Family::Four => ip.is_ipv4(),
        Family::Six => ip.is_ipv6(),
    };
    let found: Vec<IpAddr> = found.into_iter().filter(is_wanted).collect();
    if found.is_empty() {
        return Err(Failure { reason: Reason::NameNotFound, text: format!("{host} has no address of this family") });
    }
    let (may, not): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().partition(|ip| policy.permits(*ip));
    if may.is_empty() {
        // The text is for whoever has the monitor: where an inner name leads is for the operator alone.
        tracing::debug!(host, addresses = ?not, "a monitor's target is not of the public internet");
        let is = if literal(host).is_some() { "is not an" } else { "leads to no" };
        let text = format!("{host} {is} address of the public internet, and uptime.private_networks does not have it");
        return Err(Failure { reason: Reason::PrivateAddress, text });
    }
    Ok(by_turns(may).into_iter().take(MOST).map(|ip| Judged(SocketAddr::new(ip, port))).collect())
}

/// A name as it is asked for, with its final dot; `None`: the DNS can have no such name. ASCII is taken as it is: names inside networks, of containers and of
/// records may have underscores, which the rules of international names refuse.
pub fn dns_name(text: &str) -> Option<Name> {
    let parsed = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
    let mut name = parsed.ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// Whether the search domains of this host are tried: for a single word, as of containers. Of a name with a dot they would, where it is gone, find a
/// stranger with a similar name.
fn is_searched(host: &str) -> bool {
    !host.contains('.') && !host.eq_ignore_ascii_case("localhost")
}

async fn look_up(resolver: &Resolver, host: &str, family: Family) -> Result<Vec<IpAddr>, Failure> {
    let failed = |error: &NetError| {
        let reason = match error {
            NetError::Timeout => Reason::ResolveTimeout,
            error if error.is_no_records_found() => Reason::NameNotFound,
            _ => Reason::ResolverFailed,
        };
        Failure { reason, text: format!("{host}: {}", chain(error)) }
    };
    let wrong = || Failure { reason: Reason::NameNotFound, text: format!("{host:?} cannot be a name of the DNS") };
    let mut name = dns_name(host).ok_or_else(wrong)?;
    name.set_fqdn(!is_searched(host));
    let resolver = resolver.get().await.map_err(|error| failed(&error))?;
    let records = match family {
        Family::Auto => return Ok(resolver.lookup_ip(name).await.map_err(|error| failed(&error))?.iter().collect()),
        Family::Four => resolver.ipv4_lookup(name).await,
        Family::Six => resolver.ipv6_lookup(name).await,
    };
    let records = records.map_err(|error| failed(&error))?;
    let addresses = records.answers().iter().filter_map(|record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    });
    Ok(addresses.collect())
}

/// The families of addresses by turns, beginning with that of the first (RFC 8305).
fn by_turns(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let preferred = found.first().is_some_and(IpAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.into_iter().partition(|ip| ip.is_ipv6() == preferred);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before {
            return turns;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(networks: &[&str]) -> Policy {
        Policy::new(networks.iter().map(|network| network.parse().unwrap()).collect())
    }

    #[test]
    fn a_literal_address_is_judged_when_a_monitor_is_saved() {
        let none = policy(&[]);
        for inside in ["http://127.0.0.1:8080/", "https://[::1]/", "http://2130706433/", "http://[::ffff:10.0.0.1]/"] {
            assert!(matches!(judge(inside, &none), Err(AddressError::NotPublic(_))), "{inside}");
        }
        for no_url in ["ftp://example.com/", "example.com", "http://"] {
            assert_eq!(judge(no_url, &none), Err(AddressError::Invalid), "{no_url}");
        }
        assert_eq!(judge("http://127.0.0.1/", &policy(&["127.0.0.0/8"])), Ok(()));
        assert_eq!(judge("https://example.com/", &none), Ok(()));
        assert!(judge_host("10.0.0.1", &none).is_err() && judge_host("example.com", &none).is_ok());
    }

    #[tokio::test]
    async fn only_what_may_be_asked_is_an_address() {
        let resolver = Resolver::default();
        let refused = resolve(&resolver, "127.0.0.1", 80, Family::Auto, &policy(&[])).await.unwrap_err();
        assert_eq!(refused.reason, Reason::PrivateAddress);
        let refused =
            resolve(&resolver, "::ffff:127.0.0.1", 80, Family::Auto, &policy(&["10.0.0.0/8"])).await.unwrap_err();
        assert_eq!(refused.reason, Reason::PrivateAddress);
        let found = resolve(&resolver, "[::1]", 80, Family::Auto, &policy(&["::1/128"])).await.unwrap();
        assert_eq!(found[0].address(), "[::1]:80".parse().unwrap());
        let other = resolve(&resolver, "127.0.0.1", 80, Family::Six, &policy(&["127.0.0.0/8"])).await.unwrap_err();
        assert_eq!(other.reason, Reason::NameNotFound);
    }

    #[test]
    fn names_with_underscores_can_be_asked_and_single_words_are_searched() {
        for (text, name) in
            [("my_app", "my_app."), ("Key._domainkey.x.", "Key._domainkey.x."), ("жук.рф", "xn--f1ai0a.xn--p1ai.")]
        {
            assert_eq!(dns_name(text).unwrap().to_ascii(), name);
        }
        assert!(["a..b", "-a", "x".repeat(64).as_str()].into_iter().all(|text| dns_name(text).is_none()));
        assert_eq!(["db", "db.", "a.b", "localhost"].map(is_searched), [true, false, false, false]);
    }

    #[test]
    fn families_alternate() {
        let parse = |text: &str| text.split(' ').map(|one| one.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(by_turns(parse("::1 ::2 127.0.0.1")), parse("::1 127.0.0.1 ::2"));
    }
}
