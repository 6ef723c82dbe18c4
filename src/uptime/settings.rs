//! What people, the file and imports set of a monitor, and its limits: one set of rules for all of them.

use std::{collections::BTreeSet, fmt::Display};

use secrecy::ExposeSecret as _;

use crate::{
    model::{GroupId, Kind, MonitorId},
    secrets::Secrets,
    spec::MonitorSpec,
    target::Policy,
};
use platform::{error::FieldError, names};

/// An interval of domains, seconds: their registries limit requests.
const DAY: i32 = 86_400;
const MOST_TAGS: usize = 20;
/// Characters of a tag.
pub const LONGEST_TAG: usize = 50;
const LONGEST_NAME: usize = 200;
const LONGEST_DESCRIPTION: usize = 2000;
const MOST_SECRETS: usize = 20;
const LONGEST_SECRET: usize = 16 * 1024;

/// Everything that is set of a monitor, but for its key, its secrets and whether it is paused.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub name: String,
    pub description: String,
    pub spec: MonitorSpec,
    pub group_id: Option<GroupId>,
    pub parent_id: Option<MonitorId>,
    pub tags: Vec<String>,
    pub interval_seconds: i32,
    pub timeout_ms: i32,
    pub retries: i16,
    pub retry_ms: Option<i32>,
    pub successes: i16,
    pub slow_ms: Option<i32>,
    pub certificate_days: i16,
    pub target: Option<f64>,
    pub badge: bool,
}

/// What an installation permits.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Seconds.
    pub shortest_interval: i32,
    /// Which addresses may be asked.
    pub policy: Policy,
}

impl Settings {
    /// With defaults.
    pub fn new(name: impl Into<String>, spec: MonitorSpec) -> Self {
        let interval_seconds = if spec.kind() == Kind::Domain { DAY } else { 60 };
        // A sender has judged already, and who is late was waited for.
        let retries = if spec.kind() == Kind::Heartbeat { 0 } else { 2 };
        Self {
            name: name.into(),
            description: String::new(),
            spec,
            group_id: None,
            parent_id: None,
            tags: Vec::new(),
            interval_seconds,
            timeout_ms: 10_000,
            retries,
            retry_ms: None,
            successes: 1,
            slow_ms: None,
            certificate_days: 21,
            target: None,
            badge: false,
        }
    }

    /// As it is stored: texts tidied, tags without duplicates.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        self.name = names::tidy(&self.name);
        self.description = names::tidy_text(&self.description);
        let mut seen = BTreeSet::new();
        let tags = self.tags.iter().map(|tag| names::tidy(tag)).filter(|tag| !tag.is_empty());
        self.tags = tags.filter(|tag| seen.insert(tag.clone())).collect();
        self
    }

    /// Everything that is wrong, by JSON pointers of the API.
    pub fn problems(&self, limits: &Limits) -> Vec<FieldError> {
        let mut found = Found::default();
        found.text("/name", &self.name, 1, LONGEST_NAME);
        found.text("/description", &self.description, 0, LONGEST_DESCRIPTION);
        if self.tags.len() > MOST_TAGS {
            found.push("/tags", "too_many", format!("at most {MOST_TAGS} tags"));
        }
        for tag in &self.tags {
            found.text("/tags", tag, 1, LONGEST_TAG);
        }
        self.times(limits, &mut found);
        found.range("/retries", self.retries, 0, 10);
        found.range("/successes", self.successes, 1, 10);
        found.range("/certificate_days", self.certificate_days, 0, 365);
        if let Some(target) = self.target.filter(|target| !(*target > 0.0 && *target < 1.0)) {
            found.push("/target", "out_of_range", format!("{target} is not between 0 and 1, such as 0.999"));
        }
        found.0.extend(self.spec.validate(&limits.policy));
        found.0
    }

    fn times(&self, limits: &Limits, found: &mut Found) {
        let shortest = self.spec.shortest_interval().max(limits.shortest_interval);
        if self.interval_seconds < shortest {
            let text = format!("of this kind, and here, it is at least {shortest} s");
            found.push("/interval_seconds", "interval_too_short", text);
        } else {
            found.range("/interval_seconds", self.interval_seconds, 10, DAY);
        }
        found.range("/timeout_ms", self.timeout_ms, 100, 120_000);
        if i64::from(self.timeout_ms) > i64::from(self.interval_seconds) * 1000 {
            found.push("/timeout_ms", "out_of_range", "is longer than the interval".to_owned());
        }
        if let Some(retry) = self.retry_ms {
            found.range("/retry_ms", retry, 100, 3_600_000);
        }
        if let Some(slow) = self.slow_ms {
            found.range("/slow_ms", slow, 1, 120_000);
        }
    }
}

