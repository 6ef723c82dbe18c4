//! Decoders: of a still picture here, of an animation in `animate`. Each is told its limits, and sees only what `header` has let pass.

use std::io::Cursor;

use image::{
    DynamicImage, GrayImage, ImageDecoder, RgbImage,
    codecs::{gif::GifDecoder, png::PngDecoder, webp::WebPDecoder},
    metadata::Orientation,
};
use jpeg_decoder::{CodingProcess, PixelFormat};

use crate::{
    ImageError, Kind, Limit, Limits, colour,
    header::{self, Header},
    plan::{Plan, turned},
};

/// Memory of a PNG decoder beside its pixels: rows, and texts and profiles, which are compressed.
const PNG_BYTES: u64 = 16 << 20;

/// A decoded picture, not turned yet.
pub(crate) struct Decoded {
    /// RGB or RGBA, eight bits each.
    pub picture: DynamicImage,
    pub profile: Option<Vec<u8>>,
    pub orientation: Orientation,
}

/// Limits of the library's decoders.
pub(crate) fn limits(limits: &Limits) -> image::Limits {
    let mut own = image::Limits::no_limits();
    own.max_image_width = Some(limits.side);
    own.max_image_height = Some(limits.side);
    // Three canvases of an animation, or one of sixteen bits for each channel.
    own.max_alloc = Some(limits.pixels.saturating_mul(12).saturating_add(PNG_BYTES));
    own
}

pub(crate) fn png<'a>(content: &'a [u8], limits: &Limits) -> Result<PngDecoder<Cursor<&'a [u8]>>, ImageError> {
    let own = self::limits(limits);
    let mut first = own.clone();
    first.max_alloc = Some(PNG_BYTES);
    let mut decoder = PngDecoder::with_limits(Cursor::new(content), first).map_err(failed)?;
    decoder.set_limits(own).map_err(failed)?;
    Ok(decoder)
}

pub(crate) fn gif<'a>(content: &'a [u8], limits: &Limits) -> Result<GifDecoder<Cursor<&'a [u8]>>, ImageError> {
    let mut decoder = GifDecoder::new(Cursor::new(content)).map_err(failed)?;
    decoder.set_limits(self::limits(limits)).map_err(failed)?;
    Ok(decoder)
}

pub(crate) fn webp<'a>(content: &'a [u8], limits: &Limits) -> Result<WebPDecoder<Cursor<&'a [u8]>>, ImageError> {
    let mut decoder = WebPDecoder::new(Cursor::new(content)).map_err(failed)?;
    decoder.set_limits(self::limits(limits)).map_err(failed)?;
    Ok(decoder)
}

/// A picture that may be decoded: its header is within the limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub kind: Kind,
    pub content: &'a [u8],
    pub limits: &'a Limits,
    pub header: Header,
    pub orientation: Orientation,
}

impl<'a> Source<'a> {
    pub fn open(kind: Kind, content: &'a [u8], limits: &'a Limits) -> Result<Self, ImageError> {
        let header = header::look(kind, content, limits)?;
        let orientation = match kind {
            Kind::Jpeg => header.orientation,
            Kind::Png => turns(png(content, limits)?),
            Kind::WebP => turns(webp(content, limits)?),
            Kind::Gif | Kind::Avif => Orientation::NoTransforms,
        };
        Ok(Self { kind, content, limits, header, orientation })
    }

    /// Width and height before it is turned.
    pub fn stored(&self) -> (u32, u32) {
        (self.header.width, self.header.height)
    }

    /// Width and height as it is seen.
    pub fn seen(&self) -> (u32, u32) {
        turned(self.stored(), self.orientation)
    }

    /// Decodes the picture, or the first frame of an animation; as much of it as the plan needs, of JPEG, which can be decoded smaller.
    pub fn still(&self, plan: &Plan) -> Result<Decoded, ImageError> {
        match self.kind {
            Kind::Jpeg => jpeg(self, plan.stored(self.orientation, self.stored()).least(self.stored())),
            Kind::Png => by_image(png(self.content, self.limits)?),
            Kind::WebP => by_image(webp(self.content, self.limits)?),
            Kind::Gif => by_image(gif(self.content, self.limits)?),
            Kind::Avif => Err(ImageError::Format),
        }
    }
}

/// How a picture is to be turned. What cannot be read turns nothing: it is no reason to have no picture.
fn turns(mut decoder: impl ImageDecoder) -> Orientation {
    decoder.orientation().unwrap_or(Orientation::NoTransforms)
}

fn by_image(mut decoder: impl ImageDecoder) -> Result<Decoded, ImageError> {
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    Ok(Decoded { picture: eight_bits(picture), profile, orientation })
}

/// RGB, or RGBA where there are transparent pixels.
fn eight_bits(picture: DynamicImage) -> DynamicImage {
    if picture.color().has_alpha() {
        let picture = picture.into_rgba8();
        // Many have the channel, and use it for nothing.
        if picture.pixels().any(|pixel| pixel.0[3] < u8::MAX) {
            return DynamicImage::ImageRgba8(picture);
        }
        return DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(picture).into_rgb8());
    }
    DynamicImage::ImageRgb8(picture.into_rgb8())
}

fn jpeg(source: &Source<'_>, least: (u32, u32)) -> Result<Decoded, ImageError> {
    let Source { content, limits, header, .. } = *source;
    let mut decoder = jpeg_decoder::Decoder::new(content);
    let most = usize::try_from(limits.pixels.saturating_mul(4)).unwrap_or(usize::MAX);
    decoder.set_max_decoding_buffer_size(most);
    decoder.read_info().map_err(jpeg_failed)?;
    let info = decoder.info().ok_or(ImageError::Malformed)?;
    if (u32::from(info.width), u32::from(info.height)) != (header.width, header.height) {
        return Err(ImageError::Malformed);
    }
    if info.coding_process != CodingProcess::Lossless {
        let side = |side| u16::try_from(side).unwrap_or(u16::MAX);
        decoder.scale(side(least.0), side(least.1)).map_err(jpeg_failed)?;
    }
    let pixels = decoder.decode().map_err(jpeg_failed)?;
    let info = decoder.info().ok_or(ImageError::Malformed)?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let profile = decoder.icc_profile();
    let picture = match info.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
        PixelFormat::CMYK32 => {
            let pixels = colour::of_inks(&pixels, profile.as_deref());
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
        PixelFormat::L16 => return Err(ImageError::Format),
    };
    let picture = DynamicImage::ImageRgb8(picture.ok_or(ImageError::Malformed)?.into_rgb8());
    Ok(Decoded { picture, profile, orientation: header.orientation })
}

pub(crate) fn failed(error: image::ImageError) -> ImageError {
    match error {
        image::ImageError::Unsupported(_) => ImageError::Format,
        // Width and height were judged before.
        image::ImageError::Limits(_) => ImageError::refused(Limit::Memory, PNG_BYTES >> 20),
        _ => ImageError::Malformed,
    }
}

fn jpeg_failed(error: jpeg_decoder::Error) -> ImageError {
    match error {
        jpeg_decoder::Error::Unsupported(_) => ImageError::Format,
        _ => ImageError::Malformed,
    }
}
