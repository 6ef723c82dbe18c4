//! What arrives: once, and as it was written.

use holdfast::mail::{Address, Content, NewMail, Owner, kinds};
use serde_json::json;

use super::outbox::{
    attempts, check_settled, enqueue, execute, mail, number, org, send, start, start_with, until_state,
};
use crate::support::smtp::{Kept, Options, Smtp};

/// Programs send an empty field where they have no HTML; every mail program would show it instead of the text.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_html_part_is_none() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let to = Address::parse("ada@example.org").unwrap();
    for html in ["", " \r\n\t"] {
        let content = Content::Raw { subject: "Tides", text: "The tide turns at noon.", html: Some(html) };
        let id = enqueue(&app, Owner::Installation, &NewMail { content, ..mail(&to, "") }).await.unwrap();
        until_state(&app, id, "sent").await;
    }
    for kept in smtp.kept() {
        assert!(kept.header("Content-Type").starts_with("text/plain"), "{kept:?}");
        assert!(kept.part("text/plain").contains("noon"));
    }
    assert_eq!(smtp.kept().len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_once_as_it_was_written() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let to = Address::parse("Ada Lovelace <ada@example.org>").unwrap();
    let html = "<p>The tide turns at <b>noon</b>.</p>";
    let text = "The tide turns at noon.\n.\n..\nFrom here on: what a server could take for its own.\n";
    let new = NewMail {
        content: Content::Raw { subject: "Tides", text, html: Some(html) },
        reply_to: Some(Address::parse("harbour@example.com").unwrap()),
        ..mail(&to, "")
    };
    let id = enqueue(&app, Owner::Installation, &new).await.unwrap();
    let sent = until_state(&app, id, "sent").await;
    assert_eq!((&sent["attempts"], &sent["status"], &sent["maybe_sent"]), (&json!(1), &json!(250), &json!(false)));
    assert!(sent["sent_at"].is_string() && sent["error"].is_null(), "{sent}");

    let kept = smtp.kept();
    assert_eq!(kept.len(), 1);
    let arrived = &kept[0];
    assert_eq!((arrived.from.as_str(), &arrived.to), ("holdfast@example.com", &vec!["ada@example.org".to_owned()]));
    assert_eq!(arrived.message_id(), format!("<{}>", sent["message_id"].as_str().unwrap()));
    assert_eq!(arrived.mailbox("From"), ("Holdfast".to_owned(), "holdfast@example.com".to_owned()));
    assert_eq!(arrived.mailbox("To"), ("Ada Lovelace".to_owned(), "ada@example.org".to_owned()));
    assert_eq!(arrived.mailbox("Reply-To").1, "harbour@example.com");
    assert_eq!(arrived.header("Subject"), "Tides");
    assert!(chrono::DateTime::parse_from_rfc2822(&arrived.header("Date")).is_ok());
    assert_eq!(arrived.header("MIME-Version"), "1.0");
    // A mail that somebody asked for is not one of a list.
    assert_eq!(arrived.headers("List-Unsubscribe"), Vec::<String>::new());
    assert_eq!(arrived.part("text/plain").replace("\r\n", "\n").trim_end(), text.trim_end());
    assert_eq!(arrived.part("text/html").trim_end(), html);

    let history = attempts(&app, id).await;
    assert_eq!((history.len(), &history[0]["outcome"], &history[0]["status"]), (1, &json!("sent"), &json!(250)));
    assert!(history[0]["answer"].as_str().unwrap().contains("queued") && history[0]["ended_at"].is_string());
    assert_eq!(app.metric("holdfast_mail_messages_total{outcome=\"sent\"}"), 1.0);
    smtp.check_conversations();
    check_settled(&app).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_are_told_that_their_mail_was_accepted() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let (owner, to) = (Owner::Org(org(&app).await), Address::parse("ada@example.org").unwrap());
    for kind in [&kinds::API, &kinds::WELCOME] {
        let id = enqueue(&app, owner, &NewMail { kind, ..mail(&to, "Hello") }).await.unwrap();
        until_state(&app, id, "sent").await;
        let told = format!(
            "SELECT count(*) FROM events WHERE topic = 'mail.message.sent' AND payload ->> 'message_id' = '{id}'"
        );
        assert_eq!(number(&app, &told).await, i64::from(kind.name == "api"), "{}", kind.name);
    }
    app.stop().await;
}

