//! Fonts: decodes string bytes to characters and widths, and detects fonts without a usable character map.
//!
//! The library always returns some character; if a font has no map from codes to characters it returns the code itself,
//! which reads like a cipher. These cases are detected here.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use pdf_oxide::{
    fonts::{CIDToGIDMap, Encoding, FontInfo, cff_encoding::parse_cff_encoding, type1_encoding::parse_type1_encoding},
    object::{Object, ObjectRef},
};

use super::file::{Dict, File, number};

#[expect(clippy::struct_excessive_bools, reason = "independent flags")]
pub(super) struct Font {
    info: FontInfo,
    pub(super) name: String,
    pub(super) bold: bool,
    pub(super) vertical: bool,
    two_bytes: bool,
    composite: bool,
    type3: bool,
    /// The font's object, or one that it needs, is missing.
    lost: bool,
    /// Height of letters in text space for a size of 1.
    pub(super) height: f32,
    /// The encoding built into an embedded font program with letters (9.6.6.2).
    own_encoding: HashMap<u8, char>,
    known: RefCell<HashMap<u32, Option<Rc<str>>>>,
}

impl std::fmt::Debug for Font {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

/// The fonts of a file, each read once.
#[derive(Default)]
pub(super) struct Fonts {
    by_reference: RefCell<HashMap<ObjectRef, Rc<Font>>>,
}

impl Fonts {
    /// The font that a page refers to as `name`.
    pub(super) fn get(&self, file: &File, fonts: &Dict, name: &str) -> Option<Rc<Font>> {
        let entry = fonts.get(name);
        let reference = entry.and_then(Object::as_reference);
        if let Some(font) = reference.and_then(|at| self.by_reference.borrow().get(&at).cloned()) {
            return Some(font);
        }
        let font = Rc::new(Font::read(file, entry, name)?);
        if let Some(at) = reference {
            self.by_reference.borrow_mut().insert(at, Rc::clone(&font));
        }
        Some(font)
    }
}

impl Font {
    fn read(file: &File, entry: Option<&Object>, name: &str) -> Option<Self> {
        let before = file.missing.get();
        let mut object = entry.map_or(Object::Null, |entry| file.resolved(entry, 4));
        let absent = object.as_dict().is_none();
        if absent {
            // Viewers fall back to Helvetica.
            let plain =
                [("Type", "Font"), ("Subtype", "Type1"), ("BaseFont", "Helvetica"), ("Encoding", "WinAnsiEncoding")];
            object = Object::Dictionary(
                plain.iter().map(|(key, value)| ((*key).to_owned(), Object::Name((*value).to_owned()))).collect(),
            );
        }
        let info = FontInfo::from_dict(&object, &file.document).ok()?;
        let dict = object.as_dict()?;
        let lacks = |key: &str| dict.get(key).is_some_and(|value| file.resolve(value).is_null());
        let lost = (absent && entry.is_some_and(|entry| entry.as_reference().is_some()))
            || lacks("ToUnicode")
            || lacks("Encoding")
            || (file.cut_off && file.missing.get() > before);
        let composite = info.subtype == "Type0";
        let type3 = info.subtype == "Type3";
        let name = match dict.get("BaseFont").and_then(Object::as_name) {
            Some(_) if lost && absent => format!("{name} (not in the file)"),
            Some(base) => base.split_once('+').map_or(base, |(_, base)| base).to_owned(),
            None => format!("{name} ({})", info.subtype),
        };
        Some(Font {
            bold: info.get_font_weight().is_bold(),
            vertical: composite && info.wmode == 1,
            two_bytes: composite && has_two_bytes(&info),
            composite,
            type3,
            lost,
            height: if type3 { type3_height(dict) } else { 1.0 },
            own_encoding: if composite || type3 { HashMap::new() } else { own_encoding(file, dict) },
            name,
            info,
            known: RefCell::default(),
        })
    }

