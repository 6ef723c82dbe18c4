use proptest::prelude::*;

use super::*;

/// Text and thinking as a reader collects them.
fn split_with(assumed: bool, pieces: &[&str], cut: bool) -> (String, String) {
    let mut splitter = Splitter::new(assumed);
    let (mut text, mut thinking) = (String::new(), String::new());
    let mut found: Vec<Piece> = pieces.iter().flat_map(|piece| splitter.push(piece)).collect();
    found.extend(splitter.finish(cut));
    for piece in found {
        match piece {
            Piece::Text(t) => text.push_str(&t),
            Piece::Thinking(t) => thinking.push_str(&t),
            Piece::WasThinking(n) => thinking.push_str(&text.split_off(text.len() - n)),
            Piece::WasText(n, tag) => {
                let was = thinking.split_off(thinking.len() - n);
                text.push_str(&tag);
                text.push_str(&was);
            }
        }
    }
    (text, thinking)
}

fn split(text: &str) -> (String, String) {
    split_with(false, &[text], false)
}

const CASES: &[(&str, &str, &str)] = &[
    ("Plain [1] a < b, <b>x</b>.", "Plain [1] a < b, <b>x</b>.", ""),
    ("<think>a [2]</think>\n\nAnswer [1].", "Answer [1].", "a [2]"),
    ("\n <think>\na\n</think>\nAnswer", "Answer", "\na\n"),
    ("<thinking >a</thinking>b", "b", "a"),
    ("<THINK>a</Think>b", "b", "a"),
    ("<think source=\"m\">a</think>b", "b", "a"),
    ("<think></think>b", "b", ""),
    ("<think>\n\n</think>\n\nb", "b", "\n\n"),
    ("a so [2].</think>The answer.", "The answer.", "a so [2]."),
    ("a\nb\n</think>\n\nThe answer.", "The answer.", "a\nb\n"),
    ("He said \"yes\"</think>The answer.", "The answer.", "He said \"yes\""),
    ("uses `x`</think>The answer.", "The answer.", "uses `x`"),
    ("</think>The answer.", "The answer.", ""),
    ("<think>a<think>b</think>c</think>Answer", "Answer", "a<think>bc"),
    ("<think>never closed", "", "never closed"),
    ("<think>a</think>b\n<think>c</think>d", "b\nd", "ac"),
    ("Sure. <think>a</think>b", "Sure. b", "a"),
    ("Sure <think>so it is</think>b", "Sure b", "so it is"),
    ("Sure <think>\na\nb</think>c", "Sure c", "\na\nb"),
    ("It is between <think> and </think> tags.", "It is between <think> and </think> tags.", ""),
    ("It emits <think>...</think> first.", "It emits <think>...</think> first.", ""),
    ("It opens with <think> alone.\nMore.", "It opens with <think> alone.\nMore.", ""),
    ("It ends with </think> and goes on.", "It ends with </think> and goes on.", ""),
    ("Use `<think>` and `</think>`.", "Use `<think>` and `</think>`.", ""),
    ("Use ``<think>`` there", "Use ``<think>`` there", ""),
    ("Tag \"<think>\" and \"</think>\".", "Tag \"<think>\" and \"</think>\".", ""),
    ("```\n<think>x</think>\n```\nend", "```\n<think>x</think>\n```\nend", ""),
    ("- a\n  ~~~xml\n  <think>\n  ~~~\nend", "- a\n  ~~~xml\n  <think>\n  ~~~\nend", ""),
    ("Code:\n\n    <think>x</think>\n\nend", "Code:\n\n    <think>x</think>\n\nend", ""),
    ("<think>the tag `</think>` ends it</think>Answer", "Answer", "the tag `</think>` ends it"),
    ("<think>a</think>See `<think>`.", "See `<think>`.", "a"),
    ("Then\n<think> is a tag that opens.", "Then\n<think> is a tag that opens.", ""),
    ("[THINK]a[/THINK]b", "b", "a"),
    ("\u{25c1}think\u{25b7}a\u{25c1}/think\u{25b7}b", "b", "a"),
    ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>", "b", "a"),
    ("<|channel|>final<|message|>b", "b", ""),
    ("<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>b<|end_of_solution|>", "b", "a"),
    ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>b<|END_RESPONSE|>", "b", "a"),
    ("<reasoning>a</reasoning>b", "b", "a"),
    ("<details type=\"reasoning\" done=\"true\">\na\n</details>\nb", "b", "\na\n"),
    ("<details><summary>s</summary>a</details>\nb", "<details><summary>s</summary>a</details>\nb", ""),
    ("<thinking/>b", "b", ""),
    ("<thinker>a</thinker>b <thin", "<thinker>a</thinker>b <thin", ""),
    ("Dict[str, int] and [THI", "Dict[str, int] and [THI", ""),
    ("<think>думаю [2]</think>Ответ [1].", "Ответ [1].", "думаю [2]"),
];

