//! Alertmanager's API version 2, as far as we use it: silences, and which alerts it holds.

use std::{collections::HashSet, time::Duration};

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use platform::error::ApiError;

/// Alertmanager answers from memory.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest quoted error message of Alertmanager, characters.
const LONGEST_WORDS: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum AlertmanagerError {
    #[error(
        "silences are kept by Alertmanager: set alerting.alertmanager_url to its address, e.g. http://alertmanager:9093"
    )]
    Off,
    #[error("Alertmanager cannot be reached at alerting.alertmanager_url: is it running, and is the address right?")]
    Unreachable(#[source] reqwest::Error),
    #[error("Alertmanager answered {status}: {words}")]
    Failed { status: u16, words: String },
    #[error("Alertmanager refused the request: {0}")]
    Refused(String),
    #[error("no such silence")]
    NoSilence,
}

impl From<AlertmanagerError> for ApiError {
    fn from(error: AlertmanagerError) -> Self {
        let text = error.to_string();
        match error {
            AlertmanagerError::Off => Self::conflict("alertmanager_not_configured", text),
            AlertmanagerError::Unreachable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "alertmanager_unreachable", text).with_source(error)
            }
            AlertmanagerError::Failed { .. } => Self::new(StatusCode::BAD_GATEWAY, "alertmanager_failed", text),
            AlertmanagerError::Refused(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "alertmanager_refused", text),
            AlertmanagerError::NoSilence => Self::not_found("silence"),
        }
    }
}

/// A condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Matcher {
    pub name: String,
    /// `=`, `!=`, `=~`, `!~`
    #[serde(default = "equals")]
    pub operator: String,
    pub value: String,
}

fn equals() -> String {
    "=".to_owned()
}

impl std::fmt::Display for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operator)
    }
}

/// A silence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Silence {
    /// Assigned by Alertmanager.
    pub id: String,
    /// `active`, `pending`, `expired`
    pub state: String,
    pub matchers: Vec<Matcher>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub created_by: String,
    pub comment: String,
}

/// A silence to create.
#[derive(Clone, Debug)]
pub struct NewSilence {
    pub matchers: Vec<Matcher>,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
    pub created_by: String,
    pub comment: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMatcher {
    name: String,
    value: String,
    is_regex: bool,
    #[serde(default = "yes")]
    is_equal: bool,
}

fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSilence {
    #[serde(default, skip_serializing)]
    id: String,
    #[serde(default, skip_serializing)]
    status: WireState,
    matchers: Vec<WireMatcher>,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    comment: String,
}

#[derive(Default, Deserialize)]
struct WireState {
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Created {
    #[serde(rename = "silenceID")]
    silence_id: String,
}

#[derive(Deserialize)]
struct Held {
    fingerprint: String,
}

#[derive(Deserialize)]
struct Receiver {
    name: String,
}

#[derive(Deserialize)]
struct Running {
    uptime: DateTime<Utc>,
}

impl From<&Matcher> for WireMatcher {
    fn from(matcher: &Matcher) -> Self {
        let operator = matcher.operator.as_str();
        Self {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            is_regex: matches!(operator, "=~" | "!~"),
            is_equal: matches!(operator, "=" | "=~"),
        }
    }
}

impl From<WireMatcher> for Matcher {
    fn from(wire: WireMatcher) -> Self {
        let operator = match (wire.is_equal, wire.is_regex) {
            (true, false) => "=",
            (true, true) => "=~",
            (false, false) => "!=",
            (false, true) => "!~",
        };
        Self { name: wire.name, operator: operator.to_owned(), value: wire.value }
    }
}

impl From<WireSilence> for Silence {
    fn from(wire: WireSilence) -> Self {
        Self {
            id: wire.id,
            state: wire.status.state,
            matchers: wire.matchers.into_iter().map(Into::into).collect(),
            starts_at: wire.starts_at,
            ends_at: wire.ends_at,
            created_by: wire.created_by,
            comment: wire.comment,
        }
    }
}

/// A client of one Alertmanager. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    http: reqwest::Client,
    /// Without a trailing slash; empty when none is configured.
    url: String,
}

impl Alertmanager {
    pub fn new(http: reqwest::Client, url: &str) -> Self {
        Self { http, url: url.trim_end_matches('/').to_owned() }
    }

