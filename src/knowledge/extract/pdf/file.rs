//! The objects of a file: opening, repair, references and stream data.
//!
//! Any value may be an indirect object (ISO 32000-1, 7.3.10). The library supports that in most places, but not in
//! stream dictionaries. So we resolve references here, and rewrite a file with indirect filter entries before the
//! library opens it.

use std::{cell::Cell, collections::HashMap};

use pdf_oxide::{
    Error, PdfDocument,
    encryption::EncryptionHandler,
    object::{Object, ObjectRef},
    parser::parse_object,
    writer::ObjectSerializer,
};

use super::{
    super::ExtractError,
    depth, index, lengths, revision5,
    unpack::{Unpacked, unpack},
};

pub(super) type Dict = HashMap<String, Object>;

/// Maximum references to references; more is a cycle.
const LONGEST_CHAIN: usize = 16;

pub(super) struct File {
    pub(super) document: PdfDocument,
    cipher: Option<EncryptionHandler>,
    /// The end of the file with its cross-reference table is missing.
    pub(super) cut_off: bool,
    /// Number of references to missing objects.
    pub(super) missing: Cell<u32>,
}

impl File {
    pub(super) fn open(bytes: &[u8]) -> Result<Self, ExtractError> {
        if depth::is_nested_too_deeply(bytes) {
            return Err(ExtractError::malformed("its objects are nested too deeply"));
        }
        let mended = || {
            let mut bytes = bytes.to_vec();
            lengths::mend(&mut bytes);
            index::mend(&mut bytes);
            bytes
        };
        let mut document = PdfDocument::from_bytes(mended()).map_err(error)?;
        if document.is_encrypted() && revision(&document) == Some(5) {
            let bytes = revision5::as_revision_6(&mended(), &document).ok_or(ExtractError::Encrypted)?;
            document = PdfDocument::from_bytes(bytes).map_err(error)?;
        }
        let mut file = Self::of(document)?;
        if has_indirect_filters(bytes) {
            file = Self::of(PdfDocument::from_bytes(file.rewritten()).map_err(error)?)?;
        }
        file.cut_off = find(bytes, b"startxref").is_none() && find(bytes, b"%%EOF").is_none();
        Ok(file)
    }

    fn of(document: PdfDocument) -> Result<Self, ExtractError> {
        if document.is_encrypted() && !document.is_authenticated() {
            return Err(ExtractError::Encrypted);
        }
        let mut file = File { document, cipher: None, cut_off: false, missing: Cell::new(0) };
        file.cipher = file.cipher();
        Ok(file)
    }

    /// For streams; the library already decrypts strings.
    fn cipher(&self) -> Option<EncryptionHandler> {
        let trailer = self.document.trailer().as_dict()?;
        let encrypt = self.resolve(trailer.get("Encrypt")?);
        let encrypt: Dict = encrypt.as_dict()?.iter().map(|(k, v)| (k.clone(), self.resolve(v))).collect();
        let id = self.array(trailer, "ID").first().and_then(|id| id.as_string().map(<[u8]>::to_vec));
        let mut handler = EncryptionHandler::new(&Object::Dictionary(encrypt), id.unwrap_or_default()).ok()?;
        handler.authenticate(b"").ok()?.then_some(handler)
    }

    /// `object`, or the object it refers to; null if that is missing.
    pub(super) fn resolve(&self, object: &Object) -> Object {
        let mut object = object.clone();
        for _ in 0..LONGEST_CHAIN {
            let Some(reference) = object.as_reference() else { return object };
            object = self.document.load_object(reference).unwrap_or(Object::Null);
            if object.is_null() {
                self.missing.set(self.missing.get().saturating_add(1));
            }
        }
        Object::Null
    }

    pub(super) fn get(&self, dict: &Dict, key: &str) -> Object {
        dict.get(key).map_or(Object::Null, |object| self.resolve(object))
    }

    pub(super) fn dict(&self, dict: &Dict, key: &str) -> Dict {
        self.get(dict, key).as_dict().cloned().unwrap_or_default()
    }

    pub(super) fn array(&self, dict: &Dict, key: &str) -> Vec<Object> {
        let array = self.get(dict, key);
        array.as_array().into_iter().flatten().map(|object| self.resolve(object)).collect()
    }

    pub(super) fn unresolved_array(&self, dict: &Dict, key: &str) -> Vec<Object> {
        self.get(dict, key).as_array().cloned().unwrap_or_default()
    }

    pub(super) fn numbers(&self, dict: &Dict, key: &str) -> Vec<f32> {
        self.array(dict, key).iter().filter_map(number).collect()
    }

    /// `object` with its references resolved up to `depth`, except those to streams.
    pub(super) fn resolved(&self, object: &Object, depth: usize) -> Object {
        let target = self.resolve(object);
        if matches!(target, Object::Stream { .. }) && object.as_reference().is_some() {
            return object.clone();
        }
        let deeper = |object: &Object| if depth > 0 { self.resolved(object, depth - 1) } else { object.clone() };
        match target {
            Object::Dictionary(dict) => {
                // References to parents would never end.
                let up = |key: &str| matches!(key, "Parent" | "P");
                let entry = |(key, value): (String, Object)| {
                    let value = if up(&key) { value } else { deeper(&value) };
                    (key, value)
                };
                Object::Dictionary(dict.into_iter().map(entry).collect())
            }
            Object::Array(items) => Object::Array(items.iter().map(deeper).collect()),
            other => other,
        }
    }

    /// The unpacked data of a stream.
    pub(super) fn data(&self, object: &Object) -> Result<Vec<u8>, String> {
        self.unpack(object).map(|unpacked| unpacked.data)
    }

