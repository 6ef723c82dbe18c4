//! Lists of current objects.
//!
//! A key that XML cannot carry makes the whole page percent-encoded, and the page says so. A space is `%20`: clients that take `+` for a space
//! and those that do not read it alike.

use axum::response::Response;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{Cx, answer, buckets::owner, convert::iso};
use crate::{
    canonical::encoded_path,
    checksums,
    errors::{INVALID_ARGUMENT, S3Error},
    xml::Xml,
};
use files::{ListEntry, ListObjects, Listed, Object, after};

/// Entries of a page at most.
pub(super) const PAGE: i64 = 1000;

/// What every list takes.
pub(super) struct Asked {
    pub prefix: String,
    /// Empty: none.
    pub delimiter: String,
    pub most: i64,
    is_encoded: bool,
}

impl Asked {
    pub fn of(cx: &Cx, most: &'static str) -> Result<Self, S3Error> {
        let is_encoded = match cx.query.filled("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => return Err(INVALID_ARGUMENT.with("Invalid Encoding Method specified in Request")),
        };
        let text = |name: &str| cx.query.get(name).unwrap_or_default().to_owned();
        let asked = Self {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            most: cx.query.number(most)?.unwrap_or(PAGE).min(PAGE),
            is_encoded,
        };
        // The database has no such text.
        if asked.prefix.contains('\0') || asked.delimiter.contains('\0') {
            return Err(INVALID_ARGUMENT.with("U+0000 cannot be in a key"));
        }
        Ok(asked)
    }

    /// How the keys of a page are written.
    pub fn names<'a>(&'a self, keys: impl Iterator<Item = &'a str>) -> Names {
        let mut keys = keys.chain([self.prefix.as_str(), self.delimiter.as_str()]);
        Names { is_encoded: self.is_encoded || keys.any(|key| key.chars().any(char::is_control)) }
    }

    /// The first key that may come behind a marker. One that stands for all keys below a common prefix is behind all of them.
    pub fn start(&self, marker: &str) -> Result<String, S3Error> {
        if marker.contains('\0') {
            return Err(INVALID_ARGUMENT.with("U+0000 cannot be in a key"));
        }
        if marker.is_empty() {
            return Ok(String::new());
        }
        let rest = marker.strip_prefix(self.prefix.as_str()).filter(|_| !self.delimiter.is_empty());
        let is_common = rest
            .is_some_and(|rest| rest.find(&self.delimiter).is_some_and(|at| at + self.delimiter.len() == rest.len()));
        // Behind the last possible text there is nothing: one key, which is none, is as good.
        Ok(if is_common { after(marker).unwrap_or_else(|| "\u{10ffff}".repeat(256)) } else { format!("{marker}\u{1}") })
    }
}

/// How the keys of a page are written.
#[derive(Clone, Copy)]
pub(super) struct Names {
    is_encoded: bool,
}

impl Names {
    pub fn text(self, key: &str) -> String {
        if self.is_encoded { encoded_path(key) } else { key.to_owned() }
    }

    pub fn tell(self, xml: &mut Xml) {
        xml.maybe("EncodingType", self.is_encoded.then_some("url"));
    }
}

fn name_of(entry: &ListEntry) -> &str {
    match entry {
        ListEntry::Object(object) => object.key.as_str(),
        ListEntry::Prefix(prefix) => prefix,
    }
}

async fn page(cx: &Cx, asked: &Asked, start: String) -> Result<Listed, S3Error> {
    let bucket = cx.bucket().await?;
    let query =
        ListObjects { prefix: asked.prefix.clone(), delimiter: asked.delimiter.clone(), start, most: asked.most };
    let listed = cx.files.list(&cx.who, &bucket, &query).await?;
    // Of a page of nothing nothing follows.
    Ok(if asked.most == 0 { Listed::default() } else { listed })
}

fn head(xml: &mut Xml, cx: &Cx, asked: &Asked, names: Names) -> Result<(), S3Error> {
    xml.text("Name", cx.bucket_name()?).text("Prefix", names.text(&asked.prefix)).text("MaxKeys", asked.most);
    let delimiter = Some(&asked.delimiter).filter(|text| !text.is_empty());
    xml.maybe("Delimiter", delimiter.map(|text| names.text(text)));
    names.tell(xml);
    Ok(())
}

fn entries(xml: &mut Xml, cx: &Cx, listed: &Listed, names: Names, is_owned: bool) {
    for entry in &listed.entries {
        if let ListEntry::Object(object) = entry {
            xml.open("Contents").text("Key", names.text(object.key.as_str()));
            facts(xml, object);
            if is_owned {
                owner(xml, cx);
            }
            xml.close();
        }
    }
    for entry in &listed.entries {
        if let ListEntry::Prefix(prefix) = entry {
            xml.open("CommonPrefixes").text("Prefix", names.text(prefix)).close();
        }
    }
}

/// What a list says of an object or a version.
pub(super) fn facts(xml: &mut Xml, object: &Object) {
    xml.text("LastModified", iso(object.created_at)).text("ETag", format!("\"{}\"", object.etag));
    for name in checksums::names(object) {
        xml.text("ChecksumAlgorithm", name);
    }
    xml.text("Size", object.size).text("StorageClass", "STANDARD");
}

pub(super) async fn v1(cx: &Cx) -> Result<Response, S3Error> {
    let asked = Asked::of(cx, "max-keys")?;
    let marker = cx.query.get("marker").unwrap_or_default();
    let listed = page(cx, &asked, asked.start(marker)?).await?;
    let names = asked.names(listed.entries.iter().map(name_of).chain([marker]));
    let mut xml = Xml::new("ListBucketResult");
    head(&mut xml, cx, &asked, names)?;
    xml.text("Marker", names.text(marker)).text("IsTruncated", listed.next.is_some());
    // The last entry, or, where all of the page was deleted while it was read, where it goes on.
    let next = listed.next.as_deref().map(|next| listed.entries.last().map_or(next, name_of));
    xml.maybe("NextMarker", next.map(|next| names.text(next)));
    entries(&mut xml, cx, &listed, names, true);
    Ok(answer(xml))
}

pub(super) async fn v2(cx: &Cx) -> Result<Response, S3Error> {
    let asked = Asked::of(cx, "max-keys")?;
    let start_after = cx.query.get("start-after").unwrap_or_default();
    let token = cx.query.get("continuation-token");
    let start = match token {
        Some(token) => place(token)?,
        None => asked.start(start_after)?,
    };
    let listed = page(cx, &asked, start).await?;
    let names = asked.names(listed.entries.iter().map(name_of).chain([start_after]));
    let mut xml = Xml::new("ListBucketResult");
    head(&mut xml, cx, &asked, names)?;
    xml.text("KeyCount", listed.entries.len()).text("IsTruncated", listed.next.is_some());
    xml.maybe("ContinuationToken", token);
    xml.maybe("NextContinuationToken", listed.next.as_ref().map(|next| URL_SAFE_NO_PAD.encode(next)));
    xml.maybe("StartAfter", cx.query.filled("start-after").map(|text| names.text(text)));
    entries(&mut xml, cx, &listed, names, cx.query.get("fetch-owner") == Some("true"));
    Ok(answer(xml))
}

/// Where a page starts: the key of a token. It says a key and nothing else, so it needs no signature.
fn place(token: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text =
        bytes.and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty() && !text.contains('\0'));
    text.ok_or_else(|| INVALID_ARGUMENT.with("The continuation token provided is incorrect"))
}
