//! Receivers that another room has: it says where each is, in which form it wants its messages, and what its answers mean.
//!
//! A receiver's name begins with the room's prefix: `incidents.<id of a channel>`. Order, retries, retention and the log are those of all deliveries.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use secrecy::SecretString;

use super::{SigningKey, WebhooksError, model::Owner};

/// Knows the receivers whose names begin with its prefix.
#[async_trait]
pub trait Receivers: Send + Sync {
    /// Such as `incidents.`.
    fn prefix(&self) -> &'static str;

    /// The receiver of this name, without the prefix; `None`: it does not exist any more, or nothing is to be sent to it, and what waits for it is
    /// given up.
    async fn get(&self, owner: Owner, name: &str) -> Result<Option<Target>, WebhooksError>;

    /// An attempt failed, with what the judge said of it: where the answer names a new address, the room takes note of that.
    async fn failed(&self, owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError>;

    /// It wants no more messages, or its address is not valid any more. Called once, with the reason, after which nothing is sent to it.
    async fn gone(&self, owner: Owner, name: &str, why: &str) -> Result<(), WebhooksError>;
}

/// Where messages go, and how.
pub struct Target {
    /// Often a secret as a whole: never stored with deliveries, logged or shown.
    pub url: SecretString,
    pub form: Form,
    pub judge: Judge,
    /// Least time from one message to the next.
    pub gap: Duration,
    /// Longest wait between two attempts.
    pub longest: Duration,
    /// A message is given up after this long, hours.
    pub give_up_hours: u32,
}

/// What is sent besides the body, which is always JSON.
pub enum Form {
    /// The headers of Standard Webhooks. The first key is the newest.
    Signed(Vec<SigningKey>),
    /// These headers; values may be secret.
    Plain(Vec<(HeaderName, HeaderValue)>),
}

/// An answer, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    pub status: StatusCode,
    /// At most the first 4 KB of the body.
    pub head: &'a [u8],
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// Not now. Nothing else is sent there before this message, so that the order is kept; after this long, or after the usual wait.
    Retry(Option<Duration>, String),
    /// Never this message, whose content is at fault: it is given up, and the next one is sent.
    Refused(String),
    /// Never anything.
    Gone(String),
}

/// Reads answers of one kind of receiver.
pub type Judge = fn(&Answer<'_>) -> Verdict;

/// The usual meaning: 2xx is delivered, 410 gone, everything else for another time.
pub fn by_status(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        status if status.is_success() => Verdict::Delivered,
        StatusCode::GONE => Verdict::Gone("it answered 410 Gone: it wants no more messages".to_owned()),
        status => Verdict::Retry(answer.retry_after, format!("it answered {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_becomes_of_a_message() {
        let judge = |status: u16| {
            let retry_after = Some(Duration::from_secs(7));
            by_status(&Answer { status: StatusCode::from_u16(status).unwrap(), head: b"", retry_after })
        };
        assert_eq!([200, 204].map(judge), [Verdict::Delivered, Verdict::Delivered]);
        assert!(matches!(judge(410), Verdict::Gone(_)));
        for status in [301, 400, 404, 429, 500] {
            assert!(matches!(judge(status), Verdict::Retry(Some(wait), _) if wait.as_secs() == 7), "{status}");
        }
    }
}
