//! The DMARC policy (RFC 7489).

use mail_auth::{
    common::parse::TxtRecordParser as _,
    dmarc::{Dmarc, Policy},
};

use super::{Found, check, fail, tags, value, warn};
use crate::model::{DnsCheck, DnsStatus};

/// Name of the record.
pub fn host(domain: &str) -> String {
    format!("_dmarc.{domain}")
}

/// The domain whose policy holds for those below it that have none (section 6.6.3); `None` if it is this one.
pub fn parent(domain: &str) -> Option<&str> {
    psl::domain_str(domain).filter(|registered| *registered != domain)
}

/// `above`: the parent, and what is found there.
pub fn judge(domain: &str, found: Found, above: Option<(&str, Found)>) -> DnsCheck {
    let (found, above) = (only_dmarc(found), above.map(|(parent, found)| (parent, only_dmarc(found))));
    let of_parent =
        above.filter(|_| found.as_ref().is_ok_and(|records| !records.iter().any(|record| is_dmarc(record))));
    let (at, found, is_inherited) = match of_parent {
        // What is at the domain itself and is no record is worth seeing.
        Some((parent, Ok(inherited))) if !inherited.is_empty() => (parent, Ok(inherited), true),
        Some((parent, Err(error))) => (parent, Err(error), true),
        _ => (domain, found, false),
    };
    let records = found.as_ref().map(|records| records.iter().filter(|record| is_dmarc(record)).collect::<Vec<_>>());
    let judged = match records.as_deref() {
        Err(error) => (DnsStatus::Unknown, String::clone(error)),
        Ok([]) => warn("the record is missing: large providers want one from those who send much"),
        Ok([record]) => judge_record(record, is_inherited),
        Ok(_) => fail("there are several DMARC records, so none counts"),
    };
    check("dmarc", (host(at).as_str(), "TXT"), found, "v=DMARC1; p=none", judged)
}

fn only_dmarc(found: Found) -> Found {
    let like = |record: &String| record.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("v=dmarc"));
    found.map(|records| records.into_iter().filter(like).collect())
}

/// The version is exactly this, and the first tag.
fn is_dmarc(record: &str) -> bool {
    record.split(';').next().is_some_and(|version| version.trim() == "v=DMARC1")
}

fn judge_record(record: &str, is_inherited: bool) -> (DnsStatus, String) {
    let tags = match tags(record) {
        Ok(tags) => tags,
        Err(why) => return fail(format!("receivers cannot read it: {why}")),
    };
    let Ok(dmarc) = Dmarc::parse(record.as_bytes()) else {
        return fail("receivers cannot read a value in it: a policy is none, quarantine or reject (p=, sp=)");
    };
    if dmarc.p == Policy::Unspecified {
        return fail("it has no policy (p=)");
    }
    if value(&tags, "pct") == Some("0") {
        return warn("its policy holds for no mail (pct=0)");
    }
    if dmarc.t {
        return warn("it says that the policy is only tested (t=y)");
    }
    // Of a parent domain the policy for those below it, if it has one.
    let detail = match (is_inherited, if is_inherited { dmarc.sp } else { dmarc.p }) {
        (false, Policy::None) => "it only watches (p=none)",
        (false, _) => "",
        (true, Policy::None) => "the parent domain's policy holds, which only watches",
        (true, _) => "the parent domain's policy holds",
    };
    (DnsStatus::Pass, detail.to_owned())
}
