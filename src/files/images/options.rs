//! Options of a variant: read from addresses and presets, checked, and written in one form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use platform::error::FieldError;

/// Longest side of a variant that may be asked for, pixels.
pub const SIDE: u32 = 2500;
/// Strongest blur.
const BLUR: u32 = 50;

/// A format to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The smallest that the client accepts.
    #[default]
    Auto,
    Jpeg,
    Png,
    WebP,
    Avif,
    /// That of the source.
    Keep,
}

/// How a picture fills the size that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// All of the size, cut off where it does not fit.
    #[default]
    Cover,
    /// All of the picture, with a border.
    Contain,
    /// All of both, distorted.
    Fill,
    /// All of the picture, without a border.
    Inside,
}

/// The point that stays in the picture when it is cut off, percent from the left and from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Focus {
    pub x: u8,
    pub y: u8,
}

impl Default for Focus {
    fn default() -> Self {
        Self { x: 50, y: 50 }
    }
}

/// A part of a picture, pixels from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rect {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

/// Options of a variant, checked. Of a picture that moves, JPEG, PNG and AVIF get the first frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// 1 to 2500 pixels; `None`: by the other side.
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fit: Fit,
    pub focus: Focus,
    /// Cut out first, of the picture as it is to be seen.
    pub crop: Option<Rect>,
    pub format: Format,
    /// 20 to 100.
    pub quality: Option<u8>,
    /// Red, green, blue: behind transparent pixels, and of a border.
    pub background: Option<[u8; 3]>,
    /// 0 to 50.
    pub blur: u8,
    /// The first frame of an animation only.
    pub still: bool,
    /// Made larger than the source, if the size asks for it.
    pub enlarge: bool,
}

impl Options {
    /// Of a query string of the API. An unknown name is an error: what is misspelt would be passed over.
    pub fn of_query(query: &str) -> Result<Self, Vec<FieldError>> {
        let pairs = pairs(query)?;
        Self::of_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    /// Of a preset: an object with the names that a query has.
    pub fn of_preset(preset: &Value) -> Result<Self, Vec<FieldError>> {
        let Value::Object(fields) = preset else {
            return Err(vec![FieldError::new("", "invalid", "expected an object of options")]);
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let pairs: Vec<(&str, String)> = fields.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
        Self::of_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())))
    }

    /// Of a query string as supabase's clients send it (`width`, `height`, `resize`, `quality`, `format`). Other names are not about pictures.
    pub fn of_supabase(query: &str) -> Result<Self, Vec<FieldError>> {
        let pairs = pairs(query)?;
        let ours = pairs.iter().filter_map(|(name, value)| match (name.as_str(), value.as_str()) {
            ("width" | "height" | "quality", value) => Some((name.as_str(), value)),
            // What they call so is without a border.
            ("resize", "contain") => Some(("fit", "inside")),
            ("resize", value) => Some(("fit", value)),
            ("format", "origin") => Some(("format", "keep")),
            ("format", value) => Some(("format", value)),
            _ => None,
        });
        Self::of_pairs(ours)
    }

    /// Of names and values.
    pub fn of_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Vec<FieldError>> {
        let (mut options, mut errors, mut ratio, mut seen) = (Self::default(), Vec::new(), 10, Vec::new());
        for (name, value) in pairs {
            let name = long(name);
            if seen.contains(&name) {
                errors.push(FieldError::new(format!("/{name}"), "duplicate", "it is there twice"));
                continue;
            }
            seen.push(name);
            let problem = match name {
                "dpr" => tenths(value).map(|tenths| ratio = tenths).err(),
                _ => options.set(name, value).err(),
            };
            if let Some(Problem { code, detail }) = problem {
                errors.push(FieldError::new(format!("/{name}"), code, detail));
            }
        }
        if ratio != 10 && options.width.is_none() && options.height.is_none() {
            errors.push(FieldError::new("/dpr", "invalid", "needs a width or a height"));
        }
        for (name, side) in [("width", &mut options.width), ("height", &mut options.height)] {
            *side = side.map(|side| side * ratio / 10);
            if side.is_some_and(|side| !(1..=SIDE).contains(&side)) {
                errors.push(FieldError::new(format!("/{name}"), "out_of_range", format!("1 to {SIDE} pixels")));
            }
        }
        if errors.is_empty() { Ok(options) } else { Err(errors) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        match name {
            "width" => self.width = Some(number(value, 1, SIDE, "pixels")?),
            "height" => self.height = Some(number(value, 1, SIDE, "pixels")?),
            "fit" => self.fit = word(value, "cover, contain, fill or inside")?,
            "format" => self.format = word(value, "auto, jpeg, png, webp, avif or keep")?,
            "focus" => self.focus = focus(value)?,
            "crop" => self.crop = Some(rect(value)?),
            "quality" => self.quality = Some(small(number(value, 20, 100, "")?)),
            "background" => self.background = Some(colour(value)?),
            "blur" => self.blur = small(number(value, 0, BLUR, "")?),
            "animated" => self.still = one_of(value, "keep", "first")?,
            "enlarge" => self.enlarge = one_of(value, "false", "true")?,
            _ => return Err(Problem { code: "unknown", detail: "there is no such option of pictures".to_owned() }),
        }
        Ok(())
    }

    /// The same options, always in the same words: a query string that [`Self::of_query`] reads.
    pub fn canonical(&self) -> String {
        let plain = Self::default();
        let mut parts = Vec::new();
        let sides = [("width", self.width), ("height", self.height), ("quality", self.quality.map(u32::from))];
        parts.extend(sides.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}"))));
        if self.fit != plain.fit {
            parts.push(format!("fit={}", text(&self.fit)));
        }
        if self.focus != plain.focus {
            parts.push(format!("focus={},{}", self.focus.x, self.focus.y));
        }
        if let Some(Rect { x, y, width, height }) = self.crop {
            parts.push(format!("crop={x},{y},{width},{height}"));
        }
        if self.format != plain.format {
            parts.push(format!("format={}", text(&self.format)));
        }
        if let Some([red, green, blue]) = self.background {
            parts.push(format!("background={red:02x}{green:02x}{blue:02x}"));
        }
        if self.blur > 0 {
            parts.push(format!("blur={}", self.blur));
        }
        if self.still {
            parts.push("animated=first".to_owned());
        }
        if self.enlarge {
            parts.push("enlarge=true".to_owned());
        }
        parts.join("&")
    }
}

