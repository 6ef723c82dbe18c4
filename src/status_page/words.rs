//! Texts of public pages. They are rendered ahead, without a request, so the console's shell is not there to give them.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use console::{Lang, Locale, Texts};

/// The room's messages.
pub const LOCALE: Locale = console::locale!("status_page");

/// The messages in one language, and how it writes times. Cheap to clone.
#[derive(Clone)]
pub struct Words {
    texts: Arc<Texts>,
    pub lang: Lang,
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Words").field(&self.lang).finish()
    }
}

impl Words {
    pub fn new(lang: Lang) -> Self {
        Self { texts: Texts::new(&[LOCALE]), lang }
    }

    /// The same messages in another language.
    pub fn in_language(&self, lang: Lang) -> Self {
        Self { texts: self.texts.clone(), lang }
    }

    pub fn t(&self, key: &str) -> String {
        self.texts.text(self.lang, key).to_string()
    }

    /// With a number, which chooses the plural form.
    pub fn tn(&self, key: &str, n: i64) -> String {
        self.texts.text(self.lang, key).with("n", n).to_string()
    }

    /// With one argument.
    pub fn with(&self, key: &str, name: &'static str, value: &str) -> String {
        self.texts.text(self.lang, key).with(name, value).to_string()
    }

    /// `2026-11-30 14:05 CET`: the same in both languages, and it sorts.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub fn time(&self, at: DateTime<Utc>, zone: Tz) -> String {
        at.with_timezone(&zone).format("%Y-%m-%d %H:%M %Z").to_string()
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    pub fn day(&self, day: NaiveDate) -> String {
        day.format("%Y-%m-%d").to_string()
    }

    /// `3 min`, `1 h 20 min`; less than a minute is one.
    pub fn length(&self, seconds: i64) -> String {
        let minutes = ((seconds + 59) / 60).max(1);
        let (hours, rest) = (minutes / 60, minutes % 60);
        match (hours, rest) {
            (0, _) => self.tn("status-page-minutes", minutes),
            (_, 0) => self.tn("status-page-hours", hours),
            _ => format!("{} {}", self.tn("status-page-hours", hours), self.tn("status-page-minutes", rest)),
        }
    }

    /// `99.98 %`: never rounded up to 100.
    pub fn percent(&self, share: f64) -> String {
        let hundredths = (share * 10_000.0 + 1e-6).floor() / 100.0;
        let number =
            if (hundredths - 100.0).abs() < f64::EPSILON { "100".to_owned() } else { format!("{hundredths:.2}") };
        match self.lang {
            Lang::En => format!("{number}\u{a0}%"),
            Lang::Ru => format!("{}\u{a0}%", number.replace('.', ",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        let words = Words::new(Lang::En);
        assert_eq!(words.percent(1.0), "100\u{a0}%");
        assert_eq!(words.percent(0.999_999), "99.99\u{a0}%");
        assert_eq!(words.percent(0.9998), "99.98\u{a0}%");
        assert_eq!(words.in_language(Lang::Ru).percent(0.5), "50,00\u{a0}%");
    }

    #[test]
    fn lengths_are_whole_minutes() {
        let words = Words::new(Lang::En);
        assert_eq!([1, 60, 61, 3600, 4800].map(|s| words.length(s)), ["1 min", "1 min", "2 min", "1 h", "1 h 20 min"]);
        assert_eq!(words.in_language(Lang::Ru).length(4800), "1 ч 20 мин");
    }
}
