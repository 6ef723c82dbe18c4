use std::cell::Cell;

use proptest::prelude::*;

use super::{
    super::{builder::Builder, chunk::CHARS_PER_TOKEN},
    *,
};

fn words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Every third letter is a token, so that chunks must also be cut within words.
fn letters(text: &str) -> usize {
    text.chars().count().div_ceil(3)
}

fn check(document: &Extracted, count: &dyn Fn(&str) -> usize, most: usize) -> Vec<Chunk> {
    let chunks = chunk(document, count, most);
    let chars: Vec<char> = document.text.chars().collect();
    let mut covered = vec![false; chars.len()];
    let mut end = 0;
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(usize::try_from(chunk.ordinal), Ok(ordinal));
        assert!(chunk.start >= end && chunk.end > chunk.start, "{chunk:?}");
        end = chunk.end;
        assert_eq!(chunk.text, chars[chunk.start..chunk.end].iter().collect::<String>());
        let whole = chunk.table_header.as_ref().map(|header| format!("{header}\n{}", chunk.text));
        let whole = whole.as_ref().unwrap_or(&chunk.text);
        assert_eq!(chunk.tokens, count(whole).max(whole.chars().count() / CHARS_PER_TOKEN));
        assert!(chunk.tokens <= most || chunk.text.chars().count() == 1, "{chunk:?}");
        covered[chunk.start..chunk.end].fill(true);
        let first = document.blocks.iter().find(|b| b.start <= chunk.start && chunk.start < b.end).unwrap();
        assert_eq!((&chunk.heading, chunk.page), (&first.heading, first.page));
        // Never across a heading.
        let within = |b: &&Block| b.start < chunk.end && b.end > chunk.start;
        assert!(document.blocks.iter().filter(within).all(|b| b.heading == first.heading));
    }
    for block in &document.blocks {
        // Separators between cells may be missing where a row was split.
        let parts = |c: char| c.is_whitespace() || (block.kind == BlockKind::Table && c == '|');
        let missed = (block.start..block.end).any(|at| !covered[at] && !parts(chars[at]));
        assert!(!missed || block.kind == BlockKind::Heading, "{block:?}");
    }
    chunks
}

#[test]
fn real_documents() {
    for name in ["chromium.en.pdf", "latex-two-columns.pdf", "report.ru.docx", "page.utf-8.html", "notes.md"] {
        let document = read(name);
        for most in [1, 7, 40, 220] {
            check(&document, &words, most);
            check(&document, &letters, most);
        }
    }
    let chunks = check(&read("chromium.en.pdf"), &words, 220);
    assert_eq!(chunks.len(), 5, "one for each heading: {chunks:#?}");
    assert_eq!((chunks[3].page, chunks[3].heading.last().unwrap().as_str()), (Some(2), "Alarms"));
}

#[test]
fn small_paragraphs_are_merged_and_long_ones_cut_between_sentences() {
    let text = "A short one.\n\nAnother short one.\n\n".to_owned()
        + &"Ten words are in this sentence, and it ends. ".repeat(10);
    let document = extract(text.as_bytes(), Kind::Text, &Limits::default()).unwrap();
    let chunks = check(&document, &words, 30);
    assert_eq!(chunks[0].text, "A short one.\n\nAnother short one.");
    assert!(chunks.iter().all(|chunk| chunk.text.ends_with('.')), "{chunks:#?}");
}

#[test]
fn a_heading_without_text_is_found_too() {
    let document =
        extract(b"# Top\n\n## Call +1 555\n\n## Next\n\ntext\n\n## Last", Kind::Markdown, &Limits::default()).unwrap();
    let texts: Vec<String> = check(&document, &words, 220).into_iter().map(|chunk| chunk.text).collect();
    assert_eq!(texts, ["Call +1 555", "text", "Last"]);
}

