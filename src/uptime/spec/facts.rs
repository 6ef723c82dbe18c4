//! What follows from what a monitor asks.

use std::collections::BTreeSet;

use reqwest::Url;

use super::{HttpSpec, MonitorSpec, Take};
use crate::condition::has_pattern;

impl MonitorSpec {
    /// Hosts with their ports that it sends secrets to.
    pub fn hosts(&self) -> BTreeSet<String> {
        // What cannot be parsed has a placeholder in it: then all of it counts.
        let of_url = |url: &String| match url.parse::<Url>() {
            Ok(parsed) => format!("{:?}:{:?}", parsed.host_str(), parsed.port_or_known_default()),
            Err(_) => url.clone(),
        };
        match self {
            Self::Http(spec) => BTreeSet::from([of_url(&spec.url)]),
            Self::Flow(spec) => spec.steps.iter().map(|step| of_url(&step.http.url)).collect(),
            Self::Postgres(spec) => BTreeSet::from([format!("{}:{}", spec.host, spec.port)]),
            _ => BTreeSet::new(),
        }
    }

    /// How many regular expressions it has.
    pub(super) fn patterns(&self) -> usize {
        let of_http = |http: &HttpSpec| http.expect.iter().filter(|condition| has_pattern(condition)).count();
        match self {
            Self::Http(spec) => of_http(spec),
            Self::Flow(spec) => {
                let taken = spec.steps.iter().flat_map(|step| step.take.values());
                let taken = taken.filter(|take| matches!(take, Take::Regex { .. })).count();
                taken + spec.steps.iter().map(|step| of_http(&step.http)).sum::<usize>()
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(spec: serde_json::Value) -> MonitorSpec {
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn hosts_are_those_of_all_steps_and_patterns_are_counted() {
        let one = of(json!({"kind": "http", "url": "https://a.example/x", "expect": [
            {"on": "json", "path": "$.a", "test": "matches", "value": "x"}, {"on": "json", "path": "$.a", "test": "exists"}]}));
        let two = of(json!({"kind": "flow", "steps": [
            {"name": "1", "http": {"url": "https://a.example:443/y"}, "take": {"t": {"from": "regex", "pattern": "x"}}},
            {"name": "2", "http": {"url": "https://b.example/"}}]}));
        assert!(one.hosts().is_subset(&two.hosts()) && !two.hosts().is_subset(&one.hosts()));
        let other = of(json!({"kind": "http", "url": "http://a.example/x"}));
        assert!(!other.hosts().is_subset(&one.hosts()), "without encryption it is another port");
        assert_eq!((one.patterns(), two.patterns(), other.patterns()), (1, 1, 0));
    }
}
