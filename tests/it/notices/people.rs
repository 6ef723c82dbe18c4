//! Who gets which notice, and in which language.

use holdfast::{
    jobs::JobId,
    platform::{health::Status as Health, http::Role},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::{Alert, WITHOUT_MAIL, alert, check, events, mails, number, report, start, text, told, unmade};
use crate::{
    alerting::pages::{open, submit},
    support::{
        app::{ADMIN_EMAIL, ADMIN_PASSWORD, Client, TestApp},
        wait::until,
    },
};

/// The preference is the mailer's; this proves that notices go through it.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_unsubscribed_from_a_kind_is_left_out() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    assert_ne!(check(&app).await.status, Health::Fail);
    let refused = json!({"address": ADMIN_EMAIL, "kind": "alert", "detail": "on holiday", "installation": true});
    admin.post("/api/v1/mail/suppressions", &refused).await.expect(201);
    // Nobody is left.
    let result = check(&app).await;
    assert!(result.status == Health::Fail && result.summary.contains("suppressed"), "{result:?}");
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no row", async || mails(&admin, true, "alert").await.len() == 1).await;
    assert_eq!(mails(&admin, true, "alert").await[0]["state"], "suppressed");
    app.stop().await;
}

/// As behind the link in a notice, for whoever is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn people_choose_their_notices_on_a_page_of_their_account() {
    const PAGE: &str = "/account/notices";
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, app.other_org("other").await);
    let member = app.person("default", Role::Member).await;
    let shown = async |client: &Client| open(client, PAGE, "en").await.text;
    // An operator who owns an organisation, the owner of another one, and somebody who gets none.
    let all = shown(&admin).await;
    for part in ["About this installation", "Weekly report", "A webhook was disabled", ADMIN_EMAIL] {
        assert!(all.contains(part), "no {part} in {all}");
    }
    assert!(open(&admin, "/account", "en").await.text.contains(PAGE));
    let some = shown(&owner).await;
    assert!(some.contains("A webhook was disabled") && !some.contains("About this installation"), "{some}");
    assert!(shown(&member).await.contains("No notices to choose"));
    // No alerts, but the rest.
    let wanted = ["digest", "backup_report", "status_update", "weekly_report"].map(|kind| ("wanted", kind));
    assert_eq!(submit(&admin, PAGE, &[&[("whose", "")], &wanted[..]].concat()).await.status, 303);
    let off =
        "SELECT count(*) FROM mail_suppressions WHERE org_id IS NULL AND kind = 'alert' AND reason = 'unsubscribed'";
    assert_eq!((number(&app, off).await, number(&app, "SELECT count(*) FROM mail_suppressions").await), (1, 1));
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("no row", async || mails(&admin, true, "alert").await.len() == 1).await;
    assert_eq!(mails(&admin, true, "alert").await[0]["state"], "suppressed");
    // Again, and nothing of what is somebody else's.
    let again = [&[("whose", ""), ("wanted", "alert")], &wanted[..]].concat();
    assert_eq!(submit(&admin, PAGE, &again).await.status, 303);
    let org = owner.get("/api/v1/auth/me").await.expect(200)["organisation_id"].as_str().unwrap().to_owned();
    for (client, whose) in [(&owner, ""), (&admin, &*org), (&member, "x")] {
        assert_eq!(submit(client, PAGE, &[("whose", whose)]).await.status, 409, "{whose}");
    }
    assert_eq!(number(&app, "SELECT count(*) FROM mail_suppressions").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_for_nobody_is_counted_and_the_check_fails() {
    // As the compose file has it, unless one says otherwise.
    let app = start(&[("HOLDFAST_ADMIN__EMAIL", "admin@holdfast.local")]).await;
    let result = check(&app).await;
    assert_eq!(result.status, Health::Fail, "{result:?}");
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("it is not counted", async || unmade(&app, "alert", "no_recipient") >= 1).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_made_while_notices_are_off() {
    let app = start(&[("HOLDFAST_NOTICES__ENABLED", "false")]).await;
    report(&app, &alert(&app, "DatabaseDown", "critical")).await;
    until("the event is not handled", async || told(&app).await >= 1).await;
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    assert_eq!(check(&app).await.status, Health::Pass);
    app.stop().await;
}

/// An installation that wants no mail must not have a queue that is never empty, and an alert about it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_only_what_is_of_use_later_waits() {
    let app = TestApp::start_with(&WITHOUT_MAIL).await;
    let admin = app.admin().await;
    report(&app, &Alert { hosts: 10, ..alert(&app, "DatabaseDown", "critical") }).await;
    report(&app, &alert(&app, "DiskFills", "warning")).await;
    until("the events are not handled", async || told(&app).await >= 11).await;
    app.app.notices.digest().await.unwrap();
    app.app.notices.report(JobId::generate(&app.clock)).await.unwrap();
    for what in ["mail_messages", "notice_items", "jobs WHERE kind = 'notices.together'"] {
        let sql = AssertSqlSafe(format!("SELECT count(*) FROM {what}"));
        let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut db).await.unwrap();
        assert_eq!(found, 0, "{what}");
    }
    // Not in silence.
    assert_eq!((unmade(&app, "alert", "mail_off"), unmade(&app, "weekly_report", "mail_off")), (11, 1));
    // The address to sign in at is still right when a server is set, within a week.
    app.person("default", Role::Member).await;
    until("no welcome", async || mails(&admin, false, "welcome").await.len() == 1).await;
    assert_eq!(mails(&admin, false, "welcome").await[0]["state"], "queued");
    let ends = "SELECT count(*) FROM mail_messages WHERE expires_at <= created_at + interval '7 days'";
    assert_eq!(number(&app, ends).await, 1);
    let result = check(&app).await;
    assert!(result.status == Health::Pass && result.summary.contains("not configured"), "{result:?}");
    app.stop().await;
}

