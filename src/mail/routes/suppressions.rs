//! `/api/v1/mail/suppressions`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::owner;
use crate::{Mail, NewSuppression, Reason, Suppression, SuppressionFilter, SuppressionId};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, Scope},
};

/// Filter of suppressed addresses.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct ListFilter {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    installation: bool,
    /// Only addresses that were suppressed for this reason.
    reason: Option<Reason>,
}

/// Addresses to which nothing is sent, newest first
#[utoipa::path(get, path = "/api/v1/mail/suppressions", tag = "Mail",
    params(ListQuery, ListFilter, ("q" = Option<String>, Query, description = "Substring of the address or the detail.")),
    responses((status = 200, body = Page<Suppression>), (status = 403), (status = 422)))]
pub(super) async fn list_mail_suppressions(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> Result<Json<Page<Suppression>>, ApiError> {
    let ListFilter { installation, reason } = filter;
    owner(&mail, &who, installation)?;
    let slice = query.slice()?;
    let wanted = SuppressionFilter { installation, reason, search: query.search() };
    let rows = mail.suppressions(&who, &wanted, &slice).await?;
    Ok(Json(slice.page(rows, |row| row.id.0)))
}

/// An address to suppress.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuppressAddress {
    #[schema(example = "ada@example.com")]
    address: String,
    /// `*` for all mail (the default), or a kind such as `digest`.
    #[serde(default = "everything")]
    kind: String,
    /// For people, for example who asked for it.
    #[serde(default)]
    detail: String,
    /// For mail of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

fn everything() -> String {
    "*".to_owned()
}

/// Send no more mail to an address
#[utoipa::path(post, path = "/api/v1/mail/suppressions", tag = "Mail", request_body = SuppressAddress,
    responses((status = 201, body = Suppression), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn add_mail_suppression(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<SuppressAddress>,
) -> Result<(StatusCode, Json<Suppression>), ApiError> {
    let SuppressAddress { address, kind, detail, installation } = body;
    let owner = owner(&mail, &who, installation)?;
    let new = NewSuppression { address: &address, kind: &kind, detail: &detail };
    Ok((StatusCode::CREATED, Json(mail.add_suppression(&who, owner, &new).await?)))
}

/// Send mail to an address again
#[utoipa::path(delete, path = "/api/v1/mail/suppressions/{id}", tag = "Mail", params(("id" = SuppressionId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn remove_mail_suppression(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<SuppressionId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    mail.remove_suppression(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
