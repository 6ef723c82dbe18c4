//! Secrets in configuration: read from a file, shown masked.

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serializer;

use super::ConfigErrors;
use crate::platform::text_file;

/// Serialises a secret as `"***"`: `config show` prints configuration.
pub fn masked<S: Serializer>(secret: &Option<SecretString>, s: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) if !secret.expose_secret().is_empty() => s.serialize_str("***"),
        _ => s.serialize_none(),
    }
}

/// The secret itself, or what the file beside it holds (a final line break is cut). `setting` names the file's
/// setting in errors.
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
        // No secret has one inside, and none can be sent in a header: a note below the key, or two keys.
        Ok(text) if text.trim().contains(['\n', '\r', '\0']) => {
            errors.push(setting, format!("{} has more than one line: it must hold the secret alone", file.display()));
        }
        Ok(text) => *secret = Some(text.trim().to_owned().into()),
        Err(e) => errors.push(setting, format!("{} cannot be read: {e}", file.display())),
    }
}
