//! `builtin/extractive`: answers by quoting the sentences of the retrieved chunks that fit the question best.
//!
//! No language model: an installation without a provider is useful from its first minute, and says what it is. Words
//! are compared by their first letters (a crude stem that works for English and Russian), weighted by their rarity
//! among the sentences; if no sentence matches enough of the question, the answer is that the documents do not say.
//! Weak matches are not quoted: words shared with the question would make them look like its answer.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use serde_json::Map;

use super::{
    backend::{ChatStream, ModelBackend},
    error::LlmError,
    model::{BackendKind, CallContext, ModelInfo, Passage, estimate_tokens},
    wire::{ChatChunk, ChatRequest, Chunk, ChunkChoice, Delta, Original, Usage},
};
use platform::{
    clock::Clock,
    ids::{self, OrgId},
};

pub(super) const PREFIX: &str = "builtin";
const NAME: &str = "extractive";
/// The model's full name.
pub const MODEL: &str = "builtin/extractive";

/// Most sentences in an answer.
const MAX_QUOTES: usize = 3;
/// A quote must cover this share of the question's weight; measured on questions whose answer is in the chunks (0.4 and
/// more) and ones whose answer is not (0.25 and less).
const MIN_COVERAGE: f64 = 0.34;
/// Further quotes must score at least this fraction of the best.
const NEARLY_AS_GOOD: f64 = 0.75;
/// Longest quote, characters: a table without full stops is one "sentence".
const MAX_QUOTE_CHARS: usize = 600;
/// Letters of a word that count; endings vary after them.
const STEM_CHARS: usize = 5;

/// Words that carry no meaning for the search, stemmed like all words.
const STOP_WORDS: &str = "a an the of to in on at by for from with and or not no is are was were be been do does did has have had can could \
    will would shall should may might must i you he she it we they me my your our their his her its this that these those there here what \
    which who whom whose when where why how much many long any some as if than then so about into over under please tell give say says \
    и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне было вот от меня еще нет о из ему когда \
    даже ну ли если или ни быть был него до вас нибудь опять уж вам ведь там потом себя ничего ей может они тут где есть надо ней для мы \
    тебя их чем была сам чтоб без будто чего раз тоже себе под будет ж тогда кто этот того потому этого какой какая какие каков совсем ним \
    здесь этом один почти мой тем чтобы нее сколько зачем всех можно при об это эта эти моя какую каком каких который которая которые расскажи скажи";

/// The backend of the prefix `builtin/`.
pub(super) struct Extractive {
    clock: Clock,
}

impl Extractive {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl ModelBackend for Extractive {
    fn kind(&self) -> BackendKind {
        BackendKind::Builtin
    }

    async fn models(&self, _: OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        Ok(vec![ModelInfo { id: MODEL.to_owned(), owned_by: "holdfast".to_owned() }])
    }

    async fn stream(&self, call: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        if model != NAME {
            return Err(LlmError::UnknownModel(format!("{PREFIX}/{model}")));
        }
        let Some(passages) = &call.passages else {
            return Err(LlmError::invalid(
                "model",
                "passages_required",
                "builtin/extractive only quotes documents and cannot chat: use it through an agent with a knowledge base, or configure a provider",
            ));
        };
        let question = call.question.clone().unwrap_or_else(|| request.question());
        let answer = answer(&question, passages);
        let prompt = passages.iter().map(|p| estimate_tokens(&p.text)).sum::<u64>() + estimate_tokens(&question);
        let usage = Usage::new(prompt, estimate_tokens(&answer));
        let chunks = chunks(
            &answer,
            &format!("chatcmpl-{}", ids::new_uuid(&self.clock).simple()),
            self.clock.now().timestamp(),
            usage,
        );
        Ok(ChatStream::new(futures::stream::iter(chunks.into_iter().map(Ok))))
    }
}

/// The answer in chunks of a few words, as a model would stream it.
fn chunks(answer: &str, id: &str, created: i64, usage: Usage) -> Vec<Chunk> {
    let chunk = |delta: Delta, finish_reason: Option<String>| ChatChunk {
        id: id.to_owned(),
        object: "chat.completion.chunk".to_owned(),
        created,
        model: MODEL.to_owned(),
        choices: vec![ChunkChoice { index: 0, delta, finish_reason, extra: Map::new() }],
        ..ChatChunk::default()
    };
    let text = |text: &str| Delta { content: Some(text.to_owned()), ..Delta::default() };
    let mut out = vec![chunk(Delta { role: Some("assistant".to_owned()), ..text("") }, None)];
    let words: Vec<&str> = answer.split_inclusive(' ').collect();
    out.extend(words.chunks(4).map(|few| chunk(text(&few.concat()), None)));
    out.push(chunk(Delta::default(), Some("stop".to_owned())));
    out.push(ChatChunk { choices: Vec::new(), usage: Some(usage), ..chunk(Delta::default(), None) });
    out.into_iter().map(Original::made).collect()
}

/// Fixed texts in one language.
struct Wording {
    quotes: &'static str,
    nothing: &'static str,
}

const ENGLISH: Wording = Wording {
    quotes: "No language model is configured, so these are the passages that fit your question best:",
    nothing: "The documents do not say. (No language model is configured: answers are quoted from the documents word for word.)",
};
const RUSSIAN: Wording = Wording {
    quotes: "Языковая модель не настроена, поэтому вот отрывки, которые лучше всего подходят к вопросу:",
    nothing: "В документах нет ответа на этот вопрос. (Языковая модель не настроена: ответы дословно цитируются из документов.)",
};

fn wording_for(question: &str) -> &'static Wording {
    let cyrillic = question.chars().filter(|c| ('\u{0400}'..='\u{04ff}').contains(c)).count();
    let latin = question.chars().filter(char::is_ascii_alphabetic).count();
    if cyrillic > latin { &RUSSIAN } else { &ENGLISH }
}

