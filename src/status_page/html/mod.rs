//! Public pages as HTML: one style element, no script, at most 50 KB.

pub mod bars;
mod chart;
pub mod feed;
pub mod styles;
mod timeline;

use std::{borrow::Borrow, fmt::Write as _};

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    model::{PageGroup, Set},
    page::{PageModel, Proof, Shown},
    words::Words,
};
use console::{Lang, escape};
use incidents::{ComponentStatus, IncidentStatus, IncidentView};
use timeline::incident_html;
pub use timeline::{history, incident, text, with_pages};

/// Components on the first page. Further groups are pages of their own.
pub const MOST_COMPONENTS: usize = 100;
/// Incidents of how many days the first page shows, besides those that are open.
const RECENT: TimeDelta = TimeDelta::days(7);
/// And how many.
const MOST_RECENT: usize = 10;
/// Updates of an incident on the first page.
const MOST_UPDATES: usize = 3;

/// What all pages have.
pub struct Frame<'a> {
    pub model: &'a PageModel,
    pub words: &'a Words,
    pub title: String,
    /// The style element.
    pub style: String,
    pub as_of: DateTime<Utc>,
    pub set: Set,
    /// Path of this page below the root, such as `/history`; empty: the first page.
    pub here: String,
    /// Its reader may open the page's other parts.
    pub has_links: bool,
}

impl<'a> Frame<'a> {
    pub fn new(model: &'a PageModel, words: &'a Words, as_of: DateTime<Utc>, set: Set, here: &str) -> Self {
        // The closing tag cannot stand in it: the accent is checked.
        let style = format!("<style>{}</style>", styles::css(&model.page.theme));
        Self { model, words, title: model.page.name.clone(), style, as_of, set, here: here.to_owned(), has_links: true }
    }

    fn titled(mut self, title: &str) -> Self {
        self.title = format!("{title} · {}", self.model.page.name);
        self
    }

    fn name(&self) -> &str {
        &self.model.page.name
    }

    fn root(&self) -> &str {
        &self.model.root
    }

    /// A page in this language. The address names it: who has chosen one wants it whatever the browser says.
    fn path(&self, below: &str) -> String {
        format!("{}/{}{below}", self.root(), self.words.lang.code())
    }

    fn other_languages(&self) -> Vec<Lang> {
        let all = self.model.page.languages.iter().filter_map(|code| Lang::from_code(code));
        all.filter(|lang| *lang != self.words.lang).collect()
    }

    /// This page in another language.
    fn in_language(&self, lang: impl Borrow<Lang>) -> String {
        format!("{}/{}{}", self.root(), lang.borrow().code(), self.here)
    }

    fn logo(&self) -> Option<String> {
        let logo = self.model.logo.as_ref()?;
        Some(format!("{}/logo?v={}", self.root(), logo.digest))
    }

    fn home(&self) -> Option<&str> {
        self.model.page.home_url.as_deref()
    }

    fn contact(&self) -> Option<&str> {
        self.model.page.contact_url.as_deref()
    }

    fn is_restricted(&self) -> bool {
        let page = &self.model.page;
        page.has_password || !page.networks.is_empty() || page.visibility != crate::Visibility::Public
    }

    fn stale(&self) -> Option<String> {
        let since = || self.words.time(self.as_of, self.model.zone);
        match self.set {
            Set::Stale => Some(self.words.with("status-page-stale", "since", &since())),
            Set::Current if self.as_of - self.model.read_at > TimeDelta::minutes(2) => {
                let read = self.words.time(self.model.read_at, self.model.zone);
                Some(self.words.with("status-page-history-of", "since", &read))
            }
            Set::Current => None,
        }
    }

    fn as_of(&self) -> String {
        self.words.with("status-page-as-of", "time", &self.words.time(self.as_of, self.model.zone))
    }
}

/// Class and badge of a status.
pub fn tone(status: ComponentStatus) -> &'static str {
    match status {
        ComponentStatus::Operational => "o",
        ComponentStatus::UnderMaintenance => "u",
        ComponentStatus::DegradedPerformance => "d",
        ComponentStatus::PartialOutage => "p",
        ComponentStatus::MajorOutage => "m",
    }
}

/// A sign of its own for each status, because not everybody sees colours.
pub fn sign(status: ComponentStatus) -> &'static str {
    match status {
        ComponentStatus::Operational => "✓",
        ComponentStatus::UnderMaintenance => "⚒",
        ComponentStatus::DegradedPerformance => "▾",
        ComponentStatus::PartialOutage => "▲",
        ComponentStatus::MajorOutage => "✕",
    }
}

