//! Repairs before HTML parsing: XHTML, whose self-closed elements the parser would leave open, and table fragments,
//! whose tags it would drop.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Void elements.
const VOID: &str = "area base br col embed hr img input link meta param source track wbr basefont bgsound frame keygen";
/// Elements whose content is raw text up to their end tag.
const RAW: [&str; 8] = ["script", "style", "title", "textarea", "iframe", "noscript", "xmp", "noframes"];

#[expect(clippy::expect_used, reason = "constant patterns, each covered by a test")]
fn pattern(source: &str) -> Regex {
    Regex::new(source).expect("a valid pattern")
}

static EMPTY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"<([A-Za-z][A-Za-z0-9:_.-]*)((?:\s+(?:"[^"]*"|'[^']*'|[^<>"'/]|/[^>])*)?)\s*/>"#));
static CDATA: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?s)<!\[CDATA\[(.*?)\]\]>"));
static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"<!ENTITY\s+([A-Za-z][\w.-]{0,60})\s+(?:"([^"]{0,1000})"|'([^']{0,1000})')\s*>"#));
static SUBSET: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)(<!DOCTYPE[^\[>]{0,500})\[(.*?)\]\s*>"));
static PREFIX: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"xmlns:([A-Za-z][\w.-]{0,20})\s*=\s*["']http://www\.w3\.org/1999/xhtml["']"#));

pub(super) fn repair(html: &str) -> Cow<'_, str> {
    let mut html = if is_xhtml(html) { Cow::Owned(xhtml(html)) } else { unclosed(html) };
    if has_tag(&html, &["tr", "td", "th", "tbody", "thead", "tfoot"]) && !has_tag(&html, &["table"]) {
        html = Cow::Owned(format!("<table>{html}</table>"));
    }
    html
}

fn is_xhtml(html: &str) -> bool {
    let head = &html[..html.floor_char_boundary(2000)];
    let start = head.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    start.starts_with("<?xml") || head.contains("//DTD XHTML") || head.contains("http://www.w3.org/1999/xhtml")
}

fn xhtml(html: &str) -> String {
    let mut html = html.to_owned();
    if let Some(subset) = SUBSET.captures(&html) {
        let entities: Vec<(String, String)> = ENTITY
            .captures_iter(&subset[2])
            .take(100)
            .map(|e| (format!("&{};", &e[1]), e.get(2).or_else(|| e.get(3)).map_or("", |v| v.as_str()).to_owned()))
            .collect();
        let start = subset[1].to_owned();
        let mut body = SUBSET.replacen(&html, 1, |_: &Captures| format!("{start}>")).into_owned();
        for (name, value) in entities {
            // Expanded once each, so that nested entities cannot grow without bound.
            if body.matches(&name).count().saturating_mul(value.len()) < 10 << 20 {
                body = body.replace(&name, &value);
            }
        }
        html = body;
    }
    let prefix = PREFIX.captures(&html).map(|found| found[1].to_owned());
    if let Some(prefix) = prefix {
        html = html.replace(&format!("<{prefix}:"), "<").replace(&format!("</{prefix}:"), "</");
    }
    let escape = |found: &Captures| found[1].replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let html = CDATA.replace_all(&html, escape);
    EMPTY.replace_all(&html, |found: &Captures| close(found, |_| true)).into_owned()
}

/// In HTML, `<script/>` without an end tag would swallow the rest of the page; closes it explicitly.
fn unclosed(html: &str) -> Cow<'_, str> {
    // Position of the last end tag of each.
    let last: Vec<(&str, usize)> = RAW.iter().filter_map(|raw| Some((*raw, last_end_tag(html, raw)?))).collect();
    EMPTY.replace_all(html, |found: &Captures| {
        let after = found.get(0).map_or(html.len(), |m| m.end());
        close(found, |name| {
            let is = |raw: &str| name.eq_ignore_ascii_case(raw);
            RAW.iter().any(|raw| is(raw)) && !last.iter().any(|(raw, at)| is(raw) && *at >= after)
        })
    })
}

fn close(found: &Captures, wanted: impl Fn(&str) -> bool) -> String {
    let name = &found[1];
    let is_void = VOID.split(' ').any(|void| name.eq_ignore_ascii_case(void));
    // The parser handles self-closing in SVG and MathML itself.
    if is_void || !wanted(name) { found[0].to_owned() } else { format!("<{name}{}></{name}>", &found[2]) }
}

fn last_end_tag(html: &str, name: &str) -> Option<usize> {
    let is_it = |at: &usize| html[at + 2..].get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
    html.rmatch_indices("</").map(|(at, _)| at).find(is_it)
}

fn has_tag(html: &str, names: &[&str]) -> bool {
    html.match_indices('<').any(|(at, _)| {
        let rest = &html[at + 1..];
        names.iter().any(|name| {
            rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
                && rest[name.len()..].starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
        })
    })
}
