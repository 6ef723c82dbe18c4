//! One connection to the server.

use std::{fmt::Display, io, sync::Arc, time::Duration};

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, AsyncTokioStream},
    commands::{Data, Ehlo, Mail, Quit, Rcpt, Rset, Starttls},
    extension::{ClientId, Extension, MailBodyParameter, MailParameter, ServerInfo},
    response::{Response, Severity},
};
use rustls::ClientConfig;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    Limits,
    failure::{Answer, Failure, Step, judge},
    lines::Lines,
};
use crate::{
    Address, compose,
    metrics::OpenConnection,
    wire::{self, WireError},
};
use platform::error::chain;

/// A farewell is not worth more.
const QUIT: Duration = Duration::from_secs(2);

/// From whom to whom.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub from: &'a Address,
    pub to: &'a Address,
    /// Whether `from` is the configured sender.
    pub own: bool,
    /// Where the server sends bounces to (`MAIL FROM`); `None`: to `from`. Configured, so its refusal concerns all mail.
    pub bounces: Option<&'a Address>,
}

/// Where to connect.
pub(super) struct Server<'a> {
    pub host: &'a str,
    pub port: u16,
    pub encryption: &'a Encryption,
    pub hello: &'a ClientId,
    pub credentials: Option<&'a Credentials>,
}

/// How a connection is encrypted.
pub(super) enum Encryption {
    None,
    /// From the first byte.
    Tls(Arc<ClientConfig>),
    StartTls(Arc<ClientConfig>),
}

/// How a conversation ended without success.
pub(super) enum Ended {
    /// The server answered, and the connection can be used further.
    Refused(Failure),
    /// The connection cannot be used any more.
    Broken(Failure),
    /// As before, because the server closed it or takes no more mail on it, and the content was not sent: a new connection can be tried at once.
    Closed(Failure),
}

impl Ended {
    pub fn failure(self) -> Failure {
        match self {
            Self::Refused(failure) | Self::Broken(failure) | Self::Closed(failure) => failure,
        }
    }
}

pub(super) struct Connection {
    inner: AsyncSmtpConnection,
    /// Mails sent over it.
    mails: u32,
    idle_since: Instant,
    _open: OpenConnection,
}

/// Why a command has no positive answer.
enum NoAnswer {
    Refused(Answer),
    /// The connection broke.
    Broken(Answer),
    /// Nothing came within the limit.
    Silent(Answer),
}

impl Connection {
    /// Connects, greets, encrypts, signs in.
    pub async fn open(to: &Server<'_>, limits: &Limits, open: OpenConnection) -> Result<Self, Failure> {
        let mut inner = timeout(limits.connect, connect(to))
            .await
            .unwrap_or_else(|_| Err(silent("to the connection", limits.connect)))
            .map_err(|answer| judge(Step::Connect, None, answer))?;
        if let Some(credentials) = to.credentials {
            let signing_in = inner.auth(&[Mechanism::Plain, Mechanism::Login], credentials);
            let signed_in = match timeout(limits.command, signing_in).await {
                Ok(signed_in) => signed_in.map_err(|error| Answer::of(&error)),
                Err(_) => Err(silent("to the sign-in", limits.command)),
            };
            signed_in.map_err(|answer| judge(Step::SignIn, None, answer))?;
        }
        Ok(Self { inner, mails: 0, idle_since: Instant::now(), _open: open })
    }

    pub fn is_fresh(&self) -> bool {
        self.idle_since.elapsed() < super::IDLE
    }

    pub fn is_usable(&self) -> bool {
        self.mails < super::MOST_MAILS
    }

    /// Idle from now on.
    pub fn rested(mut self) -> Self {
        self.idle_since = Instant::now();
        self
    }

    pub async fn quit(mut self) {
        let _ = timeout(QUIT, self.inner.command(Quit)).await;
    }