pub fn status(status: ComponentStatus, words: &Words) -> String {
    words.t(match status {
        ComponentStatus::Operational => "status-page-operational",
        ComponentStatus::UnderMaintenance => "status-page-maintenance",
        ComponentStatus::DegradedPerformance => "status-page-degraded",
        ComponentStatus::PartialOutage => "status-page-partial",
        ComponentStatus::MajorOutage => "status-page-major",
    })
}

pub fn incident_status(status: IncidentStatus, words: &Words) -> String {
    words.t(match status {
        IncidentStatus::Investigating => "status-page-investigating",
        IncidentStatus::Identified => "status-page-identified",
        IncidentStatus::Monitoring => "status-page-monitoring",
        IncidentStatus::Resolved => "status-page-resolved",
        IncidentStatus::Postmortem => "status-page-postmortem",
        IncidentStatus::Scheduled => "status-page-scheduled",
        IncidentStatus::InProgress => "status-page-in-progress",
        IncidentStatus::Verifying => "status-page-verifying",
        IncidentStatus::Completed => "status-page-completed",
    })
}

/// A name that people have given: whichever way its letters run, what stands beside it stays where it is.
fn isolated(name: &str) -> String {
    format!("<bdi>{}</bdi>", escape(name))
}

/// A message as HTML with names in it, which are HTML already.
fn with_names(words: &Words, key: &str, argument: &'static str, names: &str) -> String {
    // No message has this character: it keeps their place while the message is escaped.
    escape(&words.with(key, argument, "\u{FFFC}")).replace('\u{FFFC}', names)
}

/// Components under one heading.
struct Section {
    /// Empty: those of no group.
    name: String,
    is_open: bool,
    status: ComponentStatus,
    rows: Vec<String>,
}

impl Section {
    fn tone(&self) -> &'static str {
        tone(self.status)
    }

    fn sign(&self) -> &'static str {
        sign(self.status)
    }
}

struct ChartView {
    /// HTML.
    title: String,
    svg: String,
    rows: Vec<(String, String, String)>,
}

/// The first page, or one of a group.
#[derive(Template)]
#[template(path = "status_page/templates/index.html")]
struct Index<'a> {
    frame: Frame<'a>,
    /// Name of the group, where it is a page of its own.
    group: Option<String>,
    sections: Vec<Section>,
    /// Pages of groups that have no room here: address, and words as HTML.
    further: Vec<(String, String)>,
    charts: Vec<ChartView>,
    recent: Vec<&'a IncidentView>,
    symbol: &'static str,
}

impl Index<'_> {
    fn headline(&self) -> String {
        self.frame.words.t(self.frame.model.overall().key)
    }

    fn tone_of_all(&self) -> &'static str {
        tone(self.frame.model.overall().indicator.tone())
    }

    fn sign_of_all(&self) -> &'static str {
        sign(self.frame.model.overall().indicator.tone())
    }

    fn status(&self, of: impl Borrow<ComponentStatus>) -> String {
        status(*of.borrow(), self.frame.words)
    }

    fn incident(&self, view: &IncidentView) -> String {
        incident_html(&self.frame, view, MOST_UPDATES, 3)
    }

    /// It stands below the name of the page, without a heading between.
    fn open_incident(&self, view: &IncidentView) -> String {
        incident_html(&self.frame, view, MOST_UPDATES, 2)
    }

    fn maintenances(&self) -> Vec<&IncidentView> {
        self.frame.model.maintenances()
    }

    fn days(&self) -> String {
        self.frame.words.tn("status-page-days", bars::days())
    }
}

/// The first page.
pub fn index(model: &PageModel, words: &Words, as_of: DateTime<Utc>, set: Set) -> askama::Result<String> {
    let frame = Frame::new(model, words, as_of, set, "");
    let (here, elsewhere) = split_groups(model);
    let mut sections: Vec<Section> = here.into_iter().map(|group| section(&frame, Some(group))).collect();
    sections.push(section(&frame, None));
    sections.retain(|section| !section.rows.is_empty());
    let further = elsewhere.into_iter().map(|group| {
        let text = with_names(words, "status-page-group", "name", &isolated(&group.name));
        (frame.path(&format!("/group/{}", group.code)), text)
    });
    let further = further.collect();
    let charts = model.charts.iter().filter_map(|chart| {
        let label = words.with("status-page-chart-label", "name", &chart.name);
        let svg = chart::svg(chart, &label);
        let rows = chart::rows(chart)
            .into_iter()
            .map(|(point, median, high)| (words.time(point.at, model.zone), median, high));
        let title = with_names(words, "status-page-chart", "name", &isolated(&chart.name));
        (!svg.is_empty()).then(|| ChartView { title, svg, rows: rows.collect() })
    });
    let charts = charts.collect();
    let recent = model.incidents.iter().filter(|view| {
        let of = &view.incident;
        of.status.is_over() && of.resolved_at.is_some_and(|end| as_of - end < RECENT)
    });
    let recent = recent.take(MOST_RECENT).collect();
    Index { frame, group: None, sections, further, charts, recent, symbol: bars::SYMBOL }.render()
}

