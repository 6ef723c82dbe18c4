//! `[agents]`

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// How agents answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Model of agents without one of their own; empty means [`llm::Llm::default_model`].
    pub default_model: String,
    /// Longest question, characters.
    pub max_question_chars: usize,
    /// Earlier messages of a conversation shown to the model.
    pub history_messages: u32,
    /// Most messages of a conversation, answers included; after that the user must start a new one.
    pub max_messages: u32,
    /// Concurrent answers in this process, however they were asked for; more are answered 429.
    pub max_concurrent_answers: usize,
    /// Readers of answers in this process, all pages and programs together; more are answered 429.
    pub max_readers: usize,
    /// Longest text of a document given with a question, tokens; the rest is left out, which is said.
    pub attachment_tokens: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_model: String::new(),
            max_question_chars: 20_000,
            history_messages: 12,
            max_messages: 500,
            max_concurrent_answers: 256,
            max_readers: 1000,
            attachment_tokens: 8000,
        }
    }
}

impl Config {
    pub fn validate(&self, llm: &llm::Config, errors: &mut ConfigErrors) {
        if !self.default_model.is_empty()
            && let Err(refused) = llm.check_chat_model(&self.default_model)
        {
            errors.push("default_model", refused.message);
        }
        errors.range("max_question_chars", self.max_question_chars, 100, 1_000_000);
        errors.range("history_messages", self.history_messages, 0, 200);
        errors.range("max_messages", self.max_messages, 2, 10_000);
        errors.range("max_concurrent_answers", self.max_concurrent_answers, 1, 10_000);
        errors.range("max_readers", self.max_readers, 1, 100_000);
        errors.range("attachment_tokens", self.attachment_tokens, 100, 1_000_000);
    }
}
