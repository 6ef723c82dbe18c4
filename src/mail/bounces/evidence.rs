//! What a refusal says about the recipient's address. Nothing more is sent to an address that does not work, not even a password reset, so only
//! clear evidence counts: many servers give a general code to whatever they do not like, and refuse good addresses for a day.

use super::BounceKind;

/// No such mailbox, moved without a new address, takes no mail at all (RFC 7505; Exchange says it of users that do not exist).
const CLEAR: [&str; 3] = ["5.1.1", "5.1.6", "5.1.10"];
/// "Mailbox disabled", and with Gmail also an address that gets too much mail at the moment.
const DISABLED: &str = "5.2.1";
/// Codes that say what it is about, whatever the text says: the sender's address, a quota of the sender, a full mailbox, a message that is too large,
/// a domain that is not found, which may be a mistake of the moment.
/// With any other the text decides: 5.7.1 is a refusal by policy for most, and for Yandex that there is no such user.
const ELSEWHERE: [&str; 8] = ["5.1.7", "5.1.8", "5.1.90", "5.2.2", "5.2.3", "5.3.4", "5.4.4", "5.4.5"];

/// "No such user", "user unknown" and the like.
const WHO: [&str; 5] = ["user", "mailbox", "recipient", "address", "account"];
const BEFORE: [&str; 2] = ["unknown", "no such"];
const AFTER: [&str; 6] =
    ["unknown", "not found", "does not exist", "doesn't exist", "is disabled", "has been disabled"];
const WHOLE: [&str; 4] =
    ["invalid recipient", "invalid mailbox", "not a valid mailbox", "no mailbox here by that name"];
/// Words of refusals that are about the sender or the content, whatever else they say.
const POLICY: [&str; 18] = [
    "attachment",
    "authent",
    "block",
    "content",
    "denied",
    "dkim",
    "dmarc",
    "junk",
    "listed",
    "policy",
    "preferences",
    "prison",
    "prohibit",
    "relay",
    "reputation",
    "sender",
    "spam",
    "spf",
];
/// Words of refusals for the moment, or for a full mailbox or a large message.
const MOMENT: [&str; 10] =
    ["dns", "full", "per hour", "quickly", "quota", " rate", "size", "temporar", "too many", "too much"];

/// Whether a permanent refusal of the recipient, with this enhanced status code (RFC 3463) and text, says that the address does not work. A full
/// mailbox, a message that is too large, a quota and a refusal for policy or content say nothing about the next message.
pub(crate) fn is_of_address(enhanced: Option<&str>, said: &str) -> bool {
    let (code, said) = decisive(enhanced, said);
    names_address(code.as_deref(), &said)
}

/// As [`is_of_address`], of what [`decisive`] gives. Some servers say 5.1.1 to whatever they do not like.
fn names_address(code: Option<&str>, said: &str) -> bool {
    match code {
        Some(code) if CLEAR.contains(&code) => names_unknown(said) || !is_doubtful(said),
        Some(DISABLED) => !is_doubtful(said),
        Some(code) if code.starts_with("4.") || ELSEWHERE.contains(&code) => false,
        _ => names_unknown(said) && !is_doubtful(said),
    }
}

/// Kind of a permanent failure with this enhanced status code and text.
pub(super) fn failure(enhanced: Option<&str>, said: &str) -> BounceKind {
    if is_of_address(enhanced, said) { BounceKind::Hard } else { refusal(enhanced, said) }
}

/// Kind of a permanent failure that says nothing against the address: refused if it is about the sender or the content, which the next mail has as
/// well; soft if it is about a full mailbox, a limit or a server that does not work.
pub(super) fn refusal(enhanced: Option<&str>, said: &str) -> BounceKind {
    let (code, said) = decisive(enhanced, said);
    let is_refused = match code.as_deref() {
        Some(code) if is_policy(code) => true,
        Some(code) if ["4.", "5.2.", "5.3.", "5.4."].iter().any(|begin| code.starts_with(begin)) => false,
        _ => contains(&POLICY, &said),
    };
    if is_refused { BounceKind::Refused } else { BounceKind::Soft }
}

/// Kind of what a provider calls a hard bounce: another one if the answer that it passes on speaks of something else than the address, such as a full
/// mailbox, the content or a policy.
pub(super) fn hard(enhanced: Option<&str>, said: &str) -> BounceKind {
    let (code, words) = decisive(enhanced, said);
    if names_address(code.as_deref(), &words) {
        return BounceKind::Hard;
    }
    match code.as_deref() {
        Some(code) if is_policy(code) => BounceKind::Refused,
        Some(code)
            if ELSEWHERE.contains(&code) || ["4.", "5.2.", "5.3."].iter().any(|begin| code.starts_with(begin)) =>
        {
            BounceKind::Soft
        }
        // Whatever the code is, or if there is none: the words say something else.
        _ if is_doubtful(&words) => refusal(enhanced, said),
        _ => BounceKind::Hard,
    }
}

/// Code and text, in lower case, of the answer that decides: that of the recipient's server where another one passes it on. What the other says
/// about it is a guess, the same for any answer.
fn decisive(enhanced: Option<&str>, said: &str) -> (Option<String>, String) {
    match passed_on(said) {
        Some(answer) => (super::enhanced(answer), plain(answer)),
        None => (enhanced.map(str::to_owned), plain(said)),
    }
}

/// The answer that another server passes on. Cisco: `5.1.0 - Unknown address error 550-'5.2.2 Mailbox full'`; Microsoft: `5.1.351 Remote server
/// returned unknown recipient -> 550 5.2.2 Mailbox full`.
pub(super) fn passed_on(said: &str) -> Option<&str> {
    let is_reply = |code: &[u8; 3]| matches!(code, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9']);
    let quoted = said.split_once("-'").filter(|(before, _)| before.as_bytes().last_chunk().is_some_and(is_reply));
    let quoted = quoted.map(|(_, rest)| rest.rsplit_once('\'').map_or(rest, |(answer, _)| answer));
    let behind = said.rsplit_once("->").map(|(_, answer)| answer.trim_start());
    quoted.or_else(|| behind.filter(|answer| answer.as_bytes().first_chunk().is_some_and(is_reply)))
}

/// The content (5.6), security and policy (5.7, and 4.7 where it was for good in the end), a bad sender.
fn is_policy(code: &str) -> bool {
    ["4.7.", "5.6.", "5.7."].iter().any(|begin| code.starts_with(begin)) || ["5.1.7", "5.1.8"].contains(&code)
}

/// In lower case, and without addresses, of which anybody may have chosen the words.
fn plain(said: &str) -> String {
    let said = said.to_lowercase();
    said.split_whitespace().filter(|word| !word.contains('@')).collect::<Vec<_>>().join(" ")
}

fn names_unknown(said: &str) -> bool {
    let is_said = |who: &&str| {
        BEFORE.iter().any(|word| said.contains(&format!("{word} {who}")))
            || AFTER.iter().any(|word| said.contains(&format!("{who} {word}")))
    };
    WHO.iter().any(is_said) || WHOLE.iter().any(|phrase| said.contains(phrase))
}

fn is_doubtful(said: &str) -> bool {
    contains(&POLICY, said) || contains(&MOMENT, said)
}

fn contains(words: &[&str], said: &str) -> bool {
    words.iter().any(|word| said.contains(word))
}
