//! What a refusal says about the recipient's address. Nothing more is sent to an address that does not work, not even a password reset, so only
//! clear evidence counts: many servers give a general code to whatever they do not like, and refuse good addresses for a day.

use super::BounceKind;

/// No such mailbox, moved without a new address, takes no mail at all (RFC 7505; Exchange says it of users that do not exist).
const CLEAR: [&str; 3] = ["5.1.1", "5.1.6", "5.1.10"];
/// "Mailbox disabled", and with Gmail also an address that gets too much mail at the moment.
const DISABLED: &str = "5.2.1";
/// Codes that say nothing, or too little: the text decides. 5.7.1 is a refusal by policy for most, and for Yandex that there is no such user.
const VAGUE: [&str; 6] = ["5.0.0", "5.1.0", "5.1.2", "5.1.3", "5.5.0", "5.7.1"];

/// "No such user", "user unknown" and the like.
const WHO: [&str; 5] = ["user", "mailbox", "recipient", "address", "account"];
const BEFORE: [&str; 2] = ["unknown", "no such"];
const AFTER: [&str; 6] =
    ["unknown", "not found", "does not exist", "doesn't exist", "is disabled", "has been disabled"];
const WHOLE: [&str; 4] =
    ["invalid recipient", "invalid mailbox", "not a valid mailbox", "no mailbox here by that name"];
/// Words of refusals that are about the sender or the content, whatever else they say.
const POLICY: [&str; 17] = [
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
    "prison",
    "prohibit",
    "relay",
    "reputation",
    "sender",
    "spam",
    "spf",
];
/// Words of refusals for the moment.
const MOMENT: [&str; 6] = ["dns", "quickly", " rate", "temporar", "too many", "too much"];

/// Whether a permanent refusal of the recipient, with this enhanced status code (RFC 3463) and text, says that the address does not work. A full
/// mailbox, a message that is too large, a quota and a refusal for policy or content say nothing about the next message.
pub(crate) fn is_of_address(enhanced: Option<&str>, said: &str) -> bool {
    match enhanced {
        Some(code) if CLEAR.contains(&code) => true,
        Some(DISABLED) => !is_doubtful(&plain(said)),
        Some(code) if !VAGUE.contains(&code) => false,
        _ => {
            let said = plain(said);
            names_unknown(&said) && !is_doubtful(&said)
        }
    }
}

/// Kind of a permanent failure with this enhanced status code and text.
pub(super) fn failure(enhanced: Option<&str>, said: &str) -> BounceKind {
    if is_of_address(enhanced, said) { BounceKind::Hard } else { refusal(enhanced, said) }
}

/// Kind of a permanent failure that says nothing against the address: refused if it is about the sender or the content, which the next mail has as
/// well; soft if it is about a full mailbox, a limit or a server that does not work.
pub(super) fn refusal(enhanced: Option<&str>, said: &str) -> BounceKind {
    let is_refused = match enhanced {
        Some(code) if is_policy(code) => true,
        Some(code) if ["4.", "5.2.", "5.3.", "5.4."].iter().any(|begin| code.starts_with(begin)) => false,
        _ => contains(&POLICY, &plain(said)),
    };
    if is_refused { BounceKind::Refused } else { BounceKind::Soft }
}

/// Kind of what a provider calls a hard bounce: another one if the answer that it passes on speaks of something else than the address, such as a full
/// mailbox, the content or a policy.
pub(super) fn hard(enhanced: Option<&str>, said: &str) -> BounceKind {
    let Some(code) = enhanced.filter(|&code| code != DISABLED && !is_of_address(Some(code), said)) else {
        return BounceKind::Hard;
    };
    let is_limit = ["5.1.90", "5.4.5"].contains(&code);
    if is_policy(code) {
        BounceKind::Refused
    } else if is_limit || ["4.", "5.2.", "5.3."].iter().any(|begin| code.starts_with(begin)) {
        BounceKind::Soft
    } else {
        BounceKind::Hard
    }
}

/// The content (5.6), security and policy (5.7, and 4.7 where it was for good in the end), a bad sender.
fn is_policy(code: &str) -> bool {
    ["4.7.", "5.6.", "5.7."].iter().any(|begin| code.starts_with(begin)) || ["5.1.7", "5.1.8"].contains(&code)
}

fn plain(said: &str) -> String {
    said.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
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
