//! From a check to a mail, with the real clock.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::operators_are_told;
use crate::{
    support::{
        app::TestApp,
        odd_target::{Answer, Http},
        smtp::{Kept, Smtp},
        wait::until,
    },
    uptime::watch::{OPEN, becomes, connect, insert},
};

/// An outage that is confirmed is mailed within this time.
const MOST: TimeDelta = TimeDelta::seconds(5);

fn about_shop(smtp: &Smtp) -> Vec<Kept> {
    smtp.kept().into_iter().filter(|kept| kept.header("Subject").contains("shop is down")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn told_within_five_seconds() {
    let smtp = Smtp::start().await;
    let own = smtp.settings();
    let mut settings: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.extend([("HOLDFAST_MAIL__FROM", "Holdfast <holdfast@example.com>"), OPEN]);
    settings.push(("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "1"));
    let app = TestApp::start_with(&settings).await;
    operators_are_told(&app.admin().await).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut db, monitor, "up").await;
    target.answer(|_| Answer::status(503));
    until("nobody was told", async || about_shop(&smtp).len() == 1).await;
    let arrived = app.clock.now();
    let confirmed: DateTime<Utc> =
        sqlx::query_scalar("SELECT confirmed_at FROM uptime_spans WHERE monitor_id = $1 AND status = 'down'")
            .bind(monitor.id)
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert!(arrived - confirmed < MOST, "{} after it was confirmed", arrived - confirmed);

    target.answer(|_| Answer::ok("well"));
    until("the end was not told", async || about_shop(&smtp).len() == 2).await;
    let mails = about_shop(&smtp);
    assert!(mails[1].header("Subject").starts_with("Resolved: "), "{}", mails[1].header("Subject"));
    // Mail programs show both as one conversation.
    let thread = mails[0].header("References");
    assert!(thread.starts_with("<incident-") && thread.ends_with("@example.com>"), "{thread}");
    for mail in &mails {
        assert_eq!((mail.header("References"), mail.header("In-Reply-To")), (thread.clone(), thread.clone()));
    }
    app.stop().await;
}
