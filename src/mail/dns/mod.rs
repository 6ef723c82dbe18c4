//! What the DNS says about a domain that mail is sent from: DKIM, SPF, DMARC; and whether this host's name and address agree.
//!
//! Records are judged as receivers read them: what these do not take must not be called right. mail-auth reads them as one of the lenient receivers
//! does; what stricter ones refuse is looked at besides.

mod dkim;
mod dmarc;
mod spf;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{NameServerConfig, ResolverConfig},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::RData,
};
use tokio::sync::OnceCell;

use super::model::{DnsCheck, DnsStatus};
pub use dkim::judge as dkim;
pub use dmarc::{host as dmarc_host, judge as dmarc, parent};
use platform::error::chain;
pub use spf::judge as spf;

/// An answer comes sooner, or not at all.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The name servers of this host, or the one that is configured.
pub struct Dns {
    server: Option<SocketAddr>,
    resolver: OnceCell<TokioResolver>,
}

/// Records of a name; `Err`: the name server did not answer.
pub type Found = Result<Vec<String>, String>;

impl Dns {
    /// `None`: those of this host.
    pub fn new(server: Option<SocketAddr>) -> Self {
        Self { server, resolver: OnceCell::new() }
    }

    /// TXT records; none if the name does not exist.
    pub async fn txt(&self, name: &str) -> Found {
        let resolver = self.resolver().await?;
        // With the final dot, no search domain is tried.
        let answer = match resolver.txt_lookup(format!("{name}.")).await {
            Ok(answer) => answer,
            Err(error) => return nothing(&error).map(|()| Vec::new()),
        };
        let texts = answer.answers().iter().filter_map(|record| match &record.data {
            // A long record is in several pieces.
            RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(texts.collect())
    }

    /// Addresses of a host, each with the names that its reverse record gives.
    pub async fn reverse(&self, host: &str) -> Result<Vec<(IpAddr, Vec<String>)>, String> {
        let resolver = self.resolver().await?;
        let addresses: Vec<IpAddr> = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => match resolver.lookup_ip(format!("{host}.")).await {
                Ok(answer) => answer.iter().collect(),
                Err(error) => return nothing(&error).map(|()| Vec::new()),
            },
        };
        let mut found = Vec::new();
        for address in addresses {
            let names = match resolver.reverse_lookup(address).await {
                Ok(answer) => answer.answers().iter().filter_map(|record| pointer(&record.data)).collect(),
                Err(error) => nothing(&error).map(|()| Vec::new())?,
            };
            found.push((address, names));
        }
        Ok(found)
    }

    async fn resolver(&self) -> Result<&TokioResolver, String> {
        let build = async {
            let mut builder = match self.server {
                Some(server) => TokioResolver::builder_with_config(only(server), TokioRuntimeProvider::default()),
                None => TokioResolver::builder_tokio()?,
            };
            let options = builder.options_mut();
            options.timeout = TIMEOUT;
            options.attempts = 1;
            // Whoever has just published a record wants to see it.
            options.cache_size = 0;
            builder.build()
        };
        self.resolver.get_or_try_init(|| build).await.map_err(|error: NetError| chain(&error))
    }
}

fn only(server: SocketAddr) -> ResolverConfig {
    let mut config = NameServerConfig::udp_and_tcp(server.ip());
    config.connections.iter_mut().for_each(|connection| connection.port = server.port());
    ResolverConfig::from_name_servers(vec![config])
}

fn pointer(data: &RData) -> Option<String> {
    match data {
        RData::PTR(name) => Some(name.0.to_lowercase().to_ascii().trim_end_matches('.').to_owned()),
        _ => None,
    }
}

/// Whether an error only says that there is no such record.
fn nothing(error: &NetError) -> Result<(), String> {
    if error.is_no_records_found() { Ok(()) } else { Err(chain(error)) }
}

/// Whether others can find a host by this name: it is no address, and no name for this host or network alone (RFC 6761, RFC 6762).
pub fn is_public(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let is_private = [".localhost", ".local", ".internal", ".invalid"].iter().any(|end| name.ends_with(end));
    name.contains('.') && !is_address && !is_private
}

/// A record that may be missing, but not be wrong.
pub fn optional(check: DnsCheck) -> DnsCheck {
    let is_missing = check.status == DnsStatus::Fail && check.found.is_empty();
    if is_missing { DnsCheck { status: DnsStatus::Warn, ..check } } else { check }
}

/// Judges whether the name that this host gives to mail servers has an address whose reverse record gives the name back. Only those who send
/// without a provider's server need it.
pub fn reverse(hostname: &str, found: Result<Vec<(IpAddr, Vec<String>)>, String>) -> DnsCheck {
    let judged = match &found {
        Err(error) => (DnsStatus::Unknown, error.clone()),
        Ok(found) if found.is_empty() => (DnsStatus::Warn, "the name has no address".to_owned()),
        Ok(found) if found.iter().all(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(hostname))) => {
            (DnsStatus::Pass, String::new())
        }
        Ok(_) => (
            DnsStatus::Warn,
            "an address of it has another name: of no consequence when a provider's server sends".to_owned(),
        ),
    };
    let found = found.map(|found| {
        found.into_iter().map(|(address, names)| format!("{address}: {}", names.join(", "))).collect::<Vec<_>>()
    });
    check("reverse", (hostname, "PTR"), found, hostname, judged)
}

fn check(
    name: &str,
    (host, record): (&str, &str),
    found: Found,
    expected: &str,
    (status, detail): (DnsStatus, String),
) -> DnsCheck {
    DnsCheck {
        name: name.to_owned(),
        status,
        host: host.to_owned(),
        record: record.to_owned(),
        found: found.unwrap_or_default(),
        expected: expected.to_owned(),
        detail,
    }
}

/// Name and value, without white space, of each tag of a record such as `v=DKIM1; k=rsa; p=...` (RFC 6376 section 3.2), or what is wrong with it.
fn tags(record: &str) -> Result<Vec<(&str, String)>, String> {
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut tags: Vec<(&str, String)> = Vec::new();
    for tag in record.split(';').map(|tag| tag.trim_matches(is_space)).filter(|tag| !tag.is_empty()) {
        let (name, value) = tag.split_once('=').ok_or_else(|| format!("{tag:?} is no tag with a value"))?;
        let name = name.trim_matches(is_space);
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            return Err(format!("{name:?} is no name of a tag"));
        }
        if let Some(odd) = value.chars().find(|c| !c.is_ascii_graphic() && !is_space(*c)) {
            return Err(format!("the character {odd:?} in {name}= is not allowed"));
        }
        if tags.iter().any(|(other, _)| *other == name) {
            return Err(format!("{name}= is there twice"));
        }
        tags.push((name, value.chars().filter(|c| !is_space(*c)).collect()));
    }
    Ok(tags)
}

fn value<'a>(tags: &'a [(&str, String)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
}

fn fail(detail: impl Into<String>) -> (DnsStatus, String) {
    (DnsStatus::Fail, detail.into())
}

fn warn(detail: impl Into<String>) -> (DnsStatus, String) {
    (DnsStatus::Warn, detail.into())
}
