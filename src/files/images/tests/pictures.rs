use image::{DynamicImage, ImageEncoder as _, ImageFormat, codecs::png::PngEncoder};
use moxcms::ColorProfile;

use super::made::{
    BLUE, GREEN, RED, YELLOW, alike, animation, assert_corners, colour, exif, jpeg, order, quadrants, see_through,
    seen, variant, wanted, with_segments, written,
};
use crate::{Accepts, Kind, Want, make::make};

const QUADRANTS: [[u8; 3]; 4] = [RED, GREEN, BLUE, YELLOW];

#[test]
fn every_fit_of_every_format() {
    let picture = quadrants(400, 200);
    for content in [jpeg(&picture), written(&picture, ImageFormat::Png), written(&picture, ImageFormat::WebP)] {
        let kind = Kind::of(&content).unwrap();
        for query in ["width=100", "height=31", "width=60&height=60&fit=fill", "width=60&height=60", ""] {
            for format in ["jpeg", "png", "webp", "keep"] {
                let made = variant(&content, &format!("{query}&format={format}")).unwrap();
                assert_corners(&seen(&made), QUADRANTS, &format!("{kind:?} {query} {format}"));
            }
        }
        let made = variant(&content, "width=50&height=50&focus=northwest&crop=0,0,200,100").unwrap();
        assert_corners(&seen(&made), [RED; 4], "a part of one colour");
    }
}

#[test]
fn a_border_is_of_the_background_or_clear() {
    let content = jpeg(&quadrants(400, 200));
    let made = seen(&variant(&content, "width=100&height=100&fit=contain&format=png").unwrap());
    assert_eq!((made.get_pixel(50, 10).0[3], made.get_pixel(20, 30).0[3]), (0, 255));
    let made = seen(&variant(&content, "width=100&height=100&fit=contain&format=jpeg").unwrap());
    assert!(alike(colour(&made, 50, 10), [255; 3]) && alike(colour(&made, 25, 35), RED));
    let made = seen(&variant(&content, "width=100&height=100&fit=contain&format=webp&background=0000ff").unwrap());
    assert!(alike(colour(&made, 50, 90), [0, 0, 255]));
}

#[test]
fn transparent_pixels_stay_or_get_a_background() {
    let content = written(&see_through(80, 80), ImageFormat::Png);
    let clear = |query: &str| seen(&variant(&content, query).unwrap()).get_pixel(5, 20).0[3];
    assert_eq!((clear("width=40"), clear("width=40&format=webp")), (0, 0));
    assert_eq!(clear("width=40&background=112233"), 255);
    let made = seen(&variant(&content, "width=40&format=jpeg").unwrap());
    assert!(alike(colour(&made, 20, 20), [255; 3]) && alike(colour(&made, 80, 20), GREEN));
    // No dark fringe: colours of clear pixels do not leak into their neighbours.
    let edge = seen(&variant(&content, "width=40&format=png").unwrap());
    let fringe = edge.get_pixel(20, 5).0;
    assert!(fringe[3] > 0 && alike([fringe[0], fringe[1], fringe[2]], GREEN), "{fringe:?}");
}

/// The same picture, stored in eight ways.
#[test]
fn eight_orientations() {
    let upright = quadrants(120, 60);
    for number in 1..=8 {
        let orientation = image::metadata::Orientation::from_exif(number).unwrap();
        // What a camera stores: the picture before it is turned.
        let mut stored = upright.clone();
        stored.apply_orientation(match number {
            6 => image::metadata::Orientation::from_exif(8).unwrap(),
            8 => image::metadata::Orientation::from_exif(6).unwrap(),
            _ => orientation,
        });
        let content = with_segments(&jpeg(&stored), &[(0xe1, exif(number))]);
        for (query, size) in [("", (120, 60)), ("width=30", (30, 15)), ("width=20&height=20", (20, 20))] {
            let made = variant(&content, query).unwrap();
            assert_eq!((made.width, made.height), size, "{number} {query}");
            assert_corners(&seen(&made), QUADRANTS, &format!("{number} {query}"));
        }
        let made = variant(&content, "crop=0,0,60,30&width=10&height=10&format=png").unwrap();
        assert_corners(&seen(&made), [RED; 4], &format!("the upper left of {number}"));
    }
}

