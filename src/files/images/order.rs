//! What is asked of a picture: the whole contract between the pool and a child.

use serde::{Deserialize, Serialize};

/// A format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// A format to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// By what the client accepts.
    #[default]
    Auto,
    Jpeg,
    Png,
    WebP,
    Avif,
    /// That of the source.
    Keep,
}

/// How a picture fills the size that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// All of the size, cut off where it does not fit.
    #[default]
    Cover,
    /// All of the picture, with a border.
    Contain,
    /// All of both, distorted.
    Fill,
    /// All of the picture, without a border.
    Inside,
}

/// Options of a variant, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// 1 to 2500 pixels; `None`: by the other side.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fit: Fit,
    pub format: Format,
    /// 20 to 100.
    pub quality: Option<u8>,
    /// The first frame of an animation only.
    pub still: bool,
    /// Made larger than the source, if the size asks for it.
    pub enlarge: bool,
}

/// What a decoder may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub input_bytes: u64,
    pub pixels: u64,
    /// Pixels of a side.
    pub side: u32,
    pub frames: u32,
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { input_bytes: 25 << 20, pixels: 50_000_000, side: 16_384, frames: 250, output_bytes: 25 << 20 }
    }
}

/// What is wanted of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    Variant(Options),
    /// Its size, without decoding a pixel.
    Facts,
    /// A few bytes to show while it loads.
    Placeholder,
    /// The same picture with this quality: how small it could be.
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
    pub bytes: bytes::Bytes,
    pub format: Kind,
    pub width: u32,
    pub height: u32,
    pub frames: u32,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A limit, by its name in [`Limits`].
    #[error("this picture has more than {most} {limit}")]
    Refused { limit: &'static str, most: u64 },
    #[error("this is no picture of a format that can be read")]
    Format,
    #[error("this picture is damaged")]
    Malformed,
    #[error("too many pictures are asked for: try again")]
    Busy,
    #[error("the child process that decodes pictures failed: {0}")]
    Child(String),
}
