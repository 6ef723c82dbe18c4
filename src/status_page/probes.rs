//! Monitors under the names of `blackbox_exporter`, for Prometheus, on the ops port: `/metrics/probes`, and `/probe?target=<key>` for one.
//!
//! Not in `/metrics`: ten thousand monitors have two hundred thousand series. Labels are the key, the id of the
//! organisation (empty: the installation) and the kind, never an address.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use axum::{
    Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use super::StatusPages;
use uptime::{Last, Live, Reason};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub fn router() -> Router<StatusPages> {
    Router::new().route("/metrics/probes", get(all)).route("/probe", get(one))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Target {
    target: String,
}

async fn all(State(pages): State<StatusPages>) -> Response {
    let Some(live) = pages.inner.rooms.uptime.live() else { return elsewhere() };
    answer(live.monitors.values(), pages.inner.clock.now())
}

async fn one(State(pages): State<StatusPages>, Query(target): Query<Target>) -> Response {
    let Some(live) = pages.inner.rooms.uptime.live() else { return elsewhere() };
    let found: Vec<&Live> = live.monitors.values().filter(|monitor| monitor.key == target.target).collect();
    if found.is_empty() {
        return (StatusCode::NOT_FOUND, "there is no monitor of this key\n").into_response();
    }
    answer(found.into_iter(), pages.inner.clock.now())
}

fn elsewhere() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "another process checks monitors: ask that one\n").into_response()
}

fn answer<'a>(monitors: impl Iterator<Item = &'a Live>, now: DateTime<Utc>) -> Response {
    ([(header::CONTENT_TYPE, TEXT)], text(monitors, now)).into_response()
}

/// Families in a fixed order; each has its lines together, as the format wants it.
fn text<'a>(monitors: impl Iterator<Item = &'a Live>, now: DateTime<Utc>) -> String {
    let mut known: Vec<(&Live, &Last)> = monitors.filter_map(|monitor| Some((monitor, fresh(monitor, now)?))).collect();
    known.sort_by(|(one, _), (other, _)| (&one.key, one.owner).cmp(&(&other.key, other.owner)));
    let mut out = String::new();
    for family in FAMILIES {
        let mut is_named = false;
        for (monitor, last) in &known {
            for (labels, value) in (family.read)(last) {
                if !std::mem::replace(&mut is_named, true) {
                    let _ = writeln!(out, "# HELP {} {}\n# TYPE {} gauge", family.name, family.help, family.name);
                }
                // Keys are unique for an owner only; the installation has none.
                let org = monitor.owner.org().map_or_else(String::new, |org| org.to_string());
                let (name, key, kind) = (family.name, &monitor.key, monitor.kind.as_str());
                let _ = writeln!(out, "{name}{{monitor=\"{key}\",org=\"{org}\",kind=\"{kind}\"{labels}}} {value}");
            }
        }
    }
    out
}

/// The last check, unless it is older than three intervals: then nothing is known.
fn fresh(monitor: &Live, now: DateTime<Utc>) -> Option<&Last> {
    let most = TimeDelta::seconds(3 * i64::from(monitor.interval_seconds));
    monitor.last.as_ref().filter(|last| now - last.ended_at <= most)
}

type Values = Vec<(String, f64)>;

struct Family {
    name: &'static str,
    help: &'static str,
    read: fn(&Last) -> Values,
}

fn plain(value: Option<f64>) -> Values {
    value.map(|value| (String::new(), value)).into_iter().collect()
}

fn seconds(us: Option<i32>) -> Option<f64> {
    us.map(|us| f64::from(us) / 1e6)
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

fn phases(last: &Last) -> Values {
    if last.observation.http.is_none() {
        return Vec::new();
    }
    let of = &last.observation.phases;
    let all = [
        ("resolve", of.resolve),
        ("connect", of.connect),
        ("tls", of.tls),
        ("processing", of.first_byte),
        ("transfer", of.transfer),
    ];
    all.into_iter().filter_map(|(phase, us)| Some((format!(",phase=\"{phase}\""), seconds(us)?))).collect()
}

/// Changes where the address changes, and does not tell it.
fn address_hash(last: &Last) -> Option<f64> {
    let mut hasher = DefaultHasher::new();
    last.observation.address?.hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).ok().map(f64::from)
}

