//! Tells answers from weak matches.
//!
//! A vector search always returns something. A hit is a weak match if its similarity is at chance level (the floor
//! measured by the base's self-test) and it has fewer than half of the query's words.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use crate::{SearchHit, model::searchable_text, store::bases::Searchable};
use vectors::{Word, analyze, words};

/// Share of the query's words that makes a match regardless of the vectors.
const ENOUGH_WORDS: f64 = 0.5;

/// Vector evidence of a search: the similarity of each chunk, and the floor of the searched bases.
pub(super) struct Meaning {
    pub near: HashMap<Uuid, f64>,
    /// `None` if no base has been measured yet: then no vector hit is called weak.
    pub floor: Option<f64>,
}

/// Marks weak matches and moves them behind the others, keeping the order otherwise. `meaning` is `None` for a
/// full-text search.
pub(super) fn mark(hits: &mut [SearchHit], query: &str, meaning: Option<&Meaning>) {
    let words = words(query);
    for hit in hits.iter_mut() {
        let means_it = meaning.is_some_and(|meaning| match (meaning.floor, meaning.near.get(&hit.chunk_id.0)) {
            (None, near) => near.is_some(),
            (Some(floor), near) => near.is_some_and(|near| *near > floor),
        });
        hit.weak = !means_it && share(&words, hit) < ENOUGH_WORDS;
    }
    hits.sort_by_key(|hit| hit.weak);
}

/// The lowest floor of all bases, so that a chunk is not called weak because of another base.
pub(super) fn floor(bases: &[Searchable], query: &str) -> Option<f64> {
    let floors = bases.iter().map(|base| base.weights.as_ref().and_then(|weights| weights.0.for_query(query).floor));
    floors.collect::<Option<Vec<f64>>>()?.into_iter().min_by(f64::total_cmp)
}

/// The share of the query's words that a chunk has, 0 to 1.
fn share(words: &[Word], hit: &SearchHit) -> f64 {
    let all: usize = words.iter().map(Word::weight).sum();
    if all == 0 {
        return 0.0;
    }
    let own = analyze(&searchable_text(&hit.heading, hit.table_header.as_deref(), &hit.text));
    let own: HashSet<&str> = own.split(' ').collect();
    let found: usize = words.iter().map(|word| word.found_in(&own)).sum();
    found as f64 / all as f64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use vectors::{Word, analyze, words};

    /// How many of the query's words a text has, and how many the query has.
    fn found(text: &str, query: &str) -> (usize, usize) {
        let (own, words) = (analyze(text), words(query));
        let own: HashSet<&str> = own.split(' ').collect();
        (words.iter().map(|word| word.found_in(&own)).sum(), words.iter().map(Word::weight).sum())
    }

    #[track_caller]
    fn all(text: &str, query: &str) {
        let (found, of) = found(text, query);
        assert!(of > 0 && found == of, "{query:?} in {text:?}: {found} of {of}, {:?}", words(query));
    }

    #[track_caller]
    fn none(text: &str, query: &str) {
        let (found, of) = found(text, query);
        assert!(of > 0 && found == 0, "{query:?} in {text:?}: {found} of {of}, {:?}", words(query));
    }

    #[test]
    fn spelling_variants_count_once() {
        for (query, count) in [
            ("upgrade to v1.2.3", 2),
            ("10kg of flour", 2),
            ("send an e-mail", 2),
            ("the R&D team", 2),
            ("1 000 000 строк", 2),
            ("ISBN 978-3-16-148410-0", 2),
            ("C++ code", 2),
            ("the and of", 0),
            ("из-за чего", 0),
        ] {
            assert_eq!(words(query).iter().map(Word::weight).sum::<usize>(), count, "{query}: {:?}", words(query));
        }
        let Word::One { forms, .. } = &words("v1.2.3")[0] else { panic!() };
        assert_eq!(forms, &["v1.2.3", "1.2.3"]);
    }

    #[test]
    fn a_small_part_does_not_match_the_word() {
        for (text, query) in [
            ("see 1.2.3", "v1.2.3"),
            ("10 kg of flour", "10kg"),
            ("as RFC 9110 says", "RFC9110"),
            ("the user name that we get", "getUserName"),
            ("the error 7731", "E7731"),
            ("le niveau de l'eau", "eau"),
        ] {
            all(text, query);
        }
        for (text, query) in [
            ("id 4e 6-1 e", "E7731"),
            ("0 of x", "0x80070005"),
            ("10 boxes", "10kg"),
            ("many boxes", "10boxes"),
            ("a name", "getUserName"),
            ("the letter q", "Q&A"),
        ] {
            none(text, query);
        }
    }

    #[test]
    fn symbols_distinguish_names() {
        for (text, query) in [
            ("written in C++17", "C++"),
            ("С++ кириллицей", "C++"),
            ("C# 12 and F#", "C#"),
            ("ASP.NET Core", ".NET"),
            ("the (.NET) runtime", ".NET"),
            ("a .NET, and more", ".net"),
        ] {
            all(text, query);
        }
        for (text, query) in [
            ("vitamin C and C#", "C++"),
            ("the C language, C++", "C#"),
            ("group F", "F#"),
            ("a fishing net", ".NET"),
            ("C++ and F#", "C#"),
        ] {
            none(text, query);
        }
        assert_eq!(found("vitamin C is good", "C++ templates"), (0, 2));
    }

    #[test]
    fn codes_match_with_and_without_separators() {
        for (text, query) in [
            ("ISBN 9783161484100", "978-3-16-148410-0"),
            ("ISBN 978-3-16-148410-0", "9783161484100"),
            ("телефон 8-800-555-35-35", "88005553535"),
            ("part AB123", "AB-123"),
            ("part AB‑123‑X", "AB123X"),
            ("деталь СВ-1234", "CB1234"),
            ("part CB1234", "СВ-1234"),
            ("деталь АВС-123", "ABC123"),
            ("part ABC-123", "АВС-123"),
            ("модель К7", "K7"),
            ("an e-mail", "email"),
            ("mail it", "e-mail"),
            ("E\u{200d}7731\u{feff}", "E7731"),
            ("a\u{2060}b\u{200e}c", "abc"),
            ("total 1 000,50", "1000.50"),
            ("1 000kg of coal", "1000kg"),
        ] {
            all(text, query);
        }
        none("pages 4 and 5", "45");
    }

    #[test]
    fn scripts_without_spaces_are_compared_by_bigrams() {
        for (text, query) in [
            ("这是一个测试。", "测试"),
            ("把機器推論洗成權威事實", "權威事實"),
            ("データベースの設定", "データ"),
            ("リンゴを食べます", "食べる"),
            ("เขากำลังกินข้าว", "กินข้าว"),
            ("번역을 부탁해", "번역"),
            ("번역을 부탁해", "번역이"),
            ("물은 차갑다", "물"),
            ("12월에는 춥다", "12월"),
            ("铁路12306", "12306"),
            ("水", "水"),
            ("飲み水です", "水"),
        ] {
            all(text, query);
        }
        // Single shared characters are not a matching word.
        none("年的请休申假", "申请年假");
        none("ราคา", "กินข้าว");
        let (found, of) = found("员工申请带薪年假需提前三天", "如何申请年假");
        assert!(found * 2 >= of, "{found} of {of}");
    }
}
