use super::*;

/// The main part may have any name, and its relationship may write it in any form.
#[test]
fn the_main_part_is_found_by_its_relationship() {
    let main = root("document", &format!("<w:body>{}</w:body>", p(&r("Found it"))));
    for (target, name) in [
        ("word/document2.xml", "word/document2.xml"),
        ("/word/document.xml", "word/document.xml"),
        ("/content/main.xml", "content/main.xml"),
        ("word\\document.xml", "word\\document.xml"),
        ("word/document.xml", "word\\document.xml"),
        ("word/Document.xml", "WORD/document.XML"),
        ("./word/../word/document.xml", "word/document.xml"),
        ("word/my%20document.xml", "word/my document.xml"),
    ] {
        let top = relationships(&[("rId1", "officeDocument", target)]);
        let types = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/x" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;
        let file =
            zip(&[("[Content_Types].xml", types.as_bytes()), ("_rels/.rels", top.as_bytes()), (name, main.as_bytes())]);
        assert_eq!(open(&file).text, "Found it", "{target} {name}");
    }
}

#[test]
fn a_package_without_relationships_is_read_by_its_types_and_usual_names() {
    let main = root("document", &format!("<w:body>{}</w:body>", p(&r("Found it"))));
    let types = r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/x/y.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>"#;
    assert_eq!(open(&zip(&[("[Content_Types].xml", types.as_bytes()), ("x/y.xml", main.as_bytes())])).text, "Found it");
    assert_eq!(open(&zip(&[("word/document.xml", main.as_bytes())])).text, "Found it");
}

#[test]
fn namespaces_matter_and_prefixes_do_not() {
    for xml in [
        // Strict.
        r#"<w:document xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"><w:body><w:p><w:r><w:t>One two</w:t></w:r></w:p></w:body></w:document>"#,
        // Other prefixes, and none.
        r#"<x:document xmlns:x="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><x:body><x:p><x:r><x:t>One two</x:t></x:r></x:p></x:body></x:document>"#,
        r#"<document xmlns="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><body><p><r><t>One two</t></r></p></body></document>"#,
        r#"<ns0:document xmlns:ns0="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><ns0:body><ns0:p><ns0:r><ns0:t>One<![CDATA[ two]]></ns0:t></ns0:r></ns0:p></ns0:body></ns0:document>"#,
        // Undeclared prefix.
        "<w:document><w:body><w:p><w:r><w:t>One&#32;&#x74;wo</w:t></w:r></w:p></w:body></w:document>",
    ] {
        let strict = r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://purl.oclc.org/ooxml/officeDocument/relationships/officeDocument" Target="word/document.xml"/></Relationships>"#;
        let file = zip(&[("_rels/.rels", strict.as_bytes()), ("word/document.xml", xml.as_bytes())]);
        assert_eq!(open(&file).text, "One two", "{xml}");
    }
}

#[test]
fn a_part_may_be_in_utf_16() {
    let xml = root("document", "<w:body><w:p><w:r><w:t>Größe &lt;1&gt; &amp; Жук</w:t></w:r></w:p></w:body>")
        .replace("UTF-8", "UTF-16");
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(xml.encode_utf16().flat_map(u16::to_le_bytes));
    assert_eq!(open(&zip(&[("word/document.xml", &bytes)])).text, "Größe <1> & Жук");
}

#[test]
fn a_damaged_part_costs_only_itself() {
    let styles = "<w:styles xmlns:w='x'><w:style";
    let file = with_parts(
        &p(&r("The main text")),
        &[
            ("rId1", "styles", "styles.xml", styles),
            ("rId2", "footnotes", "footnotes.xml", ""),
            ("rId3", "header", "header1.xml", "not xml at all"),
            ("rId4", "numbering", "missing/../gone.xml", "<a"),
        ],
    );
    let document = open(&file);
    assert_eq!(document.text, "The main text");
    let unread = document.report.unread_parts.join("\n");
    assert!(unread.contains("word/styles.xml"), "{unread}");
    assert!(unread.contains("word/header1.xml"), "{unread}");
    assert!(document.report.doubts.contains(&Doubt::UnreadParts));
}

#[test]
fn a_truncated_main_part_keeps_its_beginning() {
    let xml = root("document", "<w:body><w:p><w:r><w:t>Before</w:t></w:r></w:p><w:p><w:r><w:t>the break");
    let cut = xml.split_once("</w:document>").unwrap().0;
    let document = open(&zip(&[("word/document.xml", cut.as_bytes())]));
    assert_eq!(document.text, "Before\n\nthe break");
    assert!(document.report.unread_parts.concat().contains("word/document.xml"));
    let nothing = extract(&zip(&[("word/document.xml", b"")]), Kind::Docx, &Limits::default());
    assert_eq!(nothing.unwrap_err().code(), "malformed");
}

#[test]
fn inserted_files_are_read() {
    let chunk = r#"<w:altChunk r:id="c1"/><w:altChunk r:id="c2"/><w:altChunk r:id="c3"/>"#;
    let inner = with_parts(&p(&r("From another document")), &[]);
    let top = relationships(&[("rId1", "officeDocument", "word/document.xml")]);
    let main = root("document", &format!("<w:body>{}{chunk}{}</w:body>", p(&r("Start")), p(&r("End"))));
    let links = relationships(&[
        ("c1", "aFChunk", "chunk.html"),
        ("c2", "aFChunk", "/word/inner.docx"),
        ("c3", "aFChunk", "chunk.rtf"),
    ]);
    let html = "<html><body><h2>Inserted page</h2><p>with text</p></body></html>";
    let document = open(&zip(&[
        ("_rels/.rels", top.as_bytes()),
        ("word/document.xml", main.as_bytes()),
        ("word/_rels/document.xml.rels", links.as_bytes()),
        ("word/chunk.html", html.as_bytes()),
        ("word/inner.docx", &inner),
        ("word/chunk.rtf", b"{\\rtf1 lost}"),
    ]));
    assert_eq!(document.text, "Start\n\nInserted page\n\nwith text\n\nFrom another document\n\nEnd");
    assert!(document.report.unread_parts.concat().contains("RTF"), "{:?}", document.report.unread_parts);
}

#[test]
fn headers_and_footers_are_kept_once() {
    let header = |text: &str| root("hdr", &p(&r(text)));
    let footer = root(
        "ftr",
        &(p(&r("Footer note 77"))
            + &p(r#"<w:r><w:t>Derby, </w:t></w:r><w:fldSimple w:instr="PAGE"><w:r><w:t>3</w:t></w:r></w:fldSimple>"#)
            + &p(r#"<w:r><w:t>Page </w:t></w:r><w:fldSimple w:instr=" PAGE "><w:r><w:t>1</w:t></w:r></w:fldSimple>"#)),
    );
    let document = open(&with_parts(
        &p(&r("Body")),
        &[
            ("rId1", "header", "header1.xml", &header("Contract No. FV 17/2026")),
            ("rId2", "header", "header2.xml", &header("Contract No. FV 17/2026")),
            ("rId3", "header", "header3.xml", &header("Annex")),
            ("rId4", "footer", "footer1.xml", &footer),
        ],
    ));
    assert_eq!(document.text, "Contract No. FV 17/2026\n\nAnnex\n\nFooter note 77\n\nDerby,\n\nBody");
    assert_eq!(left_out(&document, LeftOutKind::Duplicate), ["Contract No. FV 17/2026"]);
    assert_eq!(left_out(&document, LeftOutKind::PageNumber), ["Page"]);
}
