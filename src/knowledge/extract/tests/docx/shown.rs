//! What Word displays instead of the stored text: bound data, numbers as words, dates in charts.

use super::*;

/// A control of this kind, bound to `path` in the data `id`, with this stored text.
fn bound(kind: &str, id: &str, path: &str, held: &str) -> String {
    format!(
        r#"<w:sdt><w:sdtPr>{kind}<w:dataBinding w:prefixMappings="xmlns:ns0='urn:order'" w:xpath="{path}" w:storeItemID="{id}"/></w:sdtPr>
        <w:sdtContent>{held}</w:sdtContent></w:sdt>"#
    )
}

#[test]
fn a_control_shows_the_data_that_it_is_bound_to() {
    let order = r#"<?xml version="1.0"?><o:order xmlns:o="urn:order" number="A-17"><o:customer>First</o:customer>
        <o:customer>Meyer &amp; Sons</o:customer><o:due>2024-03-05T00:00:00</o:due><o:state>2</o:state><o:note/></o:order>"#;
    let properties = r#"<ds:datastoreItem xmlns:ds="http://schemas.openxmlformats.org/officeDocument/2006/customXml" ds:itemID="{AAAA-1}"/>"#;
    let core =
        r#"<cp:coreProperties xmlns:cp="x" xmlns:dc="y"><dc:title>Order of pumps</dc:title></cp:coreProperties>"#;
    let id = "{aaaa-1}";
    let customer = "/ns0:order[1]/ns0:customer[2]";
    let line = [
        r("For "),
        bound("<w:text/>", id, customer, &r("Old name")),
        r(", number "),
        bound("<w:showingPlcHdr/><w:text/>", id, "/ns0:order[1]/@number", &r("Click here")),
        r(", due "),
        bound("<w:date/>", id, "/ns0:order[1]/ns0:due[1]", &r("5 March 2024")),
        r(", sent "),
        bound("<w:showingPlcHdr/><w:date/>", id, "/ns0:order[1]/ns0:due[1]", &r("Click for a date")),
        r(", "),
        bound(
            r#"<w:dropDownList><w:listItem w:value="1" w:displayText="open"/><w:listItem w:value="2" w:displayText="paid"/></w:dropDownList>"#,
            id,
            "/*[local-name()='order']/*[local-name()='state'][1]",
            &r("open"),
        ),
        r(", note "),
        bound("<w:text/>", id, "/ns0:order[1]/ns0:note[1]", &r("kept")),
        r(" "),
        bound("<w:text/>", id, "/ns0:order[1]/ns0:nothing[1]", &r("as it is")),
    ];
    let title =
        bound("<w:text/>", "{6C3C8BC8-F283-45AE-878A-BAB7291924A1}", "/ns1:coreProperties[1]/ns0:title[1]", &p(""));
    let other = bound("<w:text/>", "", customer, &p(&r("Old name")));
    let cell = format!("<w:tbl><w:tr><w:tc>{other}</w:tc><w:tc>{}</w:tc></w:tr></w:tbl>", p(&r("b")));
    let document = {
        let top = relationships(&[
            ("rId1", "officeDocument", "word/document.xml"),
            ("rId2", "metadata/core-properties", "docProps/core.xml"),
        ]);
        let main = root("document", &format!("<w:body>{title}{}{cell}</w:body>", p(&line.concat())));
        open(&zip(&[
            ("_rels/.rels", top.as_bytes()),
            ("word/document.xml", main.as_bytes()),
            ("docProps/core.xml", core.as_bytes()),
            ("customXml/item1.xml", order.as_bytes()),
            ("customXml/itemProps1.xml", properties.as_bytes()),
        ]))
    };
    assert_eq!(
        document.text,
        "Order of pumps\n\nFor Meyer & Sons, number A-17, due 5 March 2024, sent 2024-03-05T00:00:00, paid, note kept as it is\n\nMeyer & Sons | b"
    );
    assert_eq!(left_out(&document, LeftOutKind::Duplicate), ["Old name", "Click here", "Click for a date", "open"]);
}

