//! Reading objects of foreign files so that nothing is overlooked: each field is asked for by name, and what nobody asked for is left over.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// An object of a file, and which of its fields were asked for.
#[derive(Debug)]
pub struct Fields<'v> {
    map: &'v Map<String, Value>,
    asked: BTreeSet<&'static str>,
}

impl<'v> Fields<'v> {
    pub fn new(map: &'v Map<String, Value>) -> Self {
        Self { map, asked: BTreeSet::new() }
    }

    /// Of anything else than an object: one without fields.
    pub fn of(value: &'v Value) -> Option<Self> {
        value.as_object().map(Self::new)
    }

    /// `None`: it is not there, or null.
    pub fn get(&mut self, name: &'static str) -> Option<&'v Value> {
        self.asked.insert(name);
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// Numbers are texts, too. Empty ones are none.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text = match self.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Texts of digits are numbers, too.
    pub fn number(&mut self, name: &'static str) -> Option<f64> {
        match self.get(name)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// Older versions have 0 and 1.
    pub fn flag(&mut self, name: &'static str) -> bool {
        match self.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::Number(number)) => number.as_i64() != Some(0),
            _ => false,
        }
    }

    pub fn list(&mut self, name: &'static str) -> &'v [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn object(&mut self, name: &'static str) -> Option<Fields<'v>> {
        self.get(name).and_then(Fields::of)
    }

    /// Fields that nobody asked for and that say something, with their values in short.
    pub fn left(&self) -> Vec<(String, String)> {
        let left = self.map.iter().filter(|(name, value)| !self.asked.contains(name.as_str()) && says_something(value));
        left.map(|(name, value)| (name.clone(), short(name, value))).collect()
    }
}

/// Whether a value is more than nothing.
pub fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A value for a report. What may be a secret is not shown.
pub fn short(name: &str, value: &Value) -> String {
    let name = name.to_lowercase();
    if [
        "pass",
        "token",
        "secret",
        "key",
        "auth",
        "sasl",
        "connection",
        "metadata",
        "header",
        "body",
        "url",
        "cert",
        "override",
    ]
    .iter()
    .any(|word| name.contains(word))
    {
        return "(not shown)".to_owned();
    }
    match value {
        Value::String(text) => text.chars().take(60).collect(),
        Value::Array(list) => format!("{} entries", list.len()),
        Value::Object(_) => "(several settings)".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_nobody_asked_for_is_left_over() {
        let value = json!({"name": " a ", "port": "22", "active": 1, "proxyId": 3, "authPassword": "x", "empty": "", "none": null, "list": [1, 2]});
        let mut fields = Fields::of(&value).unwrap();
        assert_eq!(
            (fields.text("name").as_deref(), fields.number("port"), fields.flag("active")),
            (Some("a"), Some(22.0), true)
        );
        let left: Vec<String> = fields.left().into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(left, ["authPassword: (not shown)", "list: 2 entries", "proxyId: 3"]);
        assert!(Fields::of(&json!([])).is_none());
    }
}
