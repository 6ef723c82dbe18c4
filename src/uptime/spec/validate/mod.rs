//! Limits of what a monitor asks, and what excludes what: checked when it is saved, all problems at once.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use hyper::header::{HeaderName, HeaderValue};
use reqwest::Url;

use super::{
    Auth, Condition, DnsSpec, DomainSpec, FlowSpec, GrpcSpec, HeartbeatSpec, HttpSpec, IcmpSpec, MailServerSpec,
    MonitorSpec, PostgresSpec, SecretName, Take, Test,
};
use crate::{
    condition::parse_status,
    json_path::JsonPath,
    model::Kind,
    pattern,
    target::{Policy, judge, judge_host},
};
use jobs::Cron;
use platform::{error::FieldError, http_client::AddressError};

const BODY: usize = 64 * 1024;
const TEXT: usize = 4096;
const HEADERS: usize = 50;
const CONDITIONS: usize = 50;
const STEPS: usize = 20;
/// Regular expressions of a monitor.
const PATTERNS: usize = 20;
/// Bytes of all of it, as JSON: it stays in the prober's memory.
const ALL: usize = 128 * 1024;
/// Fields that the probe sets itself, or that would break the connection.
const REFUSED: [&str; 7] =
    ["host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "accept-encoding"];

/// The problems, with where they are.
struct Problems {
    all: Vec<FieldError>,
    at: String,
}

impl Problems {
    fn push(&mut self, field: &str, code: &'static str, detail: impl Into<String>) {
        self.all.push(FieldError::new(format!("{}/{field}", self.at), code, detail));
    }

    fn invalid(&mut self, field: &str, detail: impl Into<String>) {
        self.push(field, "invalid", detail);
    }

    fn length(&mut self, field: &str, text: &str, least: usize, most: usize) {
        if !(least..=most).contains(&text.len()) {
            self.invalid(field, format!("it has {least} to {most} bytes"));
        }
    }

    fn within(&mut self, at: String, check: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.at, at);
        check(self);
        self.at = before;
    }
}

impl MonitorSpec {
    /// All problems; `policy`: which addresses may be asked. Names are judged when they are resolved. Pointers begin at `/spec`.
    pub fn validate(&self, policy: &Policy) -> Vec<FieldError> {
        let mut problems = Problems { all: Vec::new(), at: "/spec".to_owned() };
        let p = &mut problems;
        match self {
            Self::Http(spec) => http(spec, None, policy, p),
            Self::Flow(spec) => flow(spec, policy, p),
            Self::Tcp(spec) => {
                host(&spec.host, spec.port, policy, p);
                for (field, text) in [("send", &spec.send), ("expect", &spec.expect)] {
                    if let Some(text) = text {
                        p.length(field, text, 1, TEXT);
                    }
                }
            }
            Self::Tls(spec) => {
                host(&spec.host, spec.port, policy, p);
                spec.server_name.iter().for_each(|name| name_of_host("server_name", name, p));
            }
            Self::Dns(spec) => dns(spec, policy, p),
            Self::Icmp(spec) => icmp(spec, policy, p),
            Self::Smtp(spec) | Self::Imap(spec) => mail(spec, policy, p),
            Self::Postgres(spec) => postgres(spec, policy, p),
            Self::Grpc(spec) => grpc(spec, policy, p),
            Self::Heartbeat(spec) => heartbeat(spec, p),
            Self::Domain(spec) => domain(spec, p),
            Self::Internal(spec) => p.length("check", &spec.check, 1, 100),
        }
        if serde_json::to_vec(self).map_or(0, |text| text.len()) > ALL {
            let text = "all settings of what is asked have at most 128 KB together";
            problems.all.push(FieldError::new("/spec", "too_long", text));
        }
        if self.patterns() > PATTERNS {
            let text = format!("at most {PATTERNS} regular expressions");
            problems.all.push(FieldError::new("/spec", "too_many", text));
        }
        for name in self.secrets() {
            let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
            if !(1..=40).contains(&name.0.len()) || !name.0.chars().all(is_name) {
                problems.invalid("secrets", format!("{:?} is no name of a secret: 1 to 40 of [a-z0-9_]", name.0));
            }
        }
        problems.all
    }

