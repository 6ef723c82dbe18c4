//! Unpacks streams: what can be read of a damaged one, and that the rest of it is missing.
//!
//! The library gives a part of a damaged stream as if it were all of it, and gives up where that part does not look like
//! a page. Viewers show what they can read, and so do we, but the report says what is missing.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};
use pdf_oxide::{
    decoders::{DecodeParams, decode_predictor},
    object::Object,
};

use super::file::Dict;

/// Bytes that one stream may unpack to; more is made to hurt, or a picture that nobody reads here.
const MOST: usize = 100 << 20;
/// Bytes of such a stream that are read all the same.
const KEPT: usize = 8 << 20;
/// Where the packed data may begin: some programs write line ends before it.
const LATEST_START: usize = 20;
/// Filters on one stream; more is made to hurt.
const MOST_FILTERS: usize = 8;
const CUT: &str = "the end of its packed data is missing";
/// Bytes that are unpacked at a time.
const PIECE: usize = 512;
/// Bytes in a row of a predictor.
const LONGEST_ROW: usize = 1 << 24;

/// What a stream holds.
pub(super) struct Unpacked {
    pub(super) data: Vec<u8>,
    /// Why a part of it is missing, if one is.
    pub(super) damage: Option<String>,
}

/// `dict` with its references followed, `data` decrypted.
pub(super) fn unpack(dict: &Dict, data: Vec<u8>) -> Result<Unpacked, String> {
    let filters = names(dict.get("Filter"));
    if filters.len() > MOST_FILTERS {
        return Err(format!("it is packed {} times", filters.len()));
    }
    let mut out = Unpacked { data, damage: None };
    for (index, filter) in filters.iter().enumerate() {
        let parameters = parameters(dict.get("DecodeParms"), index);
        match filter.as_str() {
            "FlateDecode" | "Fl" => inflate_into(&mut out, parameters)?,
            "Crypt" => {}
            other => {
                let mut dict = Dict::from([("Filter".to_owned(), Object::Name(other.to_owned()))]);
                dict.extend(parameters.map(|parameters| ("DecodeParms".to_owned(), parameters.clone())));
                let stream = Object::Stream { dict, data: out.data.into() };
                out.data = stream.decode_stream_data().map_err(|error| error.to_string())?;
            }
        }
        if out.data.len() > MOST {
            out.data.truncate(KEPT);
            out.damage = Some(format!("it unpacks to more than {} MB", MOST >> 20));
        }
    }
    Ok(out)
}

fn names(filter: Option<&Object>) -> Vec<String> {
    match filter {
        Some(Object::Name(name)) => vec![name.clone()],
        Some(Object::Array(names)) => names.iter().filter_map(Object::as_name).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn parameters(parameters: Option<&Object>, index: usize) -> Option<&Object> {
    match parameters? {
        Object::Array(all) => all.get(index).filter(|parameters| parameters.as_dict().is_some()),
        one => one.as_dict().is_some().then_some(one).filter(|_| index == 0),
    }
}

fn inflate_into(out: &mut Unpacked, parameters: Option<&Object>) -> Result<(), String> {
    if out.data.is_empty() {
        return Ok(());
    }
    let (data, damage) = inflate(&out.data);
    if data.is_empty() && damage.is_some() {
        return Err("its packed data is damaged from the start".to_owned());
    }
    let is_damaged = damage.is_some() || out.damage.is_some();
    out.damage = damage.map(str::to_owned).or(out.damage.take());
    out.data = unpredicted(data, parameters, is_damaged)?;
    Ok(())
}

/// What could be unpacked, and what is wrong with the rest.
fn inflate(packed: &[u8]) -> (Vec<u8>, Option<&'static str>) {
    let start = (0..packed.len().min(LATEST_START)).find(|at| has_header(&packed[*at..]));
    let mut best = (Vec::new(), Some("its packed data is damaged"));
    if let Some(start) = start {
        best = read(ZlibDecoder::new(&packed[start..]));
        if let Some(damage) = best.1.filter(|_| packed.len() > start + 2) {
            let bare = read(DeflateDecoder::new(&packed[start + 2..]));
            // All of it is there: its check sum is cut off, which no viewer minds, or says that something is wrong.
            if bare.1.is_none() {
                best = (bare.0, (damage != CUT).then_some("its check sum is wrong"));
            } else if bare.0.len() > best.0.len() {
                best = bare;
            }
        }
    }
    if start != Some(0) {
        let bare = read(DeflateDecoder::new(packed));
        // Data without a header, or with a damaged one.
        let without_header = packed.get(2..).map(|rest| read(DeflateDecoder::new(rest)));
        for other in [Some(bare), without_header].into_iter().flatten() {
            if other.1.is_none() && !other.0.is_empty() && best.1.is_some() {
                best = other;
            }
        }
    }
    best
}

/// The two bytes before zlib's data: the method, and a check (RFC 1950, 2.2).
fn has_header(data: &[u8]) -> bool {
    matches!(data, [first, second, ..] if first & 15 == 8 && first >> 4 <= 7 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

fn read(packed: impl Read) -> (Vec<u8>, Option<&'static str>) {
    let mut packed = packed.take(MOST as u64 + 1);
    let mut data = Vec::new();
    // With each error the reader loses what it was about to give: the pieces are small.
    let mut piece = [0; PIECE];
    loop {
        match packed.read(&mut piece) {
            Ok(0) => return (data, None),
            Ok(length) => data.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return (data, Some(CUT));
            }
            Err(_) => return (data, Some("its packed data is damaged")),
        }
    }
}

/// Rows of a table or picture are kept as differences to the row above (7.4.4.4).
fn unpredicted(mut data: Vec<u8>, parameters: Option<&Object>, is_damaged: bool) -> Result<Vec<u8>, String> {
    let Some(parameters) = parameters.and_then(Object::as_dict) else { return Ok(data) };
    let number = |key: &str, usual: i64| parameters.get(key).and_then(Object::as_integer).unwrap_or(usual);
    let size = |key: &str, usual: i64| usize::try_from(number(key, usual)).ok().filter(|size| *size > 0);
    let predictor = number("Predictor", 1);
    if predictor <= 1 {
        return Ok(data);
    }
    let row = || {
        let (columns, colors, bits) = (size("Columns", 1)?, size("Colors", 1)?, size("BitsPerComponent", 8)?);
        let row = columns.checked_mul(colors)?.checked_mul(bits)?.div_ceil(8);
        (row < LONGEST_ROW).then_some((columns, colors, bits, row + usize::from(predictor >= 10)))
    };
    let Some((columns, colors, bits_per_component, row)) = row() else {
        return Err("its rows are longer than any".to_owned());
    };
    if is_damaged {
        data.truncate(data.len() / row * row);
    }
    let parameters = DecodeParams { predictor, columns, colors, bits_per_component };
    decode_predictor(&data, &parameters).map_err(|error| error.to_string())
}
