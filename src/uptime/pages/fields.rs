//! The fields of a monitor's form, as texts, and the spec that they stand for. A spec that the fields cannot hold is edited as JSON.

use serde::Deserialize;

use crate::{
    Kind,
    spec::{
        Condition, DnsMatch, DnsSpec, DomainSpec, GrpcSpec, HeartbeatSpec, HttpSpec, IcmpSpec, MailServerSpec,
        MonitorSpec, PostgresSpec, SecretName, TcpSpec, TlsSpec,
    },
};
use platform::error::FieldError;

/// The name of the one secret that a form asks for.
pub(super) const PASSWORD: &str = "password";

/// What a form says of the spec. Names of fields are those of the API's spec.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Fields {
    pub url: String,
    pub method: String,
    /// Separated by commas.
    pub status: String,
    pub keyword: String,
    /// Not empty: the keyword must not be there.
    pub absent: String,
    pub redirects: String,
    /// Not empty: certificates are not judged.
    pub no_verify: String,
    pub host: String,
    pub port: String,
    pub expect: String,
    pub record: String,
    pub server: String,
    /// A line each.
    pub values: String,
    pub count: String,
    pub tls: String,
    pub database: String,
    pub user: String,
    pub query: String,
    pub is: String,
    pub service: String,
    /// Minutes.
    pub grace: String,
    pub cron: String,
    pub zone: String,
    pub domain: String,
    pub days: String,
    /// The whole spec; then the other fields count for nothing.
    pub json: String,
}

/// Kinds with fields of their own. Others are written as JSON.
pub(super) const WITH_FIELDS: [Kind; 11] = [
    Kind::Http,
    Kind::Tcp,
    Kind::Tls,
    Kind::Dns,
    Kind::Icmp,
    Kind::Smtp,
    Kind::Imap,
    Kind::Postgres,
    Kind::Grpc,
    Kind::Heartbeat,
    Kind::Domain,
];

/// What people may make.
pub(super) const KINDS: [Kind; 12] = [
    Kind::Http,
    Kind::Flow,
    Kind::Tcp,
    Kind::Tls,
    Kind::Dns,
    Kind::Icmp,
    Kind::Smtp,
    Kind::Imap,
    Kind::Postgres,
    Kind::Grpc,
    Kind::Heartbeat,
    Kind::Domain,
];

impl Fields {
    /// A new form's.
    pub fn new(kind: Kind) -> Self {
        let text = |text: &str| text.to_owned();
        let mut fields = Self {
            method: text("GET"),
            status: text("200-299"),
            redirects: text("5"),
            record: text("A"),
            count: text("3"),
            grace: text("5"),
            days: text("30"),
            ..Self::default()
        };
        let port = match kind {
            Kind::Tls => "443",
            Kind::Smtp => "25",
            Kind::Imap => "143",
            Kind::Postgres => "5432",
            _ => "",
        };
        fields.port = text(port);
        match kind {
            Kind::Postgres => fields.tls = text("verify"),
            Kind::Smtp | Kind::Imap => fields.tls = text("none"),
            Kind::Flow => fields.json = text(FLOW),
            _ => {}
        }
        fields
    }

    /// Of a spec. What the fields cannot hold is in `json`.
    pub fn of(spec: &MonitorSpec, has_password: bool) -> Self {
        let fields = Self::plain(spec);
        let kind = spec.kind();
        if WITH_FIELDS.contains(&kind) && fields.spec(kind, has_password).is_ok_and(|read| read == *spec) {
            return fields;
        }
        Self { json: serde_json::to_string_pretty(spec).unwrap_or_default(), ..fields }
    }

