//! Colours: profiles are applied before they are taken out, so that a picture looks the same without them.

use image::{DynamicImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Larger profiles are passed over.
const PROFILE_BYTES: usize = 1 << 20;

fn read(profile: &[u8]) -> Option<ColorProfile> {
    if profile.len() > PROFILE_BYTES { None } else { ColorProfile::new_from_slice(profile).ok() }
}

/// The same picture in sRGB. One whose profile cannot be read, or is of no RGB, stays as it is.
pub(crate) fn to_srgb(picture: DynamicImage, profile: &[u8]) -> DynamicImage {
    converted(&picture, profile).unwrap_or(picture)
}

fn converted(picture: &DynamicImage, profile: &[u8]) -> Option<DynamicImage> {
    let profile = read(profile).filter(|profile| profile.color_space == DataColorSpace::Rgb)?;
    let (layout, pixels) = match picture {
        DynamicImage::ImageRgb8(picture) => (Layout::Rgb, picture.as_raw()),
        DynamicImage::ImageRgba8(picture) => (Layout::Rgba, picture.as_raw()),
        _ => return None,
    };
    let srgb = ColorProfile::new_srgb();
    let transform = profile.create_transform_8bit(layout, &srgb, layout, TransformOptions::default()).ok()?;
    let mut out = vec![0; pixels.len()];
    transform.transform(pixels, &mut out).ok()?;
    let (width, height) = (picture.width(), picture.height());
    match layout {
        Layout::Rgb => RgbImage::from_raw(width, height, out).map(DynamicImage::ImageRgb8),
        _ => RgbaImage::from_raw(width, height, out).map(DynamicImage::ImageRgba8),
    }
}

/// RGB of cyan, magenta, yellow and black: by the profile, if there is one for inks; else as ink would mix if it were ideal.
pub(crate) fn of_inks(pixels: &[u8], profile: Option<&[u8]>) -> Vec<u8> {
    let by_profile = || {
        let profile = read(profile?).filter(|profile| profile.color_space == DataColorSpace::Cmyk)?;
        let srgb = ColorProfile::new_srgb();
        let options = TransformOptions::default();
        let transform = profile.create_transform_8bit(Layout::Rgba, &srgb, Layout::Rgb, options).ok()?;
        let mut out = vec![0; pixels.len() / 4 * 3];
        transform.transform(pixels, &mut out).ok()?;
        Some(out)
    };
    by_profile().unwrap_or_else(|| {
        let (inks, _) = pixels.as_chunks::<4>();
        inks.iter()
            .flat_map(|[cyan, magenta, yellow, black]| [cyan, magenta, yellow].map(|ink| light(*ink, *black)))
            .collect()
    })
}

/// What an ink and black leave of the light.
fn light(ink: u8, black: u8) -> u8 {
    let left = u16::from(u8::MAX - ink) * u16::from(u8::MAX - black) / u16::from(u8::MAX);
    u8::try_from(left).unwrap_or(u8::MAX)
}
