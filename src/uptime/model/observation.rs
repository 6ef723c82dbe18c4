//! What one attempt of a check found.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::Degraded;
use platform::text_enum;

text_enum! {
    /// Part of an attempt.
    #[schema(as = CheckPhase)]
    pub enum Phase {
        Resolve = "resolve",
        Connect = "connect",
        Tls = "tls",
        /// From the end of the request to the first byte of the answer.
        FirstByte = "first_byte",
        Transfer = "transfer",
    }
}

text_enum! {
    /// Why an attempt failed. Stored by its place in this list: a new one comes at the end, and none goes.
    #[schema(as = CheckReason)]
    pub enum Reason {
        /// The name has no address.
        NameNotFound = "name_not_found",
        /// No name server answered, or it could not.
        ResolverFailed = "resolver_failed",
        /// No address that may be asked.
        PrivateAddress = "private_address",
        ResolveTimeout = "resolve_timeout",
        ConnectRefused = "connect_refused",
        ConnectUnreachable = "connect_unreachable",
        ConnectTimeout = "connect_timeout",
        TlsFailed = "tls_failed",
        TlsTimeout = "tls_timeout",
        CertificateExpired = "certificate_expired",
        CertificateNotYetValid = "certificate_not_yet_valid",
        CertificateName = "certificate_name",
        /// Nobody who is trusted has signed it, or an intermediate certificate is missing.
        CertificateUntrusted = "certificate_untrusted",
        FirstByteTimeout = "first_byte_timeout",
        TransferTimeout = "transfer_timeout",
        /// The connection was closed or reset before the answer was whole.
        Closed = "closed",
        /// The answer is none of the protocol.
        Protocol = "protocol",
        HeadTooLarge = "head_too_large",
        BodyTooLarge = "body_too_large",
        RedirectLoop = "redirect_loop",
        TooManyRedirects = "too_many_redirects",
        /// A redirect to no address that can be asked.
        RedirectInvalid = "redirect_invalid",
        Status = "status",
        Keyword = "keyword",
        Json = "json",
        Header = "header",
        /// Slower than its condition permits.
        TooSlow = "too_slow",
        DnsValue = "dns_value",
        DnsRcode = "dns_rcode",
        PacketLoss = "packet_loss",
        /// The greeting or an answer of a server for mail, or what a TCP monitor waits for.
        Banner = "banner",
        /// PostgreSQL refused the sign-in or the query, or gave another value.
        Query = "query",
        GrpcStatus = "grpc_status",
        BeatMissed = "beat_missed",
        /// The sender itself reported a failure.
        BeatFailed = "beat_failed",
        /// A start was reported, and no end in time.
        RunTooLong = "run_too_long",
        /// A flow needs a value that an answer did not have.
        ValueMissing = "value_missing",
        DomainExpired = "domain_expired",
        /// A part of the appliance is not well.
        SelfCheck = "self_check",
        /// This host may not send it: the status is unknown, not down.
        NotPermitted = "not_permitted",
        /// A registry of domains limits or refuses requests: the status is unknown, not down.
        RegistryRefused = "registry_refused",
        /// This host lacks file descriptors, ports or memory: the status is unknown, not down.
        Local = "local",
        /// A part of the appliance is not configured: the status is unknown, not down.
        Off = "off",
    }
}

impl Reason {
    /// As in `uptime_checks.reason`; 0 is none.
    pub const fn number(self) -> i16 {
        self as i16 + 1
    }

    pub fn of_number(number: i16) -> Option<Self> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        Self::ALL.get(place).copied()
    }

    /// Whether it says nothing about what is watched.
    pub const fn is_unable(self) -> bool {
        matches!(self, Self::NotPermitted | Self::RegistryRefused | Self::Local | Self::Off)
    }
}

