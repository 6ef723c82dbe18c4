//! The record of a DKIM key (RFC 6376 section 3.6.1).

use mail_auth::common::{parse::TxtRecordParser as _, verify::DomainKey};

use super::{Found, check, fail, tags, value, warn};
use crate::model::{DnsCheck, DnsRecord, DnsStatus};

/// `v=DKIM1\; k=rsa\; ...`
const ESCAPED: &str =
    "the form of the DNS provider has escaped the semicolons: enter them so that no backslash is before them";

/// Whether receivers find the expected key in the record.
pub fn judge(name: &str, expected: &DnsRecord, found: Found) -> DnsCheck {
    let has_key = |record: &String| match (tags(record), tags(&expected.value)) {
        (Ok(found), Ok(expected)) => value(&found, "p") == value(&expected, "p"),
        _ => false,
    };
    let judged = match found.as_deref() {
        Err(error) => (DnsStatus::Unknown, error.clone()),
        Ok([]) => fail("the record is missing"),
        Ok([record]) => judge_record(record, &expected.value),
        Ok(several) if several.iter().any(has_key) => {
            fail("there is another record of this name, which receivers may take instead: remove it")
        }
        Ok(_) => fail("the record has another key"),
    };
    check(name, (expected.host.as_str(), "TXT"), found, &expected.value, judged)
}

fn judge_record(record: &str, expected: &str) -> (DnsStatus, String) {
    let tags = match tags(record) {
        Ok(tags) => tags,
        Err(why) => return fail(format!("receivers cannot read it: {why}")),
    };
    let expected = super::tags(expected).unwrap_or_default();
    match wrong(&tags, &expected) {
        Some(why) => return fail(why),
        None if DomainKey::parse(record.as_bytes()).is_err() => return fail("receivers cannot read it"),
        None => {}
    }
    if has(value(&tags, "t"), "y") {
        return warn(
            "it says that the domain is only testing DKIM (t=y): receivers treat its mail as if it were not signed",
        );
    }
    if value(&tags, "v").is_some() && tags.first().is_none_or(|(first, _)| *first != "v") {
        return warn("v= is not its first tag: some receivers do not take it");
    }
    (DnsStatus::Pass, String::new())
}

/// The first thing for which receivers do not take the record.
fn wrong(tags: &[(&str, String)], expected: &[(&str, String)]) -> Option<&'static str> {
    let get = |name| value(tags, name);
    if let Some(version) = get("v").filter(|version| *version != "DKIM1") {
        return Some(if version.ends_with('\\') { ESCAPED } else { "receivers know no other version than v=DKIM1" });
    }
    if get("k").unwrap_or("rsa") != value(expected, "k").unwrap_or("rsa") {
        return Some("it is said to be a key of another kind (k=)");
    }
    match get("p") {
        None => return Some("it has no key (p=, in a small letter)"),
        Some("") => return Some("the key was withdrawn (p= is empty)"),
        Some(key) if Some(key) != value(expected, "p") => return Some("the record has another key"),
        Some(_) => {}
    }
    if get("h").is_some() && !has(get("h"), "sha256") {
        return Some("it does not permit sha256, with which mail is signed (h=)");
    }
    if get("s").is_some() && !has(get("s"), "*") && !has(get("s"), "email") {
        return Some("it is not for mail (s=)");
    }
    None
}

/// Whether a list such as `sha1:sha256` has this.
fn has(list: Option<&str>, wanted: &str) -> bool {
    list.is_some_and(|list| list.split(':').any(|item| item == wanted))
}
