//! The mailbox that bounces come to, read over IMAP by the leader.
//!
//! What is unread is read. A report is marked as read, and moved if `imap_done_folder` is set. What is no report is marked as read and flagged, and
//! stays: nothing is ever deleted. If this process ends in between, the mail is read again, and its bounces are found to be counted. A mail at which
//! the connection breaks off, or which the database does not take, is fetched behind the others, and flagged after the third time. One that cannot be
//! marked is read once, and its mark tried again.

use std::{fmt::Debug, panic::catch_unwind, time::Duration};

use async_imap::{
    Authenticator, Client, Session,
    error::Error as Refused,
    imap_proto::{Response, ResponseCode, Status},
    types::Fetch,
};
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
    stuck::{MOST_TIMES, Taken},
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
    #[error("the mail server refuses: {0}")]
    Refused(String),
    #[error("the conversation with the mail server broke off")]
    Imap(#[source] Refused),
    #[error("the folder {0:?} is for reading alone: reports in it cannot be marked as read")]
    ReadOnly(String),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl From<Refused> for MailboxError {
    fn from(error: Refused) -> Self {
        match error {
            Refused::No(said) | Refused::Bad(said) => Self::Refused(plain(&said)),
            error => Self::Imap(error),
        }
    }
}

impl MailboxError {
    /// Whether it is about one mail, so that the others can be read.
    fn is_of_one_mail(&self) -> bool {
        match self {
            Self::Mail(MailError::Db(error)) => !error.is_unavailable(),
            Self::Refused(_) | Self::Mail(_) => true,
            Self::Timeout(_) | Self::Wire(_) | Self::Imap(_) | Self::ReadOnly(_) => false,
        }
    }
}

/// What a server said, out of the debug form in which async-imap has it: `code: None, info: Some("[NOPERM] Permission denied")`.
fn plain(said: &str) -> String {
    let text = said.split_once("Some(\"").and_then(|(_, rest)| rest.rsplit_once("\")"));
    text.map_or("without a reason", |(text, _)| text).replace("\\\"", "\"")
}

/// A connection, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Debug + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Debug + Send + Unpin> Wire for T {}
type Stream = Bounded<Box<dyn Wire>>;

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

    /// Whether the mailbox can be read: signs in and opens the folder, in which mails are to be marked.
    pub(crate) async fn try_mailbox(&self) -> Result<(), MailboxError> {
        let limit = Duration::from_secs(self.inner.config.command_seconds);
        let mut session = self.sign_in(limit).await?;
        let opened = open_folder(&mut session, limit, &self.inner.config.imap_folder).await?;
        let _ = timeout(limit, session.logout()).await;
        opened
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

    /// What is wrong with one mail, such as a flag that the server refuses, holds up no other: the reading fails with it at its end.
    async fn read_unseen(&self, session: &mut Session<Stream>, limit: Duration) -> Result<Mailbox, MailboxError> {
        let folder = &self.inner.config.imap_folder;
        let mut wrong = open_folder(session, limit, folder).await?.err();
        let found = within(limit, "searching", session.uid_search("UNSEEN")).await?;
        let mut uids = self.inner.stuck.order(found);
        uids.truncate(MOST);
        let mut done = if uids.is_empty() { None } else { self.done_folder(session, limit).await? };
        let mut read = Mailbox::default();
        for uid in uids {
            let marked = match self.read_one(session, limit, uid).await {
                Ok(None) => continue,
                Ok(Some(taken)) => mark(session, limit, uid, taken).await.map(|()| taken),
                Err(error) => Err(error),
            };
            let taken = match marked {
                Ok(taken) => taken,
                Err(error) if error.is_of_one_mail() => {
                    wrong.get_or_insert(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.inner.stuck.forget(uid);
            let Taken::Report(bounces) = taken else {
                read.not_understood += 1;
                continue;
            };
            self.inner.metrics.bounces.taken(ReportSource::Mailbox, bounces);
            read.reports += 1;
            if let Some(folder) = done {
                match within(limit, "moving a mail", session.uid_mv(uid.to_string(), utf7::encode(folder))).await {
                    Err(MailboxError::Refused(said)) => {
                        tracing::warn!(folder, said, "reports cannot be moved: they stay, marked as read");
                        done = None;
                    }
                    answer => answer?,
                }
            }
        }
        wrong.map_or(Ok(read), Err)
    }

    /// Where reports are moved to, if the server can do so.
    async fn done_folder(&self, session: &mut Session<Stream>, limit: Duration) -> Result<Option<&str>, MailboxError> {
        let folder = self.inner.config.imap_done_folder.as_str();
        if folder.is_empty() {
            return Ok(None);
        }
        let can_move = within(limit, "its capabilities", session.capabilities()).await?.has_str("MOVE");
        if !can_move {
            tracing::warn!("the mail server cannot move mails: reports stay in the folder of bounces, marked as read");
        }
        Ok(can_move.then_some(folder))
    }

    /// What a mail is; the bounces of a report are counted then. `None`: it cannot be had.
    async fn read_one(
        &self,
        session: &mut Session<Stream>,
        limit: Duration,
        uid: u32,
    ) -> Result<Option<Taken>, MailboxError> {
        let stuck = &self.inner.stuck;
        if let Some(taken) = stuck.taken(uid) {
            return Ok(Some(taken));
        }
        let taken = if stuck.is_given_up(uid) {
            self.inner.metrics.bounces.not_understood(uid, &format!("it could not be read {MOST_TIMES} times"));
            Taken::NotUnderstood
        } else {
            let fetching = within(limit, "fetching a mail", fetch(session, uid));
            let fetched = fetching.await.inspect_err(|_| stuck.failed(uid))?;
            let Some(raw) = fetched.as_ref().and_then(Fetch::body) else {
                // Another program may have moved it; otherwise the server cannot read it, or has hung up, which this shows.
                stuck.failed(uid);
                within(limit, "asking whether the server is there", session.noop()).await?;
                return Ok(None);
            };
            self.take_mail(uid, raw).await.inspect_err(|error| {
                if error.is_of_one_mail() {
                    stuck.failed(uid);
                }
            })?
        };
        stuck.take(uid, taken);
        Ok(Some(taken))
    }

    /// Counts the bounces in a mail.
    async fn take_mail(&self, uid: u32, raw: &[u8]) -> Result<Taken, MailboxError> {
        let metrics = &self.inner.metrics.bounces;
        // A parser that panics would end this process, and the next would read the same mail again.
        let bounces = match catch_unwind(|| dsn::read(raw)).unwrap_or(Err(NotUnderstood::Malformed)) {
            Ok(bounces) => bounces,
            Err(error) => {
                metrics.not_understood(uid, &error.to_string());
                return Ok(Taken::NotUnderstood);
            }
        };
        self.all_bounced(Owner::Installation, MAILBOX, &bounces).await?;
        Ok(Taken::Report(bounces.len()))
    }
}

/// Opens the folder; the inner Err if it is for reading alone, so that every mail in it would be read again and again.
async fn open_folder(
    session: &mut Session<Stream>,
    limit: Duration,
    folder: &str,
) -> Result<Result<(), MailboxError>, MailboxError> {
    // Not with `select`, which does not say how it is opened (RFC 3501 section 6.3.1).
    let opening = async {
        let name = utf7::encode(folder).replace('\\', "\\\\").replace('"', "\\\"");
        let tag = session.run_command(format!("SELECT \"{name}\"")).await?;
        while let Some(response) = session.read_response().await? {
            if let Response::Done { tag: ended, status, outcome } = response.parsed()
                && *ended == tag
            {
                return match status {
                    Status::Ok => Ok(matches!(outcome.code, Some(ResponseCode::ReadOnly))),
                    _ => Err(Refused::No(format!("{outcome:?}"))),
                };
            }
        }
        Err(Refused::ConnectionLost)
    };
    let is_read_only = within(limit, "opening the folder", opening).await?;
    Ok(if is_read_only { Err(MailboxError::ReadOnly(folder.to_owned())) } else { Ok(()) })
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
async fn mark(session: &mut Session<Stream>, limit: Duration, uid: u32, taken: Taken) -> Result<(), MailboxError> {
    let flags = if taken == Taken::NotUnderstood { "(\\Seen \\Flagged)" } else { "(\\Seen)" };
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
