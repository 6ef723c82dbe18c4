//! Separates a model's thinking from its answer while streaming.
//!
//! Many servers leave thinking in the content, between tags: `<think>...</think>` and variants, split across chunks,
//! without the opening tag (it is in the prompt's template), or without the closing one (cut off at the limit). A tag
//! that the answer only mentions, in code or in quotes, stays text.

mod code;
mod markers;
#[cfg(test)]
mod tests;

use code::Code;
use markers::{Family, Kind, Look};

/// A piece of text or thinking, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Thinking(String),
    /// The last so many bytes of the text were thinking: a closing tag came without an opening one.
    WasThinking(usize),
    /// The last so many bytes of the thinking were text, with this tag before them: no closing tag came.
    WasText(usize, String),
}

/// State of the splitter.
#[derive(Debug)]
enum Mode {
    Text,
    Thinking {
        family: Family,
        /// The opening tag, if it came after text or within a line; empty at the beginning of an answer.
        tag: String,
        /// Bytes of thinking since then.
        length: usize,
    },
    /// A tag within a line: thinking if closed on the same line, else text.
    Perhaps {
        family: Family,
        held: String,
        tag: usize,
    },
}

/// The splitter's state between pieces of an answer. The result does not depend on how the answer is split.
#[derive(Debug)]
pub struct Splitter {
    mode: Mode,
    /// Unread input: it may be the beginning of a tag.
    pending: String,
    code: Code,
    /// White space to emit only when text follows.
    lead: String,
    /// Bytes of text since the beginning or the last thinking.
    since: usize,
    /// Closing tags expected without an opening one.
    owed: usize,
    thought: bool,
    /// The beginning was assumed to be thinking without an opening tag.
    assumed: bool,
    before: char,
    out: Vec<Piece>,
}

impl Splitter {
    /// `assumed`: the model is known to start with thinking without an opening tag.
    pub fn new(assumed: bool) -> Self {
        let thinking = Mode::Thinking { family: Family::Think, tag: String::new(), length: 0 };
        Self {
            mode: if assumed { thinking } else { Mode::Text },
            pending: String::new(),
            code: Code::default(),
            lead: String::new(),
            since: 0,
            owed: usize::from(!assumed),
            thought: false,
            assumed,
            before: '\n',
            out: Vec::new(),
        }
    }

    /// Adds the next piece of the answer.
    pub fn push(&mut self, text: &str) -> Vec<Piece> {
        self.pending.push_str(text);
        self.read(false);
        std::mem::take(&mut self.out)
    }

    /// Ends the answer. `cut`: it was broken off, so that thinking may lack its closing tag.
    pub fn finish(&mut self, cut: bool) -> Vec<Piece> {
        self.read(true);
        match std::mem::replace(&mut self.mode, Mode::Text) {
            Mode::Perhaps { held, .. } => self.show(&held),
            Mode::Thinking { tag, length, .. } if !cut && (self.assumed || !tag.is_empty()) => {
                self.out.push(Piece::WasText(length, tag));
            }
            Mode::Text | Mode::Thinking { .. } => {}
        }
        std::mem::take(&mut self.out)
    }