#[test]
fn thinking_is_taken_out_and_nothing_else() {
    for (given, text, thinking) in CASES {
        assert_eq!(split(given), ((*text).to_owned(), (*thinking).to_owned()), "{given:?}");
    }
}

#[test]
fn a_cut_at_every_place_changes_nothing() {
    for (given, text, thinking) in CASES {
        let expected = ((*text).to_owned(), (*thinking).to_owned());
        for at in (0..given.len()).filter(|at| given.is_char_boundary(*at)) {
            assert_eq!(split_with(false, &[&given[..at], &given[at..]], false), expected, "{given:?} cut at {at}");
        }
        let single: Vec<String> = given.chars().map(String::from).collect();
        let single: Vec<&str> = single.iter().map(String::as_str).collect();
        assert_eq!(split_with(false, &single, false), expected, "{given:?} in characters");
    }
}

#[test]
fn thinking_that_is_cut_off_stays_thinking() {
    assert_eq!(split_with(false, &["Well.\n<think>a"], true), ("Well.\n".into(), "a".into()));
    assert_eq!(split_with(true, &["a so"], true), (String::new(), "a so".into()));
}

#[test]
fn a_model_that_opens_with_no_tag_is_believed_until_it_shows_otherwise() {
    assert_eq!(split_with(true, &["a so</think>", "b"], false), ("b".into(), "a so".into()));
    assert_eq!(split_with(true, &["<think>a</think>b"], false), ("b".into(), "a".into()));
    assert_eq!(split_with(true, &["The ", "answer."], false), ("The answer.".into(), String::new()));
}

proptest! {
    #[test]
    fn no_cut_changes_what_is_found(parts in prop::collection::vec(prop::sample::select(vec!["<think>", "</think>", "`", "```", "\n", "\n\n", " ", "a", "Б.", "\"", "<", "[1]", "[THINK]", "[/THINK]", "</thinking>", "    ", "<|end|>", "and"]), 0..14), cuts in prop::collection::vec(0_usize..90, 0..6), assumed: bool, cut: bool) {
        let text = parts.concat();
        let mut places: Vec<usize> = cuts.into_iter().filter(|at| *at <= text.len() && text.is_char_boundary(*at)).chain([0, text.len()]).collect();
        places.sort_unstable();
        let pieces: Vec<&str> = places.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        prop_assert_eq!(split_with(assumed, &pieces, cut), split_with(assumed, &[&text], cut));
    }

    #[test]
    fn a_text_without_marks_is_kept(text in "[a-z`<>/ \n\\[\\]0-9|ж]{0,80}") {
        prop_assume!(!text.to_lowercase().contains("think"));
        let (kept, thinking) = split(&text);
        prop_assert_eq!((kept.as_str(), thinking.as_str()), (if text.trim().is_empty() { "" } else { text.as_str() }, ""));
    }
}
