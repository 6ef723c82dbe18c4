//! Secrets that are shown once: after a redirect, so that loading the page again makes no other one. The secret goes with the browser, sealed in a
//! cookie: no row has to be kept and removed, and a second look shows nothing.

use axum::response::Response;
use axum_extra::extract::cookie::Cookie;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{Flash, Shell};
use platform::error::ApiError;

pub(super) const COOKIE: &str = "hf_once";
/// Seconds for the browser to follow the redirect, and for a person who was asked to sign in again.
const FOR_SECONDS: i64 = 300;
/// Browsers drop larger cookies without a word.
const MOST_BYTES: usize = 3 * 1024;
const LABEL: &str = "console.once";

/// What the cookie holds, sealed.
#[derive(Serialize, Deserialize)]
struct Secret {
    kind: String,
    secret: String,
}

impl Shell {
    /// 303 to `to`, which may show `secret` once, in this session, within five minutes. At most 2 kB.
    pub fn redirect_once(
        &self,
        to: &str,
        flash: &Flash,
        kind: &'static str,
        secret: &str,
    ) -> Result<Response, ApiError> {
        let plain = serde_json::to_vec(&Secret { kind: kind.to_owned(), secret: secret.to_owned() })
            .map_err(ApiError::internal)?;
        let session = self.user().session_id;
        let sealed = self.console().key().seal(LABEL, session.as_bytes(), &plain).map_err(ApiError::internal)?;
        let value = URL_SAFE_NO_PAD.encode(sealed);
        if value.len() > MOST_BYTES {
            return Err(ApiError::internal(anyhow::anyhow!("a secret of {} bytes fits into no cookie", secret.len())));
        }
        let mut response = self.redirect(to, flash);
        self.set_cookie(&mut response, Cookie::new(COOKIE, value), Some(FOR_SECONDS));
        Ok(response)
    }

    /// The secret of `kind` for this page. Reading it makes the answer clear the cookie.
    pub fn once(&self, kind: &'static str) -> Option<String> {
        let sealed = URL_SAFE_NO_PAD.decode(self.once_cookie()?).ok()?;
        let session = self.user().session_id;
        let plain = self.console().key().open(LABEL, session.as_bytes(), &sealed).ok()?;
        let found: Secret = serde_json::from_slice(&plain).ok()?;
        if found.kind != kind {
            return None;
        }
        self.once_was_shown();
        Some(found.secret)
    }
}
