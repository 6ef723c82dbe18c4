//! CSRF token: proves that a form came from one of our own pages.
//!
//! After sign-in it belongs to the session. Before, it is a random cookie that the form repeats (against forms that sign a victim in to the
//! attacker's account). `SameSite=Lax` is the first defence, this is the second.

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum_extra::extract::cookie::{Cookie, CookieJar};

use platform::crypto;
use platform::error::ApiError;
use platform::http::Principal;

pub(super) struct Token {
    value: String,
    /// Name of the cookie.
    name: &'static str,
    /// Whether the browser still needs the cookie.
    fresh: bool,
}

impl Token {
    pub(super) fn new(parts: &Parts, jar: &CookieJar, https: bool) -> Self {
        let name = cookie_name(https);
        if let Some(user) = parts.extensions.get::<Principal>().and_then(Principal::user) {
            return Self { value: user.csrf.clone(), name, fresh: false };
        }
        match jar.get(name).map(Cookie::value).filter(|value| is_token(value)) {
            Some(value) => Self { value: value.to_owned(), name, fresh: false },
            None => Self { value: crypto::random_token(), name, fresh: true },
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.value
    }

    pub(super) fn new_cookie(&self) -> Option<Cookie<'static>> {
        self.fresh.then(|| Cookie::new(self.name, self.value.clone()))
    }

    pub(super) fn check(&self, sent: &str) -> Result<(), ApiError> {
        if crypto::constant_time_eq(self.value.as_bytes(), sent.as_bytes()) {
            Ok(())
        } else {
            Err(ApiError::new(StatusCode::FORBIDDEN, "csrf", "the form is out of date: open the page again and repeat"))
        }
    }
}

/// On https only this host can set it; otherwise another host of the domain could plant a token that it knows.
fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-hf_csrf" } else { "hf_csrf" }
}

/// The cookie is put into pages unescaped, so anything but base64url is rejected.
fn is_token(value: &str) -> bool {
    value.len() >= 32 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn on_https_the_cookie_is_this_hosts_alone() {
        let token = |cookie: &str| {
            let (parts, ()) = Request::get("/login").header("cookie", cookie).body(()).unwrap().into_parts();
            Token::new(&parts, &CookieJar::from_headers(&parts.headers), true)
        };
        let made = token("").new_cookie().unwrap();
        assert_eq!(made.name(), "__Host-hf_csrf");
        let value = made.value().to_owned();
        assert!(token(&format!("__Host-hf_csrf={value}")).check(&value).is_ok());
        // A cookie set by a sibling host, without the prefix, is ignored.
        assert!(token(&format!("hf_csrf={value}")).check(&value).is_err());
    }
}
