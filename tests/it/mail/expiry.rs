//! Mail that is of no use any more: links that work no longer, news of yesterday.

use chrono::TimeDelta;
use holdfast::mail::{Address, MailError, MessageId, NewMail, Owner};

use super::outbox::{enqueue, hurry, mail, number, operator, row, send, start, start_with, until_put_off};
use crate::support::{
    app::TestApp,
    smtp::{Act, Smtp, Step},
    wait::until,
};

/// Puts a mail of the installation into the outbox that is of use for so long.
async fn send_for(app: &TestApp, to: &str, wait: TimeDelta) -> MessageId {
    let to = Address::parse(to).unwrap();
    let new = NewMail { expires_at: Some(app.clock.now() + wait), ..mail(&to, "Set a new password") };
    enqueue(app, Owner::Installation, &new).await.unwrap()
}

const FAILED: &str = "SELECT count(*) FROM events WHERE topic = 'mail.message.failed'";

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_nothing_can_send_ends_in_time() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__SMTP_HOST", "")]).await;
    let late = send_for(&app, "ada@example.org", TimeDelta::hours(1)).await;
    let later = send_for(&app, "ada@example.org", TimeDelta::hours(3)).await;
    let ever = send(&app, "ada@example.org", "Hello").await;
    app.app.mail.expire().await.unwrap();
    assert_eq!(row(&app, late).await["state"], "queued", "it is of use still");
    app.clock.advance(TimeDelta::hours(2));
    app.app.mail.expire().await.unwrap();
    let ended = row(&app, late).await;
    assert_eq!(ended["state"], "failed");
    assert!(ended["error"].as_str().unwrap().starts_with("expired: "), "{ended}");
    for id in [later, ever] {
        assert_eq!(row(&app, id).await["state"], "queued");
    }
    assert_eq!(app.metric("holdfast_mail_messages_total{outcome=\"expired\"}"), 1.0);
    assert_eq!(app.metric("holdfast_mail_messages_total{outcome=\"failed\"}"), 0.0);
    assert_eq!(number(&app, FAILED).await, 1);
    let again = app.app.mail.retry(&operator(&app).await, late).await;
    assert!(matches!(again, Err(MailError::Conflict("mail_state", _))), "{again:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_is_put_off_for_too_long_says_why() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    smtp.once(Step::RcptTo, Act::Say("451 4.7.1 Greylisted, try again in 60 seconds"));
    let id = send_for(&app, "ada@example.org", TimeDelta::hours(1)).await;
    until_put_off(&app, id, 1).await;
    app.clock.advance(TimeDelta::hours(2));
    app.app.mail.expire().await.unwrap();
    let ended = row(&app, id).await;
    let error = ended["error"].as_str().unwrap();
    assert!(error.starts_with("expired: ") && error.contains("451 4.7.1 Greylisted"), "{ended}");
    hurry(&app).await;
    let other = send(&app, "ada@example.org", "Hello").await;
    until("the other mail is not sent", async || row(&app, other).await["state"] == "sent").await;
    assert_eq!(smtp.recipients().len(), 1, "only the other one");
    app.stop().await;
}

/// Whoever looks for it first: the lane's run, or the loop that ends such mail.
#[tokio::test(flavor = "multi_thread")]
async fn mail_is_not_taken_after_its_time() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let id = send_for(&app, "ada@example.org", TimeDelta::seconds(-1)).await;
    let jobs = "SELECT count(*) FROM jobs WHERE kind = 'mail.deliver'";
    until("its lane does not run", async || number(&app, jobs).await == 0).await;
    assert!(smtp.recipients().is_empty());
    app.app.mail.expire().await.unwrap();
    assert_eq!(row(&app, id).await["state"], "failed");
    assert_eq!(row(&app, id).await["attempts"], 0);
    app.stop().await;
}
