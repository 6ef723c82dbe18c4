//! Secrets in configuration: read from files, shown masked.

use std::path::Path;

use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serializer;

use super::ConfigErrors;
use crate::text_file;

/// The secret in a variable of this process, for files that name one instead of holding it (`password_env`). `None`: it is not set, or empty.
#[expect(clippy::disallowed_methods, reason = "the home of the ban")]
pub fn variable(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::from)
}

/// Shown instead of a secret.
const MASK: &str = "***";

/// Serialises a secret as `"***"`, for `config show`.
pub fn masked<S: Serializer>(secret: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) if !secret.expose_secret().is_empty() => s.serialize_str("***"),
        _ => s.serialize_none(),
    }
}

/// Serialises a URL without credentials: see [`safe_url`].
pub fn masked_url<S: Serializer>(url: &str, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(&safe_url(url))
}

/// Serialises a URL that is itself a secret, such as the webhook URLs of chats and pagers: only scheme and host are shown.
pub fn hidden_url<S: Serializer>(url: &str, s: S) -> Result<S::Ok, S::Error> {
    let origin = url.parse::<Url>().ok().map(|url| url.origin().ascii_serialization());
    match origin {
        _ if url.is_empty() => s.serialize_str(""),
        Some(origin) => s.serialize_str(&format!("{origin}/{MASK}")),
        None => s.serialize_str(MASK),
    }
}

/// A URL with user, password and query masked.
pub fn safe_url(text: &str) -> String {
    // "user:password@host" parses as a URL with the scheme "user".
    let Some(mut url) = text.parse::<Url>().ok().filter(|url| !url.cannot_be_a_base()) else {
        return if text.contains('@') { MASK.to_owned() } else { text.to_owned() };
    };
    let signs_in = !url.username().is_empty() || url.password().is_some();
    if !signs_in && url.query().is_none() {
        return text.to_owned();
    }
    if signs_in && (url.set_username(MASK).is_err() || url.set_password(None).is_err()) {
        return MASK.to_owned();
    }
    if url.query().is_some() {
        url.set_query(Some(MASK));
    }
    url.into()
}

/// Resolves a secret from its value or its file (a final line break is removed). `setting` names the file's setting in errors.
pub fn resolve(secret: &mut Option<SecretString>, file: Option<&Path>, setting: &str, errors: &mut ConfigErrors) {
    if secret.as_ref().is_some_and(|s| s.expose_secret().is_empty()) {
        *secret = None;
    }
    let Some(file) = file else { return };
    if secret.is_some() {
        errors.push(setting, "give the secret or its file, not both");
        return;
    }
    match text_file::read(file) {
        Ok(text) if text.trim().is_empty() => errors.push(setting, format!("{} is empty", file.display())),
        // No secret contains a line break, and none could be sent in a header: the file holds a note or a second key.
        Ok(text) if text.trim().contains(['\n', '\r', '\0']) => {
            errors.push(setting, format!("{} has more than one line: it must hold the secret alone", file.display()));
        }
        Ok(text) => *secret = Some(text.trim().to_owned().into()),
        Err(e) => errors.push(setting, format!("{} cannot be read: {e}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_what_signs_in() {
        for (url, shown) in [
            ("", ""),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
            ("http://localhost:11434/v1/", "http://localhost:11434/v1/"),
            ("https://user:pass@models.example.com/v1", "https://***@models.example.com/v1"),
            ("https://token@models.example.com/v1", "https://***@models.example.com/v1"),
            ("https://models.example.com/v1?key=abc", "https://models.example.com/v1?***"),
            ("user:pass@models", "***"),
            ("s3://bucket/prefix", "s3://bucket/prefix"),
        ] {
            assert_eq!(safe_url(url), shown, "{url}");
        }
        let hidden = |url: &str| hidden_url(url, serde_json::value::Serializer).unwrap();
        assert_eq!(hidden("https://hooks.example.com/services/T1/B2/c3?x=1"), "https://hooks.example.com/***");
        assert_eq!((hidden(""), hidden("no address")), ("".into(), "***".into()));
    }
}
