//! What can be wrong with a template or its data.

use std::fmt;

#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("there is no mail template {0:?}; there are {list}", list = super::catalogue::names())]
    UnknownTemplate(String),
    #[error("there are no mails in {0:?}, only in en and ru")]
    UnknownLanguage(String),
    #[error("{0} is not an address that begins with https:// or http://")]
    BadLink(String),
    #[error("template {template} ({language}), {fault}")]
    Template { template: String, language: &'static str, fault: Fault },
}

/// A part of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Subject,
    Text,
    Html,
}

impl Part {
    pub const ALL: [Self; 3] = [Self::Subject, Self::Text, Self::Html];

    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Text => "text",
            Self::Html => "html",
        }
    }
}

/// What is wrong with a template, in words for the person who writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub part: Part,
    /// Where known, 1 for the first.
    pub line: Option<usize>,
    pub what: String,
}

impl Fault {
    /// About the part as a whole.
    pub fn of(part: Part, what: impl Into<String>) -> Self {
        Self { part, line: None, what: what.into() }
    }

    /// `line 3: ...`
    pub fn detail(&self) -> String {
        match self.line {
            Some(line) => format!("line {line}: {}", self.what),
            None => self.what.clone(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.part.as_str(), self.detail())
    }
}
