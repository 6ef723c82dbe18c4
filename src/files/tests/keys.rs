use crate::{Conditions, EtagList, Key, KeyProblem, after, is_active, sniff};
use proptest::prelude::*;

#[test]
fn a_key_is_any_text_and_is_kept_as_it_is() {
    let longest = "я".repeat(512);
    for text in
        ["a", "/", "//", "..", "a/../b", " a ", ".", "a.", "\u{1}", "\\", "%2F", "e\u{301}", "\u{10ffff}", &longest]
    {
        assert_eq!(Key::parse(text).unwrap().as_str(), text);
    }
    assert_eq!(Key::parse(""), Err(KeyProblem::Empty));
    assert_eq!(Key::parse(format!("{longest}a")), Err(KeyProblem::TooLong(1025)));
    assert_eq!(Key::parse("ab\0"), Err(KeyProblem::Nul(2)));
    for (key, name) in [("a/b.pdf", "b.pdf"), ("a/b/", "b"), ("b", "b"), ("//", "file")] {
        assert_eq!(Key::parse(key).unwrap().file_name(), name, "{key}");
    }
}

#[test]
fn after_a_prefix_comes_the_next_text() {
    let last = '\u{10ffff}';
    for (prefix, next) in [
        ("a", Some("b".to_owned())),
        (&format!("a{last}{last}"), Some("b".to_owned())),
        ("\u{d7ff}", Some("\u{e000}".to_owned())),
        ("a/", Some("a0".to_owned())),
        ("", None),
        (&last.to_string(), None),
    ] {
        assert_eq!(after(prefix), next, "{prefix:?}");
    }
}

proptest! {
    #[test]
    fn nothing_lies_between_a_prefix_and_what_comes_after_it(prefix in "\\PC{1,4}", rest in "\\PC{0,4}", other in "\\PC{0,6}") {
        if let Some(next) = after(&prefix) {
            prop_assert!(format!("{prefix}{rest}") < next);
            // What is neither before the prefix nor at the next text begins with it.
            if other >= prefix && other < next {
                prop_assert!(other.starts_with(&prefix));
            }
        }
    }
}

#[test]
fn conditions_are_about_what_is_there() {
    let these = |list: &[&str]| Some(EtagList::These(list.iter().map(|etag| (*etag).to_owned()).collect()));
    let permits = |if_match, if_none_match, etag| Conditions { if_match, if_none_match }.permit(etag);
    assert!(permits(None, None, None) && permits(None, None, Some("a")));
    assert!(permits(None, Some(EtagList::Any), None) && !permits(None, Some(EtagList::Any), Some("a")));
    assert!(permits(Some(EtagList::Any), None, Some("a")) && !permits(Some(EtagList::Any), None, None));
    assert!(permits(these(&["b", "a"]), None, Some("a")) && !permits(these(&["b"]), None, Some("a")));
    assert!(permits(None, these(&["b"]), Some("a")) && !permits(None, these(&["a"]), Some("a")));
}

#[test]
fn what_a_browser_would_run_is_known_by_its_content_and_by_its_name() {
    let page = "\u{feff} <!-- x --> <SVG onload=alert(1)>";
    assert!(sniff(page.as_bytes()).active);
    assert!(is_active("image/png", sniff(b"<!DOCTYPE html><p>")), "whatever it is called");
    for declared in
        ["text/html; charset=utf-8", "IMAGE/SVG+XML", "application/xhtml+xml", "text/javascript", "text/xml"]
    {
        assert!(is_active(declared, sniff(b"plain")), "{declared}");
    }
    for (content, media_type) in [
        (&b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
        (b"RIFF....WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"plain text", ""),
        (b"", ""),
    ] {
        let sniffed = sniff(content);
        assert_eq!((sniffed.media_type, sniffed.active), (media_type, false));
    }
    assert!(!is_active("image/png", sniff(b"\x89PNG\r\n\x1a\n")));
}
