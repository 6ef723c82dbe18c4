//! A look into the DNS.

use std::net::SocketAddr;

use hickory_resolver::{
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType},
    },
};

use super::{Prober, attempt::Attempt, failure};
use crate::{
    model::{Failure, Phase, Reason},
    spec::{DnsMatch, DnsRecordType, DnsSpec},
    target::Resolver,
};
use platform::error::chain;

pub async fn run(prober: &Prober, spec: &DnsSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let resolver = match &spec.server {
        None => prober.shared.resolver.clone(),
        Some(server) => Resolver::at(judged(prober, server, attempt)?),
    };
    let name = format!("{}.", spec.name.trim_end_matches('.'));
    let asked = async { resolver.get().await?.lookup(name, record_type(spec.record)).await };
    let found = attempt.phase(Phase::FirstByte, asked).await?;
    let (rcode, values) = match &found {
        Ok(answer) => (Some(ResponseCode::NoError), values(answer.answers().iter().map(|record| &record.data), spec)),
        Err(error) => (rcode_of(error), Vec::new()),
    };
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

/// The address of a server, judged: its name would have to be resolved first.
fn judged(prober: &Prober, server: &str, attempt: &mut Attempt) -> Result<SocketAddr, Failure> {
    let wrong = |_| failure(Reason::ResolverFailed, format!("{server:?} is not an address with a port"));
    let address: SocketAddr = server.parse().map_err(wrong)?;
    attempt.address = Some(address.ip().to_canonical());
    if prober.policy().permits(address.ip()) {
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
}
