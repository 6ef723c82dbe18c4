//! What kinds other than HTTP ask.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    SecretName,
    http::{Family, yes},
};
use platform::text_enum;

/// A connection, and if wanted a text sent and a text that must come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorTcpSpec)]
pub struct TcpSpec {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub send: Option<String>,
    /// Within the first 4 KB.
    #[serde(default)]
    pub expect: Option<String>,
    #[serde(default)]
    pub family: Family,
}

/// A TLS handshake and the certificates that come with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorTlsSpec)]
pub struct TlsSpec {
    pub host: String,
    #[serde(default = "https")]
    pub port: u16,
    /// Name that the certificate must be for; null: the host.
    #[serde(default)]
    pub server_name: Option<String>,
    #[serde(default = "yes")]
    pub verify: bool,
    #[serde(default)]
    pub family: Family,
}

text_enum! {
    #[schema(as = MonitorDnsRecordType)]
    pub enum DnsRecordType {
        A = "A",
        Aaaa = "AAAA",
        Cname = "CNAME",
        Mx = "MX",
        Ns = "NS",
        Txt = "TXT",
        Soa = "SOA",
        Srv = "SRV",
        Caa = "CAA",
        Ptr = "PTR",
    }
}

text_enum! {
    /// How the values of an answer and the expected ones compare.
    #[schema(as = MonitorDnsMatch)]
    #[derive(Default)]
    pub enum DnsMatch {
        #[default]
        AnyOf = "any_of",
        AllOf = "all_of",
        NoneOf = "none_of",
    }
}

/// A look into the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorDnsSpec)]
pub struct DnsSpec {
    pub name: String,
    pub record: DnsRecordType,
    /// `address:port`; null: the name servers of this host.
    #[serde(default)]
    pub server: Option<String>,
    /// In the form of a zone file, such as `10 mail.example.com.`; compared by meaning: the final dot, quotes and the preference of a server for mail may be
    /// left out. Empty: any answer.
    #[serde(default)]
    pub values: Vec<String>,
    #[serde(default)]
    pub values_match: DnsMatch,
    /// Such as `NXDOMAIN`; null: `NOERROR` with an answer.
    #[serde(default)]
    pub rcode: Option<String>,
}

impl DnsSpec {
    /// Codes of answers by their number (RFC 1035, 2136); others are `RCODE` and the number.
    pub const RCODES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];

    /// Whether it can be the code of an answer.
    pub fn is_rcode(text: &str) -> bool {
        let text = text.to_ascii_uppercase();
        let number = text.strip_prefix("RCODE").and_then(|number| number.parse::<u16>().ok());
        Self::RCODES.contains(&text.as_str()) || number.is_some_and(|number| (11..4096).contains(&number))
    }
}

/// Echo requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorIcmpSpec)]
pub struct IcmpSpec {
    pub host: String,
    /// 1 to 10.
    #[serde(default = "three")]
    pub count: u8,
    /// Share of them that may be lost, 0 to 1: it is down from this on.
    #[serde(default = "all")]
    pub loss_below: f64,
    /// Bytes of the content.
    #[serde(default = "echo_bytes")]
    pub size: u16,
    #[serde(default)]
    pub family: Family,
}

text_enum! {
    #[schema(as = MonitorMailTls)]
    #[derive(Default)]
    pub enum MailTls {
        #[default]
        None = "none",
        Starttls = "starttls",
        Implicit = "implicit",
    }
}

/// The greeting of a server for mail, and if wanted its TLS. Never a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorMailServerSpec)]
pub struct MailServerSpec {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub tls: MailTls,
    #[serde(default = "yes")]
    pub verify: bool,
    /// A text in the greeting.
    #[serde(default)]
    pub expect: Option<String>,
    #[serde(default)]
    pub family: Family,
}

text_enum! {
    #[schema(as = MonitorPostgresTls)]
    #[derive(Default)]
    pub enum PostgresTls {
        None = "none",
        /// Encrypted, whoever the server is.
        Require = "require",
        /// Encrypted, with a certificate that is valid for the host.
        #[default]
        Verify = "verify",
    }
}

/// A PostgreSQL server: with a password it signs in and asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorPostgresSpec)]
pub struct PostgresSpec {
    pub host: String,
    #[serde(default = "postgres")]
    pub port: u16,
    pub database: String,
    pub user: String,
    /// Null: only as far as the server asks for one.
    #[serde(default)]
    pub password: Option<SecretName>,
    #[serde(default)]
    pub tls: PostgresTls,
    /// One statement, read only; null: `SELECT 1`.
    #[serde(default)]
    pub query: Option<String>,
    /// The first value of its first row.
    #[serde(default)]
    pub is: Option<String>,
    #[serde(default)]
    pub family: Family,
}

/// `grpc.health.v1.Health/Check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorGrpcSpec)]
pub struct GrpcSpec {
    /// `http` (without TLS) or `https`, with host and port only.
    pub url: String,
    /// Empty: the server as a whole.
    #[serde(default)]
    pub service: String,
    #[serde(default = "yes")]
    pub verify: bool,
    #[serde(default)]
    pub family: Family,
}

/// Reports from outside, which must come each interval, or as `cron` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = MonitorHeartbeatSpec)]
pub struct HeartbeatSpec {
    /// How late one may come, seconds.
    pub grace_seconds: i32,
    /// From a start to its end, seconds; null: as long as it likes.
    pub at_most_seconds: Option<i32>,
    /// Instead of the interval.
    pub cron: Option<String>,
    /// Time zone of `cron`; empty: UTC.
    pub zone: String,
}

/// When a domain ends, by RDAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorDomainSpec)]
pub struct DomainSpec {
    pub name: String,
    /// Degraded when it ends sooner, days.
    #[serde(default = "month")]
    pub days: i16,
}

/// A part of the appliance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MonitorInternalSpec)]
pub struct InternalSpec {
    /// Its key, such as `appliance-database`.
    pub check: String,
}

fn https() -> u16 {
    443
}

fn postgres() -> u16 {
    5432
}

fn three() -> u8 {
    3
}

/// Only the loss of all of them.
fn all() -> f64 {
    1.0
}

fn echo_bytes() -> u16 {
    56
}

fn month() -> i16 {
    30
}
