//! From what the file says to what is set of a monitor. What is wrong comes back as texts.

mod secrets;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::{
    duration::Duration,
    format::{
        AuthEntry, Defaults, DnsEntry, ExpectEntry, HeartbeatEntry, HttpEntry, MailServerEntry, MonitorEntry,
        PostgresEntry, StepEntry, TakeEntry,
    },
};
use crate::{
    secrets::Secrets,
    settings::Settings,
    spec::{
        Auth, Condition, DnsMatch, DnsSpec, DomainSpec, FlowSpec, FlowStep, GrpcSpec, HeartbeatSpec, HttpSpec,
        IcmpSpec, MailServerSpec, MonitorSpec, PostgresSpec, Take, TcpSpec, Test, TlsSpec,
    },
};

/// What the file says of a monitor; group and parent are keys still.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub settings: Settings,
    pub secrets: Secrets,
    /// Of a heartbeat.
    pub token: Option<SecretString>,
    pub group: Option<String>,
    pub parent: Option<String>,
    pub paused: bool,
}

/// Reads an entry. `Err`: everything that is wrong.
pub fn monitor(key: &str, entry: &MonitorEntry, defaults: &Defaults) -> Result<Wanted, Vec<String>> {
    let mut reader = Reader::default();
    reader.named_secrets(&entry.secrets);
    let specs: Vec<MonitorSpec> = reader.specs(entry);
    let spec = match <[MonitorSpec; 1]>::try_from(specs) {
        Ok([spec]) => spec,
        Err(specs) => {
            if specs.is_empty() && reader.problems.is_empty() {
                reader.problems.push("it asks nothing: it needs one of http, flow, tcp, tls, dns, icmp, smtp, imap, postgres, grpc, heartbeat and domain".to_owned());
            } else if specs.len() > 1 {
                reader.problems.push("it asks several things: make a monitor of each".to_owned());
            }
            return Err(reader.problems);
        }
    };
    if !matches!(spec, MonitorSpec::Http(_))
        && (!entry.headers.is_empty() || entry.auth.is_some() || !entry.expect.is_empty())
    {
        reader.problems.push("headers, auth and expect belong to http; in a flow to its steps".to_owned());
    }
    let token = match &entry.heartbeat {
        Some(HeartbeatEntry { token_file, token_env, .. }) if token_file.is_some() || token_env.is_some() => {
            reader.read("token", token_file.as_deref(), token_env.as_deref())
        }
        _ => None,
    };
    let before = Settings::new(entry.name.clone().unwrap_or_else(|| key.to_owned()), spec);
    let interval = reader.seconds("interval", entry.interval.or(defaults.interval));
    let interval_seconds = interval.unwrap_or(before.interval_seconds);
    let timeout = reader.millis("timeout", entry.timeout.or(defaults.timeout));
    let timeout_ms = timeout.unwrap_or(before.timeout_ms);
    let retry_ms = reader.millis("retry_after", entry.retry_after.or(defaults.retry_after));
    let slow_ms = reader.millis("slow", entry.slow.or(defaults.slow));
    // Defaults are for what is asked; a sender of a heartbeat has judged already.
    let of_defaults = (!matches!(before.spec, MonitorSpec::Heartbeat(_))).then_some(defaults.retries).flatten();
    let settings = Settings {
        description: entry.description.clone(),
        tags: entry.tags.clone(),
        interval_seconds,
        timeout_ms,
        retries: entry.retries.or(of_defaults).unwrap_or(before.retries),
        retry_ms,
        successes: entry.successes.or(defaults.successes).unwrap_or(before.successes),
        slow_ms,
        certificate_days: entry.certificate_days.or(defaults.certificate_days).unwrap_or(before.certificate_days),
        target: entry.target.or(defaults.target),
        badge: entry.badge,
        ..before
    };
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    Ok(Wanted {
        settings: settings.tidied(),
        secrets: reader.secrets,
        token,
        group: entry.group.clone(),
        parent: entry.parent.clone(),
        paused: entry.paused,
    })
}

/// Collects secrets and problems of one monitor.
#[derive(Default)]
struct Reader {
    secrets: Secrets,
    problems: Vec<String>,
}

impl Reader {
    fn seconds(&mut self, name: &str, given: Option<Duration>) -> Option<i32> {
        let seconds = given.map(Duration::seconds);
        if seconds == Some(None) {
            self.problems.push(format!("{name}: whole seconds, please"));
        }
        seconds.flatten()
    }

    fn millis(&mut self, name: &str, given: Option<Duration>) -> Option<i32> {
        let millis = given.map(Duration::millis);
        if millis == Some(None) {
            self.problems.push(format!("{name}: that is too long"));
        }
        millis.flatten()
    }