    /// Sends one mail; the answer that accepted it.
    pub async fn send(&mut self, mail: &Envelope<'_>, raw: &[u8], limits: &Limits) -> Result<Answer, Ended> {
        self.mails += 1;
        self.name_sender(mail, !raw.is_ascii(), limits).await?;
        self.name_recipient(mail, limits).await?;
        let go_on = self.step(Step::Data, mail, Data, limits).await?;
        if !go_on.has_code(354) {
            // Whether it waits for content now is anybody's guess.
            return Err(Ended::Broken(Failure::Before(said(&go_on))));
        }
        // The client ends the last line itself.
        let content = raw.strip_suffix(b"\r\n").unwrap_or(raw);
        let judged = |answer| judge(Step::Content, Some(mail), answer);
        match timeout(limits.data, self.inner.message(content)).await {
            Ok(Ok(response)) if response.code().severity == Severity::PositiveCompletion => Ok(said(&response)),
            Ok(Ok(response)) => Err(Ended::Broken(judged(said(&response)))),
            Ok(Err(error)) => {
                let answer = Answer::of(&error);
                let is_open = answer.code.is_some_and(|code| code != 421);
                let failure = judged(answer);
                let goes_on = is_open && !matches!(failure, Failure::Busy(_));
                Err(if goes_on { Ended::Refused(failure) } else { Ended::Broken(failure) })
            }
            Err(_) => Err(Ended::Broken(judged(silent("to the content", limits.data)))),
        }
    }

    /// As [`Self::send`], but ends before the content. Err with the step that failed.
    pub async fn rehearse(&mut self, mail: &Envelope<'_>, limits: &Limits) -> Result<Answer, (Step, Failure)> {
        self.name_sender(mail, false, limits).await.map_err(|ended| (Step::Sender, ended.failure()))?;
        let answer = self.name_recipient(mail, limits).await.map_err(|ended| (Step::Recipient, ended.failure()))?;
        let _ = self.command(Rset, limits.command).await;
        Ok(answer)
    }

