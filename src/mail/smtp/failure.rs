//! What an answer, or its absence, means for the mail and for the account.

use lettre::transport::smtp::Error;

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
    /// The content, and the answer to it.
    Content,
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
            Step::Content => Failure::Unknown(answer),
        };
    };
    // What Gmail says, to whatever comes next, when the account has sent its share of the day.
    if code >= 500 && answer.enhanced.as_deref() == Some("5.4.5") {
        return Failure::Account(answer);
    }
    match (step, code) {
        (Step::Connect | Step::SignIn, _)
        // Not signed in, or not any more (RFC 4954 section 6): the same for every mail.
        | (_, 530 | 534 | 535 | 538)
        | (Step::Sender { .. }, 454)
        // The server does not accept the configured sender, so it would refuse all of its mail.
        | (Step::Sender { own: true }, 550 | 551 | 553 | 554) => Failure::Account(answer),
        (_, 500..=599) => {
            let of_address = is_of_address(step, code, &answer);
            Failure::Permanent { answer, of_address }
        }
        // An answer that the content cannot have.
        (Step::Content, ..400 | 600..) => Failure::Unknown(answer),
        _ => Failure::Before(answer),
    }
}

/// Words of refusals that are about the sender, whatever the code says.
const NOT_OF_ADDRESS: [&str; 7] = ["relay", "sender", "spam", "block", "blacklist", "policy", "prohibit"];

/// Whether a refusal says that the address does not work. Without an enhanced status code, only the answer to the recipient's address can, and
/// not one about the sender: many servers answer to the recipient what they think of the sender.
fn is_of_address(step: Step, code: u16, answer: &Answer) -> bool {
    match (&answer.enhanced, step) {
        (Some(enhanced), Step::Recipient | Step::Data | Step::Content) => crate::bounces::is_of_address(enhanced),
        (None, Step::Recipient) => {
            let text = answer.text.to_ascii_lowercase();
            matches!(code, 550 | 551 | 553) && !NOT_OF_ADDRESS.iter().any(|word| text.contains(word))
        }
        _ => false,
    }
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
