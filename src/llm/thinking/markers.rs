//! The markers around a model's thinking.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    /// Part of the answer's framing, not of its text.
    Noise,
}

/// Markers that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `<think>`, `<thinking>`
    Think,
    Thought,
    Reasoning,
    /// `<details type="reasoning">` of pipelines that wrap thinking themselves
    Details,
    /// `<seed:think>`
    Seed,
    /// `[THINK]` of Mistral
    Square,
    /// Kimi's triangles
    Triangle,
    /// `<|begin_of_thought|>`
    Begin,
    /// `<|START_THINKING|>` of Cohere
    Cohere,
    /// `<|channel>thought` of Gemma
    Gemma,
    /// `<|channel|>analysis<|message|>` of gpt-oss
    Harmony,
}

impl Family {
    pub(super) fn is_closed_by(self, other: Self) -> bool {
        self == other
    }
}

/// Result of matching a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Nothing,
    /// The beginning of a marker: more input is needed.
    Partial,
    /// A marker of this many bytes.
    Marker(Kind, Family, usize),
}

const TAGS: [(&str, Family); 9] = [
    ("think", Family::Think),
    ("thinking", Family::Think),
    ("thought", Family::Thought),
    ("thoughts", Family::Thought),
    ("reasoning", Family::Reasoning),
    ("details", Family::Details),
    ("seed:think", Family::Seed),
    ("antthinking", Family::Think),
    ("antml:thinking", Family::Think),
];

const LITERALS: [(&str, Kind, Family); 22] = [
    ("[think]", Kind::Open, Family::Square),
    ("[/think]", Kind::Close, Family::Square),
    ("\u{25c1}think\u{25b7}", Kind::Open, Family::Triangle),
    ("\u{25c1}/think\u{25b7}", Kind::Close, Family::Triangle),
    ("<|begin_of_thought|>", Kind::Open, Family::Begin),
    ("<|end_of_thought|>", Kind::Close, Family::Begin),
    ("<|begin_of_solution|>", Kind::Noise, Family::Begin),
    ("<|end_of_solution|>", Kind::Noise, Family::Begin),
    ("<|start_thinking|>", Kind::Open, Family::Cohere),
    ("<|end_thinking|>", Kind::Close, Family::Cohere),
    ("<|start_response|>", Kind::Noise, Family::Cohere),
    ("<|end_response|>", Kind::Noise, Family::Cohere),
    ("<|channel>thought", Kind::Open, Family::Gemma),
    ("<channel|>", Kind::Close, Family::Gemma),
    ("<|channel|>analysis<|message|>", Kind::Open, Family::Harmony),
    ("<|channel|>commentary<|message|>", Kind::Open, Family::Harmony),
    ("<|channel|>final<|message|>", Kind::Close, Family::Harmony),
    ("<|end|>", Kind::Close, Family::Harmony),
    ("<|return|>", Kind::Noise, Family::Harmony),
    ("<|start|>assistant", Kind::Noise, Family::Harmony),
    ("<|think|>", Kind::Open, Family::Begin),
    ("<|/think|>", Kind::Close, Family::Begin),
];

/// Longest attribute list of a tag.
const MAX_ATTRIBUTES: usize = 100;

/// Whether a marker may start with this character.
pub(super) fn may_begin(c: char) -> bool {
    matches!(c, '<' | '[' | '\u{25c1}')
}

pub(super) fn look(text: &str) -> Look {
    let mut partial = false;
    for (literal, kind, family) in LITERALS {
        let common = text.bytes().zip(literal.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
        if common == literal.len() {
            // `<|channel|>final` without thinking before it: framing.
            return Look::Marker(kind, family, common);
        }
        partial |= common == text.len();
    }
    match tag(text) {
        Look::Nothing if partial => Look::Partial,
        found => found,
    }
}

/// `<think>`, `</think >`, `<think source="model">`
fn tag(text: &str) -> Look {
    let Some(inside) = text.strip_prefix('<') else { return Look::Nothing };
    let (kind, inside) = match inside.strip_prefix('/') {
        Some(inside) => (Kind::Close, inside),
        None => (Kind::Open, inside),
    };
    let length = inside.find(|c: char| !c.is_ascii_alphabetic() && c != ':').unwrap_or(inside.len());
    let (name, rest) = inside.split_at(length);
    if rest.is_empty() {
        let begins =
            TAGS.iter().any(|(tag, _)| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        return if begins { Look::Partial } else { Look::Nothing };
    }
    let Some((_, family)) = TAGS.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name)) else { return Look::Nothing };
    if !rest.starts_with(['>', ' ', '\t', '/']) {
        return Look::Nothing;
    }
    match rest.find(['>', '<', '\n']) {
        Some(end) if rest[end..].starts_with('>') && end <= MAX_ATTRIBUTES => {
            // Only those marked as reasoning; other `<details>` are the answer's own.
            if *family == Family::Details && kind == Kind::Open && !rest[..end].contains("reasoning") {
                return Look::Nothing;
            }
            let kind = if rest[..end].ends_with('/') { Kind::Noise } else { kind };
            Look::Marker(kind, *family, text.len() - rest.len() + end + 1)
        }
        None if rest.len() <= MAX_ATTRIBUTES => Look::Partial,
        _ => Look::Nothing,
    }
}
