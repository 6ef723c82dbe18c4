//! Tables as text, and tables split into chunks.

use super::{
    super::{
        builder::Builder,
        chunk::CHARS_PER_TOKEN,
        table::{Cell, Table},
    },
    *,
};

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

fn empty(header_rows: usize, caption: Option<&str>) -> Table {
    let mut table = Table::with_header(header_rows);
    table.caption = caption.map(str::to_owned);
    table
}

fn table(rows: &[&[&str]], header_rows: usize) -> Table {
    let mut table = empty(header_rows, None);
    for row in rows {
        table.row(row.iter().map(|cell| Cell::new(*cell)));
    }
    table
}

fn document(table: &Table) -> Extracted {
    let mut builder = Builder::new(&Limits::default());
    builder.heading(1, "Report").unwrap();
    builder.table(table).unwrap();
    builder.finish(Kind::Html, None)
}

/// `(header, text)` of each chunk; the texts are slices that together make up the document.
fn chunks(document: &Extracted, most: usize) -> Vec<(String, String)> {
    check_shape(document);
    let chars: Vec<char> = document.text.chars().collect();
    let mut covered = vec![false; chars.len()];
    let chunks = chunk(document, &words, most);
    for chunk in &chunks {
        assert_eq!(chunk.text, chars[chunk.start..chunk.end].iter().collect::<String>());
        let whole =
            chunk.table_header.as_ref().map_or(chunk.text.clone(), |header| format!("{header}\n{}", chunk.text));
        assert_eq!(chunk.tokens, words(&whole).max(whole.chars().count() / CHARS_PER_TOKEN));
        assert!(chunk.tokens <= most, "{chunk:?}");
        covered[chunk.start..chunk.end].fill(true);
    }
    let missed: String = (0..chars.len()).filter(|at| !covered[*at]).map(|at| chars[at]).collect();
    assert!(missed.replace("Report", "").chars().all(|c| c.is_whitespace() || c == '|'), "{missed:?}");
    chunks.into_iter().map(|chunk| (chunk.table_header.unwrap_or_default(), chunk.text)).collect()
}

#[test]
fn cells_keep_their_columns() {
    let lines = |table: &Table| table.lines().0.join("\n");
    assert_eq!(lines(&table(&[&["", "Q1", "Q2", ""], &["North", "", "11.2", ""]], 1)), " | Q1 | Q2\nNorth |  | 11.2");
    assert_eq!(lines(&table(&[&["a | b", "c"]], 0)), "a \\| b | c");
    let mut spans = empty(2, Some("Costs"));
    spans.row([Cell { rows: 2, ..Cell::new("Pump") }, Cell { columns: 2, ..Cell::new("Costs") }]);
    spans.row([Cell::new("2025"), Cell::new("2026")]);
    spans.row([Cell::new("A"), Cell::new("1"), Cell::new("2")]);
    assert_eq!(lines(&spans), "Costs\nPump | Costs | Costs\nPump | 2025 | 2026\nA | 1 | 2");
    assert_eq!(spans.lines().1, 3);
}

#[test]
fn a_header_is_detected_by_the_numbers_below_it() {
    let header = |rows: &[&[&str]]| table(rows, 0).lines().1;
    assert_eq!(header(&[&["Region", "Q1"], &["North", "10.5"], &["South", "9"]]), 1);
    assert_eq!(header(&[&["", "2025", "2026"], &["North", "10.5", "11"]]), 1);
    assert_eq!(header(&[&["Anna", "Berlin"], &["Boris", "Moscow"]]), 0);
    assert_eq!(header(&[&["North", "10.5"], &["South", "9"]]), 0);
}

#[test]
fn the_header_is_repeated_in_every_chunk() {
    let rows: Vec<Vec<String>> =
        (0..40).map(|n| vec![format!("Station{n}"), format!("{n}.5"), format!("{n}.7")]).collect();
    let mut table = empty(1, Some("Levels by station"));
    table.row(["Station", "Spring", "Autumn"].map(Cell::new));
    for row in rows {
        table.row(row.into_iter().map(Cell::new));
    }
    let chunks = chunks(&document(&table), 30);
    assert!(chunks.len() > 5);
    let header = "Levels by station\nStation | Spring | Autumn";
    assert!(chunks[0].0.is_empty() && chunks[0].1.starts_with(header));
    for (above, text) in &chunks[1..] {
        assert_eq!(above, header);
        assert!(text.lines().all(|line| line.starts_with("Station") && line.split(" | ").count() == 3), "{text:?}");
    }
}