    /// Everything that it asks: one, if it is right.
    fn specs(&mut self, entry: &MonitorEntry) -> Vec<MonitorSpec> {
        let mut specs = Vec::new();
        if let Some(http) = &entry.http {
            specs.push(MonitorSpec::Http(self.http(http, &entry.headers, entry.auth.as_ref(), &entry.expect)));
        }
        if let Some(steps) = &entry.flow {
            let steps = steps.iter().map(|step| self.step(step)).collect();
            specs.push(MonitorSpec::Flow(FlowSpec { steps }));
        }
        if let Some(tcp) = entry.tcp.clone() {
            let (host, port, send, expect, family) = (tcp.host, tcp.port, tcp.send, tcp.expect, tcp.family);
            specs.push(MonitorSpec::Tcp(TcpSpec { host, port, send, expect, family }));
        }
        if let Some(tls) = entry.tls.clone() {
            specs.push(MonitorSpec::Tls(TlsSpec {
                host: tls.host,
                port: tls.port.unwrap_or(443),
                server_name: tls.server_name,
                verify: tls.verify.unwrap_or(true),
                family: tls.family,
            }));
        }
        if let Some(dns) = &entry.dns {
            specs.push(MonitorSpec::Dns(self.dns(dns)));
        }
        if let Some(icmp) = entry.icmp.clone() {
            specs.push(MonitorSpec::Icmp(IcmpSpec {
                host: icmp.host,
                count: icmp.count.unwrap_or(3),
                loss_below: icmp.loss_below.unwrap_or(1.0),
                size: icmp.size.unwrap_or(56),
                family: icmp.family,
            }));
        }
        specs.extend(entry.smtp.as_ref().map(|server| MonitorSpec::Smtp(mail_server(server))));
        specs.extend(entry.imap.as_ref().map(|server| MonitorSpec::Imap(mail_server(server))));
        if let Some(postgres) = &entry.postgres {
            specs.push(MonitorSpec::Postgres(self.postgres(postgres)));
        }
        if let Some(grpc) = entry.grpc.clone() {
            let verify = grpc.verify.unwrap_or(true);
            specs.push(MonitorSpec::Grpc(GrpcSpec {
                url: grpc.url,
                service: grpc.service,
                verify,
                family: grpc.family,
            }));
        }
        if let Some(heartbeat) = &entry.heartbeat {
            specs.push(MonitorSpec::Heartbeat(self.heartbeat(heartbeat)));
        }
        if let Some(domain) = entry.domain.clone() {
            specs.push(MonitorSpec::Domain(DomainSpec { name: domain.name, days: domain.days.unwrap_or(30) }));
        }
        specs
    }

    fn http(
        &mut self,
        http: &HttpEntry,
        headers: &BTreeMap<String, String>,
        auth: Option<&AuthEntry>,
        expect: &[ExpectEntry],
    ) -> HttpSpec {
        HttpSpec {
            url: http.url.clone(),
            method: http.method,
            headers: headers.clone(),
            body: http.body.clone(),
            auth: auth.and_then(|auth| self.auth(auth)),
            redirects: http.redirects.unwrap_or(5),
            status: http.status.clone().unwrap_or_else(|| vec!["200-299".to_owned()]),
            version: http.version,
            family: http.family,
            verify: http.verify.unwrap_or(true),
            body_bytes: http.body_bytes,
            expect: expect.iter().filter_map(|expect| self.condition(expect)).collect(),
        }
    }

    fn step(&mut self, step: &StepEntry) -> FlowStep {
        FlowStep {
            name: step.name.clone(),
            http: self.http(&step.http, &step.headers, step.auth.as_ref(), &step.expect),
            take: step.take.iter().filter_map(|(name, take)| Some((name.clone(), self.take(name, take)?))).collect(),
        }
    }

    fn auth(&mut self, auth: &AuthEntry) -> Option<Auth> {
        let bearer = auth.bearer_file.is_some() || auth.bearer_env.is_some();
        let certificate = auth.client_certificate_file.is_some() || auth.client_key_file.is_some();
        match (&auth.basic, bearer, certificate) {
            (Some(basic), false, false) => Some(Auth::Basic {
                user: basic.user.clone(),
                password: self.keep("password", basic.password_file.as_deref(), basic.password_env.as_deref()),
            }),
            (None, true, false) => Some(Auth::Bearer {
                token: self.keep("bearer", auth.bearer_file.as_deref(), auth.bearer_env.as_deref()),
            }),
            (None, false, true) => Some(Auth::ClientCertificate {
                certificate: self.keep("client_certificate", auth.client_certificate_file.as_deref(), None),
                key: self.keep("client_key", auth.client_key_file.as_deref(), None),
            }),
            _ => {
                self.problems.push(
                    "auth: one of basic, bearer_file and client_certificate_file with client_key_file".to_owned(),
                );
                None
            }
        }
    }

