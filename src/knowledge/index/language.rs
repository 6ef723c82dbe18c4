//! Language detection, used as the key of search weights.

use whatlang::{Detector, Lang};

/// ISO 639-3 code of the language (`eng`, `rus`), or `None` if whatlang is unsure: too short, a listing, a table.
///
/// With `among`, only these languages are considered; this makes short queries decidable, since a base has only a few.
pub fn language_of(text: &str, among: &[&str]) -> Option<&'static str> {
    let allowed: Vec<Lang> = among.iter().filter_map(|code| Lang::from_code(*code)).collect();
    if allowed.is_empty() {
        return whatlang::detect(text).filter(whatlang::Info::is_reliable).map(|info| info.lang().code());
    }
    // Latin names occur in texts of any language, so words in another script decide alone.
    let own: Vec<&str> = text.split_whitespace().filter(|word| word.chars().any(is_other_script)).collect();
    let text = if own.is_empty() { text.to_owned() } else { own.join(" ") };
    Detector::with_allowlist(allowed).detect(&text).map(|info| info.lang().code())
}

/// A letter that is not Latin.
fn is_other_script(c: char) -> bool {
    c.is_alphabetic()
        && !matches!(c, 'a'..='z' | 'A'..='Z' | '\u{aa}' | '\u{ba}' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_latin_letters_do_not_make_a_question_english() {
        for question in [
            "Как настроить Kubernetes Ingress Controller и cert-manager?",
            "Где в GitLab CI/CD Pipeline Editor задать переменную?",
            "Что такое Merge Request Approval Rules?",
        ] {
            assert_eq!(language_of(question, &["eng", "rus"]), Some("rus"), "{question}");
        }
    }

    #[test]
    fn a_latin_question_is_detected_by_all_its_words() {
        assert_eq!(language_of("How do I approve a merge request?", &["eng", "rus"]), Some("eng"));
        assert_eq!(language_of("Où peut-on télécharger le règlement intérieur ?", &["eng", "fra"]), Some("fra"));
    }
}
