//! `/api/v1/organisations`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{Auth, Organisation, service};
use platform::{
    error::ApiError,
    http::{self, Json, ListQuery, Page, Path, Query, Scope, Sort},
    ids::OrgId,
};

/// All organisations of the installation, newest first. For operators.
#[utoipa::path(get, path = "/api/v1/organisations", tag = "Organisations",
    params(ListQuery, ("q" = Option<String>, Query, description = "A part of the name or the slug."),
        ("sort" = Option<Sort>, Query, description = "`newest` first (where it is absent) or `oldest` first.")),
    responses((status = 200, body = Page<Organisation>), (status = 403)))]
pub(super) async fn list_organisations(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<Organisation>>, ApiError> {
    service::operator(&who)?;
    let slice = query.slice()?;
    let rows = auth.list_organisations(query.search(), &slice).await?;
    Ok(Json(slice.page(rows, |o| o.id.0)))
}

/// A new organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateOrganisation {
    #[schema(example = "Acme Ltd", min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
    /// Lower-case letters, digits and dashes; derived from the name when absent.
    #[schema(example = "acme", max_length = 64, pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
    slug: Option<String>,
}

/// Create an organisation and become its owner. For operators.
#[utoipa::path(post, path = "/api/v1/organisations", tag = "Organisations", request_body = CreateOrganisation,
    responses((status = 201, body = Organisation), (status = 403), (status = 409, description = "`slug_taken`")))]
pub(super) async fn create_organisation(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Json(body): Json<CreateOrganisation>,
) -> Result<(StatusCode, Json<Organisation>), ApiError> {
    let org = auth.create_organisation_as(&who, &body.name, body.slug.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(org)))
}

/// Changes to an organisation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateOrganisation {
    #[schema(min_length = 1, max_length = 200, pattern = r"\S")]
    name: String,
}

/// Rename the current organisation.
#[utoipa::path(patch, path = "/api/v1/organisations/{id}", tag = "Organisations", params(("id" = OrgId, Path)), request_body = UpdateOrganisation,
    responses((status = 200, body = Organisation), (status = 403), (status = 404)))]
pub(super) async fn update_organisation(
    State(auth): State<Auth>,
    http::Auth(who): http::Auth,
    Path(id): Path<OrgId>,
    Json(body): Json<UpdateOrganisation>,
) -> Result<Json<Organisation>, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(Json(auth.rename_organisation(&who, id, &body.name).await?))
}
