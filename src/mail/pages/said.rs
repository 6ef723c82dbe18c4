//! What this room says in English to programs, in the language of a page.

use std::borrow::Cow;

use crate::model::errors;
use console::{FormErrors, Lang, Shell};
use platform::error::ApiError;

/// Errors that are stored with mails.
const ERRORS: [(&str, &str); 3] = [
    (errors::EXPIRED, "mail-error-expired"),
    (errors::CUT_OFF, "mail-error-cut-off"),
    (errors::SUPPRESSED, "mail-error-suppressed"),
];

/// What checks of addresses, looks and the DNS say, with the end of its key.
const DETAILS: [(&str, &str); 45] = [
    ("a line break or another control character is not allowed here", "control"),
    ("it contains an invisible character: type it instead of pasting it", "invisible"),
    ("expected one address, such as ada@example.com or Ada Lovelace <ada@example.com>", "form"),
    ("the part before the @ is empty, too long or has a character that cannot be there", "local"),
    ("the part after the @ is not the name of a domain", "domain"),
    ("use an address with ASCII characters before the @: many servers refuse mail with others", "ascii"),
    ("expected a colour such as #0a756b", "color"),
    ("expected an address that begins with https://: mail programs load no other images", "logo"),
    ("the file has no column with addresses: name one of them `address` in the first line", "no-addresses"),
    ("it is not UTF-8: save the file in this encoding", "utf8"),
    ("there is another record of this name, which receivers may take instead: remove it", "dns-another"),
    ("the record is missing", "dns-missing"),
    ("the record has another key", "dns-other-key"),
    ("the record is missing: name the servers of your mail provider in it", "dns-no-spf"),
    ("it permits every server of the world (+all)", "dns-plus-all"),
    ("it does not end with ~all or -all, so it says nothing about other servers", "dns-no-all"),
    ("there are several SPF records, so none counts (RFC 7208 section 4.5)", "dns-several-spf"),
    ("the record is missing: large providers want one from those who send much", "dns-no-dmarc"),
    ("it only watches (p=none)", "dns-only-watches"),
    ("it has no policy (p=)", "dns-no-policy"),
    ("there are several DMARC records, so none counts", "dns-several-dmarc"),
    ("the name has no address", "dns-no-address"),
    ("an address of it has another name: of no consequence when a provider's server sends", "dns-other-name"),
    (
        "it says that the domain is only testing DKIM (t=y): receivers treat its mail as if it were not signed",
        "dns-testing",
    ),
    ("v= is not its first tag: some receivers do not take it", "dns-v-first"),
    ("it has no key (p=, in a small letter)", "dns-no-key"),
    ("the key was withdrawn (p= is empty)", "dns-withdrawn"),
    ("it does not permit sha256, with which mail is signed (h=)", "dns-sha256"),
    ("it is not for mail (s=)", "dns-not-mail"),
    ("it is said to be a key of another kind (k=)", "dns-kind"),
    ("receivers know no other version than v=DKIM1", "dns-version"),
    (
        "the form of the DNS provider has escaped the semicolons: enter them so that no backslash is before them",
        "dns-escaped",
    ),
    ("receivers cannot read it", "dns-unreadable"),
    ("it permits every server of the world (a network of length 0)", "dns-network"),
    ("what stands behind `all` is not looked at: put it before", "dns-behind-all"),
    ("it permits nobody to send: name the servers of your mail provider in it", "dns-nobody"),
    ("it makes receivers look up more than 10 names, after which they give up", "dns-lookups"),
    (
        "it makes receivers look up almost 10 names besides those of what it includes: they give up after 10",
        "dns-many-lookups",
    ),
    ("receivers cannot read a value in it: a policy is none, quarantine or reject (p=, sp=)", "dns-dmarc-value"),
    ("its policy holds for no mail (pct=0)", "dns-pct"),
    ("it says that the policy is only tested (t=y)", "dns-dmarc-testing"),
    ("the parent domain's policy holds, which only watches", "dns-parent-watches"),
    ("the parent domain's policy holds", "dns-parent"),
    ("at most 20 domains", "many-domains"),
    ("at most 20 bounce sources", "many-sources"),
];