    /// The secrets that it names: those that the monitor must have.
    pub fn secrets(&self) -> BTreeSet<SecretName> {
        let mut names = BTreeSet::new();
        match self {
            Self::Http(spec) => secrets_of(spec, &mut names),
            Self::Flow(spec) => spec.steps.iter().for_each(|step| secrets_of(&step.http, &mut names)),
            Self::Postgres(spec) => names.extend(spec.password.clone()),
            _ => {}
        }
        names
    }

    /// The shortest interval of its kind, seconds.
    pub fn shortest_interval(&self) -> i32 {
        // Registries limit how often they are asked.
        if self.kind() == Kind::Domain { 86_400 } else { 10 }
    }
}

fn secrets_of(spec: &HttpSpec, names: &mut BTreeSet<SecretName>) {
    match &spec.auth {
        Some(Auth::Basic { password, .. }) => names.extend([password.clone()]),
        Some(Auth::Bearer { token }) => names.extend([token.clone()]),
        Some(Auth::ClientCertificate { certificate, key }) => names.extend([certificate.clone(), key.clone()]),
        None => {}
    }
    let texts = spec.headers.values().chain(&spec.body).chain([&spec.url]);
    let used = texts.flat_map(|text| placeholders(text)).filter_map(|name| name.strip_prefix("secret."));
    names.extend(used.map(|name| SecretName(name.to_owned())));
}

/// The names in `{{..}}`.
fn placeholders(text: &str) -> Vec<&str> {
    let parts = text.split("{{").skip(1);
    parts.filter_map(|part| part.split_once("}}")).map(|(name, _)| name.trim()).collect()
}

/// `taken`: of earlier steps of a flow; `None`: there are none.
fn http(spec: &HttpSpec, taken: Option<&BTreeSet<&str>>, policy: &Policy, p: &mut Problems) {
    url("url", &spec.url, policy, p);
    let texts = spec.headers.values().chain(&spec.body).chain([&spec.url]);
    for name in texts.flat_map(|text| placeholders(text)).filter(|name| !name.starts_with("secret.")) {
        if !taken.is_some_and(|taken| taken.contains(name)) {
            p.invalid("url", format!("{{{{{name}}}}} is no secret, and no earlier step gives it"));
        }
    }
    if spec.headers.len() > HEADERS {
        p.invalid("headers", format!("there are at most {HEADERS}"));
    }
    for (name, value) in &spec.headers {
        if HeaderName::from_bytes(name.as_bytes()).is_err() || REFUSED.contains(&name.to_ascii_lowercase().as_str()) {
            p.invalid("headers", format!("{name:?} cannot be set"));
        }
        if HeaderValue::from_str(value).is_err() || value.len() > TEXT {
            p.invalid("headers", format!("the value of {name:?} cannot be sent"));
        }
    }
    if spec.body.as_ref().is_some_and(|body| body.len() > BODY) {
        p.invalid("body", "it has at most 64 KB");
    }
    if let Some(Auth::Basic { user, .. }) = &spec.auth
        && (user.contains(':') || user.len() > 255)
    {
        p.invalid("auth", "the user has no colon and at most 255 bytes");
    }
    if spec.redirects > 10 {
        p.invalid("redirects", "at most 10 are followed");
    }
    if spec.status.is_empty() || spec.status.len() > 20 || spec.status.iter().any(|text| parse_status(text).is_none()) {
        p.invalid("status", "1 to 20 numbers or ranges, such as 200-299");
    }
    if spec.body_bytes.is_some_and(|bytes| !(1..=1024 * 1024).contains(&bytes)) {
        p.invalid("body_bytes", "1 byte to 1 MiB");
    }
    if spec.expect.len() > CONDITIONS {
        p.invalid("expect", format!("there are at most {CONDITIONS}"));
    }
    for (place, condition) in spec.expect.iter().enumerate() {
        if let Some(problem) = judge_condition(condition) {
            p.invalid(&format!("expect/{place}"), problem);
        }
    }
}

