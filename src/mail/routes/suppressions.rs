//! `/api/v1/mail/suppressions`

use axum::{
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::stream::BoxStream;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{LARGEST_IMPORT, owner};
use crate::{Imported, Mail, NewSuppression, Reason, Suppression, SuppressionFilter, SuppressionId};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, Scope, Slice, body_bytes, disposition},
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

/// Filter of exported addresses.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct ExportFilter {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    installation: bool,
    /// Only addresses that were suppressed for this reason.
    reason: Option<Reason>,
    /// Substring of the address or the detail.
    #[param(required = false, max_length = 200)]
    q: String,
}

/// Addresses to which nothing is sent, as CSV
///
/// Such a file can be imported. A text that a spreadsheet would take for a formula has an apostrophe in front of it.
#[utoipa::path(get, path = "/api/v1/mail/suppressions/export", tag = "Mail", params(ExportFilter),
    responses((status = 200, content_type = "text/csv", body = String), (status = 403), (status = 422)))]
pub(super) async fn export_mail_suppressions(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(ExportFilter { installation, reason, q }): Query<ExportFilter>,
) -> Result<Response, ApiError> {
    let owner = owner(&mail, &who, installation)?;
    // Its limits are those of the list.
    let query = ListQuery { q, ..ListQuery::default() };
    let _: Slice = query.slice()?;
    let wanted = SuppressionFilter { installation, reason, search: query.search() };
    Ok(csv_file("mail-suppressions.csv", mail.export_suppressions(owner, &wanted)))
}

/// A CSV file as an answer.
pub(crate) fn csv_file(name: &str, content: BoxStream<'static, anyhow::Result<Bytes>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (header::CONTENT_DISPOSITION, disposition("attachment", name)),
    ];
    (headers, Body::from_stream(content)).into_response()
}

/// What an import applies to.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct ImportOptions {
    /// For mail of the installation instead of the organisation; operators only.
    #[param(required = false)]
    installation: bool,
    /// Reason of the addresses for which the file has none; default `manual`.
    reason: Option<Reason>,
}

/// Send no more mail to the addresses of a CSV file
///
/// The first line names the columns: `address` (or `email`, `EmailAddress`, `recipient`), and if they are there `kind`, `reason` and `detail`. The
/// exports of mail services have them; without names, the addresses are taken. At most 100 000 lines and 8 MiB, in UTF-8. A line that cannot be
/// used is left out and told with its number; an address that is suppressed already stays as it is.
#[utoipa::path(post, path = "/api/v1/mail/suppressions/import", tag = "Mail", params(ImportOptions),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Imported), (status = 403), (status = 413), (status = 422)))]
pub(super) async fn import_mail_suppressions(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(ImportOptions { installation, reason }): Query<ImportOptions>,
    mut request: Request,
) -> Result<Json<Imported>, ApiError> {
    let owner = owner(&mail, &who, installation)?;
    DefaultBodyLimit::max(LARGEST_IMPORT).apply(&mut request);
    let file = body_bytes(request).await?;
    Ok(Json(mail.import_suppressions(&who, owner, &file, reason.unwrap_or(Reason::Manual)).await?))
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
