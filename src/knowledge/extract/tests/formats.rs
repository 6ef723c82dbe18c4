use super::*;

fn of(kind: Kind, text: &str) -> Extracted {
    let document = extract(text.as_bytes(), kind, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

#[test]
fn docx_from_word_and_from_libreoffice() {
    for name in ["report.en.docx", "libreoffice.en.docx"] {
        let document = read(name);
        assert_eq!((document.title.as_deref(), document.pages), (Some("Flood Season Report"), None));
        assert_in_order(
            &document,
            &[
                "The station lost no pump and no record.",
                "Station | Peak (m) | Date\nAlder Bridge | 4.87 | 14 April\nMill Lane | 3.92 | 15 April",
                "- Mill Lane: sensor replaced on the third day.\n- Old Ferry: driftwood removed by boat.",
                "Order a spare sensor before winter.",
                "The insurance paid for the boat but not for the sensor.",
            ],
        );
        assert_eq!(
            block_with(&document, "Two gauges").heading,
            ["Flood Season Report", "Water levels", "Gauge failures"]
        );
        assert_eq!(block_with(&document, "Repairs cost").heading, ["Flood Season Report", "Costs"]);
        // A header is on every page; it is kept once.
        assert_eq!(document.text.matches("Alder District - internal").count(), 1, "{}", document.text);
    }
    let document = read("report.ru.docx");
    assert_in_order(
        &document,
        &["Он превысил уровень 1998 года на одиннадцать сантиметров.", "Мельничная | 3,92 | 15 апреля"],
    );
}

#[test]
fn docx_bombs_are_refused() {
    assert_eq!(failure("zip-bomb.docx").code(), "too_large_output");
    assert_eq!(failure("deep.docx").code(), "malformed");
    let mut cut = fixture("report.en.docx");
    cut.truncate(cut.len() / 2);
    assert_eq!(extract(&cut, Kind::Docx, &Limits::default()).unwrap_err().code(), "malformed");
}

#[test]
fn html_in_both_encodings_is_the_same_text_without_its_frame() {
    let document = read("page.utf-8.html");
    assert_eq!(document.text, read("page.windows-1251.html").text);
    assert_eq!(document.title.as_deref(), Some("Порядок дежурства — Насосная станция"));
    assert_in_order(
        &document,
        &[
            "Дежурный принимает смену в семь часов утра и расписывается в журнале. Ключи передают лично.",
            "Обход начинают с машинного зала. The duty engineer carries a portable radio.",
            "- Машинный зал\n  - насос А\n  - насос Б\n- Приёмный резервуар",
            "Время обходов\nОбход | Начало\nПервый | 08:00\nВторой | 16:00",
            "stationctl status --pump A\nstationctl log --last 10",
            "Телефон диспетчера висит у двери.",
        ],
    );
    assert_eq!(block_with(&document, "stationctl").kind, BlockKind::Code);
    assert_eq!(block_with(&document, "08:00").heading, ["Порядок дежурства", "Обход"]);
    // Menus and scripts are removed; text outside of the main part may be content.
    for furniture in ["NAV-TEXT", "STYLE-TEXT", "SCRIPT-TEXT", "NOSCRIPT-TEXT", "TEMPLATE-TEXT"] {
        assert!(!document.text.contains(furniture), "{}", document.text);
    }
    assert!(document.text.ends_with("ASIDE-TEXT\n\nFOOTER-TEXT"), "{}", document.text);
}

#[test]
fn html_without_a_main_part() {
    let document =
        of(Kind::Html, "<p>One<p>Two<div>Three<br>four</div>five<table><tr><td><h1>Six</h1><p>seven</table>");
    assert_eq!(document.text, "One\n\nTwo\n\nThree four\n\nfive\n\nSix\n\nseven");
    let document =
        of(Kind::Html, "<ol start=3><li>a<li><p>b</p><p>c</p></ol><p hidden>x</p><p style='display: none'>y</p>z");
    assert_eq!(document.text, "3. a\n4. b c\n\nz");
}

#[test]
fn nesting_has_a_limit_and_takes_no_time() {
    let start = std::time::Instant::now();
    let deep = "<div>".repeat(1_000_000) + "x";
    assert_eq!(extract(deep.as_bytes(), Kind::Html, &Limits::default()).unwrap_err().code(), "malformed");
    assert!(start.elapsed() < std::time::Duration::from_secs(10));
    let fine = "<div>".repeat(400) + "x";
    assert_eq!(of(Kind::Html, &fine).text, "x");
}

#[test]
fn markdown_blocks() {
    let document = read("notes.md");
    assert_eq!(document.title.as_deref(), Some("Commissioning notes"));
    assert_in_order(
        &document,
        &[
            "The second pump was commissioned on Tuesday. See the protocol (https://example.org/protocol) for signatures.",
            "1. Phase L1 to terminal 4.\n2. Phase L2 to terminal 5.\n  - Torque: 2.5 Nm\n3. Phase L3 to terminal 6.",
            "Terminal | Wire | Colour\n4 | L1 | brown\n5 | L2 | black",
            "# not a heading\nmeasure --phase all",
            "Quoted: never work alone.",
        ],
    );
    assert_eq!(block_with(&document, "not a heading").heading, ["Commissioning notes", "Wiring", "Check"]);
    assert_eq!(block_with(&document, "Последний").heading, ["Commissioning notes", "Setext heading"]);
    let document =
        of(Kind::Markdown, "a **b** `c`<br>d\n\n<table><tr><td>e<td>f</table>\n\n- g\n\n      code\n\n- h\n");
    assert_eq!(document.text, "a b c\nd\n\ne | f\n\n- g\n  code\n- h");
}

#[test]
fn text_in_every_encoding_is_the_same() {
    let document = read("letter.utf-8.txt");
    for name in ["letter.utf-16.txt", "letter.koi8-r.txt", "letter.windows-1251.txt"] {
        assert_eq!(read(name).text, document.text, "{name}");
    }
    assert_in_order(&document, &["Просим подготовить оба помещения и отключить", "С уважением,\nслужба эксплуатации"]);
    let utf16: Vec<u8> = "Plain ASCII without a mark".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(extract(&utf16, Kind::Text, &Limits::default()).unwrap().text, "Plain ASCII without a mark");
}

#[test]
fn text_is_cleaned() {
    let document = of(Kind::Text, "e\u{301}fi\u{fb01}\u{ad}x\0y\u{a0}z\u{200b}\r\n\r\nsecond\u{c}third");
    assert_eq!(document.text, "éfifix y z\n\nsecond\n\nthird");
    assert_eq!(extract(b"--- ...", Kind::Text, &Limits::default()), Err(ExtractError::NoText));
}

#[test]
fn limits_hold() {
    let small = Limits { input_bytes: 10, ..Limits::default() };
    assert_eq!(extract(b"more than ten bytes", Kind::Text, &small).unwrap_err().code(), "too_large_input");
    let small = Limits { output_bytes: 10, ..Limits::default() };
    assert_eq!(extract(b"more than ten bytes", Kind::Text, &small).unwrap_err().code(), "too_large_output");
}
