//! Flash message: survives one redirect ("Agent created"). It is stored in a cookie as a translation key with arguments and shown, escaped,
//! by the next page; a forged one only reaches its forger.

use std::sync::Arc;

use axum_extra::extract::cookie::{Cookie, CookieJar};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::i18n::{Lang, Texts};

pub(super) const COOKIE: &str = "hf_flash";

/// Look of a message, and its urgency for screen readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    Ok,
    Warn,
    Error,
}

/// A message for the next page; see [`super::AnonymousShell::redirect`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    tone: Tone,
    key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args: Vec<(String, String)>,
}

impl Flash {
    /// Success.
    pub fn ok(key: &str) -> Self {
        Self::new(Tone::Ok, key)
    }

    /// Success with a warning.
    pub fn warn(key: &str) -> Self {
        Self::new(Tone::Warn, key)
    }

    /// Failure.
    pub fn error(key: &str) -> Self {
        Self::new(Tone::Error, key)
    }

    fn new(tone: Tone, key: &str) -> Self {
        Self { tone, key: key.to_owned(), args: Vec::new() }
    }

    /// Sets the argument `$name` of the message.
    #[must_use]
    pub fn with(mut self, name: &str, value: &(impl ToString + ?Sized)) -> Self {
        self.args.push((name.to_owned(), value.to_string()));
        self
    }

    /// The class suffix: `ok`, `warn` or `error`.
    pub fn tone(&self) -> &'static str {
        match self.tone {
            Tone::Ok => "ok",
            Tone::Warn => "warn",
            Tone::Error => "error",
        }
    }

    pub(super) fn message(&self, texts: &Arc<Texts>, lang: Lang) -> String {
        texts.text_with(lang, &self.key, &self.args).to_string()
    }

    pub(super) fn read(jar: &CookieJar) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(jar.get(COOKIE)?.value()).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    pub(super) fn cookie(&self) -> Cookie<'static> {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Cookie::new(COOKIE, URL_SAFE_NO_PAD.encode(json))
    }
}
