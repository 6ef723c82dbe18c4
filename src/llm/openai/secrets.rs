//! Removes from provider messages what clients must not see: our key, internal addresses, stack traces and paths.

use std::sync::LazyLock;

use axum::http::Uri;
use regex::Regex;
use secrecy::{ExposeSecret as _, SecretString};

/// Public services, whose links help the reader.
const PUBLIC: [&str; 10] = [
    "openrouter.ai",
    "api.openai.com",
    "api.anthropic.com",
    "api.mistral.ai",
    "api.groq.com",
    "api.together.xyz",
    "api.deepseek.com",
    "api.fireworks.ai",
    "api.x.ai",
    "generativelanguage.googleapis.com",
];
/// What programs write before a host name, in lower case.
const LEADS: [&str; 10] =
    ["://", "@", "host=", "host ", "host: ", "resolve ", "resolve: ", "lookup ", "enotfound ", "eai_again "];

/// Shortest part of a key that is removed, characters.
const KEY_PART: usize = 6;

/// What to hide from clients.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    key: Option<SecretString>,
    /// Host of the provider's address, in lower case; empty if it is public.
    host: String,
}

/// The host of an address, in lower case and without IPv6 brackets; empty if it has none.
pub(super) fn host_of(address: &str) -> String {
    let uri: Option<Uri> = address.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    host.trim_matches(['[', ']']).to_ascii_lowercase()
}

impl Secrets {
    pub(super) fn new(key: Option<SecretString>, base_url: &str) -> Self {
        let host = host_of(base_url);
        Self { key, host: if PUBLIC.contains(&host.as_str()) { String::new() } else { host } }
    }

    /// The text as clients may see it.
    pub(super) fn scrub(&self, text: &str) -> String {
        let text = match self.key.as_ref().map(SecretString::expose_secret) {
            Some(key) if key.len() >= 4 => without_parts(key, &text.replace(key, "***")),
            _ => text.to_owned(),
        };
        // A stack trace.
        let text = text.find("Traceback").map_or(text.as_str(), |at| &text[..at]).trim_end();
        let text = self.without_host(text);
        let text = replace(&SECRET, text, "***");
        let text = replace(&INSIDE, text, "(address)$1");
        replace(&PATH, text, "$1(path)")
    }

    /// Removes the provider's address. A host with a dot is unambiguous. A host that is a word (`ollama`, `model`) is
    /// removed only in the position of an address.
    fn without_host(&self, text: &str) -> String {
        if self.host.is_empty() {
            return text.to_owned();
        }
        let lower = text.to_ascii_lowercase();
        let (mut out, mut done) = (String::with_capacity(text.len()), 0);
        for (at, _) in lower.match_indices(&self.host) {
            let (before, after) = (&lower[..at], &lower[at + self.host.len()..]);
            if at < done || is_part_of_more(before, after) {
                continue;
            }
            let (before, after) = match (before.strip_suffix('['), after.strip_prefix(']')) {
                (Some(before), Some(after)) if self.host.contains(':') => (before, after),
                _ => (before, after),
            };
            let port = port(after);
            let is_name = self.host.contains(['.', ':']);
            let quoted = before.trim_end_matches(['\'', '"', '`']);
            if is_name || port > 0 || LEADS.iter().any(|lead| quoted.ends_with(lead)) {
                out.push_str(&text[done..before.len()]);
                out.push_str("(address)");
                done = text.len() - after.len() + port;
            }
        }
        out.push_str(&text[done..]);
        out
    }
}

