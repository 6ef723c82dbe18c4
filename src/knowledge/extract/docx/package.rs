//! The ZIP package of a Word document: normalised part names, and relationships between parts.
//!
//! Only needed parts are unpacked; their total size is limited.

use std::{
    collections::HashMap,
    io::{Cursor, Read},
};

use super::super::{ExtractError, Limits, UnreadPart, UnreadWhat};
use super::xml::{self, Element};

/// A document with more parts is malicious.
const MAX_PARTS: usize = 10_000;

pub(super) struct Package<'a> {
    archive: zip::ZipArchive<Cursor<&'a [u8]>>,
    /// Normalised part names to archive indexes.
    names: HashMap<String, usize>,
    /// Bytes that may still be unpacked.
    left: u64,
    most_bytes: u64,
    most_depth: usize,
    /// Damaged parts, for the report.
    pub(super) damaged: Vec<UnreadPart>,
}

/// A relationship from one part to another.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub(super) id: String,
    /// The last segment of the type URI, which is the same in transitional and strict documents.
    pub(super) kind: String,
    /// A normalised part name, or for an external link the address unchanged.
    pub(super) target: String,
}

impl<'a> Package<'a> {
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ExtractError> {
        let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(ExtractError::malformed)?;
        if archive.len() > MAX_PARTS {
            return Err(ExtractError::malformed(format!("more than {MAX_PARTS} parts")));
        }
        let names = part_names(&archive);
        let (left, most_depth) = (limits.unpacked_bytes, limits.depth);
        Ok(Self { archive, names, left, most_bytes: left, most_depth, damaged: Vec::new() })
    }

    /// Bytes that may still be unpacked; an embedded document shares the limit.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    pub(super) fn spend(&mut self, left: u64) {
        self.left = left;
    }

    /// A part's content; `None` if there is no such part. A damaged part is returned as far as it can be unpacked, and
    /// recorded.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, ExtractError> {
        let Some(index) = self.names.get(name).copied() else { return Ok(None) };
        let part = match self.archive.by_index(index) {
            Ok(part) => part,
            Err(zip::result::ZipError::UnsupportedArchive(zip::result::ZipError::PASSWORD_REQUIRED)) => {
                return Err(ExtractError::Encrypted);
            }
            Err(error) => {
                self.damaged.push(UnreadWhat::DamagedPart.named(name).because(error));
                return Ok(None);
            }
        };
        let mut bytes = Vec::new();
        let read = part.take(self.left + 1).read_to_end(&mut bytes);
        if bytes.len() as u64 > self.left {
            return Err(ExtractError::TooLargeOutput { limit: self.most_bytes });
        }
        self.left -= bytes.len() as u64;
        if let Err(error) = read {
            self.damaged.push(UnreadWhat::DamagedPart.named(name).because(error));
        }
        Ok(Some(bytes))
    }

    /// Parses an XML part. `None` if it is missing or unusable.
    pub(super) fn optional(&mut self, name: &str) -> Result<Option<Element>, ExtractError> {
        let Some(bytes) = self.bytes(name)? else { return Ok(None) };
        match xml::parse(&bytes, self.most_depth) {
            Ok(parsed) => {
                self.damaged.extend(parsed.damage.map(|damage| UnreadWhat::DamagedPart.named(name).because(damage)));
                Ok(Some(parsed.root))
            }
            Err(error) => {
                self.damaged.push(UnreadWhat::DamagedPart.named(name).because(error));
                Ok(None)
            }
        }
    }

    /// Parses a part that the document cannot do without.
    pub(super) fn required(&mut self, name: &str) -> Result<Element, ExtractError> {
        let bytes = self.bytes(name)?;
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            let damaged = self.damaged.pop().map(|part| part.to_string());
            let why = damaged.unwrap_or_else(|| format!("its part {name} is missing"));
            return Err(ExtractError::malformed(why));
        };
        let parsed = xml::parse(&bytes, self.most_depth)?;
        self.damaged.extend(parsed.damage.map(|damage| UnreadWhat::DamagedPart.named(name).because(damage)));
        Ok(parsed.root)
    }

    /// The name of the main part: by relationship, else by content type, else by the usual name.
    pub(super) fn main_part(&mut self) -> Result<Option<String>, ExtractError> {
        let by_relation = self.relations("")?.into_iter().find(|r| r.kind == "officeDocument").map(|r| r.target);
        if let Some(name) = by_relation.filter(|name| self.names.contains_key(name)) {
            return Ok(Some(name));
        }
        let types = self.optional("[content_types].xml")?;
        let by_type = types.iter().flat_map(Element::elements).find(|element| {
            let kind = element.attribute("ContentType").unwrap_or_default();
            kind.contains("word") && kind.ends_with(".main+xml")
        });
        let by_type = by_type.and_then(|element| element.attribute("PartName")).map(|name| normal(name, ""));
        let usual = || self.names.keys().filter(|name| is_usual_main(name)).min().cloned();
        Ok(by_type.filter(|name| self.names.contains_key(name)).or_else(usual))
    }

    /// The relationships of a part in file order; of the package itself for "".
    pub(super) fn relations(&mut self, part: &str) -> Result<Vec<Relation>, ExtractError> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let name = if folder.is_empty() { format!("_rels/{file}.rels") } else { format!("{folder}/_rels/{file}.rels") };
        let Some(root) = self.optional(&name)? else { return Ok(self.usual_relations(folder, part)) };
        let relations = root.elements().filter_map(|relation| {
            let kind = relation.attribute("Type")?.trim_end_matches('/').rsplit('/').next()?.to_owned();
            let target = match (relation.attribute("TargetMode"), kind.as_str()) {
                (Some("External"), "hyperlink") => relation.attribute("Target")?.to_owned(),
                (Some("External"), _) => return None,
                _ => normal(relation.attribute("Target")?, folder),
            };
            Some(Relation { id: relation.attribute("Id").unwrap_or_default().to_owned(), kind, target })
        });
        Ok(relations.collect())
    }

    /// Custom XML parts, sorted by name.
    pub(super) fn custom_parts(&self) -> Vec<String> {
        let is_data = |name: &&String| {
            let number = name.strip_prefix("customxml/item").and_then(|rest| rest.strip_suffix(".xml"));
            number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut parts: Vec<String> = self.names.keys().filter(is_data).cloned().collect();
        parts.sort();
        parts
    }

    /// For a part with missing relationships: neighbouring parts with the usual names.
    fn usual_relations(&self, folder: &str, part: &str) -> Vec<Relation> {
        if !is_usual_main(part) {
            return Vec::new();
        }
        let mut found: Vec<Relation> = Vec::new();
        for name in self.names.keys() {
            let Some((at, file)) = name.rsplit_once('/') else { continue };
            let Some(stem) = file.strip_suffix(".xml") else { continue };
            let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit());
            let known = ["styles", "numbering", "footnotes", "endnotes", "comments", "header", "footer"];
            if at == folder && known.contains(&stem) {
                found.push(Relation { id: String::new(), kind: stem.to_owned(), target: name.clone() });
            }
        }
        found.sort_by(|a, b| a.target.cmp(&b.target));
        found
    }
}

