//! `/api/v1/mail/messages`

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::owner;
use crate::{
    Filter, Mail, Message, MessageDetail, MessageId, SEND, State as MailState,
    service::{GivenFile, MailRequest},
};
use platform::{
    error::ApiError,
    http::{Auth, Json, ListQuery, Page, Path, Principal, Query, Scope},
    text_enum,
};

/// Bytes of a mail to send, as JSON: attachments of 10 MiB are a third longer in base64.
pub(super) const MOST_BYTES: usize = 15 << 20;

text_enum! {
    /// Language of a mail.
    #[schema(as = MailLanguage)]
    #[derive(Default)]
    pub enum Language {
        #[default]
        En = "en",
        Ru = "ru",
    }
}

/// Filter of messages.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(super) struct MessageFilter {
    /// Those of the installation instead of the organisation; operators only.
    #[param(required = false)]
    pub installation: bool,
    /// Only messages in this state.
    state: Option<MailState>,
    /// Only messages of this kind, such as `welcome` or `api`.
    kind: Option<String>,
    /// Only messages to this whole address.
    to: Option<String>,
    /// Only messages that came back, or were called spam.
    #[param(required = false)]
    bounced: bool,
    /// Only messages whose error contains this.
    answer: Option<String>,
    /// Only messages that were written at this time or later.
    since: Option<DateTime<Utc>>,
    /// Only messages that were written before this time.
    until: Option<DateTime<Utc>>,
}

impl MessageFilter {
    pub(super) fn filter<'a>(&'a self, search: Option<&'a str>) -> Filter<'a> {
        Filter {
            installation: self.installation,
            state: self.state,
            kind: self.kind.as_deref(),
            to: self.to.as_deref(),
            search,
            bounced: self.bounced,
            answer: self.answer.as_deref(),
            since: self.since,
            until: self.until,
        }
    }
}

/// Mail in the outbox and in the log, newest first
#[utoipa::path(get, path = "/api/v1/mail/messages", tag = "Mail",
    params(ListQuery, MessageFilter,
        ("q" = Option<String>, Query, description = "Substring of the address, the subject or the error; or a whole `Message-ID`.")),
    responses((status = 200, body = Page<Message>), (status = 403), (status = 422)))]
pub(super) async fn list_mail_messages(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Query(query): Query<ListQuery>,
    Query(filter): Query<MessageFilter>,
) -> Result<Json<Page<Message>>, ApiError> {
    owner(&mail, &who, filter.installation)?;
    let slice = query.slice()?;
    let rows = mail.list(&who, &filter.filter(query.search()), &slice).await?;
    Ok(Json(slice.page(rows, |message| message.id.0)))
}

/// A mail to send: either `subject` and `text`, or `template`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"to": "Ada Lovelace <ada@example.com>", "subject": "Your order is on its way", "text": "It arrives on Monday."}))]
pub(super) struct SendMail {
    /// One recipient: `ada@example.com` or `Ada Lovelace <ada@example.com>`.
    #[schema(example = "Ada Lovelace <ada@example.com>")]
    to: String,
    #[schema(example = "Your order is on its way")]
    subject: Option<String>,
    /// For readers without HTML.
    text: Option<String>,
    html: Option<String>,
    /// Name of a template of the organisation's own (`/api/v1/mail/own-templates`), instead of `subject`, `text` and `html`.
    template: Option<String>,
    /// Values of the template's fields.
    #[schema(value_type = Option<Object>)]
    data: Option<Value>,
    /// Of the template; default `en`.
    #[serde(default)]
    language: Language,
    /// An address at a domain that the organisation has verified. May be left out where the installation's sender is shared
    /// (`mail.shared_sender`).
    from: Option<String>,
    /// Where answers go to; default: that of the branding.
    reply_to: Option<String>,
    /// Not before this time, at most 30 days ahead; default: now.
    send_at: Option<DateTime<Utc>>,
    /// At most 20 files with 10 MiB (10,485,760 bytes) together.
    #[serde(default)]
    #[schema(max_items = 20)]
    attachments: Vec<SendAttachment>,
}

