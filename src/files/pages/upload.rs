//! Uploading without a script: a form with several files, each stored as it comes.

use axum::extract::{Multipart, State, multipart::Field};

use super::{browse::place, caller, folder_address};
use crate::{Bucket, Caller, Files, FilesError, Key, NewObject};
use console::{Flash, PageResult, Shell};
use platform::{error::ApiError, http::Path};

pub async fn upload(
    shell: Shell,
    State(files): State<Files>,
    Path(name): Path<String>,
    mut form: Multipart,
) -> PageResult {
    shell.principal().require(crate::WRITE)?;
    let who = caller(&shell);
    let bucket = files.bucket(&who, &name).await?;
    // Both fields precede the files.
    shell.check_csrf(&text(&mut form, "csrf").await?)?;
    let prefix = place(&text(&mut form, "prefix").await?)?;
    let back = folder_address(&bucket.name, &prefix);
    let mut written = 0;
    while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
        let name = field.file_name().unwrap_or_default().trim_start_matches('/').to_owned();
        if name.is_empty() {
            continue;
        }
        if let Err(error) = put(&files, &who, &bucket, format!("{prefix}{name}"), field).await {
            let reason = ApiError::from(error).detail;
            let flash = Flash::error("files-upload-failed").with("name", &name).with("reason", &reason);
            return Ok(shell.redirect(&back, &flash.with("n", &written)));
        }
        written += 1;
    }
    let flash = if written == 0 { Flash::warn("files-nothing-chosen") } else { Flash::ok("files-uploaded") };
    Ok(shell.redirect(&back, &flash.with("n", &written)))
}

async fn put(files: &Files, who: &Caller, bucket: &Bucket, key: String, field: Field<'_>) -> Result<(), FilesError> {
    let new = NewObject { content_type: field.content_type().map(str::to_owned), ..NewObject::default() };
    files.put(who, bucket, Key::parse(key)?, field, new).await.map(drop)
}

fn unreadable() -> ApiError {
    ApiError::bad_request("invalid_form", "the form could not be read")
}

/// The next field, which has this name and no file; empty if it is another.
async fn text(form: &mut Multipart, name: &str) -> Result<String, ApiError> {
    match form.next_field().await.map_err(|_| unreadable())? {
        Some(field) if field.name() == Some(name) && field.file_name().is_none() => {
            field.text().await.map_err(|_| unreadable())
        }
        _ => Ok(String::new()),
    }
}
