//! What an answer, or its absence, means for the mail and for the account.

use lettre::transport::smtp::Error;

use crate::bounces;
use platform::error::chain;

/// Longer answers are cut.
const LONGEST: usize = 1000;

/// A server's answer, or what happened instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Reply code; `None`: there was no answer.
    pub code: Option<u16>,
    /// Enhanced status code (RFC 3463).
    pub enhanced: Option<String>,
    pub text: String,
}

/// A step of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Connection, greeting, TLS.
    Connect,
    SignIn,
    /// `MAIL FROM`; `own`: with the configured sender.
    Sender {
        own: bool,
    },
    /// `RCPT TO`
    Recipient,
    /// `DATA`
    Data,
    /// The content, and the answer to it; `own` as above.
    Content {
        own: bool,
    },
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Refused for now, or broken off before the content was sent: it can be tried again without harm.
    Before(Answer),
    /// Refused for good; `of_address`: because the recipient's address does not work.
    Permanent { answer: Answer, of_address: bool },
    /// The content was sent and no answer came: the server may have accepted it.
    Unknown(Answer),
    /// Concerns every mail of the account, not this one.
    Account(Answer),
}

impl Failure {
    pub fn answer(&self) -> &Answer {
        match self {
            Self::Before(answer) | Self::Permanent { answer, .. } | Self::Unknown(answer) | Self::Account(answer) => {
                answer
            }
        }
    }
}

impl Answer {
    /// From a reply code and its text, lines joined.
    pub fn new(code: u16, text: &str) -> Self {
        let text = tidy(text);
        let enhanced = text.split(' ').next().filter(|word| is_enhanced(word)).map(str::to_owned);
        Self { code: Some(code), enhanced, text }
    }

    /// What happened instead of an answer.
    pub fn own(text: impl AsRef<str>) -> Self {
        Self { code: None, enhanced: None, text: tidy(text.as_ref()) }
    }

    pub(super) fn of(error: &Error) -> Self {
        match error.status() {
            Some(code) => {
                let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                Self::new(code.into(), &text)
            }
            None => Self::own(chain(error)),
        }
    }

    /// A reply code of 400 to 499.
    pub(super) fn is_temporary(&self) -> bool {
        self.code.is_some_and(|code| (400..500).contains(&code))
    }

    /// As the log shows it.
    pub fn shown(&self) -> String {
        match self.code {
            Some(code) => format!("{code} {}", self.text),
            None => self.text.clone(),
        }
    }
}

/// What a failed step means.
pub fn judge(step: Step, answer: Answer) -> Failure {
    let Some(code) = answer.code else {
        return match step {
            Step::Connect | Step::SignIn => Failure::Account(answer),
            Step::Sender { .. } | Step::Recipient | Step::Data => Failure::Before(answer),
            Step::Content { .. } => Failure::Unknown(answer),
        };
    };
    if is_of_account(step, code, &answer) {
        return Failure::Account(answer);
    }
    match (step, code) {
        (_, 500..=599) => {
            // Many servers answer to the content what they think of the sender, whatever their code says.
            let of_address =
                step == Step::Recipient && bounces::is_of_address(answer.enhanced.as_deref(), &answer.text);
            Failure::Permanent { answer, of_address }
        }
        // An answer that the content cannot have.
        (Step::Content { .. }, ..400 | 600..) => Failure::Unknown(answer),
        _ => Failure::Before(answer),
    }
}

/// Whether the server would answer this to all mail. What it answers to another sender than the configured one, which an organisation has
/// chosen, must not hold up the others.
fn is_of_account(step: Step, code: u16, answer: &Answer) -> bool {
    let text = answer.text.to_lowercase();
    match (step, code) {
        (Step::Connect | Step::SignIn, _)
        // Not signed in, or not any more (RFC 4954 section 6).
        | (_, 530 | 534 | 535 | 538)
        | (Step::Sender { .. }, 454)
        // The server does not accept the configured sender.
        | (Step::Sender { own: true }, 550 | 551 | 553 | 554) => true,
        // Microsoft 365 demands encryption with 451 5.7.3.
        (Step::Sender { .. } | Step::Recipient, 400..=599) if text.contains("starttls") => true,
        // Amazon SES takes one signature at most.
        (Step::Content { own: true }, 500..=599) if text.contains("dkim-signature") => true,
        (_, 400..=599) => is_quota(answer.enhanced.as_deref(), &text),
        _ => false,
    }
}

/// What Gmail and Microsoft 365 say, to whatever comes next, when the account has sent its share of the day.
const QUOTA: [&str; 2] = ["5.4.5", "5.1.90"];
const LIMITS: [&str; 3] = ["limit", "quota", "max emails"];
const OF_SENDING: [&str; 9] =
    ["daily", "hourly", "message quota", "messaging", "per day", "per hour", "relay limit", "sending", "submission"];
const OF_RECEIVING: [&str; 4] = ["mailbox", "receiv", "recipient's", "size"];

/// Whether the account may send no more for now. Most servers have no code for it.
fn is_quota(enhanced: Option<&str>, text: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    enhanced.is_some_and(|code| QUOTA.contains(&code)) || (has(&LIMITS) && has(&OF_SENDING) && !has(&OF_RECEIVING))
}

/// `4.7.1` and the like.
fn is_enhanced(word: &str) -> bool {
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = word.split('.').collect();
    parts.len() == 3 && matches!(parts[0], "2" | "4" | "5") && parts[1..].iter().all(|part| is_number(part))
}

/// One line that PostgreSQL can store.
fn tidy(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}
