//! Domains that mail is sent from.

use std::time::Duration;

use holdfast::mail::{MailError, Owner};
use tokio::time::Instant;

use super::outbox::execute;
use crate::support::app::TestApp;

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