#[test]
fn nothing_that_is_not_seen_stays() {
    let profile = ColorProfile::new_srgb().encode().unwrap();
    let mut icc = b"ICC_PROFILE\0\x01\x01".to_vec();
    icc.extend(&profile);
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x>secret place</x>".to_vec();
    let iptc = b"Photoshop 3.0\08BIM secret place".to_vec();
    let segments = [(0xe1, exif(1)), (0xe1, xmp), (0xe2, icc), (0xed, iptc), (0xfe, b"secret place".to_vec())];
    let content = with_segments(&jpeg(&quadrants(64, 64)), &segments);
    for format in ["jpeg", "png", "webp"] {
        let made = variant(&content, &format!("width=32&format={format}")).unwrap();
        for word in ["secret", "GPS", "52.5163", "Exif", "ICC", "xap", "8BIM"] {
            let found = made.bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{format} has {word}");
        }
    }
}

#[test]
fn a_picture_of_a_wide_gamut_keeps_its_colours() {
    // sRGB's red, as a camera with Display P3 writes it.
    let p3 = [234, 51, 35];
    let mut out = Vec::new();
    let picture = image::RgbImage::from_pixel(40, 40, image::Rgb(p3));
    let mut encoder = PngEncoder::new(&mut out);
    encoder.set_icc_profile(ColorProfile::new_display_p3().encode().unwrap()).unwrap();
    encoder.write_image(picture.as_raw(), 40, 40, image::ExtendedColorType::Rgb8).unwrap();
    let found = colour(&seen(&variant(&out, "width=20&format=png").unwrap()), 50, 50);
    assert!(found[0] > 247 && found[1] < 12 && found[2] < 12, "{found:?}");
}

#[test]
fn pixels_of_every_kind() {
    let picture = quadrants(64, 64);
    let gray = DynamicImage::ImageLuma8(picture.to_luma8());
    let level = |picture: &image::RgbaImage| colour(picture, 25, 25);
    for (what, picture) in [
        ("gray", gray.clone()),
        ("gray and alpha", DynamicImage::ImageLumaA8(gray.to_luma_alpha8())),
        ("gray, 16 bits", DynamicImage::ImageLuma16(gray.to_luma16())),
    ] {
        let made = seen(&variant(&written(&picture, ImageFormat::Png), "width=32").unwrap());
        let expected = gray.to_rgb8().get_pixel(16, 16).0;
        assert!(alike(level(&made), expected), "{what}: {:?}", level(&made));
    }
    for (what, picture) in [
        ("16 bits", DynamicImage::ImageRgb16(picture.to_rgb16())),
        ("16 bits and alpha", DynamicImage::ImageRgba16(picture.to_rgba16())),
    ] {
        assert_corners(&seen(&variant(&written(&picture, ImageFormat::Png), "width=32").unwrap()), QUADRANTS, what);
    }
    // Made by tests/make-fixtures.
    for (name, content) in [
        ("cmyk.jpg", include_bytes!("fixtures/cmyk.jpg").as_slice()),
        ("progressive.jpg", include_bytes!("fixtures/progressive.jpg").as_slice()),
        ("interlaced.png", include_bytes!("fixtures/interlaced.png").as_slice()),
        ("palette.png", include_bytes!("fixtures/palette.png").as_slice()),
        ("lossy.webp", include_bytes!("fixtures/lossy.webp").as_slice()),
    ] {
        assert_corners(&seen(&variant(content, "width=32").unwrap()), QUADRANTS, name);
    }
}

