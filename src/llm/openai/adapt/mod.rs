//! Learns a server's peculiarities from its refusals: an adaptation is tried once and remembered for the model.
//!
//! Only what the client did not ask for is omitted, and only equivalent forms are substituted. When a server rejects a
//! client's own parameter, the client gets the server's message and must change it.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{PoisonError, RwLock},
};

use super::super::{
    adaptation::{Adaptation, AdaptedModel},
    error::{Failure, Refusal},
    wire::{ChatRequest, Content},
};

pub(super) type Adaptations = BTreeSet<Adaptation>;

/// Most remembered models per provider.
const MOST_MODELS: usize = 10_000;

/// Learned adaptations by model; in memory, so that after a restart a repaired server is tried unchanged.
#[derive(Debug, Default)]
pub(super) struct Learned(RwLock<BTreeMap<String, Adaptations>>);

impl Learned {
    pub(super) fn of(&self, model: &str) -> Adaptations {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned().unwrap_or_default()
    }

    /// Returns whether it was new.
    pub(super) fn add(&self, model: &str, adaptation: Adaptation) -> bool {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_MODELS && !all.contains_key(model) {
            return false;
        }
        let known = all.entry(model.to_owned()).or_default();
        if let Some(opposite) = adaptation.opposite() {
            known.remove(&opposite);
        }
        known.insert(adaptation)
    }

    pub(super) fn list(&self) -> Vec<AdaptedModel> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let listed = |(model, known): (&String, &Adaptations)| AdaptedModel {
            model: model.clone(),
            adaptations: known.iter().copied().collect(),
        };
        all.iter().map(listed).collect()
    }
}

/// Phrases for a parameter unknown to the server.
const UNKNOWN: [&str; 15] = [
    "extra_forbidden",
    "extra input",
    "extra field",
    "extra inputs",
    "not permitted",
    "unrecognized",
    "unrecognised",
    "unknown",
    "unexpected",
    "unsupported",
    "not supported",
    "does not support",
    "not allowed",
    "is not available",
    "additional properties",
];

/// Fields of messages that only answers have.
pub(super) const OUTPUT_FIELDS: [&str; 8] = [
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
    "annotations",
    "refusal",
    "audio",
    "function_call",
];

/// A server's message, in lower case.
struct Reason {
    text: String,
    param: String,
}

impl Reason {
    fn of(refusal: &Refusal) -> Self {
        let code = refusal.code.as_deref().unwrap_or_default();
        let param = refusal.param.as_deref().unwrap_or_default().to_lowercase();
        Self { text: format!("{} {code}", refusal.message).to_lowercase(), param }
    }

    fn says(&self, any: &[&str]) -> bool {
        any.iter().any(|what| self.text.contains(what))
    }

    /// Whether the parameter is named as a word of its own.
    fn names(&self, name: &str) -> bool {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        self.param == name
            || self.text.match_indices(name).any(|(at, _)| {
                !self.text[..at].ends_with(is_word) && !self.text[at + name.len()..].starts_with(is_word)
            })
    }

    fn unknown(&self, name: &str) -> bool {
        self.names(name) && self.says(&UNKNOWN)
    }
}

/// The adaptation that a chat request needs, if one is known for this message; never one already in use.
pub(super) fn remedy(
    refusal: &Refusal,
    request: &ChatRequest,
    known: &Adaptations,
    newer_limit: bool,
) -> Option<Adaptation> {
    // llama.cpp answers 500 when a chat template refuses the conversation.
    if !matches!(refusal.failure, Failure::Rejected | Failure::Server | Failure::Forbidden) {
        return None;
    }
    let reason = Reason::of(refusal);
    let found = parameters(&reason, request, known, newer_limit).or_else(|| conversation(&reason, request, known));
    found.filter(|adaptation| !known.contains(adaptation))
}

