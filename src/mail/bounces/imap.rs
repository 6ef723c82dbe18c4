//! The mailbox that bounces come to, read over IMAP by the leader.
//!
//! What is unread is read. A report is marked as read, and moved if `imap_done_folder` is set. What is no report is marked as read and flagged, and
//! stays: nothing is ever deleted. If this process ends in between, the mail is read again, and its bounces are found to be counted. A mail at which
//! the connection breaks off is fetched behind the others, and flagged after the third time.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Debug,
    panic::catch_unwind,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_imap::{Authenticator, Client, Session, error::Error as Refused, types::Fetch};
use futures::TryStreamExt as _;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    ReportSource,
    bounded::Bounded,
    dsn::{self, NotUnderstood},
    utf7,
};
use crate::{
    Config, Mail, MailError, Security,
    model::Owner,
    service::MAILBOX,
    wire::{self, WireError},
};
use jobs::{By, Loops};
use platform::error::chain;

const EVERY: Duration = Duration::from_secs(60);
/// For all that is read at once: the server may answer each command just in time.
const LONGEST: Duration = Duration::from_secs(300);
/// Mails that are read at once; the others follow.
const MOST: usize = 200;
/// What is fetched of a mail, without marking it. Reports have the returned message at their end, which may be cut off.
const QUERY: &str = "(UID BODY.PEEK[]<0.262144>)";
/// Times that a mail is asked for.
const MOST_TIMES: u32 = 3;

/// What was in the mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    pub reports: usize,
    pub not_understood: usize,
}

