//! E-mail addresses: the normal form in which they are stored and compared, and their validation.
//!
//! Chrome sends an address's domain as `xn--...`, other browsers and the command line as typed; addresses copied from a
//! web page may contain invisible characters. Neither may create a second account for a person or keep them from
//! signing in.

use unicode_normalization::UnicodeNormalization as _;

use platform::names::{is_invisible, turns_direction};

/// The normal form: lower case, NFC, without surrounding space or invisible characters, the domain as people read it
/// instead of `xn--...`.
pub fn normal_email(email: &str) -> String {
    let email: String = email.trim_matches(|c| is_invisible(c) || turns_direction(c)).nfc().collect();
    let email = email.to_lowercase();
    match email.rsplit_once('@') {
        Some((name, host)) => match idna::domain_to_unicode(host) {
            (host, Ok(())) => format!("{name}@{host}"),
            (_, Err(_)) => email,
        },
        None => email,
    }
}

/// Forms in which `email` may be stored, as typed first: earlier versions stored it unchanged. Whoever has an account
/// of exactly this spelling must not get another person's.
pub fn spellings(email: &str) -> Vec<String> {
    let normal = normal_email(email);
    let ascii =
        normal.rsplit_once('@').and_then(|(name, host)| Some(format!("{name}@{}", idna::domain_to_ascii(host).ok()?)));
    let mut spellings = vec![email.trim().to_lowercase()];
    for other in [Some(normal), ascii].into_iter().flatten() {
        if !spellings.contains(&other) {
            spellings.push(other);
        }
    }
    // PostgreSQL stores no NUL, and longer addresses are never stored.
    spellings.retain(|email| email.len() <= LONGEST && !email.contains('\0'));
    spellings
}

/// RFC 5321, without the angle brackets.
const LONGEST: usize = 254;
const LONGEST_NAME: usize = 64;

/// Validates an address in normal form. Whether it exists only mail can tell; this refuses impossible ones.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    const NO_ADDRESS: &str = "not an e-mail address";
    if email.chars().any(|c| (is_invisible(c) && !c.is_whitespace()) || turns_direction(c)) {
        return Err("it contains an invisible character: type it instead of pasting it");
    }
    let Some((name, host)) = email.split_once('@') else { return Err(NO_ADDRESS) };
    let in_name =
        |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || (!c.is_ascii() && !c.is_control());
    let fine = email.len() <= LONGEST
        && name.len() <= LONGEST_NAME
        && !email.chars().any(char::is_whitespace)
        && name.chars().all(in_name)
        && !name.split('.').any(str::is_empty)
        && idna::domain_to_ascii_strict(host).is_ok();
    if fine { Ok(()) } else { Err(NO_ADDRESS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        for (typed, stored) in [
            (" Ada@Example.COM\n", "ada@example.com"),
            ("\u{feff}ada@example.com\u{200b}", "ada@example.com"),
            ("\u{202a}ada@example.com\u{202c}", "ada@example.com"),
            ("имя@xn--e1afmkfd.xn--p1ai", "имя@пример.рф"),
            ("ИМЯ@ПРИМЕР.РФ", "имя@пример.рф"),
            ("a@ｅｘａｍｐｌｅ．ｃｏｍ", "a@example.com"),
            ("a@bu\u{308}cher.example", "a@bücher.example"),
            ("e\u{301}va@example.com", "éva@example.com"),
            ("a+tag@example.com", "a+tag@example.com"),
        ] {
            let normal = normal_email(typed);
            assert_eq!((normal.as_str(), check_email(&normal)), (stored, Ok(())), "{typed:?}");
        }
    }

    #[test]
    fn what_earlier_versions_stored_is_found() {
        assert_eq!(spellings("имя@xn--e1afmkfd.xn--p1ai"), ["имя@xn--e1afmkfd.xn--p1ai", "имя@пример.рф"]);
        assert_eq!(spellings("Имя@пример.рф"), ["имя@пример.рф", "имя@xn--e1afmkfd.xn--p1ai"]);
        assert_eq!(spellings("a..b@example.com"), ["a..b@example.com"], "refused today, but not locked out");
        assert_eq!(spellings("ada@example.com"), ["ada@example.com"]);
        assert!(spellings("a\0@example.com").is_empty() && spellings(&"a".repeat(300)).is_empty());
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for good in
            ["a@b", "admin@localhost", "o'neil@example.com", "имя@пример.рф", "a_b-c@mail-1.example", "я@example.com"]
        {
            assert_eq!(check_email(&normal_email(good)), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@b@c",
            "a@.b",
            "a@b.",
            "a\0@b",
            "a@x..de",
            "a..b@x.de",
            ".a@x.de",
            "a.@x.de",
            "a@-x.de",
            "a@x-.de",
            "a@x_y.de",
            "<a@x.de>",
            "a,b@x.de",
            "\"a b\"@x.de",
            "a@[127.0.0.1]",
            "a@x.de,b@x.de",
            "a@x/y",
        ] {
            assert!(check_email(&normal_email(bad)).is_err(), "{bad:?}");
        }
        let long = |name: usize, host: usize| format!("{}@{}.de", "a".repeat(name), "b".repeat(host));
        assert!(check_email(&long(64, 63)).is_ok());
        assert!(check_email(&long(65, 63)).is_err() && check_email(&long(64, 64)).is_err());
        for hidden in ["a\u{200b}b@x.de", "a\u{ad}b@x.de", "a\u{2060}b@x.de", "a\u{202e}b@x.de", "a\u{200d}b@x.de"] {
            let said = check_email(&normal_email(hidden));
            assert!(said.is_err_and(|said| said.contains("invisible character")), "{hidden:?}");
        }
        // The rules for domains remove it.
        assert_eq!(normal_email("a@x\u{ad}y.de"), "a@xy.de");
    }
}
