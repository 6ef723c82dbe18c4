//! One attempt: what is asked, what came, how long each part took. No state, no database.
//!
//! The deadline is one for all phases, and the phase in which it strikes is the reason. What does not fit into an [`Observation`] does not leave this
//! module: no body, no header, no credentials.
//!
//! `attempt.rs` has what all kinds share: the deadline and the phases. `connect.rs` leads to a connection, `tls.rs` and `chain.rs` to an encrypted one
//! and to a verdict on its certificates.

mod attempt;
mod banner;
mod body;
mod chain;
mod charset;
mod connect;
mod dns;
mod exchange;
mod flow;
mod grpc;
mod http;
mod icmp;
mod internal;
mod limited;
mod lines;
mod postgres;
mod rdap;
mod redirect;
mod refused;
mod tcp;
mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::pki_types::CertificateDer;

use super::{
    model::{Failure, Observation, Owner, Reason},
    outside::SelfCheck,
    secrets::Secrets,
    spec::MonitorSpec,
    target::{Policy, Resolver},
};
use attempt::Attempt;
use body::Memory;
use icmp::Echo;
use platform::{clock::Clock, pools::CpuPool};
use rdap::Registries;
use tls::Tls;

pub use refused::{Refused, RefusedTargets};

/// Threads that judge large answers and patterns.
const JUDGES: usize = 2;

/// What attempts need. Cheap to clone.
#[derive(Clone)]
pub struct Prober {
    shared: Arc<Shared>,
}

struct Shared {
    policy: Policy,
    tenant_policy: Policy,
    resolver: Resolver,
    tls: Tls,
    echo: Echo,
    registries: Registries,
    self_checks: Vec<Arc<dyn SelfCheck>>,
    refused: RefusedTargets,
    clock: Clock,
    memory: Memory,
    /// Judges what takes long.
    cpu: CpuPool,
}

/// How a prober finds what it asks.
#[derive(Default)]
pub struct Settings {
    pub policy: Policy,
    /// For monitors of organisations; `None`: the same.
    pub tenant_policy: Option<Policy>,
    /// Certificates that are trusted besides those of the system.
    pub roots: Vec<CertificateDer<'static>>,
    /// `None`: the name servers of this host.
    pub name_server: Option<SocketAddr>,
    /// Where registries of domains are found; `None`: at IANA.
    pub bootstrap: Option<String>,
    pub self_checks: Vec<Arc<dyn SelfCheck>>,
    /// Counts addresses that may not be reached.
    pub refused: RefusedTargets,
    pub clock: Clock,
}

impl std::fmt::Debug for Prober {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

impl Prober {
    /// Certificates, name servers and sockets are made when they are first needed.
    pub fn new(settings: Settings) -> Self {
        let Settings { policy, tenant_policy, roots, name_server, bootstrap, self_checks, refused, clock } = settings;
        let shared = Shared {
            tenant_policy: tenant_policy.unwrap_or_else(|| policy.clone()),
            policy,
            resolver: name_server.map_or_else(Resolver::default, Resolver::at),
            tls: Tls::new(roots),
            echo: Echo::default(),
            registries: Registries::new(bootstrap),
            self_checks,
            refused,
            clock,
            memory: Memory::default(),
            cpu: CpuPool::new(JUDGES),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What monitors of an owner may reach.
    pub fn policy(&self, owner: Owner) -> &Policy {
        if owner == Owner::Installation { &self.shared.policy } else { &self.shared.tenant_policy }
    }

    /// Whether a registry answers for a domain by RDAP; `None`: the list of registries could not be read in time.
    pub async fn has_registry(&self, domain: &str, timeout: Duration) -> Option<bool> {
        rdap::has_registry(self, domain, timeout).await
    }

    /// Whether this host permits echo requests.
    pub fn may_echo(&self) -> bool {
        self.shared.echo.is_permitted()
    }

    /// One attempt. Ends at the latest when the timeout does; of a domain, up to 20 s later: its registry is asked in turn.
    /// `owner`: an organisation may not look into networks of the operator.
    pub async fn run(&self, owner: Owner, spec: &MonitorSpec, secrets: &Secrets, timeout: Duration) -> Observation {
        let mut attempt = Attempt::new(&self.shared.clock, timeout);
        attempt.owner = owner;
        let asked = match spec {
            MonitorSpec::Http(spec) => http::run(self, spec, secrets, &mut attempt).await,
            MonitorSpec::Flow(spec) => flow::run(self, spec, secrets, &mut attempt).await,
            MonitorSpec::Tcp(spec) => tcp::run(self, spec, &mut attempt).await,
            MonitorSpec::Tls(spec) => tcp::run_tls(self, spec, &mut attempt).await,
            MonitorSpec::Dns(spec) => dns::run(self, spec, &mut attempt).await,
            MonitorSpec::Icmp(spec) => icmp::run(self, spec, &mut attempt).await,
            MonitorSpec::Smtp(spec) => banner::smtp(self, spec, &mut attempt).await,
            MonitorSpec::Imap(spec) => banner::imap(self, spec, &mut attempt).await,
            MonitorSpec::Postgres(spec) => postgres::run(self, spec, secrets, &mut attempt).await,
            MonitorSpec::Grpc(spec) => grpc::run(self, spec, &mut attempt).await,
            // Nothing is asked: the prober judges its beats.
            MonitorSpec::Heartbeat(_) => Ok(()),
            MonitorSpec::Domain(spec) => rdap::run(self, spec, &mut attempt).await,
            MonitorSpec::Internal(spec) => internal::run(self, spec, &mut attempt).await,
        };
        if let Err(failure) = asked {
            attempt.fail(failure);
        }
        attempt.end()
    }
}

/// A failure with its text.
fn failure(reason: Reason, text: impl Into<String>) -> Failure {
    Failure { reason, text: text.into() }
}
