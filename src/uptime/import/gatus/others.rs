//! Maintenance, channels, the page, announcements.

use serde_json::Value;

use super::{Reader, duration};
use crate::{
    NewWindow,
    import::{Left, Proposal, WindowCandidate, fields::Fields},
};

/// Ways to tell people that are known here.
const CHANNELS: [&str; 8] =
    ["slack", "mattermost", "discord", "teams", "teams-workflows", "telegram", "email", "custom"];
const DAYS: [(&str, &str); 7] = [
    ("monday", "MON"),
    ("tuesday", "TUE"),
    ("wednesday", "WED"),
    ("thursday", "THU"),
    ("friday", "FRI"),
    ("saturday", "SAT"),
    ("sunday", "SUN"),
];

impl Reader<'_> {
    /// `monitor`: its key; `None`: all that were read until now, and none that is there besides them.
    pub fn maintenance(&mut self, field: &str, mut window: Fields<'_>, monitor: Option<&str>) {
        if window.get("enabled").is_some() && !window.flag("enabled") {
            return;
        }
        let (start, length) = (window.text("start"), window.text("duration"));
        let zone = window.text("timezone").unwrap_or_else(|| "UTC".to_owned());
        let days: Vec<&str> = window
            .list("every")
            .iter()
            .filter_map(Value::as_str)
            .filter_map(|day| DAYS.iter().find(|(name, _)| day.eq_ignore_ascii_case(name)).map(|(_, short)| *short))
            .collect();
        let read = start.as_deref().and_then(time).zip(length.as_deref().and_then(duration));
        let minutes = read.and_then(|(_, ms)| i32::try_from(ms / 60_000).ok()).filter(|minutes| *minutes > 0);
        let (Some(((hour, minute), _)), Some(minutes)) = (read, minutes) else {
            let value = format!("{} for {}", start.unwrap_or_default(), length.unwrap_or_default());
            self.parsed.report.left.push(Left::new(field, value, "start is such as 23:00 and duration such as 1h"));
            return;
        };
        let every = if days.is_empty() { "*".to_owned() } else { days.join(",") };
        let name = match monitor {
            Some(monitor) => format!("Maintenance of {monitor}"),
            None => "Maintenance".to_owned(),
        };
        let monitors: Vec<String> = match monitor {
            Some(monitor) => vec![monitor.to_owned()],
            None => self.parsed.monitors.iter().map(|one| one.key.clone()).collect(),
        };
        if monitors.is_empty() {
            self.parsed.report.left.push(Left::new(field, "set", "no monitor of the file is taken"));
        }
        for (place, some) in monitors.chunks(NewWindow::MOST_NAMED).enumerate() {
            let number = if place == 0 { String::new() } else { format!(" {}", place + 1) };
            let window = NewWindow {
                name: name.chars().take(90).chain(number.chars()).collect(),
                cron: Some(format!("{minute} {hour} * * {every}")),
                minutes: Some(minutes),
                zone: zone.clone(),
                excluded: true,
                ..NewWindow::default()
            };
            self.parsed.report.windows.push(window.name.clone());
            self.parsed.windows.push(WindowCandidate { window, monitors: some.to_vec(), groups: Vec::new() });
        }
    }

    pub fn alerting(&mut self, mut alerting: Fields<'_>) {
        for name in CHANNELS {
            if alerting.get(name).is_none() {
                continue;
            }
            let text = "make it on the page of channels: its address or token is in the file".to_owned();
            self.parsed.report.proposals.push(Proposal { what: "channel".to_owned(), name: name.to_owned(), text });
        }
        for (name, _) in alerting.left() {
            let reason = "this way to tell people is not known here";
            self.parsed.report.left.push(Left::new(format!("alerting.{name}"), "(not shown)", reason));
        }
    }

    pub fn page(&mut self, mut ui: Fields<'_>) {
        let title = ui.text("title").or_else(|| ui.text("header"));
        if let Some(name) = title {
            let text = "the name of a status page".to_owned();
            self.parsed.report.proposals.push(Proposal { what: "page".to_owned(), name, text });
        }
        for (name, value) in ui.left() {
            self.parsed.report.left.push(Left::new(format!("ui.{name}"), value, "pages look otherwise here"));
        }
    }

    pub fn announcement(&mut self, mut one: Fields<'_>) {
        let (text, at) = (one.text("message").unwrap_or_default(), one.text("timestamp").unwrap_or_default());
        let name = one.text("type").unwrap_or_else(|| "none".to_owned());
        let archived = if one.flag("archived") { ", over" } else { "" };
        let text = format!("{at}{archived}: {text}");
        self.parsed.report.proposals.push(Proposal { what: "announcement".to_owned(), name, text });
    }
}

/// `23:00` as hour and minute.
fn time(text: &str) -> Option<(u8, u8)> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some((hour, minute))
}
