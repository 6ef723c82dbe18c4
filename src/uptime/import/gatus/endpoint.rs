//! Endpoints, those that others push to, and suites of them.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::{
    Reader,
    asked::{client, has_variable, in_context, spec, take},
    conditions::Expected,
    duration,
    notes::{Notes, rest},
};
use crate::{
    import::{Candidate, Fate, Left, MonitorRow, Proposal, fields::Fields, keys::is_long_enough, seldom},
    secrets::Secrets,
    settings::Settings,
    spec::{DomainSpec, FlowSpec, FlowStep, HeartbeatSpec, MonitorSpec},
};

const HOUR: i64 = 3_600_000;
const DAY: i32 = 86_400;

impl Reader<'_> {
    pub fn endpoint(&mut self, mut one: Fields<'_>) {
        let (name, group) = (one.text("name").unwrap_or_default(), one.text("group").unwrap_or_default());
        let mut notes = Notes::default();
        let client = client(one.object("client"), &mut notes);
        let is_dns = one.get("dns").is_some();
        let conditions = one.list("conditions");
        let expected = Expected::of(conditions, is_dns);
        let spec = spec(&mut one, &client, &expected, &mut notes);
        Self::note_conditions(conditions, &expected, &mut notes);
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
        let token = one.text("token").filter(|token| !has_variable(token) && is_long_enough(token));
        let token = token.map(SecretString::from);
        if token.is_none() {
            let reason = "a variable, none, or one that can be guessed: a new one is made, and senders must be told";
            notes.left("token", "(not shown)", reason);
        }
        let interval = one.object("heartbeat").and_then(|mut heartbeat| heartbeat.text("interval"));
        let interval = interval.and_then(|text| duration(&text));
        if interval.is_none() {
            notes.left("heartbeat", "none", "a report is expected once a day here");
        }
        let day = i64::from(DAY) * 1000;
        let interval = interval.unwrap_or(day);
        let grace = seldom(interval / 1000);
        if interval > day {
            notes.left(
                "heartbeat.interval",
                format!("{interval} ms"),
                "taken as a day, and the rest as grace: at most a week",
            );
        }
        if grace.is_none() {
            notes.pause("a report comes less often than every eight days: it would be missed each day");
        }
        let interval = interval.min(day);
        let heartbeat = HeartbeatSpec { grace_seconds: grace.unwrap_or_default(), ..HeartbeatSpec::default() };
        let spec = MonitorSpec::Heartbeat(heartbeat);
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
            let conditions = one.list("conditions");
            let expected = Expected::of(conditions, false);
            Self::note_conditions(conditions, &expected, &mut notes);
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

    /// Conditions that are not taken as they are. Without any, whatever answers would be up: Gatus refuses such a file.
    fn note_conditions(conditions: &[Value], expected: &Expected, notes: &mut Notes) {
        if conditions.is_empty() {
            notes.left("conditions", "none", "what must be so is not in the file");
            notes.pause("it has no conditions: whatever answers would be up");
        }
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

/// A number that was clamped to what fits.
fn small(number: f64) -> i16 {
    format!("{number:.0}").parse().unwrap_or_default()
}