#[test]
fn long_texts_in_linear_time() {
    let counted = Cell::new(0);
    let count = |text: &str| {
        counted.set(counted.get() + text.len());
        text.len().div_ceil(4)
    };
    let sentence = "The quick brown fox jumps over the lazy dog near the river, again and again. ";
    for text in [
        sentence.repeat(2_000_000 / sentence.len()),
        sentence.repeat(8).repeat(2_000_000 / sentence.len() / 8).replace("again. ", "again.\n\n"),
        "x".repeat(200_000),
    ] {
        counted.set(0);
        let start = std::time::Instant::now();
        let document = extract(text.as_bytes(), Kind::Text, &Limits::default()).unwrap();
        let chunks = chunk(&document, &count, 220);
        println!(
            "{} bytes, {} chunks, {:?}, counted {} times over",
            text.len(),
            chunks.len(),
            start.elapsed(),
            counted.get() / text.len()
        );
        assert!(counted.get() < 40 * text.len(), "{} bytes counted for {}", counted.get(), text.len());
    }
}

/// A tokenizer counts a word of any length as one token; a chunk is limited all the same, and the tokenizer never gets
/// long input.
#[test]
fn endless_words_are_split() {
    let most = 220;
    let longest = Cell::new(0);
    let count = |text: &str| {
        longest.set(longest.get().max(text.chars().count()));
        words(text)
    };
    let cell = "b".repeat(100_000);
    for (text, kind) in [
        ("a".repeat(1_000_000), Kind::Text),
        (format!("z{}", "\u{301}".repeat(300_000)), Kind::Text),
        (format!("{} ", "c".repeat(5000)).repeat(100), Kind::Text),
        (format!("| name | value |\n|---|---|\n| one | {cell} |\n| {cell} | two |\n"), Kind::Markdown),
        (format!("# {}\n\ntext\n", "h".repeat(100_000)), Kind::Markdown),
        (format!("```\n{}\n```\n", "d".repeat(100_000)), Kind::Markdown),
    ] {
        let document = extract(text.as_bytes(), kind, &Limits::default()).unwrap();
        let chunks = check(&document, &count, most);
        let whole = |chunk: &Chunk| chunk.text.len().max(chunk.table_header.as_deref().map_or(0, str::len));
        let length = chunks.iter().map(|chunk| chunk.text.chars().count()).max().unwrap();
        assert!(length < CHARS_PER_TOKEN * (most + 1), "{length} characters in a chunk of {kind:?}");
        assert!(chunks.iter().all(|chunk| whole(chunk) <= 2 * CHARS_PER_TOKEN * (most + 1)));
    }
    assert!(longest.get() < CHARS_PER_TOKEN * (most + 1), "{} characters were tokenized at once", longest.get());
}

#[test]
fn chunking_can_be_cancelled() {
    let sentence = "The quick brown fox jumps over the lazy dog near the river, again and again. ";
    let table = format!("| name | value |\n|---|---|\n{}", "| a row | of a long table |\n".repeat(20_000));
    for (text, kind) in [(sentence.repeat(20_000), Kind::Text), (table, Kind::Markdown)] {
        let document = extract(text.as_bytes(), kind, &Limits::default()).unwrap();
        let asked = Cell::new(0);
        let keep_going = || {
            asked.set(asked.get() + 1);
            asked.get() < 10
        };
        assert_eq!(chunk_while(&document, &words, 220, &keep_going), None);
        assert!(asked.get() < 20, "it went on after it was told to stop: asked {} times", asked.get());
    }
}

fn documents() -> impl Strategy<Value = Extracted> {
    let word = proptest::string::string_regex("[a-zа-яё漢é]{1,12}[.,!?]?").unwrap();
    let text = proptest::collection::vec(word, 1..60).prop_map(|words| words.join(" "));
    let block = (0u8..9, text);
    proptest::collection::vec(block, 1..25).prop_map(|blocks| {
        let mut builder = Builder::new(&Limits::default());
        for (page, (kind, text)) in blocks.into_iter().enumerate() {
            builder.page(u32::try_from(page / 4 + 1).unwrap());
            match kind {
                0..=2 => builder.heading(kind + 1, &text),
                3 => builder.lines(BlockKind::List, &text.replace(". ", "\n- ")),
                4 => builder.lines(BlockKind::Code, &text.replace(' ', "\n  ")),
                _ => builder.paragraph(&text),
            }
            .unwrap();
        }
        builder.finish(Kind::Pdf, Some(9))
    })
}

proptest! {
    #[test]
    fn chunks_reproduce_the_text(document in documents(), most in 1usize..60) {
        check_shape(&document);
        check(&document, &words, most);
        check(&document, &letters, most);
    }
}