/// Removes parts of the key, which would help guess the rest. A part without a digit may be a word (`local-testing` is
/// a key in many tests).
fn without_parts(key: &str, text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let length = ends.take_while(|end| key.contains(&rest[..*end])).last().unwrap_or_default();
        let part = &rest[..length];
        if length >= KEY_PART && part.bytes().any(|b| b.is_ascii_digit()) {
            out.push_str("***");
            rest = &rest[length..];
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

/// Whether it is part of a longer name.
fn is_part_of_more(before: &str, after: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let goes_on = match after.strip_prefix('.') {
        Some(more) => more.starts_with(is_name),
        None => after.starts_with(is_name),
    };
    goes_on || before.ends_with(is_name) || before.strip_suffix('.').is_some_and(|b| b.ends_with(is_name))
}

/// Length of `:8000`; 0 if there is none.
fn port(after: &str) -> usize {
    let Some(digits) = after.strip_prefix(':') else { return 0 };
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=5).contains(&length) { length + 1 } else { 0 }
}

type Pattern = LazyLock<Option<Regex>>;

static SECRET: Pattern = LazyLock::new(|| Regex::new(r"(?i)\bsk-[\w-]{6,}|\bbearer\s+\S{8,}").ok());
static INSIDE: Pattern = LazyLock::new(|| {
    let address = r"(?:127|10)(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}";
    let name = r"localhost|[\w-]+(?:\.[\w-]+)*\.(?:local|internal|lan|svc|cluster\.local)|\[(?:::1|f[cde][0-9a-f:]+)\]";
    // A scheme with a single-word host is also an internal name.
    let word = r"https?://[\w-]+(?::\d+)?(?:/[\w./-]*|(\s)|$)";
    Regex::new(&format!(r"(?i)(?:https?://)?(?:{address}|{name})(?::\d+)?(?:/[\w./-]*)?|{word}")).ok()
});
static PATH: Pattern = LazyLock::new(|| {
    Regex::new(r#"(^|[\s"'(])/(?:srv|home|root|usr|opt|var|app|tmp|etc|mnt|data|workspace)/[\w./@-]+"#).ok()
});

fn replace(pattern: &Pattern, text: String, with: &str) -> String {
    match pattern.as_ref() {
        Some(pattern) => pattern.replace_all(&text, with).into_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_addresses_and_paths_stay_here() {
        let text = "Bearer abcdefghij at http://10.0.0.7:8000/v1, gpu.internal:80, http://vllm/v1 and localhost:11434, see /srv/app/model.py or https://platform.openai.com/docs; 3.10.5 sk-1234567";
        let said = Secrets::default().scrub(text);
        for secret in ["abcdefghij", "10.0.0.7", "gpu", "vllm", "localhost", "/srv", "sk-1"] {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        assert!(said.contains("https://platform.openai.com/docs") && said.contains("3.10.5"), "{said}");
        assert!(said.contains("and (address), see"), "{said}");
    }

    #[test]
    fn parts_of_the_key_stay_here_too() {
        let secrets = Secrets::new(Some("or-key-1234567890abcdef".to_owned().into()), "https://openrouter.ai/api/v1");
        for (text, expected) in [
            ("bad key or-key-1234567890abcdef", "bad key ***"),
            ("bad key or-key-12...: half 90abcdef of it", "bad key ***...: half *** of it"),
            ("ends with cdef, 2345 tokens", "ends with cdef, 2345 tokens"),
        ] {
            assert_eq!(secrets.scrub(text), expected);
        }
        let word = Secrets::new(Some("local-testing-1".to_owned().into()), "http://localhost:1/v1");
        assert_eq!(word.scrub("a model for testing, local"), "a model for testing, local");
    }

    #[test]
    fn a_host_that_is_a_word_is_hidden_only_as_an_address() {
        let said = |base_url: &str, text: &str| Secrets::new(None, base_url).scrub(text);
        for (base_url, text, expected) in [
            (
                "http://model:8000/v1",
                "the model `m` does not exist; models: a, remodel",
                "the model `m` does not exist; models: a, remodel",
            ),
            ("http://model:8000/v1", "cannot reach http://model:8000/v1/x", "cannot reach http://(address)/v1/x"),
            ("http://ollama:11434/v1", "ollama: pull it first, ollama-style", "ollama: pull it first, ollama-style"),
            (
                "http://ollama:11434/v1",
                "Cannot connect to host ollama:11434 ssl:default",
                "Cannot connect to host (address) ssl:default",
            ),
            (
                "http://ollama:11434/v1",
                "HTTPConnectionPool(host='ollama', port=11434)",
                "HTTPConnectionPool(host='(address)', port=11434)",
            ),
            ("http://Ollama/v1", "dial tcp: lookup ollama: no such host", "dial tcp: lookup (address): no such host"),
            (
                "https://gpu1.corp.example/v1",
                "gpu1.corp.example:8000 and GPU1.corp.example. Not xgpu1.corp.example.org",
                "(address) and (address). Not xgpu1.corp.example.org",
            ),
            ("https://203.0.113.9:8000/v1", "203.0.113.90 is not 203.0.113.9", "203.0.113.90 is not (address)"),
            ("http://[2001:db8::7]:8000/v1", "no route to [2001:db8::7]:8000", "no route to (address)"),
            (
                "https://openrouter.ai/api/v1",
                "see https://openrouter.ai/settings/credits",
                "see https://openrouter.ai/settings/credits",
            ),
            (
                "https://mine.openai.azure.com/openai/v1",
                "mine.openai.azure.com is not platform.openai.com",
                "(address) is not platform.openai.com",
            ),
            ("http://ж:1/v1", "ж", "ж"),
        ] {
            assert_eq!(said(base_url, text), expected, "{base_url}");
        }
    }

    #[test]
    fn hosts_are_read_out_of_addresses() {
        for (address, host) in [
            ("https://API.OpenAI.com:443/v1", "api.openai.com"),
            ("http://localhost:11434/v1/", "localhost"),
            ("http://[::1]/v1", "::1"),
            ("no address", ""),
        ] {
            assert_eq!(host_of(address), host);
        }
    }
}
