//! What is asked of a picture, and what comes of it: the whole contract between the pool and a child.

use serde::{Deserialize, Serialize};

use crate::Options;

/// A format of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
    /// Written only.
    Avif,
}

impl Kind {
    /// What the content is, if it is a picture that can be read. What it is called or declared does not matter.
    pub fn of(content: &[u8]) -> Option<Self> {
        match content {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Avif => "image/avif",
        }
    }

    /// Whether the format can have transparent pixels.
    pub(crate) const fn has_alpha(self) -> bool {
        !matches!(self, Self::Jpeg)
    }

    /// Whether animations are written in this format.
    pub(crate) const fn moves(self) -> bool {
        matches!(self, Self::WebP | Self::Gif)
    }
}

/// Newer formats that a client takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Accepts {
    pub webp: bool,
    pub avif: bool,
}

impl Accepts {
    /// Of an `Accept` header. A format counts only where it is named: `*/*` comes from clients that know neither.
    pub fn of(accept: &str) -> Self {
        let named = |media_type: &str| {
            accept.split(',').any(|range| {
                let mut parts = range.split(';').map(str::trim);
                let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
                let refused = parts.any(|part| {
                    let (name, value) = part.split_once('=').unwrap_or_default();
                    name.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|q| q <= 0.0)
                });
                is_named && !refused
            })
        };
        Self { webp: named("image/webp"), avif: named("image/avif") }
    }
}

/// What a decoder may take. Judged by the headers, before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub input_bytes: u64,
    /// Of one frame.
    pub pixels: u64,
    /// Pixels of a side. WebP cannot have more than 16 383.
    pub side: u32,
    pub frames: u32,
    /// Of all frames of an animation together.
    pub frame_pixels: u64,
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes: 25 << 20,
            pixels: 50_000_000,
            side: 16_383,
            frames: 250,
            frame_pixels: 100_000_000,
            output_bytes: 25 << 20,
        }
    }
}

/// What is wanted of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    Variant {
        options: Options,
        accepts: Accepts,
    },
    /// Its size and frames, without decoding a pixel.
    Facts,
    /// A few bytes to show while it loads: a `ThumbHash`.
    Placeholder,
    /// The same picture as WebP of this quality: how small it could be.
    Reencode {
        quality: u8,
    },
}

/// An order to a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub want: Want,
    pub limits: Limits,
    pub source: Kind,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Nothing for [`Want::Facts`].
    pub bytes: bytes::Bytes,
    /// Of `bytes`; of the source, where they are no picture.
    pub format: Kind,
    /// As it is to be seen: turned as its EXIF says.
    pub width: u32,
    pub height: u32,
    pub frames: u32,
}

/// Something of which a picture takes more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    InputBytes,
    Pixels,
    Side,
    Frames,
    FramePixels,
    Scans,
    OutputBytes,
    Memory,
    Time,
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InputBytes => "bytes",
            Self::Pixels => "pixels",
            Self::Side => "pixels on a side",
            Self::Frames => "frames",
            Self::FramePixels => "pixels in its frames together",
            Self::Scans => "scans",
            Self::OutputBytes => "bytes when it is written",
            Self::Memory => "MiB of memory",
            Self::Time => "seconds",
        })
    }
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageError {
    #[error("this picture takes more than {most} {limit}")]
    Refused { limit: Limit, most: u64 },
    #[error("this is no picture of a format that can be read: JPEG, PNG, GIF or WebP")]
    Format,
    #[error("this picture is damaged")]
    Malformed,
    #[error("the part to cut out lies beyond the picture of {width} x {height} pixels")]
    Crop { width: u32, height: u32 },
    #[error("this installation does not write AVIF")]
    Avif,
    #[error("too many pictures are asked for: try again")]
    Busy,
    #[error("the child process that decodes pictures failed: {0}")]
    Child(String),
}

impl ImageError {
    pub(crate) fn refused(limit: Limit, most: impl Into<u64>) -> Self {
        Self::Refused { limit, most: most.into() }
    }

    /// Whether the same order may succeed another time.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Child(_))
    }
}
