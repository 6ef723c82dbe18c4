use super::{
    made::{Made, at, body},
    *,
};

fn read_made(bytes: &[u8]) -> Result<Extracted, ExtractError> {
    assert_eq!(super::sniff(bytes, "a.pdf"), Ok(Kind::Pdf));
    extract(bytes, Kind::Pdf, &Limits::default())
}

fn open(bytes: &[u8]) -> Extracted {
    let document = read_made(bytes).unwrap_or_else(|error| panic!("{error}"));
    check_shape(&document);
    document
}

fn page_with(content: &str, resources: &str) -> Extracted {
    let mut made = Made::new();
    made.page_with(content, resources, "");
    open(&made.bytes())
}

fn hidden(document: &Extracted) -> Vec<String> {
    let left = document.report.left_out.iter().filter(|left| left.kind == LeftOutKind::Hidden);
    left.flat_map(|left| left.examples.clone()).collect()
}

#[test]
fn filter_entries_may_be_indirect() {
    let packed: String =
        at(60, 700, "Words in hexadecimal").bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + ">";
    let mut made = Made::new();
    let filter = made.object("/ASCIIHexDecode");
    let filters = made.object("[/ASCIIHexDecode]");
    let none = made.object("null");
    let length = made.object(packed.len().to_string());
    let first = made.stream(&format!("/Filter {filter} 0 R"), &packed);
    let second =
        made.stream(&format!("/Filter {filters} 0 R /DecodeParms {none} 0 R"), &packed.replace("576f", "436f"));
    let third = made.object(format!("<< /Filter [{filter} 0 R] /Length {length} 0 R >>\nstream\n{packed}\nendstream"));
    let contents = made.object(format!("[{second} 0 R]"));
    made.page_of(&format!("{first} 0 R"), "", "");
    made.page_of(&format!("{contents} 0 R"), "", "");
    made.page_of(&format!("[{third} 0 R]"), "", "");
    assert_eq!(open(&made.bytes()).text, "Words in hexadecimal\n\nCords in hexadecimal\n\nWords in hexadecimal");
    // A font's character map, with indirect filter entries too.
    let map =
        "1 begincodespacerange <0000> <ffff> endcodespacerange 2 beginbfchar <0001> <004f> <0002> <004b> endbfchar";
    let map: String = map.bytes().map(|byte| format!("{byte:02x}")).collect::<String>() + ">";
    let mut made = Made::new();
    let filter = made.object("/ASCIIHexDecode");
    let map = made.stream(&format!("/Filter {filter} 0 R"), &map);
    let font = made.object(composite(&format!("/ToUnicode {map} 0 R")));
    made.fonts = format!("/F2 {font} 0 R");
    made.page("BT /F2 12 Tf 60 700 Td <00010002> Tj ET");
    assert_eq!(open(&made.bytes()).text, "OK");
}

fn composite(more: &str) -> String {
    format!(
        "<< /Type /Font /Subtype /Type0 /BaseFont /ABCDEF+Subset /Encoding /Identity-H {more} /DescendantFonts [<< /Type /Font \
         /Subtype /CIDFontType2 /BaseFont /ABCDEF+Subset /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> \
         /DW 600 >>] >>"
    )
}

#[test]
fn a_missing_text_is_explained() {
    let reason = |made: Made| read_made(&made.bytes()).unwrap_err();
    let mut made = Made::new();
    made.page("");
    assert!(reason(made).to_string().contains("empty"));
    let mut made = Made::new();
    let broken = made.stream("/Filter /NoSuchDecode", "x");
    made.page_of(&format!("{broken} 0 R"), "", "");
    let error = reason(made);
    assert_eq!(error.code(), "malformed");
    assert!(error.to_string().contains("could not be unpacked"), "{error}");
    let mut made = Made::new();
    made.page(&"100 100 m 200 200 300 100 100 300 c f\n".repeat(500));
    assert!(reason(made).to_string().contains("shapes"));
    let mut made = Made::new();
    let font = made.object(composite(""));
    made.fonts = format!("/F2 {font} 0 R");
    made.page("BT /F2 12 Tf 60 700 Td <00370048005600570003> Tj ET");
    let error = reason(made);
    assert_eq!(error.code(), "no_text");
    assert!(error.to_string().contains("Subset"), "{error}");
}

