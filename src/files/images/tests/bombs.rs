use std::time::{Duration, Instant};

use image::ImageFormat;

use super::made::{RED, animation, exif, facts, jpeg, quadrants, variant, with_segments, written};
use crate::{ImageError, Kind, Limit};

/// Refused by its header, before anything was decoded.
#[track_caller]
fn assert_refused(content: &[u8], expected: Limit) {
    let begin = Instant::now();
    for made in [facts(content), variant(content, "width=100")] {
        match made {
            Err(ImageError::Refused { limit, .. }) => assert_eq!(limit, expected),
            other => panic!("{other:?}"),
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut content = written(&quadrants(8, 8), ImageFormat::Png);
    content[16..20].copy_from_slice(&width.to_be_bytes());
    content[20..24].copy_from_slice(&height.to_be_bytes());
    content
}

#[test]
fn bombs_are_refused_by_their_headers() {
    assert_refused(&png_of(50_000, 50_000), Limit::Side);
    assert_refused(&png_of(16_000, 16_000), Limit::Pixels);
    // A JPEG that says to be the largest there is.
    let mut content = jpeg(&quadrants(8, 8));
    let frame = content.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
    content[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    assert_refused(&content, Limit::Side);
    // One whose height is to be told later.
    content[frame + 5..frame + 7].copy_from_slice(&[0, 0]);
    assert_eq!(variant(&content, "").unwrap_err(), ImageError::Malformed);
    // Scans upon scans.
    let content = jpeg(&quadrants(8, 8));
    let scan = content.windows(2).position(|window| window == [0xff, 0xda]).unwrap();
    let (head, scan) = (&content[..scan], &content[scan..content.len() - 2]);
    assert_refused(&[head, &scan.repeat(100), &[0xff, 0xd9]].concat(), Limit::Scans);
    assert_refused(&animation(&[RED; 251], 2, 2), Limit::Frames);
    let mut content = animation(&[RED; 30], 2, 2);
    content[6..10].copy_from_slice(&[0xd0, 0x07, 0xd0, 0x07]);
    assert_refused(&content, Limit::FramePixels);
}

/// The frame is larger than the canvas around it.
#[test]
fn a_canvas_that_lies() {
    let mut content = animation(&[RED], 4, 4);
    let frame = content.iter().position(|byte| *byte == 0x2c).unwrap();
    content[frame + 5..frame + 9].copy_from_slice(&[0x00, 0x7f, 0x00, 0x7f]);
    assert_refused(&content, Limit::Pixels);
    let webp = |canvas: [u8; 3]| {
        let mut content = b"RIFF\x1a\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
        content.extend([canvas, canvas].concat());
        content
    };
    assert_refused(&webp([0xff, 0xff, 0xff]), Limit::Side);
    assert_refused(&webp([0xe0, 0x2e, 0]), Limit::Pixels);
}

/// A chunk of text, or a profile, that unpacks to much more than it is.
#[test]
fn compressed_chunks_cost_no_memory() {
    let plain = written(&quadrants(8, 8), ImageFormat::Png);
    // 25 MB of zeros, by the encoder of a picture: its data is one stream of zlib.
    let zeros = image::GrayImage::new(5000, 5000);
    let zeros = written(&image::DynamicImage::ImageLuma8(zeros), ImageFormat::Png);
    let data = zeros.windows(4).position(|window| window == b"IDAT").unwrap();
    let length = u32::from_be_bytes(zeros[data - 4..data].try_into().unwrap());
    let stream = &zeros[data + 4..data + 4 + usize::try_from(length).unwrap()];
    for (name, head) in [(b"zTXt", b"Comment\0\0".as_slice()), (b"iCCP", b"profile\0\0".as_slice())] {
        let chunk = [name.as_slice(), head, stream].concat();
        let mut content = plain[..33].to_vec();
        content.extend(u32::try_from(chunk.len() - 4).unwrap().to_be_bytes());
        content.extend(&chunk);
        content.extend(crc(&chunk).to_be_bytes());
        content.extend(&plain[33..]);
        let begin = Instant::now();
        // Passed over or refused; both are right.
        match variant(&content, "width=4") {
            Ok(_) | Err(ImageError::Refused { .. } | ImageError::Malformed) => {}
            Err(other) => panic!("{other:?}"),
        }
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

/// CRC-32 of PNG (annex D of its specification).
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[test]
fn what_is_cut_off_is_an_error_and_never_a_panic() {
    let picture = quadrants(64, 64);
    for content in [
        with_segments(&jpeg(&picture), &[(0xe1, exif(6))]),
        written(&picture, ImageFormat::Png),
        written(&picture, ImageFormat::WebP),
        animation(&[RED; 5], 64, 64),
    ] {
        let kind = Kind::of(&content);
        for percent in 0..100 {
            let cut = &content[..content.len() * percent / 100];
            for query in ["width=32", "width=32&format=webp&animated=first"] {
                match variant(cut, query) {
                    // Where all that is needed is there.
                    Ok(_) | Err(ImageError::Malformed | ImageError::Format) => {}
                    Err(other) => panic!("{kind:?} at {percent} %: {other:?}"),
                }
            }
        }
    }
}

/// Deterministic noise.
fn noise(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

fn changed(content: &[u8], seed: &mut u64) -> Vec<u8> {
    let mut changed = content.to_vec();
    for _ in 0..=noise(seed) % 8 {
        let at = usize::try_from(noise(seed)).unwrap() % changed.len();
        changed[at] = noise(seed).to_le_bytes()[0];
    }
    changed
}

/// A decoder may panic on these, and the child catches it; it must not run away.
#[test]
fn random_changes_end_in_time() {
    change(Duration::from_millis(300));
}

#[test]
#[ignore = "four minutes"]
fn random_changes_end_in_time_for_long() {
    change(Duration::from_mins(1));
}

/// Changes a picture of each format for so long.
fn change(time: Duration) {
    let picture = quadrants(48, 48);
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for content in [
        jpeg(&picture),
        written(&picture, ImageFormat::Png),
        written(&picture, ImageFormat::WebP),
        animation(&[RED; 4], 48, 48),
    ] {
        let all = Instant::now();
        while all.elapsed() < time {
            let changed = changed(&content, &mut seed);
            let begin = Instant::now();
            let _ = std::panic::catch_unwind(|| variant(&changed, "width=16"));
            assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", Kind::of(&content));
        }
    }
}

#[test]
fn polyglots_are_what_their_first_bytes_say_and_come_out_clean() {
    let script = b"<script>alert(1)</script><!doctype html>PK\x03\x04%PDF-1.7";
    let behind = [jpeg(&quadrants(16, 16)).as_slice(), script].concat();
    let within = with_segments(&jpeg(&quadrants(16, 16)), &[(0xfe, script.to_vec())]);
    for content in [behind, within] {
        let made = variant(&content, "format=keep").unwrap();
        assert!(!made.bytes.windows(7).any(|window| window == b"<script"), "it is still in there");
    }
    let gif = [b"GIF89a=1;alert(1)//".as_slice(), &[0; 40]].concat();
    assert!(matches!(variant(&gif, ""), Err(ImageError::Malformed | ImageError::Refused { .. })));
    assert_eq!(variant(b"<svg onload='alert(1)'/>", "").unwrap_err(), ImageError::Format);
    assert_eq!(variant(b"II*\0\x08\0\0\0", "").unwrap_err(), ImageError::Format, "TIFF is not read");
}