fn judge_condition(condition: &Condition) -> Option<String> {
    let pattern = |test: Test, text: &str| (test == Test::Matches).then(|| pattern::compile(text).err()).flatten();
    match condition {
        Condition::Keyword { text, .. } => {
            (text.is_empty() || text.len() > TEXT).then(|| format!("a keyword has 1 to {TEXT} bytes"))
        }
        Condition::Json { path, test, value } => match JsonPath::parse(path) {
            Err(error) => Some(error),
            Ok(_) => pattern(*test, value.as_str().unwrap_or_default()),
        },
        Condition::Header { name, test, value } => {
            let is_name = HeaderName::from_bytes(name.as_bytes()).is_ok();
            if is_name { pattern(*test, value) } else { Some(format!("{name:?} is no name of a header")) }
        }
        Condition::TimeBelow { ms } => (*ms < 1).then(|| "at least a millisecond".to_owned()),
    }
}

fn flow(spec: &FlowSpec, policy: &Policy, p: &mut Problems) {
    if !(1..=STEPS).contains(&spec.steps.len()) {
        p.invalid("steps", format!("a flow has 1 to {STEPS} steps"));
    }
    let mut taken = BTreeSet::new();
    for (place, step) in spec.steps.iter().enumerate() {
        p.within(format!("/spec/steps/{place}"), |p| {
            p.length("name", &step.name, 1, 100);
            for (name, take) in &step.take {
                if let Some(problem) = judge_take(name, take) {
                    p.invalid("take", problem);
                }
            }
        });
        p.within(format!("/spec/steps/{place}/http"), |p| http(&step.http, Some(&taken), policy, p));
        taken.extend(step.take.keys().map(String::as_str));
    }
}

fn judge_take(name: &str, take: &Take) -> Option<String> {
    let is_name = |char: char| char.is_ascii_alphanumeric() || char == '_';
    if !(1..=40).contains(&name.len()) || !name.chars().all(is_name) {
        return Some(format!("{name:?} is no name: 1 to 40 letters, digits and underscores"));
    }
    match take {
        Take::Json { path } => JsonPath::parse(path).err(),
        Take::Header { name } => {
            HeaderName::from_bytes(name.as_bytes()).err().map(|_| format!("{name:?} is no header"))
        }
        Take::Cookie { name } => name.is_empty().then(|| "a cookie has a name".to_owned()),
        Take::Regex { pattern, group } => match pattern::compile(pattern) {
            Err(error) => Some(error),
            Ok(parsed) if parsed.captures_len() <= usize::from(*group) => {
                Some(format!("the pattern has no group {group}"))
            }
            Ok(_) => None,
        },
    }
}

fn url(field: &str, text: &str, policy: &Policy, p: &mut Problems) {
    p.length(field, text, 1, 2000);
    // A value in the address is known when it is asked; where it leads is judged then.
    let plain = text.split("{{").map(|part| part.split_once("}}").map_or(part, |(_, rest)| rest)).collect::<Vec<_>>();
    let plain = plain.join("x");
    match plain.parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            p.invalid(field, "credentials are set as `auth`, not in the address");
        }
        Ok(_) => match judge(&plain, policy) {
            Ok(()) => {}
            Err(error) => address(field, &error, p),
        },
        Err(_) => p.invalid(field, "this is not an http or https address"),
    }
}

fn address(field: &str, error: &AddressError, p: &mut Problems) {
    match error {
        AddressError::Invalid => p.invalid(field, error.to_string()),
        AddressError::NotPublic(_) => {
            p.push(
                field,
                "private_target",
                format!("{error}: the operator's setting uptime.private_networks permits it"),
            );
        }
    }
}

fn host(name: &str, port: u16, policy: &Policy, p: &mut Problems) {
    name_of_host("host", name, p);
    if let Err(error) = judge_host(name, policy) {
        address("host", &error, p);
    }
    if port == 0 {
        p.invalid("port", "1 to 65535");
    }
}

