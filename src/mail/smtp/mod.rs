//! The SMTP account: its connections, and the conversation for one mail, step by step, so that it is known whether the content was sent when
//! something fails. Only this folder knows lettre's client.
//!
//! lettre bounds only the TCP connection in time; here every step has a limit, whatever trickles in meanwhile. Host and port are the operator's
//! settings, so they may be in a private network; nothing that an organisation says decides where a connection goes.

mod connection;
mod failure;
mod lines;
mod refusals;

use std::{
    iter,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lettre::transport::smtp::{authentication::Credentials, extension::ClientId};
use secrecy::ExposeSecret as _;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

pub(super) use connection::Envelope;
#[cfg(test)]
pub(super) use failure::judge;
pub(super) use failure::{Answer, Failure, Step};

use super::{Config, Metrics, Security, wire};
use connection::{Connection, Encryption, Ended};
use platform::error::chain;

/// A connection that was idle for longer is closed: many servers close it after some minutes.
const IDLE: Duration = Duration::from_secs(60);
/// Mails on one connection; many servers allow no more.
const MOST_MAILS: u32 = 100;
/// More idle connections than a few busy lanes leave behind are closed.
const MOST_IDLE: usize = 32;

/// The account that mail is sent with.
pub struct Account {
    host: String,
    port: u16,
    security: Security,
    hello: ClientId,
    credentials: Option<Credentials>,
    ca_file: Option<std::path::PathBuf>,
    limits: Limits,
    encryption: OnceCell<Encryption>,
    /// One for each connection that there may be.
    slots: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
    metrics: Metrics,
}

/// The right to send a mail. There are no more connections than such rights: who has one uses an idle connection before it opens another.
pub type Slot = OwnedSemaphorePermit;

/// Time limits.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connect: Duration,
    command: Duration,
    data: Duration,
}

impl Account {
    /// Its name, with which lanes begin.
    pub const NAME: &'static str = "smtp";

    /// `None` without a server and a sender. `hostname` is what EHLO gives.
    pub fn new(config: &Config, hostname: &str, metrics: Metrics) -> Option<Self> {
        if !config.is_configured() {
            return None;
        }
        let password = config.smtp_password.as_ref().map(|password| password.expose_secret().to_owned());
        Some(Self {
            host: config.smtp_host.clone(),
            port: config.port(),
            security: config.smtp_security,
            hello: hello(hostname),
            credentials: password.map(|password| Credentials::new(config.smtp_user.clone(), password)),
            ca_file: config.smtp_ca_file.clone(),
            limits: Limits {
                connect: Duration::from_secs(config.connect_seconds),
                command: Duration::from_secs(config.command_seconds),
                data: Duration::from_secs(config.data_seconds),
            },
            encryption: OnceCell::new(),
            slots: Arc::new(Semaphore::new(config.smtp_connections)),
            idle: Mutex::default(),
            metrics,
        })
    }

    /// `host:port`
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the server is on this host.
    pub fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
    }

    /// Whether it signs in over a connection that is not encrypted, and leaves this host.
    pub fn exposes_password(&self) -> bool {
        self.credentials.is_some() && self.security == Security::None && !self.is_here()
    }

    /// Waits for a slot; never `None`, since the slots are not closed.
    pub async fn slot(&self) -> Option<Slot> {
        self.slots.clone().acquire_owned().await.ok()
    }

    /// Up to `most` of the slots that are free now; those who wait for one come first.
    pub fn free_slots(&self, most: usize) -> Vec<Slot> {
        iter::repeat_with(|| self.slots.clone().try_acquire_owned()).take(most).map_while(Result::ok).collect()
    }

    /// Sends a mail. If a kept connection turns out to be closed before the content was sent, or to have brought as many mails as it may, a new one is
    /// tried at once.
    pub async fn send(&self, _slot: &Slot, envelope: &Envelope<'_>, raw: &[u8]) -> Result<Answer, Failure> {
        if let Some(mut kept) = self.take_idle() {
            match kept.send(envelope, raw, &self.limits).await {
                Ok(answer) => {
                    self.keep(kept);
                    return Ok(answer);
                }
                Err(Ended::Refused(failure)) => {
                    self.keep(kept);
                    return Err(failure);
                }
                Err(Ended::Broken(failure)) => return Err(failure),
                Err(Ended::Closed(_)) => {}
            }
        }
        let mut new = self.connect().await?;
        match new.send(envelope, raw, &self.limits).await {
            Ok(answer) => {
                self.keep(new);
                Ok(answer)
            }
            Err(Ended::Refused(failure)) => {
                self.keep(new);
                Err(failure)
            }
            Err(Ended::Broken(failure) | Ended::Closed(failure)) => Err(failure),
        }
    }

    /// The whole conversation up to the recipient, on a connection of its own; nothing is sent. Err with the step that failed.
    pub async fn rehearse(&self, envelope: &Envelope<'_>) -> Result<Answer, (Step, Failure)> {
        let _slot = self.slot().await;
        if let Some(idle) = self.take_idle() {
            idle.quit().await;
        }
        let mut connection = self.connect().await.map_err(|failure| (Step::Connect, failure))?;
        let said = connection.rehearse(envelope, &self.limits).await;
        connection.quit().await;
        said
    }

    /// Closes the connections that are idle for too long.
    pub async fn close_idle(&self) {
        let old: Vec<Connection> = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let (fresh, old) = std::mem::take(&mut *idle).into_iter().partition(Connection::is_fresh);
            *idle = fresh;
            old
        };
        for connection in old {
            connection.quit().await;
        }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let to = connection::Server {
            host: &self.host,
            port: self.port,
            encryption: self.encryption().await?,
            hello: &self.hello,
            credentials: self.credentials.as_ref(),
        };
        match Connection::open(&to, &self.limits, self.metrics.connection()).await {
            // The server takes no more connections than it has of us: the account works, and the mail waits a little.
            Err(Failure::Account { answer, .. }) if answer.is_temporary() && self.metrics.open_connections() > 0 => {
                Err(Failure::Busy(answer))
            }
            opened => opened,
        }
    }

    /// Reads the certificates of the system once.
    async fn encryption(&self) -> Result<&Encryption, Failure> {
        self.encryption.get_or_try_init(|| async { self.new_encryption() }).await.map_err(Failure::account)
    }

    fn new_encryption(&self) -> Result<Encryption, Answer> {
        let tls = || wire::tls(self.ca_file.as_deref()).map_err(|error| Answer::own(chain(&error)));
        match self.security {
            Security::None => Ok(Encryption::None),
            Security::Tls => tls().map(Encryption::Tls),
            Security::StartTls => tls().map(Encryption::StartTls),
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The newest is the likeliest to be open; those below it are older.
        idle.pop().filter(Connection::is_fresh)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_usable() && idle.len() < MOST_IDLE {
            idle.push(connection.rested());
        }
    }
}

/// How the client names itself.
fn hello(hostname: &str) -> ClientId {
    match hostname.trim_matches(['[', ']']).parse() {
        Ok(std::net::IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Ok(std::net::IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        Err(_) => ClientId::Domain(hostname.to_owned()),
    }
}
