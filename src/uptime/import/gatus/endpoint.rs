//! Endpoints, those that others push to, and suites of them.

use std::collections::BTreeMap;

use regex::Regex;
use secrecy::SecretString;
use serde_json::Value;

use super::{Reader, conditions::Expected, duration};
use crate::{
    import::{Candidate, Fate, Left, MonitorRow, Proposal, fields::Fields},
    secrets::Secrets,
    settings::Settings,
    spec::{
        Auth, DnsMatch, DnsRecordType, DnsSpec, DomainSpec, Family, FlowSpec, FlowStep, GrpcSpec, HeartbeatSpec,
        HttpMethod, HttpSpec, HttpVersion, IcmpSpec, MailServerSpec, MailTls, MonitorSpec, SecretName, Take, TcpSpec,
        TlsSpec,
    },
};

const HOUR: i64 = 3_600_000;
const DAY: i32 = 86_400;

/// What is read of one endpoint beside its spec.
#[derive(Default)]
struct Notes {
    left: Vec<Left>,
    /// Why it must be paused.
    pause: Option<String>,
}

impl Notes {
    fn left(&mut self, field: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) {
        self.left.push(Left::new(field, value, reason));
    }

    fn pause(&mut self, reason: impl Into<String>) {
        if self.pause.is_none() {
            self.pause = Some(reason.into());
        }
    }
}

/// How it asks.
struct Client {
    timeout: Option<i64>,
    verify: bool,
    redirects: u8,
    family: Family,
    auth: Option<Auth>,
}

