//! Two languages, always complete: Fluent messages from `src/<room>/locales/`, `{en,ru}.ftl` and perhaps parts beside them, compiled into the binary.
//!
//! A missing key is shown on the page as is, and logged; `tests` fail on missing keys, and on keys that only one language has.

use std::fmt;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use axum_extra::extract::cookie::{Cookie, CookieJar};
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use super::format;

/// The cookie with the language that was chosen.
pub(super) const COOKIE: &str = "hf_lang";

/// A language of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    En,
    Ru,
}

impl Lang {
    pub const ALL: [Self; 2] = [Self::En, Self::Ru];

    /// The code for `lang="..."` and the cookie.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
        }
    }

    /// The language's own name, for the language menu.
    pub fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ru => "Русский",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }

    /// What was chosen in this browser.
    pub fn chosen(headers: &HeaderMap) -> Option<Self> {
        CookieJar::from_headers(headers).get(COOKIE).map(Cookie::value).and_then(Self::from_code)
    }

    /// The preferred language of `Accept-Language`; English if it names neither.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        Self::preferred(headers).unwrap_or(Self::En)
    }

    /// The preferred language of `Accept-Language`, if it names one of ours.
    pub fn preferred(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0.0, None);
        for range in accepted.split(',') {
            let mut parts = range.split(';');
            let primary = parts.next().unwrap_or_default().trim().split('-').next().unwrap_or_default();
            let weight: f32 = parts.find_map(|p| p.trim().strip_prefix("q=")?.parse().ok()).unwrap_or(1.0);
            if let Some(lang) = Self::from_code(&primary.to_ascii_lowercase())
                && weight > best.0
            {
                best = (weight, Some(lang));
            }
        }
        best.1
    }
}

type Bundle = FluentBundle<FluentResource>;

/// The messages of one room.
#[derive(Clone, Copy, Debug)]
pub struct Locale {
    /// The prefix of its keys.
    pub room: &'static str,
    pub en: &'static str,
    pub ru: &'static str,
}

/// `src/<room>/locales/{en,ru}.ftl` of the room in whose folder this stands, and `<part>.{en,ru}.ftl` of each part that is named after it.
#[macro_export]
macro_rules! locale {
    ($room:literal $(, $part:literal)*) => {
        $crate::Locale {
            room: $room,
            en: concat!(include_str!("locales/en.ftl") $(, "\n", include_str!(concat!("locales/", $part, ".en.ftl")))*),
            ru: concat!(include_str!("locales/ru.ftl") $(, "\n", include_str!(concat!("locales/", $part, ".ru.ftl")))*),
        }
    };
}

/// Every room's messages in both languages.
pub struct Texts {
    en: Bundle,
    ru: Bundle,
}

impl Texts {
    pub fn new(locales: &[Locale]) -> Arc<Self> {
        Arc::new(Self { en: load(Lang::En, locales), ru: load(Lang::Ru, locales) })
    }

    fn bundle(&self, lang: Lang) -> &Bundle {
        match lang {
            Lang::En => &self.en,
            Lang::Ru => &self.ru,
        }
    }

    /// Whether `key` exists in `lang`.
    pub fn has(&self, lang: Lang, key: &str) -> bool {
        self.bundle(lang).has_message(key)
    }

    /// The message `key` in `lang`.
    pub fn text(self: &Arc<Self>, lang: Lang, key: &str) -> Text {
        Text { texts: self.clone(), lang, key: key.to_owned(), args: FluentArgs::new() }
    }

    /// The message `key` in `lang` with arguments that are known only at run time.
    pub fn text_with(self: &Arc<Self>, lang: Lang, key: &str, args: &[(String, String)]) -> Text {
        let mut text = self.text(lang, key);
        for (name, value) in args {
            text.args.set(name.clone(), value.clone());
        }
        text
    }
}

fn load(lang: Lang, locales: &[Locale]) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![lang.code().parse().unwrap_or_default()]);
    // The isolating marks are invisible characters that would end up in page titles and copied text.
    bundle.set_use_isolating(false);
    bundle.set_formatter(Some(match lang {
        Lang::En => |value, _| group_digits(value, Lang::En),
        Lang::Ru => |value, _| group_digits(value, Lang::Ru),
    }));
    for locale in locales {
        let source = match lang {
            Lang::En => locale.en,
            Lang::Ru => locale.ru,
        };
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, errors)| {
            tracing::error!(room = locale.room, lang = lang.code(), ?errors, "a translation file is broken");
            resource
        });
        if let Err(errors) = bundle.add_resource(resource) {
            tracing::error!(room = locale.room, lang = lang.code(), ?errors, "a translation key exists twice");
        }
    }
    bundle
}

fn group_digits(value: &FluentValue, lang: Lang) -> Option<String> {
    match value {
        FluentValue::Number(number) if number.value.fract() == 0.0 => {
            // Whole numbers of this size convert exactly; the cast saturates beyond.
            #[expect(clippy::cast_possible_truncation, reason = "a count on a page")]
            Some(format::integer(number.value as i64, lang))
        }
        _ => None,
    }
}

/// One message in one language with its arguments; `Display` renders it. Build with [`Texts::text`], add arguments with
/// [`Text::with`].
pub struct Text {
    texts: Arc<Texts>,
    lang: Lang,
    key: String,
    args: FluentArgs<'static>,
}

impl Text {
    /// Sets the argument `$name`. Numbers choose the plural form.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl TextArg) -> Self {
        self.args.set(name, value.value());
        self
    }

    /// Lets templates treat a text like a string; a message is never empty.
    pub fn is_empty(&self) -> bool {
        self.key.is_empty()
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.to_string()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bundle = self.texts.bundle(self.lang);
        let Some(pattern) = bundle.get_message(&self.key).and_then(|message| message.value()) else {
            tracing::warn!(key = self.key, lang = self.lang.code(), "a translation is missing");
            return f.write_str(&self.key);
        };
        let mut errors = Vec::new();
        f.write_str(&bundle.format_pattern(pattern, Some(&self.args), &mut errors))?;
        if !errors.is_empty() {
            tracing::warn!(key = self.key, ?errors, "a translation lacks an argument");
        }
        Ok(())
    }
}

/// Types accepted as message arguments: strings and numbers, by value or reference (templates pass references).
pub trait TextArg {
    fn value(&self) -> FluentValue<'static>;
}

impl<T: TextArg + ?Sized> TextArg for &T {
    fn value(&self) -> FluentValue<'static> {
        (**self).value()
    }
}

impl TextArg for str {
    fn value(&self) -> FluentValue<'static> {
        self.to_owned().into()
    }
}

impl TextArg for String {
    fn value(&self) -> FluentValue<'static> {
        self.clone().into()
    }
}

impl TextArg for Text {
    fn value(&self) -> FluentValue<'static> {
        self.to_string().into()
    }
}

macro_rules! numbers {
    ($($number:ty)*) => {$(
        impl TextArg for $number {
            fn value(&self) -> FluentValue<'static> {
                self.into()
            }
        }
    )*};
}
numbers!(i16 i32 i64 u8 u16 u32 u64 usize f32 f64);
