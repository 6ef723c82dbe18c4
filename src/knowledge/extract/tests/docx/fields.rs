use super::*;

#[test]
fn revisions_show_the_document_as_it_is_now() {
    let document = body(
        &(p(&format!(
            r#"{}<w:del w:id="1"><w:r><w:delText>old </w:delText></w:r></w:del><w:ins w:id="2">{}</w:ins>{}"#,
            r("The "),
            r("new "),
            r("price")
        )) + &p(&format!(r#"<w:moveFrom w:id="3">{}</w:moveFrom>"#, r("moved sentence")))
            + &p(&format!(r#"<w:moveTo w:id="4">{}</w:moveTo>"#, r("moved sentence")))
            + &p(&format!(
                r#"<w:r><w:rPr><w:b/><w:rPrChange w:id="5"><w:rPr><w:vanish/></w:rPr></w:rPrChange></w:rPr><w:t>bold</w:t></w:r>{}"#,
                r(" stays")
            ))),
    );
    assert_eq!(document.text, "The new price\n\nmoved sentence\n\nbold stays");
    assert_eq!(left_out(&document, LeftOutKind::Revision), ["old", "moved sentence"]);
}

#[test]
fn a_deleted_paragraph_mark_joins_and_a_deleted_row_goes() {
    let document = body(
        r#"<w:p><w:pPr><w:rPr><w:del w:id="1"/></w:rPr></w:pPr><w:r><w:t>half</w:t></w:r></w:p><w:p><w:r><w:t>way</w:t></w:r></w:p>
        <w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>b</w:t></w:r></w:p></w:tc></w:tr>
        <w:tr><w:trPr><w:del w:id="2"/></w:trPr><w:tc><w:p><w:r><w:t>gone</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"#,
    );
    assert_eq!(document.text, "halfway\n\na | b");
    assert_eq!(left_out(&document, LeftOutKind::Revision), ["gone"]);
}

#[test]
fn hidden_text_is_left_out_and_reported() {
    let styles = root(
        "styles",
        r#"<w:style w:type="character" w:styleId="Secret"><w:name w:val="Secret"/><w:rPr><w:vanish/></w:rPr></w:style>
        <w:style w:type="paragraph" w:styleId="Note"><w:name w:val="Note"/><w:basedOn w:val="Base"/></w:style>
        <w:style w:type="paragraph" w:styleId="Base"><w:name w:val="Base"/><w:rPr><w:vanish/></w:rPr></w:style>"#,
    );
    let document = open(&with_parts(
        r#"<w:p><w:r><w:t>shown </w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>one</w:t></w:r><w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>too</w:t></w:r></w:p>
        <w:p><w:r><w:rPr><w:rStyle w:val="Secret"/></w:rPr><w:t>two</w:t></w:r></w:p>
        <w:p><w:pPr><w:pStyle w:val="Note"/></w:pPr><w:r><w:t>three</w:t></w:r><w:r><w:rPr><w:vanish w:val="false"/></w:rPr><w:t>seen</w:t></w:r></w:p>"#,
        &[("rId1", "styles", "styles.xml", &styles)],
    ));
    assert_eq!(document.text, "shown too\n\nseen");
    assert_eq!(left_out(&document, LeftOutKind::Hidden), ["one", "two", "three"]);
    assert_eq!(document.report.hidden_characters, 11);
}

#[test]
fn formulas_are_read() {
    let run = |t: &str| format!("<m:r><m:t>{t}</m:t></m:r>");
    for (formula, line) in [
        (format!("<m:f><m:num>{}</m:num><m:den>{}</m:den></m:f>", run("a+b"), run("2")), "(a+b)/2"),
        (format!("<m:sSup><m:e>{}</m:e><m:sup>{}</m:sup></m:sSup>", run("x"), run("2")), "x^2"),
        (format!("<m:sSub><m:e>{}</m:e><m:sub>{}</m:sub></m:sSub>", run("x"), run("i+1")), "x_(i+1)"),
        (format!("<m:rad><m:deg/><m:e>{}</m:e></m:rad>", run("b")), "sqrt(b)"),
        (format!("<m:rad><m:deg>{}</m:deg><m:e>{}</m:e></m:rad>", run("3"), run("b")), "root(3, b)"),
        (
            format!(
                "<m:nary><m:naryPr><m:chr m:val=\"∑\"/></m:naryPr><m:sub>{}</m:sub><m:sup>{}</m:sup><m:e>{}</m:e></m:nary>",
                run("i=1"),
                run("n"),
                run("i")
            ),
            "∑_(i=1)^n i",
        ),
        (
            format!(
                "<m:d><m:e><m:m><m:mr><m:e>{}</m:e><m:e>{}</m:e></m:mr><m:mr><m:e>{}</m:e><m:e>{}</m:e></m:mr></m:m></m:e></m:d>",
                run("1"),
                run("0"),
                run("0"),
                run("1")
            ),
            "[1, 0; 0, 1]",
        ),
        (format!("<m:func><m:fName>{}</m:fName><m:e>{}</m:e></m:func>", run("sin"), run("x")), "sin x"),
    ] {
        let inline = p(&format!("{}<m:oMath>{formula}</m:oMath>{}", r("where"), r("holds")));
        assert_eq!(text(&inline), format!("where {line} holds"));
        assert_eq!(text(&p(&format!("<m:oMathPara><m:oMath>{formula}</m:oMath></m:oMathPara>{}", ""))), line);
    }
}

#[test]
fn superscripts_and_subscripts_do_not_merge_into_numbers() {
    let raised = |t: &str| format!(r#"<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:t>{t}</w:t></w:r>"#);
    let lowered = |t: &str| format!(r#"<w:r><w:rPr><w:vertAlign w:val="subscript"/></w:rPr><w:t>{t}</w:t></w:r>"#);
    let line = [
        &r("10"),
        &raised("2"),
        &r(" m"),
        &raised("-1"),
        &r(" 1"),
        &raised("st"),
        &r(" H"),
        &lowered("2"),
        &r("O 10"),
        &lowered("2"),
    ];
    assert_eq!(text(&p(&line.map(String::as_str).concat())), "10^2 m^-1 1st H2O 10_2");
}

/// Results of fields are shown, instructions are not.
#[test]
fn fields_show_their_results() {
    let mark = |kind: &str| format!(r#"<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>"#);
    let code = |t: &str| format!("<w:r><w:instrText>{t}</w:instrText></w:r>");
    let field = |instruction: &str, result: &str| {
        [mark("begin"), code(instruction), mark("separate"), r(result), mark("end")].concat()
    };
    assert_eq!(text(&p(&(r("See ") + &field(" REF x \\h ", "chapter 4") + &r(".")))), "See chapter 4.");
    // A field within the instruction of another.
    let nested =
        [mark("begin"), code("IF "), field("MERGEFIELD a", "1"), code(" = 1"), mark("separate"), r("yes"), mark("end")];
    assert_eq!(text(&p(&nested.concat())), "yes");
    // An unclosed field swallows nothing.
    assert_eq!(text(&p(&(mark("begin") + &code("PAGE") + &r("kept")))), "kept");
    // Across paragraphs.
    let across = p(&(mark("begin") + &code("TOC") + &mark("separate") + &r("one")))
        + &p(&(r("two") + &mark("end") + &r(" three")));
    assert_eq!(text(&across), "one\n\ntwo three");
    assert_eq!(
        text(
            r#"<w:p><w:fldSimple w:instr="AUTHOR"><w:r><w:t>Ann</w:t></w:r></w:fldSimple><w:hyperlink w:anchor="x"><w:r><w:t> link</w:t></w:r></w:hyperlink></w:p>"#
        ),
        "Ann link"
    );
}

#[test]
fn fields_of_forms_show_their_values() {
    let form = |data: &str, code: &str, result: &str| {
        format!(
            r#"<w:r><w:fldChar w:fldCharType="begin"><w:ffData>{data}</w:ffData></w:fldChar></w:r><w:r><w:instrText> {code} </w:instrText></w:r>{result}<w:r><w:fldChar w:fldCharType="end"/></w:r>"#
        )
    };
    let separate = r#"<w:r><w:fldChar w:fldCharType="separate"/></w:r>"#;
    let list = r#"<w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="green"/></w:ddList>"#;
    let document = body(&p(&[
        r("Colour: "),
        form(list, "FORMDROPDOWN", ""),
        r(" Agreed: "),
        form(r#"<w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox>"#, "FORMCHECKBOX", separate),
        r(" Sent: "),
        form(r#"<w:checkBox><w:default w:val="0"/></w:checkBox>"#, "FORMCHECKBOX", ""),
        r(" Name: "),
        form("<w:textInput/>", "FORMTEXT", &(separate.to_owned() + &r("Ann"))),
    ]
    .concat()));
    assert_eq!(document.text, "Colour: green Agreed: [x] Sent: [ ] Name: Ann");
    assert_eq!(document.report.form_fields, 4);
}

#[test]
fn content_controls_are_read_everywhere() {
    let sdt = |properties: &str, inner: &str| {
        format!("<w:sdt><w:sdtPr>{properties}</w:sdtPr><w:sdtContent>{inner}</w:sdtContent></w:sdt>")
    };
    let cell = |t: &str| format!("<w:tc>{}</w:tc>", p(&r(t)));
    let document = body(
        &[
            sdt("<w:text/>", &sdt("<w:date/>", &p(&r("Block")))),
            p(&(r("In ") + &sdt("<w:dropDownList/>", &r("line")))),
            p(&(sdt("<w14:checkbox><w14:checked w14:val=\"1\"/></w14:checkbox>", &r("☒")) + &r("Yes"))),
            p(&sdt(r#"<w:comboBox w:lastValue="2"><w:listItem w:displayText="Second" w:value="2"/></w:comboBox>"#, "")),
            format!(
                "<w:tbl><w:tr>{}{}</w:tr>{}<w:tr><w:tc>{}</w:tc>{}</w:tr></w:tbl>",
                cell("a"),
                sdt("", &cell("b")),
                sdt("", &format!("<w:tr>{}{}</w:tr>", cell("c"), cell("d"))),
                sdt("", &p(&r("e"))),
                cell("f"),
            ),
        ]
        .concat(),
    );
    assert_eq!(document.text, "Block\n\nIn line\n\n[x] Yes\n\nSecond\n\na | b\nc | d\ne | f");
    assert_eq!(document.report.form_fields, 5);
}

#[test]
fn characters_that_are_elements_and_wrappers_around_runs() {
    let line = r#"<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:ptab w:relativeTo="margin"/><w:t>c</w:t><w:br/><w:t>d</w:t><w:cr/><w:t>e</w:t><w:noBreakHyphen/><w:t>f g</w:t><w:softHyphen/><w:t>h</w:t></w:r>"#;
    assert_eq!(text(&p(line)), "a b c d e-f gh");
    let symbols = r#"<w:r><w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Symbol" w:char="F0A3"/></w:r><w:r><w:t>1 </w:t><w:sym w:font="Wingdings" w:char="F0FE"/></w:r>"#;
    assert_eq!(text(&p(symbols)), "α≤1 [x]");
    for wrapper in ["w:smartTag", "w:customXml", "w:dir", "w:bdo", "w:ins", "w:unknown", "x:foreign"] {
        assert_eq!(text(&p(&format!("{}<{wrapper}>{}</{wrapper}>", r("a "), r("b")))), "a b", "{wrapper}");
    }
    let ruby = format!("<w:r><w:ruby><w:rt>{}</w:rt><w:rubyBase>{}</w:rubyBase></w:ruby></w:r>", r("kan"), r("漢"));
    assert_eq!(text(&p(&ruby)), "漢(kan)");
}

#[test]
fn notes_and_comments_are_kept() {
    let notes = root(
        "footnotes",
        r#"<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>
        <w:footnote w:id="2"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t xml:space="preserve"> See annex B.</w:t></w:r></w:p></w:footnote>"#,
    );
    let ends = root("endnotes", r#"<w:endnote w:id="1"><w:p><w:r><w:t>The end.</w:t></w:r></w:p></w:endnote>"#);
    let comments = root(
        "comments",
        r#"<w:comment w:id="0" w:author="Ann"><w:p><w:r><w:t>Why?</w:t></w:r></w:p></w:comment><w:comment w:id="1" w:author="Bob"><w:p><w:r><w:t>Lost anchor</w:t></w:r></w:p></w:comment>"#,
    );
    let document = open(&with_parts(
        &(p(
            r#"<w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/><w:endnoteReference w:id="1"/><w:commentReference w:id="0"/></w:r>"#,
        ) + &p(&r("Next"))),
        &[
            ("f", "footnotes", "footnotes.xml", &notes),
            ("e", "endnotes", "endnotes.xml", &ends),
            ("c", "comments", "comments.xml", &comments),
        ],
    ));
    assert_eq!(
        document.text,
        "Text[1][i]\n\n[1] See annex B.\n\n[i] The end.\n\n[Comment Ann: Why?]\n\nNext\n\n[Comment Bob: Lost anchor]"
    );
    assert_eq!(document.report.comments, 2);
}

/// An address that is only visible on a click is part of the document's content.
#[test]
fn link_destinations_are_searchable() {
    let links = |list: &[(&str, &str)]| {
        let list = list.iter().map(|(id, target)| {
            format!(r#"<Relationship Id="{id}" Type="{OFFICE}/hyperlink" Target="{target}" TargetMode="External"/>"#)
        });
        let list = list.collect::<String>();
        format!(
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{list}</Relationships>"#
        )
    };
    let top = relationships(&[("rId1", "officeDocument", "word/document.xml")]);
    let link = |attributes: &str, text: &str| format!("<w:hyperlink {attributes}>{}</w:hyperlink>", r(text));
    let mark = |kind: &str| format!(r#"<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>"#);
    let field = |code: &str, result: &str| {
        [
            mark("begin"),
            format!("<w:r><w:instrText>{code}</w:instrText></w:r>"),
            mark("separate"),
            r(result),
            mark("end"),
        ]
        .concat()
    };
    let heading = r#"<w:pPr><w:outlineLvl w:val="0"/></w:pPr>"#;
    let inner = [
        p(&(r("See ") + &link(r#"r:id="a""#, "the order") + &r("."))),
        p(&link(r#"r:id="b" w:anchor="s2""#, "Ann")),
        p(&(link(r#"w:anchor="chapter""#, "Chapter 2") + &r(", ") + &link(r#"r:id="c""#, "example.com"))),
        p(&(field(r#" HYPERLINK "https://example.com/terms?v=17" \o "tip" "#, "Terms") + &r(" apply"))),
        p(&field(r#" HYPERLINK \l "_Toc1" "#, "Contents")),
        p(&(heading.to_owned() + &link(r#"r:id="d""#, "Annex"))),
        p(&(link(r#"r:id="a""#, "again") + &link(r#"r:id="lost""#, " nowhere"))),
    ]
    .concat();
    let main = root("document", &format!("<w:body>{inner}</w:body>"));
    let rels = links(&[
        ("a", "https://example.com/orders/91319"),
        ("b", "mailto:ann@example.com"),
        ("c", "http://www.example.com/"),
        ("d", "https://example.com/annex.pdf"),
    ]);
    let document = open(&zip(&[
        ("_rels/.rels", top.as_bytes()),
        ("word/document.xml", main.as_bytes()),
        ("word/_rels/document.xml.rels", rels.as_bytes()),
    ]));
    assert_eq!(
        document.text,
        "See the order (https://example.com/orders/91319).\n\nAnn (ann@example.com#s2)\n\nChapter 2, example.com\n\n\
        Terms (https://example.com/terms?v=17) apply\n\nContents\n\nAnnex\n\nAnnex (https://example.com/annex.pdf)\n\n\
        again nowhere"
    );
}

/// A price that is no longer valid is not the price.
#[test]
fn struck_text_stays_marked() {
    let struck =
        |tag: &str, t: &str| format!(r#"<w:r><w:rPr><w:{tag}/></w:rPr><w:t xml:space="preserve">{t}</w:t></w:r>"#);
    let line = [r("Price: "), struck("strike", "1"), struck("dstrike", "00 "), r("90")].concat();
    assert_eq!(text(&p(&line)), "Price: ~~100~~ 90");
    let off = format!(r#"{}<w:r><w:rPr><w:strike w:val="0"/></w:rPr><w:t>90</w:t></w:r>"#, r("Price: "));
    assert_eq!(text(&p(&off)), "Price: 90");
}