impl Reader<'_> {
    pub fn endpoint(&mut self, mut one: Fields<'_>) {
        let (name, group) = (one.text("name").unwrap_or_default(), one.text("group").unwrap_or_default());
        let mut notes = Notes::default();
        let client = client(one.object("client"), &mut notes);
        let is_dns = one.get("dns").is_some();
        let expected = Expected::of(one.list("conditions"), is_dns);
        let spec = spec(&mut one, &client, &expected, &mut notes);
        Self::note_conditions(&expected, &mut notes);
        let interval = one.text("interval").and_then(|text| duration(&text)).unwrap_or(60_000);
        let settings = spec.map(|spec| {
            let mut settings = of_interval(Settings::new(name.clone(), spec), interval, client.timeout, &mut notes);
            settings.certificate_days = expected.certificate_days.unwrap_or(0).clamp(0, 365);
            settings
        });
        let settings = settings.map(|settings| self.alerts(one.list("alerts"), settings, interval, &name));
        let is_paused = one.get("enabled").is_some() && !one.flag("enabled");
        let key = self.key(&group, &name);
        for window in one.list("maintenance-windows").iter().filter_map(Fields::of) {
            self.maintenance("maintenance-windows", window, Some(&key));
        }
        rest(&one, &mut notes);
        if let Some(days) = expected.domain_days {
            self.domain(&name, &group, days, settings.as_ref().ok());
        }
        self.put(name, &group, key, settings, (Secrets::default(), None), is_paused, notes);
    }

    /// Its senders need not change: the token is kept.
    pub fn external(&mut self, mut one: Fields<'_>) {
        let (name, group) = (one.text("name").unwrap_or_default(), one.text("group").unwrap_or_default());
        let mut notes = Notes::default();
        let token = one.text("token").filter(|token| !has_variable(token)).map(SecretString::from);
        if token.is_none() {
            notes.left("token", "(not shown)", "a variable, or none: a new one is made, and senders must be told");
        }
        let interval = one.object("heartbeat").and_then(|mut heartbeat| heartbeat.text("interval"));
        let interval = interval.and_then(|text| duration(&text));
        if interval.is_none() {
            notes.left("heartbeat", "none", "a report is expected once a day here");
        }
        let spec = MonitorSpec::Heartbeat(HeartbeatSpec::default());
        let interval = interval.unwrap_or(i64::from(DAY) * 1000);
        let settings = of_interval(Settings::new(name.clone(), spec), interval, None, &mut notes);
        let settings = Settings { retries: 0, ..self.alerts(one.list("alerts"), settings, interval, &name) };
        let is_paused = one.get("enabled").is_some() && !one.flag("enabled");
        let key = self.key(&group, &name);
        rest(&one, &mut notes);
        self.put(name, &group, key, Ok(settings), (Secrets::default(), token), is_paused, notes);
    }

    pub fn suite(&mut self, mut suite: Fields<'_>) {
        let (name, group) = (suite.text("name").unwrap_or_default(), suite.text("group").unwrap_or_default());
        let mut notes = Notes::default();
        let context: BTreeMap<String, String> = suite
            .get("context")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        let mut steps = Vec::new();
        for mut one in suite.list("endpoints").iter().filter_map(Fields::of) {
            let step = one.text("name").unwrap_or_default();
            let client = client(one.object("client"), &mut notes);
            let expected = Expected::of(one.list("conditions"), false);
            Self::note_conditions(&expected, &mut notes);
            match spec(&mut one, &client, &expected, &mut notes) {
                Ok(MonitorSpec::Http(http)) => {
                    let take = take(one.get("store"), &mut notes);
                    steps.push(FlowStep { name: step.clone(), http: in_context(http, &context), take });
                }
                Ok(_) => notes.pause(format!("step {step}: a flow has HTTP requests only")),
                Err(reason) => notes.pause(format!("step {step}: {reason}")),
            }
            if one.flag("always-run") {
                notes.left("always-run", "true", format!("step {step}: a flow ends with its first failure"));
            }
            rest(&one, &mut notes);
        }
        let interval = suite.text("interval").and_then(|text| duration(&text)).unwrap_or(600_000);
        let timeout = suite.text("timeout").and_then(|text| duration(&text)).unwrap_or(300_000);
        let settings = if steps.is_empty() {
            Err("none of its endpoints can be taken".to_owned())
        } else {
            let flow = Settings::new(name.clone(), MonitorSpec::Flow(FlowSpec { steps }));
            Ok(of_interval(flow, interval, Some(timeout), &mut notes))
        };
        let is_paused = suite.get("enabled").is_some() && !suite.flag("enabled");
        let key = self.key(&group, &name);
        rest(&suite, &mut notes);
        self.put(name, &group, key, settings, (Secrets::default(), None), is_paused, notes);
    }

    /// Conditions that are not taken as they are.
    fn note_conditions(expected: &Expected, notes: &mut Notes) {
        for (text, reason) in &expected.changed {
            notes.left("conditions", text.clone(), reason.clone());
        }
        for (text, reason) in &expected.refused {
            notes.left("conditions", text.clone(), reason.clone());
            notes.pause(format!("the condition {text} cannot be taken: without it the monitor would be up"));
        }
    }

    /// The domain of a condition, as a monitor of its own.
    fn domain(&mut self, name: &str, group: &str, days: i16, of: Option<&Settings>) {
        let host = match of.map(|settings| &settings.spec) {
            Some(MonitorSpec::Http(http)) => {
                http.url.parse::<axum::http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned))
            }
            Some(MonitorSpec::Tls(tls)) => Some(tls.host.clone()),
            Some(MonitorSpec::Smtp(server)) => Some(server.host.clone()),
            _ => None,
        };
        let host = host.as_deref().and_then(psl::domain_str).map(str::to_owned);
        let Some(host) = host else { return };
        let name = format!("{name}, domain");
        let key = self.key(group, &name);
        let spec = MonitorSpec::Domain(DomainSpec { name: host, days });
        let settings = Ok(Settings::new(name.clone(), spec));
        self.put(name, group, key, settings, (Secrets::default(), None), false, Notes::default());
    }

    /// Thresholds are taken; whom to tell is a rule's.
    fn alerts(&mut self, alerts: &[Value], settings: Settings, interval: i64, name: &str) -> Settings {
        let mut settings = settings;
        for (place, mut alert) in alerts.iter().filter_map(Fields::of).enumerate() {
            let failures = alert.number("failure-threshold").unwrap_or(3.0).clamp(1.0, 11.0);
            let successes = alert.number("success-threshold").unwrap_or(2.0).clamp(1.0, 10.0);
            if place == 0 {
                // There the attempts of a failure are an interval apart.
                settings.retries = small(failures - 1.0);
                settings.successes = small(successes);
                settings.retry_ms = i32::try_from(interval.clamp(100, HOUR)).ok();
            }
            let kind = alert.text("type").unwrap_or_default();
            let reminder = alert
                .text("minimum-reminder-interval")
                .map_or_else(String::new, |every| format!(", again after {every}"));
            let resolved = if alert.flag("send-on-resolved") { ", and when it is over" } else { "" };
            alert.get("enabled");
            for (field, value) in alert.left() {
                let left = Left::new(format!("alerts.{field}"), value, format!("{name}: whom to tell is a rule's"));
                self.parsed.report.left.push(left);
            }
            let text = format!("{name}: tell {kind} after {failures} failures{reminder}{resolved}");
            self.parsed.report.proposals.push(Proposal { what: "rule".to_owned(), name: name.to_owned(), text });
        }
        settings
    }

    #[expect(clippy::too_many_arguments, reason = "what was read of one endpoint; a struct for one call says no more")]
    fn put(
        &mut self,
        name: String,
        group: &str,
        key: String,
        settings: Result<Settings, String>,
        (secrets, token): (Secrets, Option<SecretString>),
        is_paused: bool,
        notes: Notes,
    ) {
        let group = self.group(group);
        let (fate, reason) = match (&settings, &notes.pause) {
            (Err(reason), _) => (Fate::NotTaken, Some(reason.clone())),
            (Ok(_), Some(pause)) => (Fate::Paused, Some(pause.clone())),
            (Ok(_), None) => (Fate::Taken, None),
        };
        let settings = settings.ok();
        let missing = settings.iter().flat_map(|settings| settings.spec.secrets());
        let missing = missing.filter(|name| secrets.get(name).is_none()).map(|name| name.0).collect();
        self.parsed.report.monitors.push(MonitorRow {
            name,
            key: settings.is_some().then(|| key.clone()),
            kind: settings.as_ref().map(|settings| settings.spec.kind()),
            fate,
            reason,
            secrets: missing,
            left: notes.left,
        });
        if let Some(settings) = settings {
            let paused = is_paused || notes.pause.is_some();
            self.parsed.monitors.push(Candidate {
                key,
                group,
                parent: None,
                settings,
                secrets,
                token,
                paused,
                is_offered: false,
            });
        }
    }
}

