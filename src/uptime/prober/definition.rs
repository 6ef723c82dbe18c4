//! A monitor as the prober needs it: its settings, parsed, and its secrets, opened.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use uuid::Uuid;

use crate::{
    UptimeError,
    model::{GroupId, Kind, MonitorId, Owner},
    schedule::{heap::Grid, state::Rules},
    secrets::Secrets,
    spec::{HeartbeatSpec, MonitorSpec},
    store::state::DefinitionRow,
    target::literal,
};
use platform::{crypto::MasterKey, ids::OrgId};
use reqwest::Url;

/// A monitor's settings.
#[derive(Clone, Debug)]
pub struct Definition {
    pub id: MonitorId,
    pub number: i32,
    pub owner: Owner,
    pub key: String,
    pub name: String,
    /// `Err`: it cannot be read, because a newer version wrote it, or its secrets cannot be opened.
    pub spec: Result<MonitorSpec, String>,
    pub kind: Kind,
    pub secrets: Secrets,
    pub group: Option<GroupId>,
    pub parent: Option<MonitorId>,
    pub tags: Vec<String>,
    pub interval: TimeDelta,
    pub timeout: Duration,
    /// From the start of one attempt to the start of the next.
    pub retry: Duration,
    pub rules: Rules,
    /// Strangers may see its badge.
    pub badge: bool,
    pub is_paused: bool,
    pub is_removed: bool,
    pub revision: i64,
    /// Registrable domain or address of the target, in lower case.
    pub host: Option<String>,
    /// Host and port: what may not be asked too often at once. `None`: no limit.
    pub target: Option<Arc<str>>,
}

impl Definition {
    pub fn read(row: DefinitionRow, key: &MasterKey) -> Self {
        let id = MonitorId(row.id);
        let opened = Secrets::open(key, id, row.secrets.as_deref());
        let spec = read_spec(&row, opened.as_ref().err());
        let kind = spec.as_ref().map_or(Kind::Internal, MonitorSpec::kind);
        let target = spec.as_ref().ok().and_then(target);
        let timeout = Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or(10_000));
        let retry = row.retry_ms.and_then(|ms| u64::try_from(ms).ok()).map_or(timeout, Duration::from_millis);
        let rules = Rules {
            // Who reports has judged already.
            retries: if kind == Kind::Heartbeat { 0 } else { u16::try_from(row.retries).unwrap_or(0) },
            successes: u16::try_from(row.successes).unwrap_or(1).max(1),
            slow_ms: row.slow_ms,
            certificate_days: row.certificate_days,
            domain_days: match &spec {
                Ok(MonitorSpec::Domain(domain)) => Some(domain.days),
                _ => None,
            },
        };
        Self {
            id,
            number: row.number,
            owner: Owner::of(row.org_id.map(OrgId)),
            key: row.key,
            name: row.name,
            kind,
            secrets: opened.unwrap_or_default(),
            group: row.group_id.map(GroupId),
            parent: row.parent_id.map(MonitorId),
            tags: row.tags,
            interval: TimeDelta::seconds(i64::from(row.interval_seconds.max(1))),
            timeout,
            retry,
            rules,
            badge: row.badge,
            is_paused: row.is_paused,
            is_removed: row.is_removed,
            revision: row.revision,
            host: target.as_ref().map(|(host, _)| registrable(host)),
            target: target.map(|(host, port)| Arc::from(format!("{host}:{port}"))),
            spec,
        }
    }

    pub fn org(&self) -> Option<Uuid> {
        self.owner.org().map(|org| org.0)
    }

    pub fn grid(&self) -> Grid {
        Grid::of(self.id, self.interval)
    }

    pub fn heartbeat(&self) -> Option<&HeartbeatSpec> {
        match &self.spec {
            Ok(MonitorSpec::Heartbeat(spec)) => Some(spec),
            _ => None,
        }
    }

    /// Whether both ask the same: otherwise what was known of one is not true of the other.
    pub fn is_same_target(&self, other: &Self) -> bool {
        self.kind == other.kind && self.target == other.target
    }
}

