//! Values of a JSON text by a path: `$.a.b[0].c`, `a.b[0]`, `length($.a)`. Pure.
//!
//! A name that has dots, brackets or blanks is written in quotes: `$["a.b"].c`. `[-1]` is the last element. There are no filters and no wildcards:
//! what finds several values has no place in a condition.

use std::borrow::Cow;

use serde_json::Value;

/// Longest path.
const LONGEST: usize = 500;

/// A path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath {
    steps: Vec<Step>,
    /// `length(...)`: of an array, an object or a text, instead of the value.
    is_length: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    /// Negative: from the end.
    Index(i64),
}

impl JsonPath {
    /// The error says what is wrong, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a path has at most {LONGEST} characters"));
        }
        let text = text.trim();
        let inner = text.strip_prefix("length(").map(|rest| rest.strip_suffix(')').ok_or("length( without )"));
        let (is_length, path) = match inner {
            Some(inner) => (true, inner?.trim()),
            None => (false, text),
        };
        let steps = steps(path)?;
        Ok(Self { steps, is_length })
    }

    /// The value that it leads to; `None`: there is none.
    pub fn find<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        let found = self.steps.iter().try_fold(root, |value, step| match step {
            Step::Name(name) => value.as_object()?.get(name),
            Step::Index(index) => {
                let list = value.as_array()?;
                let place = if *index < 0 { i64::try_from(list.len()).ok()? + index } else { *index };
                list.get(usize::try_from(place).ok()?)
            }
        })?;
        if !self.is_length {
            return Some(Cow::Borrowed(found));
        }
        let length = match found {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            Value::String(text) => text.chars().count(),
            _ => return None,
        };
        Some(Cow::Owned(length.into()))
    }
}

fn steps(path: &str) -> Result<Vec<Step>, String> {
    let mut rest = path.strip_prefix('$').unwrap_or(path);
    let mut steps = Vec::new();
    // Without `$` it may begin with a name.
    let mut may_be_bare = rest.len() == path.len();
    while !rest.is_empty() {
        let place = path.len() - rest.len() + 1;
        if let Some(after) = rest.strip_prefix('[') {
            let (step, left) =
                bracket(after).ok_or_else(|| format!("what begins at character {place} is no [index]"))?;
            steps.push(step);
            rest = left;
        } else {
            let name = match rest.strip_prefix('.') {
                Some(name) => name,
                None if may_be_bare => rest,
                None => return Err(format!("a dot or a bracket is missing at character {place}")),
            };
            let end = name.find(['.', '[']).unwrap_or(name.len());
            if name[..end].is_empty() {
                return Err(format!("a name is missing at character {place}"));
            }
            steps.push(Step::Name(name[..end].to_owned()));
            rest = &name[end..];
        }
        may_be_bare = false;
    }
    if steps.is_empty() && path.is_empty() {
        return Err("the path is empty: `$` is the whole body".to_owned());
    }
    Ok(steps)
}

/// What follows a `[`: a step, and what is left after its `]`.
fn bracket(text: &str) -> Option<(Step, &str)> {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let (index, rest) = text.split_once(']')?;
        return Some((Step::Index(index.trim().parse().ok()?), rest));
    };
    let (name, rest) = text[1..].split_once(quote)?;
    Some((Step::Name(name.to_owned()), rest.strip_prefix(']')?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn find(path: &str) -> Option<Value> {
        let root = json!({"status": "ok", "a": {"b": [{"c": 1}, {"c": null}], "x.y": true}, "list": [], "ж": "жук"});
        JsonPath::parse(path).unwrap_or_else(|error| panic!("{path}: {error}")).find(&root).map(Cow::into_owned)
    }

    #[test]
    fn a_path_leads_to_a_value_or_to_none() {
        for (path, value) in [
            ("$.status", json!("ok")),
            ("status", json!("ok")),
            ("a.b[0].c", json!(1)),
            ("$.a.b[-2].c", json!(1)),
            ("$.a.b[1].c", Value::Null),
            ("$.a[\"x.y\"]", json!(true)),
            ("$['a']['x.y']", json!(true)),
            ("length($.a.b)", json!(2)),
            ("length($.list)", json!(0)),
            ("length($.ж)", json!(3)),
            ("length($)", json!(4)),
        ] {
            assert_eq!(find(path), Some(value), "{path}");
        }
        for none in ["$.nothing", "$.a.b[2]", "$.a.b[-3]", "$.status.x", "$.status[0]", "length($.a.b[0].c)", "$.a.b.c"]
        {
            assert_eq!(find(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_with_its_place() {
        for (path, part) in [
            ("", "empty"),
            ("$.", "a name is missing at character 2"),
            ("$..a", "a name is missing at character 2"),
            ("$a", "a dot or a bracket is missing at character 2"),
            ("$.a[", "character 4"),
            ("$.a[x]", "character 4"),
            ("$.a[\"b]", "character 4"),
            ("$.a[0]b", "a dot or a bracket is missing at character 7"),
            ("length($.a", "without )"),
        ] {
            let error = JsonPath::parse(path).unwrap_err();
            assert!(error.contains(part), "{path}: {error}");
        }
        assert!(JsonPath::parse(&"a".repeat(501)).is_err());
    }
}
