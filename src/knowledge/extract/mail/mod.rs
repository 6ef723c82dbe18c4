//! Mail messages (`.eml`), mailboxes (`.mbox`) and web archives (`.mht`): headers, the richest form of the body, and
//! attachment names. Attached texts and messages are read; other attachments are reported as unread.

mod mbox;
mod words;

use mailparse::{DispositionType, MailHeaderMap, ParsedMail, body::Body, parse_mail};

use super::{
    BlockKind, ExtractError, Extracted, Kind, LeftOutKind, Limits, UnreadPart, UnreadWhat,
    builder::Builder,
    csv,
    decode::{Decoded, decode_leniently, decode_or_guess, tidy},
    html, markdown, plain,
};

/// Maximum nesting of messages.
const MAX_NESTED: usize = 5;
const MAX_CHOICES: usize = 4;
/// Limit on nested parts, because the parser recurses.
const MAX_PARTS: usize = 1000;
/// Maximum size of a header block.
const LONGEST_HEAD: usize = 64 << 10;
/// Headers to include in the text.
const SHOWN: [&str; 6] = ["From", "To", "Cc", "Reply-To", "Date", "Subject"];

/// Whether the bytes start with message headers: only headers up to an empty line, including some that only mail
/// programs write. "From:" and "Subject:" alone do not make a message.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let head = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let mut names: Vec<String> = Vec::new();
    for line in head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii_end) {
        if line.is_empty() {
            break;
        }
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            continue;
        }
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        if name.len() == line.len() || name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
            return false;
        }
        names.push(String::from_utf8_lossy(name).to_ascii_lowercase());
    }
    let has = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    let is_mail = has(&["from", "sender", "to", "subject", "date"])
        && has(&["mime-version", "message-id", "received", "return-path", "dkim-signature", "x-mailer"]);
    is_mail || has(&["mime-version"]) && has(&["content-type"])
}

/// Whether the bytes start with a message or a mailbox.
pub(super) fn is_mail(bytes: &[u8]) -> bool {
    is_message(bytes) || mbox::is_mailbox(bytes)
}

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut builder = Builder::new(limits);
    if mbox::is_mailbox(bytes) {
        for message in mbox::messages(bytes) {
            let mut reader = Reader { builder: &mut builder, limits, depth: 0, choices: 0, in_mailbox: true };
            match reader.message(&message) {
                Err(ExtractError::Malformed { reason }) => reader.unread(UnreadWhat::AttachedMessage.with(reason))?,
                read => read?,
            }
        }
    } else {
        Reader { builder: &mut builder, limits, depth: 0, choices: 0, in_mailbox: false }.message(bytes)?;
    }
    Ok(builder.finish(Kind::Text, None))
}

/// The first HTML part of a message or archive.
pub(super) fn page(bytes: &[u8]) -> Option<String> {
    if is_nested_too_deep(bytes) {
        return None;
    }
    let mail = parse_mail(bytes.trim_ascii_start()).ok()?;
    let part = mail.parts().find(|part| part.ctype.mimetype == "text/html")?;
    let bytes = part.get_body_raw().ok()?;
    Some(text_of(part, &bytes).text.into_owned())
}

fn is_nested_too_deep(bytes: &[u8]) -> bool {
    bytes.windows(10).filter(|window| window.eq_ignore_ascii_case(b"multipart/")).count() > MAX_PARTS
}

/// Decodes a part's text by its headers and content.
fn text_of<'a>(part: &ParsedMail<'_>, bytes: &'a [u8]) -> Decoded<'a> {
    let charset = part.ctype.params.get("charset").map(String::as_bytes);
    let of_page = || (part.ctype.mimetype == "text/html").then(|| html::declared_charset(bytes)).flatten();
    decode_or_guess(bytes, charset.or_else(of_page))
}

struct Reader<'a> {
    builder: &'a mut Builder,
    limits: &'a Limits,
    depth: usize,
    /// Number of open `multipart/alternative` parts.
    choices: usize,
    /// Part of a mailbox: its subject becomes a heading.
    in_mailbox: bool,
}

