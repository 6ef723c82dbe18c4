//! What the header of a picture says, read without decoding a pixel, and whether it is within the limits.

use image::metadata::Orientation;

use crate::{ImageError, Kind, Limit, Limits};

/// Most scans of a progressive JPEG. Encoders write ten or so; each goes over all of the picture again.
const SCANS: u32 = 64;

/// What is known before anything is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// As stored, not turned yet.
    pub width: u32,
    pub height: u32,
    pub frames: u32,
    /// Of the largest frame, which may lie beyond the canvas.
    largest: u64,
    scans: u32,
    /// Of JPEG alone: by the first EXIF block.
    pub orientation: Orientation,
}

impl Header {
    fn new(width: u32, height: u32) -> Self {
        let largest = u64::from(width) * u64::from(height);
        Self { width, height, frames: 1, largest, scans: 1, orientation: Orientation::NoTransforms }
    }

    fn frame(&mut self, width: u32, height: u32) {
        self.frames += 1;
        self.largest = self.largest.max(u64::from(width) * u64::from(height));
    }

    /// Err where something is beyond the limits.
    fn check(&self, limits: &Limits) -> Result<(), ImageError> {
        let all = self.largest.saturating_mul(u64::from(self.frames));
        let judged = [
            (Limit::Side, u64::from(self.width.max(self.height)), u64::from(limits.side)),
            (Limit::Pixels, self.largest, limits.pixels),
            (Limit::Frames, u64::from(self.frames), u64::from(limits.frames)),
            (Limit::FramePixels, if self.frames > 1 { all } else { 0 }, limits.frame_pixels),
            (Limit::Scans, u64::from(self.scans), u64::from(SCANS)),
        ];
        match judged.into_iter().find(|(_, has, most)| has > most) {
            Some((limit, _, most)) => Err(ImageError::refused(limit, most)),
            None => Ok(()),
        }
    }
}

/// Reads the header, and holds it against the limits.
pub(crate) fn look(kind: Kind, content: &[u8], limits: &Limits) -> Result<Header, ImageError> {
    if content.len() as u64 > limits.input_bytes {
        return Err(ImageError::refused(Limit::InputBytes, limits.input_bytes));
    }
    if Kind::of(content) != Some(kind) {
        return Err(ImageError::Format);
    }
    let header = match kind {
        Kind::Jpeg => jpeg(content),
        Kind::Png => png(content),
        Kind::Gif => gif(content),
        Kind::WebP => webp(content),
        Kind::Avif => return Err(ImageError::Format),
    };
    let header = header.filter(|header| header.width > 0 && header.height > 0).ok_or(ImageError::Malformed)?;
    header.check(limits)?;
    Ok(header)
}

fn byte(content: &[u8], at: usize) -> Option<u32> {
    content.get(at).map(|byte| u32::from(*byte))
}

fn big16(content: &[u8], at: usize) -> Option<u32> {
    Some((byte(content, at)? << 8) | byte(content, at + 1)?)
}

fn big32(content: &[u8], at: usize) -> Option<u32> {
    Some((big16(content, at)? << 16) | big16(content, at + 2)?)
}

fn little16(content: &[u8], at: usize) -> Option<u32> {
    Some(byte(content, at)? | (byte(content, at + 1)? << 8))
}

fn little24(content: &[u8], at: usize) -> Option<u32> {
    Some(little16(content, at)? | (byte(content, at + 2)? << 16))
}

fn little32(content: &[u8], at: usize) -> Option<u32> {
    Some(little16(content, at)? | (little16(content, at + 2)? << 16))
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The next marker of a JPEG from `at` on; `at` is then behind it. Bytes of a scan are passed over.
fn marker(content: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = content.get(*at..)?;
        *at += rest.iter().position(|byte| *byte == 0xff)? + 1;
        match content.get(*at)? {
            // Part of a scan, or a filler.
            0x00 | 0xff => {}
            marker => {
                *at += 1;
                return Some(*marker);
            }
        }
    }
}

