//! What must be put right before the parser of HTML sees it: XHTML, whose empty elements it would leave open, and
//! pieces of tables, whose tags it would throw away.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Elements that never have content.
const VOID: &str = "area base br col embed hr img input link meta param source track wbr basefont bgsound frame keygen";
/// Elements that take everything up to their end tag as their own.
const RAW: [&str; 8] = ["script", "style", "title", "textarea", "iframe", "noscript", "xmp", "noframes"];

#[expect(clippy::expect_used, reason = "the patterns are constant, and each is used by a test")]
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
            // Once each: an entity of entities cannot grow without end.
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

/// Even in HTML `<script/>` means no script up to the end of the page, if no end tag follows.
fn unclosed(html: &str) -> Cow<'_, str> {
    // Where the last end tag of each begins.
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
    // SVG and MathML have rules of their own, which the parser knows.
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
