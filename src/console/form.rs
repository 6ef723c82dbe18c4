//! Forms: `Form<T>` decodes one and checks its token, `FormErrors` holds the messages per field.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::{Deserialize, de::DeserializeOwned};

use super::i18n::{Lang, Texts};
use super::{AnonymousShell, Console};
use platform::error::ApiError;

/// More than the longest text of any form (an agent's instructions).
const MAX_BYTES: usize = 512 * 1024;

/// Fields of a urlencoded form whose CSRF token was checked. Repeated fields (checkboxes) decode to a `Vec` (with `#[serde(default)]`,
/// because no checked box sends nothing); an unchecked box is absent.
///
/// Rejects with 403 `csrf`, 413, 415, or 400 `invalid_form` (never sent by a browser that honours the input types).
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(ApiError::unsupported_media_type("send the form as application/x-www-form-urlencoded"));
        }
        let page = AnonymousShell::new(Console::of(&parts)?, &parts);
        let bytes = axum::body::to_bytes(body, MAX_BYTES)
            .await
            .map_err(|_| ApiError::payload_too_large("the form is larger than 512 KiB"))?;
        let fields: Vec<(String, String)> = decode(&bytes)?;
        let token = fields.iter().find(|(name, _)| name == "csrf").map_or("", |(_, value)| value);
        page.check_csrf(token)?;
        decode(&bytes).map(Self)
    }
}

/// A form that is a button: nothing but its token.
#[derive(Debug, Deserialize)]
pub struct Nothing {}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_html_form::from_bytes(bytes).map_err(|error| ApiError::bad_request("invalid_form", error.to_string()))
}

/// Error messages by field, in the page's language. `FormErrors::default()` for a new form.
#[derive(Debug, Default)]
pub struct FormErrors {
    fields: Vec<(String, String)>,
    general: Option<String>,
}

impl FormErrors {
    pub(super) fn from_api(texts: &Arc<Texts>, lang: Lang, error: ApiError) -> Result<Self, ApiError> {
        if !matches!(error.status.as_u16(), 400 | 409 | 413 | 415 | 422 | 429) {
            return Err(error);
        }
        let fields: Vec<_> = error
            .errors
            .iter()
            .map(|field| (name_of(&field.pointer), message(texts, lang, field.code.as_ref(), &field.detail)))
            .collect();
        let general = fields.is_empty().then(|| message(texts, lang, &error.code, &error.detail));
        Ok(Self { fields, general })
    }

    /// Adds a message (already translated) at a field.
    #[must_use]
    pub fn with(mut self, field: &str, message: &(impl ToString + ?Sized)) -> Self {
        self.fields.push((field.to_owned(), message.to_string()));
        self
    }

    /// The message of `field`, or empty.
    pub fn of(&self, field: &str) -> &str {
        self.fields.iter().find(|(name, _)| name == field).map_or("", |(_, message)| message)
    }

    /// The message for the whole form, or empty.
    pub fn general(&self) -> &str {
        self.general.as_deref().unwrap_or_default()
    }

    /// Whether one of these fields has a message: then their section is open.
    pub fn any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| !self.of(field).is_empty())
    }

    /// Field and message of each, in the order in which they were found.
    pub fn summary(&self) -> &[(String, String)] {
        &self.fields
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.general.is_none()
    }
}

/// `/name` and `/retrieval/limit` in the JSON body are the inputs `name` and `retrieval.limit`.
fn name_of(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// The translation of a stable error code (`slug_taken` is the key `error-slug-taken`), else the API's own English.
pub(super) fn message(texts: &Arc<Texts>, lang: Lang, code: &str, detail: &str) -> String {
    let key = format!("error-{}", code.replace('_', "-"));
    if texts.has(lang, &key) { texts.text(lang, &key).to_string() } else { detail.to_owned() }
}