    async fn name_sender(&mut self, mail: &Envelope<'_>, eight_bit: bool, limits: &Limits) -> Result<(), Ended> {
        let to = mail.to;
        // An address for bounces is the account's, whosever the mail is.
        let (from, own) = mail.bounces.map_or((mail.from, mail.own), |bounces| (bounces, true));
        let mut parameters = Vec::new();
        let offers = |extension| self.inner.server_info().supports_feature(extension);
        // Bodies are ASCII, so what is not is an address in a header: that of Reply-To.
        if eight_bit || from.needs_smtputf8() || to.needs_smtputf8() {
            if !offers(Extension::SmtpUtfEight) {
                let text = "the address of the recipient, the sender or Reply-To has characters beyond ASCII before the @, and the \
                            server does not offer SMTPUTF8";
                let answer = Answer { enhanced: Some("5.6.7".to_owned()), ..Answer::own(text) };
                // The address may work by another server.
                return Err(Ended::Refused(Failure::Permanent { answer, of_address: false }));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        // A server with SMTPUTF8 must have this, too (RFC 6531 section 3.1).
        if eight_bit && offers(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.step(Step::Sender, &Envelope { own, ..*mail }, Mail::new(Some(compose::plain(from)), parameters), limits)
            .await
            .map(drop)
    }

    /// The answer to the recipient.
    async fn name_recipient(&mut self, mail: &Envelope<'_>, limits: &Limits) -> Result<Answer, Ended> {
        let command = Rcpt::new(compose::plain(mail.to), Vec::new());
        self.step(Step::Recipient, mail, command, limits).await.map(|accepted| said(&accepted))
    }

    /// A command before the content. After a refusal the transaction is reset, so that the connection can be used for the next mail.
    async fn step(
        &mut self,
        step: Step,
        mail: &Envelope<'_>,
        command: impl Display,
        limits: &Limits,
    ) -> Result<Response, Ended> {
        let judged = |answer| judge(step, Some(mail), answer);
        match self.command(command, limits.command).await {
            Ok(response) => Ok(response),
            Err(NoAnswer::Silent(answer)) => Err(Ended::Broken(judged(answer))),
            Err(NoAnswer::Broken(answer)) => Err(Ended::Closed(judged(answer))),
            // Service not available, closing transmission channel.
            Err(NoAnswer::Refused(answer)) if answer.code == Some(421) => Err(Ended::Closed(judged(answer))),
            Err(NoAnswer::Refused(answer)) => {
                let failure = judged(answer);
                if matches!(failure, Failure::Busy(_)) {
                    // It has brought as many mails as it may, or is one too many: the server takes the mail on a new one, perhaps at once.
                    let _ = timeout(QUIT, self.inner.command(Quit)).await;
                    return Err(Ended::Closed(failure));
                }
                match self.command(Rset, limits.command).await {
                    Ok(_) => Err(Ended::Refused(failure)),
                    Err(_) => Err(Ended::Broken(failure)),
                }
            }
        }
    }

    async fn command(&mut self, command: impl Display, limit: Duration) -> Result<Response, NoAnswer> {
        match timeout(limit, self.inner.command(command)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let answer = Answer::of(&error);
                Err(if answer.code.is_some() { NoAnswer::Refused(answer) } else { NoAnswer::Broken(answer) })
            }
            Err(_) => Err(NoAnswer::Silent(silent("to a command", limit))),
        }
    }
}

/// Connects, is greeted, encrypts.
async fn connect(to: &Server<'_>) -> Result<AsyncSmtpConnection, Answer> {
    let Server { host, port, encryption, hello, .. } = *to;
    let failed = |error: WireError| Answer::own(chain(&error));
    let stream = wire::connect(host, port).await.map_err(failed)?;
    let peer = stream.peer_addr().map_err(|error| failed(WireError::Unreachable(error)))?;
    let stream: Box<dyn AsyncTokioStream> = match encryption {
        Encryption::Tls(config) => {
            Box::new(Lines::new(wire::encrypted(config.clone(), host, stream).await.map_err(failed)?, peer))
        }
        Encryption::StartTls(config) => {
            let ready = start_tls(Lines::new(stream, peer), hello).await?;
            Box::new(Lines::greeted(wire::encrypted(config.clone(), host, ready).await.map_err(failed)?, peer))
        }
        Encryption::None => Box::new(Lines::new(stream, peer)),
    };
    AsyncSmtpConnection::connect_with_transport(stream, hello).await.map_err(|error| Answer::of(&error))
}

/// Has the server agree to TLS; the connection on which it waits for the handshake. lettre could do so, too, but would read the encrypted answers
/// itself, without [`Lines`].
async fn start_tls(mut plain: Lines<TcpStream>, hello: &ClientId) -> Result<TcpStream, Answer> {
    agreed(&mut plain, None).await?;
    let offers = agreed(&mut plain, Some(Ehlo::new(hello.clone()).to_string())).await?;
    if !ServerInfo::from_response(&offers).is_ok_and(|server| server.supports_feature(Extension::StartTls)) {
        return Err(Answer::own(
            "the server does not offer STARTTLS, which mail.smtp_security demands: nothing was sent",
        ));
    }
    agreed(&mut plain, Some(Starttls.to_string())).await?;
    // "NO STARTTLS" (USENIX Security 2021): who is in between sends answers, which would count as those of the encrypted server.
    plain.into_inner().ok_or_else(|| Answer::own("something came unencrypted behind the server's answer to STARTTLS"))
}

/// The positive answer to a command; without one, the greeting.
async fn agreed(plain: &mut Lines<TcpStream>, command: Option<String>) -> Result<Response, Answer> {
    let broken = |error: io::Error| Answer::own(format!("the conversation broke off: {error}"));
    if let Some(command) = command {
        plain.write_all(command.as_bytes()).await.map_err(broken)?;
    }
    let answer = plain.answer().await.map_err(broken)?;
    let response: Response =
        String::from_utf8_lossy(&answer).parse().map_err(|_| Answer::own("the server hung up instead of answering"))?;
    if response.is_positive() { Ok(response) } else { Err(said(&response)) }
}

fn said(response: &Response) -> Answer {
    let lines: Vec<&str> = response.message().collect();
    Answer::new(response.code().into(), &lines.join(" "))
}

fn silent(to: &str, limit: Duration) -> Answer {
    Answer::own(format!("no answer {to} within {} s", limit.as_secs()))
}
