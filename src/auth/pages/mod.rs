//! Pages of the auth capability: sign-in, links, account, members, API keys, organisation.

mod account;
mod keys;
mod members;
mod organisation;
mod sign_in;

use axum::{
    Router,
    http::{HeaderValue, header},
    response::Response,
    routing::{get, post},
};

use super::Auth;

/// Every page of this capability.
pub fn router() -> Router<Auth> {
    Router::new()
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/logout", post(sign_in::sign_out))
        .route("/accept", get(sign_in::show_link).post(sign_in::use_link))
        .route("/account", get(account::show))
        .route("/account/name", post(account::rename))
        .route("/account/password", get(account::show_password).post(account::change_password))
        .route("/account/sessions/end-others", post(account::end_others))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/settings/members", get(members::list))
        .route("/settings/members/links", post(members::create_link))
        .route("/settings/members/links/{id}/delete", post(members::delete_link))
        .route("/settings/members/{user_id}/role", post(members::set_role))
        .route("/settings/members/{user_id}/remove", post(members::remove))
        .route("/settings/members/{user_id}/reset-link", post(members::create_reset_link))
        .route("/settings/api-keys", get(keys::list).post(keys::create))
        .route("/settings/api-keys/{id}/revoke", post(keys::revoke))
        .route("/settings", get(organisation::show).post(organisation::rename))
        .route("/organisation/switch", post(organisation::switch))
}

/// Adds `Set-Cookie` to a response.
fn with_cookie(mut response: Response, cookie: Option<HeaderValue>) -> Response {
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
