//! One monitor of the export.

mod http;

use secrecy::SecretString;
use serde_json::Value;

use crate::{
    import::{Left, fields::Fields, seldom},
    model::Kind,
    secrets::Secrets,
    settings::Settings,
    spec::{
        DnsMatch, DnsSpec, Family, GrpcSpec, HeartbeatSpec, IcmpSpec, MailServerSpec, MailTls, MonitorSpec,
        PostgresSpec, PostgresTls, SecretName, TcpSpec,
    },
};

/// Kinds that this has not.
const OTHER_KINDS: [&str; 23] = [
    "real-browser",
    "docker",
    "steam",
    "gamedig",
    "mqtt",
    "sqlserver",
    "mysql",
    "mongodb",
    "redis",
    "radius",
    "kafka-producer",
    "tailscale-ping",
    "snmp",
    "rabbitmq",
    "websocket-upgrade",
    "ntp",
    "sip-options",
    "globalping",
    "system-service",
    "pm2",
    "oracledb",
    "manual",
    "gamedig-port",
];
const MOST_RETRIES: f64 = 10.0;

/// A monitor as it is read.
pub struct Reader<'v> {
    pub fields: Fields<'v>,
    pub left: Vec<Left>,
    pub secrets: Secrets,
    /// Why it must be paused.
    pub pause: Option<String>,
}