/// A file to send with a mail: either `content`, or `knowledge_base` and `document`, or `bucket` and `key`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SendAttachment {
    /// Default for a document or an object: its own.
    #[schema(example = "order.pdf", max_length = 200)]
    name: Option<String>,
    /// Default: `application/octet-stream`; for a document or an object its own.
    #[schema(example = "application/pdf")]
    content_type: Option<String>,
    /// Base64 (RFC 4648 section 4).
    content: Option<String>,
    /// Id of a knowledge base of the organisation. Needs the right to read it: for a key also the scope `knowledge_read`.
    #[schema(format = Uuid)]
    knowledge_base: Option<String>,
    /// Id of a document in it: its original is copied, as it is now.
    #[schema(format = Uuid)]
    document: Option<String>,
    /// Name or id of a bucket of the organisation. Needs the right to read it: for a key also the scope `files_read`.
    bucket: Option<String>,
    /// Key of an object in it: its content is copied, as it is now.
    key: Option<String>,
}

/// Send a mail
///
/// The answer comes when the mail is in the outbox; its state and every attempt are in the log. `Idempotency-Key` belongs to the mail as well:
/// as long as the log is kept, a request with the key (here at most 200 characters) of an earlier mail makes no other one, and gets 200 with
/// the earlier one. The request has at most 15 MiB (15,728,640 bytes), whatever `server.max_body_bytes` says.
#[utoipa::path(post, path = "/api/v1/mail/messages", tag = "Mail", request_body = SendMail,
    responses((status = 201, body = Message), (status = 200, body = Message, description = "The mail of an earlier request with this key"),
        (status = 403), (status = 413, description = "Larger than 15 MiB"), (status = 422),
        (status = 429, description = "Too many mails of the organisation or to this recipient")))]
pub(super) async fn send_mail(
    State(mail): State<Mail>,
    Auth(who): Auth,
    headers: HeaderMap,
    Json(body): Json<SendMail>,
) -> Result<(StatusCode, Json<Message>), ApiError> {
    who.require(SEND)?;
    let SendMail { to, subject, text, html, template, data, language, from, reply_to, send_at, attachments } = body;
    // Its form was checked by `idempotent`.
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let file = |file: SendAttachment| {
        let SendAttachment { name, content_type, content, knowledge_base, document, bucket, key } = file;
        GivenFile { name, content_type, content, knowledge_base, document, bucket, key }
    };
    let request = MailRequest {
        to,
        subject,
        text,
        html,
        template,
        data,
        language: language.as_str(),
        from,
        reply_to,
        send_at,
        attachments: attachments.into_iter().map(file).collect(),
        idempotency_key: key.map(str::to_owned),
    };
    let sent = mail.send(&who, &request).await?;
    if sent.is_another {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this Idempotency-Key belongs to an earlier mail, to somebody else or with another content: use a new one",
        ));
    }
    let status = if sent.is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(sent.message)))
}

/// Administrators reach every mail; whoever may only send reaches what it has sent itself.
async fn reach(mail: &Mail, who: &Principal, id: MessageId) -> Result<(), ApiError> {
    if who.require(Scope::ADMIN).is_ok() {
        return Ok(());
    }
    who.require(SEND)?;
    Ok(mail.check_own(who, id).await?)
}

/// A mail with its text and its attempts
///
/// A key with the scope `mail_send` reads the mails that it has sent itself.
#[utoipa::path(get, path = "/api/v1/mail/messages/{id}", tag = "Mail", params(("id" = MessageId, Path)),
    responses((status = 200, body = MessageDetail), (status = 403), (status = 404)))]
pub(super) async fn get_mail_message(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<MessageId>,
) -> Result<Json<MessageDetail>, ApiError> {
    reach(&mail, &who, id).await?;
    Ok(Json(mail.get(&who, id).await?))
}

/// Try a queued mail now, or queue one again that failed, was suppressed or cancelled
///
/// It keeps its `Message-ID`.
#[utoipa::path(post, path = "/api/v1/mail/messages/{id}/retry", tag = "Mail", params(("id" = MessageId, Path)),
    responses((status = 202, body = Message), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn retry_mail_message(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<MessageId>,
) -> Result<(StatusCode, Json<Message>), ApiError> {
    who.require(Scope::ADMIN)?;
    Ok((StatusCode::ACCEPTED, Json(mail.retry(&who, id).await?)))
}

/// Cancel a queued mail
///
/// A key with the scope `mail_send` cancels the mails that it has sent itself.
#[utoipa::path(post, path = "/api/v1/mail/messages/{id}/cancel", tag = "Mail", params(("id" = MessageId, Path)),
    responses((status = 200, body = Message), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn cancel_mail_message(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path(id): Path<MessageId>,
) -> Result<Json<Message>, ApiError> {
    reach(&mail, &who, id).await?;
    Ok(Json(mail.cancel(&who, id).await?))
}
