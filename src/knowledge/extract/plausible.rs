//! Whether a text looks like words of a language, or like the numbers of glyphs and misread encodings.
//!
//! Judged without a dictionary: letters, their alternation with vowels, and scripts that do not mix within a word.

/// Fewer words than this cannot be judged.
const FEWEST_WORDS: usize = 20;

/// Share of the words with letters that look like words, 0 to 1; `None` where there are too few.
pub(super) fn share(text: &str) -> Option<f32> {
    let words = || {
        text.split_whitespace().filter(|word| word.chars().any(|c| !c.is_ascii_digit() && !c.is_ascii_punctuation()))
    };
    let (all, good) = words()
        .take(100_000)
        .fold((0usize, 0usize), |(all, good), word| (all + 1, good + usize::from(is_plausible(word))));
    (all >= FEWEST_WORDS).then(|| good as f32 / all as f32)
}

fn is_plausible(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    let others = word.chars().filter(|c| !c.is_alphanumeric() && !"'’-./_@:".contains(*c)).count();
    // A word of punctuation alone (a dash, a bullet) says nothing.
    word.is_empty() || (letters > 0 && others * 4 <= letters)
}