/// Whether an archive is a Word document, regardless of part names.
pub(in super::super) fn is_word(bytes: &[u8]) -> bool {
    let Ok(mut package) = Package::open(bytes, &Limits { unpacked_bytes: 16 << 20, ..Limits::default() }) else {
        return false;
    };
    if package.names.keys().any(|name| is_usual_main(name)) {
        return true;
    }
    let Ok(Some(types)) = package.optional("[content_types].xml") else { return false };
    let kinds = types.elements().filter_map(|element| element.attribute("ContentType"));
    kinds.into_iter().any(|kind| kind.contains("wordprocessingml") || kind.contains("ms-word.document"))
}

fn is_usual_main(name: &str) -> bool {
    // Word on the web writes word/document2.xml.
    name.strip_prefix("word/document").is_some_and(|rest| rest.strip_suffix(".xml").is_some())
}

fn part_names(archive: &zip::ZipArchive<Cursor<&[u8]>>) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for (index, name) in archive.file_names().enumerate() {
        if let Ok(name) = name {
            names.entry(normal(&name, "")).or_insert(index);
        }
    }
    names
}

/// Part names are case-insensitive; some programs write backslashes or percent-escapes.
fn normal(target: &str, folder: &str) -> String {
    let target = target.split(['#', '?']).next().unwrap_or_default().replace('\\', "/");
    let target = percent_encoding::percent_decode_str(&target).decode_utf8_lossy().to_lowercase();
    let mut path: Vec<&str> = if target.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => _ = path.pop(),
            step => path.push(step),
        }
    }
    path.retain(|step| !step.is_empty());
    path.join("/")
}