#[test]
fn a_long_row_is_split_between_cells_that_keep_their_headings() {
    let columns: Vec<String> = (0..30).map(|n| format!("Column{n}")).collect();
    let mut wide = empty(1, None);
    wide.row(columns.iter().map(|c| Cell::new(c.as_str())));
    for name in ["North", "South"] {
        wide.row((0..30).map(|n| Cell::new(if n == 0 { name.to_owned() } else { format!("{name}{n}") })));
    }
    let all = chunks(&document(&wide), 20);
    let (above, _) = all.iter().find(|(_, text)| text.contains("South17")).unwrap();
    assert!(above.contains("Column17") && above.contains("Column0: South") && !above.contains("Column3 "), "{above:?}");

    let long = "Each pump has a sentence that is rather long. ".repeat(20);
    let long = table(&[&["Pump", "Note"], &["P4", &long]], 1);
    for (above, text) in chunks(&document(&long), 20).iter().filter(|(_, text)| text.starts_with("Each")) {
        assert!(above.contains("Note") && above.contains("P4"), "{above:?} {text:?}");
    }
}

#[test]
fn a_long_header_is_split_and_nothing_is_lost() {
    let header = "a heading of many words ".repeat(12);
    let cells: Vec<String> = (0..6).map(|n| format!("{header}{n}")).collect();
    let mut table = empty(1, None);
    table.row(cells.into_iter().map(Cell::new));
    for row in 0..5 {
        table.row((0..6).map(|n| Cell::new(format!("value{row}x{n}"))));
    }
    for most in [5, 12, 40, 100, 220] {
        let all = chunks(&document(&table), most);
        assert!(
            all.iter().any(|(above, text)| text.contains("value4x5") && (most < 12 || above.contains("a heading")))
        );
    }
}

proptest::proptest! {
    #[test]
    fn splitting_a_table_loses_nothing(
        rows in proptest::collection::vec(proptest::collection::vec("[a-zа-я0-9|]{0,8}( [a-z]{1,5}){0,6}", 1..8), 2..20),
        header_rows in 0usize..3, most in 1usize..60,
    ) {
        let mut table = empty(header_rows, None);
        for row in rows {
            table.row(row.into_iter().map(Cell::new));
        }
        let mut builder = Builder::new(&Limits::default());
        builder.heading(1, "Report").unwrap();
        builder.table(&table).unwrap();
        builder.paragraph("and a paragraph behind it").unwrap();
        chunks(&builder.finish(Kind::Html, None), most.max(2));
    }
}

#[test]
fn values_far_down_a_long_table_keep_their_headings() {
    for (name, row, heading) in [
        ("tables.en.md", "Norland | ", "Shop | Revenue Q1 | Revenue Q2"),
        ("tables.ru.md", "Сосновка | ", "Посёлок | I квартал"),
        ("tables.en.html", "Welton valve | SP-4851", "Part | Order number"),
        ("tables.en.docx", "Station Rowan | ", "Station | Power in kW"),
        ("tables.en.pdf", "Selby | ", "Town | By road | By rail"),
        ("tables.ru.pdf", "Ульянка | ", "Станция | Зимний тариф"),
    ] {
        let document = read(name);
        let chunks = chunk(&document, &words, 60);
        let found =
            chunks.iter().find(|chunk| chunk.text.contains(row)).unwrap_or_else(|| panic!("{name}: {}", document.text));
        let whole = format!("{}\n{}", found.table_header.as_deref().unwrap_or_default(), found.text);
        println!("{name}: {:?} {:?}", found.table_header, document.title);
        // For other formats, the header is known once they use `Table`.
        assert!(whole.contains(heading), "{name}: {whole}");
    }
}
