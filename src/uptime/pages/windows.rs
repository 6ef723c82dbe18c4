//! Maintenance windows.

use askama::Template;
use axum::extract::State;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use serde::Deserialize;

use super::SHOWN;
use crate::{
    Group, GroupId, ManagedBy, MonitorId, NewWindow, Owner, READ, Uptime, UptimeError, WRITE, Window, WindowId,
    routes::owner, windows::Occurrence,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::{
    error::ApiError,
    http::{ListQuery, Path, Query, Slice},
};

const PATH: &str = "/monitors/windows";
const MOST_GROUPS: i64 = 200;
/// Coming times that are shown.
const COMING: usize = 10;

/// A window to make.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WindowForm {
    name: String,
    /// As a browser's field for date and time has them, in the zone.
    starts: String,
    ends: String,
    cron: String,
    minutes: String,
    zone: String,
    /// Not empty: its time counts.
    counts: String,
    every: String,
    /// Ids.
    monitor: Vec<String>,
    group: Vec<String>,
    /// With commas.
    tags: String,
    installation: String,
}

impl WindowForm {
    fn read(&self) -> Result<NewWindow, ApiError> {
        let zone = if self.zone.trim().is_empty() { "UTC" } else { self.zone.trim() };
        let minutes = match self.minutes.trim() {
            "" => None,
            text => {
                let wrong = |_| UptimeError::invalid("/minutes", "invalid", "a whole number of minutes");
                Some(text.parse().map_err(wrong)?)
            }
        };
        Ok(NewWindow {
            key: None,
            name: self.name.clone(),
            starts_at: local("/starts_at", &self.starts, zone)?,
            ends_at: local("/ends_at", &self.ends, zone)?,
            cron: Some(self.cron.trim().to_owned()).filter(|cron| !cron.is_empty()),
            minutes,
            zone: zone.to_owned(),
            excluded: self.counts.is_empty(),
            every: !self.every.is_empty(),
            monitors: self.monitor.iter().filter_map(|id| id.parse::<MonitorId>().ok()).collect(),
            groups: self.group.iter().filter_map(|id| id.parse::<GroupId>().ok()).collect(),
            tags: self.tags.split(',').map(str::to_owned).collect(),
        })
    }
}

/// `2026-12-20T22:00` in a zone. `None`: nothing was written.
fn local(pointer: &str, text: &str, zone: &str) -> Result<Option<DateTime<Utc>>, UptimeError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || UptimeError::invalid(pointer, "invalid", format!("{text:?} is no time that exists once in {zone}"));
    let zone: Tz =
        zone.parse().map_err(|_| UptimeError::invalid("/zone", "invalid", format!("{zone:?} is no time zone")))?;
    let formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let at = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).ok_or_else(wrong)?;
    let at = zone.from_local_datetime(&at).single().ok_or_else(wrong)?;
    Ok(Some(at.with_timezone(&Utc)))
}

#[derive(Template)]
#[template(path = "uptime/templates/windows.html")]
struct List<'a> {
    shell: &'a Shell,
    windows: Vec<Window>,
    coming: Vec<(Window, Occurrence)>,
    groups: Vec<Group>,
    monitors: Vec<(MonitorId, String)>,
    operator: bool,
    now: DateTime<Utc>,
    pager: Pager,
    form: WindowForm,
    errors: FormErrors,
}

impl List<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn is_by_file(&self, window: &Window) -> bool {
        window.managed_by == Some(ManagedBy::File)
    }

    fn is_open(&self, open: &Occurrence) -> bool {
        open.from <= self.now
    }

    /// When it is, in words: a pattern with its length, or a begin and an end.
    fn pattern(&self, window: &Window) -> String {
        let length = window.minutes.map(|minutes| self.shell.duration(Some(f64::from(minutes) * 60.0)));
        let pattern = window.cron.as_deref().zip(length);
        pattern.map_or_else(String::new, |(cron, length)| format!("{cron} ({}), {length}", window.zone))
    }
}

async fn render(
    shell: &Shell,
    uptime: &Uptime,
    query: ListQuery,
    refused: Option<(WindowForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let own = owner(uptime, who, READ, false)?;
    let query = query.sized(SHOWN);
    let slice: Slice = query.slice()?;
    let page = slice.page(uptime.windows(own, &slice).await?, |window| window.id.0);
    let (operator, now) = (who.is_operator(), uptime.now());
    let until = now + TimeDelta::days(30);
    let mut windows = page.data;
    let mut coming = uptime.occurrences_of(own, now, until).await?;
    if operator && query.cursor.is_empty() {
        windows.extend(uptime.windows(Owner::Installation, &Slice::first(SHOWN.into())).await?);
        coming.extend(uptime.occurrences_of(Owner::Installation, now, until).await?);
    }
    coming.sort_by_key(|(window, open)| (open.from, window.id));
    coming.truncate(COMING);
    let mut groups = uptime.groups(own, &Slice::first(MOST_GROUPS)).await?;
    let mut monitors = uptime.monitor_choices(own).await?;
    if operator {
        // For a window of the installation.
        let of_installation = |name: &str| format!("{name} ({})", shell.t("uptime-whose-installation"));
        let others = uptime.groups(Owner::Installation, &Slice::first(MOST_GROUPS)).await?;
        groups.extend(others.into_iter().map(|group| Group { name: of_installation(&group.name), ..group }));
        let others = uptime.monitor_choices(Owner::Installation).await?;
        monitors.extend(others.into_iter().map(|(id, name)| (id, of_installation(&name))));
    }
    let pager = Pager::new(PATH, &[], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, windows, coming, groups, monitors, operator, now, pager, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(uptime): State<Uptime>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &uptime, query, None).await
}

pub(super) async fn create(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<WindowForm>) -> PageResult {
    let owner = owner(&uptime, shell.principal(), WRITE, !form.installation.is_empty())?;
    let made = async { Ok::<_, ApiError>(uptime.add_window(shell.principal(), owner, &form.read()?).await?) };
    match made.await {
        Ok(_) => Ok(shell.redirect(PATH, &Flash::ok("uptime-window-made"))),
        Err(error) => {
            let errors = shell.form_errors(error)?;
            render(&shell, &uptime, ListQuery::default(), Some((form, errors))).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<WindowId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    uptime.delete_window(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("uptime-window-deleted")))
}
