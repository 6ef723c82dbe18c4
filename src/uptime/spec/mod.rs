//! What a monitor asks and what it expects: as the API takes it and as it is stored in `uptime_monitors.spec`.
//!
//! Secrets are not in it: a [`SecretName`] names one of the monitor's secrets, and `{{secret.<name>}}` in a header, a body or a query stands for one.
//! Limits of the fields, and which of them exclude each other, are checked when a monitor is saved: `MonitorSpec::validate`, in `validate.rs`. What
//! cannot be read any more, because a newer version wrote it, leaves the monitor unknown with cause `unable`.

mod facts;
mod http;
mod others;
mod validate;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Kind;

pub use http::{Auth, Condition, Family, FlowSpec, HttpMethod, HttpSpec, HttpVersion, Step as FlowStep, Take, Test};
pub use others::{
    DnsMatch, DnsRecordType, DnsSpec, DomainSpec, GrpcSpec, HeartbeatSpec, IcmpSpec, InternalSpec, MailServerSpec,
    MailTls, PostgresSpec, PostgresTls, TcpSpec, TlsSpec,
};

/// The name of a secret of the same monitor: 1 to 40 of [a-z0-9_].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = MonitorSecretName)]
pub struct SecretName(pub String);

/// What is asked, and what is expected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MonitorSpec {
    Http(HttpSpec),
    Flow(FlowSpec),
    Tcp(TcpSpec),
    Tls(TlsSpec),
    Dns(DnsSpec),
    Icmp(IcmpSpec),
    Smtp(MailServerSpec),
    Imap(MailServerSpec),
    Postgres(PostgresSpec),
    Grpc(GrpcSpec),
    Heartbeat(HeartbeatSpec),
    Domain(DomainSpec),
    Internal(InternalSpec),
}

impl MonitorSpec {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Http(_) => Kind::Http,
            Self::Flow(_) => Kind::Flow,
            Self::Tcp(_) => Kind::Tcp,
            Self::Tls(_) => Kind::Tls,
            Self::Dns(_) => Kind::Dns,
            Self::Icmp(_) => Kind::Icmp,
            Self::Smtp(_) => Kind::Smtp,
            Self::Imap(_) => Kind::Imap,
            Self::Postgres(_) => Kind::Postgres,
            Self::Grpc(_) => Kind::Grpc,
            Self::Heartbeat(_) => Kind::Heartbeat,
            Self::Domain(_) => Kind::Domain,
            Self::Internal(_) => Kind::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_refused() {
        let spec: MonitorSpec = serde_json::from_value(json!({"kind": "http", "url": "https://example.com/"})).unwrap();
        let MonitorSpec::Http(http) = &spec else { panic!("{spec:?}") };
        assert_eq!((http.method, http.redirects, http.verify), (HttpMethod::Get, 5, true));
        let again: MonitorSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
        for wrong in [
            json!({"kind": "http"}),
            json!({"kind": "http", "url": "https://example.com/", "colour": "red"}),
            json!({"kind": "gopher", "url": "gopher://example.com/"}),
            json!({"kind": "http", "url": "https://example.com/", "expect": [{"on": "keyword", "text": "x", "colour": 1}]}),
        ] {
            assert!(serde_json::from_value::<MonitorSpec>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
