//! Lenient parsing of request values: placeholders count as absent, and unambiguous variants are accepted.

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

/// A count: `100`, `100.0` or `"100"`. Negative means "no limit" in llama.cpp and its relatives.
pub(super) fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = number::<D>(deserializer, "a whole number of tokens")? else { return Ok(None) };
    if number < 0.0 {
        return Ok(None);
    }
    if number.fract() != 0.0 {
        return Err(D::Error::custom(format!("{number} is not a whole number of tokens")));
    }
    if number > f64::from(u32::MAX) {
        return Err(D::Error::custom(format!("{number} tokens are more than any model writes")));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and within the range")]
    Ok(Some(number as u32))
}

/// A number, also in quotation marks.
pub(super) fn float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number::<D>(deserializer, "a number")
}

fn number<'de, D: Deserializer<'de>>(deserializer: D, what: &str) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n| n.is_finite()).map(Some).ok_or_else(|| D::Error::custom(format!("{value} is not {what}")))
}

/// `true`, `"true"` or `1`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match &value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") || text.is_empty() => Ok(Some(false)),
        Value::Number(number) if number.as_u64() == Some(1) => Ok(Some(true)),
        Value::Number(number) if number.as_u64() == Some(0) => Ok(Some(false)),
        _ => Err(D::Error::custom(format!("{value} is neither true nor false"))),
    }
}
