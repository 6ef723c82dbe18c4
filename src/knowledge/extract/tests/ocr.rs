//! OCR with the real programs; `tests/fixtures/documents/scanned.pdf` has a page of text, and a Russian and an English
//! page that are images.

use std::{collections::BTreeMap, ffi::OsStr, path::PathBuf};

use super::{
    super::{
        child::page_with,
        ocr::{Answer, Order, Programs, Recognition, Words, choose_languages, words},
        pages::{Recognised, Way, is_implausible, unusable, with_recognised},
    },
    child::arguments,
    *,
};

/// The programs, which `scripts/test` installs: skipping without them would prove nothing.
fn programs() -> Programs {
    let programs = Programs::find("");
    let missing = programs.missing();
    assert!(missing.is_empty(), "{missing:?} not installed: apt install tesseract-ocr tesseract-ocr-rus poppler-utils");
    programs
}

fn order(page: u32, languages: &[&str]) -> Order {
    let Programs { tesseract, pdftoppm } = programs();
    let languages = languages.iter().map(|language| (*language).to_owned()).collect();
    let ocr = Recognition { tesseract: tesseract.unwrap(), languages, turns: true };
    Order { pdftoppm: pdftoppm.unwrap(), page, ocr: Some(ocr) }
}

async fn carry_out(order: Order, limits: &Limits) -> Result<Answer, ExtractError> {
    let exe = std::env::current_exe().unwrap();
    let arguments = arguments();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    page_with(&exe, &arguments, &fixture("scanned.pdf"), order, limits).await
}

async fn recognised(page: u32) -> Words {
    match carry_out(order(page, &["eng", "rus"]), &Limits::default()).await {
        Ok(Answer::Text(words)) => words,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn scanned_pages_are_read_in_both_languages_and_cite_their_page() {
    let document = read("scanned.pdf");
    assert_eq!(unusable(&document), [2, 3]);
    let mut found = BTreeMap::new();
    for page in [2, 3] {
        let words = recognised(page).await;
        assert!(words.confidence > 80.0, "{words:?}");
        found.insert(page, Recognised { way: Way::Ocr, text: words.text });
    }
    let whole = with_recognised(document, &found);
    check_shape(&whole);
    for (page, sentence) in [
        (1, "Pump Station Handbook"),
        (2, "Насос, который работает всухую дольше сорока секунд, теряет торцевое уплотнение"),
        (3, "The three alarms below wake the duty engineer"),
    ] {
        assert_eq!(block_with(&whole, sentence).page, Some(page), "{sentence}");
    }
    let report = &whole.report;
    assert_eq!((&report.pages_by_ocr, &report.pages_without_text), (&vec![2, 3], &vec![]));
    assert_eq!(report.doubts, [Doubt::ReadFromPictures]);
    assert_eq!(report.characters, whole.text.chars().count() as u64);
}

#[tokio::test]
async fn a_page_is_drawn_for_a_model() {
    let drawn = carry_out(Order { ocr: None, ..order(2, &["eng"]) }, &Limits::default()).await;
    let Ok(Answer::Picture(picture)) = drawn else { panic!("{drawn:?}") };
    // The PNG signature, in base64.
    assert!(picture.starts_with("iVBORw0KGgo"), "{}", &picture[..20]);
}

#[tokio::test]
async fn ocr_is_limited_and_its_failures_have_messages() {
    let limits = Limits { wall_seconds: 1, ..Limits::default() };
    let odd = Order { pdftoppm: PathBuf::from("/bin/sh"), ..order(2, &["eng"]) };
    // A shell with pdftoppm's arguments fails at once, with a message.
    let failure = carry_out(odd, &limits).await.unwrap_err();
    assert!(failure.to_string().contains("sh: "), "{failure}");
    let none = carry_out(order(2, &["xyz"]), &Limits::default()).await.unwrap_err();
    assert!(none.to_string().contains("tesseract: "), "{none}");
    let small = Limits { memory_bytes: 24 << 20, ..Limits::default() };
    assert!(carry_out(order(2, &["eng"]), &small).await.is_err(), "a page needs more than 24 MiB");
    let hasty = Limits { cpu_seconds: 0, ..Limits::default() };
    assert!(carry_out(order(2, &["eng"]), &hasty).await.is_err());
    let beyond = carry_out(order(9, &["eng"]), &Limits::default()).await.unwrap_err();
    assert!(beyond.to_string().contains("pdftoppm: "), "{beyond}");
}

#[tokio::test]
async fn ocr_uses_the_installed_languages_of_the_base() {
    let installed = programs().languages().await;
    assert!(installed.contains(&"eng".to_owned()) && installed.contains(&"rus".to_owned()), "{installed:?}");
    assert_eq!(choose_languages(&[], &installed), ["eng", "rus"]);
    assert_eq!(choose_languages(&["rus".to_owned(), "xyz".to_owned()], &installed), ["rus"]);
    assert!(choose_languages(&["xyz".to_owned()], &installed).is_empty());
    let nowhere = Programs::find("/nonexistent");
    assert_eq!(nowhere.missing(), ["tesseract", "pdftoppm"]);
    assert!(nowhere.languages().await.is_empty());
}

#[test]
fn the_table_of_words_becomes_lines_and_paragraphs() {
    let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
        5\t1\t1\t1\t1\t1\t0\t0\t0\t0\t90\tRegion\n5\t1\t1\t1\t1\t2\t0\t0\t0\t0\t80\tQ2\n\
        5\t1\t1\t1\t2\t1\t0\t0\t0\t0\t70\t10.5\n4\t1\t2\t1\t1\t0\t0\t0\t0\t0\t-1\t\n5\t1\t2\t1\t1\t1\t0\t0\t0\t0\t60\tEnd\n";
    assert_eq!(words(table), Words { text: "Region Q2\n10.5\n\nEnd".to_owned(), confidence: 75.0 });
    assert_eq!(words(""), Words::default());
}

#[test]
fn recognised_text_keeps_short_lines_and_joins_hyphenated_words() {
    let document = read("scanned.pdf");
    let text = "A long line of running text that is parted here, and goes on in the next line with recog-\nnised words, and more of them.\n\n\
        Region Q1 Q2\nNorth 10.5 11.2\u{c}";
    let found = BTreeMap::from([(2, Recognised { way: Way::Model, text: text.to_owned() })]);
    let whole = with_recognised(document, &found);
    check_shape(&whole);
    assert!(whole.text.contains("with recognised words, and more"), "{}", whole.text);
    assert!(whole.text.contains("Region Q1 Q2\nNorth 10.5 11.2"), "{}", whole.text);
    assert_eq!((&whole.report.pages_by_model, &whole.report.pages_by_ocr), (&vec![2], &vec![]));
}

#[test]
fn text_of_glyph_numbers_is_implausible_and_prose_is_not() {
    let glyphs = "\u{e012}\u{e013} \u{e014}\u{e015}\u{e016} \u{e017}".repeat(10);
    assert!(is_implausible(&glyphs));
    assert!(is_implausible(&"/g12/g45/g7 (cid:31)(cid:4) ".repeat(30)));
    assert!(!is_implausible("Two days of vacation. Два дня отпуска."));
    assert!(!is_implausible("10.5 11.2 12.9"));
}
