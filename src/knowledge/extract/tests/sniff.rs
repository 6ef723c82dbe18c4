use super::{super::sniff, *};

#[test]
fn kinds_follow_the_content_and_not_the_name() {
    for (name, kind) in [
        ("chromium.en.pdf", Kind::Pdf),
        ("report.en.docx", Kind::Docx),
        ("libreoffice.ru.docx", Kind::Docx),
        ("page.utf-8.html", Kind::Html),
        ("page.windows-1251.html", Kind::Html),
        ("notes.md", Kind::Markdown),
        ("letter.utf-8.txt", Kind::Text),
        ("letter.utf-16.txt", Kind::Text),
        ("letter.koi8-r.txt", Kind::Text),
        ("letter.windows-1251.txt", Kind::Text),
    ] {
        let bytes = fixture(name);
        for filename in [name, "upload", "picture.png", "a.pdf", "a.docx"] {
            assert_eq!(sniff(&bytes, filename), Ok(kind), "{name} as {filename}");
        }
    }
}

#[test]
fn the_name_decides_between_text_and_markdown_only() {
    let plain = b"One line.\nAnother line.\n";
    assert_eq!(sniff(plain, "a.md"), Ok(Kind::Markdown));
    assert_eq!(sniff(plain, "a.txt"), Ok(Kind::Text));
    assert_eq!(sniff(plain, "a.html"), Ok(Kind::Text));
    assert_eq!(sniff(b"# a comment\nkey = value\n", "a.conf"), Ok(Kind::Code));
    assert_eq!(sniff(b"<h1 align=center>Tool</h1>\n\n# Usage\n\n```sh\nrun\n```\n", "README"), Ok(Kind::Markdown));
    assert_eq!(sniff(b"<!-- saved -->\n<HTML><p>x</p></HTML>", "a.txt"), Ok(Kind::Html));
    assert_eq!(sniff(b"A PDF begins with %PDF-1.7 as everybody knows.", "a.txt"), Ok(Kind::Text));
    assert_eq!(sniff(b"BM is a railway company. MZ is another.", "a.txt"), Ok(Kind::Text));
}

/// A part of a page, as an export or a message contains it.
#[test]
fn a_fragment_with_an_html_extension_is_html() {
    for html in [
        "<h3>Payment</h3>\n<p>Within 30 days.\n<ul><li>1<li>2</ul>",
        "Payment is due.<br>\nWithin 30 days.",
        "<span>Total</span>: 5 < 7",
        "# not Markdown <b>here</b>\n\n- nor a list",
    ] {
        for name in ["a.html", "A.HTM", "a.xhtml", "a.shtml"] {
            assert_eq!(sniff(html.as_bytes(), name), Ok(Kind::Html), "{html} as {name}");
        }
    }
    assert_eq!(sniff(b"<h3>Payment</h3><p>Within 30 days.</p>", "upload"), Ok(Kind::Html));
    assert_eq!(sniff(b"Deploy to <region> where a < b > c.\nNext line.", "a.html"), Ok(Kind::Text));
    assert_eq!(sniff(b"Use <b>bold</b> for names.", "a.md"), Ok(Kind::Markdown));
    assert_eq!(sniff(b"Use <b>bold</b> for names.", "a.txt"), Ok(Kind::Text));
}

#[test]
fn single_file_xml_office_documents_are_recognised() {
    let head = "<?xml version=\"1.0\"?>\n";
    let word =
        "<?mso-application progid=\"Word.Document\"?><w:wordDocument xmlns:w=\"x\"><w:t>x</w:t></w:wordDocument>";
    let open = "<office:document xmlns:office=\"x\"><text:p>x</text:p></office:document>";
    for (body, name) in [(word, "a.doc"), (word, "a.xml"), (open, "a.fodt"), ("<pkg:package xmlns:pkg=\"x\"/>", "a")] {
        match sniff(format!("{head}{body}").as_bytes(), name) {
            Err(Unsupported::Other(message)) => assert!(message.contains("XML format"), "{message}"),
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(sniff(format!("{head}<note>w:wordDocument</note>").as_bytes(), "a.xml"), Ok(Kind::Code));
}

#[test]
fn unsupported_kinds_are_recognised() {
    let name_of = |name: &str| match sniff(&fixture(name), name) {
        Err(Unsupported::Other(name)) => name,
        other => panic!("{name}: {other:?}"),
    };
    assert!(name_of("sheet.xlsx").contains("Excel"));
    assert!(name_of("report.odt").contains("OpenDocument"));
    assert!(name_of("plain.zip").contains("ZIP"));
    assert!(name_of("image.png").contains("PNG"));
    assert!(name_of("program.pdf").contains("executable"));
    assert_eq!(sniff(&fixture("old.doc"), "old.doc"), Err(Unsupported::LegacyWord));
    assert_eq!(sniff(&fixture("empty.pdf"), "empty.pdf"), Err(Unsupported::Empty));
    assert_eq!(sniff(b" \n\t", "a.txt"), Err(Unsupported::Empty));
    assert!(matches!(sniff(b"{\\rtf1 hello}", "a.rtf"), Err(Unsupported::Other(_))));
    assert!(matches!(sniff(&[0, 1, 2, 3, 0, 0, 7, 9], "a.bin"), Err(Unsupported::Other(_))));
}

proptest::proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), magic in 0usize..6) {
        let start: &[u8] = [&b""[..], b"%PDF-1.7\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<html>", b"\xff\xfe"][magic];
        let bytes = [start, &bytes].concat();
        if let Ok(kind) = sniff(&bytes, "x") {
            let _ = extract(&bytes, kind, &Limits::default());
        }
    }
}