fn parameters(reason: &Reason, request: &ChatRequest, known: &Adaptations, newer_limit: bool) -> Option<Adaptation> {
    use Adaptation::{InputFieldsOnly, MaxCompletionTokens, MaxTokens, NoStream, NoStreamOptions};
    let streams = request.stream == Some(true) && !known.contains(&NoStream);
    // Other stream options are the client's own. Usage is reported in any case, estimated.
    let optional = request.stream_options.as_ref().is_none_or(|o| o.extra.is_empty());
    let sends_options = streams && optional && !known.contains(&NoStreamOptions);
    if sends_options && (reason.names("stream_options") || reason.names("include_usage")) {
        return Some(NoStreamOptions);
    }
    if request.max_tokens.is_some() || request.max_completion_tokens.is_some() {
        let newer =
            if known.contains(&MaxCompletionTokens) { true } else { newer_limit && !known.contains(&MaxTokens) };
        if !newer && reason.unknown("max_tokens") {
            return Some(MaxCompletionTokens);
        }
        if newer && reason.unknown("max_completion_tokens") {
            return Some(MaxTokens);
        }
    }
    let has_output_fields = request.messages.iter().any(|m| OUTPUT_FIELDS.iter().any(|f| m.extra.contains_key(*f)));
    if has_output_fields
        && reason.says(&UNKNOWN)
        && OUTPUT_FIELDS.iter().any(|field| reason.names(field) || reason.param.ends_with(field))
    {
        return Some(InputFieldsOnly);
    }
    if streams
        && !reason.names("stream_options")
        && (reason.param == "stream" || reason.says(&["streaming", "'stream'", "`stream`", "\"stream\""]))
        && reason.says(&["not support", "unsupported", "not available", "not yet allowed", "not allowed", "disabled"])
    {
        return Some(NoStream);
    }
    // "extra fields not permitted" without a name: assume the field that we added.
    let anonymous = reason.param.is_empty()
        && reason.says(&[
            "extra field",
            "extra input",
            "unrecognized request argument",
            "unrecognized field",
            "unknown field",
            "additional properties",
        ]);
    (sends_options && anonymous && !names_own_parameter(reason, request)).then_some(NoStreamOptions)
}

fn names_own_parameter(reason: &Reason, request: &ChatRequest) -> bool {
    request.extra.keys().any(|key| reason.names(&key.to_lowercase()))
        || (request.temperature.is_some() && reason.names("temperature"))
}

fn conversation(reason: &Reason, request: &ChatRequest, known: &Adaptations) -> Option<Adaptation> {
    use Adaptation::{AlternateTurns, NoSystem, PlainContent, SystemForDeveloper};
    let has = |role: &str| request.messages.iter().any(|m| m.role == role);
    let about_roles = reason.names("role") || reason.says(&["role"]) || reason.param.rsplit('.').next() == Some("role");
    if has("developer")
        && !known.contains(&SystemForDeveloper)
        && (reason.says(&["developer"]) || about_roles)
        && !reason.says(&["alternat"])
    {
        return Some(SystemForDeveloper);
    }
    let has_system = has("system") || has("developer");
    let no_system = [
        "system role",
        "role system",
        "role 'system'",
        "role \"system\"",
        "got system",
        "system message",
        "system prompt",
        "support 'system'",
        "'system' with this model",
    ];
    if has_system
        && !known.contains(&NoSystem)
        && reason.says(&no_system)
        && reason.says(&["not support", "unsupported", "only user", "not allowed", "got system"])
    {
        return Some(NoSystem);
    }
    let order = [
        "alternat",
        "consecutive",
        "same role",
        "expected last role",
        "must start with",
        "first message",
        "must be followed",
        "roles must",
        // "System message must be at the beginning."
        "at the beginning",
        "at the start",
    ];
    if reason.says(&order) {
        // Templates without a system role count it as a turn.
        return Some(if known.contains(&AlternateTurns) && has_system { NoSystem } else { AlternateTurns });
    }
    let not_one_text = |content: &Option<Content>| matches!(content, None | Some(Content::Parts(_)));
    let has_parts = request.messages.iter().any(|m| not_one_text(&m.content) && !m.has_more_than_text());
    let about_content = reason.names("content") || reason.param.ends_with("content") || reason.says(&["content"]);
    let about_type = reason.says(&["string", " str", "array", "list", "sequence", "<nil>", "null", "none"]);
    let by_language =
        ["can only concatenate str", "cannot unmarshal array", "untagged enum", "expected a string", "must be str"];
    (has_parts && ((about_content && about_type) || reason.says(&by_language))).then_some(PlainContent)
}

/// The adaptation that an embeddings request needs.
pub(super) fn embedding_remedy(refusal: &Refusal, known: &Adaptations) -> Option<Adaptation> {
    let reason = Reason::of(refusal);
    let anonymous = reason.param.is_empty() && reason.says(&["extra field", "extra input"]);
    let about = matches!(refusal.failure, Failure::Rejected | Failure::Server)
        && (reason.names("encoding_format") || anonymous);
    (about && !known.contains(&Adaptation::NoEncodingFormat)).then_some(Adaptation::NoEncodingFormat)
}
