//! Formatting that matters: invisible and struck-out text, chart values, list labels.

use super::*;

fn run(properties: &str, text: &str) -> String {
    format!(r#"<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>"#)
}

const WHITE: &str = r#"<w:color w:val="FFFFFF"/>"#;

fn style(kind: &str, id: &str, inner: &str) -> String {
    format!(r#"<w:style w:type="{kind}" w:styleId="{id}"><w:name w:val="{id}"/>{inner}</w:style>"#)
}

fn styled(body: &str, styles: &str) -> Extracted {
    open(&with_parts(body, &[("s", "styles", "styles.xml", &root("styles", styles))]))
}

#[test]
fn invisible_text_is_hidden() {
    let white = style("character", "Pale", &format!("<w:rPr>{WHITE}</w:rPr>"));
    let pale = style("paragraph", "PaleP", &format!("<w:rPr>{WHITE}</w:rPr>"));
    for hidden in [
        p(&run(WHITE, "trap")),
        p(&run(r#"<w:color w:val="fefefe" w:themeColor="background1"/><w:sz w:val="24"/>"#, "trap")),
        p(&run(r#"<w:sz w:val="2"/>"#, "trap")),
        p(&run(r#"<w:rStyle w:val="Pale"/>"#, "trap")),
        format!(r#"<w:p><w:pPr><w:pStyle w:val="PaleP"/></w:pPr>{}</w:p>"#, r("trap")),
        p(&run(&format!(r#"{WHITE}<w:shd w:val="clear" w:color="auto" w:fill="auto"/>"#), "trap")),
    ] {
        let document = styled(&format!("{}{hidden}", p(&r("Seen."))), &format!("{white}{pale}"));
        assert_eq!(document.text, "Seen.", "{hidden}");
        assert_eq!(left_out(&document, LeftOutKind::Hidden), ["trap"], "{hidden}");
        assert_eq!(document.report.doubts, [Doubt::HiddenText], "{hidden}");
    }
}

#[test]
fn white_text_on_a_coloured_background_is_visible() {
    let dark = r#"<w:shd w:val="clear" w:fill="1F3864"/>"#;
    let pale = style("paragraph", "Bar", &format!("<w:pPr>{dark}</w:pPr><w:rPr>{WHITE}</w:rPr>"));
    let cell = |properties: &str| format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", p(&run(WHITE, "kept")));
    let row = |properties: &str| format!("<w:tr>{}{}</w:tr>", cell(properties), cell(dark));
    for seen in [
        p(&run(&format!("{WHITE}{dark}"), "kept")),
        p(&run(&format!(r#"{WHITE}<w:highlight w:val="black"/>"#), "kept")),
        p(&run(r#"<w:color w:val="auto"/>"#, "kept")),
        format!("<w:p><w:pPr>{dark}</w:pPr>{}</w:p>", run(WHITE, "kept")),
        format!(r#"<w:p><w:pPr><w:pStyle w:val="Bar"/></w:pPr>{}</w:p>"#, r("kept")),
        format!("<w:tbl>{}</w:tbl>", row(dark)),
        format!(r#"<w:tbl><w:tblPr><w:tblStyle w:val="Grid"/></w:tblPr>{}</w:tbl>"#, row("")),
        format!("<w:tbl><w:tr>{}</w:tr></w:tbl>", cell("")),
        format!("<w:p><w:r><w:drawing><wp:anchor/></w:drawing></w:r>{}</w:p>", run(WHITE, "kept")),
        format!(
            "<w:p><w:r><w:drawing><wp:inline><wps:txbx><w:txbxContent>{}</w:txbxContent></wps:txbx></wp:inline></w:drawing></w:r></w:p>",
            p(&run(WHITE, "kept"))
        ),
    ] {
        let document = styled(&seen, &pale);
        assert!(document.text.contains("kept"), "{seen}");
        assert_eq!(document.report.hidden_characters, 0, "{seen}");
    }
    // A run's own colour overrides its style.
    let white = style("paragraph", "White", &format!("<w:rPr>{WHITE}</w:rPr>"));
    let own = format!(
        r#"<w:p><w:pPr><w:pStyle w:val="White"/></w:pPr>{}</w:p>"#,
        run(r#"<w:color w:val="000000"/>"#, "kept")
    );
    assert_eq!(styled(&own, &white).text, "kept");
}

#[test]
fn text_struck_out_by_a_style_is_marked() {
    let strike = "<w:rPr><w:strike/></w:rPr>";
    let styles = style("character", "Gone", strike) + &style("paragraph", "GoneP", strike);
    let by_run = p(&(r("Fee ") + &run(r#"<w:rStyle w:val="Gone"/>"#, "100") + &r(" 90")));
    let by_paragraph = format!(
        r#"<w:p><w:pPr><w:pStyle w:val="GoneP"/></w:pPr>{}{}</w:p>"#,
        r("Old rule"),
        run(r#"<w:strike w:val="0"/>"#, " still holds")
    );
    assert_eq!(styled(&(by_run + &by_paragraph), &styles).text, "Fee ~~100~~ 90\n\n~~Old rule~~ still holds");
}

#[test]
fn chart_values_are_beside_their_categories() {
    let point = |at: u32, value: &str| format!(r#"<c:pt idx="{at}"><c:v>{value}</c:v></c:pt>"#);
    let series = |name: &str, values: &str| {
        format!(
            "<c:ser><c:tx>{name}</c:tx><c:cat><c:multiLvlStrRef><c:multiLvlStrCache><c:lvl>{}{}{}</c:lvl><c:lvl>{}{}</c:lvl>\
             </c:multiLvlStrCache></c:multiLvlStrRef></c:cat><c:val><c:numRef><c:numCache>{values}</c:numCache></c:numRef></c:val></c:ser>",
            point(0, "Q1"),
            point(1, "Q2"),
            point(2, "Q1"),
            point(0, "2023"),
            point(2, "2024")
        )
    };
    let chart = format!(
        r#"<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"><c:barChart>{}{}</c:barChart></c:chartSpace>"#,
        series(
            "<c:strRef><c:strCache><c:pt idx=\"0\"><c:v>Sales</c:v></c:pt></c:strCache></c:strRef>",
            &(point(0, "10") + &point(2, "30"))
        ),
        series("<c:v>Cost</c:v>", &point(2, "7"))
    );
    let drawing = p(
        r#"<w:r><w:drawing><wp:inline><a:graphic><a:graphicData><c:chart r:id="c"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"#,
    );
    let document = open(&with_parts(&drawing, &[("c", "chart", "chart1.xml", &chart)]));
    assert_eq!(document.text, "| Sales | Cost\n2023 Q1 | 10\n2023 Q2\n2024 Q1 | 30 | 7");
}

#[test]
fn list_labels_are_written_as_displayed() {
    let of = |number: u64, format: &str| super::super::super::numbers::number_in(number, format);
    for (number, format, label) in [
        (1, "chineseCountingThousand", "一"),
        (10, "japaneseCounting", "十"),
        (12, "chineseCounting", "十二"),
        (20, "chineseCounting", "二十"),
        (105, "chineseCounting", "一百〇五"),
        (110, "chineseCounting", "一百一十"),
        (2000, "chineseCounting", "二千"),
        (10_000, "chineseCounting", "10000"),
        (2, "arabicAlpha", "ب"),
        (3, "hebrew2", "ג"),
        (2, "ganada", "나"),
        (2, "aiueo", "イ"),
        (10, "hex", "A"),
        (3, "numberInDash", "- 3 -"),
        (28, "lowerLetter", "bb"),
        (28, "lowerAlphabet", "ab"),
        (0, "upperAlphabet", ""),
        (4, "ordinal", "4th"),
    ] {
        assert_eq!(of(number, format), label, "{number} {format}");
    }
}

#[test]
fn a_long_text_over_many_cells_is_written_once() {
    let long = "word ".repeat(200);
    let cell = |properties: &str, text: &str| format!("<w:tc><w:tcPr>{properties}</w:tcPr>{}</w:tc>", p(&r(text)));
    let first = cell(r#"<w:vMerge w:val="restart"/>"#, &long) + &cell("", "1");
    let next = cell("<w:vMerge/>", "") + &cell("", "2");
    let table = format!("<w:tbl><w:tr>{first}</w:tr><w:tr>{next}</w:tr></w:tbl>");
    assert_eq!(text(&table), format!("{} | 1\n| 2", long.trim()));
    // Likewise in web pages, whatever the spans claim; a short text is repeated as a heading.
    let page = format!("<table><tr><td rowspan=3>{long}<td rowspan=3>Q1<td>1<tr><td>2<tr><td>3</table>");
    let page = extract(page.as_bytes(), Kind::Html, &Limits::default()).unwrap().text;
    assert_eq!(page, format!("{} | Q1 | 1\n| Q1 | 2\n| Q1 | 3", long.trim()));
}
