//! The logo of a page.

use axum::{
    body::Bytes,
    extract::{Multipart, State, multipart::MultipartError},
    http::StatusCode,
};

use super::{PATH, settings::render_refused};
use crate::{PageId, StatusPageError, StatusPages, WRITE};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{error::ApiError, http::Path};

/// Of the whole form: a logo has at most 64 KiB, and one that is larger is to be refused in words.
pub(super) const LARGEST_FORM: usize = 1024 * 1024;

pub(super) async fn set(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    mut form: Multipart,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let (mut token, mut file) = (String::new(), Bytes::new());
    while let Some(field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        match field.name() {
            Some("csrf") => token = field.text().await.map_err(|error| unreadable(&error))?,
            Some("logo") => file = field.bytes().await.map_err(|error| unreadable(&error))?,
            _ => {}
        }
    }
    shell.check_csrf(&token)?;
    let saved = if file.is_empty() {
        // For the service that is the wish to remove it. Here no file was chosen.
        Err(StatusPageError::Invalid(Vec::new()))
    } else {
        pages.set_logo(shell.principal(), id, &file).await
    };
    match saved {
        Ok(_) => Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-logo-set"))),
        Err(StatusPageError::Invalid(_)) => {
            let errors = FormErrors::default().with("logo", &shell.t("status-page-logo-wrong"));
            render_refused(&shell, &pages, id, errors).await
        }
        Err(error) => Err(error.into()),
    }
}

fn unreadable(error: &MultipartError) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::payload_too_large("a logo has at most 64 KiB"),
        _ => ApiError::bad_request("invalid_form", "the form could not be read"),
    }
}

pub(super) async fn remove(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.set_logo(shell.principal(), id, &Bytes::new()).await?;
    Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-logo-removed")))
}
