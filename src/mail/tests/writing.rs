//! Mails as they are written and signed.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::DateTime;
use mail_auth::{
    AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt,
    common::{parse::TxtRecordParser as _, verify::DomainKey},
};
use mailparse::MailHeaderMap as _;

use super::address;
use crate::{
    Address, Attachment, Signing,
    compose::{self, Outgoing},
    dkim::{self, DomainKeys},
};
use platform::crypto;

/// A mail with what is given, everything else being plain.
fn composed(from: &Address, to: &Address, subject: &str, text: &str, html: Option<&str>) -> Vec<u8> {
    let headers = BTreeMap::from([
        ("List-Unsubscribe".to_owned(), format!("<https://ai.example.com/mail/unsubscribe/{}>", "t".repeat(120))),
        ("Auto-Submitted".to_owned(), "auto-generated".to_owned()),
    ]);
    let outgoing = Outgoing {
        from,
        to,
        reply_to: None,
        subject,
        message_id: "018f3a1c@example.com",
        date: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
        text,
        html,
        headers: &headers,
        attachments: Vec::new(),
    };
    compose::mime(&outgoing).unwrap()
}

#[test]
fn names_and_subjects_of_every_script_arrive_as_they_were() {
    let long = "Очень длинная тема письма, ".repeat(15);
    for text in [
        "Hello",
        "Привет, мир",
        "你好，世界",
        "مرحبا بالعالم",
        "שלום",
        "😀 smile",
        "a, b; \"c\" <d> \\e",
        "e\u{301}",
        &long,
    ] {
        let text = text.trim();
        let name: String = text.chars().take(150).collect();
        let (from, to) = (Address::new(&name, "a@example.com").unwrap(), Address::new(&name, "b@пример.рф").unwrap());
        let raw = composed(&from, &to, text, text, Some("<p>x</p>"));
        assert!(raw.is_ascii(), "{text}");
        for line in raw.split(|b| *b == b'\n') {
            assert!(line.len() <= 998, "a line of {} bytes: {text}", line.len());
        }
        let read = mailparse::parse_mail(&raw).unwrap();
        assert_eq!(read.headers.get_first_value("Subject").unwrap(), text);
        for (header, address) in [("From", &from), ("To", &to)] {
            let boxes = mailparse::addrparse_header(read.headers.get_first_header(header).unwrap()).unwrap();
            let found = boxes.extract_single_info().unwrap();
            assert_eq!(found.addr, address.address());
            assert_eq!(found.display_name.unwrap_or_default(), address.name());
        }
        assert_eq!(read.subparts.len(), 2);
        assert_eq!(read.subparts[0].get_body().unwrap().trim_end(), text);
    }
}

/// Readers decode what looks like an encoded word, in a quoted name as well.
#[test]
fn a_name_that_looks_encoded_is_not_decoded() {
    for name in ["=?utf-8?q?Admin?=", "Ada =?utf-8?b?SGVsbG8=?= Lovelace", "a =? b"] {
        let from = Address::new(name, "a@example.com").unwrap();
        let raw = composed(&from, &from, "x", "x", None);
        let read = mailparse::parse_mail(&raw).unwrap();
        for header in ["From", "To"] {
            let boxes = mailparse::addrparse_header(read.headers.get_first_header(header).unwrap()).unwrap();
            assert_eq!(boxes.extract_single_info().unwrap().display_name.as_deref(), Some(name), "{header}");
        }
    }
}

#[test]
fn a_file_is_no_message_of_its_own() {
    for (kind, is_one) in [
        ("application/pdf", true),
        ("text/plain; charset=utf-8", true),
        ("image/svg+xml", true),
        ("message/rfc822", false),
        ("Multipart/mixed; boundary=x", false),
        ("text", false),
        ("текст/plain", false),
    ] {
        assert_eq!(compose::is_content_type(kind), is_one, "{kind}");
    }
}

/// The names under which a file arrives, decoded, and the text of its part's headers.
fn sent_file(name: &str, content_type: &str) -> (mailparse::ParsedContentType, String) {
    let (from, to) = (address("a@example.com"), address("b@example.com"));
    let file =
        Attachment { name: name.to_owned(), content_type: content_type.to_owned(), size: 1, object: String::new() };
    let content = Bytes::from_static(b"x");
    let outgoing = Outgoing { attachments: vec![(&file, content)], ..outgoing_like(&from, &to) };
    let raw = compose::mime(&outgoing).unwrap();
    let read = mailparse::parse_mail(&raw).unwrap();
    let head = String::from_utf8(read.subparts[1].raw_bytes.to_vec()).unwrap();
    (mailparse::parse_content_type(&read.subparts[1].headers.get_first_value("Content-Type").unwrap()), head)
}