/// What is wrong with the secrets of a monitor: names that the spec has and that are not there, and those that nothing names.
pub fn secret_problems(spec: &MonitorSpec, secrets: &Secrets) -> Vec<FieldError> {
    let mut found = Found::default();
    if secrets.0.len() > MOST_SECRETS {
        found.push("/secrets", "too_many", format!("at most {MOST_SECRETS} secrets"));
    }
    for (name, value) in &secrets.0 {
        if !is_secret_name(&name.0) {
            found.push("/secrets", "invalid", format!("{:?} is not 1 to 40 of a-z, 0-9 and _", name.0));
        }
        if !(1..=LONGEST_SECRET).contains(&value.expose_secret().len()) {
            found.push("/secrets", "out_of_range", format!("{} has no value, or more than 16 KiB", name.0));
        }
    }
    for name in spec.secrets().iter().filter(|name| secrets.get(name).is_none()) {
        found.push("/secrets", "missing", format!("the secret {} is named and not given", name.0));
    }
    found.0
}

pub fn is_secret_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[derive(Default)]
struct Found(Vec<FieldError>);

impl Found {
    fn push(&mut self, pointer: &str, code: &'static str, detail: String) {
        self.0.push(FieldError::new(pointer, code, detail));
    }

    fn range<T: Copy + PartialOrd + Display>(&mut self, pointer: &str, value: T, least: T, most: T) {
        if value < least || value > most {
            self.push(pointer, "out_of_range", format!("{value} is outside {least} to {most}"));
        }
    }

    fn text(&mut self, pointer: &str, text: &str, least: usize, most: usize) {
        let length = text.chars().count();
        if length < least {
            self.push(pointer, "required", "must not be empty".to_owned());
        } else if length > most {
            self.push(pointer, "too_long", format!("at most {most} characters"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::SecretName;
    use secrecy::SecretString;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn settings(spec: serde_json::Value) -> Settings {
        Settings::new("Shop", serde_json::from_value(spec).unwrap())
    }

    fn codes(settings: &Settings) -> Vec<(String, String)> {
        let limits = Limits { shortest_interval: 30, policy: Policy::default() };
        let problems = settings.clone().tidied().problems(&limits);
        problems.into_iter().map(|error| (error.pointer, error.code.into_owned())).collect()
    }

    #[test]
    fn limits_are_told_all_at_once() {
        let good = settings(json!({"kind": "http", "url": "https://example.com/"}));
        assert!(codes(&good).is_empty());
        let wrong = Settings {
            name: " \u{200b}".into(),
            interval_seconds: 20,
            timeout_ms: 30_000,
            retries: 11,
            target: Some(1.0),
            ..good
        };
        let pointers: Vec<String> = codes(&wrong).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(pointers, ["/name", "/interval_seconds", "/timeout_ms", "/retries", "/target"]);
        let domain = Settings { interval_seconds: 3600, ..settings(json!({"kind": "domain", "name": "example.com"})) };
        assert_eq!(codes(&domain), [("/interval_seconds".into(), "interval_too_short".into())]);
    }

    #[test]
    fn secrets_that_are_named_must_be_there() {
        let spec = json!({"kind": "http", "url": "https://example.com/", "auth": {"by": "basic", "user": "u", "password": "one"},
            "headers": {"X-Key": "{{secret.two}}"}, "body": "{{ secret.three }}"});
        let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
        let given = |names: &[&str]| {
            Secrets(
                names
                    .iter()
                    .map(|name| (SecretName((*name).into()), SecretString::from("x")))
                    .collect::<BTreeMap<_, _>>(),
            )
        };
        assert_eq!(secret_problems(&spec, &given(&["one", "two", "three"])).len(), 0);
        let missing = secret_problems(&spec, &given(&["one", "Bad"]));
        let codes: Vec<&str> = missing.iter().map(|error| error.code.as_ref()).collect();
        assert_eq!(codes, ["invalid", "missing", "missing"]);
    }

    #[test]
    fn tags_are_kept_once() {
        let mut tagged = settings(json!({"kind": "tcp", "host": "example.com", "port": 1}));
        tagged.tags = vec![" a ".into(), String::new(), "b".into(), "a".into()];
        assert_eq!(tagged.tidied().tags, ["a", "b"]);
    }
}