    /// Codes with their lengths in bytes.
    pub(super) fn codes(&self, bytes: &[u8]) -> Vec<(u32, usize)> {
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        let shift_jis =
            self.composite && matches!(&self.info.encoding, Encoding::Standard(name) if name.contains("RKSJ"));
        while let Some((first, tail)) = rest.split_first() {
            let wide = self.two_bytes || (shift_jis && matches!(first, 0x81..=0x9f | 0xe0..=0xfc));
            match tail.split_first() {
                Some((second, tail)) if wide => {
                    out.push((u32::from(*first) << 8 | u32::from(*second), 2));
                    rest = tail;
                }
                _ => {
                    out.push((u32::from(*first), 1));
                    rest = tail;
                }
            }
        }
        out
    }

    /// Width in text space for a size of 1.
    pub(super) fn width(&self, code: u32) -> f32 {
        let width = self.info.get_glyph_width(u16::try_from(code).unwrap_or(0));
        if self.type3 { width * self.info.font_matrix_a } else { width / 1000.0 }
    }

    /// The characters of a code; `None` if the font does not tell them.
    pub(super) fn unicode(&self, code: u32) -> Option<Rc<str>> {
        if let Some(known) = self.known.borrow().get(&code) {
            return known.clone();
        }
        let told = self.decode(code).filter(|text| !text.contains('\u{fffd}')).map(|text| {
            let clean: String = text.chars().filter(|c| !c.is_control() || c.is_whitespace()).collect();
            Rc::from(clean)
        });
        self.known.borrow_mut().insert(code, told.clone());
        told
    }

    fn decode(&self, code: u32) -> Option<String> {
        let map = self.info.to_unicode.as_ref().and_then(pdf_oxide::fonts::LazyCMap::get).filter(|map| !map.is_empty());
        let mapped = map.as_ref().and_then(|map| map.get(&code).map(std::borrow::Cow::into_owned));
        if mapped.is_some_and(|text| !text.contains(['\u{fffd}', '\u{fffe}', '\u{ffff}'])) {
            return self.info.char_to_unicode(code);
        }
        if self.lost {
            return None;
        }
        if self.composite { self.decode_composite(code) } else { self.decode_simple(code) }
    }

    fn decode_composite(&self, code: u32) -> Option<String> {
        let info = &self.info;
        let text = info.char_to_unicode(code);
        let collection = info.cid_system_info.as_ref().map_or("", |collection| collection.ordering.as_str());
        let by_name =
            matches!(&info.encoding, Encoding::Standard(name) if !name.contains("Identity") && name.is_ascii());
        if !matches!(collection, "" | "Identity" | "UCS") || by_name {
            return text;
        }
        let glyph = match &info.cid_to_gid_map {
            // Some programs number a font's glyphs by Unicode value.
            Some(CIDToGIDMap::Explicit(glyphs)) if !glyphs.is_empty() => return text,
            _ => u16::try_from(code).ok()?,
        };
        if info.truetype_cmap().is_some_and(|map| map.get_unicode(glyph).is_some()) {
            return text;
        }
        text.filter(|text| char::from_u32(code).is_none_or(|c| *text != c.to_string()))
    }

