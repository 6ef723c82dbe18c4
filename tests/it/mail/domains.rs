//! Domains that mail is sent from.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use holdfast::{
    mail::{Address, DnsStatus, Domain, MailError, NewMail, Owner},
    platform::http::Slice,
};
use tokio::time::Instant;

use super::{
    bounces::org as named,
    outbox::{enqueue, execute, hurry, mail, number, org, start_with, until_state},
};
use crate::support::{app::TestApp, dns::Dns, smtp::Smtp};

const WITHDRAWN: &str = "SELECT count(*) FROM events WHERE topic = 'mail.domain.withdrawn'";

/// A domain whose RSA record is published, and no other.
async fn published(app: &TestApp, dns: &Dns, owner: Owner, name: &str) -> Domain {
    let domain = app.app.mail.make_domain(owner, name).await.unwrap();
    let rsa = &domain.records[0];
    dns.publish(&rsa.host, &rsa.value);
    domain
}

/// As it is after another look of the job.
async fn checked_again(app: &TestApp, owner: Owner, hours: i64) -> Domain {
    app.clock.advance(TimeDelta::hours(hours));
    app.app.mail.check_domains().await.unwrap();
    let all = app.app.mail.domains(owner, &Slice::first(1)).await.unwrap();
    all.into_iter().next().unwrap()
}

/// It may have been sold since.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_whose_record_is_gone_for_days_is_not_verified_any_more() {
    let (smtp, dns) = (Smtp::start().await, Dns::start().await);
    let settings = dns.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = start_with(&smtp, &settings).await;
    let owner = Owner::Org(org(&app).await);
    let domain = published(&app, &dns, owner, "harbour.example").await;
    assert!(app.app.mail.look_up(owner, &domain).await.unwrap().verified_at.is_some(), "the RSA record is enough");
    let to = Address::parse("ada@example.org").unwrap();
    let from = || Some(Address::parse("tides@harbour.example").unwrap());
    let now = enqueue(&app, owner, &NewMail { from: from(), ..mail(&to, "Now") }).await.unwrap();
    until_state(&app, now, "sent").await;
    let later = NewMail { from: from(), send_at: Some(Utc::now() + TimeDelta::days(20)), ..mail(&to, "Later") };
    let later = enqueue(&app, owner, &later).await.unwrap();

    dns.remove(&domain.records[0].host);
    let failing = checked_again(&app, owner, 21).await;
    assert!(failing.verified_at.is_some() && failing.failing_since.is_some(), "{failing:?}");
    // A name server that says nothing says nothing about the domain.
    dns.silent(true);
    let unknown = checked_again(&app, owner, 80).await;
    assert!(unknown.verified_at.is_some(), "{unknown:?}");
    assert_eq!(number(&app, WITHDRAWN).await, 0);
    dns.silent(false);
    let gone = checked_again(&app, owner, 21).await;
    assert!(gone.verified_at.is_none() && gone.failing_since.is_none(), "{gone:?}");
    assert_eq!(number(&app, WITHDRAWN).await, 1);
    // What was written while it was verified, and what is written now.
    hurry(&app).await;
    let failed = until_state(&app, later, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("not a verified domain"), "{failed}");
    let refused = enqueue(&app, owner, &NewMail { from: from(), ..mail(&to, "Now") }).await;
    assert!(matches!(refused, Err(MailError::Invalid(_))), "{refused:?}");
    assert_eq!(smtp.kept().len(), 1);
    // The record is back.
    dns.publish(&domain.records[0].host, &domain.records[0].value);
    assert!(app.app.mail.look_up(owner, &gone).await.unwrap().verified_at.is_some());
    app.stop().await;
}