#[test]
fn spelled_out_and_ordinal_numbers_are_list_labels() {
    let list = |format: &str, start: u32| {
        let numbering = root(
            "numbering",
            &format!(
                r#"<w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="{start}"/><w:numFmt w:val="{format}"/><w:lvlText w:val="%1"/></w:lvl></w:abstractNum>
                <w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>"#
            ),
        );
        let item = r#"<w:p><w:pPr><w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr></w:pPr><w:r><w:t>x</w:t></w:r></w:p>"#;
        open(&with_parts(&item.repeat(3), &[("n", "numbering", "numbering.xml", &numbering)])).text
    };
    for (format, start, expected) in [
        ("ordinal", 1, "1st x\n2nd x\n3rd x"),
        ("ordinal", 11, "11th x\n12th x\n13th x"),
        ("ordinal", 101, "101st x\n102nd x\n103rd x"),
        ("cardinalText", 19, "Nineteen x\nTwenty x\nTwenty-one x"),
        ("ordinalText", 1, "First x\nSecond x\nThird x"),
        ("ordinalText", 20, "Twentieth x\nTwenty-first x\nTwenty-second x"),
        ("ordinalText", 99, "Ninety-ninth x\n100th x\n101st x"),
        ("chicago", 4, "§ x\n** x\n†† x"),
    ] {
        assert_eq!(list(format, start), expected, "{format} from {start}");
    }
}

#[test]
fn charts_show_dates_and_percentages() {
    let values = |name: &str, code: &str, values: &[&str]| {
        let points: String =
            values.iter().enumerate().map(|(at, v)| format!(r#"<c:pt idx="{at}"><c:v>{v}</c:v></c:pt>"#)).collect();
        format!(
            "<c:{name}><c:numRef><c:numCache><c:formatCode>{code}</c:formatCode>{points}</c:numCache></c:numRef></c:{name}>"
        )
    };
    let chart = |more: &str, dates: &str, days: &[&str]| {
        let series =
            format!("<c:ser>{}{}</c:ser>", values("cat", dates, days), values("val", "0.0%", &["0.25", "0.105"]));
        let chart = format!(
            r#"<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart">{more}<c:lineChart>{series}</c:lineChart></c:chartSpace>"#
        );
        let drawing = p(
            r#"<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><c:chart r:id="c"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"#,
        );
        open(&with_parts(&drawing, &[("c", "chart", "chart1.xml", &chart)])).text
    };
    for (more, code, days, expected) in [
        ("", "m/d/yyyy", ["45356", "45357"], "2024-03-05 | 25%\n2024-03-06 | 10.5%"),
        ("", "[$-419]d\\ mmm;@", ["45356.5", "59"], "2024-03-05 | 25%\n1900-02-28 | 10.5%"),
        ("", "dd.mm.yyyy hh:mm", ["45356.5", "45357"], "2024-03-05 12:00 | 25%\n2024-03-06 | 10.5%"),
        ("", "h:mm", ["0.75", "0"], "18:00 | 25%\n00:00 | 10.5%"),
        (r#"<c:date1904 val="1"/>"#, "yyyy", ["43894", "43895"], "2024-03-05 | 25%\n2024-03-06 | 10.5%"),
        ("", "General", ["45356", "45357"], "45356 | 25%\n45357 | 10.5%"),
        ("", "0\" days\"", ["45356", "3"], "45356 | 25%\n3 | 10.5%"),
        ("", "[Red]#,##0.00", ["45356", "3"], "45356 | 25%\n3 | 10.5%"),
    ] {
        assert_eq!(chart(more, code, &days), expected, "{code}");
    }
}

#[test]
fn notes_use_the_number_format_of_the_document() {
    let notes = root("footnotes", r#"<w:footnote w:id="2"><w:p><w:r><w:t>See annex B.</w:t></w:r></w:p></w:footnote>"#);
    let text = p(r#"<w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/></w:r>"#);
    let settings = root("settings", r#"<w:footnotePr><w:numFmt w:val="lowerLetter"/></w:footnotePr>"#);
    let parts =
        [("f", "footnotes", "footnotes.xml", notes.as_str()), ("s", "settings", "settings.xml", settings.as_str())];
    assert_eq!(open(&with_parts(&text, &parts)).text, "Text[a]\n\n[a] See annex B.");
    let section = format!(r#"{text}<w:sectPr><w:footnotePr><w:numFmt w:val="chicago"/></w:footnotePr></w:sectPr>"#);
    assert_eq!(open(&with_parts(&section, &parts)).text, "Text[*]\n\n[*] See annex B.");
}
