//! What the DNS says about a domain that mail is sent from: DKIM, SPF, DMARC; and whether this host's name and address agree.

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

use super::model::{DnsCheck, DnsRecord, DnsStatus};
use platform::error::chain;

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

/// Judges the record of a DKIM key.
pub fn dkim(name: &str, expected: &DnsRecord, found: Found) -> DnsCheck {
    let key = |record: &str| tag(record, "p");
    let is_right = |found: &Vec<String>| found.iter().any(|record| key(record) == key(&expected.value));
    let judged = match &found {
        Err(error) => (DnsStatus::Unknown, error.clone()),
        Ok(found) if is_right(found) && found.len() > 1 => {
            let detail = "there is another record of this name, which receivers may take instead: remove it";
            (DnsStatus::Fail, detail.to_owned())
        }
        Ok(found) if is_right(found) => (DnsStatus::Pass, String::new()),
        Ok(found) if found.is_empty() => (DnsStatus::Fail, "the record is missing".to_owned()),
        Ok(_) => (DnsStatus::Fail, "the record has another key".to_owned()),
    };
    check(name, (expected.host.as_str(), "TXT"), found, &expected.value, judged)
}

/// A record that may be missing, but not be wrong.
pub fn optional(check: DnsCheck) -> DnsCheck {
    let is_missing = check.status == DnsStatus::Fail && check.found.is_empty();
    if is_missing { DnsCheck { status: DnsStatus::Warn, ..check } } else { check }
}

/// Judges the SPF record. Which servers it should name, only the operator and the provider know.
pub fn spf(domain: &str, found: Found) -> DnsCheck {
    let found = found.map(|records| {
        records.into_iter().filter(|record| record.to_ascii_lowercase().starts_with("v=spf1")).collect::<Vec<_>>()
    });
    let judged = match found.as_deref() {
        Err(error) => (DnsStatus::Unknown, error.clone()),
        Ok([]) => (DnsStatus::Fail, "the record is missing: name the servers of your mail provider in it".to_owned()),
        Ok([record]) => {
            let words: Vec<String> = record.split_ascii_whitespace().map(str::to_ascii_lowercase).collect();
            if words.iter().any(|word| word == "+all" || word == "all") {
                (DnsStatus::Fail, "it permits every server of the world (+all)".to_owned())
            } else if words.iter().any(|word| word == "-all" || word == "~all" || word.starts_with("redirect=")) {
                (DnsStatus::Pass, String::new())
            } else {
                (
                    DnsStatus::Warn,
                    "it does not end with ~all or -all, so it says nothing about other servers".to_owned(),
                )
            }
        }
        Ok(_) => (DnsStatus::Fail, "there are several SPF records, so none counts (RFC 7208 section 4.5)".to_owned()),
    };
    check("spf", (domain, "TXT"), found, "", judged)
}

/// Judges the DMARC policy.
pub fn dmarc(domain: &str, found: Found) -> DnsCheck {
    let found = found.map(|records| {
        records.into_iter().filter(|record| record.to_ascii_lowercase().starts_with("v=dmarc1")).collect::<Vec<_>>()
    });
    let judged = match found.as_deref() {
        Err(error) => (DnsStatus::Unknown, error.clone()),
        Ok([]) => {
            (DnsStatus::Warn, "the record is missing: large providers want one from those who send much".to_owned())
        }
        Ok([record]) => match tag(record, "p").as_deref() {
            Some("quarantine" | "reject") => (DnsStatus::Pass, String::new()),
            Some("none") => (DnsStatus::Pass, "it only watches (p=none)".to_owned()),
            _ => (DnsStatus::Fail, "it has no policy (p=)".to_owned()),
        },
        Ok(_) => (DnsStatus::Fail, "there are several DMARC records, so none counts".to_owned()),
    };
    check("dmarc", (dmarc_host(domain).as_str(), "TXT"), found, "v=DMARC1; p=none", judged)
}

/// Name of the DMARC record.
pub fn dmarc_host(domain: &str) -> String {
    format!("_dmarc.{domain}")
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

/// Value of a tag in a record such as `v=DKIM1; k=rsa; p=...`, without white space.
fn tag(record: &str, name: &str) -> Option<String> {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let (_, value) = tags.into_iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(name))?;
    Some(value.chars().filter(|c| !c.is_whitespace()).collect())
}