/// Groups on the first page, and those that have pages of their own.
pub fn split_groups(model: &PageModel) -> (Vec<&PageGroup>, Vec<&PageGroup>) {
    let mut room = MOST_COMPONENTS.saturating_sub(model.of_group(None).count());
    let (mut here, mut elsewhere) = (Vec::new(), Vec::new());
    for group in &model.page.groups {
        let size = model.of_group(Some(group.id)).count();
        // Once one has no room, none after it has: their order stays.
        if elsewhere.is_empty() && size <= room {
            room -= size;
            here.push(group);
        } else {
            elsewhere.push(group);
        }
    }
    (here, elsewhere)
}

/// The page of a group that has no room on the first one.
pub fn group(
    model: &PageModel,
    group: &PageGroup,
    words: &Words,
    as_of: DateTime<Utc>,
    set: Set,
) -> askama::Result<String> {
    let frame = Frame::new(model, words, as_of, set, &format!("/group/{}", group.code)).titled(&group.name);
    let section = Section { name: String::new(), ..section(&frame, Some(group)) };
    let (further, charts, recent) = (Vec::new(), Vec::new(), Vec::new());
    Index {
        frame,
        group: Some(group.name.clone()),
        sections: vec![section],
        further,
        charts,
        recent,
        symbol: bars::SYMBOL,
    }
    .render()
}

fn section(frame: &Frame<'_>, group: Option<&PageGroup>) -> Section {
    let id = group.map(|group| group.id);
    let visible = frame
        .model
        .of_group(id)
        .filter(|shown| !shown.only_show_if_degraded || shown.status != ComponentStatus::Operational);
    let status = frame.model.worst_of(id);
    Section {
        name: group.map(|group| group.name.clone()).unwrap_or_default(),
        // Trouble is always in sight.
        is_open: group.is_none_or(|group| group.open) || status != ComponentStatus::Operational,
        status,
        rows: visible.map(|shown| row(frame, shown)).collect(),
    }
}

/// A component. Written by hand, because a hundred of them make up the page.
fn row(frame: &Frame<'_>, shown: &Shown) -> String {
    let words = frame.words;
    let (name, class, sign, status) =
        (isolated(&shown.name), tone(shown.status), sign(shown.status), status(shown.status, words));
    let mut out = if shown.showcase {
        let bar = bars::bar(shown, frame.model.zone, frame.as_of, words);
        let mut text = bar.share;
        if !bar.trouble.is_empty() {
            let _ = write!(text, "; {}", bar.trouble);
        }
        let bar = bar.svg;
        if text.is_empty() {
            format!("{name} <b class={class}>{sign} {status}</b>{bar}")
        } else {
            format!("<details><summary>{name} <b class={class}>{sign} {status}</b>{bar}</summary>{text}</details>")
        }
    } else {
        format!("{name} <b class={class}>{sign} {status}</b>")
    };
    let proof = shown.proof.map(|proof| match proof {
        Proof::On(day) => words.with("status-page-restore-proven", "date", &words.day(day)),
        Proof::NotYet => words.t("status-page-restore-unproven"),
    });
    for text in proof.iter().chain(Some(&shown.description).filter(|text| !text.is_empty())) {
        let _ = write!(out, "<div class=soft>{}</div>", escape(text));
    }
    out
}

/// A form on a page that says something.
pub struct MessageForm {
    pub action: String,
    pub hidden: Vec<(&'static str, String)>,
    pub asks_password: bool,
    /// Code, name, chosen.
    pub components: Vec<(String, String, bool)>,
    pub button: String,
}

#[derive(Template)]
#[template(path = "status_page/templates/message.html")]
struct Message<'a> {
    frame: Frame<'a>,
    heading: String,
    text: String,
    form: Option<MessageForm>,
}

/// A page that only says something: that an address is confirmed, that a password is needed.
pub fn message(
    model: &PageModel,
    words: &Words,
    as_of: DateTime<Utc>,
    (heading, text): (String, String),
    form: Option<MessageForm>,
) -> askama::Result<String> {
    let mut frame = Frame::new(model, words, as_of, Set::Current, "").titled(&heading);
    // By the link of a mail strangers come to a private page, and nowhere else in it.
    frame.has_links = model.page.visibility == crate::Visibility::Public;
    Message { frame, heading, text, form }.render()
}
