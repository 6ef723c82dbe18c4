//! Somebody else's IMAP server: one mailbox, as much of RFC 3501 and RFC 6851 as a program needs that reads it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use holdfast::platform::lifecycle::Lifecycle;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// A mail in the mailbox.
#[derive(Clone, Debug)]
pub struct Kept {
    pub uid: u32,
    pub raw: String,
    pub flags: BTreeSet<String>,
    pub folder: String,
}

impl Kept {
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

/// What becomes of a mail that is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed.
    Close,
    /// The server has lost its text.
    Lost,
    /// The server announces more than there can be.
    Huge,
}

/// How the folder of the name `Отчёты & "x"` is opened.
const RUSSIAN: &str = r#"SELECT "&BB4EQgRHBFEEQgRL- &- \"x\"""#;

/// The server. Clones share the mailbox.
#[derive(Clone)]
pub struct Imap {
    pub port: u16,
    kept: Arc<Mutex<Vec<Kept>>>,
    /// What clients have sent, without tags.
    said: Arc<Mutex<Vec<String>>>,
    can_move: Arc<AtomicBool>,
    /// Takes connections and says nothing.
    is_silent: Arc<AtomicBool>,
    /// Refuses to change flags.
    is_read_only: Arc<AtomicBool>,
    /// Says that the folder is for reading alone.
    opens_read_only: Arc<AtomicBool>,
    /// Of mails by their UIDs.
    faults: Arc<Mutex<BTreeMap<u32, Fault>>>,
}