/// What is said of texts that are too long: between these words is the number.
const LIMITS: [(&str, &str, &str); 5] = [
    ("an address has at most ", " characters", "most-address"),
    ("a name has at most ", " characters", "most-name"),
    ("at most ", " characters", "most-characters"),
    ("at most ", " bytes", "most-bytes"),
    ("a file has at most ", " lines: import it in parts", "most-lines"),
];

/// The error of a mail, or the answer to an attempt; what a server answered as it is.
pub(super) fn error<'a>(shell: &Shell, error: &'a str) -> Cow<'a, str> {
    let Some((own, key)) = ERRORS.iter().find(|(own, _)| error.starts_with(*own)) else { return error.into() };
    let (words, rest) = (shell.t(key), &error[own.len()..]);
    match rest.strip_prefix(errors::LAST) {
        Some(answer) => {
            let answer = self::error(shell, answer).into_owned();
            shell.t("mail-error-last").with("error", words).with("answer", answer).to_string().into()
        }
        None => format!("{words}{rest}").into(),
    }
}

/// A detail in the page's language, if this room has words for it.
pub(super) fn detail(shell: &Shell, detail: &str) -> Option<String> {
    if shell.lang() == Lang::En {
        return None;
    }
    if let Some((_, key)) = DETAILS.iter().find(|(text, _)| *text == detail) {
        return Some(shell.t(format!("mail-said-{key}")).to_string());
    }
    if let Some(rest) = detail.strip_prefix("line ") {
        let (line, what) = rest.split_once(": ")?;
        let what = self::detail(shell, what).unwrap_or_else(|| what.to_owned());
        return Some(shell.t("mail-said-line").with("line", line).with("what", what).to_string());
    }
    if let Some(why) = detail.strip_prefix("receivers cannot read it: ") {
        return Some(format!("{}: {why}", shell.t("mail-said-dns-unreadable")));
    }
    LIMITS.iter().find_map(|(before, after, key)| {
        let number: u64 = detail.strip_prefix(before)?.strip_suffix(after)?.parse().ok()?;
        Some(shell.t(format!("mail-said-{key}")).with("n", number).to_string())
    })
}

/// The errors of a form in the page's language.
pub(super) fn form_errors(shell: &Shell, error: impl Into<ApiError>) -> Result<FormErrors, ApiError> {
    let mut error: ApiError = error.into();
    error.detail = detail(shell, &error.detail).unwrap_or(error.detail);
    for field in &mut error.errors {
        let words = detail(shell, &field.detail);
        if let Some(words) = words {
            field.detail = words;
        }
    }
    shell.form_errors(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text that was changed there would be shown in English again.
    #[test]
    fn what_has_words_here_is_still_said() {
        let sources = [
            include_str!("../address.rs"),
            include_str!("../dns/mod.rs"),
            include_str!("../dns/dkim.rs"),
            include_str!("../dns/dmarc.rs"),
            include_str!("../dns/spf.rs"),
            include_str!("../service/outbox.rs"),
            include_str!("../service/branding.rs"),
            include_str!("../service/import.rs"),
        ]
        .concat();
        for (text, _) in DETAILS.iter().filter(|(text, _)| !text.starts_with("at most ")) {
            assert!(sources.contains(text), "{text:?} is said nowhere any more");
        }
        assert_eq!(include_str!("../store/attempts.rs").matches(errors::CUT_OFF).count(), 2);
        assert!(include_str!("../store/attempts.rs").contains(&format!("'{}'", errors::LAST)));
    }

    /// As browsers ask for it.
    #[test]
    fn every_detail_has_words_in_both_languages() {
        for source in [include_str!("../locales/en.ftl"), include_str!("../locales/ru.ftl")] {
            let keys = DETAILS.iter().map(|(_, key)| *key).chain(LIMITS.iter().map(|(_, _, key)| *key));
            for key in keys {
                assert!(source.contains(&format!("\nmail-said-{key} =")), "{key}");
            }
            for (_, key) in ERRORS {
                assert!(source.contains(&format!("\n{key} =")), "{key}");
            }
        }
    }
}