/// ITU T.81, annex B.
fn jpeg(content: &[u8]) -> Option<Header> {
    let (mut at, mut size, mut scans, mut exif) = (2, None, 0, None);
    while let Some(marker) = marker(content, &mut at) {
        match marker {
            // Without a length.
            0x01 | 0xd0..=0xd8 => continue,
            // The end; what comes behind it is no part of the picture.
            0xd9 => break,
            _ => {}
        }
        let Some(length) = big16(content, at).map(index) else { break };
        let Some(segment) = content.get(at + 2..at + length) else { break };
        match marker {
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => size = size.or_else(|| Some((big16(segment, 3)?, big16(segment, 1)?))),
            0xda => scans += 1,
            0xe1 => exif = exif.or_else(|| segment.strip_prefix(b"Exif\0\0")),
            _ => {}
        }
        at += length;
    }
    let (width, height) = size?;
    let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    Some(Header { scans, orientation, ..Header::new(width, height) })
}

/// PNG specification, third edition, section 5.
fn png(content: &[u8]) -> Option<Header> {
    let mut header = Header::new(big32(content, 16)?, big32(content, 20)?);
    let mut at = 8;
    while let (Some(length), Some(name)) = (big32(content, at).map(index), content.get(at + 4..at + 8)) {
        match name {
            b"acTL" => header.frames = big32(content, at + 8)?.max(1),
            b"IDAT" | b"IEND" => break,
            _ => {}
        }
        at = at.saturating_add(length).saturating_add(12);
    }
    Some(header)
}

/// `GIF89a` specification.
fn gif(content: &[u8]) -> Option<Header> {
    let table = |flags: u32| if flags & 0x80 == 0 { 0 } else { index(3 * (2 << (flags & 7))) };
    let mut header = Header { frames: 0, ..Header::new(little16(content, 6)?, little16(content, 8)?) };
    let mut at = 13 + table(byte(content, 10)?);
    // What is cut off ends the walk, and is the decoder's to judge.
    while let Some(block) = byte(content, at) {
        at = match block {
            0x21 => at + 2,
            0x2c => {
                let (Some(width), Some(height), Some(flags)) =
                    (little16(content, at + 5), little16(content, at + 7), byte(content, at + 9))
                else {
                    break;
                };
                header.frame(width, height);
                at + 11 + table(flags)
            }
            _ => break,
        };
        while let Some(length) = byte(content, at) {
            at += 1 + index(length);
            if length == 0 {
                break;
            }
        }
    }
    header.frames = header.frames.max(1);
    Some(header)
}

/// WebP container specification; RFC 6386, section 9.1, for VP8; RFC 9649 for VP8L.
fn webp(content: &[u8]) -> Option<Header> {
    let (mut header, mut frames) = (None::<Header>, 0);
    let mut at = 12;
    while let (Some(name), Some(length)) = (content.get(at..at + 4), little32(content, at + 4).map(index)) {
        let data = content.get(at + 8..).unwrap_or_default();
        let size = match name {
            b"VP8X" => Some((little24(data, 4)? + 1, little24(data, 7)? + 1)),
            b"VP8 " => Some((little16(data, 6)? & 0x3fff, little16(data, 8)? & 0x3fff)),
            b"VP8L" => little32(data, 1).map(|bits| ((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)),
            b"ANMF" => {
                frames += 1;
                Some((little24(data, 6)? + 1, little24(data, 9)? + 1))
            }
            _ => None,
        };
        if let Some((width, height)) = size {
            let largest = u64::from(width) * u64::from(height);
            let header = header.get_or_insert(Header::new(width, height));
            header.largest = header.largest.max(largest);
        }
        at = at.saturating_add(length).saturating_add(8 + length % 2);
    }
    header.map(|header| Header { frames: frames.max(1), ..header })
}
