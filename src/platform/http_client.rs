//! The HTTP clients: for addresses from the configuration, and for addresses from users.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use chrono::DateTime;
use ipnet::IpNet;
use reqwest::{
    Method, RequestBuilder, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::{DATE, HeaderMap, RETRY_AFTER},
    redirect::Policy,
};

use super::{clock::Clock, trace};

/// The HTTP clients. Cheap to clone; connections are pooled.
#[derive(Clone, Debug)]
pub struct HttpClients {
    operator: reqwest::Client,
    patient: reqwest::Client,
    probe: reqwest::Client,
}

/// Settings of every client.
#[expect(clippy::disallowed_methods, reason = "the home of the ban")]
fn base() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("holdfast/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_secs(60))
        .no_proxy()
}

/// Propagates the trace to the called server.
pub trait Traced: Sized {
    /// Adds `traceparent` if the current task has a trace.
    #[must_use]
    fn traced(self) -> Self;
}

impl Traced for RequestBuilder {
    fn traced(self) -> Self {
        match trace::current() {
            Some(context) => self.header("traceparent", context.traceparent()),
            None => self,
        }
    }
}

impl HttpClients {
    /// `user_agent` identifies us to the server.
    pub fn new() -> Result<Self, reqwest::Error> {
        Ok(Self {
            // The caller sets the total timeout.
            operator: base().read_timeout(Duration::from_secs(300)).redirect(Policy::none()).build()?,
            patient: base().redirect(Policy::none()).build()?,
            // A new connection per probe, to see the certificate.
            probe: base().redirect(Policy::none()).pool_max_idle_per_host(0).tls_info(true).build()?,
        })
    }

    /// For addresses from the configuration: model servers on localhost, Loki, S3. Use [`Traced::traced`] for calls on behalf of a request.
    pub fn operator(&self) -> &reqwest::Client {
        &self.operator
    }

    /// As [`Self::operator`], without a read timeout: for model servers, whose configured timeouts may be an hour. The caller sets the
    /// timeout.
    pub fn patient(&self) -> &reqwest::Client {
        &self.patient
    }

    /// As [`Self::operator`], for our own public address: exposes the certificate and keeps no connection.
    pub fn probe(&self) -> &reqwest::Client {
        &self.probe
    }
}

/// Client for addresses from users (SSRF protection). DNS names are checked when they resolve, for every new connection; literal IPs, for
/// which no resolver is asked, are checked here. No redirect is followed. The inner client stays private, so that no request bypasses the
/// checks.
#[derive(Clone, Debug)]
pub struct TenantClient {
    inner: reqwest::Client,
    /// Private networks that an operator allows.
    allowed: Arc<[IpNet]>,
}

impl TenantClient {
    /// A client for the public internet and these private networks.
    pub fn new(allowed: Vec<IpNet>) -> Result<Self, reqwest::Error> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let resolver = Arc::new(PublicOnly(allowed.clone()));
        let inner = base().timeout(Duration::from_secs(30)).redirect(Policy::none()).dns_resolver(resolver).build()?;
        Ok(Self { inner, allowed })
    }

    /// Checks a user's address as far as possible without a resolver.
    pub fn judge(&self, address: &str) -> Result<(), AddressError> {
        judge(&address.parse().map_err(|_| AddressError::Invalid)?, &self.allowed)
    }

    /// A request to a user's address; fails if it cannot be public.
    pub fn request(&self, method: Method, address: &str) -> Result<RequestBuilder, AddressError> {
        let url: Url = address.parse().map_err(|_| AddressError::Invalid)?;
        judge(&url, &self.allowed)?;
        Ok(self.inner.request(method, url).traced())
    }
}

/// Why a user's address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("this is not an http or https address")]
    Invalid,
    #[error("{0} is not an address of the public internet")]
    NotPublic(IpAddr),
}

/// Rejects other schemes and literal private IPs (the URL parser has normalised all their spellings); DNS names are checked in the
/// resolver.
fn judge(url: &Url, allowed: &[IpNet]) -> Result<(), AddressError> {
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https")).ok_or(AddressError::Invalid)?;
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) if !may_be_asked(ip, allowed) => Err(AddressError::NotPublic(ip)),
        _ => Ok(()),
    }
}

/// Whether a user's address may be connected to: it is on the public internet, or in a network that an operator allows.
pub fn may_be_asked(ip: IpAddr, allowed: &[IpNet]) -> bool {
    is_public(ip) || allowed.iter().any(|network| network.contains(&ip.to_canonical()))
}