    pub fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// Active and pending silences, soonest end first; then at most `expired` expired ones, newest first.
    pub async fn silences(&self, expired: usize) -> Result<Vec<Silence>, AlertmanagerError> {
        let all: Vec<WireSilence> = self.ask(self.request(Method::GET, "silences")?).await?;
        let (mut over, mut live): (Vec<Silence>, Vec<Silence>) =
            all.into_iter().map(Silence::from).partition(|silence| silence.state == "expired");
        live.sort_by_key(|silence| silence.ends_at);
        over.sort_by_key(|silence| std::cmp::Reverse(silence.ends_at));
        live.extend(over.into_iter().take(expired));
        Ok(live)
    }

    pub async fn silence(&self, id: &str) -> Result<Silence, AlertmanagerError> {
        let request = self.request(Method::GET, &format!("silence/{}", path_part(id)?))?;
        Ok(self.ask::<WireSilence>(request).await?.into())
    }

    /// Returns the new silence's id.
    pub async fn create(&self, new: &NewSilence) -> Result<String, AlertmanagerError> {
        let body = WireSilence {
            id: String::new(),
            status: WireState::default(),
            matchers: new.matchers.iter().map(Into::into).collect(),
            starts_at: new.starts_at,
            ends_at: new.ends_at,
            created_by: new.created_by.clone(),
            comment: new.comment.clone(),
        };
        let created: Created = self.ask(self.request(Method::POST, "silences")?.json(&body)).await?;
        Ok(created.silence_id)
    }

    /// Ends a silence now.
    pub async fn expire(&self, id: &str) -> Result<(), AlertmanagerError> {
        let request = self.request(Method::DELETE, &format!("silence/{}", path_part(id)?))?;
        send(request).await.map(drop)
    }

    /// Fingerprints of all alerts it holds, silenced and inhibited ones included.
    pub async fn fingerprints(&self) -> Result<HashSet<String>, AlertmanagerError> {
        self.held("alerts").await
    }

    /// Fingerprints of silenced alerts.
    pub async fn silenced(&self) -> Result<HashSet<String>, AlertmanagerError> {
        self.held("alerts?silenced=true&active=false&inhibited=false&unprocessed=false").await
    }

    async fn held(&self, path: &str) -> Result<HashSet<String>, AlertmanagerError> {
        let held: Vec<Held> = self.ask(self.request(Method::GET, path)?).await?;
        Ok(held.into_iter().map(|alert| alert.fingerprint).collect())
    }

    /// When Alertmanager was started.
    pub async fn running_since(&self) -> Result<DateTime<Utc>, AlertmanagerError> {
        Ok(self.ask::<Running>(self.request(Method::GET, "status")?).await?.uptime)
    }

    /// Names of its receivers.
    pub async fn receivers(&self) -> Result<Vec<String>, AlertmanagerError> {
        let all: Vec<Receiver> = self.ask(self.request(Method::GET, "receivers")?).await?;
        Ok(all.into_iter().map(|receiver| receiver.name).collect())
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, AlertmanagerError> {
        if !self.is_on() {
            return Err(AlertmanagerError::Off);
        }
        Ok(self.http.request(method, format!("{}/api/v2/{path}", self.url)).timeout(TIMEOUT))
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, AlertmanagerError> {
        let response = send(request).await?;
        let status = response.status().as_u16();
        response.json().await.map_err(|error| {
            if error.is_decode() {
                let words = "the answer is not from Alertmanager's API; is alerting.alertmanager_url right?".to_owned();
                AlertmanagerError::Failed { status, words }
            } else {
                AlertmanagerError::Unreachable(error.without_url())
            }
        })
    }
}

/// Checks that an id is a UUID, so that it cannot change the path.
fn path_part(id: &str) -> Result<&str, AlertmanagerError> {
    let fits = !id.is_empty() && id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if fits { Ok(id) } else { Err(AlertmanagerError::NoSilence) }
}

async fn send(request: RequestBuilder) -> Result<Response, AlertmanagerError> {
    let response = request.send().await.map_err(|error| AlertmanagerError::Unreachable(error.without_url()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let words: String = response.text().await.unwrap_or_default().chars().take(LONGEST_WORDS).collect();
    let words = words.trim().trim_matches('"').to_owned();
    Err(match status {
        // Up to 0.26 Alertmanager answers 500 for an unknown silence.
        StatusCode::INTERNAL_SERVER_ERROR if words.contains("silence not found") => AlertmanagerError::NoSilence,
        StatusCode::NOT_FOUND => AlertmanagerError::NoSilence,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => AlertmanagerError::Refused(words),
        _ => AlertmanagerError::Failed { status: status.as_u16(), words },
    })
}
