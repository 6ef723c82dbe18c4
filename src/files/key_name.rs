//! What a key may be: any text of 1 to 1024 bytes without U+0000. It is never normalised, never trimmed, and no path of the host: places in
//! the store are made of ids.

use std::fmt;

/// Longest key, bytes: S3's limit.
const LONGEST: usize = 1024;

/// An object's name in its bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("a key has at least one character")]
    Empty,
    #[error("a key has at most 1024 bytes in UTF-8; this one has {0}")]
    TooLong(usize),
    #[error("a key cannot contain U+0000, which is at byte {0}")]
    Nul(usize),
}

impl Key {
    pub fn parse(text: impl Into<String>) -> Result<Self, KeyProblem> {
        let text = text.into();
        if text.is_empty() {
            Err(KeyProblem::Empty)
        } else if text.len() > LONGEST {
            Err(KeyProblem::TooLong(text.len()))
        } else if let Some(at) = text.find('\0') {
            Err(KeyProblem::Nul(at))
        } else {
            Ok(Self(text))
        }
    }

    /// Out of the database, where a constraint holds.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a download is called: behind the last slash, or all of it.
    pub fn file_name(&self) -> &str {
        self.0.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("file")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The next text after all texts that begin with `prefix`, in the order of their bytes; `None`: there is none. As `files_after` of the database.
pub fn after(prefix: &str) -> Option<String> {
    let mut rest = prefix;
    while let Some(last) = rest.chars().next_back() {
        rest = &rest[..rest.len() - last.len_utf8()];
        let next = match last {
            '\u{10ffff}' => continue,
            // Surrogates are no characters.
            '\u{d7ff}' => '\u{e000}',
            last => char::from_u32(u32::from(last) + 1)?,
        };
        return Some(format!("{rest}{next}"));
    }
    None
}
