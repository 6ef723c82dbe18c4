//! When a domain ends, as its registry says by RDAP (RFC 9082, RFC 9083). What a registry refuses or does not know says nothing about the domain.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    Prober,
    attempt::Attempt,
    failure,
    http::{self, Values},
};
use crate::{
    model::{Failure, Reason},
    secrets::Secrets,
    spec::{DomainSpec, HttpSpec},
};

/// Where registries are found (RFC 9224).
const IANA: &str = "https://data.iana.org/rdap/dns.json";
const FRESH: Duration = Duration::from_hours(7 * 24);
/// Between two questions to one registry.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest wait for the turn: less than what the prober takes for a lost check.
const PATIENCE: Duration = Duration::from_secs(20);
const BODY: u32 = 4 * 1024 * 1024;

/// When a registry was asked last. Whoever holds the lock asks it next.
type Turn = Arc<tokio::sync::Mutex<Instant>>;

/// Registries by suffix, and when each was asked last.
pub struct Registries {
    bootstrap: String,
    known: Mutex<Option<(Instant, Arc<Bootstrap>)>>,
    asked: Mutex<HashMap<String, Turn>>,
}

/// The file of IANA: suffixes, and addresses of their servers.
#[derive(Debug, Deserialize)]
struct Bootstrap {
    services: Vec<(Vec<String>, Vec<String>)>,
}

impl Bootstrap {
    /// The server for a domain: that of the longest suffix, by https if it has such an address.
    fn server(&self, domain: &str) -> Option<&str> {
        let suffixes = std::iter::successors(Some(domain), |name| name.split_once('.').map(|(_, rest)| rest));
        suffixes.skip(1).find_map(|suffix| {
            let (_, servers) =
                self.services.iter().find(|(names, _)| names.iter().any(|name| name.eq_ignore_ascii_case(suffix)))?;
            let secure = servers.iter().find(|server| server.starts_with("https://"));
            secure.or(servers.first()).map(String::as_str)
        })
    }
}

impl Registries {
    pub fn new(bootstrap: Option<String>) -> Self {
        let bootstrap = bootstrap.unwrap_or_else(|| IANA.to_owned());
        Self { bootstrap, known: Mutex::default(), asked: Mutex::default() }
    }

    fn known(&self, is_old_enough: bool) -> Option<Arc<Bootstrap>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(at, _)| is_old_enough || at.elapsed() < FRESH).map(|(_, known)| known.clone())
    }

    async fn bootstrap(&self, prober: &Prober, attempt: &mut Attempt) -> Result<Arc<Bootstrap>, Failure> {
        if let Some(known) = self.known(false) {
            return Ok(known);
        }
        let read = get(prober, &self.bootstrap, attempt).await.and_then(|(_, body)| {
            serde_json::from_slice::<Bootstrap>(&body)
                .map_err(|error| refused(format!("the list of registries: {error}")))
        });
        match read {
            Ok(read) => {
                let read = Arc::new(read);
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Some((Instant::now(), read.clone()));
                Ok(read)
            }
            // An old one is better than none.
            Err(failure) => self.known(true).ok_or(failure),
        }
    }

    /// Waits for this server's turn, and says how long that was. Who stops waiting takes no turn.
    async fn turn(&self, server: &str) -> Result<Duration, Failure> {
        let began = Instant::now();
        let last = {
            let mut servers = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody waits for those that only this map holds.
            servers
                .retain(|_, last| Arc::strong_count(last) > 1 || last.try_lock().is_ok_and(|at| at.elapsed() < PAUSE));
            let never = || Arc::new(tokio::sync::Mutex::new(began.checked_sub(PAUSE).unwrap_or(began)));
            servers.entry(server.to_owned()).or_insert_with(never).clone()
        };
        // A fair lock: they come in turn.
        let waited = timeout(PATIENCE, async {
            let mut last = last.lock().await;
            sleep_until(*last + PAUSE).await;
            *last = Instant::now();
        });
        match waited.await {
            Ok(()) => Ok(began.elapsed()),
            Err(_) => Err(refused("too many domains ask their registry at once: it is asked later")),
        }
    }
}

