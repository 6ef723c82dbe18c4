//! Mail with a link that opens an account: its text is kept for as long as it waits, and no longer, so that no backup has it.

use chrono::TimeDelta;
use holdfast::mail::{Address, Content, MailError, MessageId, NewMail, Owner, kinds};

use super::outbox::{
    enqueue, execute, hurry, mail, number, operator, org, row, send, start, until_put_off, until_state,
};
use crate::support::{
    app::TestApp,
    smtp::{Act, Smtp, Step},
};

const LINK: &str = "https://ai.example.com/join?token=f00dcafe";
const HTML: &str = "<p>https://ai.example.com/join?token=f00dcafe</p>";

/// An invitation of the installation, which waits for so long and is of use for a day.
async fn invite(app: &TestApp, to: &str, wait: TimeDelta) -> MessageId {
    let (to, now) = (Address::parse(to).unwrap(), app.clock.now());
    let new = NewMail {
        kind: &kinds::INVITATION,
        content: Content::Raw { subject: "You are invited", text: LINK, html: Some(HTML) },
        send_at: Some(now + wait),
        expires_at: Some(now + TimeDelta::days(1)),
        ..mail(&to, "")
    };
    enqueue(app, Owner::Installation, &new).await.unwrap()
}

/// Whether the link is in the database, in any part of any mail.
async fn is_kept(app: &TestApp, id: MessageId) -> bool {
    let sql = format!(
        "SELECT count(*) FROM mail_messages m LEFT JOIN mail_bodies b USING (id, created_at)
         WHERE m.id = '{id}' AND concat(to_jsonb(m), to_jsonb(b)) LIKE '%f00dcafe%'"
    );
    number(app, &sql).await == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn the_text_with_the_link_is_deleted_however_the_mail_ends() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let who = operator(&app).await;
    let (now, later) = (TimeDelta::zero(), TimeDelta::hours(1));

    smtp.once(Step::RcptTo, Act::Say("451 4.7.1 Greylisted"));
    let sent = invite(&app, "ada@example.org", now).await;
    until_put_off(&app, sent, 1).await;
    assert!(is_kept(&app, sent).await, "it is sent again with it");
    hurry(&app).await;
    until_state(&app, sent, "sent").await;
    assert!(!is_kept(&app, sent).await && smtp.kept()[0].part("text/plain").contains(LINK));

    smtp.for_recipients("nobody@", Step::RcptTo, Act::Say("550 5.1.1 No such user here"));
    let refused = invite(&app, "nobody@example.org", now).await;
    until_state(&app, refused, "failed").await;
    let suppressed = invite(&app, "nobody@example.org", now).await;
    assert_eq!(row(&app, suppressed).await["state"], "suppressed");

    let cancelled = invite(&app, "bob@example.org", later).await;
    app.app.mail.cancel(&who, cancelled).await.unwrap();

    // Its process was killed during the attempt, days ago.
    let killed = invite(&app, "eve@killed.example", later).await;
    let sql = format!(
        "UPDATE mail_messages SET state = 'sending', attempts = 1, tried_since = now() - interval '3 days' WHERE id = '{killed}';
         INSERT INTO mail_attempts (message_id, attempt, created_at, org_id, began_at)
           SELECT id, 1, created_at, org_id, now() - interval '3 days' FROM mail_messages WHERE id = '{killed}'"
    );
    execute(&app, sql).await;
    let other = send(&app, "ada@killed.example", "Hello").await;
    until_state(&app, other, "sent").await;
    assert_eq!(row(&app, killed).await["state"], "failed");

    let expired = invite(&app, "carol@example.org", later).await;
    assert!(is_kept(&app, expired).await);
    app.clock.advance(TimeDelta::hours(25));
    app.app.mail.expire().await.unwrap();
    assert_eq!(row(&app, expired).await["state"], "failed");

    for (id, how) in [
        (refused, "refused"),
        (suppressed, "suppressed"),
        (cancelled, "cancelled"),
        (killed, "killed"),
        (expired, "expired"),
    ] {
        assert!(!is_kept(&app, id).await, "{how}");
    }
    app.stop().await;
}

/// There is nothing left to send. Other mail can be sent again.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_text_any_more_is_not_sent_again() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let who = operator(&app).await;
    let invitation = invite(&app, "ada@example.org", TimeDelta::hours(1)).await;
    let to = Address::parse("ada@example.org").unwrap();
    let new = NewMail { send_at: Some(app.clock.now() + TimeDelta::hours(1)), ..mail(&to, "Your order") };
    let order = enqueue(&app, Owner::Org(org(&app).await), &new).await.unwrap();
    for id in [invitation, order] {
        app.app.mail.cancel(&who, id).await.unwrap();
    }
    let again = app.app.mail.retry(&who, invitation).await;
    assert!(matches!(again, Err(MailError::Conflict("mail_state", _))), "{again:?}");
    app.app.mail.retry(&who, order).await.unwrap();
    until_state(&app, order, "sent").await;
    assert_eq!(row(&app, invitation).await["state"], "cancelled");
    assert_eq!(smtp.recipients().len(), 1);
    app.stop().await;
}
