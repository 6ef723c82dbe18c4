use super::*;

#[test]
fn both_languages_are_stemmed_in_one_text() {
    assert_eq!(analyze("Running servers were configured"), "run server configur");
    assert_eq!(analyze("Настройка сетевых серверов"), analyze("настройки СЕТЕВОЙ сервер"));
    assert_eq!(analyze("Установка Docker на серверах"), "установк docker сервер");
    assert_eq!(analyze("ещё всё моё ЁЖ"), analyze("еще все мое еж"));
}

#[test]
fn marks_that_hide_a_word_are_dropped() {
    assert_eq!(analyze("за\u{301}мок со\u{ad}единение"), analyze("замок соединение"));
    assert_eq!(analyze("ﬁle"), analyze("file"), "ligatures of a PDF");
    assert_eq!(analyze("user’s"), analyze("users"));
}

#[test]
fn names_are_found_whole_and_in_parts() {
    assert_eq!(analyze("main.rs max_rows"), "main.r main rs max_row max row");
    assert_eq!(analyze("3.14"), "3.14");
}

#[test]
fn what_is_not_a_word_vanishes() {
    for nothing in ["", "   ", "\"'()*+-:^~\\", "the and of", "и в не", "AND OR NOT\u{301}", "🙂"] {
        let terms = analyze(nothing);
        assert!(terms.is_empty(), "{nothing:?} gave {terms:?}");
    }
    assert_eq!(analyze(&"x".repeat(65)), "");
}
