use image::metadata::Orientation;

use super::made::options;
use crate::{Limits, Rect, plan::Plan};

/// Region, size, and canvas of a picture of 400 x 200.
fn plan(query: &str) -> ([u32; 4], (u32, u32), (u32, u32)) {
    let plan = Plan::new((400, 200), &options(query), &Limits::default()).unwrap();
    let Rect { x, y, width, height } = plan.region;
    ([x, y, width, height], (plan.width, plan.height), plan.size())
}

#[test]
fn sizes_fits_and_crops() {
    let whole = [0, 0, 400, 200];
    for (query, region, size, canvas) in [
        ("", whole, (400, 200), (400, 200)),
        ("width=100", whole, (100, 50), (100, 50)),
        ("height=100", whole, (200, 100), (200, 100)),
        ("width=800", whole, (400, 200), (400, 200)),
        ("width=800&enlarge=true", whole, (800, 400), (800, 400)),
        ("width=100&height=100", [100, 0, 200, 200], (100, 100), (100, 100)),
        ("width=100&height=100&focus=west", [0, 0, 200, 200], (100, 100), (100, 100)),
        ("width=100&height=100&focus=east", [200, 0, 200, 200], (100, 100), (100, 100)),
        ("width=100&height=25&focus=50,100", [0, 100, 400, 100], (100, 25), (100, 25)),
        // Not enlarged: as large as it is, in the shape that is asked for.
        ("width=1000&height=1000", [100, 0, 200, 200], (200, 200), (200, 200)),
        ("width=100&height=100&fit=fill", whole, (100, 100), (100, 100)),
        ("width=100&height=100&fit=inside", whole, (100, 50), (100, 50)),
        ("width=100&height=100&fit=contain", whole, (100, 50), (100, 100)),
        ("width=1000&height=1000&fit=contain", whole, (400, 200), (1000, 1000)),
        ("crop=10,20,50,60", [10, 20, 50, 60], (50, 60), (50, 60)),
        ("crop=390,190,50,60", [390, 190, 10, 10], (10, 10), (10, 10)),
        ("crop=0,0,100,100&width=10&height=10&fit=inside", [0, 0, 100, 100], (10, 10), (10, 10)),
    ] {
        assert_eq!(plan(query), (region, size, canvas), "{query}");
    }
    let limits = Limits::default();
    let beyond = Plan::new((400, 200), &options("crop=400,0,1,1"), &limits).unwrap_err();
    assert_eq!(beyond.to_string(), "the part to cut out lies beyond the picture of 400 x 200 pixels");
    let tall = Plan::new((10, 10_000), &options("width=2500&enlarge=true"), &limits).unwrap_err();
    assert_eq!(tall.to_string(), "this picture takes more than 16383 pixels on a side");
}

/// Where the plan finds each corner of a picture before it is turned, by turning a picture of numbers.
#[test]
fn a_region_is_found_before_the_picture_is_turned() {
    use Orientation as O;
    let (width, height) = (5, 3);
    for orientation in [
        O::NoTransforms,
        O::Rotate90,
        O::Rotate180,
        O::Rotate270,
        O::FlipHorizontal,
        O::FlipVertical,
        O::Rotate90FlipH,
        O::Rotate270FlipH,
    ] {
        let numbers = |x: u32, y: u32| image::Luma([u8::try_from(y * width + x).unwrap()]);
        let stored = image::DynamicImage::ImageLuma8(image::GrayImage::from_fn(width, height, numbers));
        let mut turned = stored.clone();
        turned.apply_orientation(orientation);
        let (seen_width, seen_height) = (turned.width(), turned.height());
        for (x, y) in (0..seen_width).flat_map(|x| (0..seen_height).map(move |y| (x, y))) {
            let query = format!("crop={x},{y},2,1");
            let plan = Plan::new((seen_width, seen_height), &options(&query), &Limits::default()).unwrap();
            let Rect { x, y, width: w, height: h } = plan.region;
            let expected = turned.crop_imm(x, y, w, h);
            let Rect { x, y, width: w, height: h } = plan.stored(orientation, (width, height)).region;
            let mut found = stored.crop_imm(x, y, w, h);
            found.apply_orientation(orientation);
            assert_eq!(found, expected, "{orientation:?} {query}");
        }
    }
}