/// Whether a registry answers for a domain by RDAP; `None`: the list of registries could not be read in time.
pub async fn has_registry(prober: &Prober, domain: &str, timeout: Duration) -> Option<bool> {
    let mut attempt = Attempt::new(&prober.shared.clock, timeout);
    let bootstrap = prober.shared.registries.bootstrap(prober, &mut attempt).await.ok()?;
    Some(bootstrap.server(&canonical(domain)).is_some())
}

fn canonical(domain: &str) -> String {
    domain.trim_end_matches('.').to_ascii_lowercase()
}

pub async fn run(prober: &Prober, spec: &DomainSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let registries = &prober.shared.registries;
    let domain = canonical(&spec.name);
    let bootstrap = registries.bootstrap(prober, attempt).await?;
    let server = bootstrap
        .server(&domain)
        .ok_or_else(|| refused(format!("the registry of {domain} does not answer by RDAP")))?
        .trim_end_matches('/')
        .to_owned();
    // Others are the cause of it, not the registry: that does not count against the timeout.
    let waited = registries.turn(&server).await?;
    attempt.prolong(waited);
    let (status, body) = get(prober, &format!("{server}/domain/{domain}"), attempt).await?;
    attempt.code = i16::try_from(status).ok();
    if status == 404 {
        return Err(failure(Reason::DomainExpired, format!("the registry does not know {domain}")));
    }
    let ends_at = expiration(&body).ok_or_else(|| refused("the registry does not say when the domain ends"))?;
    attempt.domain_ends_at = Some(ends_at);
    if ends_at <= attempt.at() {
        return Err(failure(Reason::DomainExpired, format!("the domain ended at {}", ends_at.format("%F"))));
    }
    Ok(())
}

fn refused(text: impl Into<String>) -> Failure {
    failure(Reason::RegistryRefused, text)
}

/// Status and body; any other answer than 200 and 404 says nothing about a domain.
async fn get(prober: &Prober, url: &str, attempt: &mut Attempt) -> Result<(u16, Vec<u8>), Failure> {
    let json = serde_json::json!({"url": url, "headers": {"accept": "application/rdap+json, application/json"}, "body_bytes": BODY});
    let spec: HttpSpec = serde_json::from_value(json).map_err(|error| refused(error.to_string()))?;
    let (secrets, taken) = (Secrets::default(), BTreeMap::new());
    let values = Values { secrets: &secrets, taken };
    let asked = http::request(prober, &spec, &values, None, true, attempt).await;
    let (reply, _) = asked.map_err(|failure| match failure.reason {
        // By the operator's own settings: the monitor is to be changed.
        Reason::PrivateAddress => failure,
        _ => refused(failure.text),
    })?;
    // They are those of the registry, not of the domain.
    (attempt.http, attempt.certificate) = (None, None);
    match reply.status {
        200 | 404 => Ok((reply.status, reply.body)),
        status => Err(refused(format!("the registry answers {status}"))),
    }
}

fn expiration(body: &[u8]) -> Option<DateTime<Utc>> {
    let json: Value = serde_json::from_slice(body).ok()?;
    let events = json.get("events")?.as_array()?;
    let event = events.iter().find(|event| event.get("eventAction").and_then(Value::as_str) == Some("expiration"))?;
    let date = event.get("eventDate")?.as_str()?;
    DateTime::parse_from_rfc3339(date).ok().map(|date| date.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_suffix_has_the_server() {
        let bootstrap: Bootstrap = serde_json::from_str(
            r#"{"services": [[["com"], ["http://a/", "https://b/"]], [["co.uk", "UK"], ["https://c/"]]], "version": "1.0"}"#,
        )
        .unwrap();
        assert_eq!(bootstrap.server("example.com"), Some("https://b/"));
        assert_eq!(bootstrap.server("example.co.uk"), Some("https://c/"));
        assert_eq!(bootstrap.server("example.invalid"), None);
        assert_eq!(bootstrap.server("com"), None);
    }

    #[test]
    fn the_end_is_among_the_events() {
        let body = br#"{"events": [{"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"},
            {"eventAction": "expiration", "eventDate": "2027-08-13T04:00:00Z"}]}"#;
        assert_eq!(expiration(body).unwrap().to_rfc3339(), "2027-08-13T04:00:00+00:00");
        for none in ["{}", "[]", "nonsense", r#"{"events": [{"eventAction": "expiration", "eventDate": "soon"}]}"#] {
            assert_eq!(expiration(none.as_bytes()), None, "{none}");
        }
    }
}
