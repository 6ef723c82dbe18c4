use super::*;

fn of(text: &str) -> Extracted {
    let document = extract(text.as_bytes(), Kind::Markdown, &Limits::default()).unwrap();
    check_shape(&document);
    document
}

/// Checks the text of each source.
#[track_caller]
fn gives(cases: &[(&str, &str)]) {
    for (source, text) in cases {
        assert_eq!(of(source).text, *text, "{source:?}");
    }
}

#[test]
fn text_between_rules_is_kept() {
    gives(&[
        ("x\n\n---\ny\n---\n\nz\n", "x\n\ny\n\nz"),
        ("---\n\n# Slide\n\nfirst\n\n---\n\nsecond: 2\n\n---\n", "Slide\n\nfirst\n\nsecond: 2"),
        ("---\n# Slide\n---\nlast", "Slide\n\nlast"),
        ("---\n**Subject: hello**\n\nbody\n\n---\n\nend", "Subject: hello\n\nbody\n\nend"),
        ("---\nSee http://example.org\nand more\n---\nend", "See http://example.org and more\n\nend"),
        ("a\n\n---\n| k | v |\n|---|---|\n| 1 | 2 |\n\n---\nb: c\n\n---", "a\n\nk | v\n1 | 2\n\nb: c"),
        ("+++\nno keys\n+++\nend", "+++ no keys\n+++ end"),
        ("---\ntitle: never closed\n\ntext", "title: never closed\n\ntext"),
        ("---\n---\ntext", "text"),
        ("---\n\nTitle: of a slide\nand: words\n\n---\n\nend", "Title: of a slide and: words\n\nend"),
        ("intro\n\n+++\nkey = 1\n+++\nend", "intro\n\n+++ key = 1\n+++ end"),
    ]);
}

#[test]
fn front_matter_gives_the_title_and_stays_searchable() {
    let yaml = of(
        "---\r\ntitle: \"Pumps: a \\\"guide\\\"\"\r\nauthor: Ada\r\ntags:\r\n  - flood\r\n- gauge\r\n---\r\n\r\n# One\r\n",
    );
    assert_eq!(yaml.title.as_deref(), Some("Pumps: a \"guide\""));
    assert_in_order(&yaml, &["author: Ada", "flood", "gauge", "One"]);
    let toml = of("+++\ntitle = 'Насосы'\n[extra]\nversion = \"2.7.1\"\n+++\nText");
    assert_eq!(toml.title.as_deref(), Some("Насосы"));
    assert_in_order(&toml, &["version = \"2.7.1\"", "Text"]);
    assert_eq!(
        of("---\ntitle: >-\n  Folded\n  title\ndate: 2026-01-02\n...\ntext").title.as_deref(),
        Some("Folded title")
    );
    assert_eq!(of("\u{feff}---\ntitle: With a mark # and a comment\n---\ntext").title.as_deref(), Some("With a mark"));
}