/// What it asks; `Err`: why it cannot be taken.
fn spec(one: &mut Fields<'_>, client: &Client, expected: &Expected, notes: &mut Notes) -> Result<MonitorSpec, String> {
    let url = one.text("url").ok_or("it has no URL")?;
    if has_variable(&url) {
        return Err("url: it holds a variable, and its value is not in the file".to_owned());
    }
    let Client { verify, family, .. } = *client;
    if let Some(dns) = one.object("dns") {
        return dns_spec(dns, &url, expected).map(MonitorSpec::Dns);
    }
    let (scheme, rest) = url.split_once("://").ok_or("url: it has no scheme")?;
    let address = rest.split('/').next().unwrap_or_default();
    Ok(match scheme {
        "http" | "https" => MonitorSpec::Http(http(one, url.clone(), client, expected, notes)?),
        "tcp" => {
            let (host, port) = host_port(address, None)?;
            let send = one.text("body");
            if !expected.conditions.is_empty() {
                notes.pause("conditions about an answer are not for tcp here");
            }
            MonitorSpec::Tcp(TcpSpec { host, port, send, expect: None, family })
        }
        "icmp" => MonitorSpec::Icmp(IcmpSpec { host: address.to_owned(), count: 1, loss_below: 1.0, size: 56, family }),
        "tls" => {
            let (host, port) = host_port(address, Some(443))?;
            MonitorSpec::Tls(TlsSpec { host, port, server_name: None, verify, family })
        }
        "starttls" => {
            let (host, port) = host_port(address, Some(587))?;
            MonitorSpec::Smtp(MailServerSpec { host, port, tls: MailTls::Starttls, verify, expect: None, family })
        }
        "grpc" | "grpcs" => {
            let scheme = if scheme == "grpcs" { "https" } else { "http" };
            let service = rest.split_once('/').map(|(_, service)| service.to_owned()).unwrap_or_default();
            MonitorSpec::Grpc(GrpcSpec { url: format!("{scheme}://{address}"), service, verify, family })
        }
        other => return Err(format!("url: {other} is not watched here")),
    })
}