#[test]
fn animations_are_kept_or_stand_still() {
    let gif = animation(&[RED, GREEN, BLUE], 60, 40);
    let accepting = Accepts { webp: true, avif: true };
    let of = |query: &str, accepts| make(&order(wanted(query, accepts), &gif), &gif).unwrap();
    let moving = of("width=30", accepting);
    assert_eq!((moving.format, moving.frames, moving.width, moving.height), (Kind::WebP, 3, 30, 20));
    let decoder = image::codecs::webp::WebPDecoder::new(std::io::Cursor::new(&moving.bytes)).unwrap();
    let frames = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
    let colours = frames.iter().map(|frame| colour(frame.buffer(), 50, 50));
    assert!(colours.zip([RED, GREEN, BLUE]).all(|(found, expected)| alike(found, expected)));
    assert_eq!(frames[0].delay().numer_denom_ms().0, 100);
    let kept = of("width=30", Accepts::default());
    assert_eq!((kept.format, kept.frames), (Kind::Gif, 3));
    assert_eq!(super::made::facts(&kept.bytes).unwrap().frames, 3);
    // Of the other formats that move.
    for (name, content) in [
        ("moving.png", include_bytes!("fixtures/moving.png").as_slice()),
        ("moving.webp", include_bytes!("fixtures/moving.webp").as_slice()),
    ] {
        let made = make(&order(wanted("width=30&format=webp", Accepts::default()), content), content).unwrap();
        assert_eq!((made.format, made.frames), (Kind::WebP, 3), "{name}");
        let still = make(&order(wanted("width=30&format=png", Accepts::default()), content), content).unwrap();
        assert!(alike(colour(&seen(&still), 50, 50), RED), "{name}");
    }
    for (query, kind) in [
        ("animated=first&format=webp", Kind::WebP),
        ("animated=first", Kind::WebP),
        ("format=jpeg", Kind::Jpeg),
        ("format=png", Kind::Png),
    ] {
        let still = of(query, Accepts { webp: true, avif: false });
        assert_eq!((still.format, still.frames), (kind, 1), "{query}");
        assert!(alike(colour(&seen(&still), 50, 50), RED), "{query}");
    }
}

#[test]
fn accept_decides() {
    let picture = quadrants(40, 40);
    let (jpeg, png) = (jpeg(&picture), written(&picture, ImageFormat::Png));
    let (webp, clear) = (written(&picture, ImageFormat::WebP), written(&see_through(40, 40), ImageFormat::WebP));
    let of = |content: &[u8], webp| {
        let want = wanted("", Accepts { webp, avif: false });
        make(&order(want, content), content).unwrap().format
    };
    for (content, without) in [(&jpeg, Kind::Jpeg), (&png, Kind::Png), (&webp, Kind::Jpeg), (&clear, Kind::Png)] {
        assert_eq!((of(content, true), of(content, false)), (Kind::WebP, without));
    }
    let avif = make(&order(wanted("format=avif", Accepts::default()), &jpeg), &jpeg);
    match avif {
        Ok(made) => {
            assert!(crate::WRITES_AVIF && made.format == Kind::Avif && made.bytes[4..].starts_with(b"ftypavif"))
        }
        Err(error) => assert!(!crate::WRITES_AVIF && error == crate::ImageError::Avif, "{error}"),
    }
}

#[test]
fn quality_and_blur_do_something() {
    let noise = image::RgbImage::from_fn(200, 200, |x, y| {
        let [red, green, blue, _] = (x * 7919 + y * 104_729).wrapping_mul(2_654_435_761).to_be_bytes();
        image::Rgb([red, green, blue])
    });
    let content = jpeg(&DynamicImage::ImageRgb8(noise));
    for format in ["jpeg", "webp"] {
        let size = |quality| variant(&content, &format!("format={format}&quality={quality}")).unwrap().bytes.len();
        assert!(size(20) * 2 < size(95), "{format}");
    }
    assert!(variant(&content, "blur=8").unwrap().bytes.len() * 2 < variant(&content, "").unwrap().bytes.len());
    let smaller = make(&order(Want::Reencode { quality: 60 }, &content), &content).unwrap();
    assert!(smaller.format == Kind::WebP && smaller.bytes.len() < content.len());
}

#[test]
fn a_placeholder_is_small_and_alike() {
    let content = jpeg(&quadrants(300, 150));
    let made = make(&order(Want::Placeholder, &content), &content).unwrap();
    assert!((5..=30).contains(&made.bytes.len()), "{}", made.bytes.len());
    assert_eq!((made.width, made.height), (300, 150));
    let (width, height, pixels) = thumbhash::thumb_hash_to_rgba(&made.bytes).unwrap();
    let side = |side: usize| u32::try_from(side).unwrap();
    let picture = image::RgbaImage::from_raw(side(width), side(height), pixels).unwrap();
    let [red, green, blue] = colour(&picture, 20, 20);
    assert!(red > green && red > blue, "the upper left is red");
    assert!(picture.dimensions().0 > picture.dimensions().1);
}