    fn plain(spec: &MonitorSpec) -> Self {
        let mut fields = Self::new(spec.kind());
        let ticked = |is: bool| if is { "on".to_owned() } else { String::new() };
        match spec {
            MonitorSpec::Http(http) => {
                fields.url.clone_from(&http.url);
                http.method.as_str().clone_into(&mut fields.method);
                fields.status = http.status.join(", ");
                fields.redirects = http.redirects.to_string();
                fields.no_verify = ticked(!http.verify);
                if let [Condition::Keyword { text, absent }] = http.expect.as_slice() {
                    fields.keyword.clone_from(text);
                    fields.absent = ticked(*absent);
                }
            }
            MonitorSpec::Tcp(tcp) => {
                fields.host.clone_from(&tcp.host);
                fields.port = tcp.port.to_string();
                fields.expect = tcp.expect.clone().unwrap_or_default();
            }
            MonitorSpec::Tls(tls) => {
                fields.host.clone_from(&tls.host);
                fields.port = tls.port.to_string();
                fields.no_verify = ticked(!tls.verify);
            }
            MonitorSpec::Dns(dns) => {
                fields.host.clone_from(&dns.name);
                dns.record.as_str().clone_into(&mut fields.record);
                fields.server = dns.server.clone().unwrap_or_default();
                fields.values = dns.values.join("\n");
            }
            MonitorSpec::Icmp(icmp) => {
                fields.host.clone_from(&icmp.host);
                fields.count = icmp.count.to_string();
            }
            MonitorSpec::Smtp(server) | MonitorSpec::Imap(server) => {
                fields.host.clone_from(&server.host);
                fields.port = server.port.to_string();
                server.tls.as_str().clone_into(&mut fields.tls);
                fields.no_verify = ticked(!server.verify);
                fields.expect = server.expect.clone().unwrap_or_default();
            }
            MonitorSpec::Postgres(postgres) => {
                fields.host.clone_from(&postgres.host);
                fields.port = postgres.port.to_string();
                fields.database.clone_from(&postgres.database);
                fields.user.clone_from(&postgres.user);
                postgres.tls.as_str().clone_into(&mut fields.tls);
                fields.query = postgres.query.clone().unwrap_or_default();
                fields.is = postgres.is.clone().unwrap_or_default();
            }
            MonitorSpec::Grpc(grpc) => {
                fields.url.clone_from(&grpc.url);
                fields.service.clone_from(&grpc.service);
                fields.no_verify = ticked(!grpc.verify);
            }
            MonitorSpec::Heartbeat(heartbeat) => {
                fields.grace = (heartbeat.grace_seconds / 60).to_string();
                fields.cron = heartbeat.cron.clone().unwrap_or_default();
                fields.zone.clone_from(&heartbeat.zone);
            }
            MonitorSpec::Domain(domain) => {
                fields.domain.clone_from(&domain.name);
                fields.days = domain.days.to_string();
            }
            MonitorSpec::Flow(_) | MonitorSpec::Internal(_) => {}
        }
        fields
    }

    /// The spec that it stands for. `has_password`: the monitor has the secret of the form, or is given it.
    pub fn spec(&self, kind: Kind, has_password: bool) -> Result<MonitorSpec, Vec<FieldError>> {
        if !self.json.trim().is_empty() {
            return serde_json::from_str(&self.json).map_err(|error| invalid("/spec/json", &error.to_string()));
        }
        let verify = self.no_verify.is_empty();
        let host = || self.host.trim().to_owned();
        let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let family = crate::spec::Family::default();
        Ok(match kind {
            Kind::Http => MonitorSpec::Http(self.http(verify)?),
            Kind::Tcp => MonitorSpec::Tcp(TcpSpec {
                host: host(),
                port: number("/spec/port", &self.port)?,
                send: None,
                expect: some(&self.expect),
                family,
            }),
            Kind::Tls => MonitorSpec::Tls(TlsSpec {
                host: host(),
                port: number("/spec/port", &self.port)?,
                server_name: None,
                verify,
                family,
            }),
            Kind::Dns => MonitorSpec::Dns(DnsSpec {
                name: host(),
                record: word("/spec/record", &self.record)?,
                server: some(&self.server),
                values: self.values.lines().filter_map(some).collect(),
                values_match: DnsMatch::default(),
                rcode: None,
            }),
            Kind::Icmp => MonitorSpec::Icmp(IcmpSpec {
                host: host(),
                count: number("/spec/count", &self.count)?,
                loss_below: 1.0,
                size: 56,
                family,
            }),
            Kind::Smtp => MonitorSpec::Smtp(self.mail_server(verify)?),
            Kind::Imap => MonitorSpec::Imap(self.mail_server(verify)?),
            Kind::Postgres => MonitorSpec::Postgres(PostgresSpec {
                host: host(),
                port: number("/spec/port", &self.port)?,
                database: self.database.trim().to_owned(),
                user: self.user.trim().to_owned(),
                password: has_password.then(|| SecretName(PASSWORD.to_owned())),
                tls: word("/spec/tls", &self.tls)?,
                query: some(&self.query),
                is: some(&self.is),
                family,
            }),
            Kind::Grpc => MonitorSpec::Grpc(GrpcSpec {
                url: self.url.trim().to_owned(),
                service: self.service.trim().to_owned(),
                verify,
                family,
            }),
            Kind::Heartbeat => {
                let minutes: i32 = number("/spec/grace_seconds", &self.grace)?;
                MonitorSpec::Heartbeat(HeartbeatSpec {
                    grace_seconds: minutes.saturating_mul(60),
                    at_most_seconds: None,
                    cron: some(&self.cron),
                    zone: self.zone.trim().to_owned(),
                })
            }
            Kind::Domain => MonitorSpec::Domain(DomainSpec {
                name: self.domain.trim().to_owned(),
                days: number("/spec/days", &self.days)?,
            }),
            Kind::Flow | Kind::Internal => return Err(invalid("/spec/json", "write it as JSON")),
        })
    }

