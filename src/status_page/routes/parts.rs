//! Logo, key, domains and subscribers of a page.

use axum::{body::Bytes, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Page, PageId, READ, StatusPages, Subscriber, SubscriberId, WRITE};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page as ListPage, Path, Query},
};

/// Set the logo
///
/// A PNG or a WebP of at most 64 KiB; an empty body removes it.
#[utoipa::path(put, path = "/api/v1/status-pages/{id}/logo", tag = "Status pages", params(("id" = PageId, Path)),
    request_body(content = Vec<u8>, content_type = "image/png"),
    responses((status = 200, body = Page), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn set_status_page_logo(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
    body: Bytes,
) -> Result<Json<Page>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(pages.set_logo(&who, id, &body).await?))
}

/// A key for programs.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusPageKey)]
pub(super) struct NewKey {
    /// For `?key=`. It is not shown again.
    key: String,
}

/// Make a key for programs
///
/// With `?key=` they read a page that has a password. The key before works no longer.
#[utoipa::path(post, path = "/api/v1/status-pages/{id}/key", tag = "Status pages", params(("id" = PageId, Path)),
    responses((status = 200, body = NewKey), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn create_status_page_key(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
) -> Result<Json<NewKey>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(NewKey { key: pages.new_key(&who, id).await? }))
}

/// Remove the key for programs
#[utoipa::path(delete, path = "/api/v1/status-pages/{id}/key", tag = "Status pages", params(("id" = PageId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn delete_status_page_key(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    pages.remove_key(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A name of DNS that leads to the page.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddStatusPageDomain)]
pub(super) struct AddDomain {
    #[schema(example = "status.example.com", max_length = 253)]
    domain: String,
}

/// Add a domain
///
/// The answer names the TXT record that proves it: nothing is served under the name before it is found.
#[utoipa::path(post, path = "/api/v1/status-pages/{id}/domains", tag = "Status pages", params(("id" = PageId, Path)), request_body = AddDomain,
    responses((status = 201, body = Page), (status = 403), (status = 404), (status = 409), (status = 422)))]
pub(super) async fn add_status_page_domain(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
    Json(body): Json<AddDomain>,
) -> Result<(StatusCode, Json<Page>), ApiError> {
    who.require(WRITE)?;
    Ok((StatusCode::CREATED, Json(pages.add_domain(&who, id, &body.domain).await?)))
}

/// Remove a domain
#[utoipa::path(delete, path = "/api/v1/status-pages/{id}/domains/{domain}", tag = "Status pages",
    params(("id" = PageId, Path), ("domain" = String, Path)),
    responses((status = 200, body = Page), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn remove_status_page_domain(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path((id, domain)): Path<(PageId, String)>,
) -> Result<Json<Page>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(pages.remove_domain(&who, id, &domain).await?))
}

/// Look for the domain's TXT record now
#[utoipa::path(post, path = "/api/v1/status-pages/{id}/domains/{domain}/check", tag = "Status pages",
    params(("id" = PageId, Path), ("domain" = String, Path)),
    responses((status = 200, body = Page), (status = 403), (status = 404)))]
pub(super) async fn check_status_page_domain(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path((id, domain)): Path<(PageId, String)>,
) -> Result<Json<Page>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(pages.check_domain(&who, id, &domain).await?))
}

/// Who follows a page by mail, newest first
#[utoipa::path(get, path = "/api/v1/status-pages/{id}/subscribers", tag = "Status pages", params(("id" = PageId, Path), ListQuery),
    responses((status = 200, body = ListPage<Subscriber>), (status = 403), (status = 404), (status = 422)))]
pub(super) async fn list_status_page_subscribers(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<ListPage<Subscriber>>, ApiError> {
    who.require(READ)?;
    let slice = query.slice()?;
    let rows = pages.subscribers(&who, id, &slice).await?;
    Ok(Json(slice.page(rows, |subscriber| subscriber.id.0)))
}

/// Remove a subscriber
#[utoipa::path(delete, path = "/api/v1/status-pages/{id}/subscribers/{subscriber}", tag = "Status pages",
    params(("id" = PageId, Path), ("subscriber" = SubscriberId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn remove_status_page_subscriber(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path((id, subscriber)): Path<(PageId, SubscriberId)>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    pages.remove_subscriber(&who, id, subscriber).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Render a page again
#[utoipa::path(post, path = "/api/v1/status-pages/{id}/render", tag = "Status pages", params(("id" = PageId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn render_status_page(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    pages.render_again(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