/// How long the phases took, microseconds. Null: not reached, or the kind has none. Redirects and steps are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckPhases)]
pub struct Phases {
    pub resolve: Option<i32>,
    pub connect: Option<i32>,
    pub tls: Option<i32>,
    pub first_byte: Option<i32>,
    pub transfer: Option<i32>,
}

/// Something that was expected and was not so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckFailure)]
pub struct Failure {
    pub reason: Reason,
    /// In words, at most 500 characters; names the step of a flow. Never a secret, a body or an address with credentials.
    pub text: String,
}

/// What one attempt found. It is up, or it has a failure: there is no third.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CheckObservation)]
pub struct Observation {
    /// When it started.
    pub at: DateTime<Utc>,
    /// Everything that was not as expected, the first first; empty: it is up.
    pub failures: Vec<Failure>,
    /// Of the whole attempt, microseconds.
    pub total: i32,
    pub phases: Phases,
    /// The address that was connected to.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// Status of HTTP and gRPC, reply code of SMTP, RCODE of DNS.
    pub code: Option<i16>,
    pub certificate: Option<Certificate>,
    pub domain_ends_at: Option<DateTime<Utc>>,
    /// Of the last answer; null for other kinds.
    pub http: Option<HttpFacts>,
    /// Of a part of the appliance that is up: what needs attention.
    pub degraded: Option<Degraded>,
    /// What a part of the appliance says of itself.
    pub note: Option<String>,
}

impl Observation {
    pub fn is_up(&self) -> bool {
        self.failures.is_empty()
    }

    /// The first failure's.
    pub fn reason(&self) -> Option<Reason> {
        self.failures.first().map(|failure| failure.reason)
    }

    /// The check could not be made: the status is unknown.
    pub fn is_unable(&self) -> bool {
        self.reason().is_some_and(Reason::is_unable)
    }

    /// All failures in one text.
    pub fn error(&self) -> Option<String> {
        let texts: Vec<&str> = self.failures.iter().map(|failure| failure.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("; ").chars().take(500).collect())
    }
}

/// What HTTP said besides the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckHttpFacts)]
pub struct HttpFacts {
    /// `1.1` or `2`
    pub version: String,
    /// As the answer's head says it.
    pub content_length: Option<i64>,
    /// Redirects that were followed.
    pub redirects: i16,
    /// Bytes of the body that were read.
    pub body_bytes: i64,
    pub is_tls: bool,
}

/// The certificates of a connection. Recorded before they are judged: an expired one tells its dates, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckCertificate)]
pub struct Certificate {
    /// SHA-256 of the server's own certificate, in hex.
    pub fingerprint: String,
    pub subject: String,
    pub issuer: String,
    /// Names that it is for.
    pub names: Vec<String>,
    pub starts_at: DateTime<Utc>,
    /// The first end among the certificates of the path that was verified; of the server's own where none could be.
    pub ends_at: DateTime<Utc>,
    pub is_verified: bool,
    /// `1.2` or `1.3`
    pub tls: String,
    /// What the server sent, its own first.
    pub chain: Vec<ChainEntry>,
}

/// A certificate that a server sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckChainEntry)]
pub struct ChainEntry {
    pub subject: String,
    pub issuer: String,
    pub ends_at: DateTime<Utc>,
    /// On the path that was verified.
    pub is_used: bool,
}

/// What a part of the appliance says of itself. Strangers may read the texts on a status page: they name no host, address, version or error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Well, with a note such as a date.
    Well(Option<String>),
    /// Works, and needs attention.
    Degraded(String),
    Down(String),
    /// Not configured: neither well nor down.
    Off(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_by_its_number_and_none_by_others() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of_number(reason.number()), Some(reason));
        }
        // What is stored must keep its meaning.
        assert_eq!((Reason::NameNotFound.number(), Reason::Status.number(), Reason::Local.number()), (1, 23, 42));
        let after = i16::try_from(Reason::ALL.len()).unwrap() + 1;
        assert_eq!([0, -1, i16::MIN, after].map(Reason::of_number), [None; 4]);
    }
}