/// Whoever is the sender: reports about the mail of organisations come to the mailbox that is read.
#[tokio::test(flavor = "multi_thread")]
async fn bounces_of_all_mail_are_sent_to_the_configured_address() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp, &[("HOLDFAST_MAIL__BOUNCE_ADDRESS", "bounces@example.com")]).await;
    let owner = Owner::Org(org(&app).await);
    app.app.mail.make_domain(owner, "harbour.example").await.unwrap();
    execute(&app, "UPDATE mail_domains SET verified_at = now()".into()).await;
    let to = Address::parse("ada@example.org").unwrap();
    let from = Address::parse("Harbour <tides@harbour.example>").unwrap();
    for (from, shown) in [(None, "holdfast@example.com"), (Some(from), "tides@harbour.example")] {
        let id = enqueue(&app, owner, &NewMail { from, ..mail(&to, "Tides") }).await.unwrap();
        until_state(&app, id, "sent").await;
        let kept = smtp.kept().pop().unwrap();
        assert_eq!((kept.from.as_str(), kept.mailbox("From").1.as_str()), ("bounces@example.com", shown));
    }
    smtp.check_conversations();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_mail_however_often_it_is_used() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let (to, owner) = (Address::parse("ada@example.org").unwrap(), Owner::Org(org(&app).await));
    let new = NewMail { idempotency_key: Some("order-17".into()), ..mail(&to, "Your order") };
    let at_once = tokio::join!(enqueue(&app, owner, &new), enqueue(&app, owner, &new), enqueue(&app, owner, &new));
    let ids = [at_once.0.unwrap(), at_once.1.unwrap(), at_once.2.unwrap()];
    until_state(&app, ids[0], "sent").await;
    let later = enqueue(&app, owner, &new).await.unwrap();
    assert!(ids.iter().all(|id| *id == later), "{ids:?}");
    // Somebody else's key of that name is another.
    let other = enqueue(&app, Owner::Installation, &new).await.unwrap();
    assert_ne!(other, later);
    until_state(&app, other, "sent").await;
    assert_eq!((smtp.kept().len(), number(&app, "SELECT count(*) FROM mail_messages").await), (2, 2));
    app.stop().await;
}

/// Names and subjects; each must be read back as it was written.
const TEXTS: [&str; 21] = [
    "Größe und Maß, naïve façade",
    "Прилив в полдень, отлив вечером",
    "Η παλίρροια γυρίζει το μεσημέρι",
    "המים עולים בצהריים",
    "المد يرتفع عند الظهر",
    "ज्वार दोपहर को आता है",
    "น้ำขึ้นตอนเที่ยง",
    "潮汐在中午转向，港口关闭",
    "潮は正午に変わる",
    "조수는 정오에 바뀐다",
    "პირველი წერილი",
    "Առաջին նամակ",
    "የመጀመሪያ ደብዳቤ",
    "🌊 tide 🚢 at noon 🧑\u{1f3fd}\u{200d}🚀",
    "x\u{304} q\u{303} without a composed form",
    "Lovelace, Ada (harbour); \"the heron\" <not an address>",
    "back\\slash and 'quotes' and a.dot@home",
    "  two  spaces   between  ",
    "averyveryverylongwordwithoutanyspaceaveryveryverylongwordwithoutanyspaceaveryveryverylongwordwithoutanyspace",
    "Сообщение настолько длинное, что заголовок обязательно придётся перенести на следующую строку несколько раз подряд, и ещё",
    "plain words, again and again, plain words, again and again, plain words, again and again, plain words, again and again",
];

#[tokio::test(flavor = "multi_thread")]
async fn names_and_subjects_in_every_script_are_read_back() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let mut wanted = Vec::new();
    for (n, text) in TEXTS.iter().enumerate() {
        let to = Address::new(text, &format!("reader{n}@example.org")).unwrap();
        let from = Address::new(text, "harbour@example.com").unwrap();
        let body = format!("{text}\n");
        let content = Content::Raw { subject: text, text: &body, html: None };
        let new = NewMail { content, reply_to: Some(from), ..mail(&to, "") };
        wanted.push((enqueue(&app, Owner::Installation, &new).await.unwrap(), to, *text));
    }
    let mut wrong = Vec::new();
    for (id, to, text) in &wanted {
        until_state(&app, *id, "sent").await;
        let kept = smtp.kept().into_iter().find(|kept| kept.to == [to.address()]).unwrap();
        let (name, address) = kept.mailbox("To");
        let pairs = [
            ("subject", words(&kept.header("Subject")), words(text)),
            ("name", words(&name), words(to.name())),
            ("address", address, to.address()),
            ("name of Reply-To", words(&kept.mailbox("Reply-To").0), words(to.name())),
            ("text", kept.part("text/plain").trim().to_owned(), text.trim().to_owned()),
        ];
        wrong.extend(pairs.into_iter().filter(|(_, found, wanted)| found != wanted));
        check_form(&kept);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    smtp.check_conversations();
    app.stop().await;
}