    fn read(&mut self, last: bool) {
        let text = std::mem::take(&mut self.pending);
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            let look = if markers::may_begin(c) { markers::look(rest) } else { Look::Nothing };
            let taken = match look {
                Look::Partial if !last => break,
                Look::Marker(kind, family, length) => {
                    match self.marker(kind, family, &rest[..length], &rest[length..], last) {
                        Some(true) => Some(length),
                        Some(false) => None,
                        None => break,
                    }
                }
                Look::Nothing | Look::Partial => None,
            };
            let length = taken.unwrap_or(c.len_utf8());
            if taken.is_none() {
                self.character(c);
            }
            self.before = rest[..length].chars().next_back().unwrap_or(self.before);
            rest = &rest[length..];
        }
        rest.clone_into(&mut self.pending);
    }

    /// An ordinary character.
    fn character(&mut self, c: char) {
        match &mut self.mode {
            Mode::Text => self.show(c.encode_utf8(&mut [0; 4])),
            Mode::Thinking { length, .. } => {
                *length += c.len_utf8();
                self.think(c.encode_utf8(&mut [0; 4]));
            }
            Mode::Perhaps { held, .. } => {
                held.push(c);
                if c == '\n' {
                    let held = std::mem::take(held);
                    self.mode = Mode::Text;
                    // Tags are mentioned here: a closing one is no surprise.
                    self.owed = 0;
                    self.show(&held);
                }
            }
        }
    }

    fn show(&mut self, text: &str) {
        if self.since == 0 && text.trim().is_empty() {
            self.lead.push_str(text);
            return;
        }
        // White space between thinking and text belongs to neither.
        let lead = std::mem::take(&mut self.lead);
        for text in [if self.thought { "" } else { &lead }, text] {
            if text.is_empty() {
                continue;
            }
            text.chars().for_each(|c| self.code.see(c));
            self.since += text.len();
            match self.out.last_mut() {
                Some(Piece::Text(shown)) => shown.push_str(text),
                _ => self.out.push(Piece::Text(text.to_owned())),
            }
        }
    }

    fn think(&mut self, text: &str) {
        self.thought = true;
        match self.out.last_mut() {
            Some(Piece::Thinking(thought)) => thought.push_str(text),
            _ => self.out.push(Piece::Thinking(text.to_owned())),
        }
    }

    /// Handles a marker: consumed (`true`), ordinary text (`false`), or more input is needed (`None`).
    fn marker(&mut self, kind: Kind, family: Family, marker: &str, after: &str, last: bool) -> Option<bool> {
        match &mut self.mode {
            Mode::Text => self.marker_in_text(kind, family, marker, after, last),
            Mode::Thinking { family: open, length, .. } => {
                let (open, begins) = (*open, *length == 0);
                match kind {
                    Kind::Close if open.is_closed_by(family) => {
                        // The model thinks about the tag itself.
                        if self.before == '`' {
                            if after.is_empty() && !last {
                                return None;
                            }
                            if after.starts_with('`') {
                                return Some(false);
                            }
                        }
                        self.end_of_thinking();
                        Some(true)
                    }
                    Kind::Open if self.assumed && begins => {
                        self.assumed = false;
                        Some(true)
                    }
                    Kind::Open => {
                        self.owed += 1;
                        Some(false)
                    }
                    Kind::Close | Kind::Noise => Some(false),
                }
            }
            Mode::Perhaps { family: open, held, tag } => {
                if kind != Kind::Close || !open.is_closed_by(family) {
                    return Some(false);
                }
                let (held, tag) = (std::mem::take(held), *tag);
                if is_said(&held[tag..]) {
                    self.mode = Mode::Text;
                    self.think(&held[tag..]);
                    self.end_of_thinking();
                } else {
                    // "between <think> and </think>"
                    self.mode = Mode::Text;
                    self.owed = 0;
                    self.show(&held);
                    self.show(marker);
                }
                Some(true)
            }
        }
    }

    fn marker_in_text(&mut self, kind: Kind, family: Family, marker: &str, after: &str, last: bool) -> Option<bool> {
        let fresh = self.since == 0;
        if self.code.is_code() && !fresh {
            return Some(false);
        }
        if let Some(closing) = closing_quote(self.before) {
            // A quotation may end right before thinking ends: a closing tag counts as quoted only with quotes on both
            // sides.
            if kind == Kind::Open {
                return Some(false);
            }
            if after.is_empty() && !last {
                return None;
            }
            if after.starts_with(closing) {
                return Some(false);
            }
        }
        match kind {
            Kind::Noise => Some(fresh || (self.thought && marker.starts_with("<|"))),
            Kind::Close if family == Family::Details => Some(false),
            Kind::Open if fresh || self.code.at_line_start() || ends_a_sentence(self.code.last_word_end()) => {
                self.open(family, if fresh { "" } else { marker });
                Some(true)
            }
            Kind::Open => {
                if after.is_empty() && !last {
                    return None;
                }
                if after.starts_with('\n') {
                    self.open(family, marker);
                } else {
                    self.mode = Mode::Perhaps { family, held: marker.to_owned(), tag: marker.len() };
                }
                Some(true)
            }
            Kind::Close if self.owed == 0 || family == Family::Harmony => {
                Some(family == Family::Harmony && (self.thought || fresh))
            }
            Kind::Close => {
                let next = after.trim_start_matches(' ').chars().next();
                if next.is_none() && !last {
                    return None;
                }
                // "it ends with </think> and goes on": mentioned.
                let spoken = self.before == ' ' && next.is_some_and(|c| c.is_lowercase() || ",.;:)".contains(c));
                if spoken {
                    return Some(false);
                }
                if self.since > 0 {
                    self.out.push(Piece::WasThinking(self.since));
                }
                self.thought = true;
                self.owed -= 1;
                self.fresh_text();
                Some(true)
            }
        }
    }

    fn open(&mut self, family: Family, tag: &str) {
        self.lead.clear();
        if !self.thought {
            self.owed = 0;
        }
        self.mode = Mode::Thinking { family, tag: tag.to_owned(), length: 0 };
    }

    fn end_of_thinking(&mut self) {
        if !self.thought {
            self.owed = 0;
        }
        self.thought = true;
        self.assumed = false;
        self.mode = Mode::Text;
        self.fresh_text();
    }

    /// Starts a new text: what precedes it is settled.
    fn fresh_text(&mut self) {
        self.since = 0;
        self.lead.clear();
        self.code = Code::default();
    }
}

/// A whole answer without its thinking.
pub fn without_thinking(answer: &str) -> String {
    let mut splitter = Splitter::new(false);
    let mut text = String::new();
    for piece in splitter.push(answer).into_iter().chain(splitter.finish(false)) {
        match piece {
            Piece::Text(more) => text.push_str(&more),
            Piece::WasThinking(bytes) => text.truncate(text.len().saturating_sub(bytes)),
            // Thinking is not collected here; it is the end of `answer`.
            Piece::WasText(bytes, tag) => {
                text.push_str(&tag);
                text.push_str(answer.get(answer.len().saturating_sub(bytes)..).unwrap_or_default());
            }
            Piece::Thinking(_) => {}
        }
    }
    text
}

/// Whether there is content between two tags, other than a word such as "and" between mentioned tags.
fn is_said(between: &str) -> bool {
    let words: String = between.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase();
    !matches!(words.as_str(), "" | "and" | "or" | "to" | "и" | "или" | "до")
}

/// The quotation mark that closes `c`.
fn closing_quote(c: char) -> Option<char> {
    Some(match c {
        '"' | '\'' | '\\' => c,
        '\u{201c}' => '\u{201d}',
        '\u{201e}' => '\u{201c}',
        '\u{2018}' => '\u{2019}',
        '«' => '»',
        '(' => ')',
        _ => return None,
    })
}

fn ends_a_sentence(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '。')
}