fn http(
    one: &mut Fields<'_>,
    url: String,
    client: &Client,
    expected: &Expected,
    notes: &mut Notes,
) -> Result<HttpSpec, String> {
    let method = one.text("method").unwrap_or_else(|| "GET".to_owned()).to_uppercase();
    let method: HttpMethod = method.parse().map_err(|_| format!("method: {method} is not sent here"))?;
    let body = one.text("body").map(|body| with_secrets(&body));
    let is_graphql = one.flag("graphql");
    let body = if is_graphql { body.map(|query| serde_json::json!({ "query": query }).to_string()) } else { body };
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in one.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(name.clone(), with_secrets(&value));
    }
    if is_graphql {
        headers.entry("Content-Type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    if expected.rcode.is_some() || !expected.values.is_empty() {
        notes.pause("conditions about the DNS are not for http");
    }
    Ok(HttpSpec {
        url,
        method,
        headers,
        body,
        auth: client.auth.clone(),
        redirects: client.redirects,
        status: expected.status(),
        version: HttpVersion::default(),
        family: client.family,
        verify: client.verify,
        body_bytes: None,
        expect: expected.conditions.clone(),
    })
}

fn dns_spec(mut dns: Fields<'_>, url: &str, expected: &Expected) -> Result<DnsSpec, String> {
    let name = dns.text("query-name").ok_or("dns: it has no query-name")?;
    let record = dns.text("query-type").unwrap_or_else(|| "A".to_owned());
    let record: DnsRecordType = record.parse().map_err(|_| format!("dns: {record} is not looked up here"))?;
    let server = url.trim_start_matches("udp://").trim_start_matches("tcp://");
    let server = if server.contains(':') { server.to_owned() } else { format!("{server}:53") };
    let values_match = DnsMatch::AnyOf;
    Ok(DnsSpec {
        name,
        record,
        server: Some(server),
        values: expected.values.clone(),
        values_match,
        rcode: expected.rcode.clone(),
    })
}

fn host_port(address: &str, default: Option<u16>) -> Result<(String, u16), String> {
    let split = address.rsplit_once(':').filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
    let (host, port) = split.map_or((address, default), |(host, port)| (host, port.parse().ok()));
    let port = port.ok_or("url: it has no port")?;
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() { Err("url: it has no host".to_owned()) } else { Ok((host.to_owned(), port)) }
}

fn client(given: Option<Fields<'_>>, notes: &mut Notes) -> Client {
    let mut client = Client { timeout: None, verify: true, redirects: 10, family: Family::Auto, auth: None };
    let Some(mut given) = given else { return client };
    client.timeout = given.text("timeout").and_then(|text| duration(&text));
    client.verify = !given.flag("insecure");
    if given.flag("ignore-redirect") {
        client.redirects = 0;
    }
    client.family = match given.text("network").as_deref() {
        Some("ip4") => Family::Four,
        Some("ip6") => Family::Six,
        _ => Family::Auto,
    };
    if given.text("dns-resolver").is_some() {
        notes.left("client.dns-resolver", "set", "names are looked up by this host's name servers");
    }
    for name in ["proxy-url", "oauth2", "identity-aware-proxy", "tunnel"] {
        if given.get(name).is_some() {
            notes.left(format!("client.{name}"), "set", "not known here");
            notes.pause(format!("client.{name} cannot be taken"));
        }
    }
    if given.flag("store-cookies") {
        notes.left("client.store-cookies", "true", "only flows keep cookies");
    }
    if let Some(mut tls) = given.object("tls") {
        let files = [tls.text("certificate-file"), tls.text("private-key-file")];
        if files.iter().all(Option::is_some) {
            let (certificate, key) = (SecretName("client_certificate".into()), SecretName("client_key".into()));
            client.auth = Some(Auth::ClientCertificate { certificate, key });
        }
        rest_of("client.tls.", &tls, notes);
    }
    rest_of("client.", &given, notes);
    client
}

