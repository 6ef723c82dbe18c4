//! The tables of the file that are this room's own: `defaults`, `groups`, `monitors`, `windows`, as they are written.
//!
//! Secrets are never in the file: `*_file` names a file and `*_env` a variable, read when it is applied.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use serde_json::Value;
use toml::value::Datetime;

use super::duration::Duration;
use crate::spec::{DnsRecordType, Family, HttpMethod, HttpVersion, MailTls, PostgresTls};

/// `[defaults]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    pub interval: Option<Duration>,
    pub timeout: Option<Duration>,
    pub retries: Option<i16>,
    pub retry_after: Option<Duration>,
    pub successes: Option<i16>,
    pub target: Option<f64>,
    pub slow: Option<Duration>,
    pub certificate_days: Option<i16>,
}

/// `[groups.<key>]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupEntry {
    pub name: String,
}

/// `[monitors.<key>]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorEntry {
    /// Left out: the key.
    pub name: Option<String>,
    pub description: String,
    pub group: Option<String>,
    pub tags: Vec<String>,
    pub parent: Option<String>,
    pub interval: Option<Duration>,
    pub timeout: Option<Duration>,
    pub retries: Option<i16>,
    pub retry_after: Option<Duration>,
    pub successes: Option<i16>,
    pub target: Option<f64>,
    pub slow: Option<Duration>,
    pub certificate_days: Option<i16>,
    /// When it is made: pausing afterwards is operation, and is left alone.
    pub paused: bool,
    pub badge: bool,
    /// `<name>_file` or `<name>_env`, by which `{{secret.<name>}}` stands for it.
    pub secrets: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub auth: Option<AuthEntry>,
    pub expect: Vec<ExpectEntry>,
    pub http: Option<HttpEntry>,
    pub flow: Option<Vec<StepEntry>>,
    pub tcp: Option<TcpEntry>,
    pub tls: Option<TlsEntry>,
    pub dns: Option<DnsEntry>,
    pub icmp: Option<IcmpEntry>,
    pub smtp: Option<MailServerEntry>,
    pub imap: Option<MailServerEntry>,
    pub postgres: Option<PostgresEntry>,
    pub grpc: Option<GrpcEntry>,
    pub heartbeat: Option<HeartbeatEntry>,
    pub domain: Option<DomainEntry>,
}

/// How a request signs in: one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthEntry {
    pub basic: Option<BasicEntry>,
    pub bearer_file: Option<PathBuf>,
    pub bearer_env: Option<String>,
    pub client_certificate_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicEntry {
    pub user: String,
    pub password_file: Option<PathBuf>,
    pub password_env: Option<String>,
}

/// One of `keyword`, `json`, `header` and `time_below`, with one comparison for the second and the third.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpectEntry {
    pub keyword: Option<String>,
    pub absent: bool,
    pub json: Option<String>,
    pub header: Option<String>,
    pub time_below: Option<Duration>,
    pub is: Option<Value>,
    pub is_not: Option<Value>,
    pub contains: Option<Value>,
    pub below: Option<Value>,
    pub above: Option<Value>,
    pub at_most: Option<Value>,
    pub at_least: Option<Value>,
    pub matches: Option<Value>,
    pub exists: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpEntry {
    pub url: String,
    #[serde(default)]
    pub method: HttpMethod,
    pub body: Option<String>,
    pub redirects: Option<u8>,
    pub status: Option<Vec<String>>,
    #[serde(default)]
    pub version: HttpVersion,
    #[serde(default)]
    pub family: Family,
    pub verify: Option<bool>,
    pub body_bytes: Option<u32>,
}

/// `[[monitors.<key>.flow]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepEntry {
    pub name: String,
    pub http: HttpEntry,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub auth: Option<AuthEntry>,
    #[serde(default)]
    pub expect: Vec<ExpectEntry>,
    #[serde(default)]
    pub take: BTreeMap<String, TakeEntry>,
}

/// One of `json`, `header`, `cookie` and `regex`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TakeEntry {
    pub json: Option<String>,
    pub header: Option<String>,
    pub cookie: Option<String>,
    pub regex: Option<String>,
    pub group: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpEntry {
    pub host: String,
    pub port: u16,
    pub send: Option<String>,
    pub expect: Option<String>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsEntry {
    pub host: String,
    pub port: Option<u16>,
    pub server_name: Option<String>,
    pub verify: Option<bool>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsEntry {
    pub name: String,
    #[serde(rename = "type")]
    pub record: DnsRecordType,
    pub server: Option<String>,
    pub any_of: Option<Vec<String>>,
    pub all_of: Option<Vec<String>>,
    pub none_of: Option<Vec<String>>,
    pub rcode: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IcmpEntry {
    pub host: String,
    pub count: Option<u8>,
    pub loss_below: Option<f64>,
    pub size: Option<u16>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailServerEntry {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub tls: MailTls,
    pub verify: Option<bool>,
    pub expect: Option<String>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresEntry {
    pub host: String,
    pub port: Option<u16>,
    pub database: String,
    pub user: String,
    pub password_file: Option<PathBuf>,
    pub password_env: Option<String>,
    #[serde(default)]
    pub tls: PostgresTls,
    pub query: Option<String>,
    pub is: Option<String>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcEntry {
    pub url: String,
    #[serde(default)]
    pub service: String,
    pub verify: Option<bool>,
    #[serde(default)]
    pub family: Family,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeartbeatEntry {
    pub grace: Option<Duration>,
    pub at_most: Option<Duration>,
    pub cron: Option<String>,
    pub zone: String,
    /// Left out: one is made, and the console gives a new one.
    pub token_file: Option<PathBuf>,
    pub token_env: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainEntry {
    pub name: String,
    pub days: Option<i16>,
}

/// `[windows.<key>]`
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WindowEntry {
    /// Left out: the key.
    pub name: Option<String>,
    pub cron: Option<String>,
    #[serde(rename = "for")]
    pub length: Option<Duration>,
    /// In the zone, if it has none of its own.
    pub starts: Option<Datetime>,
    pub ends: Option<Datetime>,
    pub zone: String,
    pub monitors: Vec<String>,
    pub groups: Vec<String>,
    pub tags: Vec<String>,
    pub everything: bool,
    pub excluded: Option<bool>,
}
