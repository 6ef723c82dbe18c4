//! A conversation with one client.

use std::{io, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::{Act, Kept, Server, Step};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(super) struct Talk {
    server: Arc<Server>,
    stream: BufReader<Box<dyn Stream>>,
    /// Between two bytes of an answer.
    pace: Option<Duration>,
    /// What is sent behind the next answer.
    besides: Option<&'static str>,
    /// What is sent instead of the next answer.
    instead: Option<&'static [u8]>,
    is_encrypted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
    brought: usize,
    connection: usize,
}

fn hung_up() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

/// `<a@b>` of `FROM:<a@b> SIZE=1`.
fn path(rest: &str) -> String {
    let path = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    path.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

impl Talk {
    pub(super) fn new(server: Arc<Server>, stream: TcpStream, connection: usize) -> Self {
        let stream: Box<dyn Stream> = Box::new(stream);
        Self {
            server,
            stream: BufReader::new(stream),
            pace: None,
            besides: None,
            instead: None,
            is_encrypted: false,
            user: None,
            from: None,
            to: Vec::new(),
            brought: 0,
            connection,
        }
    }

    pub(super) async fn run(mut self) -> io::Result<()> {
        if let Some(acceptor) = self.server.options.implicit_tls.clone() {
            self = self.encrypt(&acceptor).await?;
        }
        self.answer(Step::Connected, "220 mail.test ESMTP").await?;
        loop {
            let line = self.line().await?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.greet().await?,
                "STARTTLS" => {
                    let acceptor = self.server.options.starttls.clone();
                    let Some(acceptor) = acceptor.filter(|_| !self.is_encrypted) else {
                        self.complain("502 5.5.1 not offered", &line).await?;
                        continue;
                    };
                    if self.answer(Step::StartTls, "220 2.0.0 go ahead").await? {
                        self = self.encrypt(&acceptor).await?;
                    }
                }
                "AUTH" => self.sign_in(rest).await?,
                "MAIL" => self.mail_from(rest).await?,
                "RCPT" => self.rcpt_to(rest).await?,
                "DATA" => self.data().await?,
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.say("250 2.0.0 forgotten").await?;
                }
                "NOOP" => self.say("250 2.0.0 nothing done").await?,
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ => self.complain("502 5.5.1 unknown command", &line).await?,
            }
        }
    }

    async fn encrypt(mut self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        let encrypted: Box<dyn Stream> = Box::new(acceptor.accept(self.stream.into_inner()).await?);
        self.stream = BufReader::new(encrypted);
        self.is_encrypted = true;
        Ok(self)
    }

    async fn greet(&mut self) -> io::Result<()> {
        let options = self.server.options.clone();
        let mut lines = vec!["mail.test", "8BITMIME", "ENHANCEDSTATUSCODES"];
        if !options.ascii_only {
            lines.push("SMTPUTF8");
        }
        if options.starttls.is_some() && !self.is_encrypted {
            lines.push("STARTTLS");
        } else if options.account.is_some() {
            lines.push("AUTH PLAIN");
        }
        let last = lines.len() - 1;
        let line = |(n, line): (usize, &&str)| format!("250{}{line}", if n == last { ' ' } else { '-' });
        let answer: Vec<String> = lines.iter().enumerate().map(line).collect();
        self.answer(Step::Ehlo, &answer.join("\r\n")).await.map(drop)
    }

    async fn sign_in(&mut self, rest: &str) -> io::Result<()> {
        let mut response = rest.strip_prefix("PLAIN").unwrap_or_default().trim().to_owned();
        if response.is_empty() {
            self.say("334 ").await?;
            String::from_utf8_lossy(&self.line().await?).trim_end().clone_into(&mut response);
        }
        let said = STANDARD.decode(response).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let is_right = |(user, password): &(&str, &str)| said == format!("\0{user}\0{password}");
        let Some((user, _)) = self.server.options.account.filter(is_right) else {
            return self.say("535 5.7.8 wrong user or password").await;
        };
        if self.answer(Step::Auth, "235 2.7.0 welcome").await? {
            self.user = Some(user.to_owned());
        }
        Ok(())
    }

    async fn mail_from(&mut self, rest: &str) -> io::Result<()> {
        if self.server.options.account.is_some() && self.user.is_none() {
            return self.say("530 5.7.0 sign in first").await;
        }
        (self.from, self.to) = (None, Vec::new());
        if self.brought > 0 && !self.is_usual(Step::Reused).await? {
            return Ok(());
        }
        if self.answer(Step::MailFrom, "250 2.1.0 fine").await? {
            self.from = Some(path(rest));
        }
        Ok(())
    }

    async fn rcpt_to(&mut self, rest: &str) -> io::Result<()> {
        if self.from.is_none() {
            return self.complain("503 5.5.1 no sender", rest).await;
        }
        self.to.push(path(rest));
        if !self.answer(Step::RcptTo, "250 2.1.5 fine").await? {
            self.to.pop();
        }
        Ok(())
    }

    async fn data(&mut self) -> io::Result<()> {
        if self.to.is_empty() {
            return self.complain("503 5.5.1 no recipient", "DATA").await;
        }
        if self.server.options.most_messages.is_some_and(|most| self.brought >= most) {
            return self.say("452 4.4.5 Maximum number of messages per session exceeded").await;
        }
        if !self.answer(Step::Data, "354 go ahead").await? {
            return Ok(());
        }
        let mut raw = Vec::new();
        loop {
            let line = self.line().await?;
            if line == b".\r\n" {
                break;
            }
            raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        if self.is_usual(Step::Content).await? {
            let kept = Kept {
                from: self.from.clone().unwrap_or_default(),
                to: self.to.clone(),
                raw,
                is_encrypted: self.is_encrypted,
                user: self.user.clone(),
                connection: self.connection,
            };
            self.server.kept.lock().unwrap().push(kept);
            self.brought += 1;
            self.answer(Step::Kept, "250 2.0.0 queued").await?;
        }
        (self.from, self.to) = (None, Vec::new());
        Ok(())
    }

    /// A line with its end.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(hung_up());
        }
        if !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r') {
            let text = String::from_utf8_lossy(&line).into_owned();
            self.server.complaints.lock().unwrap().push(format!("a bare CR or LF: {text:?}"));
        }
        Ok(line)
    }

    /// False where the test's rule has answered instead.
    async fn is_usual(&mut self, step: Step) -> io::Result<bool> {
        match self.server.act(step, self.to.last()) {
            None => {}
            Some(Act::Wait(time)) => sleep(time).await,
            Some(Act::Drip(pace)) => self.pace = Some(pace),
            Some(Act::Besides(text)) => self.besides = Some(text),
            Some(Act::Instead(bytes)) => self.instead = Some(bytes),
            Some(Act::Silence) => std::future::pending().await,
            Some(Act::Close) => return Err(hung_up()),
            Some(Act::Say(text)) => return self.say(text).await.map(|()| false),
            Some(Act::SayAndClose(text)) => {
                self.say(text).await?;
                return Err(hung_up());
            }
        }
        Ok(true)
    }

    /// As usual, or as the test's rule says; whether it was as usual.
    async fn answer(&mut self, step: Step, usual: &str) -> io::Result<bool> {
        let is_usual = self.is_usual(step).await?;
        if is_usual {
            self.say(usual).await?;
        }
        Ok(is_usual)
    }

    async fn complain(&mut self, answer: &str, line: &str) -> io::Result<()> {
        self.server.complaints.lock().unwrap().push(format!("{answer}: {line:?}"));
        self.say(answer).await
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        if let Some(bytes) = self.instead.take() {
            self.stream.write_all(bytes).await?;
            return self.stream.flush().await;
        }
        let besides = self.besides.take().map(|text| format!("{text}\r\n")).unwrap_or_default();
        let line = format!("{text}\r\n{besides}");
        let Some(pace) = self.pace else {
            self.stream.write_all(line.as_bytes()).await?;
            return self.stream.flush().await;
        };
        for byte in line.as_bytes() {
            self.stream.write_all(&[*byte]).await?;
            self.stream.flush().await?;
            sleep(pace).await;
        }
        Ok(())
    }
}
