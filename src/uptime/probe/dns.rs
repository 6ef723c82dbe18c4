//! A look into the DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hickory_resolver::{
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType},
    },
};

use super::{Prober, attempt::Attempt, failure};
use crate::{
    model::{Failure, Owner, Phase, Reason},
    spec::{DnsMatch, DnsRecordType, DnsSpec},
    target::{Policy, Resolver},
};
use platform::error::chain;

pub async fn run(prober: &Prober, spec: &DnsSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let resolver = match &spec.server {
        None => prober.shared.resolver.clone(),
        Some(server) => Resolver::at(judged(prober, server, attempt)?),
    };
    // Who asks this host's own name servers could enumerate an inner zone.
    let (policy, is_inside) =
        (prober.policy(attempt.owner), attempt.owner != Owner::Installation && spec.server.is_none());
    if is_inside && spec.record == DnsRecordType::Ptr && !may_be_reversed(&spec.name, policy) {
        return Err(inside(prober, spec));
    }
    let name = format!("{}.", spec.name.trim_end_matches('.'));
    let asked = async { resolver.get().await?.lookup(name, record_type(spec.record)).await };
    let found = attempt.phase(Phase::FirstByte, asked).await?;
    let (rcode, values) = match &found {
        Ok(answer) => (Some(ResponseCode::NoError), values(answer.answers().iter().map(|record| &record.data), spec)),
        Err(error) => (rcode_of(error), Vec::new()),
    };
    let is_private = |value: &String| value.parse().is_ok_and(|ip: IpAddr| !policy.permits(ip));
    if is_inside && values.iter().any(is_private) {
        return Err(inside(prober, spec));
    }
    let Some(rcode) = rcode else {
        let error = found.err().map(|error| chain(&error)).unwrap_or_default();
        return Err(failure(Reason::ResolverFailed, format!("no answer: {error}")));
    };
    attempt.code = i16::try_from(u16::from(rcode)).ok();
    let expected = spec.rcode.as_deref().unwrap_or("NOERROR");
    let name = rcode_name(rcode);
    if !name.eq_ignore_ascii_case(expected) {
        return Err(failure(Reason::DnsRcode, format!("the answer is {name} instead of {expected}")));
    }
    if spec.rcode.is_none() && values.is_empty() {
        return Err(failure(Reason::DnsValue, format!("there is no {} record", spec.record.as_str())));
    }
    judge(spec, &values)
}

fn inside(prober: &Prober, spec: &DnsSpec) -> Failure {
    let text = format!(
        "{} leads into a network that is not of the public internet, and uptime.private_networks does not have it",
        spec.name
    );
    let refused = failure(Reason::PrivateAddress, text);
    prober.shared.refused.met(&spec.name, &refused);
    refused
}

/// Whether a name is not of the reverse zones, or of an address that may be asked for.
fn may_be_reversed(name: &str, policy: &Policy) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let labels = |suffix: &str| Some(name.strip_suffix(suffix)?.split('.').rev().collect::<Vec<_>>());
    if let Some(parts) = labels(".in-addr.arpa") {
        return parts.join(".").parse::<Ipv4Addr>().is_ok_and(|ip| policy.permits(ip.into()));
    }
    if let Some(parts) = labels(".ip6.arpa") {
        let mut text = String::new();
        for (place, nibble) in parts.iter().enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push(':');
            }
            text.push_str(nibble);
        }
        return parts.len() == 32 && text.parse::<Ipv6Addr>().is_ok_and(|ip| policy.permits(ip.into()));
    }
    !name.ends_with("arpa")
}

/// The address of a server, judged: its name would have to be resolved first.
fn judged(prober: &Prober, server: &str, attempt: &mut Attempt) -> Result<SocketAddr, Failure> {
    let wrong = |_| failure(Reason::ResolverFailed, format!("{server:?} is not an address with a port"));
    let address: SocketAddr = server.parse().map_err(wrong)?;
    attempt.address = Some(address.ip().to_canonical());
    if prober.policy(attempt.owner).permits(address.ip()) {
        return Ok(address);
    }
    let refused = failure(Reason::PrivateAddress, format!("{server} is not an address of the public internet"));
    prober.shared.refused.met(&address.ip().to_string(), &refused);
    Err(refused)
}

