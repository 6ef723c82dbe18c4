//! What the page of domains says of records, as receivers read them.

use crate::{
    dkim, dns,
    model::{DnsRecord, DnsStatus},
};

#[expect(clippy::unnecessary_wraps, reason = "as a lookup answers")]
fn found(texts: &[&str]) -> dns::Found {
    Ok(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn silent() -> dns::Found {
    Err("timeout".to_owned())
}

#[test]
fn a_key_is_right_only_where_receivers_take_it() {
    let keys = dkim::generate().unwrap();
    let [rsa, ed25519] = dkim::records("example.com", "hf", &keys.rsa_public, &keys.ed25519_public);
    let (p, half) = (keys.rsa_public.as_str(), keys.rsa_public.len() / 2);
    let judged = |expected: &DnsRecord, texts: &[&str]| dns::dkim("dkim_rsa", expected, found(texts));
    for right in [&rsa, &ed25519] {
        let check = judged(right, &[&right.value]);
        assert_eq!((check.status, check.detail.as_str()), (DnsStatus::Pass, ""), "{}", right.value);
    }
    let (first, second) = p.split_at(half);
    for (record, status, words) in [
        (format!("k=rsa;p={first} {second};"), DnsStatus::Pass, ""),
        (format!("p={p}"), DnsStatus::Pass, ""),
        (format!("v=DKIM1; h=sha1:sha256; s=email; t=s; n=note; k=rsa; p={p}"), DnsStatus::Pass, ""),
        (format!("v=DKIM1; k=rsa; t=s:y; p={p}"), DnsStatus::Warn, "t=y"),
        (format!("k=rsa; v=DKIM1; p={p}"), DnsStatus::Warn, "first tag"),
        (format!("v=DKIM1\\; k=rsa\\; p={p}"), DnsStatus::Fail, "escaped"),
        (format!("v=DKIM2; k=rsa; p={p}"), DnsStatus::Fail, "no other version"),
        (format!("v=DKIM1; k=ed25519; p={p}"), DnsStatus::Fail, "another kind"),
        (format!("v=DKIM1; k=rsa; P={p}"), DnsStatus::Fail, "small letter"),
        (format!("v=DKIM1; k=rsa; s=tlsrpt; p={p}"), DnsStatus::Fail, "not for mail"),
        (format!("v=DKIM1; k=rsa; h=sha1; p={p}"), DnsStatus::Fail, "sha256"),
        (format!("v=DKIM1; k=rsa; p={p}; p={p}"), DnsStatus::Fail, "twice"),
        (format!("v=DKIM1;\u{a0}k=rsa; p={p}"), DnsStatus::Fail, "no name of a tag"),
        (format!("v=DKIM1; k=rsa; p={first}\u{a0}{second}"), DnsStatus::Fail, "not allowed"),
        (format!("v=DKIM1 k=rsa p={p}"), DnsStatus::Fail, "no other version"),
        (format!("v=DKIM1; k=rsa; {p}"), DnsStatus::Fail, ""),
        ("v=DKIM1; k=rsa; p=".to_owned(), DnsStatus::Fail, "withdrawn"),
        (format!("v=DKIM1; k=rsa; p={first}"), DnsStatus::Fail, "another key"),
    ] {
        let check = judged(&rsa, &[&record]);
        assert!(check.status == status && check.detail.contains(words), "{record}: {check:?}");
    }
    // Which one a receiver takes is undefined.
    for texts in [vec![rsa.value.as_str(), "v=DKIM1; k=rsa; p=AAAA"], vec!["other", rsa.value.as_str()]] {
        let check = judged(&rsa, &texts);
        assert!(check.status == DnsStatus::Fail && check.detail.contains("another record"), "{check:?}");
    }
    // A record that is not needed may be missing, but not be wrong.
    assert_eq!(dns::optional(judged(&ed25519, &[])).status, DnsStatus::Warn);
    assert_eq!(judged(&rsa, &[]).status, DnsStatus::Fail);
    assert_eq!(dns::optional(judged(&ed25519, &[&rsa.value])).status, DnsStatus::Fail);
    assert_eq!(dns::dkim("dkim_rsa", &rsa, silent()).status, DnsStatus::Unknown);
}

#[test]
fn spf_is_right_only_where_receivers_read_it_and_somebody_may_send() {
    let many = |count: usize| {
        let names: Vec<_> = (0..count).map(|n| format!("include:s{n}.example ")).collect();
        format!("v=spf1 {}-all", names.concat())
    };
    for (record, status, words) in [
        ("v=spf1 include:sendgrid.net -all", DnsStatus::Pass, ""),
        ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx:mail.example.com/24//64 ~all", DnsStatus::Pass, ""),
        ("V=SPF1 redirect=_spf.example.com", DnsStatus::Pass, ""),
        ("v=spf1 exists:%{i}._spf.%{d} ?all", DnsStatus::Warn, "~all"),
        ("v=spf1 a mx", DnsStatus::Warn, "~all"),
        (many(7).as_str(), DnsStatus::Pass, ""),
        (many(8).as_str(), DnsStatus::Warn, "almost 10"),
        (many(11).as_str(), DnsStatus::Fail, "more than 10"),
        ("v=spf1 a +all", DnsStatus::Fail, "every server"),
        ("v=spf1 all", DnsStatus::Fail, "every server"),
        ("v=spf1 ip4:0.0.0.0/0 -all", DnsStatus::Fail, "every server"),
        ("v=spf1 -all", DnsStatus::Fail, "nobody"),
        ("v=spf1", DnsStatus::Fail, "nobody"),
        ("v=spf1 -all include:sendgrid.net", DnsStatus::Fail, "behind"),
        ("v=spf10 include:sendgrid.net -all", DnsStatus::Fail, "missing"),
        ("v=spf1 include:a.exampleinclude:b.example -all", DnsStatus::Fail, "not in order"),
        ("v=spf1 includ:sendgrid.net -all", DnsStatus::Fail, "no mechanism"),
        ("v=spf1 ip4:300.1.2.3 -all", DnsStatus::Fail, "not in order"),
        ("v=spf1 ip4:192.0.2.0/33 -all", DnsStatus::Fail, "not in order"),
        ("v=spf1 include:sendgrid.net\u{a0}-all", DnsStatus::Fail, "not allowed"),
        ("v=spf1 include:sendgrid.net redirect=a.example redirect=b.example", DnsStatus::Fail, "cannot read"),
    ] {
        let check = dns::spf("example.com", found(&[record, "google-site-verification=x"]));
        assert!(check.status == status && check.detail.contains(words), "{record}: {check:?}");
        assert_eq!(check.found, [record]);
    }
    for (found, status) in [
        (found(&["v=spf1 a -all", "v=spf1 mx -all"]), DnsStatus::Fail),
        (found(&["google-site-verification=x"]), DnsStatus::Fail),
        (silent(), DnsStatus::Unknown),
    ] {
        assert_eq!(dns::spf("example.com", found.clone()).status, status, "{found:?}");
    }
}

#[test]
fn a_policy_is_the_domains_own_or_its_parents() {
    for (record, status, words) in [
        ("v=DMARC1; p=reject; rua=mailto:a@example.com", DnsStatus::Pass, ""),
        ("v=DMARC1; p=Reject", DnsStatus::Pass, ""),
        ("v=DMARC1;p=none", DnsStatus::Pass, "only watches"),
        ("v=DMARC1; p=quarantine; pct=0", DnsStatus::Warn, "pct=0"),
        ("v=DMARC1; p=reject; t=y", DnsStatus::Warn, "t=y"),
        ("v=DMARC1; rua=mailto:a@example.com", DnsStatus::Fail, "no policy"),
        ("v=DMARC1; p=refuse", DnsStatus::Fail, "cannot read"),
        ("v=DMARC10; p=reject", DnsStatus::Warn, "missing"),
    ] {
        let check = dns::dmarc("example.com", found(&[record]), None);
        assert!(check.status == status && check.detail.contains(words), "{record}: {check:?}");
    }
    assert_eq!(
        dns::dmarc("example.com", found(&["v=DMARC1; p=none", "v=DMARC1; p=none"]), None).status,
        DnsStatus::Fail
    );
    assert_eq!(dns::dmarc("example.com", silent(), None).status, DnsStatus::Unknown);
    // Where the policy is found, and which of its two policies holds.
    assert_eq!(
        (dns::parent("mg.corp.example"), dns::parent("a.b.corp.co.uk")),
        (Some("corp.example"), Some("corp.co.uk"))
    );
    assert_eq!(dns::parent("corp.example"), None);
    let judged = |own: dns::Found, above: dns::Found| dns::dmarc("mg.corp.example", own, Some(("corp.example", above)));
    for (own, above, status, host, words) in [
        (found(&[]), found(&["v=DMARC1; p=reject"]), DnsStatus::Pass, "_dmarc.corp.example", "parent"),
        (found(&[]), found(&["v=DMARC1; p=reject; sp=none"]), DnsStatus::Pass, "_dmarc.corp.example", "only watches"),
        (
            found(&["v=DMARC1; p=none"]),
            found(&["v=DMARC1; p=reject"]),
            DnsStatus::Pass,
            "_dmarc.mg.corp.example",
            "p=none",
        ),
        (found(&[]), found(&[]), DnsStatus::Warn, "_dmarc.mg.corp.example", "missing"),
        (found(&[]), silent(), DnsStatus::Unknown, "_dmarc.corp.example", "timeout"),
        (silent(), found(&["v=DMARC1; p=reject"]), DnsStatus::Unknown, "_dmarc.mg.corp.example", "timeout"),
    ] {
        let check = judged(own, above);
        assert!(check.status == status && check.detail.contains(words), "{check:?}");
        assert_eq!(check.host, host);
    }
}

#[test]
fn a_name_and_its_address_agree() {
    let ip = "192.0.2.1".parse().unwrap();
    let names = |name: &str| Ok(vec![(ip, vec![name.to_owned()])]);
    assert_eq!(dns::reverse("mail.example.com", names("Mail.example.com")).status, DnsStatus::Pass);
    assert_eq!(dns::reverse("mail.example.com", names("host.provider.example")).status, DnsStatus::Warn);
}