impl Imap {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let imap = Self {
            port: listener.local_addr().unwrap().port(),
            kept: Arc::default(),
            said: Arc::default(),
            can_move: Arc::new(AtomicBool::new(true)),
            is_silent: Arc::default(),
            is_read_only: Arc::default(),
            opens_read_only: Arc::default(),
            faults: Arc::default(),
        };
        let server = imap.clone();
        let lifecycle = Lifecycle::new();
        let connections = lifecycle.clone();
        lifecycle.spawn("imap", async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = server.clone();
                connections.spawn("imap.connection", async move {
                    let _ = server.talk(stream).await;
                });
            }
        });
        imap
    }

    /// Settings with which an appliance reads it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HOLDFAST_MAIL__IMAP_HOST", "127.0.0.1".into()),
            ("HOLDFAST_MAIL__IMAP_PORT", self.port.to_string()),
            ("HOLDFAST_MAIL__IMAP_SECURITY", "none".into()),
            ("HOLDFAST_MAIL__IMAP_USER", "bounces@example.org".into()),
            ("HOLDFAST_MAIL__IMAP_PASSWORD", "pass \"word\\".into()),
        ]
    }

    /// Puts a mail into the mailbox; returns its UID.
    pub fn put(&self, raw: &str) -> u32 {
        let mut kept = self.kept.lock().unwrap();
        let uid = u32::try_from(kept.len()).unwrap() + 1;
        kept.push(Kept { uid, raw: raw.replace('\n', "\r\n"), flags: BTreeSet::new(), folder: "INBOX".into() });
        uid
    }

    /// Makes all mails unread.
    pub fn forget_flags(&self) {
        self.kept.lock().unwrap().iter_mut().for_each(|mail| mail.flags.clear());
    }

    pub fn kept(&self) -> Vec<Kept> {
        self.kept.lock().unwrap().clone()
    }

    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub fn cannot_move(&self) {
        self.can_move.store(false, Ordering::SeqCst);
    }

    pub fn silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }

    pub fn read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::SeqCst);
    }

    pub fn opens_read_only(&self, is_read_only: bool) {
        self.opens_read_only.store(is_read_only, Ordering::SeqCst);
    }

    pub fn fault(&self, uid: u32, fault: Fault) {
        self.faults.lock().unwrap().insert(uid, fault);
    }

    /// The fault of the mail that this command asks for.
    fn fault_of(&self, command: &str) -> Option<Fault> {
        let uid = command.strip_prefix("UID FETCH ")?.split(' ').next()?.parse().ok()?;
        self.faults.lock().unwrap().get(&uid).copied()
    }

    async fn talk(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        if self.is_silent.load(Ordering::SeqCst) {
            // Until the other side gives up.
            let _ = stream.read_line(&mut String::new()).await;
            return Ok(());
        }
        stream.write_all(b"* OK ready\r\n").await?;
        let mut line = String::new();
        while stream.read_line(&mut line).await? > 0 {
            let (tag, command) = line.trim_end().split_once(' ').unwrap_or_default();
            self.said.lock().unwrap().push(command.to_owned());
            let answer = if let Some(fault) = self.fault_of(command) {
                let lost = match fault {
                    Fault::Close => return Ok(()),
                    Fault::Lost => "* 1 FETCH (UID 1 BODY[]<0> NIL)\r\n",
                    Fault::Huge => "* 1 FETCH (UID 1 BODY[]<0> {300000000}\r\nx",
                };
                (lost.to_owned(), "OK fetched")
            } else if command == "AUTHENTICATE PLAIN" {
                stream.write_all(b"+ \r\n").await?;
                let mut response = String::new();
                stream.read_line(&mut response).await?;
                let said = STANDARD.decode(response.trim_end()).unwrap_or_default();
                let is_right = said == "\0bounces@example.org\0пароль".as_bytes();
                (String::new(), if is_right { "OK signed in" } else { "NO wrong" })
            } else {
                self.answer(command)
            };
            let ends = command == "LOGOUT";
            stream.write_all(format!("{}{tag} {}\r\n", answer.0, answer.1).as_bytes()).await?;
            if ends {
                return Ok(());
            }
            line.clear();
        }
        Ok(())
    }

    /// What comes before the tagged line, and the status in it.
    fn answer(&self, command: &str) -> (String, &'static str) {
        let (none, words) = (String::new, command.split(' ').collect::<Vec<_>>());
        let uid = || words.get(2).and_then(|uid| uid.parse::<u32>().ok()).unwrap_or_default();
        match words.as_slice() {
            ["CAPABILITY"] if self.can_move.load(Ordering::SeqCst) => {
                ("* CAPABILITY IMAP4rev1 MOVE\r\n".into(), "OK done")
            }
            ["CAPABILITY"] => ("* CAPABILITY IMAP4rev1\r\n".into(), "OK done"),
            ["LOGIN", ..] if command == r#"LOGIN "bounces@example.org" "pass \"word\\""# => (none(), "OK signed in"),
            ["LOGIN", ..] => (none(), "NO wrong"),
            ["SELECT", ..] if [r#"SELECT "INBOX""#, RUSSIAN].contains(&command) => {
                let is_read_only = self.opens_read_only.load(Ordering::SeqCst);
                let how = if is_read_only { "OK [READ-ONLY] selected" } else { "OK [READ-WRITE] selected" };
                ("* FLAGS (\\Seen \\Flagged)\r\n* 1 EXISTS\r\n* 0 RECENT\r\n".into(), how)
            }
            ["UID", "SEARCH", "UNSEEN"] => {
                let kept = self.kept.lock().unwrap();
                let unseen = kept.iter().filter(|mail| mail.folder == "INBOX" && !mail.has("\\Seen"));
                (format!("* SEARCH{}\r\n", unseen.map(|mail| format!(" {}", mail.uid)).collect::<String>()), "OK found")
            }
            ["UID", "FETCH", ..] => {
                let kept = self.kept.lock().unwrap();
                let Some(mail) = kept.iter().find(|mail| mail.uid == uid()) else { return (none(), "OK nothing") };
                let (uid, raw) = (mail.uid, &mail.raw[..mail.raw.len().min(262_144)]);
                (format!("* {uid} FETCH (UID {uid} BODY[]<0> {{{}}}\r\n{raw})\r\n", raw.len()), "OK fetched")
            }
            ["UID", "STORE", ..] if self.is_read_only.load(Ordering::SeqCst) => {
                (none(), "NO [NOPERM] Permission denied")
            }
            ["UID", "STORE", _, "+FLAGS.SILENT", flags @ ..] => {
                let flags = flags.join(" ");
                for mail in self.kept.lock().unwrap().iter_mut().filter(|mail| mail.uid == uid()) {
                    mail.flags.extend(flags.trim_matches(['(', ')']).split(' ').map(str::to_owned));
                }
                (none(), "OK stored")
            }
            ["UID", "MOVE", _, "\"Missing\""] => (none(), "NO there is no such folder"),
            ["UID", "MOVE", _, folder] => {
                for mail in self.kept.lock().unwrap().iter_mut().filter(|mail| mail.uid == uid()) {
                    folder.trim_matches('"').clone_into(&mut mail.folder);
                }
                (none(), "OK moved")
            }
            ["LOGOUT"] => ("* BYE\r\n".into(), "OK bye"),
            _ => (none(), "BAD unknown"),
        }
    }
}