/// A domain is not verified by a record that receivers do not take; and below a domain with a policy none is missing (RFC 7489 section 6.6.3).
#[tokio::test(flavor = "multi_thread")]
async fn records_are_judged_as_receivers_read_them() {
    let dns = Dns::start().await;
    let settings = dns.settings();
    let app =
        TestApp::start_with(&settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await;
    let owner = Owner::Org(named(&app, "default").await);
    let domain = published(&app, &dns, owner, "mg.harbour.example").await;
    let rsa = domain.records[0].clone();
    dns.publish(&rsa.host, &rsa.value.replace(';', "\\;"));
    dns.publish("mg.harbour.example", "v=spf1 -all");
    dns.publish("_dmarc.harbour.example", "v=DMARC1; p=Reject");
    let checked = app.app.mail.look_up(owner, &domain).await.unwrap();
    let status = |checked: &Domain, name: &str| checked.checks.iter().find(|check| check.name == name).unwrap().status;
    assert!(checked.verified_at.is_none(), "{checked:?}");
    assert_eq!((status(&checked, "dkim_rsa"), status(&checked, "spf")), (DnsStatus::Fail, DnsStatus::Fail));
    let dmarc = checked.checks.iter().find(|check| check.name == "dmarc").unwrap();
    assert_eq!((dmarc.status, dmarc.host.as_str()), (DnsStatus::Pass, "_dmarc.harbour.example"));
    dns.publish(&rsa.host, &rsa.value);
    let checked = app.app.mail.look_up(owner, &domain).await.unwrap();
    assert!(checked.verified_at.is_some() && status(&checked, "dkim_rsa") == DnsStatus::Pass, "{checked:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_proof_wins_against_one_that_is_not_there_any_more() {
    let dns = Dns::start().await;
    let settings = dns.settings();
    let app =
        TestApp::start_with(&settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await;
    app.other_org("other").await;
    let (first, second) = (Owner::Org(named(&app, "default").await), Owner::Org(named(&app, "other").await));
    let before = published(&app, &dns, first, "harbour.example").await;
    assert!(app.app.mail.look_up(first, &before).await.unwrap().verified_at.is_some());
    let after = published(&app, &dns, second, "harbour.example").await;
    let taken = app.app.mail.look_up(second, &after).await;
    assert!(matches!(taken, Err(MailError::Conflict("mail_domain_taken", _))), "both have their record: {taken:?}");
    // Its key is another one now.
    dns.publish(&before.records[0].host, "v=DKIM1; k=rsa; p=AAAA");
    assert!(app.app.mail.look_up(second, &after).await.unwrap().verified_at.is_some());
    assert_eq!(number(&app, WITHDRAWN).await, 1);
    let lost = app.app.mail.domains(first, &Slice::first(1)).await.unwrap().remove(0);
    assert!(lost.verified_at.is_none(), "{lost:?}");
    app.stop().await;
}

/// One thread makes the keys of everybody's domains: whoever asks again and again for a domain that is refused must not keep it busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_refused_costs_no_keys() {
    let app = TestApp::start().await;
    let make = async |name: String| app.app.mail.make_domain(Owner::Installation, &name).await;
    let began = Instant::now();
    for n in 0..5 {
        make(format!("d{n}.example.org")).await.unwrap();
    }
    let made = began.elapsed();
    let check = |refused: Duration, why: &str| {
        // With keys for each, they would take four times as long as the five.
        assert!(refused < made * 2, "{why}: 20 took {refused:?}, five that were made {made:?}");
    };
    let began = Instant::now();
    for _ in 0..20 {
        let again = make("d0.example.org".to_owned()).await;
        assert!(matches!(again, Err(MailError::Conflict("mail_domain_exists", _))), "{again:?}");
    }
    check(began.elapsed(), "there already");
    execute(
        &app,
        "INSERT INTO mail_domains (id, domain, selector, rsa_private, ed25519_private, rsa_public, ed25519_public, created_at)
         SELECT gen_random_uuid(), format('e%s.example.org', n), 'x', '', '', 'x', 'x', now() FROM generate_series(1, 15) AS n"
            .into(),
    )
    .await;
    let began = Instant::now();
    for _ in 0..20 {
        let many = make("new.example.org".to_owned()).await;
        assert!(matches!(many, Err(MailError::TooMany(20, _))), "{many:?}");
    }
    check(began.elapsed(), "too many");
    app.stop().await;
}