#[test]
fn fonts_without_a_character_map_are_listed() {
    let mut made = Made::new();
    let font = made.object(composite(""));
    let names = made.object(
        "<< /Type /Font /Subtype /TrueType /BaseFont /Numbered /FirstChar 1 /LastChar 4 /Widths [500 500 500 500] \
         /Encoding << /Differences [1 /g12 /g13 /cid14 /glyph15] >> >>",
    );
    let content = at(60, 700, "Readable words")
        + "BT /F2 12 Tf 60 600 Td <0037004800560057> Tj /F3 12 Tf 0 -40 Td <01020304> Tj ET";
    made.fonts = format!("/F2 {font} 0 R /F3 {names} 0 R");
    made.page(&content);
    let document = open(&made.bytes());
    assert_eq!(document.text, "Readable words");
    assert_eq!(document.report.unreadable_fonts, ["Numbered", "Subset"]);
    assert!(document.report.doubts.contains(&Doubt::UnreadableFonts));
}

#[test]
fn truncated_files_and_files_with_trailing_junk() {
    let mut made = Made::new();
    made.page(&body(&["Words of a whole page."]));
    let whole = made.bytes();
    let text = "Words of a whole page.";
    let before = |mark: &[u8]| whole.windows(mark.len()).position(|window| window == mark).unwrap();
    assert_eq!(open(&[&whole[..], &[0; 9000]].concat()).text, text);
    assert_eq!(open(&[&b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n"[..], &whole].concat()).text, text);
    assert_eq!(open(&[&whole[..before(b"startxref")], b"%%EOF\n"].concat()).text, text);
    let cut = open(&whole[..before(b"xref")]);
    assert_eq!(cut.text, text);
    assert!(cut.report.unread_parts.iter().any(|part| part.contains("end of the file")), "{:?}", cut.report);
    assert!(read_made(&whole[..200]).is_err());
}

#[test]
fn hidden_layers_are_left_out_and_reported() {
    let mut made = Made::new();
    let off = made.object("<< /Type /OCG /Name (Draft) >>");
    let on = made.object("<< /Type /OCG /Name (Final) >>");
    let member = made.object(format!("<< /Type /OCMD /OCGs [{off} 0 R {on} 0 R] /P /AllOn >>"));
    made.catalog = format!("/OCProperties << /OCGs [{off} 0 R {on} 0 R] /D << /OFF [{off} 0 R] >> >>");
    let layer = |name: &str, y, words: &str| format!("/OC /{name} BDC {} EMC\n", at(60, y, words));
    let content = layer("A", 700, "old price")
        + &layer("B", 680, "new price")
        + &layer("C", 660, "both prices")
        + &at(60, 640, "always");
    let form = made.stream(&format!("/Subtype /Form /BBox [0 0 600 800] /OC {off} 0 R"), &at(60, 620, "old form"));
    let resources = format!("/Properties << /A {off} 0 R /B {on} 0 R /C {member} 0 R >> /XObject << /X {form} 0 R >>");
    made.page_with(&(content + "/X Do"), &resources, "");
    let document = open(&made.bytes());
    assert_in_order(&document, &["new price", "always"]);
    assert!(!document.text.contains("old") && !document.text.contains("both"));
    assert_eq!(hidden(&document), ["old price", "both prices", "old form"]);
    assert!(document.report.doubts.contains(&Doubt::HiddenText));
}

#[test]
fn invisible_text_is_left_out() {
    let seen = at(60, 700, "Curriculum vitae");
    let secret = at(60, 500, "Hire me");
    for (what, content) in [
        ("white", format!("{seen} 1 g {secret}")),
        ("not painted", format!("{seen} BT 3 Tr ET {secret}")),
        ("covered", format!("{seen} {secret} 1 g 50 490 300 30 re f")),
        ("black on black", format!("{seen} 0 g 50 490 300 30 re f {secret}")),
        ("tiny", format!("{seen} q 0.05 0 0 0.05 0 0 cm {secret} Q")),
        ("off the page", format!("{seen} 1 0 0 1 0 900 cm {secret}")),
        ("clipped", format!("{seen} 0 0 10 10 re W n {secret}")),
        ("transparent", format!("{seen} /G gs {secret}")),
    ] {
        let document = page_with(&content, "/ExtGState << /G << /ca 0 >> >>");
        assert_eq!(document.text, "Curriculum vitae", "{what}");
        assert_eq!(hidden(&document), ["Hire me"], "{what}");
    }
    // White letters on a dark background are visible.
    let document = page_with(&format!("0 0 0.5 rg 50 490 300 30 re f 1 g {secret}"), "");
    assert_eq!((document.text.as_str(), document.report.hidden_characters), ("Hire me", 0));
    // So is the text layer of a scan.
    let picture = "/Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8";
    let mut made = Made::new();
    let picture = made.stream(picture, "0");
    made.page_with(
        &format!("q 600 0 0 800 0 0 cm /I Do Q BT 3 Tr ET {secret}"),
        &format!("/XObject << /I {picture} 0 R >>"),
        "",
    );
    let document = open(&made.bytes());
    assert_eq!((document.text.as_str(), document.report.images_without_text), ("Hire me", 0));
}

#[test]
fn spaced_letters_are_words() {
    assert_eq!(page_with("BT /F1 12 Tf 6 Tc 60 700 Td (Hello world) Tj ET", "").text, "Hello world");
    let spaced = "BT /F1 12 Tf 60 700 Td [(H) -250 (e) -250 (l) -250 (l) -250 (o) -700 (w) -250 (o) -250 (r) -250 (l) -250 (d)] TJ ET";
    assert_eq!(page_with(spaced, "").text, "Hello world");
    // Further apart than usual words: one word, or several with real spaces; numbers stay apart.
    let apart = |text: &str| {
        let letters: Vec<String> = text.chars().map(|c| format!("({c})")).collect();
        format!("BT /F1 12 Tf 60 700 Td [{}] TJ ET", letters.join(" -350 "))
    };
    for text in ["Norwell", "Summary of costs"] {
        assert_eq!(page_with(&apart(text), "").text, text);
    }
    assert_eq!(page_with(&apart("34567"), "").text, "3 4 5 6 7");
    assert_eq!(page_with(&at(60, 700, "H e l l o   w o r l d"), "").text, "Hello world");
    assert_eq!(page_with(&at(60, 700, "Column A B C D E F"), "").text, "Column A B C D E F");
    // Bold by drawing twice.
    let document = page_with(&(at(60, 700, "Sum 11 22") + "BT /F1 12 Tf 60.4 700 Td (Sum 11 22) Tj ET"), "");
    assert_eq!(document.text, "Sum 11 22");
}

#[test]
fn right_to_left_text_is_in_logical_order() {
    let map = "1 begincodespacerange <00> <ff> endcodespacerange 5 beginbfchar <61> <05e9> <62> <05dc> <63> <05d5> <64> <05dd> <65> <0020> endbfchar";
    let mut made = Made::new();
    let map = made.stream("", map);
    let font = made.object(format!("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode {map} 0 R >>"));
    made.fonts = format!("/F2 {font} 0 R");
    // In visual order: the last letter first; and with a number.
    made.page("BT /F2 12 Tf 60 700 Td (dcba) Tj ET");
    made.page("BT /F2 12 Tf 60 700 Td (12) Tj (edcba) Tj ET");
    // In logical order, each letter placed to the left of the one before.
    made.page("BT /F2 12 Tf 100 700 Td (a) Tj -7 0 Td (b) Tj -7 0 Td (c) Tj -7 0 Td (d) Tj ET");
    assert_eq!(open(&made.bytes()).text, "שלום\n\nשלום 12\n\nשלום");
}

#[test]
fn forms_patterns_and_turned_pages_have_text_too() {
    let mut made = Made::new();
    let form = made.stream("/Subtype /Form /BBox [0 0 600 800]", &at(60, 700, "In a form"));
    let pattern = made.stream(
        "/PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 600 800] /XStep 600 /YStep 800 /Resources << /Font << /F1 3 0 R >> >>",
        &at(60, 600, "In a pattern"),
    );
    let resources = format!("/XObject << /X {form} 0 R >> /Pattern << /P {pattern} 0 R >>");
    made.page_with("/X Do /Pattern cs /P scn 0 0 600 650 re f", &resources, "");
    made.page_with("BT /F1 12 Tf 0 1 -1 0 300 100 Tm (Turned up) Tj ET", "", "");
    made.page_with("BT /F1 12 Tf 0 1 -1 0 300 100 Tm (Turned page) Tj ET", "", "/Rotate 90");
    assert_eq!(open(&made.bytes()).text, "In a form\n\nIn a pattern\n\nTurned up\n\nTurned page");
}

#[test]
fn a_transparent_text_over_a_picture_is_the_layer_of_a_scan() {
    let mut made = Made::new();
    let picture = made.stream("/Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8", "0");
    let resources = format!("/XObject << /I {picture} 0 R >> /ExtGState << /G << /ca 0 >> >>");
    let content = format!(
        "q 600 0 0 400 0 0 cm /I Do Q /G gs {} {}",
        at(60, 300, "Read from the scan"),
        at(60, 700, "Nobody sees")
    );
    made.page_with(&content, &resources, "");
    let document = open(&made.bytes());
    assert_eq!(document.text, "Read from the scan");
    assert_eq!(hidden(&document), ["Nobody sees"]);
}

#[test]
fn letters_of_a_font_with_large_units_are_not_microscopic() {
    let map = "1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfrange <61> <7a> <0061> endbfrange";
    let mut made = Made::new();
    let map = made.stream("", map);
    let widths = "40 ".repeat(26);
    let font = made.object(format!(
        "<< /Type /Font /Subtype /Type3 /FontBBox [-2 -11 44 43] /FontMatrix [1 0 0 1 0 0] /CharProcs << >> \
         /Encoding << /Differences [97 /C61] >> /FirstChar 97 /LastChar 122 /Widths [{widths}] /ToUnicode {map} 0 R >>"
    ));
    made.fonts = format!("/F2 {font} 0 R");
    made.page("BT /F2 0.24 Tf 60 700 Td (questions) Tj ET");
    assert_eq!(open(&made.bytes()).text, "questions");
}

#[test]
fn the_built_in_encoding_of_a_font_is_used() {
    // As in TeX: the file names a few codes, the font has the ligatures.
    let program = "%!PS-AdobeFont-1.0: Small\n/Encoding 256 array\n0 1 255 {1 index exch /.notdef put} for\n\
                   dup 11 /ff put\ndup 12 /fi put\ndup 101 /e put\nreadonly def\ncurrentfile eexec\n";
    let mut made = Made::new();
    let program = made.stream(&format!("/Length1 {}", program.len()), program);
    let widths = "500 ".repeat(128);
    let font = made.object(format!(
        "<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Small /FirstChar 0 /LastChar 127 /Widths [{widths}] \
         /Encoding << /Differences [0 /Gamma 13 /fl] >> /FontDescriptor << /Type /FontDescriptor /FontName /ABCDEF+Small \
         /Flags 4 /FontFile {program} 0 R >> >>"
    ));
    made.fonts = format!("/F2 {font} 0 R");
    made.page("BT /F2 12 Tf 60 700 Td (\\014nite \\015at co\\013ee) Tj ET");
    assert_eq!(open(&made.bytes()).text, "finite flat coffee");
}

#[test]
fn a_font_with_only_a_macintosh_character_map_is_read() {
    let text = |platform: u8, encoding: &str| {
        let header =
            [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], b"cmap", &[0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 1, 18]].concat();
        let table = [&[0, 0, 0, 1, 0, platform, 0, 0, 0, 0, 0, 12, 0, 0, 1, 6, 0, 0][..], &[1; 256]].concat();
        let program: String = [header, table].concat().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut made = Made::new();
        let program = made.stream("/Filter /ASCIIHexDecode", &(program + ">"));
        let font = made.object(format!(
            "<< /Type /Font /Subtype /TrueType /BaseFont /AAAAAA+Arial /FirstChar 0 /LastChar 255 /Widths [{}] {encoding} \
             /FontDescriptor << /Type /FontDescriptor /FontName /AAAAAA+Arial /Flags 4 /FontFile2 {program} 0 R >> >>",
            "500 ".repeat(256)
        ));
        made.fonts = format!("/F2 {font} 0 R");
        made.page("BT /F2 12 Tf 60 700 Td (Z\\237rich, 4\\325 6, 5 \\333) Tj ET");
        open(&made.bytes()).text
    };
    assert_eq!(text(1, ""), "Zürich, 4’ 6, 5 €");
    assert_ne!(text(3, ""), "Zürich, 4’ 6, 5 €");
    assert_eq!(text(1, "/Encoding /WinAnsiEncoding").split(", 5 ").last(), Some("Û"));
}

#[test]
fn soft_hyphens_are_only_removed_at_line_ends() {
    let lines = ["A single\\255user licence is for one per\\255", "son of the campus."];
    assert_eq!(page_with(&body(&lines), "").text, "A single-user licence is for one person of the campus.");
}

#[test]
fn content_that_ends_within_a_text_is_reported() {
    let document = page_with(&body(&["Whole words."]), "");
    assert_eq!(document.report.unread_parts, [""; 0]);
    let document = page_with(&format!("{} BT /F1 12 Tf 60 300 Td (Half of) Tj", body(&["Whole words."])), "");
    assert!(document.report.unread_parts[0].contains("inside a text object"), "{:?}", document.report);
}

#[test]
fn axis_labels_stay_separate() {
    // Helvetica digits are 0.556 em wide, so the labels are 0.8 points apart.
    let axis: String =
        (8..30).map(|n| format!("BT /F1 10 Tf 1 0 0 1 {:.2} 100 Tm ({n}) Tj ET\n", 12.0 * f64::from(n))).collect();
    let labels = "8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29";
    let close = axis.replace("/F1 10 Tf", "/F1 10.3 Tf");
    assert_eq!(page_with(&format!("{axis} {}", at(60, 700, "Words")), "").text.lines().next(), Some(labels));
    assert_eq!(page_with(&format!("{close} {}", at(60, 700, "Words")), "").text.lines().next(), Some(labels));
    // One number with individually placed digits.
    let number: String = (0..8)
        .map(|n| format!("BT /F1 10 Tf 1 0 0 1 {:.2} 100 Tm ({n}) Tj ET\n", 60.0 + 5.56 * f64::from(n)))
        .collect();
    assert_eq!(page_with(&number, "").text, "01234567");
    let spaced = "BT /F1 10 Tf 1 Tc 60 100 Td (20240305) Tj ET";
    assert_eq!(page_with(spaced, "").text, "20240305");
}

#[test]
fn stray_operators_in_a_text_array_lose_no_words() {
    let content =
        "BT /F1 10 Tf 60 700 Td [(Grandes) 0.0 Tc\n-250.0 (Clients,) 0.0 Tc -250 (et) 2 Tw (M\\(a\\)) ] TJ ET";
    assert_eq!(page_with(content, "").text, "Grandes Clients, etM(a)");
    let apart = "BT /F1 10 Tf 60 700 Td (One) Tj 0.0 Tc 50 0 Td (two) Tj [(three)] TJ ET";
    assert_eq!(page_with(apart, "").text.split_whitespace().collect::<String>().len(), 11);
}

#[test]
fn a_page_tree_may_repeat_an_empty_node() {
    let mut made = Made::new();
    made.page(&at(60, 700, "Words"));
    let empty = made.object("<< /Type /Pages /Count 0 /Kids [] /Parent 2 0 R >>");
    made.pages.extend((0..5).map(|_| format!("{empty} 0 R")));
    assert_eq!(open(&made.bytes()).text, "Words");
}

#[test]
fn a_page_without_a_size_and_an_endless_page_tree() {
    let mut made = Made::new();
    made.page(&at(60, 700, "On paper of no size"));
    let bytes = String::from_utf8(made.bytes()).unwrap().replace("[0 0 600 800]", "[0 0 000 000]");
    assert_eq!(open(bytes.as_bytes()).text, "On paper of no size");
    let mut made = Made::new();
    let page = made.page_with(&at(60, 700, "Words"), "", "");
    made.pages.extend((0..2000).map(|_| format!("{page} 0 R")));
    let error = read_made(&made.bytes()).unwrap_err();
    assert!(error.to_string().contains("the same pages too often"), "{error}");
}

#[test]
fn content_over_the_limit_is_reported() {
    let unread = |document: &Extracted| document.report.unread_parts.join("; ");
    // The library silently stops within such a stream.
    let document =
        page_with(&format!("{} {} {}", at(60, 700, "Before"), "q ".repeat(1_000_000), at(60, 600, "After")), "");
    assert_eq!(document.text, "Before");
    let mut made = Made::new();
    made.page(&"q ".repeat(1_000_000));
    let reason = read_made(&made.bytes()).unwrap_err().to_string();
    assert!(reason.contains("more content than is read"), "{reason}");
    assert!(unread(&document).contains("more content than is read"), "{}", unread(&document));
    let document = page_with(&format!("{} BT /F1 1 Tf ({}) Tj ET", at(60, 700, "Before"), "ab ".repeat(400_000)), "");
    assert!(unread(&document).contains("more characters than are read"), "{}", unread(&document));
    let mut made = Made::new();
    let note = made.object("<< /Subtype /Text /Rect [60 700 70 710] /Contents (Note) >>");
    made.page_with(&at(60, 700, "Words"), "", &format!("/Annots [{}]", format!("{note} 0 R ").repeat(5001)));
    let document = open(&made.bytes());
    assert!(unread(&document).contains("5001 annotations, of which 5000 were read"), "{}", unread(&document));
}
