//! Addresses of mail: parsed once, so that whatever is written into a header or a command of SMTP is known to be one address and no more.

use std::{fmt, str::FromStr};

use platform::names::{is_invisible, tidy, turns_direction};

/// RFC 5321 section 4.5.3.1, octets.
const LONGEST: usize = 254;
const LONGEST_LOCAL: usize = 64;
/// Characters that a name can have between quotation marks only.
const NEEDS_QUOTES: [char; 6] = ['"', '\\', '<', '>', ',', ';'];
/// Longer names are refused by some servers, with the header that they are in.
const LONGEST_NAME: usize = 200;

/// One mailbox: an optional name, the local part, the domain. It contains no control character, so no line break.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    name: String,
    local: String,
    domain: String,
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("a line break or another control character is not allowed here")]
    Control,
    #[error("it contains an invisible character: type it instead of pasting it")]
    Invisible,
    #[error("expected one address, such as ada@example.com or Ada Lovelace <ada@example.com>")]
    Form,
    #[error("the part before the @ is empty, too long or has a character that cannot be there")]
    Local,
    #[error("the part after the @ is not the name of a domain")]
    Domain,
    #[error("an address has at most {LONGEST} characters")]
    TooLong,
    #[error("a name has at most {LONGEST_NAME} characters")]
    NameTooLong,
}

impl Address {
    /// Parses `ada@example.com`, `Ada Lovelace <ada@example.com>` or `"Lovelace, Ada" <ada@example.com>`. Space around it is removed; a line
    /// break or another control character within it is refused.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        if text.chars().any(char::is_control) {
            return Err(BadAddress::Control);
        }
        let Some(rest) = text.strip_suffix('>') else { return Self::new("", text) };
        let (name, address) = rest.rsplit_once('<').ok_or(BadAddress::Form)?;
        Self::new(&unquoted(name.trim())?, address)
    }

    /// From a name (may be empty) and an address without one.
    pub fn new(name: &str, address: &str) -> Result<Self, BadAddress> {
        if name.chars().chain(address.chars()).any(char::is_control) {
            return Err(BadAddress::Control);
        }
        if address.chars().any(|c| (is_invisible(c) && !c.is_whitespace()) || turns_direction(c)) {
            return Err(BadAddress::Invisible);
        }
        let (local, domain) = address.trim().rsplit_once('@').ok_or(BadAddress::Form)?;
        // Composed, as other people type the same address.
        let local = tidy(local);
        let local_fits = !local.is_empty()
            && local.len() <= LONGEST_LOCAL
            && local.chars().all(is_atom)
            && !local.split('.').any(str::is_empty);
        if !local_fits {
            return Err(BadAddress::Local);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| BadAddress::Domain)?;
        if domain.is_empty() || domain.ends_with('.') {
            return Err(BadAddress::Domain);
        }
        if local.len() + 1 + domain.len() > LONGEST {
            return Err(BadAddress::TooLong);
        }
        let name = tidy(name);
        if name.chars().count() > LONGEST_NAME {
            return Err(BadAddress::NameTooLong);
        }
        Ok(Self { name, local, domain })
    }

    /// The same address with another name.
    pub fn named(&self, name: &str) -> Result<Self, BadAddress> {
        Self::new(name, &self.address())
    }

    /// Display name; may be empty.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn local(&self) -> &str {
        &self.local
    }

    /// ASCII (`xn--...`), lower case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// `local@domain`, as SMTP needs it.
    pub fn address(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The address in lower case, as suppressions and limits compare it: servers that tell `Ada` and `ada` apart are unheard of.
    pub fn key(&self) -> String {
        self.address().to_lowercase()
    }

    /// Whether it can only be sent to through servers with SMTPUTF8 (RFC 6531): the local part has a character beyond ASCII.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii()
    }
}

/// As people read it, and as [`Address::parse`] takes it: `Ada Lovelace <ada@example.com>`, `"Lovelace, Ada" <ada@example.com>`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, local, domain } = self;
        if name.is_empty() {
            write!(f, "{local}@{domain}")
        } else if name.contains(NEEDS_QUOTES) {
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            write!(f, "\"{quoted}\" <{local}@{domain}>")
        } else {
            write!(f, "{name} <{local}@{domain}>")
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        Self::parse(text)
    }
}

/// A character of an unquoted local part (RFC 5321 `atext`, RFC 6531 section 3.3), or a dot. Quoted local parts are refused: no provider gives them.
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

/// A display name without its quotation marks.
fn unquoted(name: &str) -> Result<String, BadAddress> {
    let Some(rest) = name.strip_prefix('"') else {
        // An address list has its comma here.
        return if name.contains(NEEDS_QUOTES) { Err(BadAddress::Form) } else { Ok(name.to_owned()) };
    };
    let inner = rest.strip_suffix('"').ok_or(BadAddress::Form)?;
    let (mut plain, mut escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return Err(BadAddress::Form),
            c => {
                plain.push(c);
                escaped = false;
            }
        }
    }
    if escaped { Err(BadAddress::Form) } else { Ok(plain) }
}