fn read_spec(row: &DefinitionRow, sealed: Option<&UptimeError>) -> Result<MonitorSpec, String> {
    if let Some(error) = sealed {
        return Err(format!("its secrets cannot be opened: {error}"));
    }
    serde_json::from_value(row.spec.clone()).map_err(|error| format!("its settings cannot be read: {error}"))
}

/// Host and port of what is asked.
fn target(spec: &MonitorSpec) -> Option<(String, u16)> {
    let of_url = |url: &str| {
        let url: Url = url.parse().ok()?;
        Some((url.host_str()?.to_ascii_lowercase(), url.port_or_known_default()?))
    };
    let of_host = |host: &str, port: u16| Some((host.to_ascii_lowercase(), port));
    match spec {
        MonitorSpec::Http(spec) => of_url(&spec.url),
        MonitorSpec::Flow(spec) => of_url(&spec.steps.first()?.http.url),
        MonitorSpec::Grpc(spec) => of_url(&spec.url),
        MonitorSpec::Tcp(spec) => of_host(&spec.host, spec.port),
        MonitorSpec::Tls(spec) => of_host(&spec.host, spec.port),
        MonitorSpec::Smtp(spec) | MonitorSpec::Imap(spec) => of_host(&spec.host, spec.port),
        MonitorSpec::Postgres(spec) => of_host(&spec.host, spec.port),
        MonitorSpec::Icmp(spec) => of_host(&spec.host, 0),
        MonitorSpec::Dns(spec) => of_host(&spec.name, 53),
        MonitorSpec::Domain(spec) => of_host(&spec.name, 43),
        MonitorSpec::Heartbeat(_) | MonitorSpec::Internal(_) => None,
    }
}

/// By which outages are known to share a host.
pub fn host_of(spec: &MonitorSpec) -> Option<String> {
    target(spec).map(|(host, _)| registrable(&host))
}

/// The registrable domain of a host, or its address.
fn registrable(host: &str) -> String {
    match literal(host) {
        Some(ip) => ip.to_string(),
        None => psl::domain_str(host.trim_end_matches('.')).unwrap_or(host).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(spec: serde_json::Value) -> DefinitionRow {
        DefinitionRow {
            id: Uuid::from_u128(1),
            number: 1,
            org_id: None,
            key: "shop".into(),
            name: "Shop".into(),
            spec,
            secrets: None,
            group_id: None,
            parent_id: None,
            tags: Vec::new(),
            interval_seconds: 60,
            timeout_ms: 10_000,
            retries: 2,
            retry_ms: None,
            successes: 1,
            slow_ms: None,
            certificate_days: 21,
            badge: false,
            is_paused: false,
            is_removed: false,
            revision: 1,
        }
    }

    #[test]
    fn a_definition_names_its_target_and_its_host() {
        let key = MasterKey::parse(&"0a".repeat(32)).unwrap();
        let of = |spec| Definition::read(row(spec), &key);
        let shop = of(json!({"kind": "http", "url": "https://www.Shop.co.uk/x"}));
        assert_eq!((shop.host.as_deref(), shop.target.as_deref()), (Some("shop.co.uk"), Some("www.shop.co.uk:443")));
        assert_eq!(shop.retry, shop.timeout);
        let tcp = of(json!({"kind": "tcp", "host": "192.0.2.1", "port": 22}));
        assert_eq!(tcp.host.as_deref(), Some("192.0.2.1"));
        assert!(!tcp.is_same_target(&shop) && shop.is_same_target(&shop));
        let beat = of(json!({"kind": "heartbeat", "grace_seconds": 5}));
        assert_eq!((beat.rules.retries, beat.target), (0, None));
        let newer = of(json!({"kind": "telepathy"}));
        assert!(newer.spec.unwrap_err().contains("cannot be read"));
    }
}