/// Why the mailbox cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MailboxError {
    #[error("the mail server did not answer in time: {0}")]
    Timeout(&'static str),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the mail server refuses")]
    Imap(#[from] Refused),
    #[error(transparent)]
    Mail(#[from] MailError),
}

/// A connection, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Wire for T {}
type Stream = Bounded<Box<dyn Wire>>;

/// Mails that could not be fetched, by UID, and how often. Some break the connection each time, and would hide all behind them.
#[derive(Debug, Default)]
pub(crate) struct Stuck(Mutex<BTreeMap<u32, u32>>);

impl Stuck {
    fn times(&self) -> MutexGuard<'_, BTreeMap<u32, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is unread in the order in which it is read; what is gone is forgotten.
    fn order(&self, unread: HashSet<u32>) -> Vec<u32> {
        let mut times = self.times();
        times.retain(|uid, _| unread.contains(uid));
        let mut uids: Vec<u32> = unread.into_iter().collect();
        uids.sort_unstable_by_key(|uid| (times.get(uid).copied(), *uid));
        uids
    }

    fn failed(&self, uid: u32) {
        *self.times().entry(uid).or_default() += 1;
    }

    fn is_given_up(&self, uid: u32) -> bool {
        self.times().get(&uid).is_some_and(|times| *times >= MOST_TIMES)
    }

    fn forget(&self, uid: u32) {
        self.times().remove(&uid);
    }
}

impl Mail {
    /// Starts the loop that reads the mailbox, if one is configured.
    pub fn start_mailbox(&self, loops: &Loops) {
        if self.inner.config.imap_host.is_empty() {
            return;
        }
        let this = self.clone();
        loops.every("mail.mailbox", EVERY, By::Leader, move || {
            let this = this.clone();
            async move {
                let Mailbox { reports, not_understood } = this.read_mailbox().await?;
                if reports + not_understood > 0 {
                    tracing::info!(reports, not_understood, "mailbox of bounces read");
                }
                Ok(())
            }
        });
    }

    /// Reads what is new in the mailbox, and notes whether it could.
    pub async fn read_mailbox(&self) -> Result<Mailbox, MailboxError> {
        let read = timeout(LONGEST, self.converse()).await;
        let read = read.unwrap_or(Err(MailboxError::Timeout("the whole mailbox")));
        if read.is_err() {
            self.inner.metrics.bounces.failed(ReportSource::Mailbox);
        }
        let noted = self.note_mailbox(read.as_ref().err().map(|error| chain(error)).as_deref()).await;
        // Why it could not be read says more.
        let read = read?;
        noted?;
        Ok(read)
    }

    /// Whether the mailbox can be read: signs in and opens the folder.
    pub(crate) async fn try_mailbox(&self) -> Result<(), MailboxError> {
        let limit = Duration::from_secs(self.inner.config.command_seconds);
        let mut session = self.sign_in(limit).await?;
        within(limit, "opening the folder", session.select(utf7::encode(&self.inner.config.imap_folder))).await?;
        let _ = timeout(limit, session.logout()).await;
        Ok(())
    }

    async fn converse(&self) -> Result<Mailbox, MailboxError> {
        let limit = Duration::from_secs(self.inner.config.command_seconds);
        let mut session = self.sign_in(limit).await?;
        let read = self.read_unseen(&mut session, limit).await?;
        // What matters is done.
        let _ = timeout(limit, session.logout()).await;
        Ok(read)
    }

    async fn sign_in(&self, limit: Duration) -> Result<Session<Stream>, MailboxError> {
        let config = &self.inner.config;
        let connect = Duration::from_secs(config.connect_seconds);
        let client = timeout(connect, open(config)).await.map_err(|_| MailboxError::Timeout("connecting"))??;
        let password = config.imap_password.as_ref().map_or("", ExposeSecret::expose_secret);
        within(limit, "signing in", log_in(client, &config.imap_user, password)).await
    }

    async fn read_unseen(&self, session: &mut Session<Stream>, limit: Duration) -> Result<Mailbox, MailboxError> {
        let config = &self.inner.config;
        within(limit, "opening the folder", session.select(utf7::encode(&config.imap_folder))).await?;
        let found = within(limit, "searching", session.uid_search("UNSEEN")).await?;
        let stuck = &self.inner.stuck;
        let mut uids = stuck.order(found);
        uids.truncate(MOST);
        let done = Some(config.imap_done_folder.as_str()).filter(|folder| !folder.is_empty() && !uids.is_empty());
        let mut moves = match done {
            Some(_) => within(limit, "its capabilities", session.capabilities()).await?.has_str("MOVE"),
            None => false,
        };
        if done.is_some() && !moves {
            tracing::warn!("the mail server cannot move mails: reports stay in the folder of bounces, marked as read");
        }
        let mut read = Mailbox::default();
        for uid in uids {
            if stuck.is_given_up(uid) {
                let reason = format!("it could not be fetched {MOST_TIMES} times");
                self.inner.metrics.bounces.not_understood(uid, &reason);
                mark(session, limit, uid, false).await?;
                stuck.forget(uid);
                read.not_understood += 1;
                continue;
            }
            let fetching = within(limit, "fetching a mail", fetch(session, uid));
            let fetched = fetching.await.inspect_err(|_| stuck.failed(uid))?;
            let Some(raw) = fetched.as_ref().and_then(Fetch::body) else {
                // Another program may have moved it; otherwise the server cannot read it.
                stuck.failed(uid);
                continue;
            };
            stuck.forget(uid);
            let understood = self.take_mail(uid, raw).await?;
            mark(session, limit, uid, understood).await?;
            if let (true, true, Some(folder)) = (understood, moves, done) {
                match within(limit, "moving a mail", session.uid_mv(uid.to_string(), utf7::encode(folder))).await {
                    Err(MailboxError::Imap(Refused::No(said))) => {
                        tracing::warn!(folder, said, "reports cannot be moved: they stay, marked as read");
                        moves = false;
                    }
                    answer => answer?,
                }
            }
            if understood { read.reports += 1 } else { read.not_understood += 1 }
        }
        Ok(read)
    }

    /// Counts the bounces in a mail; false if it is no report.
    async fn take_mail(&self, uid: u32, raw: &[u8]) -> Result<bool, MailError> {
        let metrics = &self.inner.metrics.bounces;
        // A parser that panics would end this process, and the next would read the same mail again.
        let bounces = match catch_unwind(|| dsn::read(raw)).unwrap_or(Err(NotUnderstood::Malformed)) {
            Ok(bounces) => bounces,
            Err(error) => {
                metrics.not_understood(uid, &error.to_string());
                return Ok(false);
            }
        };
        for bounce in &bounces {
            self.bounced(Owner::Installation, MAILBOX, bounce).await?;
        }
        metrics.taken(ReportSource::Mailbox, bounces.len());
        Ok(true)
    }
}

/// The mail, unless there is none.
async fn fetch(session: &mut Session<Stream>, uid: u32) -> Result<Option<Fetch>, Refused> {
    let mut answers = session.uid_fetch(uid.to_string(), QUERY).await?;
    let mut mail = None;
    while let Some(answer) = answers.try_next().await? {
        if mail.is_none() && answer.body().is_some() {
            mail = Some(answer);
        }
    }
    Ok(mail)
}

/// Marks a mail as read, and flags it for people if it was not understood.
async fn mark(session: &mut Session<Stream>, limit: Duration, uid: u32, understood: bool) -> Result<(), MailboxError> {
    let flags = if understood { "(\\Seen)" } else { "(\\Seen \\Flagged)" };
    // Not with `uid_store`, which takes a refusal for an empty answer.
    let marking = session.run_command_and_check_ok(format!("UID STORE {uid} +FLAGS.SILENT {flags}"));
    within(limit, "marking a mail", marking).await
}

/// LOGIN takes ASCII alone, AUTHENTICATE PLAIN any character (RFC 4616).
async fn log_in(client: Client<Stream>, user: &str, password: &str) -> Result<Session<Stream>, Refused> {
    let signed_in = if user.is_ascii() && password.is_ascii() {
        client.login(user, password).await
    } else {
        client.authenticate("PLAIN", Plain(format!("\0{user}\0{password}"))).await
    };
    signed_in.map_err(|(error, _)| error)
}

struct Plain(String);

impl Authenticator for Plain {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.0.clone()
    }
}

/// A step of the conversation.
async fn within<T>(
    limit: Duration,
    what: &'static str,
    step: impl Future<Output = Result<T, Refused>>,
) -> Result<T, MailboxError> {
    Ok(timeout(limit, step).await.map_err(|_| MailboxError::Timeout(what))??)
}

/// A connection on which nobody has signed in.
async fn open(config: &Config) -> Result<Client<Stream>, MailboxError> {
    let tcp = wire::connect(&config.imap_host, config.imap_port()).await?;
    match config.imap_security {
        Security::None => greeted(Box::new(tcp)).await,
        Security::Tls => greeted(Box::new(encrypted(config, tcp).await?)).await,
        Security::StartTls => {
            let mut plain = greeted(Box::new(tcp)).await?;
            plain.run_command_and_check_ok("STARTTLS", None).await?;
            // What came unencrypted behind the answer is dropped with the client. There is no second greeting (RFC 3501 section 6.2.1).
            let stream: Box<dyn Wire> = Box::new(encrypted(config, plain.into_inner().into_inner()).await?);
            Ok(Client::new(Bounded::new(stream)))
        }
    }
}

async fn greeted(stream: Box<dyn Wire>) -> Result<Client<Stream>, MailboxError> {
    let mut client = Client::new(Bounded::new(stream));
    match client.read_response().await.map_err(Refused::from)? {
        Some(_) => Ok(client),
        None => Err(Refused::ConnectionLost.into()),
    }
}

async fn encrypted<S: AsyncRead + AsyncWrite + Unpin>(
    config: &Config,
    stream: S,
) -> Result<TlsStream<S>, MailboxError> {
    let tls = wire::tls(config.smtp_ca_file.as_deref())?;
    Ok(wire::encrypted(tls, &config.imap_host, stream).await?)
}
