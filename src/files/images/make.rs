//! What a child does with an order.

use bytes::Bytes;
use image::DynamicImage;

use crate::{
    Accepts, Fit, Format, ImageError, Kind, Made, Options, Order, Want, animate,
    decode::{Decoded, Source},
    encode::{self, WRITES_AVIF},
    plan::Plan,
    transform,
};

/// Longest side of the picture of which a placeholder is made; the algorithm takes no more.
const TINY: u32 = 100;

/// Decodes, transforms and encodes a picture.
pub(crate) fn make(order: &Order, content: &[u8]) -> Result<Made, ImageError> {
    let source = Source::open(order.source, content, &order.limits)?;
    match &order.want {
        Want::Variant { options, accepts } => variant(&source, options, *accepts),
        Want::Facts => Ok(of_source(&source, Bytes::new())),
        Want::Placeholder => placeholder(&source),
        Want::Reencode { quality } => {
            let options = Options { format: Format::WebP, quality: Some(*quality), ..Options::default() };
            variant(&source, &options, Accepts::default())
        }
    }
}

/// Something that is no picture, with what is known of the source.
fn of_source(source: &Source<'_>, bytes: Bytes) -> Made {
    let (width, height) = source.seen();
    Made { bytes, format: source.kind, width, height, frames: source.header.frames }
}

fn variant(source: &Source<'_>, options: &Options, accepts: Accepts) -> Result<Made, ImageError> {
    let is_animated = source.header.frames > 1 && !options.still;
    let mut to = target(options.format, accepts, source.kind, is_animated);
    let plan = Plan::new(source.seen(), options, source.limits)?;
    let (width, height) = plan.size();
    if is_animated && to.moves() {
        let (bytes, frames) = animate::make(source, &plan, options, to)?;
        return Ok(Made { bytes: bytes.into(), format: to, width, height, frames });
    }
    let decoded = source.still(&plan)?;
    if options.format == Format::Auto && source.kind == Kind::WebP && to == Kind::Png && is_opaque(&decoded) {
        to = Kind::Jpeg;
    }
    let picture = transform::apply(decoded, source.stored(), &plan, options, to)?;
    let bytes = encode::write(&picture, to, options.quality, source.limits)?;
    Ok(Made { bytes: bytes.into(), format: to, width, height, frames: 1 })
}

fn is_opaque(decoded: &Decoded) -> bool {
    matches!(decoded.picture, DynamicImage::ImageRgb8(_))
}

/// The format to write. A WebP that the client does not take becomes PNG here, and JPEG if it turns out to be opaque.
fn target(format: Format, accepts: Accepts, source: Kind, is_animated: bool) -> Kind {
    match format {
        Format::Jpeg => Kind::Jpeg,
        Format::Png => Kind::Png,
        Format::WebP => Kind::WebP,
        Format::Avif => Kind::Avif,
        Format::Keep => source,
        // AVIF would stand still.
        Format::Auto if accepts.avif && WRITES_AVIF && !is_animated => Kind::Avif,
        Format::Auto if accepts.webp => Kind::WebP,
        Format::Auto => match source {
            Kind::Jpeg => Kind::Jpeg,
            Kind::Gif | Kind::WebP if is_animated => Kind::Gif,
            Kind::Png | Kind::Gif | Kind::WebP | Kind::Avif => Kind::Png,
        },
    }
}

/// A `ThumbHash` (<https://evanw.github.io/thumbhash/>).
fn placeholder(source: &Source<'_>) -> Result<Made, ImageError> {
    let options = Options { width: Some(TINY), height: Some(TINY), fit: Fit::Inside, ..Options::default() };
    let plan = Plan::new(source.seen(), &options, source.limits)?;
    let picture = transform::apply(source.still(&plan)?, source.stored(), &plan, &options, Kind::Png)?.into_rgba8();
    let side = |side: u32| usize::try_from(side).unwrap_or_default();
    let hash = thumbhash::rgba_to_thumb_hash(side(picture.width()), side(picture.height()), picture.as_raw());
    Ok(of_source(source, hash.into()))
}
