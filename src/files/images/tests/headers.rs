use image::{ImageFormat, metadata::Orientation};

use super::made::{BLUE, GREEN, RED, animation, exif, facts, jpeg, quadrants, with_segments, written};
use crate::{Kind, Limits, header::look};

#[test]
fn sizes_and_frames_of_every_format() {
    let picture = quadrants(37, 21);
    let gif = animation(&[RED, GREEN, BLUE], 37, 21);
    for (content, kind, frames) in [
        (jpeg(&picture), Kind::Jpeg, 1),
        (written(&picture, ImageFormat::Png), Kind::Png, 1),
        (written(&picture, ImageFormat::WebP), Kind::WebP, 1),
        (gif, Kind::Gif, 3),
    ] {
        assert_eq!(Kind::of(&content), Some(kind));
        let header = look(kind, &content, &Limits::default()).unwrap();
        assert_eq!((header.width, header.height, header.frames), (37, 21, frames), "{kind:?}");
        let made = facts(&content).unwrap();
        assert_eq!((made.width, made.height, made.frames, made.bytes.len()), (37, 21, frames, 0), "{kind:?}");
    }
    // A file of AVIF is no picture that can be read.
    assert_eq!(Kind::of(b"\0\0\0\x20ftypavif\0\0\0\0"), None);
    assert_eq!(Kind::of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), None);
    assert_eq!(Kind::of(b""), None);
}

#[test]
fn the_first_exif_block_counts_and_a_broken_one_turns_nothing() {
    let plain = jpeg(&quadrants(8, 8));
    let orientation = |segments: &[(u8, Vec<u8>)]| {
        look(Kind::Jpeg, &with_segments(&plain, segments), &Limits::default()).unwrap().orientation
    };
    assert_eq!(orientation(&[(0xe1, exif(6))]), Orientation::Rotate90);
    assert_eq!(orientation(&[(0xe1, exif(3)), (0xe1, exif(6))]), Orientation::Rotate180);
    assert_eq!(
        orientation(&[(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x/>".to_vec()), (0xe1, exif(6))]),
        Orientation::Rotate90
    );
    assert_eq!(orientation(&[(0xe1, b"Exif\0\0II*\0\xff\xff\xff\xff".to_vec())]), Orientation::NoTransforms);
    assert_eq!(orientation(&[(0xe1, exif(99))]), Orientation::NoTransforms);
    assert_eq!(orientation(&[]), Orientation::NoTransforms);
}