fn name_of_host(field: &str, name: &str, p: &mut Problems) {
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | ':' | '[' | ']');
    if name.is_empty() || name.len() > 253 || !name.chars().all(is_part) {
        p.invalid(field, "this is neither the name of a host nor an address");
    }
}

fn dns(spec: &DnsSpec, policy: &Policy, p: &mut Problems) {
    name_of_host("name", &spec.name, p);
    if let Some(server) = &spec.server {
        match server.parse::<std::net::SocketAddr>() {
            Err(_) => p.invalid("server", "an address with a port, such as 9.9.9.9:53"),
            Ok(address) if !policy.permits(address.ip()) => {
                let detail = format!("{} is not an address of the public internet", address.ip());
                p.push("server", "private_target", detail);
            }
            Ok(_) => {}
        }
    }
    if spec.values.len() > 50 || spec.values.iter().any(|value| value.is_empty() || value.len() > 500) {
        p.invalid("values", "at most 50, each of 1 to 500 bytes");
    }
    if spec.rcode.as_ref().is_some_and(|rcode| !DnsSpec::is_rcode(rcode)) {
        p.invalid("rcode", "such as NXDOMAIN");
    }
    if spec.rcode.is_some() && !spec.values.is_empty() {
        p.invalid("rcode", "an answer with an error has no values");
    }
}

fn icmp(spec: &IcmpSpec, policy: &Policy, p: &mut Problems) {
    host(&spec.host, 1, policy, p);
    if !(1..=10).contains(&spec.count) {
        p.invalid("count", "1 to 10");
    }
    if !(0.0..=1.0).contains(&spec.loss_below) {
        p.invalid("loss_below", "0 to 1");
    }
    if spec.size > 1400 {
        p.invalid("size", "at most 1400 bytes");
    }
}

fn mail(spec: &MailServerSpec, policy: &Policy, p: &mut Problems) {
    host(&spec.host, spec.port, policy, p);
    spec.expect.iter().for_each(|text| p.length("expect", text, 1, 500));
}

fn postgres(spec: &PostgresSpec, policy: &Policy, p: &mut Problems) {
    host(&spec.host, spec.port, policy, p);
    p.length("database", &spec.database, 1, 63);
    p.length("user", &spec.user, 1, 63);
    spec.query.iter().for_each(|query| p.length("query", query, 1, TEXT));
    if spec.password.is_none() && (spec.query.is_some() || spec.is.is_some()) {
        p.invalid("password", "without one nothing can be asked");
    }
}

fn grpc(spec: &GrpcSpec, policy: &Policy, p: &mut Problems) {
    url("url", &spec.url, policy, p);
    if spec.url.parse::<Url>().is_ok_and(|url| url.path() != "/" || url.query().is_some()) {
        p.invalid("url", "host and port only");
    }
    p.length("service", &spec.service, 0, 255);
}

fn heartbeat(spec: &HeartbeatSpec, p: &mut Problems) {
    if !(0..=604_800).contains(&spec.grace_seconds) {
        p.invalid("grace_seconds", "0 to a week");
    }
    if spec.at_most_seconds.is_some_and(|seconds| !(1..=604_800).contains(&seconds)) {
        p.invalid("at_most_seconds", "1 second to a week");
    }
    let zone = if spec.zone.is_empty() { "UTC" } else { &spec.zone };
    if !Cron::is_zone(zone) {
        p.invalid("zone", "this is no time zone, such as Europe/Berlin");
    } else if let Some(cron) = &spec.cron
        && let Err(error) = Cron::parse(cron, zone)
    {
        p.invalid("cron", error.to_string());
    }
}

fn domain(spec: &DomainSpec, p: &mut Problems) {
    let name = spec.name.trim_end_matches('.').to_ascii_lowercase();
    name_of_host("name", &spec.name, p);
    if psl::domain_str(&name) != Some(name.as_str()) {
        p.invalid("name", "this is not a domain as it is registered, such as example.com");
    }
    if !(1..=365).contains(&spec.days) {
        p.invalid("days", "1 to 365");
    }
}