    fn decode_simple(&self, code: u32) -> Option<String> {
        let byte = u8::try_from(code).ok()?;
        match self.info.diff_glyph_names.get(&byte) {
            Some(name) if is_glyph_number(name) => {
                // TeX names the letters of its bitmap fonts after their codes.
                return (*name == format!("a{code}") && self.type3 && (33..127).contains(&byte))
                    .then(|| char::from(byte).to_string());
            }
            None if self.type3 => return None,
            None if self.info.subtype == "TrueType" && self.own_encoding.contains_key(&byte) => {
                return self.own_encoding.get(&byte).map(char::to_string);
            }
            Some(_) | None => {}
        }
        let text =
            self.info.char_to_unicode(code).filter(|text| !text.chars().all(|c| c.is_control() || c == '\u{fffd}'));
        // The library ignores the built-in encoding if the file changes some of its codes: TeX has its ligatures there.
        let text = text.or_else(|| self.own_encoding.get(&byte).map(char::to_string));
        text.or_else(|| (32..127).contains(&byte).then(|| char::from(byte).to_string()).filter(|_| !self.type3))
    }
}

fn own_encoding(file: &File, font: &Dict) -> HashMap<u8, char> {
    let descriptor = file.dict(font, "FontDescriptor");
    let program = |key: &str| descriptor.get(key).and_then(|program| file.data(program).ok());
    if !font.contains_key("Encoding") && program("FontFile2").is_some_and(|data| has_only_mac_codes(&data)) {
        let roman = |byte: u8| encoding_rs::MACINTOSH.decode_without_bom_handling(&[byte]).0.chars().next();
        return (128..=255).filter_map(|byte| Some((byte, roman(byte)?))).collect();
    }
    let told = match (program("FontFile"), program("FontFile3")) {
        (Some(data), _) => parse_type1_encoding(&data),
        (None, Some(data)) => parse_cff_encoding(&data),
        (None, None) => None,
    };
    told.unwrap_or_default()
}

/// Whether a TrueType font has only a Macintosh character map (platform 1).
fn has_only_mac_codes(data: &[u8]) -> bool {
    let number = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let platforms = || -> Option<Vec<(u16, u16)>> {
        let entry = (0..usize::from(number(4)?)).map(|n| 12 + 16 * n).find(|at| data.get(*at..at + 4) == Some(b"cmap"));
        let table = usize::from(number(entry? + 8)?) << 16 | usize::from(number(entry? + 10)?);
        (0..usize::from(number(table + 2)?))
            .map(|n| Some((number(table + 4 + 8 * n)?, number(table + 6 + 8 * n)?)))
            .collect()
    };
    platforms().is_some_and(|all| !all.is_empty() && all.iter().all(|codes| *codes == (1, 0)))
}

/// Glyph names that are just numbers: `g12`, `cid:12`, `glyph12`, `index12`.
fn is_glyph_number(name: &str) -> bool {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let word = &name[..name.len() - rest.len()];
    let digits = rest.trim_start_matches([':', '_', '.', '#']);
    let numbers =
        ["g", "G", "c", "C", "a", "A", "cid", "CID", "glyph", "Glyph", "index", "gid", "GID", "gl", "char", "H", "F"];
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && numbers.contains(&word)
}

fn has_two_bytes(info: &FontInfo) -> bool {
    if info.to_unicode.as_ref().is_some_and(|map| map.code_width() == 2) {
        return true;
    }
    match &info.encoding {
        Encoding::Identity => true,
        Encoding::Standard(name) => {
            let wide = ["Identity", "UCS2", "UTF16", "EUC", "GBK", "GBpc", "GB-", "CNS", "B5", "KSC", "ETen", "HK"];
            matches!(name.as_str(), "H" | "V")
                || (!name.contains("OneByte") && wide.iter().any(|part| name.contains(part)))
        }
        Encoding::Custom(_) => false,
    }
}

/// Type 3 fonts define their own units.
fn type3_height(dict: &Dict) -> f32 {
    let numbers = |key: &str| -> Vec<f32> {
        dict.get(key).and_then(Object::as_array).into_iter().flatten().filter_map(number).collect()
    };
    match (numbers("FontBBox").as_slice(), numbers("FontMatrix").as_slice()) {
        ([_, bottom, _, top], [_, _, _, scale, ..]) if top > bottom => {
            let height = (top - bottom) * scale.abs();
            // A font designed for a size below 1 has letters of many units.
            if (0.05..2000.0).contains(&height) { height } else { 1.0 }
        }
        (_, [_, _, _, scale, ..]) if scale.abs() > 0.02 => scale.abs() * 10.0,
        _ => 1.0,
    }
}
