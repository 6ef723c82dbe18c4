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
    target::{Policy, Resolver, dns_name},
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
    let wrong = || failure(Reason::NameNotFound, format!("{:?} cannot be a name of the DNS", spec.name));
    let name = dns_name(&spec.name).ok_or_else(wrong)?;
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
    let found: Vec<Vec<String>> = values.iter().map(|value| forms(spec.record, value)).collect();
    let has = |expected: &String| {
        let expected = canonical(spec.record, expected);
        found.iter().any(|forms| forms.contains(&expected))
    };
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

/// A value that was found, in the forms in which it may be expected: a server for mail also without its preference, and a service as `host:port`.
fn forms(record: DnsRecordType, value: &str) -> Vec<String> {
    let whole = canonical(record, value);
    let parts: Vec<&str> = whole.split(' ').collect();
    let short = match (record, parts.as_slice()) {
        (DnsRecordType::Mx, [_, host]) => Some((*host).to_owned()),
        (DnsRecordType::Srv, [_, _, port, host]) => Some(format!("{host}:{port}")),
        _ => None,
    };
    [whole].into_iter().chain(short).collect()
}

/// A value by its meaning: names without the final dot and in lower case, addresses in one spelling, texts without quotes.
fn canonical(record: DnsRecordType, value: &str) -> String {
    let value = value.trim();
    match record {
        DnsRecordType::A | DnsRecordType::Aaaa => {
            value.parse().map_or_else(|_| value.to_lowercase(), |ip: IpAddr| ip.to_string())
        }
        DnsRecordType::Txt => unquoted(value).to_lowercase(),
        DnsRecordType::Caa => spaced(&value.replace('"', "")).to_lowercase(),
        // Numbers are no names, and stay as they are.
        _ => spaced(value).split(' ').map(name).collect::<Vec<_>>().join(" "),
    }
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A name in ASCII; with the port that may stand behind it.
fn name(text: &str) -> String {
    let (host, port) = text.split_once(':').map_or((text, String::new()), |(host, port)| (host, format!(":{port}")));
    let ascii = dns_name(host).map_or_else(|| host.to_owned(), |name| name.to_ascii());
    format!("{}{port}", ascii.trim_end_matches('.').to_lowercase())
}

/// `"a" "b"`, as a zone file has it, is `ab`; what has no quotes around it is taken as it is.
fn unquoted(text: &str) -> String {
    if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
        return text.to_owned();
    }
    let (mut plain, mut is_inside, mut chars) = (String::new(), false, text.chars());
    while let Some(char) = chars.next() {
        match char {
            '"' => is_inside = !is_inside,
            '\\' => plain.extend(chars.next()),
            char if is_inside => plain.push(char),
            _ => {}
        }
    }
    plain
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
    let number = u16::from(code);
    DnsSpec::RCODES.get(usize::from(number)).map_or_else(|| format!("RCODE{number}"), |name| (*name).to_owned())
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
    fn values_are_compared_by_their_meaning() {
        use DnsRecordType as R;
        for (record, found, expected) in [
            (R::Cname, "a.hunt.test.", "A.hunt.test"),
            (R::Ns, "xn--f1ai0a.example.", "жук.example."),
            (R::Aaaa, "2001:db8::1", "2001:0DB8:0::1"),
            (R::Mx, "10 mail.example.", "10  mail.example"),
            (R::Mx, "10 mail.example.", "mail.example."),
            (R::Srv, "1 2 443 h.example.", "1 2 443 h.example"),
            (R::Srv, "1 2 443 h.example.", "h.example.:443"),
            (R::Txt, "v=spf1 -all", "\"v=spf1 -all\""),
            (R::Txt, "v=DKIM1; p=abcd", "\"v=DKIM1; p=ab\" \"cd\""),
            (R::Txt, "say \"x\"", "\"say \\\"x\\\"\""),
            (R::Caa, "0 issue \"ca.example\"", "0 issue ca.example"),
        ] {
            assert!(forms(record, found).contains(&canonical(record, expected)), "{found} {expected}");
        }
        for (record, found, expected) in [
            (R::Mx, "10 mail.example.", "20 mail.example."),
            (R::Mx, "10 mail.example.", "10"),
            (R::Cname, "a.hunt.test.", "b.hunt.test"),
            (R::Txt, "ab", "\"a\""),
            (R::Aaaa, "2001:db8::1", "2001:db8::2"),
        ] {
            assert!(!forms(record, found).contains(&canonical(record, expected)), "{found} {expected}");
        }
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
