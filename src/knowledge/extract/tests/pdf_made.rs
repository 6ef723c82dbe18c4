use super::{
    made::{Made, at, body},
    *,
};

fn open(bytes: &[u8]) -> Extracted {
    assert_eq!(super::sniff(bytes, "a.pdf"), Ok(Kind::Pdf));
    let document = extract(bytes, Kind::Pdf, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    check_shape(&document);
    document
}

fn pages(contents: &[String]) -> Extracted {
    let mut made = Made::new();
    for content in contents {
        made.page(content);
    }
    open(&made.bytes())
}

fn page(content: &str) -> Extracted {
    pages(&[content.to_owned()])
}

fn left_out(document: &Extracted, kind: LeftOutKind) -> Option<&LeftOut> {
    document.report.left_out.iter().find(|left| left.kind == kind)
}

#[test]
fn numbers_without_a_page_sequence_are_content() {
    assert_in_order(&page(&(at(60, 760, "Room number:") + &at(60, 740, "204"))), &["Room number:", "204"]);
    assert_eq!(page(&at(300, 30, "204")).text, "204");
    let table: String =
        [("Region", 60), ("Q1", 200), ("Q2", 260), ("Q3", 320)].iter().map(|(t, x)| at(*x, 770, t)).collect();
    let values: String =
        [("North", 60), ("10.5", 200), ("11.2", 260), ("129", 320)].iter().map(|(t, x)| at(*x, 754, t)).collect();
    let document = page(&(table + &values));
    assert_eq!(document.text, "Region | Q1 | Q2 | Q3\nNorth | 10.5 | 11.2 | 129");
    assert_eq!((document.report.tables, document.blocks[0].header_end), (1, Some(21)));
    assert!(document.report.left_out.is_empty());
    // The same form line on several pages, with other numbers.
    let days = |a: &str, b: &str| at(60, 770, a) + &at(200, 770, b) + &body(&["Words of this page."]);
    let document = pages(&[days("Day 1", "Room 101"), days("Day 2", "Room 102"), days("Day 3", "Room 103")]);
    assert_in_order(&document, &["Day 1", "Room 101", "Day 2", "Room 102", "Day 3", "Room 103"]);
}

#[test]
fn years_that_increase_from_page_to_page_are_kept() {
    let content = |form: &str, number: i32, y| {
        at(280, y, &form.replace('#', &number.to_string())) + &body(&["What happened in this year."])
    };
    for (form, first) in [("#", 2019), ("- # -", 1898), ("s # on", 2021), ("#", 4711)] {
        for y in [770, 30] {
            let document = pages(&[0, 1, 2, 3, 4, 5].map(|page| content(form, first + page, y)));
            for page in 0..6 {
                let number = form.replace('#', &(first + page).to_string());
                assert!(document.text.contains(&number), "{number} at {y}: {}", document.text);
            }
            assert!(document.report.left_out.is_empty());
        }
    }
    let document = pages(&[0, 1, 2].map(|page| content("Page #", 1000 + page, 30)));
    assert_eq!(document.text, ["What happened in this year."; 3].join("\n\n"));
}

#[test]
fn rows_that_look_alike_are_kept() {
    let row = |y, name: &str| (1..4).map(|n| at(n * 100, y, &format!("{name} {n}"))).collect::<String>();
    let document = page(&(row(770, "Day") + &row(754, "Room")));
    assert_eq!(document.text, "Day 1 | Day 2 | Day 3\nRoom 1 | Room 2 | Room 3");
}

#[test]
fn page_numbers_that_advance_are_left_out_and_counted() {
    for (form, first) in [("#", 1), ("- # -", 1), ("Page # of 4", 1), ("#/4", 1), ("Seite #", 17), ("#", 204)] {
        let content =
            |page: i32| body(&["Words that stay."]) + &at(290, 30, &form.replace('#', &(first + page).to_string()));
        let document = pages(&[content(0), content(1), content(2), content(3)]);
        assert_eq!(document.text, ["Words that stay."; 4].join("\n\n"), "{form}");
        assert_eq!(left_out(&document, LeftOutKind::PageNumber).map(|left| left.count), Some(4), "{form}");
    }
    let roman = ["i", "ii", "iii", "iv"].map(|number| body(&["Preface."]) + &at(290, 30, number));
    assert_eq!(pages(&roman).text, ["Preface."; 4].join("\n\n"));
    // A page with nothing but its number keeps it.
    let lone = [body(&["One."]) + &at(290, 30, "1"), at(290, 30, "2"), body(&["Three."]) + &at(290, 30, "3")];
    assert_eq!(pages(&lone).text, "One.\n\n2\n\nThree.");
}

#[test]
fn running_lines_are_kept_once() {
    let content = |words: &str| at(60, 770, "Invoice FV 17/2026") + &body(&[words]);
    let document = pages(&[content("First page."), content("Second page.")]);
    assert_eq!(document.text, "Invoice FV 17/2026\n\nFirst page.\n\nSecond page.");
    let left = left_out(&document, LeftOutKind::RunningLine).unwrap();
    assert_eq!((left.count, left.examples.as_slice()), (1, &["Invoice FV 17/2026".to_owned()][..]));
    // Different digits make a different line.
    let content = |number: i32| at(60, 770, &format!("Invoice {number}")) + &body(&["Words."]);
    let document = pages(&[content(3), content(8), content(40)]);
    assert_in_order(&document, &["Invoice 3", "Invoice 8", "Invoice 40"]);
    // Marked as an artifact, which proves nothing.
    let document = page(&format!("/Artifact BMC {} EMC {}", at(60, 770, "Contract 2026-17"), body(&["Words."])));
    assert_in_order(&document, &["Contract 2026-17", "Words."]);
    // A page with nothing else keeps the line.
    let document = pages(&[content(3), at(60, 770, "Annex"), at(60, 770, "Annex")]);
    assert_eq!(document.text.matches("Annex").count(), 2);
    // On two of many pages: the beginning of their text.
    let top = |page| if page / 2 == 1 { at(60, 770, "Delivery stopped") } else { String::new() };
    let contents: Vec<String> = (0..6).map(|page| body(&[&format!("Page of {page} words.")]) + &top(page)).collect();
    assert_eq!(pages(&contents).text.matches("Delivery stopped").count(), 2);
}

#[test]
fn empty_cells_keep_their_columns() {
    let row = |y: i32, cells: &[(i32, &str)]| cells.iter().map(|(x, text)| at(*x, y, text)).collect::<String>();
    let content = row(700, &[(60, "Item"), (200, "Ordered"), (300, "Sent"), (400, "Left")])
        + &row(684, &[(60, "Bolts"), (200, "12"), (400, "7")])
        + &row(668, &[(60, "Nuts"), (300, "40"), (400, "1")])
        + &row(652, &[(300, "99")])
        + &row(636, &[(60, "Rivets"), (200, "3"), (300, "2"), (400, "1")]);
    let document = page(&content);
    assert_eq!(
        document.text,
        "Item | Ordered | Sent | Left\nBolts | 12 | | 7\nNuts | | 40 | 1\n| | 99\nRivets | 3 | 2 | 1"
    );
}

#[test]
fn headings_match_their_columns_whatever_the_alignment() {
    let row = |y: i32, cells: &[(i32, &str)]| cells.iter().map(|(x, text)| at(*x, y, text)).collect::<String>();
    // Centred over left-aligned names and right-aligned numbers; one name extends below the heading.
    let content = row(700, &[(110, "Item"), (230, "Sent"), (310, "Left")])
        + &row(684, &[(60, "Bolt"), (270, "12"), (350, "7")])
        + &row(668, &[(60, "Bolts of brass"), (270, "40"), (350, "1")])
        + &row(652, &[(60, "Nut"), (350, "99")])
        + &row(636, &[(60, "Pin"), (270, "5"), (350, "3")]);
    assert_eq!(
        page(&content).text,
        "Item | Sent | Left\nBolt | 12 | 7\nBolts of brass | 40 | 1\nNut | | 99\nPin | 5 | 3"
    );
    // The heading has other column widths than the rows: the number's heading is above the names.
    let content = row(700, &[(60, "Item"), (120, "Sent"), (250, "Left")])
        + &row(684, &[(60, "Bolts of brass"), (180, "12"), (250, "7")])
        + &row(668, &[(60, "Nuts of brass"), (180, "40"), (250, "1")]);
    assert_eq!(page(&content).text, "Item | Sent | Left\nBolts of brass | 12 | 7\nNuts of brass | 40 | 1");
    // A heading over two columns is repeated in both, a wide cell further down is not.
    let content = row(700, &[(60, "Item"), (220, "Both years")])
        + &row(684, &[(60, "Kind"), (200, "2024"), (270, "2025")])
        + &row(668, &[(60, "Bolt"), (200, "12"), (270, "7")])
        + &row(652, &[(60, "Nut"), (200, "never sent any")])
        + &row(636, &[(60, "Pin"), (200, "5"), (270, "3")]);
    assert_eq!(
        page(&content).text,
        "Item | Both years | Both years\nKind | 2024 | 2025\nBolt | 12 | 7\nNut | never sent any\nPin | 5 | 3"
    );
}

#[test]
fn a_table_that_goes_on_keeps_its_heading_on_each_page() {
    let head = || at(60, 770, "Date") + &at(200, 770, "Amount");
    let rows = |n: i32| at(60, 754, &format!("{n} May")) + &at(200, 754, &format!("{n}.50"));
    let document = pages(&[head() + &rows(1), head() + &rows(2), head() + &rows(3)]);
    assert_eq!(
        document.text,
        "Date | Amount\n1 May | 1.50\n\nDate | Amount\n2 May | 2.50\n\nDate | Amount\n3 May | 3.50"
    );
}

#[test]
fn rows_repeated_at_the_foot_of_pages_are_not_footers() {
    let rows = |page: i32| {
        let row =
            |y: i32, n: i32| at(60, y, &format!("row {n}")) + &at(200, y, &(7 * n).to_string()) + &at(300, y, "x");
        body(&[&format!("Chapter {page} has words of its own.")]) + &row(62, 8) + &row(46, 9) + &row(30, 10)
    };
    let document = pages(&[rows(1), rows(2), rows(3), rows(4)]);
    assert_eq!(document.text.matches("row 9 | 63 | x").count(), 4);
    assert!(document.report.left_out.is_empty());
}

#[test]
fn rules_separate_close_cells() {
    let row =
        |y: i32, cells: [&str; 3]| cells.iter().zip([60, 92, 116]).map(|(text, x)| at(x, y, text)).collect::<String>();
    let lines: String = [87, 112].iter().map(|x| format!("{x} 680 m {x} 715 l S\n")).collect();
    let document = page(&(row(700, ["Item", "Q1", "Q2"]) + &row(684, ["Bolt", "", "12"]) + &lines));
    assert_eq!(document.text, "Item | Q1 | Q2\nBolt | | 12");
}

#[test]
fn fields_notes_and_boxes_are_read_in_place() {
    let mut made = Made::new();
    made.catalog = "/AcroForm << /Fields [] /NeedAppearances true >>".to_owned();
    let parent = made.object("<< /FT /Tx /T (name) /V (Ada) >>");
    let drawn = made.stream(
        "/Subtype /Form /BBox [0 0 100 20] /Resources << /Font << /F1 3 0 R >> >>",
        "BT /F1 10 Tf 2 5 Td (Lovelace) Tj ET",
    );
    let box_text = made.stream(
        "/Subtype /Form /BBox [0 0 200 20] /Resources << /Font << /F1 3 0 R >> >>",
        "BT /F1 10 Tf 2 5 Td (Approved by Bob) Tj ET",
    );
    let annotations = [
        format!("<< /Subtype /Widget /Rect [110 695 210 715] /Parent {parent} 0 R >>"),
        format!("<< /Subtype /Widget /FT /Tx /Rect [110 665 210 685] /AP << /N {drawn} 0 R >> >>"),
        "<< /Subtype /Widget /FT /Ch /V (de) /Opt [[(de) (Germany)] [(pl) (Poland)]] /Rect [110 635 210 655] >>"
            .to_owned(),
        "<< /Subtype /Widget /FT /Btn /AS /Yes /V /Yes /Rect [60 605 72 617] >>".to_owned(),
        "<< /Subtype /Widget /FT /Btn /AS /Off /Rect [60 575 72 587] >>".to_owned(),
        "<< /Subtype /Widget /FT /Tx /F 2 /V (secret) /Rect [110 545 210 565] >>".to_owned(),
        "<< /Subtype /Text /Contents (Check this sum) /Rect [300 700 320 720] >>".to_owned(),
        format!("<< /Subtype /FreeText /Rect [60 400 260 420] /AP << /N {box_text} 0 R >> >>"),
    ];
    let annotations = annotations.map(|annotation| format!("{} 0 R", made.object(annotation))).join(" ");
    let labels = at(60, 700, "Name:")
        + &at(60, 670, "Family:")
        + &at(60, 640, "Country:")
        + &at(80, 607, "I agree")
        + &at(80, 577, "Send mail");
    made.page_with(&labels, "", &format!("/Annots [{annotations}]"));
    let document = open(&made.bytes());
    for words in [
        "Name: Ada",
        "Family: Lovelace",
        "Country: Germany",
        "[x] I agree",
        "[ ] Send mail",
        "Check this sum",
        "Approved by Bob",
    ] {
        assert!(document.text.contains(words), "{words} in:\n{}", document.text);
    }
    assert!(!document.text.contains("secret"));
    assert_eq!((document.report.form_fields, document.report.comments), (4, 1));
    assert_eq!(left_out(&document, LeftOutKind::Hidden).unwrap().examples, ["secret"]);
}

#[test]
fn headings_as_close_as_words_match_their_columns() {
    // As close as two words in justified text: "Unit price" is one of three headings.
    let cells = |y: i32, cells: [(i32, &str); 3]| cells.iter().map(|(x, text)| at(*x, y, text)).collect::<String>();
    let rows = cells(684, [(60, "12"), (100, "7.50"), (170, "90.00")])
        + &cells(668, [(60, "3"), (100, "2.00"), (170, "6.00")]);
    let head = "BT /F1 12 Tf 60 700 Td [(Count) -700 (Unit price) -700 (Total)] TJ ET\n";
    assert_eq!(page(&format!("{head}{rows}")).text, "Count | Unit price | Total\n12 | 7.50 | 90.00\n3 | 2.00 | 6.00");
    // A sentence above a table is not one of its rows.
    let document = page(&(at(60, 700, "Three sorts of bolts") + &rows));
    assert_eq!(document.text, "Three sorts of bolts\n\n12 | 7.50 | 90.00\n3 | 2.00 | 6.00");
}
