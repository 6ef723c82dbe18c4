//! The SPF record (RFC 7208). Which servers it should name, only the operator and the provider know.

use std::net::{Ipv4Addr, Ipv6Addr};

use mail_auth::{
    common::parse::TxtRecordParser as _,
    spf::{Directive, Mechanism, Qualifier, Spf},
};

use super::{Found, check, fail, warn};
use crate::model::{DnsCheck, DnsStatus};

/// Receivers look up no more names than these, with those of what is included (section 4.6.4).
const MOST_LOOKUPS: usize = 10;
/// Own ones, from which on the included ones are likely too many.
const MANY_LOOKUPS: usize = 8;

pub fn judge(domain: &str, found: Found) -> DnsCheck {
    // Others of the domain are no matter of mail. One with another version is shown, and is none.
    let like = |record: &String| record.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("v=spf"));
    let found = found.map(|records| records.into_iter().filter(like).collect::<Vec<_>>());
    let records = found.as_ref().map(|records| records.iter().filter(|record| is_spf(record)).collect::<Vec<_>>());
    let judged = match records.as_deref() {
        Err(error) => (DnsStatus::Unknown, String::clone(error)),
        Ok([]) => fail("the record is missing: name the servers of your mail provider in it"),
        Ok([record]) => judge_record(record),
        Ok(_) => fail("there are several SPF records, so none counts (RFC 7208 section 4.5)"),
    };
    check("spf", (domain, "TXT"), found, "", judged)
}

/// Section 4.5: the version ends with a space or with the record.
fn is_spf(record: &str) -> bool {
    let (version, rest) = record.split_at_checked(6).unwrap_or((record, ""));
    version.eq_ignore_ascii_case("v=spf1") && (rest.is_empty() || rest.starts_with(' '))
}

fn judge_record(record: &str) -> (DnsStatus, String) {
    // They take the domain for one without SPF then (permerror).
    let broken = |why: &str| fail(format!("receivers cannot read it: {why}"));
    if let Some(why) = record.split(' ').skip(1).filter(|term| !term.is_empty()).find_map(wrong) {
        return broken(&why);
    }
    match Spf::parse(record.as_bytes()) {
        Ok(spf) => judge_policy(&spf),
        Err(error) => broken(&error.to_string()),
    }
}

/// What is wrong with a term. mail-auth takes an unknown mechanism for a modifier, which is ignored, and 300 in an address for 255.
fn wrong(term: &str) -> Option<String> {
    if let Some(odd) = term.chars().find(|c| !c.is_ascii_graphic()) {
        return Some(format!("the character {odd:?} is not allowed"));
    }
    let end = term.find([':', '=', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    if rest.starts_with('=') {
        return None;
    }
    let name = name.strip_prefix(['+', '-', '~', '?']).unwrap_or(name).to_ascii_lowercase();
    let given = rest.strip_prefix(':').unwrap_or_default();
    let is_right = match name.as_str() {
        "all" => rest.is_empty(),
        "ip4" => is_network::<Ipv4Addr>(given, 32),
        "ip6" => is_network::<Ipv6Addr>(given, 128),
        "include" | "exists" => is_domain(given),
        "a" | "mx" | "ptr" => !rest.starts_with(':') || is_domain(given.split('/').next().unwrap_or_default()),
        _ => return Some(format!("{term:?} is no mechanism")),
    };
    (!is_right).then(|| format!("{term:?} is not in order"))
}

fn is_network<A: std::str::FromStr>(text: &str, longest: u8) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let is_length = |bits: &str| bits.parse::<u8>().is_ok_and(|bits| bits <= longest);
    address.parse::<A>().is_ok() && bits.is_none_or(is_length)
}

/// A name, in which there may be macros such as `%{i}`. A colon is the end of one that was written without a space before the next.
fn is_domain(text: &str) -> bool {
    text.contains('.') && !text.contains([':', '='])
}

fn judge_policy(spf: &Spf) -> (DnsStatus, String) {
    let end = spf.directives.iter().position(|directive| directive.mechanism == Mechanism::All);
    let permits = |directive: &&Directive| directive.qualifier == Qualifier::Pass;
    let (before, behind) = spf.directives.split_at(end.unwrap_or(spf.directives.len()));
    let mut permitted = before.iter().filter(permits);
    let is_everybody = |directive: &Directive| {
        matches!(directive.mechanism, Mechanism::Ip4 { mask: 0, .. } | Mechanism::Ip6 { mask: 0, .. })
    };
    if permitted.clone().any(is_everybody) {
        return fail("it permits every server of the world (a network of length 0)");
    }
    let all = behind.first().map(|directive| &directive.qualifier);
    if all == Some(&Qualifier::Pass) {
        return fail("it permits every server of the world (+all)");
    }
    if behind.len() > 1 {
        return fail("what stands behind `all` is not looked at: put it before");
    }
    let is_redirected = all.is_none() && spf.redirect.is_some();
    if permitted.next().is_none() && !is_redirected {
        return fail("it permits nobody to send: name the servers of your mail provider in it");
    }
    let is_looked_up = |directive: &&Directive| {
        !matches!(directive.mechanism, Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. })
    };
    let lookups = before.iter().filter(is_looked_up).count() + usize::from(is_redirected);
    if lookups > MOST_LOOKUPS {
        return fail("it makes receivers look up more than 10 names, after which they give up");
    }
    if lookups >= MANY_LOOKUPS {
        return warn(
            "it makes receivers look up almost 10 names besides those of what it includes: they give up after 10",
        );
    }
    if is_redirected || matches!(all, Some(Qualifier::Fail | Qualifier::SoftFail)) {
        return (DnsStatus::Pass, String::new());
    }
    warn("it does not end with ~all or -all, so it says nothing about other servers")
}
