use super::*;

fn numbered(list: &str, level: usize, text: &str) -> String {
    format!(
        r#"<w:p><w:pPr><w:numPr><w:ilvl w:val="{level}"/><w:numId w:val="{list}"/></w:numPr></w:pPr>{}</w:p>"#,
        r(text)
    )
}

fn level(at: usize, format: &str, text: &str) -> String {
    format!(
        r#"<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{format}"/><w:lvlText w:val="{text}"/></w:lvl>"#
    )
}

fn with_numbering(body: &str, numbering: &str, styles: &str) -> Extracted {
    open(&with_parts(
        body,
        &[
            ("n", "numbering", "numbering.xml", &root("numbering", numbering)),
            ("s", "styles", "styles.xml", &root("styles", styles)),
        ],
    ))
}

#[test]
fn labels_are_counted_as_word_counts_them() {
    let numbering = format!(
        r#"<w:abstractNum w:abstractNumId="0">{}{}{}</w:abstractNum><w:abstractNum w:abstractNumId="1">{}{}</w:abstractNum>
        <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num><w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>
        <w:num w:numId="3"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride></w:num>"#,
        level(0, "decimal", "%1."),
        level(1, "decimal", "%1.%2"),
        level(2, "lowerLetter", "%3)"),
        level(0, "bullet", "\u{f0b7}"),
        level(1, "upperRoman", "%2."),
    );
    let body = [
        numbered("1", 0, "one"),
        numbered("1", 1, "deep"),
        numbered("1", 1, "deeper"),
        numbered("1", 2, "letter"),
        numbered("1", 0, "two"),
        numbered("1", 1, "again"),
        p(&r("between")),
        numbered("1", 0, "three"),
        numbered("2", 0, "dot"),
        numbered("2", 1, "roman"),
        numbered("3", 0, "restarted"),
        numbered("3", 0, "and on"),
        numbered("0", 0, "no list"),
    ]
    .concat();
    assert_eq!(
        with_numbering(&body, &numbering, "").text,
        "1. one\n  1.1 deep\n  1.2 deeper\n    a) letter\n2. two\n  2.1 again\n\nbetween\n\n3. three\n- dot\n  I. roman\n1. restarted\n2. and on\n\nno list"
    );
}

#[test]
fn lists_by_style_and_numbered_headings() {
    let numbering = format!(
        r#"<w:abstractNum w:abstractNumId="0">{}<w:lvl w:ilvl="1"><w:start w:val="1"/><w:numFmt w:val="decimal"/><w:pStyle w:val="H2"/><w:lvlText w:val="%1.%2"/></w:lvl></w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num>
        <w:abstractNum w:abstractNumId="1">{}</w:abstractNum><w:num w:numId="6"><w:abstractNumId w:val="1"/></w:num>"#,
        level(0, "upperRoman", "Part %1"),
        level(0, "none", ""),
    );
    let styles = r#"<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="5"/></w:numPr></w:pPr></w:style>
        <w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:basedOn w:val="H1"/></w:style>
        <w:style w:type="paragraph" w:styleId="None"><w:name w:val="heading 3"/><w:pPr><w:numPr><w:numId w:val="6"/></w:numPr></w:pPr></w:style>
        <w:style w:type="paragraph" w:styleId="LB"><w:name w:val="List Bullet"/></w:style>"#;
    let paragraph =
        |style: &str, text: &str| format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{}</w:p>"#, r(text));
    let body =
        [paragraph("H1", "Scope"), paragraph("H2", "Terms"), paragraph("None", "Plain"), paragraph("LB", "item")]
            .concat();
    let document = with_numbering(&body, &numbering, styles);
    assert_eq!(document.text, "Part I Scope\n\nI.1 Terms\n\nPlain\n\n- item");
    assert_eq!(block_with(&document, "item").heading, ["Part I Scope", "I.1 Terms", "Plain"]);
}

#[test]
fn headings_by_inheritance_outline_and_translated_names() {
    let styles = r#"<w:style w:type="paragraph" w:styleId="a"><w:name w:val="My chapter"/><w:basedOn w:val="b"/></w:style>
        <w:style w:type="paragraph" w:styleId="b"><w:name w:val="heading 1"/></w:style>
        <w:style w:type="paragraph" w:styleId="c"><w:name w:val="Law"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
        <w:style w:type="paragraph" w:styleId="d"><w:name w:val="Überschrift 3"/></w:style>
        <w:style w:type="paragraph" w:styleId="e"><w:name w:val="Заголовок 4"/></w:style>
        <w:style w:type="paragraph" w:styleId="f"><w:name w:val="Not so"/><w:basedOn w:val="b"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr></w:style>"#;
    let paragraph = |style: &str| {
        format!(r#"<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{}</w:p>"#, r(&format!("Head {style}")))
    };
    let body = ["a", "c", "d", "e", "f"].map(paragraph).concat()
        + r#"<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>Direct</w:t></w:r></w:p>"#;
    let document = with_numbering(&body, "", styles);
    assert_eq!(blocks(&document, BlockKind::Heading), ["Head a", "Head c", "Head d", "Head e", "Direct"]);
    assert_eq!(block_with(&document, "Head f").heading, ["Head a", "Head c", "Head d", "Head e"]);
    // Without the styles there are only ids.
    let document = self::body(r#"<w:p><w:pPr><w:pStyle w:val="Heading2"/></w:pPr><w:r><w:t>H</w:t></w:r></w:p>"#);
    assert_eq!(blocks(&document, BlockKind::Heading), ["H"]);
}
