//! Conditions such as `[STATUS] == 200` or `len([BODY].items) > 3`. One that cannot be taken pauses its monitor: without it the monitor would be up
//! where Gatus says down.

use serde_json::Value;

use super::duration;
use crate::spec::{Condition, Test};

/// Codes of HTTP.
const CODES: std::ops::Range<usize> = 100..600;

/// What conditions together expect.
#[derive(Debug)]
pub struct Expected {
    /// By code less 100.
    status: Vec<bool>,
    has_status: bool,
    pub conditions: Vec<Condition>,
    /// Certificate and domain: ends sooner than so many days.
    pub certificate_days: Option<i16>,
    pub domain_days: Option<i16>,
    /// Of a look into the DNS.
    pub rcode: Option<String>,
    pub values: Vec<String>,
    /// Conditions that are taken, but not as they are, and why.
    pub changed: Vec<(String, String)>,
    /// Conditions that are not taken, and why.
    pub refused: Vec<(String, String)>,
}

/// How two sides compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Is,
    IsNot,
    Below,
    AtMost,
    Above,
    AtLeast,
}

impl Op {
    /// Longer ones first: `<=` begins with `<`.
    const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Is),
        ("!=", Self::IsNot),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    fn turned(self) -> Self {
        match self {
            Self::Is | Self::IsNot => self,
            Self::Below => Self::Above,
            Self::AtMost => Self::AtLeast,
            Self::Above => Self::Below,
            Self::AtLeast => Self::AtMost,
        }
    }

    fn test(self) -> Test {
        match self {
            Self::Is => Test::Is,
            Self::IsNot => Test::IsNot,
            Self::Below => Test::Below,
            Self::AtMost => Test::AtMost,
            Self::Above => Test::Above,
            Self::AtLeast => Test::AtLeast,
        }
    }

    fn holds(self, one: usize, other: usize) -> bool {
        match self {
            Self::Is => one == other,
            Self::IsNot => one != other,
            Self::Below => one < other,
            Self::AtMost => one <= other,
            Self::Above => one > other,
            Self::AtLeast => one >= other,
        }
    }
}

impl Expected {
    /// `is_dns`: the body is what the DNS answered.
    pub fn of(conditions: &[Value], is_dns: bool) -> Self {
        let mut expected = Self {
            status: vec![true; CODES.len()],
            has_status: false,
            conditions: Vec::new(),
            certificate_days: None,
            domain_days: None,
            rcode: None,
            values: Vec::new(),
            changed: Vec::new(),
            refused: Vec::new(),
        };
        for condition in conditions {
            let text = condition.as_str().unwrap_or_default().trim();
            if let Err(reason) = expected.add(text, is_dns) {
                expected.refused.push((text.to_owned(), reason.to_owned()));
            }
        }
        expected
    }

