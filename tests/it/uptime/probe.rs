//! Probes of tests: loopback is open to them, as an operator may set it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use holdfast::uptime::{MonitorSpec, Observation, Owner, Policy, ProbeSettings, Prober, Secrets, spec::SecretName};
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::support::cluster::cluster;

pub const TIMEOUT: Duration = Duration::from_secs(10);

pub fn settings() -> ProbeSettings {
    ProbeSettings { policy: open(&["127.0.0.1/32", "::1/128"]), ..ProbeSettings::default() }
}

pub fn open(networks: &[&str]) -> Policy {
    Policy::new(networks.iter().map(|network| network.parse().unwrap()).collect())
}

pub fn prober() -> Prober {
    Prober::new(settings())
}

/// Trusts these besides the system's.
pub fn trusting(roots: Vec<CertificateDer<'static>>) -> Prober {
    Prober::new(ProbeSettings { roots, ..settings() })
}

/// Names are resolved by this server.
pub fn asking(name_server: SocketAddr, networks: &[&str]) -> Prober {
    Prober::new(ProbeSettings { policy: open(networks), name_server: Some(name_server), ..ProbeSettings::default() })
}

pub async fn look(prober: &Prober, spec: Value) -> Observation {
    look_for(prober, spec, &[], TIMEOUT).await
}

pub async fn look_for(prober: &Prober, spec: Value, secrets: &[(&str, &str)], timeout: Duration) -> Observation {
    let spec: MonitorSpec = serde_json::from_value(spec).unwrap();
    let secrets = secrets.iter().map(|(name, value)| (SecretName((*name).to_owned()), (*value).into()));
    prober.run(Owner::Installation, &spec, &Secrets(secrets.collect()), timeout).await
}

/// The socket of the suite's PostgreSQL.
pub async fn postgres_socket() -> PathBuf {
    let url = cluster().await.url("postgres");
    let folder = url.split('@').nth(1).unwrap().split('/').next().unwrap().replace("%2F", "/");
    PathBuf::from(folder).join(".s.PGSQL.5432")
}
