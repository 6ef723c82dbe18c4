//! Texts for error codes.

use serde_json::{Map, Value};

use console::Shell;

/// Codes of failed answers and refused questions that have a text of their own.
pub(crate) const CODES: [&str; 33] = [
    "answer_broke_off",
    "answer_empty",
    "answer_filtered",
    "answer_needs_tools",
    "answer_only_thinking",
    "answer_refused",
    "interrupted",
    "provider_auth",
    "provider_bad_response",
    "provider_billing",
    "provider_error",
    "provider_forbidden",
    "provider_loading",
    "provider_moderation",
    "provider_overloaded",
    "provider_quota",
    "provider_rate_limited",
    "provider_rejected",
    "provider_stream_cut",
    "provider_timeout",
    "provider_too_large",
    "provider_unreachable",
    "context_length_exceeded",
    "model_not_found",
    "too_many_answers",
    "conversation_busy",
    "conversation_full",
    "nothing_to_regenerate",
    "nothing_to_continue",
    "validation_failed",
    "unauthorized",
    "conversation_not_found",
    "offline",
];

/// Translation key of a code.
pub(crate) fn key(code: &str) -> String {
    if CODES.contains(&code) { format!("agents-why-{}", code.replace('_', "-")) } else { "agents-why-other".to_owned() }
}

/// All of them, for the page's script.
pub(super) fn words(shell: &Shell) -> String {
    let word = |code: &str| (code.to_owned(), Value::String(shell.t(key(code)).to_string()));
    Value::Object(CODES.into_iter().chain(["other"]).map(word).collect::<Map<_, _>>()).to_string()
}