const FAMILIES: [Family; 16] = [
    Family {
        name: "probe_success",
        help: "Displays whether or not the probe was a success",
        read: |last| plain(Some(flag(last.observation.is_up()))),
    },
    Family {
        name: "probe_duration_seconds",
        help: "Returns how long the probe took to complete in seconds",
        read: |last| plain(Some(f64::from(last.observation.total) / 1e6)),
    },
    Family {
        name: "probe_dns_lookup_time_seconds",
        help: "Returns the time taken for probe dns lookup in seconds",
        read: |last| plain(seconds(last.observation.phases.resolve)),
    },
    Family {
        name: "probe_ip_protocol",
        help: "Specifies whether probe ip protocol is IP4 or IP6",
        read: |last| plain(last.observation.address.map(|address| if address.is_ipv4() { 4.0 } else { 6.0 })),
    },
    Family {
        name: "probe_ip_addr_hash",
        help: "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
        read: |last| plain(address_hash(last)),
    },
    Family {
        name: "probe_http_status_code",
        help: "Response HTTP status code",
        read: |last| plain(last.observation.http.as_ref().and(last.observation.code).map(f64::from)),
    },
    Family {
        name: "probe_http_duration_seconds",
        help: "Duration of http request by phase, summed over all redirects",
        read: phases,
    },
    Family {
        name: "probe_http_content_length",
        help: "Length of http content response",
        read: |last| {
            let length = |http: &uptime::HttpFacts| http.content_length.map_or(-1.0, |length| length as f64);
            plain(last.observation.http.as_ref().map(length))
        },
    },
    Family {
        name: "probe_http_redirects",
        help: "The number of redirects",
        read: |last| plain(last.observation.http.as_ref().map(|http| f64::from(http.redirects))),
    },
    Family {
        name: "probe_http_ssl",
        help: "Indicates if SSL was used for the final redirect",
        read: |last| plain(last.observation.http.as_ref().map(|http| flag(http.is_tls))),
    },
    Family {
        name: "probe_http_version",
        help: "Returns the version of HTTP of the probe response",
        read: |last| plain(last.observation.http.as_ref().and_then(|http| http.version.parse().ok())),
    },
    Family {
        name: "probe_failed_due_to_regex",
        help: "Indicates if probe failed due to regex",
        read: |last| {
            let by_text = last.observation.failures.iter().any(|failure| failure.reason == Reason::Keyword);
            plain(last.observation.http.as_ref().map(|_| flag(by_text)))
        },
    },
    Family {
        name: "probe_ssl_earliest_cert_expiry",
        help: "Returns last SSL chain expiry in unixtime",
        read: |last| plain(last.observation.certificate.as_ref().map(|found| found.ends_at.timestamp() as f64)),
    },
    Family {
        name: "probe_ssl_last_chain_expiry_timestamp_seconds",
        help: "Returns last SSL chain expiry in timestamp",
        read: |last| {
            let verified = last.observation.certificate.as_ref().filter(|found| found.is_verified);
            plain(verified.map(|found| found.ends_at.timestamp() as f64))
        },
    },
    Family {
        name: "probe_tls_version_info",
        help: "Returns the TLS version used or NaN when unknown",
        read: |last| {
            let found = last.observation.certificate.as_ref();
            found.map(|found| (format!(",version=\"TLS {}\"", found.tls), 1.0)).into_iter().collect()
        },
    },
    Family {
        name: "probe_icmp_duration_seconds",
        help: "Duration of icmp request by phase",
        read: |last| {
            if last.observation.http.is_some() || last.observation.phases.connect.is_some() {
                return Vec::new();
            }
            let found = seconds(last.observation.phases.first_byte);
            found.map(|value| (",phase=\"rtt\"".to_owned(), value)).into_iter().collect()
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use uptime::{Kind, Observation, Owner, Phases, Status};

    fn live(owner: Owner, now: DateTime<Utc>) -> Live {
        let observation = Observation {
            at: now,
            failures: Vec::new(),
            total: 1_500_000,
            phases: Phases::default(),
            address: None,
            code: None,
            certificate: None,
            domain_ends_at: None,
            http: None,
            degraded: None,
            note: None,
        };
        Live {
            owner,
            key: "shop".into(),
            name: "Shop".into(),
            kind: Kind::Tcp,
            group: None,
            interval_seconds: 60,
            status: Status::Up,
            since: now,
            because_of: None,
            degraded: None,
            flapping: false,
            badge: false,
            last: Some(Last { ended_at: now, observation }),
        }
    }

    #[test]
    fn monitors_of_two_owners_with_one_key_are_two_series() {
        let (now, org) = (DateTime::UNIX_EPOCH, platform::ids::OrgId(uuid::Uuid::from_u128(7)));
        let all = [live(Owner::Installation, now), live(Owner::Org(org), now)];
        let text = text(all.iter(), now);
        assert!(text.contains("probe_duration_seconds{monitor=\"shop\",org=\"\",kind=\"tcp\"} 1.5\n"), "{text}");
        assert!(text.contains(&format!("probe_duration_seconds{{monitor=\"shop\",org=\"{org}\",kind=\"tcp\"}} 1.5\n")));
    }
}
