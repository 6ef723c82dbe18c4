//! Mail messages, saved pages, calendars and notebooks.

use super::*;

fn read_as(name: &str, bytes: &[u8]) -> Extracted {
    let kind = super::sniff(bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let document = extract(bytes, kind, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

/// A message of type "multipart/KIND" with these parts, each with its headers.
fn message(kind: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--edge\r\n{}\r\n", part.replace('\n', "\r\n"))).collect();
    format!(
        "Received: by relay\r\nFrom: =?utf-8?B?0JDQvdC90LA=?= <anna@example.org>\r\nTo: office@example.org\r\n\
         Date: Tue, 5 Mar 2024 10:00:00 +0300\r\nSubject: =?koi8-r?B?5M/Hz9fP0g==?= 17\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/{kind}; boundary=edge\r\n\r\n{parts}--edge--\r\n"
    )
}

const PLAIN: &str =
    "Content-Type: text/plain; charset=windows-1251\nContent-Transfer-Encoding: base64\n\nz/Do4uXyLCDy5erx8iDv6PH87OA=";
const HTML: &str = "Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n\
    <p>=D0=9F=D1=80=D0=B8=D0=B2=D0=B5=D1=82, =D1=82=D0=B5=D0=BA=D1=81=D1=82 =3D</p>\n<table><tr><td>a<td>b</table>";

#[test]
fn a_message_has_headers_its_richest_body_and_attachments() {
    let attached = "Content-Type: application/pdf; name=\"plan.pdf\"\nContent-Disposition: attachment; \
        filename*=utf-8''%D0%BF%D0%BB%D0%B0%D0%BD.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0=";
    let note = "Content-Type: text/csv\nContent-Disposition: attachment; filename=sums.csv\n\nitem,sum\nrent,500";
    let alternative =
        format!("Content-Type: multipart/alternative; boundary=inner\n\n--inner\n{PLAIN}\n--inner\n{HTML}\n--inner--");
    let document = read_as("letter.eml", message("mixed", &[&alternative, attached, note]).as_bytes());
    assert_eq!(
        document.text,
        "From: Анна <anna@example.org>\nTo: office@example.org\nDate: Tue, 5 Mar 2024 10:00:00 +0300\n\
         Subject: Договор 17\n\nПривет, текст =\n\na | b\n\nitem | sum\nrent | 500\n\n\
         - Attachment: план.pdf (application/pdf)\n- Attachment: sums.csv (text/csv)"
    );
    assert_eq!((document.kind, document.title.as_deref()), (Kind::Text, Some("Договор 17")));
    assert_eq!(document.report.unread_parts, ["attachment план.pdf (application/pdf, 5 bytes)"]);
    assert_eq!(document.report.doubts, [Doubt::UnreadParts]);
}

#[test]
fn a_richer_body_with_less_text_is_not_chosen() {
    let long = format!("Content-Type: text/plain\n\n{}", "The whole letter is here. ".repeat(5));
    let poor = "Content-Type: text/html\n\n<p>View this letter in a browser</p>";
    let document = read_as("a.eml", message("alternative", &[&long, poor]).as_bytes());
    assert!(document.text.contains("The whole letter is here."), "{}", document.text);
    assert_eq!(document.report.left_out[0].examples, ["View this letter in a browser"]);
}

#[test]
fn a_message_within_a_message_is_read_too() {
    let inner = message("mixed", &["Content-Type: text/plain\n\nThe first offer"]).replace("edge", "other");
    let forwarded = format!("Content-Type: message/rfc822\n\n{}", inner.replace("\r\n", "\n"));
    let text = read_as("a", message("mixed", &["Content-Type: text/plain\n\nSee below", &forwarded]).as_bytes()).text;
    assert!(text.contains("See below\n\nFrom: Анна") && text.ends_with("The first offer"), "{text}");
    // Deeply nested messages end at the limit, with a report.
    let mut deep = message("mixed", &["Content-Type: text/plain\n\nend"]);
    for level in 0..8 {
        let part = format!("Content-Type: message/rfc822\r\n\r\n{deep}");
        deep = message("mixed", &["@"]).replace("edge", &format!("level{level}end")).replace("@\r\n", &part);
    }
    assert_eq!(read_as("a.eml", deep.as_bytes()).report.unread_parts.len(), 1);
}

#[test]
fn a_message_with_thousands_of_nested_parts_is_rejected() {
    let mut deep = String::from("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n");
    for _ in 0..2000 {
        deep.push_str("--a\nContent-Type: multipart/mixed; boundary=a\n\n");
    }
    assert_eq!(extract(deep.as_bytes(), Kind::Text, &Limits::default()).unwrap_err().code(), "malformed");
}

#[test]
fn nested_alternatives_take_no_time() {
    let mut deep = String::from("From: a\nMIME-Version: 1.0\n");
    for level in 0..60 {
        deep += &format!("Content-Type: multipart/alternative; boundary=b{level}z\n\n--b{level}z\n");
    }
    let document = read_as("a.eml", (deep + "Content-Type: text/plain\n\nx\n").as_bytes());
    assert_eq!(document.report.unread_parts, ["nested alternatives of the message body"]);
}

#[test]
fn a_saved_page_is_read_whatever_it_is_called() {
    let page = "From: <Saved by a browser>\nSubject: Prices\nMIME-Version: 1.0\n\
        Content-Type: multipart/related; type=\"text/html\"; boundary=edge\n\n--edge\nContent-Type: text/html\n\
        Content-Transfer-Encoding: quoted-printable\n\n<html><h1>Prices</h1><p>Ten=20euros, soft=\n ly</p>\n\
        --edge\nContent-Type: image/png; name=a.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--edge--\n";
    for name in ["page.mht", "page.mhtml", "page.html", "export.doc", "page"] {
        let document = read_as(name, page.as_bytes());
        assert_eq!(document.text, "Prices\n\nTen euros, soft ly", "{name}");
        assert_eq!(document.report.unread_parts, [""; 0]);
    }
}

#[test]
fn a_text_about_mail_is_not_a_message() {
    let note = "From: Anna\nTo: Ben\nSubject: the roof\n\nIt leaks.";
    assert_eq!(read_as("note.txt", note.as_bytes()).text, note);
    let talk = "MHT files say MIME-Version: 1.0 and Content-Type: multipart/related in their head.";
    assert_eq!(read_as("a.txt", talk.as_bytes()).text, talk);
    let log = "Received: by relay\nFrom: a\nSubject: b\n\nx";
    assert_eq!(read_as("mail.log", log.as_bytes()).kind, Kind::Code);
}

#[test]
fn folded_lines_of_calendars_and_cards_are_joined() {
    let ics = "BEGIN:VCALENDAR\r\nSUMMARY:Annual gene\r\n ral meet\r\n\ting\r\nEND:VCALENDAR\r\n";
    assert!(read_as("a.ics", ics.as_bytes()).text.contains("\nSUMMARY:Annual general meeting\n"));
    // Cut in the middle of a character.
    let mut card = b"BEGIN:VCARD\nFN:Jos\xc3".to_vec();
    card.extend_from_slice(b"\r\n \xa9 Roca\nEND:VCARD\n");
    assert!(read_as("a.vcf", &card).text.contains("FN:José Roca"));
    assert_eq!(read_as("a.yaml", b"a:\n  - b\n").text, "a:\n  - b");
}

#[test]
fn escaped_words_are_decoded() {
    let json = r#"{"a": "\u0434\u043e\u043c \u2014 \ud83d\ude00", "b": "x\n\u0022\\u0434"}"#;
    assert_eq!(read_as("a.json", json.as_bytes()).text, r#"{"a": "дом — 😀", "b": "x\n\u0022\\u0434"}"#);
    let pattern = r"let word = /[\u0400-\u04ff]+/;";
    assert_eq!(read_as("a.js", pattern.as_bytes()).text, pattern);
    assert_eq!(read_as("a.js", br"'\ud83d\u0041\u04' + '\u0434\u043e'").text, r"'\ud83d\u0041\u04' + 'до'");
}

#[test]
fn notebook_cells_are_read() {
    let notebook = r##"{"nbformat": 4, "metadata": {}, "cells": [
        {"cell_type": "markdown", "source": ["# Sales\n", "All **regions**"]},
        {"cell_type": "code", "source": "print(total)", "outputs": [
            {"output_type": "stream", "text": ["42\n"]},
            {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo=", "text/plain": ["<Figure>"]}},
            {"output_type": "execute_result", "data": {"text/html": "<table><tr><th>Q<th>S<tr><td>Q1<td>7</table>", "text/plain": "x"}},
            {"output_type": "error", "traceback": ["\u001b[31mNameError\u001b[0m: y"]}]}]}"##;
    let document = read_as("a.ipynb", notebook.as_bytes());
    assert_eq!(
        document.text,
        "Sales\n\nAll regions\n\nprint(total)\n\n42\n\n<Figure>\n\nQ | S\nQ1 | 7\n\nNameError: y"
    );
    assert_eq!((document.kind, document.report.images_without_text), (Kind::Code, 1));
    assert_eq!(read_as("b.ipynb", br#"{"nbformat": 4, "cells": 1}"#).text, r#"{"nbformat": 4, "cells": 1}"#);
}