/// Language of the newest mail of a kind.
async fn language(admin: &Client, installation: bool, kind: &str) -> Value {
    mails(admin, installation, kind).await[0]["language"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_written_to_in_their_language() {
    let app = start(&[("HOLDFAST_NOTICES__LANGUAGE", "ru")]).await;
    let admin = app.admin().await;
    let invite = async |email: &str| {
        let new = json!({"email": email, "role": "member"});
        let url = admin.post("/api/v1/members/links", &new).await.expect(201)["url"].as_str().unwrap().to_owned();
        url.split_once("token=").unwrap().1.to_owned()
    };
    let choose = async |lang: &str| {
        let chosen = submit(&admin, "/console/preferences", &[("lang", lang), ("back", "/")]).await;
        assert_eq!(chosen.status, 303, "{}", chosen.text);
    };
    // Nothing is known of anybody.
    invite("first@example.com").await;
    assert_eq!(language(&admin, false, "invitation").await, "ru");
    // An invitation speaks as whoever invites does in the console.
    choose("en").await;
    let token = invite("ada@example.com").await;
    assert_eq!(language(&admin, false, "invitation").await, "en");
    // The newcomer speaks as their browser.
    let stranger = app.anonymous();
    let body = json!({"token": token, "name": "Ada", "password": ADMIN_PASSWORD});
    let accept = stranger.request(Method::POST, "/api/v1/auth/links/accept").json(&body);
    let me = stranger.send(accept.header("accept-language", "en-GB, ru;q=0.5")).await.expect(200);
    until("no welcome", async || mails(&admin, false, "welcome").await.len() == 1).await;
    assert_eq!(language(&admin, false, "welcome").await, "en");
    choose("ru").await;
    let reset = format!("/api/v1/members/{}/reset-link", me["user"]["id"].as_str().unwrap());
    admin.post(&reset, &json!({})).await.expect(201);
    assert_eq!(language(&admin, true, "password_reset").await, "en", "not its maker's");
    // A browser that asks for another language changes nothing; one in which another was chosen does.
    let credentials = json!({"email": "ada@example.com", "password": ADMIN_PASSWORD});
    for (name, value, spoken) in [("accept-language", "ru", "en"), ("cookie", "hf_lang=ru", "ru")] {
        let login = stranger.request(Method::POST, "/api/v1/auth/login").json(&credentials);
        stranger.send(login.header(name, value)).await.expect(200);
        admin.post(&reset, &json!({})).await.expect(201);
        assert_eq!(language(&admin, true, "password_reset").await, spoken, "{name}: {value}");
    }
    // The operator's digest, and what it says.
    choose("en").await;
    report(&app, &alert(&app, "DiskFills", "warning")).await;
    until("no item", async || number(&app, "SELECT count(*) FROM notice_items").await == 1).await;
    app.app.notices.digest().await.unwrap();
    assert_eq!(language(&admin, true, "digest").await, "en");
    assert!(text(&admin, &mails(&admin, true, "digest").await).await.contains("DiskFills fires (warning)"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_mailed_to_whom_they_are_for() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let member = app.person("default", Role::Member).await;
    let new = json!({"email": "new@example.com", "role": "member"});
    let made = admin.post("/api/v1/members/links", &new).await.expect(201);
    assert_eq!(made["mailed"], true);
    let invitations = mails(&admin, false, "invitation").await;
    assert_eq!((invitations.len(), &invitations[0]["to_address"]), (1, &json!("new@example.com")));
    // The link is in the mail, and in no log: an administrator could become the owner who was invited.
    let token = made["url"].as_str().unwrap().split_once("token=").unwrap().1;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let kept: i64 =
        sqlx::query_scalar("SELECT count(*) FROM mail_bodies WHERE strpos(text, $1) > 0 AND strpos(html, $1) > 0")
            .bind(token)
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert_eq!(kept, 1);
    let path = format!("/api/v1/mail/messages/{}", invitations[0]["id"].as_str().unwrap());
    let shown = admin.get(&path).await;
    shown.expect(200);
    assert!(!shown.text.contains(token) && shown.text.contains("not shown"), "{}", shown.text);

    let me = member.get("/api/v1/auth/me").await.expect(200);
    let path = format!("/api/v1/members/{}/reset-link", me["user"]["id"].as_str().unwrap());
    assert_eq!(admin.post(&path, &json!({})).await.expect(201)["mailed"], true);
    assert!(mails(&admin, false, "password_reset").await.is_empty(), "it is the installation's");
    let resets = mails(&admin, true, "password_reset").await;
    assert_eq!((resets.len(), &resets[0]["to_address"]), (1, &json!("member@default.example.com")));
    // Whoever may invite cannot send mail to all the world.
    let mut mailed = 2;
    for n in 0..25 {
        let new = json!({"email": format!("stranger{n}@example.com"), "role": "viewer"});
        mailed += usize::from(admin.post("/api/v1/members/links", &new).await.expect(201)["mailed"] == true);
    }
    assert!((20..=22).contains(&mailed), "{mailed}");
    app.stop().await;

    // Without a mail server no secret waits for a mail that may never be sent.
    let app = TestApp::start_with(&WITHOUT_MAIL).await;
    let admin = app.admin().await;
    let made = admin.post("/api/v1/members/links", &new).await.expect(201);
    assert_eq!(made["mailed"], false);
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages").await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_from_a_new_device_is_told() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    app.admin().await;
    let firefox = |version: u32| {
        format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
    };
    for version in [139, 140] {
        let client = app.anonymous();
        let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
        let request = client.request(Method::POST, "/api/v1/auth/login").json(&body);
        client.send(request.header("user-agent", firefox(version))).await.expect(200);
    }
    until("no mail", async || !mails(&admin, true, "new_device").await.is_empty()).await;
    // Neither the first sign-in, nor a second one from the same place, nor a newer version of the browser.
    assert_eq!(events(&app, "auth.device.added").await.len(), 1);
    let found = mails(&admin, true, "new_device").await;
    assert_eq!((found.len(), &found[0]["to_address"]), (1, &json!(ADMIN_EMAIL)));
    let said = text(&admin, &found).await;
    assert!(said.contains("Firefox · Windows") && said.contains("127.0.0.1") && said.contains("/account"), "{said}");
    app.stop().await;
}
