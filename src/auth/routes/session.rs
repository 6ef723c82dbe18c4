//! `/api/v1/auth` and `/api/v1/sessions`: a person's own sign-in and sessions.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Auth, AuthError, Client, Session, SessionId, SignedIn, clear_session_cookie,
    service::{Accept, Accepted},
    session_cookie,
};
use platform::{
    error::ApiError,
    http::{self, Actor, Authenticator as _, Json, ListQuery, Page, Path, Principal, Query, Role, Scope},
    ids::{OrgId, UserId},
};

/// E-mail and password.
#[derive(Deserialize, ToSchema)]
pub(super) struct LoginRequest {
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(value_type = String, format = Password)]
    password: SecretString,
}

/// An organisation that the person belongs to.
#[derive(Serialize, ToSchema)]
pub(super) struct MyOrganisation {
    id: OrgId,
    slug: String,
    name: String,
    role: Role,
    /// Whether requests of this session act in it.
    current: bool,
}

/// The signed-in person.
#[derive(Serialize, ToSchema)]
pub(super) struct MyAccount {
    id: UserId,
    email: String,
    name: String,
    is_operator: bool,
    must_change_password: bool,
    organisations: Vec<MyOrganisation>,
    /// Unsafe requests with the session cookie must send it as `X-CSRF-Token`.
    csrf_token: String,
}

/// The API key of the request.
#[derive(Serialize, ToSchema)]
pub(super) struct MyKey {
    id: uuid::Uuid,
    name: String,
    #[schema(value_type = Vec<Scope>)]
    scopes: Vec<String>,
}

/// Who sent the request; `user` or `api_key`.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    organisation_id: OrgId,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<MyAccount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<MyKey>,
}

impl From<Principal> for Me {
    fn from(who: Principal) -> Self {
        let (organisation_id, role) = (who.org_id, who.role);
        let (mut user, mut api_key) = (None, None);
        match who.actor {
            Actor::User(u) => {
                let organisations = u.orgs.iter().map(|o| MyOrganisation {
                    id: o.id,
                    slug: o.slug.clone(),
                    name: o.name.clone(),
                    role: o.role,
                    current: o.id == organisation_id,
                });
                user = Some(MyAccount {
                    id: u.user_id,
                    organisations: organisations.collect(),
                    email: u.email,
                    name: u.name,
                    is_operator: u.is_operator,
                    must_change_password: u.must_change_password,
                    csrf_token: u.csrf,
                });
            }
            Actor::ApiKey(key) => {
                api_key = Some(MyKey { id: key.key_id, name: key.name, scopes: key.scopes.into_iter().collect() });
            }
        }
        Self { organisation_id, role, user, api_key }
    }
}

/// Answers with the cookie and the signed-in person.
async fn signed_in(auth: &Auth, signed_in: &SignedIn) -> Result<Response, ApiError> {
    let principal = auth.session(&signed_in.token).await?.ok_or(AuthError::InvalidCredentials)?;
    let cookie = session_cookie(auth, signed_in).map(|value| [(header::SET_COOKIE, value)]);
    Ok((cookie, Json(Me::from(principal))).into_response())
}

/// Sign in with e-mail and password.
///
/// Sets the session cookie. Attempts are limited by address and by account (429 with `Retry-After`).
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "Authentication", request_body = LoginRequest, security(()),
    responses((status = 200, body = Me), (status = 401, description = "`invalid_credentials`: unknown e-mail or wrong password"),
              (status = 429, description = "`rate_limited`"), (status = 503, description = "too many sign-ins right now")))]
pub(super) async fn login(
    State(auth): State<Auth>,
    client: Client,
    Json(body): Json<LoginRequest>,
) -> Result<Response, ApiError> {
    let result = auth.sign_in(&body.email, &body.password, &client).await?;
    signed_in(&auth, &result).await
}

/// Sign out: ends the current session.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "Authentication", responses((status = 204)))]
pub(super) async fn logout(State(auth): State<Auth>, http::Auth(who): http::Auth) -> Result<Response, ApiError> {
    auth.sign_out(&who).await?;
    let cookie = clear_session_cookie(&auth).map(|value| [(header::SET_COOKIE, value)]);
    Ok((StatusCode::NO_CONTENT, cookie, ()).into_response())
}

