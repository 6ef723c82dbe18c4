//! What an answer, or its absence, means for the mail and for the account.

use lettre::transport::smtp::Error;

use super::{
    Envelope,
    refusals::{self, About},
};
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
    /// `MAIL FROM`
    Sender,
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
    /// The server takes no further connection at the moment: neither the mail nor the account is at fault.
    Busy(Answer),
    /// Concerns every mail of the account. `by_mail`: it was said to this mail, which may be the only one that hears it.
    Account { answer: Answer, by_mail: bool },
}

impl Failure {
    /// Concerns every mail, whichever is sent.
    pub fn account(answer: Answer) -> Self {
        Self::Account { answer, by_mail: false }
    }

    pub fn answer(&self) -> &Answer {
        match self {
            Self::Before(answer)
            | Self::Permanent { answer, .. }
            | Self::Unknown(answer)
            | Self::Busy(answer)
            | Self::Account { answer, .. } => answer,
        }
    }
}

impl Answer {
    /// From a reply code and its text, lines joined.
    pub fn new(code: u16, text: &str) -> Self {
        let text = tidy(text);
        let first = text.split(' ').next().map(|word| word.trim_end_matches(['.', ':', ',', ';']));
        let enhanced = first.filter(|word| bounces::is_status(word)).map(str::to_owned);
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

/// What a failed step means; `mail`: that it was about, from [`Step::Sender`] on.
pub fn judge(step: Step, mail: Option<&Envelope<'_>>, answer: Answer) -> Failure {
    let Some(code) = answer.code else {
        return match step {
            Step::Connect | Step::SignIn => Failure::account(answer),
            Step::Sender | Step::Recipient | Step::Data => Failure::Before(answer),
            Step::Content => Failure::Unknown(answer),
        };
    };
    let said = refusals::plain(&answer.text, mail);
    if refusals::is_crowded(code, &said) {
        return Failure::Busy(answer);
    }
    if matches!(step, Step::Connect | Step::SignIn) {
        return Failure::account(answer);
    }
    let own = mail.is_none_or(|mail| mail.own);
    match refusals::about(step, code, answer.enhanced.as_deref(), &said) {
        // What is said to another sender than the configured one, which an organisation has chosen, is about its mail alone. It waits: the
        // operator of the server can do something about it.
        Some(About::Sender) if !own => return Failure::Before(answer),
        Some(About::Account | About::Sender) => {
            return Failure::Account { answer, by_mail: !own || step != Step::Sender };
        }
        None => {}
    }
    match (step, code) {
        (_, 500..=599) => {
            // Many servers answer to the content what they think of the sender, whatever their code says.
            let of_address =
                step == Step::Recipient && bounces::is_of_address(answer.enhanced.as_deref(), &answer.text);
            Failure::Permanent { answer, of_address }
        }
        // An answer that the content cannot have.
        (Step::Content, ..400 | 600..) => Failure::Unknown(answer),
        _ => Failure::Before(answer),
    }
}

/// One line that PostgreSQL can store.
fn tidy(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enhanced_status_code_is_the_first_word_whatever_stands_behind_it() {
        for (text, code) in [
            ("5.1.1 User unknown", Some("5.1.1")),
            ("5.1.1: User unknown", Some("5.1.1")),
            ("5.1.1. User unknown", Some("5.1.1")),
            ("5.1.1", Some("5.1.1")),
            ("4.96.2 is the version of this server", None),
            ("127.0.0.1 is blocked", None),
            ("User unknown 5.1.1", None),
            ("", None),
        ] {
            assert_eq!(Answer::new(550, text).enhanced.as_deref(), code, "{text}");
        }
    }
}
