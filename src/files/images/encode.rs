//! Encoders of still pictures. Nothing of the source's metadata is written: no EXIF, no position, no profile.

use image::{
    DynamicImage, ExtendedColorType, Frame, ImageEncoder,
    codecs::{
        gif::GifEncoder,
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
    },
};

use crate::{ImageError, Kind, Limit, Limits};

/// Quality, where none is asked for.
const QUALITY: u8 = 80;
/// AVIF looks as good with less.
const AVIF_QUALITY: u8 = 55;
/// Of 1 to 10: about a second of processor time for 500 pixels.
#[cfg(feature = "avif")]
const AVIF_SPEED: u8 = 8;

/// Writes a picture of RGB or RGBA.
pub(crate) fn write(
    picture: &DynamicImage,
    kind: Kind,
    quality: Option<u8>,
    limits: &Limits,
) -> Result<Vec<u8>, ImageError> {
    let quality = quality.unwrap_or(if kind == Kind::Avif { AVIF_QUALITY } else { QUALITY });
    let mut out = Vec::new();
    let written = match kind {
        Kind::Jpeg => {
            let picture = picture.to_rgb8();
            let encoder = JpegEncoder::new_with_quality(&mut out, quality);
            encoder.write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8)
        }
        Kind::Png => {
            let encoder = PngEncoder::new_with_quality(&mut out, CompressionType::Default, FilterType::Adaptive);
            by_image(encoder, picture)
        }
        Kind::WebP => {
            out = webp(picture, quality)?;
            Ok(())
        }
        Kind::Gif => {
            let mut encoder = GifEncoder::new(&mut out);
            let written = encoder.encode_frame(Frame::new(picture.to_rgba8()));
            // Its end is written when it is dropped.
            drop(encoder);
            written
        }
        #[cfg(feature = "avif")]
        Kind::Avif => {
            let encoder = image::codecs::avif::AvifEncoder::new_with_speed_quality(&mut out, AVIF_SPEED, quality);
            by_image(encoder.with_num_threads(Some(1)), picture)
        }
        #[cfg(not(feature = "avif"))]
        Kind::Avif => return Err(ImageError::Avif),
    };
    written.map_err(|error| ImageError::Child(error.to_string()))?;
    small_enough(out, limits)
}

pub(crate) fn small_enough(out: Vec<u8>, limits: &Limits) -> Result<Vec<u8>, ImageError> {
    if out.len() as u64 > limits.output_bytes {
        return Err(ImageError::refused(Limit::OutputBytes, limits.output_bytes));
    }
    Ok(out)
}

fn by_image(encoder: impl ImageEncoder, picture: &DynamicImage) -> image::ImageResult<()> {
    encoder.write_image(picture.as_bytes(), picture.width(), picture.height(), picture.color().into())
}

fn webp(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, ImageError> {
    let (width, height) = (picture.width(), picture.height());
    let encoder = match picture {
        DynamicImage::ImageRgba8(picture) => webp::Encoder::from_rgba(picture.as_raw(), width, height),
        DynamicImage::ImageRgb8(picture) => webp::Encoder::from_rgb(picture.as_raw(), width, height),
        _ => return Err(ImageError::Format),
    };
    let written = encoder.encode_simple(false, f32::from(quality));
    written.map(|memory| memory.to_vec()).map_err(|error| ImageError::Child(format!("{error:?}")))
}

/// Whether AVIF is built in.
pub const WRITES_AVIF: bool = cfg!(feature = "avif");
