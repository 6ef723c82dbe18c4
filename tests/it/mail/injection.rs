//! Texts that try to be more than texts: headers, recipients, the end of the content.

use holdfast::mail::{Address, BadAddress, Content, MailError, NewMail, Owner};

use super::outbox::{enqueue, mail, start, until_state};
use crate::support::smtp::Smtp;

/// Line breaks as every part of the world writes them, and what a careless server takes for one.
const BREAKS: [&str; 5] = ["\r\n", "\n", "\r", "\0", "\u{b}"];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_a_header_or_a_recipient_of_his_own() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let owner = Owner::Installation;
    let to = Address::parse("ada@example.org").unwrap();
    for line_break in BREAKS {
        let evil = format!("Hello{line_break}Bcc: eve@example.net{line_break}X-Evil: yes");
        for address in [format!("ada@example.org{line_break}Bcc: eve@example.net"), format!("{evil} <ada@example.org>")]
        {
            assert_eq!(Address::parse(&address), Err(BadAddress::Control), "{address:?}");
        }
        assert_eq!(Address::new(&evil, "ada@example.org"), Err(BadAddress::Control));
        assert_eq!(Address::new("Ada", &format!("ada{line_break}@example.org")), Err(BadAddress::Control));
        refused(enqueue(&app, owner, &mail(&to, &evil)).await, &evil);
        let content = Content::Raw { subject: "Hello", text: "Hello", html: None };
        let new = NewMail { content, idempotency_key: Some(evil.clone()), ..mail(&to, "") };
        refused(enqueue(&app, owner, &new).await, &evil);
        for (name, content_type) in [(evil.as_str(), "text/plain"), ("a.txt", evil.as_str())] {
            let kept = app.app.mail.keep_attachment(owner, name, content_type, "Hello".into()).await;
            match kept {
                Err(error) => assert!(matches!(error, MailError::Invalid(_)), "{error:?}"),
                Ok(attachment) => {
                    let new = NewMail { attachments: vec![attachment], ..mail(&to, "Hello") };
                    enqueue(&app, owner, &new).await.unwrap();
                }
            }
        }
    }
    let two = Address::parse("ada@example.org, eve@example.net");
    assert!(two.is_err(), "{two:?}");
    app.wait_for_jobs().await;
    assert!(smtp.recipients().iter().all(|to| to == "ada@example.org"), "{:?}", smtp.recipients());
    for kept in smtp.kept() {
        let names: Vec<String> =
            kept.parsed().parts().flat_map(|part| &part.headers).map(mailparse::MailHeader::get_key).collect();
        let is_foreign = |name: &String| name.eq_ignore_ascii_case("bcc") || name.eq_ignore_ascii_case("x-evil");
        assert!(!names.iter().any(is_foreign), "{names:?}");
    }
    smtp.check_conversations();
    app.stop().await;
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, MailError>, evil: &str) {
    let fields = match result {
        Err(MailError::Invalid(fields)) => fields,
        other => panic!("{evil:?}: {other:?}"),
    };
    assert!(!fields.is_empty());
}

/// As in the attacks of 2023 ("SMTP smuggling"): the end of the content, as servers read it that are careless about line breaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_cannot_end_its_own_mail() {
    let smtp = Smtp::start().await;
    let app = start(&smtp).await;
    let to = Address::parse("ada@example.org").unwrap();
    let commands = "MAIL FROM:<eve@example.net>\r\nRCPT TO:<eve@example.net>\r\nDATA\r\nevil\r\n.\r\n";
    for end in ["\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\r", "\r\n.\n", "\r\n\0.\r\n"] {
        let body = format!("Hello{end}{commands}");
        let content = Content::Raw { subject: "Hello", text: &body, html: Some(&body) };
        match enqueue(&app, Owner::Installation, &NewMail { content, ..mail(&to, "") }).await {
            Ok(id) => drop(until_state(&app, id, "sent").await),
            Err(error) => assert!(matches!(error, MailError::Invalid(_)), "{error:?}"),
        }
    }
    assert!(smtp.kept().len() >= 6 && smtp.recipients().iter().all(|to| to == "ada@example.org"));
    for kept in smtp.kept() {
        assert!(kept.part("text/plain").contains("RCPT TO"), "the text is cut off");
    }
    smtp.check_conversations();
    app.stop().await;
}
