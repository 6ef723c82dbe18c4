//! Maintenance as a calendar (RFC 5545). Times are in UTC, so no description of a zone is needed. Pure.

use chrono::{DateTime, Utc};

use super::page::PageModel;
use incidents::{IncidentKind, IncidentStatus, IncidentView};

/// Octets of a line before it is folded (section 3.1).
const LONGEST: usize = 75;

/// The calendar of a page: announced maintenance. Windows of monitors are not in it: nobody has published them, and their names are for those within.
pub fn calendar(model: &PageModel) -> String {
    let mut out = Lines::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line("PRODID:-//Holdfast//Status page//EN");
    out.line("CALSCALE:GREGORIAN");
    out.line("METHOD:PUBLISH");
    out.line(&format!("X-WR-CALNAME:{}", escape(&model.page.name)));
    out.line("REFRESH-INTERVAL;VALUE=DURATION:PT1H");
    for view in model.incidents_of(IncidentKind::Maintenance) {
        announced(&mut out, model, view);
    }
    out.line("END:VCALENDAR");
    out.0
}

fn announced(out: &mut Lines, model: &PageModel, view: &IncidentView) {
    let of = &view.incident;
    let (Some(from), Some(until)) = (of.scheduled_for, of.scheduled_until) else { return };
    out.line("BEGIN:VEVENT");
    out.line(&format!("UID:{}@{}", of.code, model.page.code));
    out.line(&format!("DTSTAMP:{}", stamp(of.updated_at)));
    out.line(&format!("LAST-MODIFIED:{}", stamp(of.updated_at)));
    out.line(&format!("SEQUENCE:{}", of.version));
    out.line(&format!("DTSTART:{}", stamp(from)));
    out.line(&format!("DTEND:{}", stamp(until)));
    out.line(&format!("SUMMARY:{}", escape(&of.name)));
    // Called off before it began: nothing was done.
    let is_cancelled = of.status == IncidentStatus::Completed && of.resolved_at.is_some_and(|end| end < from);
    out.line(if is_cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    if let Some(newest) = view.updates.first() {
        out.line(&format!("DESCRIPTION:{}", escape(&super::statuspage::plain(&newest.body))));
    }
    out.line(&format!("URL:{}/incident/{}", model.url, of.code));
    out.line("END:VEVENT");
}

fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Text of a property (section 3.3.11).
fn escape(text: &str) -> String {
    let text: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Folds it: each further line begins with a space, and no character is cut.
    fn line(&mut self, line: &str) {
        let mut length = 0;
        for c in line.chars() {
            if length + c.len_utf8() > LONGEST {
                self.0.push_str("\r\n ");
                length = 1;
            }
            self.0.push(c);
            length += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_folded_at_whole_characters() {
        let mut lines = Lines::default();
        lines.line(&format!("SUMMARY:{}", "Ж".repeat(100)));
        let all: Vec<&str> = lines.0.trim_end().split("\r\n").collect();
        assert!(all.len() > 2 && all.iter().all(|line| line.len() <= LONGEST), "{all:?}");
        assert!(all.iter().skip(1).all(|line| line.starts_with(' ')));
        let whole: String = lines.0.replace("\r\n ", "");
        assert_eq!(whole, format!("SUMMARY:{}\r\n", "Ж".repeat(100)));
    }

    #[test]
    fn texts_cannot_make_lines_of_their_own() {
        assert_eq!(escape("a;b,c\\d\r\nEND:VEVENT"), "a\\;b\\,c\\\\d\\nEND:VEVENT");
    }
}
