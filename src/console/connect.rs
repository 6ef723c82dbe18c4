//! How a program reaches a model of this installation: the same few lines on each page that shows an address, with address, model and key in place.

use askama::Template;

use super::AnonymousShell;
use super::format::Html;
use platform::error::ApiError;

/// What stands in the samples.
#[derive(Clone, Copy, Debug)]
pub struct Connect<'a> {
    /// Of this installation, without a slash at the end: [`AnonymousShell::address`].
    pub address: &'a str,
    pub model: &'a str,
    /// `None`: a placeholder, where no key has just been made.
    pub key: Option<&'a str>,
}

/// Name of the tab, and text.
const SAMPLES: [(&str, &str); 2] =
    [("curl", include_str!("connect/curl.sh")), ("Python", include_str!("connect/python.py"))];

#[derive(Template)]
#[template(path = "console/templates/connect.html")]
struct Samples<'a> {
    shell: &'a AnonymousShell,
    samples: Vec<(&'static str, String)>,
}

/// The samples as HTML: print with `|safe`.
pub fn connect(shell: &AnonymousShell, connect: &Connect<'_>) -> Result<Html, ApiError> {
    let key = connect.key.unwrap_or("hf_...");
    let fill = |text: &str| {
        text.replace("{{address}}", connect.address).replace("{{model}}", connect.model).replace("{{key}}", key)
    };
    let samples = SAMPLES.into_iter().map(|(name, text)| (name, fill(text))).collect();
    Samples { shell, samples }.render().map_err(ApiError::internal)
}