    fn condition(&mut self, expect: &ExpectEntry) -> Option<Condition> {
        let ExpectEntry { keyword, json, header, time_below, .. } = expect;
        let compared = self.test(expect).ok()?;
        match (keyword, json, header, time_below, compared) {
            (Some(text), None, None, None, None) => {
                Some(Condition::Keyword { text: text.clone(), absent: expect.absent })
            }
            (None, Some(path), None, None, Some((test, value))) => {
                Some(Condition::Json { path: path.clone(), test, value })
            }
            (None, None, Some(name), None, Some((test, value))) => {
                let value = match value {
                    Value::String(value) => value,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                Some(Condition::Header { name: name.clone(), test, value })
            }
            (None, None, None, Some(below), None) => {
                self.millis("expect.time_below", Some(*below)).map(|ms| Condition::TimeBelow { ms })
            }
            _ => {
                let text = "expect: one of keyword, json, header and time_below; json and header with one comparison such as is";
                self.problems.push(text.to_owned());
                None
            }
        }
    }

    /// The comparison, if there is one; `Err`: it is wrong.
    fn test(&mut self, expect: &ExpectEntry) -> Result<Option<(Test, Value)>, ()> {
        let all = [
            (Test::Is, &expect.is),
            (Test::IsNot, &expect.is_not),
            (Test::Contains, &expect.contains),
            (Test::Below, &expect.below),
            (Test::Above, &expect.above),
            (Test::AtMost, &expect.at_most),
            (Test::AtLeast, &expect.at_least),
            (Test::Matches, &expect.matches),
        ];
        let mut found: Vec<(Test, Value)> =
            all.into_iter().filter_map(|(test, value)| Some((test, value.clone()?))).collect();
        match expect.exists {
            Some(true) => found.push((Test::Exists, Value::Null)),
            Some(false) => {
                self.problems.push("expect: exists is true or left out".to_owned());
                return Err(());
            }
            None => {}
        }
        if found.len() > 1 {
            self.problems.push("expect: one comparison for each".to_owned());
            return Err(());
        }
        Ok(found.pop())
    }

    fn take(&mut self, name: &str, take: &TakeEntry) -> Option<Take> {
        let TakeEntry { json, header, cookie, regex, group } = take.clone();
        match (json, header, cookie, regex) {
            (Some(path), None, None, None) => Some(Take::Json { path }),
            (None, Some(name), None, None) => Some(Take::Header { name }),
            (None, None, Some(name), None) => Some(Take::Cookie { name }),
            (None, None, None, Some(pattern)) => Some(Take::Regex { pattern, group }),
            _ => {
                self.problems.push(format!("take.{name}: one of json, header, cookie and regex"));
                None
            }
        }
    }

    fn dns(&mut self, dns: &DnsEntry) -> DnsSpec {
        let given = [(DnsMatch::AnyOf, &dns.any_of), (DnsMatch::AllOf, &dns.all_of), (DnsMatch::NoneOf, &dns.none_of)];
        let mut given: Vec<(DnsMatch, Vec<String>)> =
            given.into_iter().filter_map(|(how, values)| Some((how, values.clone()?))).collect();
        if given.len() > 1 {
            self.problems.push("dns: one of any_of, all_of and none_of".to_owned());
        }
        let (values_match, values) = given.pop().unwrap_or_default();
        DnsSpec {
            name: dns.name.clone(),
            record: dns.record,
            server: dns.server.clone(),
            values,
            values_match,
            rcode: dns.rcode.clone(),
        }
    }

    fn postgres(&mut self, postgres: &PostgresEntry) -> PostgresSpec {
        let PostgresEntry { password_file, password_env, .. } = postgres;
        let has_password = password_file.is_some() || password_env.is_some();
        PostgresSpec {
            host: postgres.host.clone(),
            port: postgres.port.unwrap_or(5432),
            database: postgres.database.clone(),
            user: postgres.user.clone(),
            password: has_password.then(|| self.keep("password", password_file.as_deref(), password_env.as_deref())),
            tls: postgres.tls,
            query: postgres.query.clone(),
            is: postgres.is.clone(),
            family: postgres.family,
        }
    }

    fn heartbeat(&mut self, heartbeat: &HeartbeatEntry) -> HeartbeatSpec {
        HeartbeatSpec {
            grace_seconds: self.seconds("heartbeat.grace", heartbeat.grace).unwrap_or_default(),
            at_most_seconds: self.seconds("heartbeat.at_most", heartbeat.at_most),
            cron: heartbeat.cron.clone(),
            zone: heartbeat.zone.clone(),
        }
    }
}

fn mail_server(server: &MailServerEntry) -> MailServerSpec {
    MailServerSpec {
        host: server.host.clone(),
        port: server.port,
        tls: server.tls,
        verify: server.verify.unwrap_or(true),
        expect: server.expect.clone(),
        family: server.family,
    }
}
