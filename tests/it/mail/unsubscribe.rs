//! Links to unsubscribe: one click, the page behind them, and links that nobody has sent.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use holdfast::mail::{Kind, Owner, kinds};
use reqwest::{Method, header};

use super::{
    bounces::{org, suppressed},
    outbox::execute,
};
use crate::support::app::{Answer, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

/// Path of the link in a notice of this kind to this address.
fn link(app: &TestApp, owner: Owner, kind: &Kind, to: &str) -> String {
    let link = app.app.mail.unsubscribe_link(owner, kind, to);
    // Built from the configured address alone: no request can change it.
    assert!(link.starts_with(&app.app.runtime.config.server.base_url()), "{link}");
    link[link.find("/mail/unsubscribe/").unwrap()..].to_owned()
}

async fn open(app: &TestApp, path: &str) -> Answer {
    let client = app.anonymous();
    let request = client.request(Method::GET, path).header(header::ACCEPT, "text/html");
    client.send(request.header(header::ACCEPT_LANGUAGE, "en")).await
}

async fn post(app: &TestApp, path: &str, body: &str) -> Answer {
    let client = app.anonymous();
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, FORM);
    client.send(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_click_unsubscribes_from_that_kind_of_that_owner() {
    let app = TestApp::start().await;
    let owner = Owner::Org(org(&app, "default").await);
    let path = link(&app, owner, &kinds::ALERT, "Ann@example.com");
    // Scanners and mail programs open links: nothing follows from that.
    let page = open(&app, &path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("ann@example.com") && page.text.contains("Unsubscribe from: Alert"), "{}", page.text);
    app.anonymous().request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    // RFC 8058; twice, because mail programs repeat it.
    for _ in 0..2 {
        let answer = post(&app, &path, "List-Unsubscribe=One-Click").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "unsubscribed\n"));
    }
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/alert/unsubscribed"]);
    assert_eq!(app.metric("holdfast_mail_bounces_total{kind=\"unsubscribe\"}"), 1.0);
    assert_eq!(app.metric("holdfast_mail_suppressions_total{reason=\"unsubscribed\"}"), 1.0);
    let page = open(&app, &path).await.text;
    assert!(!page.contains("Unsubscribe from: Alert") && page.contains("value=\"alert\"><span>Alert"), "{page}");
    // As a form with a file would be sent.
    let house = link(&app, Owner::Installation, &kinds::BACKUP_REPORT, "ann@example.com");
    let client = app.anonymous();
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    let request = client.request(Method::POST, &house).header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    assert_eq!(client.send(request.body(multipart)).await.status, 200);
    let all = ["/ann@example.com/backup_report/unsubscribed", "default/ann@example.com/alert/unsubscribed"];
    assert_eq!(suppressed(&app).await, all);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_saves_what_is_wanted_and_lifts_nothing_else() {
    let app = TestApp::start().await;
    let owner = Owner::Org(org(&app, "default").await);
    let path = link(&app, owner, &kinds::ALERT, "ann@example.com");
    // Of an organisation there are no reports, so none is offered or refused.
    let offered = async |path: &str| {
        let page = open(&app, path).await.text;
        let names = ["activity", "alert", "backup_report", "digest", "status_update", "weekly_report", "welcome"];
        names.into_iter().filter(|name| page.contains(&format!("value=\"{name}\""))).collect::<Vec<_>>()
    };
    assert_eq!(offered(&path).await, ["alert", "status_update"]);
    let saved = post(
        &app,
        &path,
        "action=save&wanted=alert&wanted=status_update&wanted=weekly_report&wanted=verify&wanted=%00",
    )
    .await;
    assert_eq!((saved.status.as_u16(), saved.headers[header::LOCATION].to_str().unwrap()), (303, path.as_str()));
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    // The button, and then all of them again.
    assert_eq!(post(&app, &path, "action=unsubscribe").await.status, 303);
    assert_eq!(suppressed(&app).await, ["default/ann@example.com/alert/unsubscribed"]);
    let all = "action=save&wanted=alert&wanted=status_update&wanted=weekly_report&wanted=digest&wanted=activity&wanted=backup_report";
    assert_eq!(post(&app, &path, all).await.status, 303);
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    // What is suppressed for another reason is not lifted by whoever has an old mail.
    execute(
        &app,
        "INSERT INTO mail_suppressions (id, org_id, address, kind, reason, detail, created_by, created_at)
         SELECT gen_random_uuid(), o.id, 'ann@example.com', s.kind, s.reason, '', 'test', now()
         FROM organisations o, (VALUES ('*', 'hard_bounce'), ('digest', 'manual')) AS s (kind, reason)"
            .into(),
    )
    .await;
    assert_eq!(post(&app, &path, all).await.status, 303);
    assert_eq!(
        suppressed(&app).await,
        ["default/ann@example.com/*/hard_bounce", "default/ann@example.com/digest/manual"]
    );
    assert!(open(&app, &path).await.text.contains("At present this address gets no mail at all"));
    // The installation has reports.
    let house = link(&app, Owner::Installation, &kinds::DIGEST, "eve@example.com");
    assert_eq!(offered(&house).await, ["alert", "backup_report", "digest", "status_update", "weekly_report"]);
    assert_eq!(post(&app, &house, "action=save&wanted=digest&wanted=alert").await.status, 303);
    let off: Vec<_> = suppressed(&app).await.into_iter().filter(|row| row.starts_with("/eve")).collect();
    let refused = ["backup_report", "status_update", "weekly_report"];
    assert_eq!(off, refused.map(|kind| format!("/eve@example.com/{kind}/unsubscribed")));
    let russian =
        app.anonymous().request(Method::GET, &path).header(header::ACCEPT_LANGUAGE, "ru").send().await.unwrap();
    assert!(russian.text().await.unwrap().contains("Отписка"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_was_not_sent_is_404_and_changes_nothing() {
    let app = TestApp::start().await;
    let path = link(&app, Owner::Org(org(&app, "default").await), &kinds::ALERT, "ann@example.com");
    let token = path.rsplit('/').next().unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    let mut forged = Vec::new();
    // Another organisation, kind or address under the same signature; and each byte of it.
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        forged.push(URL_SAFE_NO_PAD.encode(changed));
    }
    let foreign = [&bytes[..bytes.len() - "ann@example.com".len()], b"bob@example.com"].concat();
    forged.push(URL_SAFE_NO_PAD.encode(foreign));
    forged.push(URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() - 1]));
    forged.push(URL_SAFE_NO_PAD.encode(&bytes[..16]));
    forged.extend(["x", "%00", "%F0%9F%98%80"].map(str::to_owned));
    for token in forged {
        let path = format!("/mail/unsubscribe/{token}");
        assert_eq!(post(&app, &path, "List-Unsubscribe=One-Click").await.status, 404, "{token}");
        let page = open(&app, &path).await;
        assert!(page.status == 404 && page.text.contains("This link does not work"), "{token}: {}", page.text);
    }
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    // The one that was sent works.
    assert_eq!(post(&app, &path, "List-Unsubscribe=One-Click").await.status, 200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_program_on_the_web_may_use_the_link() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    let ask = async |path: &str, name: &str, value: &str| {
        let request = client.request(Method::POST, path).header(name, value);
        client.send(request.header(header::CONTENT_TYPE, FORM).body("List-Unsubscribe=One-Click")).await
    };
    for (at, (name, value)) in
        [("origin", "https://mail.google.com"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
            .into_iter()
            .enumerate()
    {
        let path = link(&app, Owner::Installation, &kinds::ALERT, &format!("ann{at}@example.com"));
        assert_eq!(ask(&path, name, value).await.status, 200, "{name}: {value}");
        assert_eq!(suppressed(&app).await.len(), at + 1, "{name}: {value}");
    }
    // Whoever does not know the link can do nothing, and other addresses are guarded as before.
    for (path, status) in [("/mail/unsubscribe/x", 404), ("/hooks/mail/mailgun/x", 404), ("/login", 403)] {
        assert_eq!(ask(path, "origin", "https://evil.example").await.status, status, "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_form_is_refused() {
    let app = TestApp::start().await;
    let path = link(&app, Owner::Installation, &kinds::ALERT, "ann@example.com");
    let large = format!("action=save&wanted={}", "x".repeat(20_000));
    assert_eq!(post(&app, &path, &large).await.status, 400);
    assert_eq!(suppressed(&app).await, Vec::<String>::new());
    app.stop().await;
}
