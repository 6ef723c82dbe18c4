//! `/api/v1/status-pages`

mod parts;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Owner, Page, PageId, PageUpdate, READ, StatusPages, WRITE};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page as ListPage, Path, Principal, Query, Scope, idempotent},
};

/// The routes of this capability.
pub fn router() -> OpenApiRouter<StatusPages> {
    OpenApiRouter::new()
        .routes(idempotent(routes!(list_status_pages, create_status_page)))
        .routes(routes!(get_status_page, update_status_page, delete_status_page))
        .routes(routes!(parts::set_status_page_logo))
        .routes(routes!(parts::create_status_page_key, parts::delete_status_page_key))
        .routes(idempotent(routes!(parts::add_status_page_domain)))
        .routes(routes!(parts::remove_status_page_domain))
        .routes(routes!(parts::check_status_page_domain))
        .routes(routes!(parts::list_status_page_subscribers))
        .routes(routes!(parts::remove_status_page_subscriber))
        .routes(routes!(parts::render_status_page))
}

/// Whose pages the caller asks for.
pub(super) fn owner(pages: &StatusPages, who: &Principal, scope: Scope, installation: bool) -> Result<Owner, ApiError> {
    who.require(scope)?;
    if installation {
        who.require_operator("see its status pages")?;
    }
    Ok(pages.owner(who, installation)?)
}

/// Whose things are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Whose {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    pub installation: bool,
}

/// Status pages, newest first
#[utoipa::path(get, path = "/api/v1/status-pages", tag = "Status pages", params(ListQuery, Whose),
    responses((status = 200, body = ListPage<Page>), (status = 403), (status = 422)))]
async fn list_status_pages(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<ListPage<Page>>, ApiError> {
    let owner = owner(&pages, &who, READ, whose.installation)?;
    let slice = query.slice()?;
    let rows = pages.pages(owner, &slice).await?;
    Ok(Json(slice.page(rows, |page| page.id.0)))
}

/// Make a status page
///
/// `slug` and `name` are needed; the rest has defaults: private, in UTC, English and Russian.
#[utoipa::path(post, path = "/api/v1/status-pages", tag = "Status pages", params(Whose), request_body = PageUpdate,
    responses((status = 201, body = Page), (status = 403), (status = 409), (status = 422)))]
async fn create_status_page(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Query(whose): Query<Whose>,
    Json(body): Json<PageUpdate>,
) -> Result<(StatusCode, Json<Page>), ApiError> {
    let owner = owner(&pages, &who, WRITE, whose.installation)?;
    Ok((StatusCode::CREATED, Json(pages.create_page(&who, owner, &body).await?)))
}

/// A status page
#[utoipa::path(get, path = "/api/v1/status-pages/{id}", tag = "Status pages", params(("id" = PageId, Path)),
    responses((status = 200, body = Page), (status = 403), (status = 404)))]
async fn get_status_page(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
) -> Result<Json<Page>, ApiError> {
    who.require(READ)?;
    Ok(Json(pages.page(&who, id).await?))
}

/// Change a status page
///
/// What is absent stays as it is. `groups` and `components` are whole lists.
#[utoipa::path(patch, path = "/api/v1/status-pages/{id}", tag = "Status pages", params(("id" = PageId, Path)), request_body = PageUpdate,
    responses((status = 200, body = Page), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn update_status_page(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
    Json(body): Json<PageUpdate>,
) -> Result<Json<Page>, ApiError> {
    who.require(WRITE)?;
    Ok(Json(pages.update_page(&who, id, &body).await?))
}

/// Delete a status page with its subscribers
#[utoipa::path(delete, path = "/api/v1/status-pages/{id}", tag = "Status pages", params(("id" = PageId, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
async fn delete_status_page(
    State(pages): State<StatusPages>,
    Auth(who): Auth,
    Path(id): Path<PageId>,
) -> Result<StatusCode, ApiError> {
    who.require(WRITE)?;
    pages.delete_page(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
