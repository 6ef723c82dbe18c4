//! What all kinds share: the deadline, the phases, and what is found on the way.

use std::{io, net::IpAddr, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};

use super::failure;
use crate::{
    model::{Certificate, ChainEntry, Degraded, Failure, HttpFacts, Observation, Owner, Phase, Phases, Reason},
    text,
};
use platform::clock::Clock;

/// A phase that ends sooner, or the attempt has failed: resolving, connecting, TLS.
const PHASE: Duration = Duration::from_secs(5);

/// An attempt that is being made.
#[derive(Debug)]
pub struct Attempt {
    at: DateTime<Utc>,
    started: Instant,
    deadline: Instant,
    phases: Phases,
    failures: Vec<Failure>,
    /// For whom: an organisation may not look into networks of the operator.
    pub owner: Owner,
    pub address: Option<IpAddr>,
    pub code: Option<i16>,
    pub certificate: Option<Certificate>,
    pub domain_ends_at: Option<DateTime<Utc>>,
    pub http: Option<HttpFacts>,
    pub degraded: Option<Degraded>,
    pub note: Option<String>,
}

impl Attempt {
    pub fn new(clock: &Clock, timeout: Duration) -> Self {
        let started = Instant::now();
        Self {
            at: clock.now(),
            started,
            deadline: started + timeout,
            phases: Phases::default(),
            failures: Vec::new(),
            owner: Owner::Installation,
            address: None,
            code: None,
            certificate: None,
            domain_ends_at: None,
            http: None,
            degraded: None,
            note: None,
        }
    }

    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// By the wall clock, when it started.
    pub fn at(&self) -> DateTime<Utc> {
        self.at
    }

    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// It waited for so long before it could ask: as if it had begun later.
    pub fn prolong(&mut self, waited: Duration) {
        self.started += waited;
        self.deadline += waited;
    }

    pub fn fail(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Does a part of the attempt, within the deadline, and adds its time to the phase. Phases of redirects and steps are added up.
    pub async fn phase<T>(&mut self, phase: Phase, work: impl Future<Output = T>) -> Result<T, Failure> {
        let began = Instant::now();
        let until = match phase {
            Phase::Resolve | Phase::Connect | Phase::Tls => self.deadline.min(began + PHASE),
            Phase::FirstByte | Phase::Transfer => self.deadline,
        };
        let done = timeout_at(until, work).await;
        self.measured(phase, began.elapsed());
        done.map_err(|_| timed_out(phase, began.elapsed()))
    }

    /// Adds to a phase.
    pub fn measured(&mut self, phase: Phase, took: Duration) {
        let field = match phase {
            Phase::Resolve => &mut self.phases.resolve,
            Phase::Connect => &mut self.phases.connect,
            Phase::Tls => &mut self.phases.tls,
            Phase::FirstByte => &mut self.phases.first_byte,
            Phase::Transfer => &mut self.phases.transfer,
        };
        *field = Some(field.unwrap_or(0).saturating_add(micros(took)));
    }

    /// The only way out: texts of strangers become such as can be stored and shown.
    pub fn end(self) -> Observation {
        let cleaned = |failure: Failure| Failure { text: text::sentence(&failure.text), ..failure };
        Observation {
            at: self.at,
            failures: self.failures.into_iter().map(cleaned).collect(),
            total: micros(self.started.elapsed()),
            phases: self.phases,
            address: self.address,
            code: self.code,
            certificate: self.certificate.map(certificate),
            domain_ends_at: self.domain_ends_at,
            http: self.http,
            degraded: self.degraded,
            note: self.note.as_deref().map(text::sentence),
        }
    }
}

fn certificate(found: Certificate) -> Certificate {
    let entry = |entry: ChainEntry| {
        let (subject, issuer) = (text::subject(&entry.subject), text::subject(&entry.issuer));
        ChainEntry { subject, issuer, ..entry }
    };
    Certificate {
        subject: text::subject(&found.subject),
        issuer: text::subject(&found.issuer),
        names: found.names.iter().map(|name| text::host_name(name)).collect(),
        chain: found.chain.into_iter().map(entry).collect(),
        ..found
    }
}

fn timed_out(phase: Phase, after: Duration) -> Failure {
    let (reason, what) = match phase {
        Phase::Resolve => (Reason::ResolveTimeout, "no name server has answered"),
        Phase::Connect => (Reason::ConnectTimeout, "there was no connection"),
        Phase::Tls => (Reason::TlsTimeout, "the TLS handshake was not done"),
        Phase::FirstByte => (Reason::FirstByteTimeout, "there was no answer"),
        Phase::Transfer => (Reason::TransferTimeout, "the answer was not complete"),
    };
    failure(reason, format!("{what} after {} ms", after.as_millis()))
}

pub fn micros(duration: Duration) -> i32 {
    i32::try_from(duration.as_micros()).unwrap_or(i32::MAX)
}

/// What an error of a socket says about the target, or about this host.
pub fn of_io(error: &io::Error, what: &str) -> Failure {
    use io::ErrorKind as Kind;
    let reason = match error.kind() {
        Kind::ConnectionRefused => Reason::ConnectRefused,
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => Reason::ConnectUnreachable,
        Kind::TimedOut => Reason::ConnectTimeout,
        Kind::AddrNotAvailable | Kind::AddrInUse | Kind::OutOfMemory => Reason::Local,
        Kind::PermissionDenied => Reason::NotPermitted,
        Kind::InvalidData | Kind::InvalidInput => Reason::Protocol,
        // EMFILE and ENFILE: this process or this host has no file descriptor left.
        _ if matches!(error.raw_os_error(), Some(23 | 24 | 105)) => Reason::Local,
        // A reset, a broken pipe, an end too early.
        _ => Reason::Closed,
    };
    failure(reason, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_phase_in_which_the_deadline_strikes_is_the_reason() {
        let mut attempt = Attempt::new(&Clock::system(), Duration::from_millis(30));
        assert_eq!(attempt.phase(Phase::Connect, async { 7 }).await, Ok(7));
        let struck = attempt.phase(Phase::FirstByte, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(struck.reason, Reason::FirstByteTimeout);
        let later = attempt.phase(Phase::Transfer, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(later.reason, Reason::TransferTimeout);
        attempt.fail(struck);
        let seen = attempt.end();
        assert!(seen.phases.connect.is_some() && seen.phases.first_byte >= Some(20_000) && seen.phases.tls.is_none());
        assert!(!seen.is_up() && seen.total >= 30_000);
    }

    #[test]
    fn what_this_host_lacks_says_nothing_about_the_target() {
        for (number, reason) in [(24, Reason::Local), (111, Reason::ConnectRefused), (113, Reason::ConnectUnreachable)]
        {
            assert_eq!(of_io(&io::Error::from_raw_os_error(number), "x").reason, reason);
        }
    }
}