impl Reader<'_> {
    fn not_taken(&mut self, field: &str, value: impl Into<String>, reason: &str) {
        self.left.push(Left::new(field, value, reason));
    }

    fn pause_for(&mut self, reason: &str) {
        self.pause.get_or_insert_with(|| reason.to_owned());
    }

    fn secret(&mut self, name: &str, value: String) -> SecretName {
        let name = SecretName(name.to_owned());
        self.secrets.0.insert(name.clone(), SecretString::from(value));
        name
    }

    /// `Err`: why it cannot be taken.
    pub fn spec(&mut self, kind: &str) -> Result<MonitorSpec, String> {
        let host = |reader: &mut Self| reader.fields.text("hostname").ok_or_else(|| "it has no host".to_owned());
        let family = self.family();
        Ok(match kind {
            "http" | "keyword" | "json-query" => MonitorSpec::Http(self.http(kind, family)?),
            "port" => {
                MonitorSpec::Tcp(TcpSpec { host: host(self)?, port: self.port()?, send: None, expect: None, family })
            }
            "ping" => {
                let size = self.fields.number("packetSize").unwrap_or(56.0).clamp(0.0, 1400.0);
                MonitorSpec::Icmp(IcmpSpec { host: host(self)?, count: 1, loss_below: 1.0, size: small(size), family })
            }
            "dns" => {
                let name = host(self)?;
                MonitorSpec::Dns(self.dns(name)?)
            }
            "push" => {
                // Kuma waits for the interval and no longer.
                let interval = self.fields.number("interval").unwrap_or(60.0);
                let grace = seldom(small(interval));
                if grace.is_none() {
                    self.pause_for("a report comes less often than every eight days: it would be missed each day");
                }
                let grace_seconds = grace.unwrap_or_default();
                MonitorSpec::Heartbeat(HeartbeatSpec { grace_seconds, ..HeartbeatSpec::default() })
            }
            "postgres" => MonitorSpec::Postgres(self.postgres()?),
            "grpc-keyword" => MonitorSpec::Grpc(self.grpc(family)?),
            "smtp" => {
                let tls = match self.fields.text("smtpSecurity").as_deref() {
                    Some("secure") => MailTls::Implicit,
                    Some("starttls") => MailTls::Starttls,
                    _ => MailTls::None,
                };
                let (host, port, verify) = (host(self)?, self.port()?, !self.fields.flag("ignoreTls"));
                MonitorSpec::Smtp(MailServerSpec { host, port, tls, verify, expect: None, family })
            }
            other if OTHER_KINDS.contains(&other) => return Err(format!("kind: {other} is not watched here")),
            other => return Err(format!("kind: {other:?} is unknown")),
        })
    }

    /// What can be seen of a kind that is not watched here: whether its port is open.
    pub fn stand_in(&mut self) -> Option<MonitorSpec> {
        let (host, port) = (self.fields.text("hostname")?, self.port().ok()?);
        Some(MonitorSpec::Tcp(TcpSpec { host, port, send: None, expect: None, family: Family::default() }))
    }

    fn port(&mut self) -> Result<u16, String> {
        let port = self.fields.number("port").filter(|port| (1.0..=65_535.0).contains(port));
        port.map(small).ok_or_else(|| "it has no port".to_owned())
    }

    fn family(&mut self) -> Family {
        match self.fields.text("ipFamily").as_deref() {
            Some("ipv4") => Family::Four,
            Some("ipv6") => Family::Six,
            _ => Family::Auto,
        }
    }

    fn dns(&mut self, name: String) -> Result<DnsSpec, String> {
        let record = self.fields.text("dns_resolve_type").unwrap_or_else(|| "A".to_owned());
        let record = record.parse().map_err(|_| format!("dns_resolve_type: {record} is not looked up here"))?;
        let port = self.fields.number("port").unwrap_or(53.0);
        let servers = self.fields.text("dns_resolve_server");
        let mut servers =
            servers.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|server| !server.is_empty());
        let server = servers.next().map(|server| {
            let host = if server.contains(':') { format!("[{server}]") } else { server.to_owned() };
            format!("{host}:{}", small::<u16>(port))
        });
        if servers.next().is_some() {
            self.left.push(Left::new("dns_resolve_server", "several", "the first is asked"));
        }
        let (values, values_match, rcode) = (Vec::new(), DnsMatch::default(), None);
        Ok(DnsSpec { name, record, server, values, values_match, rcode })
    }

    fn postgres(&mut self) -> Result<PostgresSpec, String> {
        let url = self.fields.text("databaseConnectionString").ok_or("it has no connection string")?;
        let url = url.parse::<axum::http::Uri>().map_err(|_| "databaseConnectionString: it is no address")?;
        let authority = url.authority().ok_or("databaseConnectionString: it has no host")?;
        let (sign_in, host) = authority.as_str().rsplit_once('@').unwrap_or(("", authority.as_str()));
        let (user, password) = sign_in.split_once(':').map_or((sign_in, None), |(user, word)| (user, Some(word)));
        let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
        let host_only = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || host_only.is_empty() {
            return Err("databaseConnectionString: it has no host".to_owned());
        }
        let is_plain = url.query().is_none_or(|query| !query.contains("sslmode=") || query.contains("sslmode=disable"));
        if is_plain {
            self.not_taken(
                "databaseConnectionString",
                "(not shown)",
                "its connection is not encrypted there: here neither",
            );
        }
        let password = password.map(|word| self.secret("password", decoded(word)));
        Ok(PostgresSpec {
            host: host_only,
            port: authority.port_u16().unwrap_or(5432),
            database: decoded(url.path().trim_start_matches('/')),
            user: decoded(user),
            password,
            tls: if is_plain { PostgresTls::None } else { PostgresTls::Require },
            query: self.fields.text("databaseQuery"),
            is: None,
            family: Family::default(),
        })
    }

    fn grpc(&mut self, family: Family) -> Result<GrpcSpec, String> {
        let host = self.fields.text("grpcUrl").ok_or("it has no address")?;
        let method = self.fields.text("grpcMethod").unwrap_or_default();
        let service = self.fields.text("grpcServiceName").unwrap_or_default();
        let is_health = method.eq_ignore_ascii_case("check") && service.to_lowercase().contains("health");
        if !is_health {
            return Err("grpc_method: only grpc.health.v1.Health/Check is called here".to_owned());
        }
        let scheme = if self.fields.flag("grpcEnableTls") { "https" } else { "http" };
        for field in ["grpcProtobuf", "keyword", "invertKeyword"] {
            self.fields.get(field);
        }
        let body: Option<Value> = self.fields.text("grpcBody").and_then(|body| serde_json::from_str(&body).ok());
        let service = body.as_ref().and_then(|body| body.get("service")).and_then(Value::as_str).unwrap_or_default();
        let verify = !self.fields.flag("ignoreTls");
        Ok(GrpcSpec { url: format!("{scheme}://{host}"), service: service.to_owned(), verify, family })
    }

    pub fn settings(&mut self, name: &str, spec: MonitorSpec) -> Settings {
        let defaults = Settings::new(name, spec);
        let asked = self.fields.number("interval").unwrap_or(60.0);
        let interval = asked.clamp(10.0, 86_400.0);
        if (asked - interval).abs() > 0.5 {
            let rest = if matches!(defaults.spec.kind(), Kind::Heartbeat) { ", and the rest as grace" } else { "" };
            self.not_taken("interval", asked.to_string(), &format!("taken as {interval}: 10 s to a day{rest}"));
        }
        // What 1.x did where none was set.
        let timeout = self.fields.number("timeout").filter(|timeout| *timeout > 0.0).unwrap_or(interval * 0.8);
        let timeout = timeout.min(interval).clamp(0.1, 120.0);
        let asked = self.fields.number("maxretries").unwrap_or(0.0);
        if asked > MOST_RETRIES {
            self.not_taken("maxretries", asked.to_string(), "taken as 10");
        }
        let retry = self.fields.number("retryInterval").filter(|retry| *retry > 0.0);
        let resend = self.fields.number("resendInterval").filter(|resend| *resend > 0.0);
        if let Some(resend) = resend {
            let text = format!("reminders are a rule's: repeat after {} s", resend * interval);
            self.not_taken("resendInterval", resend.to_string(), &text);
        }
        let expiry = self.fields.flag("expiryNotification");
        let tags = self.fields.list("tags").iter().filter_map(Fields::of).filter_map(|mut tag| {
            let (name, value) = (tag.text("name")?, tag.text("value"));
            Some(value.map_or_else(|| name.clone(), |value| format!("{name}:{value}")))
        });
        let is_heartbeat = defaults.spec.kind() == Kind::Heartbeat;
        if is_heartbeat && asked > 0.0 {
            self.left.push(Left::new(
                "maxretries",
                asked.to_string(),
                "a report that is missed is not asked for again",
            ));
        }
        Settings {
            tags: tags.collect(),
            description: self.fields.text("description").unwrap_or_default(),
            interval_seconds: small(interval),
            timeout_ms: small((timeout * 1000.0).floor()),
            retries: if is_heartbeat { 0 } else { small(asked.clamp(0.0, MOST_RETRIES)) },
            retry_ms: retry.map(|retry| small((retry * 1000.0).clamp(100.0, 3_600_000.0))),
            certificate_days: if expiry { 21 } else { 0 },
            ..defaults
        }
    }

    pub fn is_paused(&mut self) -> bool {
        let is_active = self.fields.get("active").is_none() || self.fields.flag("active");
        !is_active || self.fields.flag("forceInactive")
    }

    /// What nobody asked for.
    pub fn rest(&mut self) {
        if self.fields.flag("upsideDown") && !self.left.iter().any(|left| left.field == "upsideDown") {
            self.not_taken(
                "upsideDown",
                "true",
                "inverted: what answers is down is not known here, except for a keyword",
            );
            self.pause_for("inverted");
        }
        if self.fields.flag("maintenance") {
            self.not_taken("maintenance", "true", "windows are not in the export: make them anew");
        }
        let rest = self.fields.left();
        for (field, value) in rest.into_iter().filter(|(field, value)| !is_default(field, value)) {
            self.left.push(Left::new(field, value, "not known here"));
        }
    }
}

/// What the export always holds, set or not.
fn is_default(field: &str, value: &str) -> bool {
    matches!(
        (field, value),
        ("packetSize", "56")
            | ("dns_resolve_type", "A")
            | ("dns_resolve_server", "1.1.1.1")
            | ("maxredirects", "10")
            | ("method", "GET")
            | ("url", "(not shown)")
            | ("accepted_statuscodes", "1 entries")
            | ("mqttSuccessMessage" | "expectedValue" | "jsonPath", "")
            | ("gamedigGivenPortOnly", "true")
            | ("httpBodyEncoding", "json")
            | ("conditions", "0 entries")
    )
}

/// A number that was clamped to what fits.
fn small<T: TryFrom<i64> + Default>(number: f64) -> T {
    // Infinite and odd ones are none.
    let text = format!("{:.0}", number.trunc());
    text.parse::<i64>().ok().and_then(|number| T::try_from(number).ok()).unwrap_or_default()
}