/// Readers decode what looks like an encoded word.
#[tokio::test(flavor = "multi_thread")]
async fn a_subject_that_looks_encoded_is_read_as_it_was_written() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let subject = "=?utf-8?q?From=3A_eve?= and =?utf-8?b?SGVsbG8=?=";
    let id = send(&app, "ada@example.org", subject).await;
    assert_eq!(until_state(&app, id, "sent").await["subject"], subject);
    assert_eq!(smtp.kept()[0].header("Subject"), subject);
    app.stop().await;
}

/// What differs in space alone reads the same: a long header is folded.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Headers are ASCII, and no line is longer than RFC 5322 permits.
#[track_caller]
fn check_form(kept: &Kept) {
    let end = kept.raw.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    assert!(kept.raw[..end].is_ascii(), "{}", String::from_utf8_lossy(&kept.raw));
    let longest = kept.raw.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap();
    assert!(longest <= 999, "a line of {longest} octets");
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_of_other_scripts_are_sent_in_ascii_and_local_parts_with_smtputf8() {
    let (able, unable) = (Smtp::start().await, Smtp::with(Options { ascii_only: true, ..Options::default() }).await);
    let (app, other) = (start(&able).await, start(&unable).await);
    let id = send(&app, "почта@пример.рф", "Hello").await;
    until_state(&app, id, "sent").await;
    assert_eq!(able.recipients(), ["почта@xn--e1afmkfd.xn--p1ai"]);
    let id = send(&other, "ada@bücher.example", "Hello").await;
    until_state(&other, id, "sent").await;
    assert_eq!(unable.recipients(), ["ada@xn--bcher-kva.example"]);
    // No later attempt would do better.
    let id = send(&other, "почта@пример.рф", "Hello").await;
    let failed = until_state(&other, id, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("SMTPUTF8"), "{failed}");
    assert_eq!((unable.recipients().len(), number(&other, "SELECT count(*) FROM mail_suppressions").await), (1, 0));
    able.check_conversations();
    unable.check_conversations();
    app.stop().await;
    other.stop().await;
}

/// Some services refuse a mail with two, or with any.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_has_the_signatures_that_the_settings_name() {
    // And whether the record of the Ed25519 key is there.
    for (setting, published, wanted) in [
        ("auto", true, vec!["ed25519", "rsa"]),
        ("both", false, vec!["rsa"]),
        ("rsa", true, vec!["rsa"]),
        ("none", true, vec![]),
    ] {
        let smtp = Smtp::start().await;
        let app = start_with(&smtp, &[("HOLDFAST_MAIL__DKIM", setting)]).await;
        app.app.mail.make_domain(Owner::Installation, "example.com").await.unwrap();
        execute(&app, format!("UPDATE mail_domains SET verified_at = now(), ed25519_published = {published}")).await;
        let id = send(&app, "ada@example.org", "Hello").await;
        until_state(&app, id, "sent").await;
        let signatures = smtp.kept()[0].headers("DKIM-Signature");
        let algorithm = |signature: &String| if signature.contains("a=ed25519-sha256") { "ed25519" } else { "rsa" };
        assert_eq!(signatures.iter().map(algorithm).collect::<Vec<_>>(), wanted, "{setting}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_can_be_unsubscribed_from_with_one_click() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let to = Address::parse("ada@example.org").unwrap();
    let notice = NewMail { kind: &kinds::WEEKLY_REPORT, ..mail(&to, "The week") };
    let id = enqueue(&app, Owner::Installation, &notice).await.unwrap();
    until_state(&app, id, "sent").await;
    let kept = smtp.kept().remove(0);
    let link = kept.header("List-Unsubscribe");
    assert!(link.starts_with("<http") && link.ends_with('>') && link.contains("/mail/unsubscribe/"), "{link}");
    assert_eq!(kept.header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(kept.header("Auto-Submitted"), "auto-generated");
    app.stop().await;
}