/// The whole answer to a question.
pub(super) fn answer(question: &str, passages: &[Passage]) -> String {
    let words = wording_for(question);
    let quotes = best_sentences(question, passages);
    if quotes.is_empty() {
        return words.nothing.to_owned();
    }
    let lines: Vec<String> = quotes.iter().map(|quote| format!("> {} [{}]", quote.text, quote.mark)).collect();
    format!("{}\n\n{}", words.quotes, lines.join("\n\n"))
}

#[derive(Debug, PartialEq)]
struct Quote {
    text: String,
    /// Number of the chunk, from 1.
    mark: usize,
}

/// A sentence: index of its chunk, text, stems.
type Sentence = (usize, String, HashSet<String>);

/// The sentences that match the question best, best first; empty when none matches enough.
fn best_sentences(question: &str, passages: &[Passage]) -> Vec<Quote> {
    let asked = stems(question);
    // A title names the subject and is rarely repeated in the sentences: its words count half.
    let titles: Vec<HashSet<String>> = passages.iter().map(|p| stems(&p.title)).collect();
    let sentences: Vec<Sentence> = passages
        .iter()
        .enumerate()
        .filter(|(_, p)| !p.weak)
        .flat_map(|(at, p)| sentences(&p.text).into_iter().map(move |s| (at, s)))
        .map(|(at, s)| (at, s.to_owned(), stems(s)))
        .collect();
    let mut frequency: HashMap<&str, usize> = HashMap::new();
    for (_, _, stems) in &sentences {
        for stem in stems {
            *frequency.entry(stem).or_default() += 1;
        }
    }
    let weight = |stem: &String| {
        let count = frequency.get(stem.as_str()).copied().unwrap_or_default();
        (1.0 + sentences.len() as f64 / (1.0 + count as f64)).ln()
    };
    let total: f64 = asked.iter().map(weight).sum();
    if asked.is_empty() || sentences.is_empty() {
        return Vec::new();
    }
    let coverage = |at: usize, stems: &HashSet<String>| {
        let held = |stem: &String| {
            if stems.contains(stem) {
                1.0
            } else if titles[at].contains(stem) {
                0.5
            } else {
                0.0
            }
        };
        asked.iter().map(|stem| weight(stem) * held(stem)).sum::<f64>() / total
    };
    let mut ranked: Vec<(f64, &Sentence)> = sentences
        .iter()
        // Headings and captions contain the question's words but no answer.
        .filter(|(_, text, stems)| {
            stems.len() > 1 && !text.starts_with('#') && stems.iter().any(|s| !asked.contains(s))
        })
        .map(|s| (coverage(s.0, &s.2), s))
        .filter(|(score, (_, _, stems))| *score >= MIN_COVERAGE && stems.iter().any(|s| asked.contains(s)))
        .collect();
    // Stable: of equals, the chunk that retrieval ranked higher comes first.
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let best = ranked.first().map_or(0.0, |(score, _)| *score);
    let mut quotes: Vec<Quote> = Vec::new();
    for (_, (at, text, _)) in ranked.into_iter().filter(|(score, _)| *score >= best * NEARLY_AS_GOOD) {
        let text = shortened(text);
        if quotes.len() < MAX_QUOTES && quotes.iter().all(|q| q.text != text) {
            quotes.push(Quote { text, mark: at + 1 });
        }
    }
    quotes
}

/// Stems of the meaningful words.
fn stems(text: &str) -> HashSet<String> {
    let lower = text.to_lowercase().replace('ё', "е");
    lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && STOP_WORDS.split_whitespace().all(|stop| stop != *word))
        .filter(|word| word.chars().count() > 1 || word.chars().all(char::is_numeric))
        .map(|word| word.chars().take(STEM_CHARS).collect())
        .collect()
}

/// Splits into sentences: up to a full stop, question or exclamation mark before a space, or a line's end.
/// Abbreviations sometimes split too early; a quote is then a little short, never wrong.
fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for paragraph in text.split("\n\n").flat_map(|p| if is_prose(p) { vec![p] } else { p.lines().collect() }) {
        let mut start = 0;
        let mut chars = paragraph.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let ends = matches!(c, '.' | '!' | '?' | '…') && chars.peek().is_none_or(|(_, next)| next.is_whitespace());
            if ends {
                out.push(paragraph[start..at + c.len_utf8()].trim());
                start = at + c.len_utf8();
            }
        }
        out.push(paragraph[start..].trim());
    }
    out.retain(|s| !s.is_empty());
    out
}

/// Whether a paragraph's lines only wrap, as opposed to list items, table rows or a heading.
fn is_prose(paragraph: &str) -> bool {
    paragraph.lines().all(|line| !line.trim_start().starts_with(['-', '*', '|', '#', '•']))
}

/// On one line, shortened to [`MAX_QUOTE_CHARS`].
fn shortened(sentence: &str) -> String {
    let line = sentence.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = line.trim_start_matches(['-', '*', '•', '>', ' ']);
    if line.chars().count() <= MAX_QUOTE_CHARS {
        return line.to_owned();
    }
    let cut: String = line.chars().take(MAX_QUOTE_CHARS).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head))
}