impl Reader<'_> {
    fn message(&mut self, bytes: &[u8]) -> Result<(), ExtractError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if is_nested_too_deep(bytes) {
            return Err(ExtractError::malformed(format!("more than {MAX_PARTS} parts within parts")));
        }
        let mail = parse_mail(bytes).map_err(ExtractError::malformed)?;
        let charset = mail.ctype.params.get("charset").map(String::as_bytes);
        let header = |name: &str| mail.headers.get_first_header(name).map(|h| words::text(h.get_value_raw(), charset));
        let subject = header("Subject").unwrap_or_default();
        if self.in_mailbox && self.depth == 0 {
            let names = [&subject, &header("From").unwrap_or_default(), &header("Date").unwrap_or_default()];
            let name = names.into_iter().find(|name| name.chars().any(char::is_alphanumeric));
            self.builder.heading(1, &tidy(name.map_or("-", String::as_str)))?;
        }
        // The headers of a saved page are only packaging.
        if mail.ctype.mimetype != "multipart/related" || mail.headers.get_first_header("To").is_some() {
            let line = |name: &&str| header(name).map(|value| format!("{name}: {value}\n"));
            let head: String = SHOWN.iter().filter_map(line).collect();
            self.builder.lines(BlockKind::Paragraph, &tidy(&head))?;
        }
        self.builder.title(&subject);
        let mut attached = Vec::new();
        self.part(&mail, &mut attached)?;
        self.builder.lines(BlockKind::List, &attached.join("\n"))
    }

    fn part(&mut self, part: &ParsedMail<'_>, attached: &mut Vec<String>) -> Result<(), ExtractError> {
        match part.ctype.mimetype.as_str() {
            "multipart/alternative" => self.alternative(part, attached),
            "multipart/related" => self.related(part, attached),
            kind if kind.starts_with("multipart/") => {
                part.subparts.iter().try_for_each(|inner| self.part(inner, attached))
            }
            kind => {
                let name = file_name(part);
                if let Some(name) = &name {
                    attached.push(format!("- Attachment: {name} ({kind})"));
                }
                self.content(part, kind, name.as_deref().unwrap_or("unnamed"))
            }
        }
    }

    /// Reads a part that is not a container.
    fn content(&mut self, part: &ParsedMail<'_>, kind: &str, name: &str) -> Result<(), ExtractError> {
        let bytes = match (part.get_body_raw(), part.get_body_encoded()) {
            (Ok(bytes), _) => bytes,
            // Foreign text was inserted into the base64.
            (Err(_), Body::Base64(body)) => decode_leniently(body.get_raw()),
            (Err(_), _) => return self.unread(UnreadWhat::MailPart.named(&format!("{kind} {name}"))),
        };
        match kind {
            "message/rfc822" | "message/global" if self.depth < MAX_NESTED => {
                self.depth += 1;
                let read = self.message(&bytes);
                self.depth -= 1;
                match read {
                    Err(ExtractError::Malformed { reason }) => {
                        self.unread(UnreadWhat::AttachedMessage.named(name).because(reason))
                    }
                    read => read,
                }
            }
            kind if kind.starts_with("text/") || kind.starts_with("message/delivery-status") => {
                self.text(part, kind, &bytes)
            }
            // Signatures have no readable content.
            "application/pkcs7-signature" | "application/x-pkcs7-signature" | "application/pgp-signature" => Ok(()),
            kind if kind.starts_with("image/") => {
                self.builder.report().images_without_text += 1;
                Ok(())
            }
            _ => {
                let detail = format!("{kind}, {} bytes", bytes.len());
                self.unread(UnreadWhat::Attachment.named(name).because(detail))
            }
        }
    }

    fn text(&mut self, part: &ParsedMail<'_>, kind: &str, bytes: &[u8]) -> Result<(), ExtractError> {
        let decoded = text_of(part, bytes);
        if decoded.guessed.is_some() {
            self.builder.report().guessed_encoding = decoded.guessed;
        }
        let text = tidy(&decoded.text);
        match kind {
            "text/html" => match html::append(self.builder, &text, self.limits) {
                Err(ExtractError::Malformed { reason }) => self.unread(UnreadWhat::Insert.named(kind).because(reason)),
                read => read,
            },
            "text/plain" | "text/enriched" => plain::append_text(self.builder, &text),
            "text/markdown" => markdown::append(self.builder, &text, self.limits),
            "text/csv" => csv::append(self.builder, &text),
            _ => plain::append_code(self.builder, &text),
        }
    }

    /// `multipart/alternative`: the same body in several forms, richest last; but some programs put only a word or two
    /// into one of them.
    fn alternative(&mut self, part: &ParsedMail<'_>, attached: &mut Vec<String>) -> Result<(), ExtractError> {
        // Choosing reads a form twice, so nested choices would cost exponential time.
        if self.choices >= MAX_CHOICES {
            return self.unread(UnreadWhat::NestedForms.into());
        }
        let mut texts = Vec::new();
        self.choices += 1;
        for inner in &part.subparts {
            let mut scratch = Builder::new(self.limits);
            let (limits, depth, choices, in_mailbox) = (self.limits, self.depth, self.choices, self.in_mailbox);
            Reader { builder: &mut scratch, limits, depth, choices, in_mailbox }.part(inner, &mut Vec::new())?;
            texts.push(scratch.finish(Kind::Text, None).text);
        }
        let words = |text: &String| text.split_whitespace().count();
        let most = texts.iter().map(words).max().unwrap_or(0);
        let chosen = texts.iter().rposition(|text| words(text) * 10 >= most * 8).unwrap_or(0);
        for (at, inner) in part.subparts.iter().enumerate() {
            if at == chosen {
                self.part(inner, attached)?;
            } else if texts[at] != texts[chosen] {
                self.builder.left_out(LeftOutKind::Duplicate, &texts[at]);
            }
        }
        self.choices -= 1;
        Ok(())
    }

    /// `multipart/related`: a page with its resources. Frames have text; images and styles are skipped.
    fn related(&mut self, part: &ParsedMail<'_>, attached: &mut Vec<String>) -> Result<(), ExtractError> {
        for (at, inner) in part.subparts.iter().enumerate() {
            let kind = inner.ctype.mimetype.as_str();
            let is_page = kind.starts_with("multipart/") || matches!(kind, "text/html" | "text/plain");
            let is_drawn = kind.starts_with("image/") || kind.starts_with("font/") || kind == "text/css";
            if at == 0 || is_page || !is_drawn && !kind.contains("javascript") && file_name(inner).is_some() {
                self.part(inner, attached)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "so that it ends a match of results")]
    fn unread(&mut self, part: UnreadPart) -> Result<(), ExtractError> {
        self.builder.report().unread.push(part);
        Ok(())
    }
}

/// The name of an attachment, or a placeholder; `None` for the body.
fn file_name(part: &ParsedMail<'_>) -> Option<String> {
    let disposition = part.get_content_disposition();
    let name = disposition.params.get("filename").or_else(|| part.ctype.params.get("name"));
    let is_attached = disposition.disposition == DispositionType::Attachment;
    name.cloned().or_else(|| is_attached.then(|| "unnamed".to_owned()))
}
