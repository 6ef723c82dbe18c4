//! Somebody else's mail server: it keeps what it accepts, and where a test says so it refuses, hesitates or hangs up.

mod talk;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use mailparse::{MailHeaderMap as _, ParsedMail};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use talk::Talk;

/// A point of the conversation at which a test can interfere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Connected,
    Ehlo,
    StartTls,
    Auth,
    MailFrom,
    /// MAIL FROM on a connection that has brought a message already.
    Reused,
    RcptTo,
    Data,
    /// The content has come with its final dot; nothing is kept.
    Content,
    /// The message is kept; the answer is due.
    Kept,
}

/// What it does there.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Answers this.
    Say(&'static str),
    /// Answers this and hangs up.
    SayAndClose(&'static str),
    /// Hangs up.
    Close,
    /// Never says anything again; the connection stays.
    Silence,
    /// Takes so long, then goes on as usual.
    Wait(Duration),
    /// Goes on as usual, a byte at a time with so much between them.
    Drip(Duration),
    /// Goes on as usual, and sends this behind its answer.
    Besides(&'static str),
    /// Goes on as usual, and sends these bytes instead of its answer.
    Instead(&'static [u8]),
}

struct Rule {
    step: Step,
    /// Part of the recipient's address; empty for all.
    recipient: String,
    act: Act,
    times: usize,
}

/// What it offers and requires.
#[derive(Clone, Default)]
pub struct Options {
    pub starttls: Option<TlsAcceptor>,
    /// TLS from the first byte on.
    pub implicit_tls: Option<TlsAcceptor>,
    /// User and password, without which it takes nothing.
    pub account: Option<(&'static str, &'static str)>,
    /// It does not say SMTPUTF8.
    pub ascii_only: bool,
    /// So many messages it takes on a connection.
    pub most_messages: Option<usize>,
}

/// A message that it took.
#[derive(Clone, Debug)]
pub struct Kept {
    pub from: String,
    pub to: Vec<String>,
    pub raw: Vec<u8>,
    pub is_encrypted: bool,
    pub user: Option<String>,
    /// Of which connection, counted from 1.
    pub connection: usize,
}

impl Kept {
    #[track_caller]
    pub fn parsed(&self) -> ParsedMail<'_> {
        mailparse::parse_mail(&self.raw).unwrap()
    }

    /// A header, decoded. There must be one of that name, and no other.
    #[track_caller]
    pub fn header(&self, name: &str) -> String {
        let values = self.headers(name);
        assert_eq!(values.len(), 1, "{name}: {}", String::from_utf8_lossy(&self.raw));
        values.into_iter().next().unwrap()
    }

    pub fn headers(&self, name: &str) -> Vec<String> {
        self.parsed().headers.get_all_values(name)
    }

    /// Name and address of a header with one mailbox.
    #[track_caller]
    pub fn mailbox(&self, name: &str) -> (String, String) {
        let parsed = self.parsed();
        let header = parsed.headers.get_first_header(name).unwrap();
        let found = mailparse::addrparse_header(header).unwrap().extract_single_info().unwrap();
        (found.display_name.unwrap_or_default(), found.addr)
    }

    pub fn message_id(&self) -> String {
        self.header("Message-ID")
    }

    /// The first part of this content type, decoded.
    #[track_caller]
    pub fn part(&self, content_type: &str) -> String {
        let parsed = self.parsed();
        let part = parsed.parts().find(|part| part.ctype.mimetype == content_type);
        part.unwrap_or_else(|| panic!("no {content_type}: {}", String::from_utf8_lossy(&self.raw))).get_body().unwrap()
    }
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Smtp {
    pub address: SocketAddr,
    server: Arc<Server>,
}

#[derive(Default)]
struct Server {
    options: Options,
    rules: Mutex<Vec<Rule>>,
    kept: Mutex<Vec<Kept>>,
    reached: Mutex<Vec<Step>>,
    /// What a client said that no client may say.
    complaints: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    away: Mutex<CancellationToken>,
}

impl Smtp {
    /// Without TLS and accounts.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let smtp = Self::absent(options);
        smtp.come_back().await;
        smtp
    }

    /// An address where nobody listens yet.
    pub fn absent(options: Options) -> Self {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { address, server: Arc::new(Server { options, ..Server::default() }) }
    }

    /// Listens when it returns.
    pub async fn come_back(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let away = CancellationToken::new();
        *self.server.away.lock().unwrap() = away.clone();
        let server = self.server.clone();
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = away.run_until_cancelled(listener.accept()).await {
                let (server, away) = (server.clone(), away.clone());
                tokio::spawn(async move { away.run_until_cancelled(server.serve(stream)).await });
            }
        });
    }

    /// Closes every connection, as kill -9 does, and listens no more.
    pub fn go_away(&self) {
        self.server.away.lock().unwrap().cancel();
    }

    /// The settings for a client.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let security = match &self.server.options {
            Options { implicit_tls: Some(_), .. } => "tls",
            Options { starttls: Some(_), .. } => "starttls",
            Options { .. } => "none",
        };
        let mut settings = vec![
            ("HOLDFAST_MAIL__SMTP_HOST", self.address.ip().to_string()),
            ("HOLDFAST_MAIL__SMTP_PORT", self.address.port().to_string()),
            ("HOLDFAST_MAIL__SMTP_SECURITY", security.to_owned()),
            ("HOLDFAST_MAIL__SHARED_SENDER", "true".to_owned()),
        ];
        if let Some((user, password)) = self.server.options.account {
            settings.push(("HOLDFAST_MAIL__SMTP_USER", user.to_owned()));
            settings.push(("HOLDFAST_MAIL__SMTP_PASSWORD", password.to_owned()));
        }
        settings
    }

    pub fn always(&self, step: Step, act: Act) {
        self.rule(step, "", act, usize::MAX);
    }

    pub fn once(&self, step: Step, act: Act) {
        self.rule(step, "", act, 1);
    }

    /// For recipients whose address contains this.
    pub fn for_recipients(&self, recipient: &str, step: Step, act: Act) {
        self.rule(step, recipient, act, usize::MAX);
    }

    fn rule(&self, step: Step, recipient: &str, act: Act, times: usize) {
        self.server.rules.lock().unwrap().push(Rule { step, recipient: recipient.to_owned(), act, times });
    }

    /// From now on it does what a server does.
    pub fn behave(&self) {
        self.server.rules.lock().unwrap().clear();
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.server.kept.lock().unwrap().clone()
    }

    /// Who was sent a message, in order.
    pub fn recipients(&self) -> Vec<String> {
        self.kept().into_iter().flat_map(|kept| kept.to).collect()
    }

    /// How often a conversation came to this step.
    pub fn reached(&self, step: Step) -> usize {
        self.server.reached.lock().unwrap().iter().filter(|reached| **reached == step).count()
    }

    pub fn connections(&self) -> usize {
        self.server.connections.load(Ordering::SeqCst)
    }

    /// The most connections that were open at one time.
    pub fn most_open(&self) -> usize {
        self.server.most_open.load(Ordering::SeqCst)
    }

    /// Fails if a client broke the protocol.
    #[track_caller]
    pub fn check_conversations(&self) {
        let complaints = self.server.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:?}");
    }
}

impl Server {
    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let connection = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
        let open = Open(self.clone());
        self.most_open.fetch_max(self.open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // A client that hangs up, and a rule that does, end a conversation the same way.
        let _ = Talk::new(self.clone(), stream, connection).run().await;
        drop(open);
    }

    fn act(&self, step: Step, recipient: Option<&String>) -> Option<Act> {
        self.reached.lock().unwrap().push(step);
        let mut rules = self.rules.lock().unwrap();
        let is_meant = |rule: &Rule| recipient.map_or("", String::as_str).contains(&rule.recipient);
        let rule = rules.iter_mut().find(|rule| rule.step == step && rule.times > 0 && is_meant(rule))?;
        rule.times = rule.times.saturating_sub(usize::from(rule.times != usize::MAX));
        Some(rule.act)
    }
}

/// Counts a connection for as long as it is open.
struct Open(Arc<Server>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
