//! Pictures for tests.

use image::{
    DynamicImage, ExtendedColorType, Frame, ImageEncoder as _, ImageFormat, Rgba, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder},
};

use crate::{Accepts, ImageError, Kind, Limits, Made, Options, Order, Want, make::make};

pub const RED: [u8; 3] = [230, 20, 20];
pub const GREEN: [u8; 3] = [20, 200, 20];
pub const BLUE: [u8; 3] = [20, 20, 220];
pub const YELLOW: [u8; 3] = [220, 210, 30];

/// Red and green above, blue and yellow below.
pub fn quadrants(width: u32, height: u32) -> DynamicImage {
    let picture = image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb(match (x < width / 2, y < height / 2) {
            (true, true) => RED,
            (false, true) => GREEN,
            (true, false) => BLUE,
            (false, false) => YELLOW,
        })
    });
    DynamicImage::ImageRgb8(picture)
}

/// The quadrants, of which the left half can be seen through.
pub fn see_through(width: u32, height: u32) -> DynamicImage {
    let mut picture = quadrants(width, height).into_rgba8();
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        pixel.0[3] = if x < width / 2 { 0 } else { 255 };
    }
    DynamicImage::ImageRgba8(picture)
}

pub fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

pub fn jpeg(picture: &DynamicImage) -> Vec<u8> {
    let (mut out, picture) = (Vec::new(), picture.to_rgb8());
    let encoder = JpegEncoder::new_with_quality(&mut out, 92);
    encoder.write_image(picture.as_raw(), picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
    out
}

/// A JPEG with these segments (marker, content) behind its begin.
pub fn with_segments(jpeg: &[u8], segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = jpeg[..2].to_vec();
    for (marker, content) in segments {
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        out.extend([0xff, *marker]);
        out.extend(length);
        out.extend(content);
    }
    out.extend(&jpeg[2..]);
    out
}

/// An EXIF block with an orientation, and a position that nobody is to see.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut out = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    out.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(b"GPS: 52.5163 N 13.3777 E");
    out
}

/// Frames of one colour each, 100 ms.
pub fn animation(colours: &[[u8; 3]], width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut out, 10);
    for [red, green, blue] in colours {
        let picture = RgbaImage::from_pixel(width, height, Rgba([*red, *green, *blue, 255]));
        let delay = image::Delay::from_numer_denom_ms(100, 1);
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    out
}

pub fn options(query: &str) -> Options {
    Options::of_query(query).unwrap()
}

pub fn order(want: Want, content: &[u8]) -> Order {
    Order { want, limits: Limits::default(), source: Kind::of(content).unwrap_or(Kind::Jpeg) }
}

pub fn wanted(query: &str, accepts: Accepts) -> Want {
    Want::Variant { options: options(query), accepts }
}

pub fn variant(content: &[u8], query: &str) -> Result<Made, ImageError> {
    make(&order(wanted(query, Accepts::default()), content), content)
}

pub fn facts(content: &[u8]) -> Result<Made, ImageError> {
    make(&order(Want::Facts, content), content)
}

/// What a client sees of it.
pub fn seen(made: &Made) -> RgbaImage {
    let picture = image::load_from_memory(&made.bytes).unwrap().into_rgba8();
    assert_eq!((picture.width(), picture.height()), (made.width, made.height), "its size is as it was told");
    picture
}

/// The colour around a point, in percent of the sides.
pub fn colour(picture: &RgbaImage, x: u32, y: u32) -> [u8; 3] {
    let pixel = picture.get_pixel(picture.width() * x / 100, picture.height() * y / 100).0;
    [pixel[0], pixel[1], pixel[2]]
}

/// Whether two colours look the same.
pub fn alike(one: [u8; 3], other: [u8; 3]) -> bool {
    one.iter().zip(other).all(|(one, other)| one.abs_diff(other) < 24)
}

/// The colours of the four quadrants, in reading order.
pub fn corners(picture: &RgbaImage) -> [[u8; 3]; 4] {
    [(25, 25), (75, 25), (25, 75), (75, 75)].map(|(x, y)| colour(picture, x, y))
}

#[track_caller]
pub fn assert_corners(picture: &RgbaImage, expected: [[u8; 3]; 4], what: &str) {
    let found = corners(picture);
    assert!(found.iter().zip(expected).all(|(found, expected)| alike(*found, expected)), "{what}: {found:?}");
}
