//! Incidents: on the first page, on pages of their own, and twelve months of them.

use std::fmt::Write as _;

use askama::Template;
use chrono::{DateTime, Datelike as _, Months, SecondsFormat, Utc};

use super::{Frame, MOST_UPDATES, incident_status, isolated, with_names};
use crate::{
    model::Set,
    page::{PageModel, is_maintenance},
    words::Words,
};
use console::escape;
use incidents::{IncidentKind, IncidentView};

/// Incidents with a page of their own, besides those that are open.
const MOST_INCIDENTS: usize = 50;
const MONTHS: u32 = 12;

/// An incident with its newest updates. `level`: of its heading, one below what it stands under.
pub(super) fn incident_html(frame: &Frame<'_>, view: &IncidentView, most: usize, level: u8) -> String {
    let (words, of) = (frame.words, &view.incident);
    let class = match of.impact {
        _ if of.kind == IncidentKind::Maintenance => "u",
        incidents::Impact::Critical => "m",
        incidents::Impact::Major => "p",
        incidents::Impact::Minor => "d",
        incidents::Impact::Maintenance | incidents::Impact::None => "soft",
    };
    let href = frame.path(&format!("/incident/{}", of.code));
    let (address, name, below) = (escape(&href), isolated(&of.name), level + 1);
    let mut out = format!("<article class={class}><h{level}><a href=\"{address}\">{name}</a></h{level}>");
    if let (Some(from), Some(until)) = (of.scheduled_for, of.scheduled_until) {
        let _ = write!(out, "<p>{} – {}</p>", time(frame, from), time(frame, until));
    }
    let affected: Vec<String> = view
        .components
        .iter()
        .filter_map(|(id, _)| frame.model.component(*id))
        .map(|shown| isolated(&shown.name))
        .collect();
    if !affected.is_empty() {
        let text = with_names(words, "status-page-affected", "names", &affected.join(", "));
        let _ = write!(out, "<p class=soft>{text}</p>");
    }
    for update in view.updates.iter().take(most) {
        let status = escape(&incident_status(update.status, words));
        let (at, body) = (time(frame, update.display_at), text(&update.body, below));
        let _ = write!(out, "<p><strong>{status}</strong> {at}</p>{body}");
    }
    if view.updates.len() > most {
        let all = escape(&words.t("status-page-all-updates"));
        let _ = write!(out, "<p><a href=\"{address}\">{all}</a></p>");
    }
    if most > MOST_UPDATES
        && let Some(postmortem) = of.postmortem.as_ref().filter(|_| of.postmortem_published_at.is_some())
    {
        let title = escape(&words.t("status-page-postmortem"));
        let _ = write!(out, "<h{below}>{title}</h{below}>{}", text(postmortem, below + 1));
    }
    out.push_str("</article>");
    out
}

/// Markdown as HTML; HTML in it is text. Its headings have this level, below those of the page, and links are nobody's recommendation.
pub fn text(markdown: &str, level: u8) -> String {
    let html = (1..=6).fold(console::markdown(markdown), |html, theirs| {
        html.replace(&format!("<h{theirs}>"), &format!("<h{level}>"))
            .replace(&format!("</h{theirs}>"), &format!("</h{level}>"))
    });
    html.replace("<a href=", "<a rel=\"nofollow noopener\" href=")
}

fn time(frame: &Frame<'_>, at: DateTime<Utc>) -> String {
    let (machine, text) = (at.to_rfc3339_opts(SecondsFormat::Secs, true), frame.words.time(at, frame.model.zone));
    format!("<time datetime=\"{machine}\">{text}</time>")
}

#[derive(Template)]
#[template(path = "status_page/templates/incident.html")]
struct IncidentPage<'a> {
    frame: Frame<'a>,
    body: String,
}

/// The page of an incident with everything that was said of it.
pub fn incident(
    model: &PageModel,
    view: &IncidentView,
    words: &Words,
    as_of: DateTime<Utc>,
    set: Set,
) -> askama::Result<String> {
    let here = format!("/incident/{}", view.incident.code);
    let frame = Frame::new(model, words, as_of, set, &here).titled(&view.incident.name);
    let body = incident_html(&frame, view, usize::MAX, 2);
    IncidentPage { frame, body }.render()
}

/// Incidents that have a page: those that are open, and the newest others.
pub fn with_pages(model: &PageModel) -> Vec<&IncidentView> {
    let mut others = 0;
    let all = model.incidents.iter().filter(|view| {
        others += usize::from(view.incident.status.is_over());
        !view.incident.status.is_over() || others <= MOST_INCIDENTS
    });
    all.collect()
}

struct HistoryLine {
    /// `None`: it is too old for a page of its own.
    href: Option<String>,
    name: String,
    status: String,
    machine: String,
    time: String,
}

#[derive(Template)]
#[template(path = "status_page/templates/history.html")]
struct History<'a> {
    frame: Frame<'a>,
    months: Vec<(String, Vec<HistoryLine>)>,
}

/// Twelve months of incidents and maintenance, the newest first.
pub fn history(model: &PageModel, words: &Words, as_of: DateTime<Utc>, set: Set) -> askama::Result<String> {
    let frame = Frame::new(model, words, as_of, set, "/history").titled(&words.t("status-page-history"));
    let paged: Vec<_> = with_pages(model).into_iter().map(|view| view.incident.id).collect();
    let today = as_of.with_timezone(&model.zone).date_naive();
    let months = (0..MONTHS).filter_map(|back| today.checked_sub_months(Months::new(back))).map(|month| {
        let lines = model.incidents.iter().filter(|view| {
            let at = begin(view).with_timezone(&model.zone);
            (at.year(), at.month()) == (month.year(), month.month())
        });
        let lines = lines.map(|view| {
            let (of, at) = (&view.incident, begin(view));
            let href = paged.contains(&of.id).then(|| frame.path(&format!("/incident/{}", of.code)));
            HistoryLine {
                href,
                name: of.name.clone(),
                status: incident_status(of.status, words),
                machine: at.to_rfc3339_opts(SecondsFormat::Secs, true),
                time: words.time(at, model.zone),
            }
        });
        (month.format("%Y-%m").to_string(), lines.collect())
    });
    let months = months.collect();
    History { frame, months }.render()
}

/// When it began, or is to begin.
fn begin(view: &IncidentView) -> DateTime<Utc> {
    let of = &view.incident;
    of.scheduled_for.filter(|_| is_maintenance(of.status)).unwrap_or(of.started_at)
}
