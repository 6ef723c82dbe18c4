//! Unpacks streams; returns the readable part of a damaged stream and the damage.
//!
//! The library returns part of a damaged stream as if it were complete, and fails if that part does not look like a
//! page. Like viewers, we read what we can, but report what is missing.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};
use pdf_oxide::{
    decoders::{DecodeParams, decode_predictor},
    object::Object,
};

use super::file::Dict;

/// Maximum unpacked bytes per stream; more is malicious, or an image that is not needed here.
const MAX_UNPACKED_BYTES: usize = 100 << 20;
/// Bytes of such a stream that are kept.
const KEPT: usize = 8 << 20;
/// Latest start of the packed data: some programs write line ends before it.
const LATEST_START: usize = 20;
/// Maximum filters per stream; more is malicious.
const MAX_FILTERS: usize = 8;
const CUT: &str = "the end of its packed data is missing";
/// Bytes unpacked per read.
const PIECE: usize = 512;
/// Maximum bytes per predictor row.
const LONGEST_ROW: usize = 1 << 24;

/// The data of a stream.
pub(super) struct Unpacked {
    pub(super) data: Vec<u8>,
    /// Why part of it is missing, if it is.
    pub(super) damage: Option<String>,
}

/// `dict` must have its references resolved, `data` must be decrypted.
pub(super) fn unpack(dict: &Dict, data: Vec<u8>) -> Result<Unpacked, String> {
    let filters = names(dict.get("Filter"));
    if filters.len() > MAX_FILTERS {
        return Err(format!("it has {} filters", filters.len()));
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
        if out.data.len() > MAX_UNPACKED_BYTES {
            out.data.truncate(KEPT);
            out.damage = Some(format!("it unpacks to more than {} MB", MAX_UNPACKED_BYTES >> 20));
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

/// Returns the unpacked data, and the damage if it is incomplete.
fn inflate(packed: &[u8]) -> (Vec<u8>, Option<&'static str>) {
    let start = (0..packed.len().min(LATEST_START)).find(|at| has_header(&packed[*at..]));
    let mut best = (Vec::new(), Some("its packed data is damaged"));
    if let Some(start) = start {
        best = read(ZlibDecoder::new(&packed[start..]));
        if let Some(damage) = best.1.filter(|_| packed.len() > start + 2) {
            let bare = read(DeflateDecoder::new(&packed[start + 2..]));
            // The data is complete, but its checksum is cut off (which viewers ignore) or wrong.
            if bare.1.is_none() {
                best = (bare.0, (damage != CUT).then_some("its checksum is wrong"));
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

/// The two-byte zlib header: method and check bits (RFC 1950, 2.2).
fn has_header(data: &[u8]) -> bool {
    matches!(data, [first, second, ..] if first & 15 == 8 && first >> 4 <= 7 && u16::from_be_bytes([*first, *second]).is_multiple_of(31))
}

fn read(packed: impl Read) -> (Vec<u8>, Option<&'static str>) {
    let mut packed = packed.take(MAX_UNPACKED_BYTES as u64 + 1);
    let mut data = Vec::new();
    // An error loses the data of the current read, so reads are small.
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

/// Undoes predictors, which store rows as differences to the row above (7.4.4.4).
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
        return Err("its predictor rows are too long".to_owned());
    };
    if is_damaged {
        data.truncate(data.len() / row * row);
    }
    let parameters = DecodeParams { predictor, columns, colors, bits_per_component };
    decode_predictor(&data, &parameters).map_err(|error| error.to_string())
}
