//! `/api/v1/mail/messages/{id}/attachments/{number}`

use axum::{
    body::Body,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use crate::{Mail, MessageId, service::OpenFile};
use platform::{
    error::ApiError,
    http::{Auth, Path, Scope, disposition},
};

/// What a browser shows without running anything; all else is a download.
const SHOWN: [&str; 5] = ["image/gif", "image/jpeg", "image/png", "image/webp", "text/plain"];

/// A file of a mail
#[utoipa::path(get, path = "/api/v1/mail/messages/{id}/attachments/{number}", tag = "Mail",
    params(("id" = MessageId, Path), ("number" = usize, Path, description = "1 for the first of `attachments`.")),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>), (status = 403), (status = 404)))]
pub(super) async fn get_mail_attachment(
    State(mail): State<Mail>,
    Auth(who): Auth,
    Path((id, number)): Path<(MessageId, usize)>,
) -> Result<Response, ApiError> {
    who.require(Scope::ADMIN)?;
    Ok(served(mail.open_attachment(&who, id, number).await?))
}

/// A file of somebody else: it is shown only if nothing in it can run, and never as what it is not said to be.
pub(crate) fn served(file: OpenFile) -> Response {
    let OpenFile { attachment, content } = file;
    let kind = attachment.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_shown = SHOWN.contains(&kind.as_str());
    let named = if is_shown { attachment.content_type.as_str() } else { "application/octet-stream" };
    let octets = HeaderValue::from_static("application/octet-stream");
    let headers: [(HeaderName, HeaderValue); 6] = [
        (header::CONTENT_TYPE, HeaderValue::from_str(named).unwrap_or(octets)),
        (header::CONTENT_LENGTH, HeaderValue::from(attachment.size)),
        (header::CONTENT_DISPOSITION, disposition(if is_shown { "inline" } else { "attachment" }, &attachment.name)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(content)).into_response()
}
