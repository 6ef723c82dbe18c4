//! Rejects elements with absurdly many attributes: the parser compares each attribute with all previous ones, which
//! takes minutes for a hundred thousand. They are counted before parsing.

pub(super) const MAX_ATTRIBUTES: usize = 500;

/// Elements whose content is not markup.
const RAW: [&str; 9] = ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "noscript"];

/// Whether no element has more than `MAX_ATTRIBUTES` attributes.
pub(super) fn within_limit(html: &str) -> bool {
    let bytes = html.as_bytes();
    let mut at = 0;
    while let Some(open) = find(bytes, at, b'<') {
        let rest = &html[open + 1..];
        at = if rest.starts_with("!--") {
            rest.find("-->").map_or(bytes.len(), |end| open + 1 + end)
        } else if rest.starts_with(['!', '?']) {
            find(bytes, open, b'>').unwrap_or(bytes.len())
        } else {
            let is_end = rest.starts_with('/');
            let name = &rest[usize::from(is_end)..];
            if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                at = open + 1;
                continue;
            }
            let length = name.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>')).unwrap_or(name.len());
            let name = &name[..length];
            let Some(end) = tag_end(bytes, open + 1 + usize::from(is_end) + length) else { return false };
            let raw = RAW.iter().find(|raw| !is_end && name.eq_ignore_ascii_case(raw));
            raw.map_or(end, |raw| raw_end(html, end, raw))
        };
    }
    true
}

fn find(bytes: &[u8], from: usize, wanted: u8) -> Option<usize> {
    bytes.get(from..)?.iter().position(|byte| *byte == wanted).map(|at| from + at)
}

/// The end of the tag whose attributes start at `at`; `None` if there are too many.
fn tag_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    let skip = |at: &mut usize, test: &dyn Fn(u8) -> bool| {
        while bytes.get(*at).is_some_and(|byte| test(*byte)) {
            *at += 1;
        }
    };
    for _ in 0..=MAX_ATTRIBUTES {
        skip(&mut at, &|byte| byte.is_ascii_whitespace() || byte == b'/');
        match bytes.get(at) {
            None => return Some(bytes.len()),
            Some(b'>') => return Some(at + 1),
            // A name may start with this character.
            Some(_) => at += 1,
        }
        skip(&mut at, &|byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'>' | b'='));
        skip(&mut at, &|byte| byte.is_ascii_whitespace());
        if bytes.get(at) != Some(&b'=') {
            continue;
        }
        at += 1;
        skip(&mut at, &|byte| byte.is_ascii_whitespace());
        match bytes.get(at) {
            Some(quote @ (b'"' | b'\'')) => at = find(bytes, at + 1, *quote).map_or(bytes.len(), |end| end + 1),
            _ => skip(&mut at, &|byte| !byte.is_ascii_whitespace() && byte != b'>'),
        }
    }
    None
}

fn raw_end(html: &str, from: usize, name: &str) -> usize {
    let rest = &html.as_bytes()[from..];
    let mut at = 0;
    while let Some(open) = find(rest, at, b'<') {
        let end = rest.get(open + 2..open + 2 + name.len());
        if rest.get(open + 1) == Some(&b'/') && end.is_some_and(|end| end.eq_ignore_ascii_case(name.as_bytes())) {
            return from + open;
        }
        at = open + 1;
    }
    html.len()
}
