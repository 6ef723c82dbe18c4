//! The token that says a form came from one of our own pages.
//!
//! Signed in, it belongs to the session. Before sign-in it is a random cookie that the form repeats (against forms that
//! sign a victim in to the attacker's account). `SameSite=Lax` is the first wall, this is the second.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, CookieJar};

use crate::platform::crypto;
use crate::platform::error::ApiError;
use crate::platform::http::Principal;

const COOKIE: &str = "hf_csrf";

pub(super) struct Token {
    value: String,
    /// Whether the browser must be given the cookie.
    fresh: bool,
}

impl Token {
    pub(super) fn new(parts: &Parts, jar: &CookieJar) -> Self {
        if let Some(user) = parts.extensions.get::<Principal>().and_then(Principal::user) {
            return Self { value: user.csrf.clone(), fresh: false };
        }
        match jar.get(COOKIE).map(Cookie::value).filter(|value| is_token(value)) {
            Some(value) => Self { value: value.to_owned(), fresh: false },
            None => Self { value: crypto::random_token(), fresh: true },
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.value
    }

    pub(super) fn new_cookie(&self) -> Option<Cookie<'static>> {
        self.fresh.then(|| Cookie::new(COOKIE, self.value.clone()))
    }

    pub(super) fn check(&self, sent: &str) -> Result<(), ApiError> {
        if crypto::constant_time_eq(self.value.as_bytes(), sent.as_bytes()) {
            Ok(())
        } else {
            Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", "the form is out of date: open the page again and repeat"))
        }
    }
}

/// The cookie goes into pages unescaped: anything but base64url is somebody else's.
fn is_token(value: &str) -> bool {
    value.len() >= 32 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
