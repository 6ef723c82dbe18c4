//! Domains that mail is sent from.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta};

use crate::{
    model::DnsStatus,
    service::{after_look, new_selector},
};

/// Who makes new keys for a domain on the same day publishes them under a name that no resolver has seen.
#[test]
fn each_pair_of_keys_has_a_selector_of_its_own() {
    let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    let made: BTreeSet<String> = (0..20).map(|_| new_selector(now)).collect();
    assert!(made.len() >= 19, "{made:?}");
    for selector in made {
        assert!(selector.starts_with("hf20261118"), "{selector}");
        let is_label = selector.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        assert!(selector.len() <= 62 && is_label, "with the e of the Ed25519 key it is a label of the DNS: {selector}");
    }
}

#[test]
fn a_record_that_is_missing_for_days_ends_the_verification() {
    let at = |hours: i64| DateTime::from_timestamp(1_795_000_000, 0).unwrap() + TimeDelta::hours(hours);
    let (verified, hour) = (Some(at(-1000)), |hours| Some(at(hours)));
    for (before, status, after) in [
        // Found, or found again.
        ((None, None), DnsStatus::Pass, (hour(0), None)),
        ((verified, None), DnsStatus::Pass, (verified, None)),
        ((verified, hour(-100)), DnsStatus::Pass, (verified, None)),
        // Missing, and for how long.
        ((None, None), DnsStatus::Fail, (None, None)),
        ((verified, None), DnsStatus::Fail, (verified, hour(0))),
        ((verified, hour(-71)), DnsStatus::Fail, (verified, hour(-71))),
        ((verified, hour(-72)), DnsStatus::Fail, (None, None)),
        // No answer says nothing, however long it lasts.
        ((None, None), DnsStatus::Unknown, (None, None)),
        ((verified, None), DnsStatus::Unknown, (verified, None)),
        ((verified, hour(-100)), DnsStatus::Unknown, (verified, hour(-100))),
    ] {
        assert_eq!(after_look(before.0, before.1, status, at(0)), after, "{before:?} {status:?}");
    }
}
