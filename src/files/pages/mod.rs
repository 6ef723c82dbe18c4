//! Pages of files: buckets, what is in them, an object, uploads, access keys, links, the trash, usage.
//!
//! A key is never changed on its way through a form: a browser would turn its line breaks into others, and an address would lose its `..`. So forms and
//! addresses carry it percent-encoded, in a field.

mod browse;
mod buckets;
mod form;
mod keys;
mod links;
mod lock;
mod object;
mod preview;
mod settings;
mod trash;
mod upload;
mod usage;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Deserialize;

use super::{Caller, Files, FilesError, Key};
use console::Shell;

/// Rows per page.
const SHOWN: u32 = 100;

pub fn router() -> Router<Files> {
    Router::new()
        .route("/files", get(buckets::list).post(buckets::create))
        .route("/files/b/{bucket}", get(browse::list))
        .route("/files/b/{bucket}/delete", post(buckets::delete))
        .route("/files/b/{bucket}/settings", get(settings::show).post(settings::save))
        .route("/files/b/{bucket}/rules", post(settings::save_rules))
        .route("/files/b/{bucket}/image-report", post(settings::report_images))
        .route("/files/b/{bucket}/upload", post(upload::upload).layer(DefaultBodyLimit::disable()))
        .route("/files/b/{bucket}/folder", post(browse::make_folder))
        .route("/files/b/{bucket}/change", post(browse::change))
        .route("/files/b/{bucket}/object", get(object::show).post(object::describe))
        .route("/files/b/{bucket}/object/raw", get(preview::raw))
        .route("/files/b/{bucket}/object/picture", get(preview::picture))
        .route("/files/b/{bucket}/object/delete", post(object::delete))
        .route("/files/b/{bucket}/object/restore", post(object::restore))
        .route("/files/b/{bucket}/object/lock", post(lock::lock))
        .route("/files/b/{bucket}/object/share", post(links::create))
        .route("/files/keys", get(keys::list).post(keys::create))
        .route("/files/keys/{id}/revoke", post(keys::revoke))
        .route("/files/links", get(links::list))
        .route("/files/links/{id}/revoke", post(links::revoke))
        .route("/files/trash", get(trash::list))
        .route("/files/trash/restore", post(trash::restore))
        .route("/files/trash/purge", post(trash::purge))
        .route("/files/usage", get(usage::show))
}

/// Who looks at a page.
fn caller(shell: &Shell) -> Caller {
    Caller::of(shell.principal())
}

/// A text for an address or a form, in which it survives whatever it is.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A key out of a form.
fn decoded(text: &str) -> Result<Key, FilesError> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| FilesError::invalid("/key", "invalid", "a key is text in UTF-8"))?;
    Ok(Key::parse(text.into_owned())?)
}

/// The page of a bucket, at a folder.
fn folder_address(bucket: &str, prefix: &str) -> String {
    if prefix.is_empty() {
        format!("/files/b/{bucket}")
    } else {
        format!("/files/b/{bucket}?prefix={}", encoded(prefix))
    }
}

/// The page of an object.
fn object_address(bucket: &str, key: &str) -> String {
    format!("/files/b/{bucket}/object?key={}", encoded(key))
}

/// The folder that a key is in: up to its last slash but one at its end.
fn folder_of(key: &str) -> &str {
    let body = key.strip_suffix('/').unwrap_or(key);
    body.rfind('/').map_or("", |at| &key[..=at])
}

/// Which object a page is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Which {
    key: String,
    /// Empty: what is current.
    version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_forms_and_addresses() {
        for key in ["a b", "../x", "a//b", "line\nbreak\r", "%2F", "é\u{10ffff}", "\u{1}"] {
            assert_eq!(decoded(&encoded(key)).unwrap().as_str(), key);
            assert!(encoded(key).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'%'), "{key}");
        }
        assert!(matches!(decoded("%ff"), Err(FilesError::Invalid(_))));
        assert!(matches!(decoded(""), Err(FilesError::Key(_))));
    }

    #[test]
    fn a_key_lies_in_the_folder_before_its_last_slash() {
        let pairs = [("a", ""), ("a/b", "a/"), ("a/b/", "a/"), ("a/", ""), ("/", ""), ("a//b", "a//"), ("é/b", "é/")];
        for (key, folder) in pairs {
            assert_eq!(folder_of(key), folder, "{key}");
        }
    }
}