#[test]
fn tags_that_are_not_html_are_text() {
    gives(&[
        ("deploy <region> now", "deploy <region> now"),
        (
            "`x` of Vec<u8>, Map<String, List<Object>> and Option<T>",
            "x of Vec<u8>, Map<String, List<Object>> and Option<T>",
        ),
        ("ssh <user>@<address>, then <Title> or <my-host>", "ssh <user>@<address>, then <Title> or <my-host>"),
        ("copy <source> to <object>", "copy <source> to <object>"),
        ("<source> is copied to <target>", "<source> is copied to <target>"),
        ("<region>\n\ntext", "<region>\n\ntext"),
        ("# Result<T, E>\n\ntext", "Result<T, E>\n\ntext"),
        ("| type | of |\n|--|--|\n| Vec<u8> | <name> |", "type | of\nVec<u8> | <name>"),
        ("- <name>: the name\n- <b>bold</b>", "- <name>: the name\n- bold"),
        ("<https://example.org/a> and <mail@example.org>", "https://example.org/a and mail@example.org"),
        (
            "<Tabs>\n<Tab title=\"npm\">\n\ninstall it\n\n</Tab>\n</Tabs>",
            "<Tabs> <Tab title=\"npm\">\n\ninstall it\n\n</Tab> </Tabs>",
        ),
        ("import X from './x'\n\n<Card title=\"Fast\" />", "import X from './x'\n\n<Card title=\"Fast\" />"),
        ("one<br>two<BR/>three <b>four</b> <kbd>Ctrl</kbd>", "one\ntwo\nthree four Ctrl"),
        ("<div>\n\nin a box\n\n</div>", "in a box"),
        ("a < b, 3 <4, <3 and </nobody>", "a < b, 3 <4, <3 and </nobody>"),
        ("<?php echo 5; ?>", "<?php echo 5; ?>"),
        ("10<sup>6</sup> is not 106, H<sub>2</sub>O", "10^6 is not 106, H2O"),
        ("Generic<i> is not\n\n<i>leaning</i>", "Generic<i> is not\n\nleaning"),
    ]);
    let document = of("a <!-- secret --> b\n\n<!-- block\nof notes -->\n\n[//]: # (third note)\n\nend");
    assert_eq!(document.text, "a b\n\nend");
    let left = &document.report.left_out[0];
    assert_eq!((left.kind, left.count), (LeftOutKind::Comment, 3));
    assert_eq!(left.examples, ["secret", "block of notes", "third note"]);
}

#[test]
fn words_in_cells_stay_separate_and_none_is_lost() {
    gives(&[
        ("| a | b |\n|--|--|\n| 1<br>2 | `x` `y` |", "a | b\n1 2 | x y"),
        ("| a | b |\n|--|--|\n| <ul><li>one</li><li>two</li></ul> | x<br/>y |", "a | b\none two | x y"),
        ("| a | b |\n|--|--|\n| 1 | 2 | 3 | 4 |", "a | b\n1 | 2 | 3 | 4"),
        ("| a | b |\n|--|--|\n| `p|q` | 2 |", "a | b\n`p | q` | 2"),
        ("| a | b |\n|--|--|\n| p\\|q | 2 |", "a | b\np\\|q | 2"),
        ("| | Q1 | Q2 |\n|--|--|--|\n| North | | 11.2 |", "| Q1 | Q2\nNorth | | 11.2"),
        ("| a | b |\n|---|\n| 1 | 2 |", "| a | b |\n|---|\n| 1 | 2 |"),
        ("> | a | b |\n> |--|--|\n> | 1 | 2 |", "a | b\n1 | 2"),
        (
            "- before\n\n  | a | b |\n  |--|--|\n  | 1 | 2 |\n\n  after\n- next",
            "- before\n\na | b\n1 | 2\n\n  after\n- next",
        ),
        ("<table>\n<tr><td>a</td>\n\n<td>\n\n**b** <c>\n\n</td></tr>\n\n</table>\n\nend", "a | b <c>\n\nend"),
    ]);
}

#[test]
fn destinations_are_searchable() {
    gives(&[
        ("See [the protocol](https://example.org/p).", "See the protocol (https://example.org/p)."),
        (
            "[a](u \"Title\") [b][r] [r]\n\n[r]: http://r.example 'Ref'",
            "a (u, Title) b (http://r.example, Ref) r (http://r.example, Ref)",
        ),
        ("![Wiring plan](img/wiring.png) ![](x.png)", "Wiring plan (img/wiring.png) (x.png)"),
        ("text\n\n[unused]: https://unused.example \"Spec\"\n", "text\n\nunused: https://unused.example (Spec)"),
        ("[Install](#install) [jump](#other)", "Install jump (#other)"),
        (
            "https://a.example <https://b.example> [https://c.example](https://c.example)",
            "https://a.example https://b.example https://c.example",
        ),
        ("[write](mailto:a@b.example)", "write (a@b.example)"),
        (
            "## [1.2.0](https://example.org/1.2.0) - 2026\n\ntext",
            "1.2.0 - 2026\n\n1.2.0 (https://example.org/1.2.0)\n\ntext",
        ),
        (
            "<img src=\"a.png\" alt=\"A plan\"> <a href=\"https://h.example\">here</a>",
            "A plan (a.png) here (https://h.example)",
        ),
        ("[[Page|label]] and [[Other]]", "[[Page|label]] and [[Other]]"),
        ("![p](data:image/png;base64,AAAA)", "p"),
    ]);
    assert_eq!(of("text ![](a.png)").report.images_without_text, 1);
}