/// Whoever checks a file by the end of its name, and whoever opens it, see the same name.
#[test]
fn the_name_of_a_file_is_the_one_that_was_given() {
    for (name, written) in [
        ("=?utf-8?q?report=2Epdf=2Eexe?=", "filename*=utf-8''%3D%3Futf-8%3Fq%3Freport%3D2Epdf%3D2Eexe%3F%3D"),
        ("a =?x?= b.txt", "filename*=utf-8''a%20%3D%3Fx%3F%3D%20b.txt"),
        ("a=b.txt", "filename=\"a=b.txt\""),
    ] {
        let (_, head) = sent_file(name, "text/plain");
        assert!(head.contains(written) && !head.contains("=?"), "{head}");
    }
    let (_, head) = sent_file("Отчёт =?utf-8?q?x?=.txt", "text/plain");
    assert!(!head.contains("=?"), "{head}");
    for (given, kind, charset) in [
        ("text/plain; name=\"other.exe\"; charset=utf-8", "text/plain", "utf-8"),
        ("text/plain; charset=utf-8; NAME*=utf-8''other.exe; filename=other.exe", "text/plain", "utf-8"),
        ("text/plain; charset=\"utf-8\";name=\"a;b.exe\"", "text/plain", "utf-8"),
        ("application/pdf", "application/pdf", "us-ascii"),
    ] {
        let (found, head) = sent_file("a.txt", given);
        assert_eq!((found.mimetype.as_str(), found.charset.as_str()), (kind, charset), "{given}");
        assert!(!head.contains("exe"), "{given}: {head}");
    }
}

#[test]
fn a_subject_that_looks_encoded_is_not_decoded() {
    let (from, to) = (address("a@example.com"), address("b@example.com"));
    for subject in ["=?utf-8?q?From=3A_eve?= and =?utf-8?b?SGVsbG8=?=", &"a =?x ".repeat(30), "Привет =?utf-8?q?a?="]
    {
        let raw = composed(&from, &to, subject, "x", None);
        let read = mailparse::parse_mail(&raw).unwrap();
        assert_eq!(read.headers.get_first_value("Subject").unwrap().trim_end(), subject.trim_end());
        assert_eq!(raw, composed(&from, &to, subject, "x", None), "every attempt sends the same");
    }
    let both = || composed(&from, &to, "x", "x", Some("<p>x</p>"));
    assert_eq!(both(), both());
}

#[test]
fn no_text_becomes_a_header() {
    let evil = "x\r\nBcc: victim@example.com\r\n\r\nbody\r\n.\r\nMAIL FROM:<a@b>";
    let (from, to) = (address("a@example.com"), address("b@example.com"));
    let raw = composed(&from, &to, evil, evil, Some(evil));
    let read = mailparse::parse_mail(&raw).unwrap();
    assert!(read.headers.get_first_value("Bcc").is_none());
    assert!(read.headers.get_first_value("Subject").unwrap().contains("Bcc: victim@example.com"), "one line");
    let headers = BTreeMap::from([("X-Note".to_owned(), evil.to_owned())]);
    let attachment = Attachment {
        name: "a\"b.pdf".to_owned(),
        content_type: "application/pdf".to_owned(),
        size: 3,
        object: String::new(),
    };
    let content = Bytes::from_static(b"\r\n.\r\nQUIT\r\n");
    let outgoing = Outgoing {
        from: &from,
        to: &to,
        reply_to: Some(&to),
        subject: "x",
        message_id: "1@example.com",
        date: DateTime::UNIX_EPOCH,
        text: "a\rb\r\n.\nc\n",
        html: None,
        headers: &headers,
        attachments: vec![(&attachment, content.clone())],
    };
    let raw = compose::mime(&outgoing).unwrap();
    let text = String::from_utf8(raw.clone()).unwrap();
    assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "only whole line ends");
    let read = mailparse::parse_mail(&raw).unwrap();
    assert!(read.headers.get_first_value("Bcc").is_none());
    assert_eq!(read.subparts[1].get_body_raw().unwrap(), content);
    assert!(!text.contains("QUIT"), "files are in base64");
    for (name, value) in [("a\r\nBcc", "x"), ("", "x"), ("a b", "x")] {
        let headers = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        assert!(
            compose::mime(&Outgoing { headers: &headers, attachments: Vec::new(), ..outgoing_like(&from, &to) })
                .is_err()
        );
    }
}

fn outgoing_like<'a>(from: &'a Address, to: &'a Address) -> Outgoing<'a> {
    static NONE: BTreeMap<String, String> = BTreeMap::new();
    Outgoing {
        from,
        to,
        reply_to: None,
        subject: "x",
        message_id: "1@example.com",
        date: DateTime::UNIX_EPOCH,
        text: "x",
        html: None,
        headers: &NONE,
        attachments: Vec::new(),
    }
}

#[test]
fn an_address_beyond_ascii_is_written_as_it_is() {
    let raw = compose::mime(&outgoing_like(&address("a@example.com"), &address("имя@пример.рф"))).unwrap();
    let text = String::from_utf8(raw).unwrap();
    assert!(text.contains("имя@xn--e1afmkfd.xn--p1ai"), "{text}");
}