    /// Numbers and ranges; any, where no condition names a status.
    pub fn status(&self) -> Vec<String> {
        if !self.has_status {
            return vec!["100-599".to_owned()];
        }
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for code in CODES.filter(|code| self.status[code - CODES.start]) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == code => *last = code,
                _ => ranges.push((code, code)),
            }
        }
        let shown =
            |(first, last): &(usize, usize)| if first == last { first.to_string() } else { format!("{first}-{last}") };
        ranges.iter().map(shown).collect()
    }

    /// `Err`: why it is not taken.
    fn add(&mut self, text: &str, is_dns: bool) -> Result<(), &'static str> {
        let (left, op, right) = sides(text).ok_or("it is no comparison")?;
        match left {
            "[STATUS]" => self.add_status(op, right),
            "[RESPONSE_TIME]" => {
                let number: i32 = right.parse().map_err(|_| "a time in milliseconds is expected")?;
                let ms = match op {
                    Op::Below => number,
                    Op::AtMost => number.saturating_add(1),
                    _ => return Err("only the longest time can be limited"),
                };
                self.conditions.push(Condition::TimeBelow { ms });
                Ok(())
            }
            "[CONNECTED]" if op == Op::Is && right == "true" => Ok(()),
            "[BODY]" if is_dns => self.add_value(op, right),
            "[BODY]" => self.add_body(text, op, right),
            "[CERTIFICATE_EXPIRATION]" => {
                self.certificate_days = Some(days(op, right)?);
                let reason = "a certificate that ends sooner is degraded, not down".to_owned();
                self.changed.push((text.to_owned(), reason));
                Ok(())
            }
            "[DOMAIN_EXPIRATION]" => {
                self.domain_days = Some(days(op, right)?);
                self.changed.push((text.to_owned(), "it is a monitor of its own, of kind domain".to_owned()));
                Ok(())
            }
            "[DNS_RCODE]" if op == Op::Is => {
                self.rcode = Some(right.to_uppercase()).filter(|rcode| rcode != "NOERROR");
                Ok(())
            }
            "[IP]" => Err("the address that was connected to is not compared here"),
            left => self.add_json(left, op, right),
        }
    }

    fn add_status(&mut self, op: Op, right: &str) -> Result<(), &'static str> {
        let wanted: Vec<usize> = list(right).iter().filter_map(|code| code.parse().ok()).collect();
        if wanted.is_empty() || (wanted.len() > 1 && !matches!(op, Op::Is | Op::IsNot)) {
            return Err("a code of HTTP is expected");
        }
        self.has_status = true;
        for code in CODES {
            let fits = match op {
                Op::IsNot => wanted.iter().all(|other| code != *other),
                op => wanted.iter().any(|other| op.holds(code, *other)),
            };
            self.status[code - CODES.start] &= fits;
        }
        if self.status.iter().any(|fits| *fits) { Ok(()) } else { Err("no code of HTTP fits") }
    }

    fn add_value(&mut self, op: Op, right: &str) -> Result<(), &'static str> {
        if op != Op::Is || right.starts_with("pat(") {
            return Err("of the DNS only values themselves are compared");
        }
        self.values.extend(list(right));
        Ok(())
    }

    fn add_body(&mut self, text: &str, op: Op, right: &str) -> Result<(), &'static str> {
        let absent = match op {
            Op::Is => false,
            Op::IsNot => true,
            _ => return Err("a body is not compared by order"),
        };
        let word = match pattern(right) {
            Some(inner) => {
                let word = inner.trim_matches('*');
                if word.contains('*') {
                    return Err("a pattern may have stars at its ends only");
                }
                word
            }
            None if absent || right.starts_with("any(") => return Err("a body is compared as a whole there"),
            None => {
                self.changed.push((text.to_owned(), "taken as: the body contains it".to_owned()));
                right
            }
        };
        self.conditions.push(Condition::Keyword { text: word.to_owned(), absent });
        Ok(())
    }

    /// `[BODY].path`, `len([BODY].path)`, `has([BODY].path)`.
    fn add_json(&mut self, left: &str, op: Op, right: &str) -> Result<(), &'static str> {
        let inner = |name: &str| left.strip_prefix(name).and_then(|rest| rest.strip_suffix(')'));
        let path = |text: &str| {
            let rest = text.strip_prefix("[BODY]").filter(|rest| rest.starts_with(['.', '[']) || rest.is_empty());
            rest.map(|rest| format!("${rest}"))
        };
        if let Some(of) = inner("has(") {
            let path = path(of).ok_or("only of the body")?;
            if op != Op::Is || right != "true" {
                return Err("only what is there can be expected");
            }
            self.conditions.push(Condition::Json { path, test: Test::Exists, value: Value::Null });
            return Ok(());
        }
        let path = match inner("len(") {
            Some(of) => format!("length({})", path(of).ok_or("only of the body")?),
            None => path(left).ok_or("this placeholder is unknown here")?,
        };
        let (test, value) = if let Some(glob) = pattern(right) {
            match op {
                Op::Is => (Test::Matches, Value::String(regex(&[glob]))),
                _ => return Err("a pattern is only compared with =="),
            }
        } else if right.starts_with("any(") {
            let all = list(right);
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            match op {
                Op::Is => (Test::Matches, Value::String(regex(&all))),
                _ => return Err("several values are only compared with =="),
            }
        } else {
            (op.test(), value(right))
        };
        self.conditions.push(Condition::Json { path, test, value });
        Ok(())
    }
}

/// Both sides and how they compare; what is read from the answer is on the left.
fn sides(text: &str) -> Option<(&str, Op, &str)> {
    let (at, (sign, op)) = Op::ALL
        .iter()
        .filter_map(|entry| Some((text.find(&format!(" {} ", entry.0))?, entry)))
        .min_by_key(|(at, _)| *at)?;
    let (left, right) = (text[..at].trim(), text[at + sign.len() + 2..].trim());
    let is_read = |side: &str| side.starts_with('[') || side.starts_with("len(") || side.starts_with("has(");
    Some(if !is_read(left) && is_read(right) { (right, op.turned(), left) } else { (left, *op, right) })
}

/// `any(a, b)`, or one value.
fn list(text: &str) -> Vec<String> {
    let inner = text.strip_prefix("any(").and_then(|rest| rest.strip_suffix(')'));
    inner.map_or_else(|| vec![text.to_owned()], |inner| inner.split(',').map(|one| one.trim().to_owned()).collect())
}

fn pattern(text: &str) -> Option<&str> {
    text.strip_prefix("pat(").and_then(|rest| rest.strip_suffix(')'))
}

