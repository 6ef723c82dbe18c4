//! Encryption and sign-in: what is said to whom, and what is not sent at all.

use holdfast::platform::health::Status;
use serde_json::json;

use super::outbox::{check, outcomes, row, send, start_with, until_put_off, until_state};
use crate::support::{
    app::TestApp,
    certificates::{Authority, SelfSigned},
    smtp::{Act, Options, Smtp, Step},
};

const ACCOUNT: (&str, &str) = ("holdfast", "correct horse");

/// An appliance that trusts this authority, with these settings besides.
async fn trusting(smtp: &Smtp, authority: &Authority, more: &[(&str, &str)]) -> TestApp {
    let file = authority.file();
    start_with(smtp, &[&[("HOLDFAST_MAIL__SMTP_CA_FILE", file.as_str())], more].concat()).await
}

/// Nothing was said to the server but greetings, the mail waits, and people can see why. Returns what they see.
async fn nothing_is_sent(app: &TestApp, smtp: &Smtp) -> String {
    let id = send(app, "ada@example.org", "A secret").await;
    let waiting = until_put_off(app, id, 1).await;
    assert_eq!((smtp.reached(Step::MailFrom), smtp.kept().len()), (0, 0));
    assert_eq!(outcomes(app, id).await, ["account"]);
    assert_eq!(app.metric("holdfast_mail_account_failing"), 1.0);
    let found = check(app, "mail.smtp").await;
    assert_ne!(found.status, Status::Pass, "{found:?}");
    // Not the message's fault: it does not use up its time.
    assert_eq!(row(app, id).await["tried_since"], json!(null));
    waiting["error"].as_str().unwrap_or_else(|| panic!("{waiting}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_encrypted_with_both_ways_to_encrypt() {
    let authority = Authority::new();
    let acceptor = || Some(authority.acceptor("127.0.0.1"));
    for options in [
        Options { starttls: acceptor(), account: Some(ACCOUNT), ..Options::default() },
        Options { implicit_tls: acceptor(), account: Some(ACCOUNT), ..Options::default() },
    ] {
        let smtp = Smtp::with(options).await;
        let app = trusting(&smtp, &authority, &[]).await;
        let id = send(&app, "ada@example.org", "A secret").await;
        until_state(&app, id, "sent").await;
        let kept = smtp.kept().remove(0);
        assert!(kept.is_encrypted && kept.user.as_deref() == Some("holdfast"));
        assert_eq!(check(&app, "mail.smtp").await.status, Status::Pass);
        // The check goes as far as it can without sending anything.
        assert!(smtp.reached(Step::RcptTo) >= 2 && smtp.kept().len() == 1);
        smtp.check_conversations();
        app.stop().await;
    }
}

/// Keywords of SMTP are the same in any case, and `AUTH=` is how some servers still write it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_offers_is_understood_in_any_case() {
    let authority = Authority::new();
    let starttls = Some(authority.acceptor("127.0.0.1"));
    let smtp = Smtp::with(Options { starttls, account: Some(ACCOUNT), ..Options::default() }).await;
    smtp.once(Step::Ehlo, Act::Instead(b"250-mail.test\r\n250-8bitmime\r\n250 starttls\r\n"));
    smtp.once(Step::Ehlo, Act::Instead(b"250-mail.test\r\n250 auth=Login Plain\r\n"));
    let app = trusting(&smtp, &authority, &[]).await;
    let id = send(&app, "ada@example.org", "A secret").await;
    until_state(&app, id, "sent").await;
    let kept = smtp.kept().remove(0);
    assert!(kept.is_encrypted && kept.user.as_deref() == Some("holdfast"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_encrypt_gets_neither_mail_nor_password() {
    let smtp = Smtp::with(Options { account: Some(ACCOUNT), ..Options::default() }).await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__SMTP_SECURITY", "starttls")]).await;
    let error = nothing_is_sent(&app, &smtp).await;
    assert!(error.contains("STARTTLS"), "{error}");
    assert_eq!(smtp.reached(Step::Auth), 0);
    app.kill().await;
}

/// Somebody in between sends answers behind the one to STARTTLS, unencrypted: they are none of the server.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_unencrypted_behind_starttls_is_no_answer() {
    let authority = Authority::new();
    let starttls = Some(authority.acceptor("127.0.0.1"));
    let smtp = Smtp::with(Options { starttls, account: Some(ACCOUNT), ..Options::default() }).await;
    smtp.always(Step::StartTls, Act::Besides("250-mail.test\r\n250 AUTH PLAIN"));
    let app = trusting(&smtp, &authority, &[]).await;
    nothing_is_sent(&app, &smtp).await;
    assert_eq!(smtp.reached(Step::Auth), 0);
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_name_or_of_a_stranger_is_not_accepted() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let wrong_name = Options { starttls: Some(authority.acceptor("mail.example.net")), ..Options::default() };
    let unknown = Options { starttls: Some(stranger.acceptor("127.0.0.1")), ..Options::default() };
    let implicit = Options { implicit_tls: Some(authority.acceptor("mail.example.net")), ..Options::default() };
    for options in [wrong_name, unknown, implicit] {
        let smtp = Smtp::with(Options { account: Some(ACCOUNT), ..options }).await;
        let app = trusting(&smtp, &authority, &[]).await;
        let error = nothing_is_sent(&app, &smtp).await;
        assert!(error.contains("certificate"), "{error}");
        assert_eq!(smtp.reached(Step::Auth), 0);
        app.kill().await;
    }
}

/// What `openssl req -x509` makes for a relay is an authority and a server at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_self_signed_certificate_is_trusted_once_it_is_configured() {
    for (name, until, is_trusted) in
        [("127.0.0.1", 2090, true), ("mail.example.net", 2090, false), ("127.0.0.1", 2020, false)]
    {
        let own = SelfSigned::new(name, until);
        let starttls = Some(own.acceptor.clone());
        let smtp = Smtp::with(Options { starttls, account: Some(ACCOUNT), ..Options::default() }).await;
        let file = own.file();
        let app = start_with(&smtp, &[("HOLDFAST_MAIL__SMTP_CA_FILE", file.as_str())]).await;
        if is_trusted {
            let id = send(&app, "ada@example.org", "A secret").await;
            until_state(&app, id, "sent").await;
            assert!(smtp.kept()[0].is_encrypted);
            app.stop().await;
            continue;
        }
        let error = nothing_is_sent(&app, &smtp).await;
        assert!(error.contains("certificate"), "{error}");
        let remedy = check(&app, "mail.smtp").await.remedy.unwrap();
        assert!(remedy.contains("subjectAltName"), "{remedy}");
        app.kill().await;
    }
    // Another one of the same name is a stranger's.
    let (own, other) = (SelfSigned::new("127.0.0.1", 2090), SelfSigned::new("127.0.0.1", 2090));
    let smtp = Smtp::with(Options { starttls: Some(other.acceptor.clone()), ..Options::default() }).await;
    let file = own.file();
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__SMTP_CA_FILE", file.as_str())]).await;
    nothing_is_sent(&app, &smtp).await;
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_holds_mail_up_and_is_said_without_the_password() {
    let authority = Authority::new();
    let starttls = Some(authority.acceptor("127.0.0.1"));
    let smtp = Smtp::with(Options { starttls, account: Some(ACCOUNT), ..Options::default() }).await;
    let app = trusting(&smtp, &authority, &[("HOLDFAST_MAIL__SMTP_PASSWORD", "swordfish")]).await;
    let error = nothing_is_sent(&app, &smtp).await;
    assert!(error.contains("535") && !error.contains("swordfish"), "{error}");
    app.kill().await;
}

/// It takes mail of those who signed in alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_sign_in_and_gets_none_is_an_account_that_fails() {
    let smtp = Smtp::with(Options { account: Some(ACCOUNT), ..Options::default() }).await;
    let blank = [("HOLDFAST_MAIL__SMTP_USER", ""), ("HOLDFAST_MAIL__SMTP_PASSWORD", "")];
    let app = start_with(&smtp, &blank).await;
    let id = send(&app, "ada@example.org", "Hello").await;
    let waiting = until_put_off(&app, id, 1).await;
    assert_eq!((outcomes(&app, id).await, smtp.kept().len()), (vec!["account".to_owned()], 0));
    assert!(waiting["error"].as_str().unwrap().contains("530"), "{waiting}");
    app.kill().await;
}