/// Values of the type that was asked for: the names on the way to them (CNAME) are left out.
fn values<'a>(data: impl Iterator<Item = &'a RData>, spec: &DnsSpec) -> Vec<String> {
    let wanted = record_type(spec.record);
    data.filter(|data| data.record_type() == wanted).map(ToString::to_string).collect()
}

fn judge(spec: &DnsSpec, values: &[String]) -> Result<(), Failure> {
    let has = |expected: &String| values.iter().any(|value| value.eq_ignore_ascii_case(expected));
    let holds = spec.values.is_empty()
        || match spec.values_match {
            DnsMatch::AnyOf => spec.values.iter().any(has),
            DnsMatch::AllOf => spec.values.iter().all(has),
            DnsMatch::NoneOf => !spec.values.iter().any(has),
        };
    if holds {
        return Ok(());
    }
    let shown: String = values.join(", ").chars().take(200).collect();
    let expected: String = spec.values.join(", ").chars().take(200).collect();
    let text = format!("the answer is {shown:?}, expected {} {expected:?}", spec.values_match.as_str());
    Err(failure(Reason::DnsValue, text))
}

/// `None`: no server has answered.
fn rcode_of(error: &NetError) -> Option<ResponseCode> {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => Some(none.response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => Some(*code),
        _ => None,
    }
}

fn rcode_name(code: ResponseCode) -> String {
    let names = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    let number = u16::from(code);
    names.get(usize::from(number)).map_or_else(|| format!("RCODE{number}"), |name| (*name).to_owned())
}

fn record_type(record: DnsRecordType) -> RecordType {
    match record {
        DnsRecordType::A => RecordType::A,
        DnsRecordType::Aaaa => RecordType::AAAA,
        DnsRecordType::Cname => RecordType::CNAME,
        DnsRecordType::Mx => RecordType::MX,
        DnsRecordType::Ns => RecordType::NS,
        DnsRecordType::Txt => RecordType::TXT,
        DnsRecordType::Soa => RecordType::SOA,
        DnsRecordType::Srv => RecordType::SRV,
        DnsRecordType::Caa => RecordType::CAA,
        DnsRecordType::Ptr => RecordType::PTR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_the_monitor_says() {
        let spec = |values: &[&str], values_match| DnsSpec {
            name: "example.com".into(),
            record: DnsRecordType::Mx,
            server: None,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            values_match,
            rcode: None,
        };
        let found = ["10 mail.example.com.".to_owned(), "20 backup.example.com.".to_owned()];
        for (values, values_match, holds) in [
            (vec!["10 MAIL.example.com.", "1 other."], DnsMatch::AnyOf, true),
            (vec!["10 mail.example.com.", "1 other."], DnsMatch::AllOf, false),
            (vec!["10 mail.example.com.", "20 backup.example.com."], DnsMatch::AllOf, true),
            (vec!["1 other."], DnsMatch::NoneOf, true),
            (vec!["20 backup.example.com."], DnsMatch::NoneOf, false),
            (vec![], DnsMatch::AnyOf, true),
        ] {
            assert_eq!(judge(&spec(&values, values_match), &found).is_ok(), holds, "{values:?}");
        }
        assert_eq!(rcode_name(ResponseCode::NXDomain), "NXDOMAIN");
    }

    #[test]
    fn reverse_zones_of_networks_that_may_not_be_asked_are_refused() {
        let policy = Policy::default();
        let loopback = format!("1.{}ip6.arpa", "0.".repeat(31));
        let public = "8.8.8.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.8.4.0.6.8.4.1.0.0.2.ip6.arpa";
        for (name, may) in [
            ("8.8.8.8.in-addr.arpa", true),
            ("1.0.0.10.in-addr.arpa.", false),
            ("0.10.IN-ADDR.arpa", false),
            (loopback.as_str(), false),
            (public, true),
            ("_http._tcp.example.com", true),
            ("arpa", false),
        ] {
            assert_eq!(may_be_reversed(name, &policy), may, "{name}");
        }
    }
}
