//! Durations as the file writes them: `800ms`, `10s`, `5m`, `2h`, `1d`.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

/// A duration, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub i64);

impl Duration {
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no duration such as 800ms, 10s, 5m, 2h or 1d");
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: i64 = text[..digits].parse().map_err(|_| wrong())?;
        let unit = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        number.checked_mul(unit).map(Self).ok_or_else(wrong)
    }

    /// Whole seconds; `None`: it has a part of one, or there are too many.
    pub fn seconds(self) -> Option<i32> {
        (self.0 % 1000 == 0).then(|| i32::try_from(self.0 / 1000).ok()).flatten()
    }

    /// Whole minutes.
    pub fn minutes(self) -> Option<i32> {
        (self.0 % 60_000 == 0).then(|| i32::try_from(self.0 / 60_000).ok()).flatten()
    }

    pub fn millis(self) -> Option<i32> {
        i32::try_from(self.0).ok()
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"10s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                Duration::parse(text).map_err(E::custom)
            }
        }
        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, millis) in [("800ms", 800), ("10s", 10_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)]
        {
            assert_eq!(Duration::parse(text), Ok(Duration(millis)), "{text}");
        }
        for wrong in ["", "10", "s", "-1s", "1.5s", "1 s", "1w", "99999999999999999999s", "9223372036854775807d"] {
            assert!(Duration::parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            (Duration(1500).seconds(), Duration(90_000).minutes(), Duration(90_000).seconds()),
            (None, None, Some(90))
        );
    }
}
