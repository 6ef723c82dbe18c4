//! Atom (RFC 4287) and RSS 2.0 of incidents and maintenance. Ids never change, whatever address the page has.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use super::{incident_status, text};
use crate::{page::PageModel, words::Words};
use console::escape;
use incidents::IncidentView;

/// Entries of a feed.
const MOST: usize = 25;

/// When it was changed last, as far as readers see it.
fn changed(view: &IncidentView) -> DateTime<Utc> {
    let newest = view.updates.iter().map(|update| update.display_at).max();
    newest.max(view.incident.resolved_at).unwrap_or(view.incident.started_at)
}

/// Without control characters and the two others that XML has no way to write (XML 1.0, section 2.2).
fn xml(value: &str) -> String {
    let is_char = |c: &char| (!c.is_control() || matches!(c, '\n' | '\t')) && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
    let clean: String = value.chars().filter(is_char).collect();
    escape(&clean)
}

fn content(view: &IncidentView, words: &Words) -> String {
    let mut out = String::new();
    for update in &view.updates {
        let at = update.display_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let status = escape(&incident_status(update.status, words));
        let _ = write!(out, "<p><strong>{status}</strong> {at}</p>{}", text(&update.body, 4));
    }
    out
}

fn newest(model: &PageModel) -> impl Iterator<Item = &IncidentView> {
    model.incidents.iter().take(MOST)
}

/// The id of an entry, made of what never changes.
fn tag(model: &PageModel, view: &IncidentView) -> String {
    let day = view.incident.created_at.format("%Y-%m-%d");
    format!("tag:status.holdfast,{day}:{}/{}", model.page.code, view.incident.code)
}

pub fn atom(model: &PageModel, as_of: DateTime<Utc>, words: &Words) -> String {
    let (name, url) = (xml(&model.page.name), xml(&model.url));
    let updated = newest(model).map(changed).max().unwrap_or(model.page.created_at).min(as_of);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>{name}</title>\
         <id>tag:status.holdfast,{}:{}</id><updated>{}</updated><link rel=\"alternate\" type=\"text/html\" href=\"{url}\"/>\
         <link rel=\"self\" type=\"application/atom+xml\" href=\"{url}/history.atom\"/><author><name>{name}</name></author>",
        model.page.created_at.format("%Y-%m-%d"),
        model.page.code,
        updated.to_rfc3339_opts(SecondsFormat::Secs, true),
    );
    for view in newest(model) {
        let of = &view.incident;
        let _ = write!(
            out,
            "<entry><id>{}</id><title>{}</title><published>{}</published><updated>{}</updated>\
             <link rel=\"alternate\" type=\"text/html\" href=\"{url}/incident/{}\"/><content type=\"html\">{}</content></entry>",
            tag(model, view),
            xml(&of.name),
            of.started_at.to_rfc3339_opts(SecondsFormat::Secs, true),
            changed(view).to_rfc3339_opts(SecondsFormat::Secs, true),
            of.code,
            xml(&content(view, words)),
        );
    }
    out.push_str("</feed>\n");
    out
}

pub fn rss(model: &PageModel, words: &Words) -> String {
    let (name, url) = (xml(&model.page.name), xml(&model.url));
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:atom=\"http://www.w3.org/2005/Atom\"><channel>\
         <title>{name}</title><link>{url}</link><description>{name}</description>\
         <atom:link rel=\"self\" type=\"application/rss+xml\" href=\"{url}/history.rss\"/>"
    );
    for view in newest(model) {
        let of = &view.incident;
        let _ = write!(
            out,
            "<item><guid isPermaLink=\"false\">{}</guid><title>{}</title><link>{url}/incident/{}</link><pubDate>{}</pubDate>\
             <description>{}</description></item>",
            tag(model, view),
            xml(&of.name),
            of.code,
            changed(view).to_rfc2822(),
            xml(&content(view, words)),
        );
    }
    out.push_str("</channel></rss>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::xml;

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        assert_eq!(xml("a\u{FFFE}b\u{FFFF}c\u{1}d\n<e>"), "abcd\n&lt;e&gt;");
    }
}
