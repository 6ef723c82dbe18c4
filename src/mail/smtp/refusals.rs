//! Refusals that are about the account or about the sender. Most servers have no code of their own for these, and many say them only to the
//! recipient or to the content, so the text decides. What is not known here is about the mail.

use super::{Envelope, failure::Step};

/// Whom a refusal concerns besides the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Every mail of the account.
    Account,
    /// Every mail of this sender: of the account, if it is the configured one.
    Sender,
}

/// A kind of refusal. An empty list matches everything.
struct Refusal {
    about: About,
    /// Steps to which it is said.
    at: &'static [Step],
    /// Reply codes.
    codes: &'static [u16],
    /// Enhanced status codes; one that ends with a dot is the begin of several.
    enhanced: &'static [&'static str],
    /// The text has a word of each of these lists.
    said: &'static [&'static [&'static str]],
    /// And none of these.
    never: &'static [&'static str],
}

const REFUSAL: Refusal = Refusal { about: About::Sender, at: &[], codes: &[], enhanced: &[], said: &[], never: &[] };

const REFUSALS: [Refusal; 12] = [
    // Not signed in, or not any more (RFC 4954 section 6).
    Refusal { about: About::Account, codes: &[530, 534, 535, 538], ..REFUSAL },
    Refusal { about: About::Account, at: &[Step::Sender], codes: &[454], ..REFUSAL },
    // Microsoft 365 demands encryption with 451 5.7.3.
    Refusal { about: About::Account, at: &[Step::Sender, Step::Recipient], said: &[&["starttls"]], ..REFUSAL },
    // The server's disk is full, or it is about to stop: it knows nothing of the mail yet.
    Refusal { about: About::Account, at: &[Step::Sender], enhanced: &["4.3."], ..REFUSAL },
    // The name or the address of this host, which Postfix looks at when it hears the recipient, unless it is told otherwise.
    Refusal { about: About::Account, said: &[&["client host", "helo command", "ehlo command"], &REFUSED], ..REFUSAL },
    // Whatever it says about the sender.
    Refusal { at: &[Step::Sender], codes: &[550, 551, 553, 554], ..REFUSAL },
    Refusal { enhanced: &CODES, ..REFUSAL },
    // It has sent its share of the hour or of the day.
    Refusal { said: &[&["limit", "quota", "max emails"], &OF_SENDING], never: &OF_RECEIVING, ..REFUSAL },
    // Mail for others is taken of those alone whom the server knows.
    Refusal { at: &[Step::Recipient, Step::Content], said: &[&["relay"], &REFUSED], ..REFUSAL },
    // Amazon SES takes one signature at most.
    Refusal { at: &[Step::Content], said: &[&["dkim-signature"]], ..REFUSAL },
    Refusal {
        said: &[&["sender", "sending", "your account", "your domain"], &STOPPED],
        never: &OF_RECEIVING,
        ..REFUSAL
    },
    Refusal { said: &[&UNKNOWN], never: &OF_RECEIVING, ..REFUSAL },
];

/// What Gmail and Microsoft 365 say, to whatever comes next, to a sender that has sent its share of the day (5.4.5, 5.1.90, 5.7.233), that is none
/// of theirs, or that has sent spam; and what everybody says of a sender's address that does not exist (RFC 3463: x.1.7, x.1.8).
const CODES: [&str; 16] = [
    "4.1.7", "4.1.8", "5.1.7", "5.1.8", "5.1.90", "5.2.252", "5.4.5", "5.7.57", "5.7.60", "5.7.233", "5.7.501",
    "5.7.502", "5.7.503", "5.7.705", "5.7.708", "5.7.750",
];

const OF_SENDING: [&str; 9] =
    ["daily", "hourly", "message quota", "messaging", "per day", "per hour", "relay limit", "sending", "submission"];

const OF_RECEIVING: [&str; 6] = ["mailbox", "receiv", "recipient's", "recipient address", "size", "undeliverable"];

const REFUSED: [&str; 11] = [
    "blocked",
    "cannot",
    "denied",
    "do not",
    "not allowed",
    "not authori",
    "not permitted",
    "prohibited",
    "refused",
    "rejected",
    "unable",
];

const STOPPED: [&str; 6] = ["deactivated", "disabled", "on hold", "paused", "suspended", "under review"];

/// How services say that they do not know the sender (yet).
const UNKNOWN: [&str; 16] = [
    "authorized recipients",
    "bad outbound sender",
    "not verified",
    "permissions to send as",
    "sandbox",
    "send as this sender",
    "send testing emails",
    "sendasdenied",
    "sender address rejected",
    "sender identity",
    "sender is not",
    "sender not",
    "sender rejected",
    "sender signature",
    "sender verify failed",
    "unverified",
];

/// A server passes on what another one said, about whomever.
const QUOTED: [&str; 5] = [" said:", "callout", "in reply to", "remote server", "response was"];
/// One mail is put off, whatever else the text says.
const GREY: [&str; 2] = ["graylist", "greylist"];

/// Whom a refusal concerns; `said`: see [`plain`].
pub(super) fn about(step: Step, code: u16, enhanced: Option<&str>, said: &str) -> Option<About> {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&QUOTED) || has(&GREY) || !(400..600).contains(&code) {
        return None;
    }
    // `4.3.` is a begin, `5.1.8` a whole code.
    let is_code = |given: &str, known: &str| given == known || (known.ends_with('.') && given.starts_with(known));
    let matches = |refusal: &&Refusal| {
        (refusal.at.is_empty() || refusal.at.contains(&step))
            && (refusal.codes.is_empty() || refusal.codes.contains(&code))
            && (refusal.enhanced.is_empty()
                || enhanced.is_some_and(|given| refusal.enhanced.iter().any(|known| is_code(given, known))))
            && refusal.said.iter().all(|words| has(words))
            && !has(refusal.never)
    };
    REFUSALS.iter().find(matches).map(|refusal| refusal.about)
}

/// Whether the server has as many connections, of whomever, as it takes, or as many mails on this one: it works, and takes the mail when one ends.
pub(super) fn is_crowded(code: u16, said: &str) -> bool {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let is_too_many =
        has(&["connection", "session", "sender thread"]) && has(&["concurrent", "exceed", "maximum", "too many"]);
    let is_used_up = has(&["message"])
        && has(&["per connection", "per session", "this connection", "this session"])
        && has(&["limit", "no more", "only", "reached"]);
    (400..500).contains(&code) && (is_too_many || is_used_up)
}

/// A text in lower case without addresses, of which anybody may have chosen any word: neither in angle brackets nor without, nor the parts of
/// those of this mail.
pub(super) fn plain(text: &str, mail: Option<&Envelope<'_>>) -> String {
    let text = text.to_lowercase();
    let mut rest = text.as_str();
    let mut open = String::with_capacity(text.len());
    while let Some((before, inner)) = rest.split_once('<') {
        open.push_str(before);
        let Some((_, after)) = inner.split_once('>') else {
            // What is not closed may be an address that was cut.
            rest = "";
            break;
        };
        open.push(' ');
        rest = after;
    }
    open.push_str(rest);
    let addresses = mail.into_iter().flat_map(|mail| [mail.to, mail.from]);
    let parts: Vec<String> =
        addresses.flat_map(|address| [address.local().to_lowercase(), address.domain().to_lowercase()]).collect();
    let is_of_address = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        word.contains('@') || parts.iter().any(|part| part == word || part == bare)
    };
    open.split_whitespace().filter(|word| !is_of_address(word)).collect::<Vec<_>>().join(" ")
}
