//! `[agents]`

use serde::{Deserialize, Serialize};

use crate::platform::config::ConfigErrors;

/// How agents answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Model of a new agent; empty takes the alias `quality`, or `builtin/extractive` while there is no provider.
    pub default_model: String,
    /// Longest question, characters.
    pub max_question_chars: usize,
    /// Earlier messages of a conversation that a model is shown.
    pub history_messages: u32,
    /// Answers being written at a time in this process; more are asked to wait.
    pub max_concurrent_answers: usize,
    /// A comment is sent on a quiet stream this often, seconds, so that proxies keep it open.
    pub heartbeat_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_model: String::new(),
            max_question_chars: 20_000,
            history_messages: 12,
            max_concurrent_answers: 256,
            heartbeat_seconds: 15,
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("max_question_chars", self.max_question_chars, 100, 1_000_000);
        errors.range("history_messages", self.history_messages, 0, 200);
        errors.range("max_concurrent_answers", self.max_concurrent_answers, 1, 10_000);
        errors.range("heartbeat_seconds", self.heartbeat_seconds, 1, 60);
    }
}
