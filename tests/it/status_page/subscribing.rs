//! Updates by mail: asked for, confirmed, managed, ended.

use reqwest::StatusCode;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::seed::{components, execute, get, page, submit, until_served};
use crate::support::{app::TestApp, wait::until};

/// Rows of subscribers: address, confirmed, components.
async fn rows(app: &TestApp) -> Vec<(String, bool, i32)> {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let rows = sqlx::query_as(
        "SELECT address, confirmed_at IS NOT NULL, cardinality(components) FROM status_page_subscribers ORDER BY address",
    )
    .fetch_all(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    rows
}

/// Texts of the mails to an address, oldest first.
async fn mails(app: &TestApp, to: &str) -> Vec<String> {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let texts = sqlx::query_scalar(
        "SELECT b.text FROM mail_messages m JOIN mail_bodies b ON b.id = m.id WHERE m.to_address = $1 ORDER BY m.id",
    )
    .bind(to)
    .fetch_all(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
    texts
}

/// The path of a link of this kind in a mail.
fn link(text: &str, kind: &str) -> String {
    let begin = text.find(&format!("/status/shop/{kind}/")).unwrap_or_else(|| panic!("no {kind} in {text}"));
    text[begin..].split(|c: char| c.is_whitespace() || c == '"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn double_opt_in() {
    // Without a mail server what is written waits, and can be read.
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    page(&app, &admin, "shop", 2, json!({})).await;
    until_served(&app, "/status/shop").await;
    let ask = async |address: &str, trap: &str| {
        submit(&app, "/status/shop/subscribe", &[("address", address), ("language", "en"), ("website", trap)]).await
    };
    // What fills in every field is a program.
    let trapped = ask("robot@example.com", "https://spam.example").await;
    let asked = ask("Ann@example.com", "").await;
    assert_eq!((trapped.status, asked.status, &trapped.text), (StatusCode::OK, StatusCode::OK, &asked.text));
    assert_eq!(rows(&app).await, [("Ann@example.com".to_owned(), false, 0)]);
    until("no mail is written", async || !mails(&app, "Ann@example.com").await.is_empty()).await;
    let confirm = link(&mails(&app, "Ann@example.com").await[0], "confirm");
    // Programs that look for danger open links: nothing follows from that.
    let shown = get(&app, &confirm).await;
    assert!(shown.status == StatusCode::OK && shown.text.contains("<button>"), "{}", shown.text);
    assert!(!rows(&app).await[0].1);
    assert_eq!(submit(&app, &confirm, &[]).await.status, StatusCode::OK);
    assert!(rows(&app).await[0].1);
    // Known or not, the answer is the same.
    assert_eq!(ask("ann@example.com", "").await.text, asked.text);
    assert_eq!(rows(&app).await.len(), 1);
    assert_eq!(ask("not an address", "").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_manages_anothers_subscription() {
    // Without a mail server what is written waits, and can be read.
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    page(&app, &admin, "shop", 2, json!({})).await;
    page(&app, &admin, "other", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    until_served(&app, "/status/other").await;
    for address in ["ann@example.com", "bob@example.com"] {
        submit(&app, "/status/shop/subscribe", &[("address", address)]).await;
        until("no mail is written", async || !mails(&app, address).await.is_empty()).await;
        let confirm = link(&mails(&app, address).await[0], "confirm");
        assert_eq!(submit(&app, &confirm, &[]).await.status, StatusCode::OK);
    }
    // Who has confirmed and asks again gets a link, too: it leads to what they are told of.
    submit(&app, "/status/shop/subscribe", &[("address", "ann@example.com")]).await;
    until("no second mail is written", async || mails(&app, "ann@example.com").await.len() > 1).await;
    let again = submit(&app, &link(&mails(&app, "ann@example.com").await[1], "confirm"), &[]).await;
    let manage = link(&again.text, "manage");
    let (id, signature) = manage.rsplit_once('/').unwrap().1.split_once('.').unwrap();
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let bob: String =
        sqlx::query_scalar("SELECT id::text FROM status_page_subscribers WHERE address = 'bob@example.com'")
            .fetch_one(&mut db)
            .await
            .unwrap();
    db.close().await.unwrap();
    for wrong in [
        format!("/status/shop/manage/{bob}.{signature}"),
        format!("/status/shop/confirm/{id}.{signature}"),
        format!("/status/other/manage/{id}.{signature}"),
        format!("/status/shop/manage/{id}."),
        format!("/status/shop/manage/{id}"),
    ] {
        let answer = submit(&app, &wrong, &[("action", "save")]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    assert_eq!(rows(&app).await.len(), 2);
    let opened = submit(&app, &manage, &[]).await;
    assert!(opened.text.contains("Shop 0") && opened.text.contains("Shop 1"), "{}", opened.text);
    let one = super::seed::component_id(&app, 0).await;
    submit(&app, &manage, &[("action", "save"), ("component", &one)]).await;
    assert_eq!(rows(&app).await[0], ("ann@example.com".to_owned(), true, 1));
    submit(&app, &manage, &[("action", "save")]).await;
    assert_eq!(rows(&app).await, [("bob@example.com".to_owned(), true, 0)], "she is forgotten");
    assert_eq!(submit(&app, &manage, &[]).await.status, StatusCode::NOT_FOUND);
    app.kill().await;
}

/// Who presses the button twice has two mails, and opens whichever comes first.
#[tokio::test(flavor = "multi_thread")]
async fn the_older_of_two_links_confirms_as_well() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    for count in 1..=2 {
        submit(&app, "/status/shop/subscribe", &[("address", "ann@example.com")]).await;
        until("no mail is written", async || mails(&app, "ann@example.com").await.len() == count).await;
    }
    let links: Vec<String> = mails(&app, "ann@example.com").await.iter().map(|text| link(text, "confirm")).collect();
    assert_ne!(links[0], links[1]);
    // One that does not work says so before its button is pressed.
    let (id, rest) = links[0].split_once('.').unwrap();
    let (micros, signature) = rest.split_once('.').unwrap();
    let later = micros.parse::<i64>().unwrap() + 1;
    for wrong in [format!("{id}.{later}.{signature}"), format!("{id}.{signature}"), format!("{id}.x.{signature}")] {
        let shown = get(&app, &wrong).await;
        assert!(shown.status == StatusCode::NOT_FOUND && !shown.text.contains("<button>"), "{wrong}: {}", shown.text);
        assert_eq!(submit(&app, &wrong, &[]).await.status, StatusCode::NOT_FOUND, "{wrong}");
    }
    assert!(!rows(&app).await[0].1);
    assert!(get(&app, &links[0]).await.text.contains("<button>"));
    assert_eq!(submit(&app, &links[0], &[]).await.status, StatusCode::OK);
    assert!(rows(&app).await[0].1);
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_to_confirm_ends_and_so_does_its_row() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    submit(&app, "/status/shop/subscribe", &[("address", "ann@example.com")]).await;
    until("no mail is written", async || !mails(&app, "ann@example.com").await.is_empty()).await;
    let confirm = link(&mails(&app, "ann@example.com").await[0], "confirm");
    execute(&app, "UPDATE status_page_subscribers SET asked_at = asked_at - interval '49 hours'").await;
    assert_eq!(submit(&app, &confirm, &[]).await.status, StatusCode::NOT_FOUND);
    assert!(!rows(&app).await[0].1);
    app.kill().await;
}

/// Nothing of a page that strangers may not read is mailed to them; they are told so once, and their link still ends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_closed_mails_nothing_and_lets_its_subscribers_leave() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let shop = page(&app, &admin, "shop", 1, json!({})).await;
    page(&app, &admin, "open", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    until_served(&app, "/status/open").await;
    for (address, slug) in [("ann@example.com", "shop"), ("bob@example.com", "open")] {
        submit(&app, &format!("/status/{slug}/subscribe"), &[("address", address)]).await;
        until("no mail is written", async || !mails(&app, address).await.is_empty()).await;
        execute(&app, &format!("UPDATE status_page_subscribers SET confirmed_at = now() WHERE address = '{address}'"))
            .await;
    }
    let confirm = link(&mails(&app, "ann@example.com").await[0], "confirm");
    let manage = link(&submit(&app, &confirm, &[]).await.text, "manage");
    let path = format!("/api/v1/status-pages/{shop}");
    admin.patch(&path, &json!({"visibility": "private"})).await.expect(200);
    until("strangers still see the page", async || get(&app, "/status/shop").await.status == StatusCode::NOT_FOUND)
        .await;
    let affected = json!([{"component": super::seed::component_id(&app, 0).await, "status": "major_outage"}]);
    let draft = json!({
        "name": "Payroll fails", "body": "Names leak.", "components": affected, "publish": true, "notify": true, "installation": true,
    });
    admin.post("/api/v1/incidents", &draft).await.expect(201);
    // Updates of a minute are one mail, and an owner has ten minutes to take back that a page is closed.
    let waiting = async |kind: &str| -> i64 {
        let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
        let count = sqlx::query_scalar("SELECT count(*) FROM jobs WHERE kind = $1")
            .bind(kind)
            .fetch_one(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
        count
    };
    until("nobody is to be told", async || waiting("status_page.tell_subscribers").await > 0).await;
    assert_eq!(waiting("status_page.tell_subscribers").await, 1, "only those of the open page");
    let hurry =
        "UPDATE jobs SET run_at = now(), order_at = now() WHERE kind LIKE 'status_page.tell_%' AND state = 'queued'";
    execute(&app, hurry).await;
    until("the subscriber of the open page is not told", async || mails(&app, "bob@example.com").await.len() == 2)
        .await;
    until("nobody is told that the page is closed", async || mails(&app, "ann@example.com").await.len() == 2).await;
    let told = mails(&app, "ann@example.com").await.pop().unwrap();
    assert!(told.contains("is not open to everybody any more") && !told.contains("Payroll"), "{told}");
    assert_eq!(link(&told, "manage"), manage);

    // A guess finds nothing; who has the link may leave, and sees nothing of the page.
    assert_eq!(get(&app, "/status/shop/manage/x.y").await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&app, &manage).await.status, StatusCode::OK);
    let opened = submit(&app, &manage, &[]).await;
    assert!(opened.text.contains("not open to everybody") && !opened.text.contains("Shop 0"), "{}", opened.text);
    assert_eq!(submit(&app, &manage, &[("action", "save")]).await.status, StatusCode::OK);
    assert_eq!(rows(&app).await, [("bob@example.com".to_owned(), true, 0)]);
    app.kill().await;
}
