//! Names of IMAP folders as they are sent: in modified UTF-7 (RFC 3501 section 5.1.3).

use base64::{
    Engine as _,
    alphabet::IMAP_MUTF7,
    engine::general_purpose::{GeneralPurpose, NO_PAD},
};

/// A name as it is sent: ASCII as it is, everything else as UTF-16 in base64.
pub(super) fn encode(name: &str) -> String {
    let base64 = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);
    let is_plain = |c: char| matches!(c, ' '..='~');
    let (mut encoded, mut rest) = (String::with_capacity(name.len()), name);
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_plain(c) != is_plain(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if is_plain(first) {
            encoded.push_str(&run.replace('&', "&-"));
        } else {
            let utf16: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.extend(["&", base64.encode(utf16).as_str(), "-"]);
        }
        rest = after;
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_as_the_standard_says() {
        for (name, sent) in [
            ("INBOX", "INBOX"),
            ("", ""),
            ("Q&A \"x\"", "Q&-A \"x\""),
            ("Отчёты & \"x\"", "&BB4EQgRHBFEEQgRL- &- \"x\""),
            // The example of RFC 3501.
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("😀", "&2D3eAA-"),
        ] {
            assert_eq!(encode(name), sent, "{name}");
        }
    }
}
