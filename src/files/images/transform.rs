//! What is done with the pixels of a picture, in this order: cut out and resized, turned, converted to sRGB, blurred, put before a background.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{DynamicImage, Rgb, RgbImage, Rgba, RgbaImage, imageops};

use crate::{ImageError, Kind, Options, Rect, colour, decode::Decoded, plan::Plan};

const WHITE: [u8; 3] = [u8::MAX; 3];

/// A picture as the plan says. `stored`: its size before it was decoded.
pub(crate) fn apply(
    decoded: Decoded,
    stored: (u32, u32),
    plan: &Plan,
    options: &Options,
    kind: Kind,
) -> Result<DynamicImage, ImageError> {
    let Decoded { picture, profile, orientation } = decoded;
    let before = plan.stored(orientation, stored).scaled(stored, (picture.width(), picture.height()));
    let mut picture = resized(&picture, before.region, before.width, before.height)?;
    picture.apply_orientation(orientation);
    if let Some(profile) = profile {
        picture = colour::to_srgb(picture, &profile);
    }
    if options.blur > 0 {
        picture = picture.fast_blur(f32::from(options.blur));
    }
    Ok(behind(picture, plan, options, kind))
}

fn resized(picture: &DynamicImage, part: Rect, width: u32, height: u32) -> Result<DynamicImage, ImageError> {
    let (kind, pixels) = match picture {
        DynamicImage::ImageRgb8(picture) => (PixelType::U8x3, picture.as_raw()),
        DynamicImage::ImageRgba8(picture) => (PixelType::U8x4, picture.as_raw()),
        _ => return Err(ImageError::Format),
    };
    let source = ImageRef::new(picture.width(), picture.height(), pixels, kind).map_err(|_| ImageError::Malformed)?;
    let mut out = Image::new(width, height, kind);
    let Rect { x, y, width: w, height: h } = part;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).crop(
        f64::from(x),
        f64::from(y),
        f64::from(w),
        f64::from(h),
    );
    Resizer::new().resize(&source, &mut out, &options).map_err(|_| ImageError::Malformed)?;
    let pixels = out.into_vec();
    let out = if kind == PixelType::U8x3 {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
    } else {
        RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8)
    };
    out.ok_or(ImageError::Malformed)
}

/// The picture in the middle of its canvas, and without transparent pixels where a background is asked for or the format has none.
fn behind(picture: DynamicImage, plan: &Plan, options: &Options, kind: Kind) -> DynamicImage {
    let (width, height) = plan.size();
    let (left, top) = (i64::from((width - plan.width) / 2), i64::from((height - plan.height) / 2));
    let is_smaller = (width, height) != (plan.width, plan.height);
    let is_opaque = options.background.is_some() || !kind.has_alpha();
    let background = options.background.unwrap_or(WHITE);
    match picture {
        DynamicImage::ImageRgb8(picture) if !is_smaller => DynamicImage::ImageRgb8(picture),
        DynamicImage::ImageRgb8(picture) if is_opaque => {
            let mut canvas = RgbImage::from_pixel(width, height, Rgb(background));
            imageops::replace(&mut canvas, &picture, left, top);
            DynamicImage::ImageRgb8(canvas)
        }
        picture if is_opaque => {
            let [red, green, blue] = background;
            let mut canvas = RgbaImage::from_pixel(width, height, Rgba([red, green, blue, u8::MAX]));
            imageops::overlay(&mut canvas, &picture.into_rgba8(), left, top);
            DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(canvas).into_rgb8())
        }
        picture if is_smaller => {
            let mut canvas = RgbaImage::new(width, height);
            imageops::replace(&mut canvas, &picture.into_rgba8(), left, top);
            DynamicImage::ImageRgba8(canvas)
        }
        picture => picture,
    }
}
