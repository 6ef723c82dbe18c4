//! Link destinations, written after the link text so that they can be searched.

/// Longer destinations are cut: they are data, not an address.
const LONGEST_DESTINATION: usize = 2000;

/// The destination to show after `text`; empty if the text already contains it, or if it is not an address.
pub(super) fn address(destination: &str, text: &str) -> String {
    let plain = destination.strip_prefix("mailto:").or_else(|| destination.strip_prefix("tel:")).unwrap_or(destination);
    let is = |scheme: &str| destination.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let says_it = plain == text
        || plain.trim_end_matches('/') == text
        || plain.strip_prefix('#').is_some_and(|anchor| letters(anchor) == letters(text));
    if is("data:") || is("javascript:") || is("about:") || is("blob:") || says_it || plain == "#" {
        return String::new();
    }
    plain.chars().take(LONGEST_DESTINATION).collect()
}

/// Like `address`, for web pages and office documents: leaves out anchors within the document, and paths on the same
/// site that end in the words of the text (`/wiki/New_York`).
pub(super) fn address_elsewhere(destination: &str, text: &str) -> String {
    let destination = destination.trim();
    let text = text.trim();
    if destination.starts_with('#') || is_same_without_scheme(destination, text) {
        return String::new();
    }
    if !destination.contains(':') && !destination.starts_with("//") {
        let path = destination.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
        let last = path.rsplit('/').next().unwrap_or_default();
        let stem = [".html", ".htm", ".php"].iter().find_map(|ending| last.strip_suffix(ending)).unwrap_or(last);
        let stem = percent_encoding::percent_decode_str(stem).decode_utf8_lossy();
        if letters(text).contains(&letters(&stem)) {
            return String::new();
        }
    }
    address(destination, text)
}

fn is_same_without_scheme(destination: &str, text: &str) -> bool {
    let plain = |s: &str| {
        let s = s.trim_end_matches('/').to_lowercase();
        let s = s.strip_prefix("https://").or_else(|| s.strip_prefix("http://")).unwrap_or(&s).to_owned();
        s.strip_prefix("www.").unwrap_or(&s).to_owned()
    };
    plain(destination) == plain(text)
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
