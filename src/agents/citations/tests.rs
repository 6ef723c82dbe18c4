use proptest::prelude::*;

use super::*;

/// The sources that a text cites, out of three.
fn cited(text: &str) -> Vec<u32> {
    marks(text, |n| (1..=3).contains(&n)).into_iter().flat_map(|mark| mark.numbers).collect()
}

#[test]
fn what_names_sources_in_running_text_is_a_citation() {
    for (text, expected) in [
        ("It is so [1].", vec![1]),
        ("It is so[1].", vec![1]),
        ("28 days[1], and more[2]", vec![1, 2]),
        ("[1] It is so.", vec![1]),
        ("Two [1][2] and [3]", vec![1, 2, 3]),
        ("Two [1, 2]", vec![1, 2]),
        ("Two [1,2], [1; 3] and [1 and 2]", vec![1, 2, 1, 3, 1, 2]),
        ("All [1-3] and [1–2]", vec![1, 2, 3, 1, 2]),
        ("Wide 【1】 and 【2†source】 and ［３］", vec![1, 2, 3]),
        ("【1†L3-L9】 [2†handbook.md]", vec![1, 2]),
        ("Notes [^1] and [^2, ^3]", vec![1, 2, 3]),
        ("[source 1] (source 2) [Sources: 1, 3] [Source #2]", vec![1, 2, 1, 3, 2]),
        ("Так [источник 1], (источник 2) и [Источники 1, 3].", vec![1, 2, 1, 3]),
        ("Ссылка [2], и всё. Дней[1].", vec![2, 1]),
        ("**Bold [1]** and *[2]* and ~~[3]~~", vec![1, 2, 3]),
        ("| a | b |\n|---|---|\n| x [1] | [2] |", vec![1, 2]),
        ("# Heading [1]\n\n- item [2]\n> quoted. [3]", vec![1, 2, 3]),
        ("Doubled [[1]].", vec![1]),
        ("On page [1, p. 5] and [2, с. 7]", vec![1, 2]),
        ("It costs $5 [1] and $6 [2].", vec![1, 2]),
        ("as described in [1, 2]", vec![1, 2]),
        ("Sources: [1], [2]", vec![1, 2]),
        ("Version 2.0[1] (see above)[2] «так»[3]", vec![1, 2, 3]),
        ("He said \"so\"[1].", vec![1]),
        ("- [x] done [1]\n- [ ] open [2]", vec![1, 2]),
        ("[1] [2]\n\n[1]: handbook.md\n[2]: other.pdf", vec![1, 2]),
        ("PostgreSQL[1] and JavaScript[2]", vec![1, 2]),
        ("as handbook.md[1] and example.org[2] say", vec![1, 2]),
        ("You have 28 days to return [1].", vec![1]),
        ("So it is [citation:1][citation: 2] and [^3^].", vec![1, 2, 3]),
    ] {
        assert_eq!(cited(text), expected, "{text}");
    }
}

#[test]
fn what_is_something_else_is_no_citation() {
    for text in [
        "`a[1]` and ``b [2]``",
        "```rust\nlet x = a [1];\n```",
        "~~~\n[1]\n~~~",
        "Code:\n\n    see [1]\n\nend",
        "- item\n\n  ```\n  [1]\n  ```",
        "```\nnever closed [1]",
        "A [2](https://example.org) and [1](/x)",
        "A [text [1]](https://example.org)",
        "![1](x.png)",
        "See [2].\n\n[2]: https://example.org",
        "Cut off [2](https://exam",
        "Noted[^1].\n\n[^1]: My own note [2].",
        "return [1]\n  return [2, 3]",
        "arr[1], my_list[2], x[1], sys.argv[1], myList[2], f(x)[1], rows[0][1]",
        "ports = [1, 2]",
        "{\"a\": [1, 2]}",
        "[0, 1] and [8080, 9090] and [2019] and [1, 9] and [4]",
        "in the range [1, 3]; отрезок [1, 2]; values [1, 2, 3]; x in [1, 2]",
        "x ∈ [1, 2] and [1, 2] ∪ [2, 3]",
        "matrix [[1, 2], [2, 3]]",
        "$a[1]$ and $$x = [2]$$ and \\(y[1]\\) and \\[ z [2] \\]",
        "escaped \\[1\\] and \\[1]",
        "[1a] [a1] [1.5] [-1] [+1] [] [ ] [x] [1..3] [01234]",
        "(1) and (2)",
        "https://example.org/a[1] too",
        "<b title=\"[1]\">",
        "<!-- [1] -->",
        "[1].map and [2].length",
    ] {
        assert_eq!(cited(text), Vec::<u32>::new(), "{text}");
    }
}

#[test]
fn history_loses_its_citations_and_nothing_else() {
    let without = |text: &str| without_marks(text, |n| n <= 8);
    assert_eq!(without("28 days [1]. More [2][3]!"), "28 days. More!");
    let kept = "Set `ports = [8080, 9090]`, read `arr[0]`, see [2019], [2](https://x.org).";
    assert_eq!(without(kept), kept);
}

#[test]
fn marks_stand_where_they_say() {
    let text = "Так [1] и 【2†source】 и [[3]].";
    let found = marks(text, |_| true);
    let parts: Vec<&str> = found.iter().map(|mark| &text[mark.range.clone()]).collect();
    assert_eq!(parts, ["[1]", "【2†source】", "[[3]]"]);
}

proptest! {
    #[test]
    fn any_text_is_read_and_its_marks_do_not_overlap(text in "[\\[\\]\\(\\)0-9a-cж`$\\\\:^†【】\n ,-]{0,80}") {
        let found = marks(&text, |n| n < 10);
        for pair in found.windows(2) {
            prop_assert!(pair[0].range.end <= pair[1].range.start);
        }
        for mark in &found {
            prop_assert!(text.get(mark.range.clone()).is_some() && !mark.numbers.is_empty());
        }
        without_marks(&text, |n| n < 10);
    }
}
