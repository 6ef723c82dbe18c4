//! The session cookie, formatted by hand: two values need no library.

use axum::http::HeaderValue;

use super::{Auth, SignedIn};

/// `Set-Cookie` that signs this browser in. `SameSite=Lax`: other sites' forms do not send it; `__Host-` (https only)
/// keeps subdomains from setting it.
pub fn session_cookie(auth: &Auth, signed_in: &SignedIn) -> Option<HeaderValue> {
    cookie(auth.session_cookie_name(), auth.is_https(), &signed_in.token, auth.session_seconds())
}

/// `Set-Cookie` that removes the session cookie.
pub fn clear_session_cookie(auth: &Auth) -> Option<HeaderValue> {
    cookie(auth.session_cookie_name(), auth.is_https(), "", 0)
}

/// Tokens are base64url, so the value is always a valid header.
pub(super) fn cookie(name: &str, https: bool, value: &str, max_age: i64) -> Option<HeaderValue> {
    let secure = if https { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age}{secure}")).ok()
}
