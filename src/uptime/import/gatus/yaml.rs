//! YAML with merge keys (`<<: *defaults`, YAML 1.1), and with a limit on what it becomes: aliases make a file of a megabyte as large as one likes.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Bytes of memory, about, that a value has besides its text.
const NODE: usize = 64;
/// Of all values together: some times what a file of the longest length needs without aliases.
const MOST: usize = 16 * 1024 * 1024;

/// The key under which a map has others, or one, whose entries are its own.
const MERGE: &str = "<<";

/// Reads a text with one document.
pub fn read(text: &str) -> Result<Value, serde_yaml_ng::Error> {
    Limited(&Cell::new(MOST)).deserialize(serde_yaml_ng::Deserializer::from_str(text))
}

/// What is left of the limit.
#[derive(Clone, Copy)]
struct Limited<'c>(&'c Cell<usize>);

impl Limited<'_> {
    fn spend<E: Error>(self, text: &str) -> Result<(), E> {
        let cost = NODE.saturating_add(text.len());
        let left = self.0.get().checked_sub(cost);
        let left = left.ok_or_else(|| E::custom("with its aliases it describes far more than it has text"))?;
        self.0.set(left);
        Ok(())
    }

    fn value<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.spend::<E>("")?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.value(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.value(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.value(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.value(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.value(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.value(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.spend::<E>(text)?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        self.spend::<A::Error>("")?;
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.spend::<A::Error>("")?;
        let (mut map, mut merged) = (Map::new(), Vec::new());
        while let Some(name) = entries.next_key::<String>()? {
            self.spend::<A::Error>(&name)?;
            let value = entries.next_value_seed(self)?;
            if name != MERGE {
                map.insert(name, value);
            } else if let Value::Array(list) = value {
                merged.extend(list);
            } else {
                merged.push(value);
            }
        }
        // What stands there itself is stronger, and then what was merged first.
        for one in merged {
            let Value::Object(one) = one else { return Err(A::Error::custom("what is merged with << is no map")) };
            for (name, value) in one {
                map.entry(name).or_insert(value);
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merge_keys_give_what_a_map_does_not_say_itself() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\none: {<<: *a, y: 3}\ntwo: {<<: [*a, *b], w: 4}\nnested: {<<: {<<: *a, z: 5}}";
        let value = read(text).unwrap();
        assert_eq!(value["one"], json!({"x": 1, "y": 3}));
        assert_eq!(value["two"], json!({"x": 1, "y": 1, "z": 2, "w": 4}));
        assert_eq!(value["nested"], json!({"x": 1, "y": 1, "z": 5}));
        assert!(read("a: {<<: text}").unwrap_err().to_string().contains("merged"));
    }

    #[test]
    fn a_small_file_with_aliases_is_read_and_one_that_explodes_is_refused() {
        let text = "a: &a {x: 1, y: [true, null, 1.5, z]}\nb: *a\n2: text";
        let of_a = json!({"x": 1, "y": [true, null, 1.5, "z"]});
        assert_eq!(read(text).unwrap(), json!({"a": of_a, "b": of_a, "2": "text"}));
        let many = format!("a: &a [{}]\nb: [{}]", "~,".repeat(2000), "*a,".repeat(2000));
        let long = format!("a: &a {}\nb: [{}]", "x".repeat(10_000), "*a,".repeat(5000));
        for bomb in [many, long] {
            let error = read(&bomb).unwrap_err().to_string();
            assert!(error.contains("aliases"), "{error}");
        }
        let merges = format!(
            "a: &a {{{}}}\nb: [{}]",
            (0..2000).map(|n| format!("k{n}: ,")).collect::<Vec<_>>().concat(),
            "{<<: *a},".repeat(2000)
        );
        assert!(read(&merges).unwrap_err().to_string().contains("aliases"));
        assert!(read("a: [").is_err() && read("a: 1\n---\nb: 2").is_err());
    }
}