    fn http(&self, verify: bool) -> Result<HttpSpec, Vec<FieldError>> {
        let status = self.status.split(',').map(str::trim).filter(|status| !status.is_empty());
        let keyword = self.keyword.trim();
        let expect = (!keyword.is_empty())
            .then(|| Condition::Keyword { text: keyword.to_owned(), absent: !self.absent.is_empty() });
        Ok(HttpSpec {
            url: self.url.trim().to_owned(),
            method: word("/spec/method", &self.method)?,
            headers: std::collections::BTreeMap::new(),
            body: None,
            auth: None,
            redirects: number("/spec/redirects", &self.redirects)?,
            status: status.map(str::to_owned).collect(),
            version: crate::spec::HttpVersion::default(),
            family: crate::spec::Family::default(),
            verify,
            body_bytes: None,
            expect: expect.into_iter().collect(),
        })
    }

    fn mail_server(&self, verify: bool) -> Result<MailServerSpec, Vec<FieldError>> {
        Ok(MailServerSpec {
            host: self.host.trim().to_owned(),
            port: number("/spec/port", &self.port)?,
            tls: word("/spec/tls", &self.tls)?,
            verify,
            expect: Some(self.expect.trim().to_owned()).filter(|text| !text.is_empty()),
            family: crate::spec::Family::default(),
        })
    }
}

/// What a new flow begins with.
const FLOW: &str = r#"{
  "kind": "flow",
  "steps": [
    {
      "name": "sign in",
      "http": { "url": "https://shop.example/api/session", "method": "POST", "status": ["201"] },
      "take": { "token": { "from": "json", "path": "$.token" } }
    },
    {
      "name": "cart",
      "http": { "url": "https://shop.example/api/cart", "headers": { "Authorization": "Bearer {{token}}" } }
    }
  ]
}"#;

fn invalid(pointer: &str, text: &str) -> Vec<FieldError> {
    vec![FieldError::new(pointer, "invalid", text)]
}

pub(super) fn number<T: std::str::FromStr>(pointer: &str, text: &str) -> Result<T, Vec<FieldError>> {
    text.trim().parse().map_err(|_| invalid(pointer, &format!("{:?} is no number that fits here", text.trim())))
}

fn word<T: std::str::FromStr<Err = String>>(pointer: &str, text: &str) -> Result<T, Vec<FieldError>> {
    text.trim().parse().map_err(|error: String| invalid(pointer, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_fields_can_hold_comes_back_and_the_rest_is_json() {
        for spec in [
            json!({"kind": "http", "url": "https://example.com/", "status": ["200", "301-302"], "verify": false,
                "expect": [{"on": "keyword", "text": "ok", "absent": true}]}),
            json!({"kind": "tcp", "host": "example.com", "port": 22, "expect": "SSH-2.0"}),
            json!({"kind": "tls", "host": "example.com"}),
            json!({"kind": "dns", "name": "example.com", "record": "MX", "server": "9.9.9.9:53", "values": ["a", "b"]}),
            json!({"kind": "icmp", "host": "example.com", "count": 5}),
            json!({"kind": "imap", "host": "example.com", "port": 143, "tls": "starttls"}),
            json!({"kind": "postgres", "host": "db.example", "database": "d", "user": "u", "password": "password", "is": "1"}),
            json!({"kind": "grpc", "url": "https://example.com:443", "service": "a.B"}),
            json!({"kind": "heartbeat", "grace_seconds": 600, "cron": "0 3 * * *", "zone": "Europe/Berlin"}),
            json!({"kind": "domain", "name": "example.com", "days": 14}),
        ] {
            let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
            let fields = Fields::of(&spec, true);
            assert_eq!(fields.json, "", "{spec:?}");
            assert_eq!(fields.spec(spec.kind(), true).unwrap(), spec);
        }
        for spec in [
            json!({"kind": "http", "url": "https://example.com/", "headers": {"a": "b"}}),
            json!({"kind": "heartbeat", "grace_seconds": 30}),
            json!({"kind": "flow", "steps": []}),
        ] {
            let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
            let fields = Fields::of(&spec, false);
            assert_ne!(fields.json, "", "{spec:?}");
            assert_eq!(fields.spec(spec.kind(), false).unwrap(), spec);
        }
    }

    #[test]
    fn a_new_flow_is_one() {
        assert!(Fields::new(Kind::Flow).spec(Kind::Flow, false).is_ok());
        assert!(Fields::new(Kind::Tcp).spec(Kind::Tcp, false).is_err());
    }
}
