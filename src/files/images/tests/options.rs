use serde_json::json;

use crate::{Accepts, Fit, Focus, Format, Options, Rect};

fn problems(query: &str) -> Vec<String> {
    Options::of_query(query).unwrap_err().into_iter().map(|error| format!("{} {}", error.pointer, error.code)).collect()
}

#[test]
fn options_are_read_and_written_in_one_form() {
    let query = "format=webp&height=20&w=10&fit=contain&focus=southwest&crop=1,2,3,4&q=55&background=0aFF00&blur=3&animated=first&enlarge=true";
    let options = Options::of_query(query).unwrap();
    let expected = Options {
        width: Some(10),
        height: Some(20),
        fit: Fit::Contain,
        focus: Focus { x: 0, y: 100 },
        crop: Some(Rect { x: 1, y: 2, width: 3, height: 4 }),
        format: Format::WebP,
        quality: Some(55),
        background: Some([10, 255, 0]),
        blur: 3,
        still: true,
        enlarge: true,
    };
    assert_eq!(options, expected);
    let canonical = "width=10&height=20&quality=55&fit=contain&focus=0,100&crop=1,2,3,4&format=webp&background=0aff00&blur=3&animated=first&enlarge=true";
    assert_eq!(options.canonical(), canonical);
    assert_eq!(Options::of_query(canonical).unwrap(), options);
    // What is as it would be anyway does not make other options.
    assert_eq!(Options::of_query("fit=cover&focus=center&format=auto&blur=0&enlarge=false").unwrap().canonical(), "");
    assert_eq!(Options::of_query("focus=30%2C70").unwrap().focus, Focus { x: 30, y: 70 });
}

#[test]
fn pixels_of_dense_screens() {
    let options = Options::of_query("width=101&height=10&dpr=1.5").unwrap();
    assert_eq!((options.width, options.height), (Some(151), Some(15)));
    assert_eq!(problems("width=1000&dpr=3"), ["/width out_of_range"]);
    assert_eq!(problems("dpr=2"), ["/dpr invalid"]);
    for wrong in ["0.9", "3.1", "1.55", "x", "", "12"] {
        assert_eq!(problems(&format!("width=10&dpr={wrong}")), ["/dpr out_of_range"], "{wrong}");
    }
}

#[test]
fn every_problem_is_said_with_its_name() {
    for (query, expected) in [
        ("width=0", "/width out_of_range"),
        ("width=2501", "/width out_of_range"),
        ("height=-1", "/height out_of_range"),
        ("height=1.5", "/height out_of_range"),
        ("quality=19", "/quality out_of_range"),
        ("quality=101", "/quality out_of_range"),
        ("fit=stretch", "/fit invalid"),
        ("format=bmp", "/format invalid"),
        ("focus=101,0", "/focus invalid"),
        ("focus=1", "/focus invalid"),
        ("crop=0,0,0,5", "/crop invalid"),
        ("crop=1,2,3", "/crop invalid"),
        ("background=fff", "/background invalid"),
        ("background=+12345", "/background invalid"),
        ("blur=51", "/blur out_of_range"),
        ("animated=yes", "/animated invalid"),
        ("enlarge=1", "/enlarge invalid"),
        ("widht=5", "/widht unknown"),
        ("w=1&width=2", "/width duplicate"),
    ] {
        assert_eq!(problems(query), [expected], "{query}");
    }
    assert_eq!(problems("width=0&fit=x"), ["/width out_of_range", "/fit invalid"]);
}

#[test]
fn presets_have_the_same_names() {
    let preset = json!({"width": 300, "fit": "inside", "enlarge": true, "crop": "0,0,9,9"});
    let expected = Options::of_query("width=300&fit=inside&enlarge=true&crop=0,0,9,9").unwrap();
    assert_eq!(Options::of_preset(&preset).unwrap(), expected);
    assert!(Options::of_preset(&json!({"width": "wide"})).is_err());
    assert!(Options::of_preset(&json!([1])).is_err());
}

#[test]
fn supabase_has_words_of_its_own() {
    let of = |query| Options::of_supabase(query).unwrap().canonical();
    assert_eq!(of("width=100&height=50&resize=contain&quality=60"), "width=100&height=50&quality=60&fit=inside");
    assert_eq!(of("resize=cover&format=origin&download=x&token=y"), "format=keep");
    assert!(Options::of_supabase("width=0").is_err());
    assert!(Options::of_supabase("resize=zoom").is_err());
}

#[test]
fn a_format_counts_where_it_is_named() {
    let of = |accept| {
        let Accepts { webp, avif } = Accepts::of(accept);
        (webp, avif)
    };
    assert_eq!(of("image/avif,image/webp,image/apng,*/*;q=0.8"), (true, true));
    assert_eq!(of("*/*"), (false, false));
    assert_eq!(of("image/*"), (false, false));
    assert_eq!(of("Image/WebP ; q=0.3"), (true, false));
    assert_eq!(of("image/webp;q=0, image/avif; Q=0.0"), (false, false));
    assert_eq!(of(""), (false, false));
}
