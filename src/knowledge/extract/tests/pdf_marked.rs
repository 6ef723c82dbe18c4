//! Information beside the page content: figures of tagged files, links, partly readable pages.

use std::collections::BTreeMap;

use super::{
    super::pages::{Recognised, Way, unusable, with_recognised},
    made::{Made, at, body},
    *,
};

fn open(bytes: &[u8]) -> Extracted {
    let document = extract(bytes, Kind::Pdf, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    check_shape(&document);
    document
}

/// An image, 100 points wide and high.
fn picture(x: u32, y: u32) -> String {
    format!("q 100 0 0 100 {x} {y} cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q\n")
}

#[test]
fn alternative_text_of_tagged_figures_is_read() {
    let mut made = Made::new();
    let content = format!(
        "/P <</MCID 0>> BDC {} EMC /Figure <</MCID 1>> BDC {} EMC /P <</MCID 2>> BDC {} EMC /P <</MCID 3>> BDC {} EMC {}",
        at(60, 700, "Above the pump."),
        picture(60, 580),
        at(60, 500, "Below the pump."),
        picture(60, 380),
        picture(300, 100)
    );
    made.page_with(&content, "", "/StructParents 0");
    let root = made.object("null");
    let element = |more: &str| format!("<< /Type /StructElem /P {root} 0 R {more} >>");
    let paragraph = made.object(element("/S /P"));
    let figure = made.object(element("/S /Figure /Alt (A pump with two valves, drawn from the side)"));
    // The content belongs to a part of the figure.
    let outer = made.object(element("/S /Figure /Alt <feff041f043b0430043d>"));
    let inner = made.object(format!("<< /Type /StructElem /S /Span /P {outer} 0 R >>"));
    let owners = made.object(format!("[{paragraph} 0 R {figure} 0 R {paragraph} 0 R {inner} 0 R]"));
    let leaf = made.object(format!("<< /Limits [0 0] /Nums [0 {owners} 0 R] >>"));
    let other = made.object("<< /Limits [5 9] /Nums [5 null] >>");
    let tree = made.object(format!("<< /Kids [{leaf} 0 R {other} 0 R] >>"));
    let structure = made.object(format!("<< /Type /StructTreeRoot /ParentTree {tree} 0 R >>"));
    made.catalog = format!("/MarkInfo << /Marked true >> /StructTreeRoot {structure} 0 R");
    let document = open(&made.bytes());
    assert_in_order(
        &document,
        &["Above the pump.", "A pump with two valves, drawn from the side", "Below the pump.", "План"],
    );
    assert_eq!(document.text.matches("A pump with two valves").count(), 1);
    // One has no alternative text.
    assert_eq!(document.report.images_without_text, 1);
}

#[test]
fn alternative_text_of_marked_content_is_read() {
    let mut made = Made::new();
    let (first, second) = (picture(60, 500), picture(60, 300));
    let content = format!(
        "{} /Figure <</Alt (The plan of the house)>> BDC {first} EMC /Span <</ActualText (Once)>> BDC {second} EMC",
        at(60, 700, "Words.")
    );
    made.page(&content);
    let hidden = "/OC /L BDC /Figure <</Alt (Of a hidden layer)>> BDC q 100 0 0 100 60 500 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q EMC EMC";
    let layer = made.object("<< /Type /OCG /Name (L) >>");
    made.page_with(&format!("{} {hidden}", at(60, 700, "Others.")), &format!("/Properties << /L {layer} 0 R >>"), "");
    made.catalog = format!("/OCProperties << /OCGs [{layer} 0 R] /D << /OFF [{layer} 0 R] >> >>");
    let document = open(&made.bytes());
    assert_in_order(&document, &["Words.", "The plan of the house", "Once", "Others."]);
    assert!(!document.text.contains("hidden layer"));
    assert_eq!(document.report.images_without_text, 0);
}

#[test]
fn link_destinations_are_written_once() {
    let mut made = Made::new();
    let link = |made: &mut Made, y: u32, uri: &str| {
        made.object(format!(
            "<< /Type /Annot /Subtype /Link /Rect [60 {y} 200 {}] /A << /S /URI /URI ({uri}) >> >>",
            y + 12
        ))
    };
    let manual = link(&mut made, 700, "https://example.org/orders/91319");
    let again = link(&mut made, 600, "https://example.org/orders/91319");
    let said = link(&mut made, 500, "https://example.org/said");
    let mail = link(&mut made, 400, "mailto:office@example.org");
    let content = [
        at(60, 700, "The manual"),
        at(60, 600, "As above"),
        at(60, 500, "See example.org/said"),
        at(60, 400, "Write to us"),
    ];
    made.page_with(&content.concat(), "", &format!("/Annots [{manual} 0 R {again} 0 R {said} 0 R {mail} 0 R]"));
    let document = open(&made.bytes());
    assert_in_order(
        &document,
        &["The manual", "https://example.org/orders/91319", "As above", "Write to us", "office@example.org"],
    );
    assert_eq!(document.text.matches("91319").count(), 1);
    assert_eq!(document.text.matches("example.org/said").count(), 1);
    assert_eq!(document.report.comments, 0);
}

#[test]
fn a_right_to_left_table_keeps_its_columns() {
    let map = "1 begincodespacerange <00> <ff> endcodespacerange 2 beginbfrange <61> <7a> <05d0> <30> <39> <0030> endbfrange \
               1 beginbfchar <20> <0020> endbfchar";
    let mut made = Made::new();
    let map = made.stream("", map);
    let font = made.object(format!("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {map} 0 R >>"));
    made.fonts = format!("/F2 {font} 0 R");
    let cell = |x: i32, y: i32, letters: &str| format!("BT /F2 12 Tf 1 0 0 1 {x} {y} Tm ({letters}) Tj ET\n");
    let row = |y: i32, cells: [&str; 3]| -> String {
        cells.iter().zip([400, 250, 100]).map(|(letters, x)| cell(x, y, letters)).collect()
    };
    let rows =
        [row(700, ["gfedcba", "kjih", "onml"]), row(680, ["srqp", "105", "220"]), row(660, ["ihgf", "317", "42"])];
    made.page(&rows.concat());
    // The same cells in visual order.
    let backwards = |row: &str| row.lines().rev().map(|line| format!("{line}\n")).collect::<String>();
    made.page(&rows.iter().map(|row| backwards(row)).collect::<String>());
    let document = open(&made.bytes());
    let letters = |word: &str| -> String {
        word.chars()
            .rev()
            .map(|c| if c.is_ascii_digit() { c } else { char::from_u32(0x5d0 + c as u32 - 0x61).unwrap() })
            .collect()
    };
    let line = |cells: [&str; 3]| {
        cells
            .map(|cell| if cell.starts_with(|c: char| c.is_ascii_digit()) { cell.to_owned() } else { letters(cell) })
            .join(" | ")
    };
    let expected =
        [line(["gfedcba", "kjih", "onml"]), line(["srqp", "105", "220"]), line(["ihgf", "317", "42"])].join("\n");
    assert_eq!(blocks(&document, BlockKind::Table), [expected.clone(), expected]);
}

/// A font without a character map.
fn mute(made: &mut Made) {
    let font = made.object(
        "<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Mute /Encoding /Identity-H /DescendantFonts [<< /Type /Font \
         /Subtype /CIDFontType2 /BaseFont /ABCDEF+Mute /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> \
         /DW 600 >>] >>",
    );
    made.fonts = format!("/F2 {font} 0 R");
}

#[test]
fn a_page_with_an_unmapped_font_is_also_read_by_ocr() {
    let mut made = Made::new();
    mute(&mut made);
    let quiet = "BT /F2 12 Tf 60 500 Td <000100020003000400050006000700080009> Tj ET";
    made.page(&format!("{} {quiet}", body(&["The words of the letter can be read.", "Its second line, too."])));
    made.page(&body(&["All of this page can be read."]));
    // Single symbols are not words.
    made.page(&format!("{} {}", body(&["Items with signs."]), "BT /F2 12 Tf 60 500 Td <0001> Tj 0 -20 Td (  ) Tj ET"));
    let document = open(&made.bytes());
    assert_eq!(document.report.pages_partly_unreadable, [1]);
    assert_eq!(unusable(&document), [1]);
    assert!(document.report.doubts.contains(&Doubt::UnreadableFonts));
    let seen = "The words of the 1etter can be read.\nIts second line, too.\n\nTotal 1,250 euros";
    let found = BTreeMap::from([(1, Recognised { way: Way::Ocr, text: seen.to_owned() })]);
    let whole = with_recognised(document, &found);
    check_shape(&whole);
    assert_eq!(
        whole.text,
        "The words of the letter can be read. Its second line, too.\n\nTotal 1,250 euros\n\nAll of this page can be read.\n\nItems with signs."
    );
    assert_eq!(block_with(&whole, "1,250").page, Some(1));
    assert_eq!((&whole.report.pages_by_ocr, &whole.report.pages_partly_unreadable), (&vec![1], &vec![]));
    assert_eq!(whole.report.doubts, [Doubt::ReadFromPictures]);
}

#[test]
fn a_scan_with_a_stamp_or_a_filled_field_is_still_a_scan() {
    let mut made = Made::new();
    let scan = "q 600 0 0 800 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q\n";
    made.page(&format!("{scan} {}", at(60, 20, "EXHIBIT 000123")));
    let field = made.object("<< /Type /Annot /Subtype /Widget /FT /Tx /V (Anna) /Rect [60 600 200 620] >>");
    made.page_with(scan, "", &format!("/Annots [{field} 0 R]"));
    made.page(&format!(
        "{scan} {}",
        body(&["A page whose words have been recognised.", "It has enough of them to be one."])
    ));
    let document = open(&made.bytes());
    assert!(document.text.contains("EXHIBIT 000123") && document.text.contains("Anna"));
    assert_eq!(document.report.pages_partly_unreadable, [1, 2]);
    assert_eq!(unusable(&document), [1, 2]);
    assert_eq!(document.report.images_without_text, 0);
}

#[test]
fn embedded_files_are_listed() {
    let mut made = Made::new();
    let data = made.object("<< /Type /Filespec /F (plain.xml) /UF <feff0441044704350442002e0078006d006c> >>");
    let note = made.object(
        "<< /Subtype /FileAttachment /Rect [60 700 70 710] /FS << /F (plan.dwg) >> /Contents (See the plan) >>",
    );
    made.page_with(&at(60, 700, "The letter"), "", &format!("/Annots [{note} 0 R]"));
    let kid = made.object(format!("<< /Limits [(a) (a)] /Names [(a) {data} 0 R] >>"));
    made.catalog = format!("/Names << /EmbeddedFiles << /Kids [{kid} 0 R] >> >>");
    let document = open(&made.bytes());
    assert_in_order(&document, &["The letter", "See the plan"]);
    let expected = ["embedded files: счет.xml", "page 1: an attached file that was not read (plan.dwg)"];
    assert_eq!(document.report.unread_parts, expected);
    assert_eq!(document.report.doubts, [Doubt::UnreadParts]);
}

#[test]
fn a_report_lists_some_unread_parts_and_counts_the_rest() {
    let mut made = Made::new();
    made.page(&at(60, 700, "Words"));
    for _ in 0..60 {
        made.page_of("[99 0 R]", "", "");
    }
    let parts = open(&made.bytes()).report.unread_parts;
    assert_eq!((parts.len(), parts.last().map(String::as_str)), (51, Some("and 10 more")));
}
