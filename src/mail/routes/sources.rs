//! `/api/v1/mail/sources`

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Whose, owner};
use crate::{Mail, Provider, Source, SourceId, SourceWithUrl};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Query, Scope},
};

/// Providers that report bounces, newest first
#[utoipa::path(get, path = "/api/v1/mail/sources", tag = "Mail", params(ListQuery, Whose),
    responses((status = 200, body = Page<Source>), (status = 403), (status = 422)))]
pub(super) async fn list_mail_sources(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(whose): Query<Whose>,
) -> Result<Json<Page<Source>>, ApiError> {
    let owner = owner(&mail, &who, whose.installation)?;
    let slice = query.slice()?;
    let rows = mail.sources(owner, &slice).await?;
    Ok(Json(slice.page(rows, |source| source.id.0)))
}

/// A provider that is to report bounces.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"provider": "ses", "secret": "arn:aws:sns:eu-west-1:123456789012:bounces"}))]
pub(super) struct AddSource {
    provider: Provider,
    /// What its reports are verified with: the verification key of SendGrid, the signing key of Mailgun, the `whsec_` secret of Resend, the
    /// topic's ARN of SES.
    #[serde(default)]
    secret: String,
    /// For mail of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
}

/// Take bounce reports of a provider. The answer contains the address for them, which is shown only once
#[utoipa::path(post, path = "/api/v1/mail/sources", tag = "Mail", request_body = AddSource,
    responses((status = 201, body = SourceWithUrl), (status = 403), (status = 409), (status = 422)))]
pub(super) async fn add_mail_source(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<AddSource>,
) -> Result<(StatusCode, Json<SourceWithUrl>), ApiError> {
    let owner = owner(&mail, &who, body.installation)?;
    Ok((StatusCode::CREATED, Json(mail.add_source(&who, owner, body.provider, &body.secret).await?)))
}

/// Refuse the reports of a provider from now on
#[utoipa::path(delete, path = "/api/v1/mail/sources/{id}", tag = "Mail", params(("id" = SourceId, Path)),
    responses((status = 204), (status = 403), (status = 404)))]
pub(super) async fn delete_mail_source(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<SourceId>,
) -> Result<StatusCode, ApiError> {
    who.require(Scope::ADMIN)?;
    mail.delete_source(&who, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
