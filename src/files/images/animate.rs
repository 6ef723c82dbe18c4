//! Animations: one frame after the other is decoded and made smaller; only the small ones are kept.

use image::{
    AnimationDecoder, Delay, DynamicImage, Frame, Frames, ImageDecoder, RgbaImage,
    codecs::gif::{GifEncoder, Repeat},
    metadata::LoopCount,
};
use webp::{AnimEncoder, AnimFrame, WebPConfig};

use crate::{
    ImageError, Kind, Limit, Limits, Options,
    decode::{self, Decoded, Source, failed},
    encode::small_enough,
    plan::Plan,
    transform,
};

/// Quality of WebP, where none is asked for.
const QUALITY: u8 = 80;
/// Of libwebp's 0 to 6: a third of the time of its usual 4, for files a little larger. There are many frames.
const EFFORT: i32 = 2;
/// Of image's 1 to 30: how quickly colours are chosen for a GIF.
const SPEED: i32 = 20;

/// A small frame, and how long it is seen.
struct Small {
    picture: RgbaImage,
    delay: Delay,
}

/// Makes the variant of an animation. Returns it with the number of its frames.
pub(crate) fn make(
    source: &Source<'_>,
    plan: &Plan,
    options: &Options,
    to: Kind,
) -> Result<(Vec<u8>, u32), ImageError> {
    let Source { kind, content, limits, orientation, .. } = *source;
    let (frames, loops, profile) = frames(kind, content, limits)?;
    let size = plan.size();
    // Twice: the encoder copies them.
    let most = limits.frame_pixels / 2;
    let (mut small, mut pixels) = (Vec::new(), 0);
    for frame in frames {
        let frame = frame.map_err(failed)?;
        pixels += u64::from(size.0) * u64::from(size.1);
        if pixels > most {
            return Err(ImageError::refused(Limit::FramePixels, most));
        }
        let delay = frame.delay();
        let picture = DynamicImage::ImageRgba8(frame.into_buffer());
        let decoded = Decoded { picture, profile: profile.clone(), orientation };
        let picture = transform::apply(decoded, source.stored(), plan, options, to)?.into_rgba8();
        small.push(Small { picture, delay });
    }
    let count = u32::try_from(small.len()).unwrap_or(u32::MAX);
    if count == 0 {
        return Err(ImageError::Malformed);
    }
    let written = match to {
        Kind::Gif => gif(small, loops)?,
        _ => webp(&small, size, loops, options.quality.unwrap_or(QUALITY))?,
    };
    Ok((small_enough(written, limits)?, count))
}

/// Whole frames, as they are to be seen, with how often they are repeated and the colour profile.
fn frames<'a>(
    kind: Kind,
    content: &'a [u8],
    limits: &Limits,
) -> Result<(Frames<'a>, LoopCount, Option<Vec<u8>>), ImageError> {
    Ok(match kind {
        Kind::Gif => {
            let decoder = decode::gif(content, limits)?;
            let loops = decoder.loop_count();
            (decoder.into_frames(), loops, None)
        }
        Kind::WebP => {
            let mut decoder = decode::webp(content, limits)?;
            let profile = decoder.icc_profile().unwrap_or_default();
            let loops = decoder.loop_count();
            (decoder.into_frames(), loops, profile)
        }
        Kind::Png => {
            let mut decoder = decode::png(content, limits)?;
            let profile = decoder.icc_profile().unwrap_or_default();
            let decoder = decoder.apng().map_err(failed)?;
            let loops = decoder.loop_count();
            (decoder.into_frames(), loops, profile)
        }
        Kind::Jpeg | Kind::Avif => return Err(ImageError::Format),
    })
}

fn gif(frames: Vec<Small>, loops: LoopCount) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut out, SPEED);
    let repeat = match loops {
        LoopCount::Infinite => Repeat::Infinite,
        LoopCount::Finite(times) => Repeat::Finite(u16::try_from(times.get()).unwrap_or(u16::MAX)),
    };
    let mut written = encoder.set_repeat(repeat);
    for Small { picture, delay } in frames {
        written = written.and_then(|()| encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)));
    }
    // Its end is written when it is dropped.
    drop(encoder);
    written.map_err(|error| ImageError::Child(error.to_string()))?;
    Ok(out)
}

/// The encoder has no duration for the last frame: it gets the average of the others.
fn webp(frames: &[Small], (width, height): (u32, u32), loops: LoopCount, quality: u8) -> Result<Vec<u8>, ImageError> {
    let child = ImageError::Child;
    let mut config = WebPConfig::new().map_err(|()| child("libwebp refuses its settings".to_owned()))?;
    config.quality = f32::from(quality);
    config.method = EFFORT;
    let mut encoder = AnimEncoder::new(width, height, &config);
    encoder.set_loop_count(match loops {
        LoopCount::Infinite => 0,
        LoopCount::Finite(times) => i32::try_from(times.get()).unwrap_or_default(),
    });
    let mut at = 0_i32;
    for Small { picture, delay } in frames {
        encoder.add_frame(AnimFrame::from_rgba(picture.as_raw(), width, height, at));
        let (milliseconds, of) = delay.numer_denom_ms();
        at = at.saturating_add(i32::try_from(milliseconds / of.max(1)).unwrap_or(i32::MAX));
    }
    let written = encoder.try_encode().map_err(|error| child(format!("{error:?}")))?;
    Ok(written.to_vec())
}