/// Patterns with stars as one regular expression.
fn regex(globs: &[&str]) -> String {
    let all: Vec<String> =
        globs.iter().map(|glob| glob.split('*').map(regex::escape).collect::<Vec<_>>().join(".*")).collect();
    format!("^(?:{})$", all.join("|"))
}

/// As JSON if it is a number or a word of JSON; otherwise a text, without quotes around it.
fn value(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if !value.is_array() && !value.is_object() => value,
        _ => Value::String(text.trim_matches(['"', '\'']).to_owned()),
    }
}

/// `> 48h` is two days; parts of a day count as one.
fn days(op: Op, right: &str) -> Result<i16, &'static str> {
    if !matches!(op, Op::Above | Op::AtLeast) {
        return Err("only the time that must be left is understood");
    }
    let ms = duration(right).ok_or("a time such as 48h is expected")?;
    i16::try_from(ms.div_euclid(86_400_000) + i64::from(ms % 86_400_000 > 0)).map_err(|_| "that is too long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(conditions: &[&str]) -> Expected {
        let conditions: Vec<Value> = conditions.iter().map(|text| json!(text)).collect();
        Expected::of(&conditions, false)
    }

    #[test]
    fn codes_are_what_all_conditions_permit() {
        for (conditions, status) in [
            (&["[STATUS] == 200"][..], &["200"][..]),
            (&["[STATUS] == any(200, 429)"][..], &["200", "429"][..]),
            (&["[STATUS] >= 200", "[STATUS] < 300"][..], &["200-299"][..]),
            (&["[STATUS] <= 299", "[STATUS] != 204"][..], &["100-203", "205-299"][..]),
            (&["200 == [STATUS]"][..], &["200"][..]),
            (&["300 > [STATUS]"][..], &["100-299"][..]),
            (&[][..], &["100-599"][..]),
        ] {
            let expected = of(conditions);
            assert_eq!(expected.status(), status, "{conditions:?}");
            assert!(expected.refused.is_empty());
        }
        assert_eq!(of(&["[STATUS] == 200", "[STATUS] == 500"]).refused.len(), 1, "none fits both");
    }

    #[test]
    fn bodies_and_times() {
        let expected = of(&[
            "[RESPONSE_TIME] < 500",
            "[CONNECTED] == true",
            "[BODY] == pat(*healthy*)",
            "[BODY] != pat(*error*)",
            "[BODY].status == UP",
            "[BODY].count >= 3",
            "len([BODY].items) > 0",
            "has([BODY].data[0].id) == true",
            "[BODY].name == pat(john*)",
            "[BODY].name == any(a, b.c)",
            "[CERTIFICATE_EXPIRATION] > 49h",
            "[DOMAIN_EXPIRATION] > 720h",
        ]);
        assert!(expected.refused.is_empty(), "{:?}", expected.refused);
        let keyword = |text: &str, absent| Condition::Keyword { text: text.into(), absent };
        let json = |path: &str, test, value| Condition::Json { path: path.into(), test, value };
        assert_eq!(
            expected.conditions,
            [
                Condition::TimeBelow { ms: 500 },
                keyword("healthy", false),
                keyword("error", true),
                json("$.status", Test::Is, json!("UP")),
                json("$.count", Test::AtLeast, json!(3)),
                json("length($.items)", Test::Above, json!(0)),
                json("$.data[0].id", Test::Exists, Value::Null),
                json("$.name", Test::Matches, json!("^(?:john.*)$")),
                json("$.name", Test::Matches, json!("^(?:a|b\\.c)$")),
            ]
        );
        assert_eq!((expected.certificate_days, expected.domain_days), (Some(3), Some(30)));
    }

    #[test]
    fn what_cannot_be_taken_is_told() {
        for text in [
            "[IP] == 127.0.0.1",
            "[BODY] == pat(a*b)",
            "[BODY] == any(a, b)",
            "has([BODY].x) == false",
            "[RESPONSE_TIME] > 100",
            "[CONNECTED] == false",
            "[SOMETHING] == 1",
            "nonsense",
            "[CERTIFICATE_EXPIRATION] < 48h",
        ] {
            assert_eq!(of(&[text]).refused.len(), 1, "{text}");
        }
        assert_eq!(of(&["[BODY] == ok"]).changed.len(), 1);
        let dns = Expected::of(&[json!("[BODY] == 93.184.216.34"), json!("[DNS_RCODE] == NOERROR")], true);
        assert_eq!(
            (dns.values.as_slice(), dns.rcode, dns.refused.len()),
            (["93.184.216.34".to_owned()].as_slice(), None, 0)
        );
    }
}
