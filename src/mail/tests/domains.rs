//! Domains that mail is sent from.

use std::collections::BTreeSet;

use chrono::DateTime;

use crate::service::new_selector;

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
