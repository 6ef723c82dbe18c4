//! Errors in S3's shape.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// An error of the S3 API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct S3Error {
    pub status: StatusCode,
    /// As Amazon names it.
    pub code: &'static str,
    pub message: String,
}

impl S3Error {
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_IMPLEMENTED, code: "NotImplemented", message: message.into() }
    }

    fn xml(&self) -> String {
        let mut message = String::with_capacity(self.message.len());
        for c in self.message.chars() {
            match c {
                '&' => message.push_str("&amp;"),
                '<' => message.push_str("&lt;"),
                '>' => message.push_str("&gt;"),
                c if c.is_control() => message.push(' '),
                c => message.push(c),
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{message}</Message></Error>",
            self.code
        )
    }
}

impl IntoResponse for S3Error {
    fn into_response(self) -> Response {
        (self.status, [(header::CONTENT_TYPE, "application/xml")], self.xml()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_quotes_is_no_markup() {
        let xml = S3Error::not_implemented("a <b> & c\u{1}").xml();
        assert!(
            xml.ends_with("<Error><Code>NotImplemented</Code><Message>a &lt;b&gt; &amp; c </Message></Error>"),
            "{xml}"
        );
    }
}
