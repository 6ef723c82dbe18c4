//! `/api/v1/mail/messages/retry`, `/cancel` and `/export`: many mails at once.

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{csv_file, messages::MessageFilter, owner};
use crate::{Changed, Filter, Mail, State as MailState};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Query, Slice},
    text_enum,
};

text_enum! {
    /// State of mails that are queued again.
    #[schema(as = MailEnded)]
    #[derive(Default)]
    pub enum Ended {
        #[default]
        Failed = "failed",
        Suppressed = "suppressed",
        Cancelled = "cancelled",
    }
}

impl Ended {
    fn state(self) -> MailState {
        match self {
            Self::Failed => MailState::Failed,
            Self::Suppressed => MailState::Suppressed,
            Self::Cancelled => MailState::Cancelled,
        }
    }
}

/// Which mails are queued again. What is absent is no filter.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"state": "failed", "since": "2026-11-30T01:00:00Z", "answer": "not verified"}))]
pub(super) struct RetryMails {
    /// Those of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
    /// Default `failed`.
    #[serde(default)]
    state: Ended,
    /// Written at this time or later.
    since: DateTime<Utc>,
    /// Written before this time.
    until: Option<DateTime<Utc>>,
    /// Such as `welcome` or `api`.
    kind: Option<String>,
    /// To this whole address.
    to: Option<String>,
    /// With an error that contains this.
    answer: Option<String>,
}

/// Which queued mails are cancelled. What is absent is no filter.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "digest"}))]
pub(super) struct CancelMails {
    /// Those of the installation instead of the organisation; operators only.
    #[serde(default)]
    installation: bool,
    /// Written at this time or later.
    since: Option<DateTime<Utc>>,
    /// Written before this time.
    until: Option<DateTime<Utc>>,
    /// Such as `welcome` or `api`.
    kind: Option<String>,
    /// To this whole address.
    to: Option<String>,
    /// With an error that contains this.
    answer: Option<String>,
}

/// What both bodies choose by; `texts`: kind, recipient and a part of the error.
fn chosen(
    installation: bool,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    texts: [Option<&str>; 3],
) -> Filter<'_> {
    let [kind, to, answer] = texts;
    Filter { installation, kind, to, answer, since, until, ..Filter::default() }
}

/// Queue many mails again
///
/// For example after a provider's trouble. Each keeps its `Message-ID`. At most 10 000 at once: repeat it while the answer says that there are `more`.
#[utoipa::path(post, path = "/api/v1/mail/messages/retry", tag = "Mail", request_body = RetryMails,
    responses((status = 200, body = Changed), (status = 403), (status = 422)))]
pub(super) async fn retry_mail_messages(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<RetryMails>,
) -> Result<Json<Changed>, ApiError> {
    owner(&mail, &who, body.installation)?;
    let texts = [&body.kind, &body.to, &body.answer].map(Option::as_deref);
    let filter = chosen(body.installation, Some(body.since), body.until, texts);
    Ok(Json(mail.retry_many(&who, body.state.state(), &filter).await?))
}

/// Cancel many queued mails
///
/// At most 10 000 at once: repeat it while the answer says that there are `more`.
#[utoipa::path(post, path = "/api/v1/mail/messages/cancel", tag = "Mail", request_body = CancelMails,
    responses((status = 200, body = Changed), (status = 403), (status = 422)))]
pub(super) async fn cancel_mail_messages(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Json(body): Json<CancelMails>,
) -> Result<Json<Changed>, ApiError> {
    owner(&mail, &who, body.installation)?;
    let texts = [&body.kind, &body.to, &body.answer].map(Option::as_deref);
    let filter = chosen(body.installation, body.since, body.until, texts);
    Ok(Json(mail.cancel_many(&who, &filter).await?))
}

/// Search of an export.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct Search {
    /// Substring of the address, the subject or the error; or a whole `Message-ID`.
    #[param(required = false, max_length = 200)]
    q: String,
}

/// The log as CSV, newest first
///
/// A text that a spreadsheet would take for a formula has an apostrophe in front of it.
#[utoipa::path(get, path = "/api/v1/mail/messages/export", tag = "Mail", params(MessageFilter, Search),
    responses((status = 200, content_type = "text/csv", body = String), (status = 403), (status = 422)))]
pub(super) async fn export_mail_messages(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(filter): Query<MessageFilter>,
    Query(Search { q }): Query<Search>,
) -> Result<Response, ApiError> {
    let owner = owner(&mail, &who, filter.installation)?;
    // Its limits are those of the list.
    let query = ListQuery { q, ..ListQuery::default() };
    let _: Slice = query.slice()?;
    Ok(csv_file("mail-log.csv", mail.export_log(owner, &filter.filter(query.search()))))
}
