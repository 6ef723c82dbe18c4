//! Encoding labels as documents write them.

use encoding_rs::{Encoding, REPLACEMENT};

/// The encoding for a label; `None` if it is unknown or cannot be decoded.
pub(super) fn encoding(label: &[u8]) -> Option<&'static Encoding> {
    let known = Encoding::for_label(label).or_else(|| Encoding::for_label(usual(label)?.as_bytes()));
    known.filter(|encoding| *encoding != REPLACEMENT)
}

/// Maps labels used by mail programs and databases to the names of the Encoding Standard.
fn usual(label: &[u8]) -> Option<String> {
    let plain: String =
        label.iter().filter(|b| b.is_ascii_alphanumeric()).map(|b| char::from(b.to_ascii_lowercase())).collect();
    let page = ["windows", "win", "cp", "ms", "ibm"].iter().find_map(|word| plain.strip_prefix(word));
    if let Some(page) = page.filter(|page| (page.len() == 4 && page.starts_with("125")) || *page == "874") {
        return Some(format!("windows-{page}"));
    }
    let usual = match page.unwrap_or(&plain) {
        "936" | "euccn" | "gb23121980" => "gbk",
        "949" | "uhc" | "ksc5601" => "euc-kr",
        "932" | "31j" => "shift_jis",
        "950" => "big5",
        "866" => "ibm866",
        "macroman" | "applemacintosh" => "macintosh",
        "maccyrillic" | "xmacukraine" => "x-mac-cyrillic",
        "utf8mb4" | "utf8mb3" | "unicode11utf8" => "utf-8",
        "tis620" => "windows-874",
        other => other.strip_prefix("iso8859").and_then(|part| part.parse::<u8>().ok()).map(|_| "iso")?,
    };
    if usual == "iso" {
        return Some(format!("iso-8859-{}", &plain[7..]));
    }
    Some(usual.to_owned())
}
