//! The token that says a form came from one of our own pages.
//!
//! Signed in, it is an HMAC of the session id: it needs no storage and ends with the session. Before sign-in it is an
//! HMAC of a random cookie (against forms that sign a victim in to the attacker's account). `SameSite=Lax` is the first
//! wall, this is the second.

use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, CookieJar};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::Console;
use crate::platform::crypto;
use crate::platform::error::ApiError;
use crate::platform::http::{Actor, Principal};

const COOKIE: &str = "hf_csrf";

pub(super) struct Token {
    value: String,
    /// The random that the browser does not have yet.
    fresh: Option<String>,
}

impl Token {
    pub(super) fn new(console: &Console, parts: &Parts, jar: &CookieJar) -> Self {
        if let Some(Actor::User { session_id, .. }) = parts.extensions.get::<Principal>().map(|who| &who.actor) {
            return Self { value: sign(console, "session", &session_id.to_string()), fresh: None };
        }
        match jar.get(COOKIE) {
            Some(cookie) => Self { value: sign(console, "cookie", cookie.value()), fresh: None },
            None => {
                let random = crypto::random_token();
                Self { value: sign(console, "cookie", &random), fresh: Some(random) }
            }
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.value
    }

    pub(super) fn new_cookie(&self) -> Option<Cookie<'static>> {
        self.fresh.clone().map(|random| Cookie::new(COOKIE, random))
    }

    pub(super) fn check(&self, sent: &str) -> Result<(), ApiError> {
        if crypto::constant_time_eq(self.value.as_bytes(), sent.as_bytes()) {
            Ok(())
        } else {
            Err(ApiError::forbidden("csrf", "The form is out of date. Open the page again and repeat."))
        }
    }
}

fn sign(console: &Console, kind: &str, value: &str) -> String {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(console.csrf_key()) else { return String::new() };
    mac.update(kind.as_bytes());
    mac.update(b":");
    mac.update(value.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
