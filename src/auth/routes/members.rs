//! `/api/v1/members` and their one-time links.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{Auth, Link, LinkId, Member, NewLink};
use platform::{
    error::ApiError,
    http::{self, Json, ListQuery, Page, Path, Query, Role, Scope, Sort},
    ids::UserId,
};

/// Members of the organisation, the newest account first.
#[utoipa::path(get, path = "/api/v1/members", tag = "Members",
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the e-mail or the name."),
        ("sort" = Option<Sort>, Query, description = "`newest` first (where it is absent) or `oldest` first.")),
    responses((status = 200, body = Page<Member>), (status = 403)))]
pub(super) async fn list_members(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Member>>, ApiError> {
    who.require(Scope::ADMIN)?;
    let slice = query.slice()?;
    let rows = auth.list_members(&who, query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |m| m.user_id.0)))
}

/// A member's new role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateMember {
    role: Role,
}

/// Change a member's role. Owners can change anyone's, admins that of members and viewers.
#[utoipa::path(patch, path = "/api/v1/members/{user_id}", tag = "Members", params(("user_id" = UserId, Path)), request_body = UpdateMember,
    responses((status = 200, body = Member), (status = 403), (status = 404), (status = 409, description = "`last_owner`")))]
pub(super) async fn update_member(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(user_id): Path<UserId>,
    Json(body): Json<UpdateMember>,
) -> Result<Json<Member>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(auth.set_member_role(&who, user_id, body.role).await?))
}

/// Options for removing a member.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RemoveQuery {
    /// Also revoke the API keys that they created, and keys created with those.
    #[serde(default)]
    #[param(required = false)]
    revoke_keys: bool,
}

/// Remove a member, or leave
///
/// One-time links they created are revoked; their API keys belong to the organisation and stay, unless `revoke_keys`.
#[utoipa::path(delete, path = "/api/v1/members/{user_id}", tag = "Members", params(("user_id" = UserId, Path), RemoveQuery),
    responses((status = 204), (status = 403), (status = 404), (status = 409, description = "`last_owner`")))]
pub(super) async fn remove_member(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(user_id): Path<UserId>,
    Query(query): Query<RemoveQuery>,
) -> Result<StatusCode, ApiError> {
    auth.remove_member(&who, user_id, query.revoke_keys).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Create a link with which a member who lost their password sets a new one. For people, not for API keys.
#[utoipa::path(post, path = "/api/v1/members/{user_id}/reset-link", tag = "Members", params(("user_id" = UserId, Path)),
    responses((status = 201, body = NewLink), (status = 403), (status = 404)))]
pub(super) async fn create_reset_link(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(user_id): Path<UserId>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    who.require(Scope::ADMIN)?;
    Ok((StatusCode::CREATED, Json(auth.create_reset_link(&who, user_id).await?)))
}

/// One-time links that can still be used.
#[utoipa::path(get, path = "/api/v1/members/links", tag = "Members", params(ListQuery), responses((status = 200, body = Page<Link>), (status = 403)))]
pub(super) async fn list_links(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Link>>, ApiError> {
    who.require(Scope::ADMIN)?;
    let slice = query.slice()?;
    let rows = auth.list_links(&who, &slice).await?;
    Ok(Json(slice.page(rows, |l| l.id.0)))
}

/// Whom to add, with which role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateLink {
    #[schema(example = "ada@example.com")]
    email: String,
    role: Role,
}

/// Create a one-time link to join the organisation
///
/// It works for 72 hours, while its creator may add such a member. For people, not for API keys.
#[utoipa::path(post, path = "/api/v1/members/links", tag = "Members", request_body = CreateLink,
    responses((status = 201, body = NewLink), (status = 403), (status = 409, description = "`already_member`")))]
pub(super) async fn create_link(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<CreateLink>,
) -> Result<(StatusCode, Json<NewLink>), ApiError> {
    who.require(Scope::ADMIN)?;
    Ok((StatusCode::CREATED, Json(auth.create_join_link(&who, &body.email, body.role).await?)))
}

/// Revoke a link.
#[utoipa::path(delete, path = "/api/v1/members/links/{id}", tag = "Members", params(("id" = LinkId, Path)), responses((status = 204), (status = 404)))]
pub(super) async fn delete_link(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(id): Path<LinkId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    auth.delete_link(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