/// DNS resolver that returns public addresses only.
#[derive(Debug)]
struct PublicOnly(Arc<[IpNet]>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> = found.into_iter().filter(|a| may_be_asked(a.ip(), &allowed)).collect();
            if public.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is on the public internet: not private, loopback, link-local, shared (CGNAT), unique-local, NAT64, 6to4,
/// documentation, multicast or reserved. An address that embeds an IPv4 address counts as that address.
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_documentation()
        || ip.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // 64:ff9b::/96 and 64:ff9b:1::/48 (NAT64), 2002::/16 (6to4) and 2001::/32 (Teredo) embed IPv4 targets.
    let tunnels = (a == 0x64 && b == 0xff9b) || a == 0x2002 || (a == 0x2001 && b == 0);
    let documentation = a == 0x2001 && b == 0xdb8;
    // Global unicast addresses are assigned from 2000::/3 only.
    a & 0xe000 == 0x2000 && !tunnels && !documentation
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is compared with the server's own `Date`. A date in the past is no wait.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |name| DateTime::parse_from_rfc2822(text(name)?).ok();
    let until = || {
        let now = date(DATE).map_or_else(|| Clock::system().now(), |date| date.to_utc());
        Some((date(RETRY_AFTER)?.to_utc() - now).as_seconds_f64().max(0.0))
    };
    let seconds: f64 = text(RETRY_AFTER)?.parse().ok().or_else(until)?;
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_seconds_or_by_a_date_when_it_wants_the_next_request() {
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("0.5", Some(1)),
            ("Sun, 06 Nov 1994 08:51:37 GMT", Some(120)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("-1", None),
            ("inf", None),
            ("1e300", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = [(DATE, "Sun, 06 Nov 1994 08:49:37 GMT"), (RETRY_AFTER, value)];
            let headers = headers.map(|(name, value)| (name, value.parse().unwrap())).into_iter().collect();
            assert_eq!(retry_after(&headers), seconds.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn targets_inside_are_not_public_in_any_spelling() {
        for ip in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001:0:1::1",
            "ff02::1",
            "2001:db8::1",
            "198.18.0.1",
            "192.0.0.8",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn a_users_address_that_is_written_as_a_number_is_judged_too() {
        let tenant = TenantClient::new(Vec::new()).unwrap();
        for inside in [
            "http://127.0.0.1:8080/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.0.0.1./",
            "https://user@10.0.0.1/",
            "http://192.168.1.1",
            "http://169.254.169.254/latest/meta-data/",
            "http://100.64.0.1/",
            "http://0.0.0.0/",
            "http://[::1]:9464/metrics",
            "http://[fe80::1]/",
            "http://[fd12::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a00:1]/",
        ] {
            assert!(matches!(tenant.request(Method::GET, inside), Err(AddressError::NotPublic(_))), "{inside}");
        }
        for none in ["file:///etc/passwd", "ftp://example.com/", "example.com", "http://", "unix:/run/x"] {
            assert_eq!(tenant.request(Method::GET, none).err(), Some(AddressError::Invalid), "{none}");
        }
        for outside in
            ["http://1.1.1.1/", "https://[2606:4700:4700::1111]/", "https://example.com/", "http://localhost"]
        {
            assert!(tenant.request(Method::GET, outside).is_ok(), "{outside}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_refused_when_it_is_resolved() {
        let tenant = TenantClient::new(Vec::new()).unwrap();
        let error = tenant.request(Method::GET, "http://localhost:1/").unwrap().send().await.unwrap_err();
        let chain = format!("{:#}", anyhow::Error::from(error));
        assert!(chain.contains("localhost has no public address"), "{chain}");
    }

    #[tokio::test]
    async fn a_network_that_an_operator_allows_is_asked_and_no_other() {
        let client = TenantClient::new(vec!["10.20.0.0/16".parse().unwrap(), "127.0.0.1/32".parse().unwrap()]).unwrap();
        for inside in ["http://10.20.3.4/", "http://[::ffff:10.20.3.4]/", "http://127.0.0.1:9/", "https://1.1.1.1/"] {
            assert_eq!(client.judge(inside), Ok(()), "{inside}");
        }
        for other in ["http://10.21.0.1/", "http://127.0.0.2/", "http://169.254.169.254/", "http://[::1]/"] {
            assert!(matches!(client.judge(other), Err(AddressError::NotPublic(_))), "{other}");
        }
    }

    #[tokio::test]
    async fn no_redirect_is_followed() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = TenantClient::new(vec!["127.0.0.1/32".parse().unwrap()]).unwrap();
        let answer = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            let head = format!("HTTP/1.1 302 Found\r\nlocation: http://{address}/next\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::time::timeout(Duration::from_millis(500), listener.accept()).await.is_ok()
        };
        let asked = client.request(Method::GET, &format!("http://{address}/")).unwrap().send();
        let (followed, response) = tokio::join!(answer, asked);
        assert_eq!((followed, response.unwrap().status().as_u16()), (false, 302));
    }
}