/// What is wrong with a value.
struct Problem {
    code: &'static str,
    detail: String,
}

fn invalid(expected: &str) -> Problem {
    Problem { code: "invalid", detail: format!("expected {expected}") }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Vec<FieldError>> {
    serde_html_form::from_str(query).map_err(|_| vec![FieldError::new("", "invalid", "expected names and values")])
}

/// The whole name of an abbreviation.
fn long(name: &str) -> &str {
    match name {
        "w" => "width",
        "h" => "height",
        "q" => "quality",
        name => name,
    }
}

fn number(value: &str, least: u32, most: u32, of: &str) -> Result<u32, Problem> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Problem {
        code: "out_of_range",
        detail: format!("a whole number from {least} to {most} {of}").trim_end().to_owned(),
    })
}

/// Of a number that is known to be small.
fn small(number: u32) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// `1` to `3`, with one digit behind the point, as tenths.
fn tenths(value: &str) -> Result<u32, Problem> {
    let (whole, part) = value.split_once('.').unwrap_or((value, "0"));
    let digits = |text: &str| text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    let tenths = if digits(whole) && digits(part) { format!("{whole}{part}").parse().ok() } else { None };
    tenths
        .filter(|tenths| (10..=30).contains(tenths))
        .ok_or_else(|| Problem { code: "out_of_range", detail: "1 to 3, such as 1.5".to_owned() })
}

fn word<T: serde::de::DeserializeOwned>(value: &str, expected: &str) -> Result<T, Problem> {
    serde_json::from_value(Value::from(value)).map_err(|_| invalid(expected))
}

/// The word that [`word`] reads.
fn text(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether it is the second of two words.
fn one_of(value: &str, no: &str, yes: &str) -> Result<bool, Problem> {
    if value == no || value == yes { Ok(value == yes) } else { Err(invalid(&format!("{no} or {yes}"))) }
}

fn numbers<const N: usize>(value: &str) -> Option<[u32; N]> {
    let list: Option<Vec<u32>> = value.split(',').map(|part| part.trim().parse().ok()).collect();
    list?.try_into().ok()
}

fn focus(value: &str) -> Result<Focus, Problem> {
    let (x, y) = match value {
        "center" => (50, 50),
        "north" => (50, 0),
        "northeast" => (100, 0),
        "east" => (100, 50),
        "southeast" => (100, 100),
        "south" => (50, 100),
        "southwest" => (0, 100),
        "west" => (0, 50),
        "northwest" => (0, 0),
        _ => match numbers(value) {
            Some([x, y]) if x <= 100 && y <= 100 => (small(x), small(y)),
            _ => return Err(invalid("center, north, northeast, ..., or two percentages such as 30,70")),
        },
    };
    Ok(Focus { x, y })
}

fn rect(value: &str) -> Result<Rect, Problem> {
    match numbers(value) {
        Some([x, y, width, height]) if width > 0 && height > 0 => Ok(Rect { x, y, width, height }),
        _ => Err(invalid("x,y,width,height in pixels")),
    }
}

fn colour(value: &str) -> Result<[u8; 3], Problem> {
    let is_hex = value.len() == 6 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if is_hex { u32::from_str_radix(value, 16).ok() } else { None };
    let [_, red, green, blue] = number.ok_or_else(|| invalid("six hexadecimal digits such as ffffff"))?.to_be_bytes();
    Ok([red, green, blue])
}