/// Who sent the request, in which organisation, and the person's other organisations.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "Authentication", responses((status = 200, body = Me), (status = 401)))]
pub(super) async fn me(http::Auth(who): http::Auth) -> Json<Me> {
    Json(who.into())
}

/// A person's own profile.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateMe {
    /// Display name; may be empty.
    #[schema(max_length = 200)]
    name: String,
}

/// Change your display name.
#[utoipa::path(patch, path = "/api/v1/auth/me", tag = "Authentication", request_body = UpdateMe, responses((status = 204)))]
pub(super) async fn update_me(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<UpdateMe>,
) -> Result<StatusCode, ApiError> {
    auth.rename_self(&who, &body.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The current and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangePassword {
    #[schema(value_type = String, format = Password)]
    current_password: SecretString,
    /// 10 characters or more; not the e-mail, not one of the most common.
    #[schema(value_type = String, format = Password, min_length = 10, max_length = 512)]
    new_password: SecretString,
}

/// Change your password. Ends your other sessions.
#[utoipa::path(post, path = "/api/v1/auth/password", tag = "Authentication", request_body = ChangePassword,
    responses((status = 204), (status = 422, description = "a wrong current password or a refused new one")))]
pub(super) async fn change_password(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    auth.change_password(&who, &body.current_password, &body.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The organisation to switch to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SwitchOrganisation {
    organisation_id: OrgId,
}

/// Act in another of your organisations from now on.
#[utoipa::path(post, path = "/api/v1/auth/switch-organisation", tag = "Authentication", request_body = SwitchOrganisation,
    responses((status = 204), (status = 404, description = "not one of the own organisations")))]
pub(super) async fn switch_organisation(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<SwitchOrganisation>,
) -> Result<StatusCode, ApiError> {
    auth.switch_organisation(&who, body.organisation_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A one-time link's token, and the form of its page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptLink {
    token: String,
    /// For a new account.
    #[serde(default)]
    name: String,
    /// For a new account or a reset.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<SecretString>,
}

/// Use a one-time link: join an organisation or set a new password.
///
/// Without an account, `name` and `password` create one and sign in. With one, sign in first.
#[utoipa::path(post, path = "/api/v1/auth/links/accept", tag = "Authentication", request_body = AcceptLink, security(()),
    responses((status = 200, body = Me), (status = 204, description = "the signed-in person joined"),
              (status = 401, description = "`sign_in_first`"), (status = 410, description = "`link_invalid`: used, ended, or never made")))]
pub(super) async fn accept_link(
    State(auth): State<Auth>,
    client: Client,
    who: Option<axum::Extension<Principal>>,
    Json(body): Json<AcceptLink>,
) -> Result<Response, ApiError> {
    let accept = Accept { name: body.name, password: body.password };
    match auth.accept_link(&body.token, accept, who.as_deref(), &client).await? {
        Accepted::SignedIn(result) => signed_in(&auth, &result).await,
        Accepted::Joined(_) => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Your sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "Authentication", params(ListQuery), responses((status = 200, body = Page<Session>)))]
pub(super) async fn list_sessions(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Session>>, ApiError> {
    let slice = query.slice()?;
    let rows = auth.list_sessions(&who, &slice).await?;
    Ok(Json(slice.page(rows, |s| s.id.0)))
}

/// Sign out everywhere else.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "Authentication", responses((status = 204)))]
pub(super) async fn end_other_sessions(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
) -> Result<StatusCode, ApiError> {
    auth.end_other_sessions(&who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of your sessions.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "Authentication", params(("id" = SessionId, Path)), responses((status = 204), (status = 404)))]
pub(super) async fn end_session(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(id): Path<SessionId>,
) -> Result<(StatusCode, HeaderMap), ApiError> {
    auth.end_session(&who, id).await?;
    let mut headers = HeaderMap::new();
    if who.user().is_some_and(|u| u.session_id == id.0)
        && let Some(cookie) = clear_session_cookie(&auth)
    {
        headers.insert(header::SET_COOKIE, cookie);
    }
    Ok((StatusCode::NO_CONTENT, headers))
}