#[test]
fn meaningful_punctuation_stays() {
    gives(&[
        ("- [x] done\n- [ ] open", "- [x] done\n- [ ] open"),
        ("a[^1] b\n\n[^1]: The note.\n    Second line.", "a[1] b\n\n[1] The note. Second line."),
        ("> [!NOTE]\n> Mind the gap.", "Note: Mind the gap."),
        ("> [!info] Custom\n> text", "[!info] Custom text"),
        ("$a_1 * b_2 * c$ costs $5", "$a_1 * b_2 * c$ costs $5"),
        ("$$\nE = mc^2\n$$", "$$\nE = mc^2\n$$"),
        ("~~10~~ 12", "~~10~~ 12"),
        (
            "2*3*4 is 24, call __init__ or __main__.py, **bold** and un*frigging*believable",
            "2*3*4 is 24, call __init__ or __main__.py, bold and unfriggingbelievable",
        ),
        ("Line one  \nline two\\\nline three", "Line one\nline two\nline three"),
        ("&lt;b&gt; &amp; &copy; \\*x\\* &nbsp;y", "<b> & © *x* y"),
        ("Term\n: Definition", "Term : Definition"),
        ("1. a\n3. c\n7. g", "1. a\n3. c\n7. g"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        (
            "- Do\n  ```sh\n  mkdir foo\n  cd foo\n  ```\n  then this\n- next",
            "- Do\n  mkdir foo\n  cd foo\n  then this\n- next",
        ),
        (
            "- a\n\n  second paragraph\n\n  > quoted\n- # Heading\n  text",
            "- a\n  second paragraph\n  quoted\n- Heading\n  text",
        ),
        ("```js title=\"src/app.js\"\nx\n```", "js title=\"src/app.js\"\nx"),
        ("# ★\n\ntext", "★\n\ntext"),
        ("a\u{b}b \u{8}c\u{7f} d\0e", "a b c d e"),
    ]);
}

#[test]
fn hostile_markdown_takes_no_time() {
    let start = std::time::Instant::now();
    for text in [
        "- ".repeat(10_000) + "x",
        "<a '".repeat(20_000),
        "<b>".repeat(10_000),
        "<script>".repeat(10_000),
        "<table>\n\n".repeat(20_000),
        "[a](".repeat(10_000),
        "> ".repeat(5_000) + "x",
    ] {
        let _ = extract(text.as_bytes(), Kind::Markdown, &Limits::default());
        println!("{:?} after {:?}", &text[..8], start.elapsed());
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
}

proptest::proptest! {
    /// Every word between Markdown markup is in the text.
    #[test]
    fn no_word_is_lost(parts in proptest::collection::vec((0usize..24, 0u16..1000), 1..40)) {
        let signs = [
            "\n\n", "\n", "---\n", "\n\n---\n\n", "# ", "- ", "> ", "| ", " | ", "\n|---|---|\n", "`", "```\n", "**", "_", "~~", "$",
            "<x>", "<br>", "1. ", "    ", "* ", "+ ", "+++\n", ": ",
        ];
        let source: String = parts.iter().map(|(sign, word)| format!("{}w{word}q ", signs[*sign])).collect();
        let text = of(&source).text;
        for (_, word) in parts {
            proptest::prop_assert!(text.contains(&format!("w{word}q")), "{source:?} gave {text:?}");
        }
    }
}
