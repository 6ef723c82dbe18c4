use super::*;

fn cell(properties: &str, text: &str) -> String {
    format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", p(&r(text)))
}

fn row(properties: &str, cells: &[String]) -> String {
    format!("<w:tr><w:trPr>{properties}</w:trPr>{}</w:tr>", cells.concat())
}

#[test]
fn tables_keep_every_value_in_its_column() {
    let table = [
        row("<w:tblHeader/>", &[cell("", "Region"), cell(r#"<w:gridSpan w:val="2"/>"#, "2026")]),
        row("<w:tblHeader/>", &[cell("", ""), cell("", "Q1"), cell("", "Q2")]),
        row("", &[cell(r#"<w:vMerge w:val="restart"/>"#, "North"), cell("", "1"), cell("", "2")]),
        row("", &[cell("<w:vMerge/>", ""), cell("", "3"), cell("", "4")]),
        row(r#"<w:gridBefore w:val="1"/>"#, &[cell("", "5"), cell("", "6")]),
    ];
    let document = body(&format!("<w:tbl>{}</w:tbl>", table.concat()));
    assert_eq!(document.text, "Region | 2026 | 2026\n| Q1 | Q2\nNorth | 1 | 2\nNorth | 3 | 4\n| 5 | 6");
    let block = &document.blocks[0];
    assert_eq!(document.report.tables, 1);
    let header: String = document.text.chars().take(block.header_end.unwrap()).collect();
    assert_eq!(header, "Region | 2026 | 2026\n| Q1 | Q2");
}

/// Word splits rows at positions that no other row has, and counts them in spans.
#[test]
fn a_span_over_columns_that_no_row_has_is_one_column() {
    let rows = [
        row("", &[cell(r#"<w:gridSpan w:val="3"/>"#, "Name"), cell(r#"<w:gridSpan w:val="4"/>"#, "Ann")]),
        row("", &[cell(r#"<w:gridSpan w:val="3"/>"#, "Age"), cell(r#"<w:gridSpan w:val="4"/>"#, "40")]),
    ];
    assert_eq!(text(&format!("<w:tbl>{}</w:tbl>", rows.concat())), "Name | Ann\nAge | 40");
}

#[test]
fn the_first_row_is_a_header_by_the_look_of_the_table() {
    let rows = row("", &[cell("", "A"), cell("", "B")]) + &row("", &[cell("", "c"), cell("", "d")]);
    for (look, header) in [
        (r#"<w:tblPr><w:tblLook w:firstRow="1"/></w:tblPr>"#, Some(5)),
        (r#"<w:tblPr><w:tblLook w:val="04A0"/></w:tblPr>"#, Some(5)),
        (r#"<w:tblPr><w:tblLook w:val="0480"/></w:tblPr>"#, None),
        ("", None),
    ] {
        assert_eq!(body(&format!("<w:tbl>{look}{rows}</w:tbl>")).blocks[0].header_end, header, "{look}");
    }
}

#[test]
fn words_in_a_cell_stay_separate() {
    let inner = format!(
        "<w:tbl>{}{}</w:tbl>",
        row("", &[cell("", "x"), cell("", "1")]),
        row("", &[cell("", "y"), cell("", "2")])
    );
    let table = format!(
        "<w:tbl><w:tr><w:tc>{}{}</w:tc><w:tc>{inner}<w:p/></w:tc></w:tr></w:tbl>",
        p(&r("Total")),
        p(&r("100"))
    );
    assert_eq!(text(&table), "Total 100 | x, 1; y, 2");
    // A single-cell table is a box.
    let boxed = format!("<w:tbl><w:tr><w:tc>{}{}</w:tc></w:tr></w:tbl>", p(&r("One")), p(&r("Two")));
    assert_eq!(text(&boxed), "One\n\nTwo");
}

#[test]
fn one_of_the_alternatives_is_read() {
    let text_box = |t: &str| format!("<w:txbxContent>{}</w:txbxContent>", p(&r(t)));
    let modern = |t: &str| {
        format!(
            "<w:drawing><wp:anchor><wp:docPr id=\"1\" name=\"Box 1\"/><a:graphic><a:graphicData><wps:wsp><wps:txbx>{}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:anchor></w:drawing>",
            text_box(t)
        )
    };
    let old = |t: &str| format!("<w:pict><v:shape><v:textbox>{}</v:textbox></v:shape></w:pict>", text_box(t));
    let both = |choice: &str, fallback: &str| {
        p(&format!(
            "{}<w:r><mc:AlternateContent><mc:Choice Requires=\"wps\">{choice}</mc:Choice>{fallback}</mc:AlternateContent></w:r>",
            r("Around")
        ))
    };
    let fallback = |t: &str| format!("<mc:Fallback>{}</mc:Fallback>", old(t));
    assert_eq!(text(&both(&modern("Boxed"), &fallback("Boxed"))), "Around\n\nBoxed");
    assert_eq!(text(&both(&modern("Boxed"), "")), "Around\n\nBoxed");
    assert_eq!(text(&both("<w:drawing/>", &fallback("Only here"))), "Around\n\nOnly here");
    let document = body(&both(&modern("New"), &fallback("Old")));
    assert_eq!(document.text, "Around\n\nNew");
    assert_eq!(left_out(&document, LeftOutKind::Duplicate), ["Old"]);
    assert_eq!(text(&p(&format!("<w:r>{}</w:r>", old("By itself")))), "By itself");
    // Around paragraphs, and with an unknown namespace.
    let around =
        format!("<mc:AlternateContent><mc:Choice Requires=\"x\">{}</mc:Choice></mc:AlternateContent>", p(&r("Kept")));
    assert_eq!(text(&around), "Kept");
}

#[test]
fn images_have_alternative_text_or_are_counted() {
    let picture = |describe: &str| {
        p(&format!(
            "{}<w:r><w:drawing><wp:inline><wp:docPr id=\"1\" name=\"Picture 1\" {describe}/><a:graphic><a:graphicData><pic:pic/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>",
            r("See")
        ))
    };
    let document = body(&(picture(r#"descr="Plan of the site""#) + &picture("")));
    assert_eq!(document.text, "See Plan of the site\n\nSee");
    assert_eq!(document.report.images_without_text, 1);
    let water_mark = r#"<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>"#;
    assert_eq!(text(&p(water_mark)), "DRAFT");
}

#[test]
fn charts_and_diagrams_have_text() {
    let graphic = |inner: &str| {
        p(&format!(
            "<w:r><w:drawing><wp:inline><a:graphic><a:graphicData>{inner}</a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
        ))
    };
    let chart = format!(
        "<c:chartSpace {NAMESPACES}><c:chart><c:title><a:p><a:r><a:t>Levels</a:t></a:r></a:p></c:title><c:ser><c:tx><c:strCache><c:pt><c:v>Peak</c:v></c:pt></c:strCache></c:tx><c:cat><c:strCache><c:pt><c:v>May</c:v></c:pt><c:pt><c:v>June</c:v></c:pt></c:strCache></c:cat><c:val><c:numCache><c:pt><c:v>4.1</c:v></c:pt><c:pt><c:v>3.9</c:v></c:pt></c:numCache></c:val></c:ser></c:chart></c:chartSpace>"
    );
    let diagram = format!(
        "<dgm:dataModel {NAMESPACES}><dgm:pt><dgm:t><a:p><a:r><a:t>Plan</a:t></a:r></a:p></dgm:t></dgm:pt><dgm:pt><dgm:t><a:p><a:r><a:t>Do</a:t></a:r></a:p></dgm:t></dgm:pt></dgm:dataModel>"
    );
    let document = open(&with_parts(
        &(p(&r("Start")) + &graphic(r#"<c:chart r:id="c"/>"#) + &graphic(r#"<dgm:relIds r:dm="d"/>"#)),
        &[("c", "chart", "charts/chart1.xml", &chart), ("d", "diagramData", "diagrams/data1.xml", &diagram)],
    ));
    assert_eq!(document.text, "Start\n\nLevels\n\n| Peak\nMay | 4.1\nJune | 3.9\n\n- Plan\n- Do");
}

#[test]
fn deep_nesting_is_read_and_has_a_limit() {
    let nested = |depth: usize| {
        "<w:sdt><w:sdtContent>".repeat(depth) + &p(&r("deep")) + &"</w:sdtContent></w:sdt>".repeat(depth)
    };
    assert_eq!(text(&nested(200)), "deep");
    let too_deep = with_parts(&nested(300), &[]);
    assert_eq!(extract(&too_deep, Kind::Docx, &Limits::default()).unwrap_err().code(), "malformed");
}
