//! A mail as MIME, ready to be signed: ASCII, lines of at most 76 characters in the bodies, `CRLF`. Headers are written by lettre from parsed
//! addresses and encoded texts, so none of them can contain another.

use std::{collections::BTreeMap, fmt::Write as _, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use lettre::{
    address::Envelope,
    message::{
        Attachment as File, Body, Mailbox, MultiPart, SinglePart,
        header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue},
    },
};

use super::{Address, Attachment, MailError};

/// A mail to write.
#[derive(Debug)]
pub struct Outgoing<'a> {
    pub from: &'a Address,
    pub to: &'a Address,
    pub reply_to: Option<&'a Address>,
    pub subject: &'a str,
    /// Without angle brackets.
    pub message_id: &'a str,
    pub date: DateTime<Utc>,
    pub text: &'a str,
    pub html: Option<&'a str>,
    /// Further headers.
    pub headers: &'a BTreeMap<String, String>,
    pub attachments: Vec<(&'a Attachment, Bytes)>,
}

/// The message with its headers.
pub fn mime(message: &Outgoing<'_>) -> Result<Vec<u8>, MailError> {
    let failed = |error: lettre::error::Error| MailError::Compose(error.into());
    let envelope = Envelope::new(Some(plain(message.from)), vec![plain(message.to)]).map_err(failed)?;
    let mut builder = lettre::Message::builder()
        .date(SystemTime::from(message.date))
        .message_id(Some(format!("<{}>", message.message_id)))
        .from(mailbox(message.from))
        .to(mailbox(message.to))
        .raw_header(subject(message.subject))
        .envelope(envelope);
    if let Some(address) = message.reply_to {
        builder = builder.reply_to(mailbox(address));
    }
    for (name, value) in message.headers {
        builder = builder.raw_header(HeaderValue::new(header_name(name)?, one_line(value)));
    }
    let text = SinglePart::plain(lines(message.text));
    // Not random: each attempt sends the same bytes. It is not known when the text is written.
    let boundary = |part: &str| format!("{part}-{}", message.message_id.split('@').next().unwrap_or_default());
    let body = message.html.map(|html| {
        let both = MultiPart::alternative().boundary(boundary("texts"));
        both.singlepart(text.clone()).singlepart(SinglePart::html(lines(html)))
    });
    let written = match (body, message.attachments.is_empty()) {
        (None, true) => builder.singlepart(text),
        (Some(body), true) => builder.multipart(body),
        (body, false) => {
            let all = MultiPart::mixed().boundary(boundary("files"));
            let all = match body {
                Some(body) => all.multipart(body),
                None => all.singlepart(text),
            };
            let all = message.attachments.iter().try_fold(all, |all, (attachment, content)| {
                Ok::<_, MailError>(all.singlepart(file(attachment, content)?))
            })?;
            builder.multipart(all)
        }
    };
    Ok(written.map_err(failed)?.formatted())
}

/// A file, in base64 whatever it is: as it is, a line of it could be too long, or end where the message ends.
fn file(attachment: &Attachment, content: &Bytes) -> Result<SinglePart, MailError> {
    let kind = nameless(&attachment.content_type)?;
    let body = Body::new_with_encoding(content.to_vec(), ContentTransferEncoding::Base64)
        .map_err(|_| MailError::Compose(anyhow::anyhow!("the file {:?} cannot be encoded", attachment.name)))?;
    if attachment.name.is_ascii() && attachment.name.contains("=?") {
        return Ok(SinglePart::builder().header(EncodedName(attachment.name.clone())).header(kind).body(body));
    }
    Ok(File::new(attachment.name.clone()).body(body, kind))
}

/// A media type without a name of its own, which some readers prefer to that of the file.
fn nameless(content_type: &str) -> Result<ContentType, MailError> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = content_type.split(|c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ';' && !quoted
    });
    let is_name = |part: &&str| {
        let key = part.split(['=', '*']).next().unwrap_or_default().trim();
        ["name", "filename"].iter().any(|name| key.eq_ignore_ascii_case(name))
    };
    let kept: Vec<&str> = parts.filter(|part| !is_name(part)).collect();
    let bare = kept.first().copied().unwrap_or_default();
    ContentType::parse(&kept.join(";"))
        .or_else(|_| ContentType::parse(bare))
        .map_err(|error| MailError::Compose(anyhow::Error::new(error)))
}

/// The name of a file that looks like an encoded word (RFC 2047), which readers would decode: percent-encoded (RFC 2231), as lettre writes names
/// beyond ASCII.
#[derive(Clone)]
struct EncodedName(String);

impl Header for EncodedName {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Content-Disposition")
    }

    fn parse(name: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(name.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        let mut value = "attachment; filename*=utf-8''".to_owned();
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                value.push(char::from(byte));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(value, "%{byte:02X}");
            }
        }
        // In one line: at most 200 characters of ASCII.
        HeaderValue::dangerous_new_pre_encoded(Self::name(), value.clone(), value)
    }
}

/// Whether a file can have this media type: not one of messages within the message, which cannot be in base64 (RFC 2045 section 6.4).
pub fn is_content_type(text: &str) -> bool {
    let kind = text.trim_start().to_ascii_lowercase();
    let is_nested = kind.starts_with("multipart/") || kind.starts_with("message/");
    text.is_ascii() && !is_nested && ContentType::parse(text).is_ok()
}

/// For the commands of SMTP.
pub fn plain(address: &Address) -> lettre::Address {
    // Parsed by our own rules, which are stricter.
    lettre::Address::new_dangerous(address.local(), address.domain())
}

fn mailbox(address: &Address) -> Mailbox {
    let name = Some(address.name().to_owned()).filter(|name| !name.is_empty());
    Mailbox::new(name, plain(address))
}

/// lettre leaves ASCII as it is, also what readers take for an encoded word (RFC 2047) and would decode.
fn subject(text: &str) -> HeaderValue {
    let (name, text) = (HeaderName::new_from_ascii_str("Subject"), one_line(text));
    if !text.contains("=?") {
        return HeaderValue::new(name, text);
    }
    let mut words = vec![String::new()];
    for c in text.chars() {
        match words.last_mut() {
            // An encoded word has at most 75 characters.
            Some(word) if word.len() + c.len_utf8() <= 42 => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let encoded: Vec<String> = words.iter().map(|word| format!("=?utf-8?b?{}?=", STANDARD.encode(word))).collect();
    HeaderValue::dangerous_new_pre_encoded(name, text, encoded.join("\r\n "))
}

/// RFC 5322 section 2.2; lettre lets line breaks through.
fn header_name(name: &str) -> Result<HeaderName, MailError> {
    let is_name = name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    let parsed = is_name.then(|| HeaderName::new_from_ascii(name.to_owned()).ok()).flatten();
    parsed.ok_or_else(|| MailError::Compose(anyhow::anyhow!("{name:?} is not the name of a header")))
}

/// A text for a header. lettre would encode a line break, and some programs decode before they look for the next header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Lines that end with a line feed, which lettre makes `CRLF`: a lone carriage return ends a line for some servers and not for others. Without
/// white space at the end: of a body whose last lines are blank, mail-auth signs another form than RFC 6376 (section 3.4.4) has.
fn lines(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    text.trim_end_matches([' ', '\t', '\n']).to_owned()
}
