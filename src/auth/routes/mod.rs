//! `/api/v1/auth`, `/api/v1/sessions`, `/api/v1/organisations`, `/api/v1/members`, `/api/v1/api-keys`

mod keys;
mod members;
mod organisations;
mod session;

use std::net::IpAddr;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Auth, Client};
use console::Lang;
use platform::{
    error::ApiError,
    http::{ClientAddress, idempotent},
};

/// Every route of this capability.
pub fn router() -> OpenApiRouter<Auth> {
    OpenApiRouter::new()
        .routes(routes!(session::login))
        .routes(routes!(session::logout))
        .routes(routes!(session::me, session::update_me))
        .routes(routes!(session::change_password))
        .routes(routes!(session::switch_organisation))
        .routes(routes!(session::accept_link))
        .routes(routes!(session::list_sessions, session::end_other_sessions))
        .routes(routes!(session::end_session))
        .routes(idempotent(routes!(organisations::list_organisations, organisations::create_organisation)))
        .routes(routes!(organisations::update_organisation))
        .routes(routes!(members::list_members))
        .routes(routes!(members::update_member, members::remove_member))
        .routes(idempotent(routes!(members::create_reset_link)))
        .routes(idempotent(routes!(members::list_links, members::create_link)))
        .routes(routes!(members::delete_link))
        .routes(idempotent(routes!(keys::list_api_keys, keys::create_api_key)))
        .routes(routes!(keys::revoke_api_key))
}

impl<S: Send + Sync> FromRequestParts<S> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let address = parts.extensions.get::<ClientAddress>().map_or(IpAddr::from([127, 0, 0, 1]), |a| a.0);
        let user_agent =
            parts.headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (chosen, preferred) = (Lang::chosen(&parts.headers), Lang::preferred(&parts.headers));
        Ok(Self { address, user_agent, chosen, preferred })
    }
}
