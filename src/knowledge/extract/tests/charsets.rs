//! Seven-bit encodings, encoding labels as programs write them, and message headers.

use super::*;

fn read_as(name: &str, bytes: &[u8]) -> Extracted {
    let kind = super::sniff(bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document = extract(bytes, kind, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

/// A message whose text has this content type, and its text.
fn mail(kind: &str, body: &[u8]) -> Extracted {
    let head = format!("From: a@example.org\nSubject: Test\nMIME-Version: 1.0\nContent-Type: {kind}\n\n");
    read_as("a.eml", &[head.as_bytes(), body].concat())
}

#[test]
fn seven_bit_encodings_are_decoded() {
    for (kind, body, expected) in [
        ("text/plain; charset=iso-2022-kr", &b"\x1b$)C\nKorea: \x0eGQ19\x0f, seven."[..], "Korea: 한국, seven."),
        ("text/plain", b"\x1b$)C\nKorea: \x0eGQ19\x0f, seven.", "Korea: 한국, seven."),
        ("text/plain; charset=hz-gb-2312", b"Tilde ~~, ~{VPND~} and ~{!#~}\nnext", "Tilde ~, 中文 and 。\nnext"),
        ("text/plain; charset=iso-2022-cn", b"\x1b$)A\x0eVPND\x0f here", "中文 here"),
        ("text/plain; charset=utf-7", b"Price +IKw-100 +- tax, +BB8EQAQ4BDIENQRC-!", "Price €100 + tax, Привет!"),
        ("text/html; charset=\"unicode-1-1-utf-7\"", b"<p>+BBQEMA-.", "Да."),
    ] {
        let document = mail(kind, body);
        assert!(document.text.ends_with(expected), "{kind}: {}", document.text);
        assert_eq!((document.report.guessed_encoding, document.report.undecodable_characters), (None, 0), "{kind}");
    }
    // A text about such markers.
    assert_eq!(
        read_as("a.txt", b"In HZ one writes ~{VPND~}, in UTF-7 +IKw-.").text,
        "In HZ one writes ~{VPND~}, in UTF-7 +IKw-."
    );
}

#[test]
fn nonstandard_encoding_labels_are_understood() {
    for (name, bytes) in [
        ("windows1251", &b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0"[..]),
        ("win-1251", b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0"),
        ("cp-866", b"\x8f\xe0\xa8\xa2\xa5\xe2, \xac\xa8\xe0"),
        ("x-mac-cyrillic", b"\x8f\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0"),
        ("koi8-r", b"\xf0\xd2\xc9\xd7\xc5\xd4, \xcd\xc9\xd2"),
    ] {
        let document = mail(&format!("text/plain; charset={name}"), bytes);
        assert!(document.text.ends_with("Привет, мир"), "{name}: {}", document.text);
        assert_eq!(document.report.guessed_encoding, None, "{name}");
    }
    // Short, and by accident valid in another encoding.
    assert!(mail("text/plain; charset=gb2312", b"\xc2\xb7").text.ends_with('路'));
    // An unsupported encoding is named beside the guess.
    let guess = mail("text/plain; charset=x-mac-croatian", b"\xe4\xf6\xfc Gr\xfc\xdfe aus M\xfcnchen und K\xf6ln")
        .report
        .guessed_encoding;
    assert!(guess.as_ref().is_some_and(|guess| guess.contains("declared is x-mac-croatian")), "{guess:?}");
    // An XHTML page may only name it in the XML declaration; guesses are reported for pages, too.
    let page = "<?xml version=\"1.0\" encoding=\"koi8-r\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><body><p>";
    let document = read_as("a.html", &[page.as_bytes(), b"\xf0\xd2\xc9\xd7\xc5\xd4", b"</p></body></html>"].concat());
    assert_eq!((document.text.as_str(), document.report.guessed_encoding), ("Привет", None));
    let guess = read_as("a.html", b"<html><body><p>Gr\xfc\xdfe aus M\xfcnchen und K\xf6ln an alle</p></body></html>");
    assert!(
        guess.text.starts_with("Grüße aus München") && guess.report.guessed_encoding.is_some(),
        "{:?}",
        guess.report
    );
}

#[test]
fn encoded_words_split_within_a_character_are_joined() {
    for (subject, expected) in [
        ("=?UTF-8?Q?pasi=C5=BEad=C4?=\n =?UTF-8?Q?=97jim=C5=B3?= now", "pasižadėjimų now"),
        // In base64, after the second of four characters and without padding.
        ("=?utf-8?B?0J/RgNC40LLQ?=\n\t=?UTF-8?B?tdGC?=", "Привет"),
        ("=?utf-8?B?0J/RgNC40L?= =?utf-8?B?LQtdGC?=", "Привет"),
        ("=?koi8-r?B?8NLJ18U?= =?koi8-r?B?1A==?=", "Привет"),
        ("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?= =?iso-2022-jp?B?GyRCOGwbKEI=?=", "日本語"),
        ("=?ISO-2022-KR?B?GyQpQw5HUTE5Dw==?=", "한국"),
        ("=?windows-1251*ru?Q?=CF=F0=E8=E2=E5=F2?= and =?us-ascii?Q?two_words?=", "Привет and two words"),
        ("plain =?broken?X?text?= =?", "plain =?broken?X?text?= =?"),
    ] {
        let head = format!("From: a@example.org\nSubject: {subject}\nMIME-Version: 1.0\n\nText");
        let document = read_as("a.eml", head.as_bytes());
        assert_eq!(document.title.as_deref(), Some(expected), "{subject}");
    }
    // Unencoded, in the charset of the message.
    let head = b"From: a@example.org\nSubject: \xcf\xf0\xe8\xe2\xe5\xf2\nMIME-Version: 1.0\nContent-Type: text/plain; charset=windows-1251\n\n\xc4\xe0";
    assert_eq!(read_as("a.eml", head).title.as_deref(), Some("Привет"));
}

#[test]
fn all_messages_of_a_mailbox_are_read() {
    let mailbox = "From anna@example.org Tue Mar  5 10:00:00 2024\nFrom: Anna <anna@example.org>\nSubject: The first offer\n\
        Message-ID: <1@example.org>\n\nThe price is 1,250 euros.\n\nFrom here on it rises.\n>From tomorrow, too.\n\n\
        From boris@example.org Wed Mar  6 11:00:00 2024\nFrom: Boris <boris@example.org>\nSubject:\nMessage-ID: <2@example.org>\n\
        MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<p>The second price is 990 euros.</p>\n\n\
        From MAILER-DAEMON Thu Mar  7 12:00:00 2024\nSubject: The third\nFrom: x@example.org\n\nShort.\n";
    for name in ["letters.mbox", "letters"] {
        let document = read_as(name, mailbox.as_bytes());
        assert_in_order(
            &document,
            &[
                "The first offer",
                "The price is 1,250 euros.",
                "From here on it rises.",
                "From tomorrow, too.",
                "990 euros",
                "Short.",
            ],
        );
        assert!(!document.text.contains("Message-ID") && !document.text.contains("Mar  6"), "{}", document.text);
        assert_eq!(block_with(&document, "1,250").heading, ["The first offer"]);
        assert_eq!(block_with(&document, "990 euros").heading, ["Boris <boris@example.org>"]);
        assert_eq!(block_with(&document, "Short.").heading, ["The third"]);
    }
    assert_eq!(read_as("a.txt", b"From here one sees the sea.\nNote: it is blue.\n\nThe end").text.lines().count(), 4);
}

#[test]
fn a_part_that_cannot_be_read_costs_only_itself() {
    let deep = format!("Content-Type: text/html\n\n{}x", "<div>".repeat(2000));
    let message = format!(
        "From: a@example.org\nSubject: Two parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nThe words of the letter.\n--b\n{deep}\n--b\nContent-Type: text/plain\n\
         Content-Transfer-Encoding: base64\n\nVGhlIGxhc3Qg*d29yZHM=\n--b--\n"
    );
    let document = read_as("a.eml", message.as_bytes());
    assert!(
        document.text.contains("The words of the letter.") && document.text.contains("The last words"),
        "{}",
        document.text
    );
    assert_eq!(document.report.unread_parts.len(), 1);
    assert!(
        document.report.unread_parts[0].contains("nested more than 512 deep"),
        "{:?}",
        document.report.unread_parts
    );
}