    /// The unpacked data of a stream, and any damage.
    pub(super) fn unpack(&self, object: &Object) -> Result<Unpacked, String> {
        let target = self.resolve(object);
        let Object::Stream { dict, data } = target else { return Err("it is not a stream".to_owned()) };
        if self.get(&dict, "F").as_dict().is_some() || self.get(&dict, "F").as_string().is_some() {
            return Err("its data is in another file".to_owned());
        }
        let data = match (&self.cipher, object.as_reference()) {
            // An empty stream has no initialisation vector.
            (Some(cipher), Some(at)) if !data.is_empty() => {
                cipher.decrypt_stream(&data, at.id, u32::from(at.r#gen)).map_err(|error| error.to_string())?
            }
            _ => data.to_vec(),
        };
        unpack(&self.packing(dict), data)
    }

    /// The dictionary of a stream with its filter entries resolved.
    fn packing(&self, mut dict: Dict) -> Dict {
        for key in ["Filter", "DecodeParms", "Length"] {
            if let Some(value) = dict.get(key) {
                let value = self.resolved(value, 3);
                dict.insert(key.to_owned(), value);
            }
        }
        dict
    }

    /// The decrypted file with complete stream dictionaries.
    fn rewritten(&self) -> Vec<u8> {
        let mut out = b"%PDF-1.7\n".to_vec();
        let mut index = Vec::new();
        let serializer = ObjectSerializer::compact();
        for id in self.document.all_object_ids() {
            let reference = ObjectRef::new(id, 0);
            let Ok(object) = self.document.load_object(reference) else { continue };
            let object = match object {
                Object::Stream { dict, .. }
                    if dict
                        .get("Type")
                        .and_then(Object::as_name)
                        .is_some_and(|name| matches!(name, "XRef" | "ObjStm")) =>
                {
                    continue;
                }
                Object::Stream { dict, data } => {
                    let data = match &self.cipher {
                        Some(cipher) => cipher.decrypt_stream(&data, id, 0).map_or(data, Into::into),
                        None => data,
                    };
                    let mut dict = self.packing(dict);
                    dict.insert("Length".to_owned(), Object::Integer(i64::try_from(data.len()).unwrap_or(0)));
                    Object::Stream { dict, data }
                }
                other => other,
            };
            index.push((id, out.len()));
            out.extend(serializer.serialize_indirect(id, 0, &object));
            out.push(b'\n');
        }
        let start = out.len();
        out.extend(b"xref\n0 1\n0000000000 65535 f \n");
        for (id, at) in &index {
            out.extend(format!("{id} 1\n{at:010} 00000 n \n").into_bytes());
        }
        let size = index.iter().map(|(id, _)| id + 1).max().unwrap_or(1);
        let root = self.document.trailer().as_dict().and_then(|trailer| trailer.get("Root")).cloned();
        let mut trailer = Dict::from([("Size".to_owned(), Object::Integer(i64::from(size)))]);
        trailer.extend(root.map(|root| ("Root".to_owned(), root)));
        out.extend(b"trailer\n");
        out.extend(serializer.serialize(&Object::Dictionary(trailer)));
        out.extend(format!("\nstartxref\n{start}\n%%EOF\n").into_bytes());
        out
    }
}

/// The revision of the security handler (7.6.4).
fn revision(document: &PdfDocument) -> Option<i64> {
    let encrypt = document.trailer().as_dict()?.get("Encrypt")?;
    let encrypt = match encrypt.as_reference() {
        Some(at) => document.load_object(at).ok()?,
        None => encrypt.clone(),
    };
    encrypt.as_dict()?.get("R")?.as_integer()
}

pub(super) fn number(object: &Object) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "points on a page")]
    match object {
        Object::Integer(n) => Some(*n as f32),
        Object::Real(n) => Some(*n as f32),
        _ => None,
    }
}

/// A text string (7.9.2.2): UTF-16 or UTF-8 with a byte order mark, else `PDFDocEncoding` (nearly Latin-1).
pub(super) fn text(object: &Object) -> Option<String> {
    let bytes = object.as_string()?;
    let wide = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| read(*pair)).collect();
        String::from_utf16_lossy(&units)
    };
    Some(match bytes {
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // UTF-8 without a byte order mark violates the standard, but is common.
        _ if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() => String::from_utf8_lossy(bytes).into_owned(),
        _ => bytes.iter().map(|byte| latin(*byte)).collect(),
    })
}

/// `PDFDocEncoding` (Annex D.3).
fn latin(byte: u8) -> char {
    const HIGH: [char; 33] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł',
        'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž', '\u{fffd}', '€',
    ];
    match byte {
        0x80..=0xa0 => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// Whether any stream has indirect filter entries.
fn has_indirect_filters(bytes: &[u8]) -> bool {
    [&b"/Filter"[..], b"/DecodeParms"].iter().any(|key| {
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], key) {
            from += at + key.len();
            let value = &bytes[from..bytes.len().min(from + 500)];
            if parse_object(value).is_ok_and(|(_, object)| has_reference(&object)) {
                return true;
            }
        }
        false
    })
}

fn has_reference(object: &Object) -> bool {
    match object {
        Object::Reference(_) => true,
        Object::Array(items) => items.iter().any(has_reference),
        Object::Dictionary(dict) => dict.iter().any(|(key, value)| key != "JBIG2Globals" && has_reference(value)),
        _ => false,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

pub(super) fn error(error: Error) -> ExtractError {
    match error {
        Error::EncryptedPdf => ExtractError::Encrypted,
        other => ExtractError::malformed(other),
    }
}