/// Records instead of the DNS.
struct Records(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Records {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

async fn verified(raw: &[u8], records: &Records) -> Vec<bool> {
    let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
    let message = AuthenticatedMessage::parse(raw).unwrap();
    let found = authenticator.verify_dkim(Parameters::new(&message).with_txt_cache(records)).await;
    found.iter().map(|signature| *signature.result() == DkimResult::Pass).collect()
}

/// RFC 6376 section 3.4.4, word by word: runs of white space become one space, none is left at the end of a line, no empty line at the end.
fn relaxed_body(raw: &str) -> String {
    let (_, body) = raw.split_once("\r\n\r\n").unwrap();
    let line = |line: &str| {
        let mut reduced = String::new();
        for c in line.chars() {
            match c {
                ' ' | '\t' if reduced.ends_with(' ') => {}
                ' ' | '\t' => reduced.push(' '),
                c => reduced.push(c),
            }
        }
        reduced.trim_end_matches(' ').to_owned()
    };
    let mut lines: Vec<String> = body.split("\r\n").map(line).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

/// Verified by other means than those that sign: a mistake in both would go unseen.
#[test]
fn signatures_are_of_the_body_that_the_standard_says() {
    let keys = dkim::generate().unwrap();
    let keypair = DomainKeys::new("example.com", "hf1", &keys.rsa_private, &keys.ed25519_private).unwrap();
    let (from, to) = (address("a@example.com"), address("b@example.net"));
    for text in [
        "a",
        "a\n \n",
        "a\n\t\n",
        "a\n \n\n",
        "a\n\n \n",
        "a\n  ",
        "a  \r\n \t \r\n",
        "  a\n\n  b  c \n-- \n",
        " \n",
        "\n\n",
    ] {
        let raw = composed(&from, &to, "Hello", text, None);
        let hash = STANDARD.encode(crypto::sha256(relaxed_body(std::str::from_utf8(&raw).unwrap())));
        let signed = String::from_utf8(dkim::sign(&raw, &keypair, Signing::Both).unwrap()).unwrap();
        // A header may be broken anywhere.
        let head: String = signed.split("\r\n\r\n").next().unwrap().split_ascii_whitespace().collect();
        assert_eq!(head.matches(&format!("bh={hash};")).count(), 2, "{text:?}: {head}");
    }
}

#[tokio::test]
async fn signatures_hold_with_the_published_keys() {
    let keys = dkim::generate().unwrap();
    let published = dkim::records("example.com", "hf1", &keys.rsa_public, &keys.ed25519_public);
    assert_eq!(published[0].host, "hf1._domainkey.example.com");
    assert_eq!(published[1].host, "hf1e._domainkey.example.com");
    let records = Records(
        published
            .iter()
            .map(|record| {
                let key = DomainKey::parse(record.value.as_bytes()).unwrap();
                (format!("{}.", record.host).into_boxed_str(), Txt::DomainKey(Arc::new(key)))
            })
            .collect(),
    );
    let keypair = DomainKeys::new("example.com", "hf1", &keys.rsa_private, &keys.ed25519_private).unwrap();
    let (from, to) = (address("Ада <a@example.com>"), address("b@example.net"));
    for (text, html) in [("Hello", None), ("Привет,\n\n.\nмир\n\n\n", Some("<p>Привет</p>\n")), (" \n", None)]
    {
        let raw = composed(&from, &to, "Тема", text, html);
        let signed = dkim::sign(&raw, &keypair, Signing::Both).unwrap();
        assert_eq!(verified(&signed, &records).await, [true, true], "{text:?}");
        // As the connection sends it.
        let sent = signed.strip_suffix(b"\r\n").unwrap_or(&signed);
        assert_eq!(verified(&[sent, b"\r\n"].concat(), &records).await, [true, true], "{text:?}");
        let signed = String::from_utf8(signed).unwrap();
        for (old, new) in [("Subject: ", "Subject: x"), ("Date: ", "Date: x"), ("/unsubscribe/", "/unsubscribe/x")] {
            let changed = signed.replacen(old, new, 1);
            assert_ne!(changed, signed, "{old}");
            assert_eq!(verified(changed.as_bytes(), &records).await, [false, false], "changed: {old}");
        }
        for header in [
            "From: evil@example.org",
            "To: evil@example.org",
            "Subject: x",
            "Message-ID: <1@example.org>",
            "Content-Type: text/html",
        ] {
            let added = format!("{header}\r\n{signed}");
            assert_eq!(verified(added.as_bytes(), &records).await, [false, false], "added: {header}");
            let (headers, body) = signed.split_once("\r\n\r\n").unwrap();
            let added = format!("{headers}\r\n{header}\r\n\r\n{body}");
            assert_eq!(verified(added.as_bytes(), &records).await, [false, false], "added at the end: {header}");
        }
        // What services add on the way.
        for header in ["Reply-To: a@example.org", "Cc: a@example.org", "List-Unsubscribe: <https://mail.example.org>"] {
            let added = format!("{header}\r\n{signed}");
            assert_eq!(verified(added.as_bytes(), &records).await, [true, true], "added: {header}");
        }
        let signed = dkim::sign(&raw, &keypair, Signing::Rsa).unwrap();
        assert_eq!(verified(&signed, &records).await, [true], "one signature");
        assert_eq!(dkim::sign(&raw, &keypair, Signing::None).unwrap(), raw);
    }
}