/// Interval and timeout, within what is possible here.
fn of_interval(settings: Settings, interval: i64, timeout: Option<i64>, notes: &mut Notes) -> Settings {
    let seconds = (interval / 1000).clamp(10, i64::from(DAY));
    if seconds * 1000 != interval {
        notes.left("interval", format!("{interval} ms"), format!("taken as {seconds} s: whole seconds, 10 s to a day"));
    }
    let asked = timeout.unwrap_or(10_000);
    let taken = asked.clamp(100, 120_000).min(seconds * 1000);
    if timeout.is_some() && taken != asked {
        notes.left("timeout", format!("{asked} ms"), format!("taken as {taken} ms"));
    }
    let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    Settings { interval_seconds: small(seconds), timeout_ms: small(taken), ..settings }
}

/// What nobody asked for.
fn rest(one: &Fields<'_>, notes: &mut Notes) {
    rest_of("", one, notes);
}

fn rest_of(before: &str, one: &Fields<'_>, notes: &mut Notes) {
    for (field, value) in one.left() {
        notes.left(format!("{before}{field}"), value, "not known here");
    }
}

fn has_variable(text: &str) -> bool {
    text.contains("${") || text.split('$').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// `${VAR}` and `$VAR` become the secret `var`.
fn with_secrets(text: &str) -> String {
    let Ok(variable) = Regex::new(r"\$\{([A-Za-z_][A-Za-z0-9_]{0,39})\}|\$([A-Z_][A-Z0-9_]{0,39})") else {
        return text.to_owned();
    };
    let named = |found: &regex::Captures<'_>| {
        let name = found.get(1).or_else(|| found.get(2)).map_or("", |name| name.as_str());
        format!("{{{{secret.{}}}}}", name.to_lowercase())
    };
    variable.replace_all(text, named).into_owned()
}

/// `[CONTEXT].name` becomes the value that the context has from the first, or `{{name}}`.
fn in_context(http: HttpSpec, context: &BTreeMap<String, String>) -> HttpSpec {
    let Ok(named) = Regex::new(r"\[CONTEXT\]\.([A-Za-z0-9_]+)") else { return http };
    let filled = |text: &str| {
        let value = |found: &regex::Captures<'_>| {
            context.get(&found[1]).cloned().unwrap_or_else(|| format!("{{{{{}}}}}", &found[1]))
        };
        named.replace_all(text, value).into_owned()
    };
    HttpSpec {
        url: filled(&http.url),
        body: http.body.as_deref().map(filled),
        headers: http.headers.iter().map(|(name, value)| (name.clone(), filled(value))).collect(),
        ..http
    }
}

fn take(store: Option<&Value>, notes: &mut Notes) -> BTreeMap<String, Take> {
    let mut taken = BTreeMap::new();
    for (name, from) in store.and_then(Value::as_object).into_iter().flatten() {
        let from = from.as_str().unwrap_or_default();
        match from.strip_prefix("[BODY]").filter(|path| path.starts_with(['.', '['])) {
            Some(path) => {
                taken.insert(name.clone(), Take::Json { path: format!("${path}") });
            }
            None => {
                notes.left("store", format!("{name}: {from}"), "only values of a JSON body are stored");
                notes.pause(format!("the value {name} cannot be stored"));
            }
        }
    }
    taken
}

/// A number that was clamped to what fits.
fn small(number: f64) -> i16 {
    format!("{number:.0}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_secrets() {
        assert_eq!(
            with_secrets("Bearer ${API_TOKEN} and $OTHER, not $5"),
            "Bearer {{secret.api_token}} and {{secret.other}}, not $5"
        );
        assert!(has_variable("https://${HOST}/") && has_variable("$HOST") && !has_variable("costs $5"));
        assert_eq!(host_port("[::1]:22", None), Ok(("::1".to_owned(), 22)));
        assert_eq!(host_port("example.com", Some(443)), Ok(("example.com".to_owned(), 443)));
        assert!(host_port("example.com", None).is_err());
    }
}
