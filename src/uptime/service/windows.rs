//! Maintenance windows, and when they are open.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Uptime, free, groups::checked_name, owners};
use crate::{
    UptimeError,
    file::is_key,
    model::{GroupId, ManagedBy, MonitorId, Owner, Window, WindowId},
    schedule::windows::{Occurrence, Plan, merged},
    settings::LONGEST_TAG,
    store::windows::{self, NewRow},
};
use jobs::Cron;
use platform::{
    db::Tx,
    error::{FieldError, chain},
    http::{Principal, Slice},
    names::tidy,
    slug::slug_of,
};

const MOST_WINDOWS: i64 = 500;
/// A week, minutes.
const LONGEST: i32 = 10_080;
/// Of all windows together, in one answer: the first ones.
const MOST_OCCURRENCES: usize = 2000;
/// Longest time that is asked for at once.
const LONGEST_LOOK: TimeDelta = TimeDelta::days(366);

/// A maintenance window to make: once, from `starts_at` to `ends_at`; or recurring, as `cron` says in `zone`, for `minutes`, and then only between
/// `starts_at` and `ends_at` where they are set.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({"name": "Weekly patches", "cron": "0 2 * * SUN", "minutes": 90, "zone": "Europe/Berlin", "every": true}))]
pub struct NewWindow {
    /// Left out: made of the name.
    pub key: Option<String>,
    #[schema(max_length = 100)]
    pub name: String,
    pub starts_at: Option<DateTime<Utc>>,
    pub ends_at: Option<DateTime<Utc>>,
    /// Five fields.
    pub cron: Option<String>,
    /// 1 to 10 080
    pub minutes: Option<i32>,
    /// Time zone, such as `Europe/Berlin`; empty: UTC.
    pub zone: String,
    /// Its time does not count for availability. Left out: true.
    #[serde(default = "yes")]
    pub excluded: bool,
    /// For everything of its owner; otherwise for any of the monitors, groups and tags below.
    pub every: bool,
    pub monitors: Vec<MonitorId>,
    pub groups: Vec<GroupId>,
    pub tags: Vec<String>,
}

fn yes() -> bool {
    true
}

impl NewWindow {
    /// Monitors that it may name, and groups, and tags.
    pub(crate) const MOST_NAMED: usize = 200;

    /// What is set of a window.
    pub(crate) fn of(window: &Window) -> Self {
        Self {
            key: Some(window.key.clone()),
            name: window.name.clone(),
            starts_at: window.starts_at,
            ends_at: window.ends_at,
            cron: window.cron.clone(),
            minutes: window.minutes,
            zone: window.zone.clone(),
            excluded: window.excluded,
            every: window.every,
            monitors: window.monitors.clone(),
            groups: window.groups.clone(),
            tags: window.tags.clone(),
        }
    }

    /// Everything that is wrong.
    pub(crate) fn problems(&self) -> Vec<FieldError> {
        let mut found = Vec::new();
        let mut wrong = |pointer: &str, code, text: String| found.push(FieldError::new(pointer, code, text));
        if self.zone.parse::<Tz>().is_err() {
            wrong("/zone", "invalid", format!("{:?} is no time zone such as Europe/Berlin", self.zone));
        } else if let Some(cron) = &self.cron
            && let Err(error) = Cron::parse(cron, &self.zone)
        {
            wrong("/cron", "invalid", error.to_string());
        }
        let both = (self.starts_at, self.ends_at);
        match (&self.cron, self.minutes) {
            (None, Some(_)) => {
                wrong("/minutes", "invalid", "a window that does not recur has ends_at instead".to_owned());
            }
            (None, None) if both.0.is_none() || both.1.is_none() => {
                wrong("/starts_at", "required", "needs starts_at and ends_at, or cron and minutes".to_owned());
            }
            (Some(_), None) => wrong("/minutes", "required", "a window that recurs has a length".to_owned()),
            (Some(_), Some(minutes)) if !(1..=LONGEST).contains(&minutes) => {
                wrong("/minutes", "out_of_range", format!("{minutes} is outside 1 to {LONGEST}"));
            }
            _ => {}
        }
        if let (Some(starts), Some(ends)) = both
            && starts >= ends
        {
            wrong("/ends_at", "out_of_range", "it ends before it starts".to_owned());
        }
        if !self.every && self.monitors.is_empty() && self.groups.is_empty() && self.tags.is_empty() {
            wrong("/every", "required", "name monitors, groups or tags, or say every".to_owned());
        }
        let most = self.monitors.len().max(self.groups.len()).max(self.tags.len());
        if most > Self::MOST_NAMED {
            let text = format!("at most {} monitors, groups and tags each", Self::MOST_NAMED);
            wrong("/monitors", "too_many", text);
        }
        if self.tags.iter().any(|tag| tag.chars().count() > LONGEST_TAG) {
            wrong("/tags", "too_long", format!("a tag has at most {LONGEST_TAG} characters"));
        }
        found
    }

    /// As it is stored.
    fn tidied(&self) -> Result<Self, UptimeError> {
        let zone = if self.zone.trim().is_empty() { "UTC" } else { self.zone.trim() }.to_owned();
        let tags = self.tags.iter().map(|tag| tidy(tag)).filter(|tag| !tag.is_empty()).collect();
        let cron = self.cron.as_deref().map(str::trim).filter(|cron| !cron.is_empty()).map(str::to_owned);
        let window = Self { name: checked_name(&self.name)?, zone, tags, cron, ..self.clone() };
        match window.problems() {
            problems if problems.is_empty() => Ok(window),
            problems => Err(UptimeError::Invalid(problems)),
        }
    }
}

impl Uptime {
    /// Newest first.
    pub async fn windows(&self, owner: Owner, slice: &Slice) -> Result<Vec<Window>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(windows::list(&mut tx, owner.org(), slice).await?)
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get_window(&self, who: &Principal, id: WindowId) -> Result<Window, UptimeError> {
        let (_, _, window) = self.own_window(who, id).await?;
        Ok(window)
    }

    pub async fn add_window(&self, who: &Principal, owner: Owner, new: &NewWindow) -> Result<Window, UptimeError> {
        let mut tx = self.begin(owner).await?;
        let id = self.create_window(&mut tx, owner, new, &who.subject()).await?;
        let window = windows::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.changed();
        tracing::info!(window_id = %id, by = who.subject(), "maintenance window made");
        Ok(window)
    }

    /// Replaces what is set; its key stays.
    pub async fn change_window(&self, who: &Principal, id: WindowId, set: &NewWindow) -> Result<Window, UptimeError> {
        let (mut tx, owner, window) = self.own_window(who, id).await?;
        by_people(&window)?;
        self.update_window(&mut tx, owner, &window, set).await?;
        let window = windows::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.changed();
        tracing::info!(window_id = %id, by = who.subject(), "maintenance window changed");
        Ok(window)
    }

    pub async fn delete_window(&self, who: &Principal, id: WindowId) -> Result<(), UptimeError> {
        let (mut tx, _, window) = self.own_window(who, id).await?;
        by_people(&window)?;
        windows::delete(&mut tx, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(window_id = %id, by = who.subject(), "maintenance window deleted");
        Ok(())
    }

    /// Checks it and writes it, in the caller's transaction.
    pub async fn create_window(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewWindow,
        by: &str,
    ) -> Result<WindowId, UptimeError> {
        self.insert_window(conn, owner, new, None, by).await
    }

    pub(crate) async fn insert_window(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: &NewWindow,
        managed_by: Option<ManagedBy>,
        by: &str,
    ) -> Result<WindowId, UptimeError> {
        let window = new.tidied()?;
        check_named(conn, owner, &window, None).await?;
        if windows::count(conn, owner.org()).await? >= MOST_WINDOWS {
            return Err(UptimeError::Conflict("too_many_windows", format!("at most {MOST_WINDOWS} windows")));
        }
        let key = match &window.key {
            Some(key) if !is_key(key) => {
                let text = format!("{key:?} is not 1 to 100 lower-case letters, digits, hyphens and underscores");
                return Err(UptimeError::invalid("/key", "invalid", text));
            }
            Some(key) if windows::find(conn, owner.org(), key).await?.is_some() => return Err(taken(key)),
            Some(key) => key.clone(),
            None => {
                let slug = Some(slug_of(&window.name, 60)).filter(|slug| !slug.is_empty());
                let slug = slug.unwrap_or_else(|| "window".to_owned());
                let all = windows::list(conn, owner.org(), &Slice::first(MOST_WINDOWS)).await?;
                free(&slug, |key| all.iter().any(|window| window.key == key))
            }
        };
        let (id, now) = (WindowId::generate(&self.inner.clock), self.inner.clock.now());
        let row = NewRow { id, org: owner.org(), key: &key, window: &window, managed_by, created_by: by, now };
        match windows::insert(conn, &row).await {
            Ok(()) => Ok(id),
            Err(error) if platform::db::constraint(&error) == Some("uptime_windows_key") => Err(taken(&key)),
            Err(error) => Err(error.into()),
        }
    }

    /// Checks what is set now and writes it, in the caller's transaction.
    pub(crate) async fn update_window(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        was: &Window,
        set: &NewWindow,
    ) -> Result<(), UptimeError> {
        let window = set.tidied()?;
        check_named(conn, owner, &window, Some(was)).await?;
        Ok(windows::update(conn, was.id, &window, self.inner.clock.now()).await?)
    }

    /// Occurrences that are open at some time between the two, by their begin, the first 2 000. A window whose cron cannot be read any more has none.
    pub async fn occurrences(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<(Window, Occurrence)>, UptimeError> {
        let (mut all, mut plans) = (Vec::new(), Vec::new());
        for window in windows::since(conn, owner.org(), from).await? {
            match Plan::of(&window) {
                Ok(plan) => {
                    plans.push(plan);
                    all.push(window);
                }
                Err(error) => {
                    let (window_id, error) = (window.id, chain(&error));
                    tracing::warn!(%window_id, error, "a maintenance window's time cannot be read: it is never open");
                }
            }
        }
        let found = merged(&plans, from, until, MOST_OCCURRENCES).into_iter();
        Ok(found.filter_map(|(place, open)| Some((all.get(place)?.clone(), open))).collect())
    }

    /// As [`Self::occurrences`], for the API and the console.
    pub async fn occurrences_of(
        &self,
        owner: Owner,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<(Window, Occurrence)>, UptimeError> {
        if until <= from || until - from > LONGEST_LOOK {
            return Err(UptimeError::invalid("/until", "out_of_range", "must be after from, and at most a year later"));
        }
        let mut tx = self.begin(owner).await?;
        self.occurrences(&mut tx, owner, from, until).await
    }

    async fn own_window(&self, who: &Principal, id: WindowId) -> Result<(Tx, Owner, Window), UptimeError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(window) = windows::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, window));
            }
        }
        Err(missing())
    }
}

/// Refuses monitors and groups that its owner does not have. What it named before may be gone by now, and stays.
async fn check_named(
    conn: &mut PgConnection,
    owner: Owner,
    set: &NewWindow,
    was: Option<&Window>,
) -> Result<(), UptimeError> {
    let (monitors, groups) = was.map_or((&[][..], &[][..]), |was| (&was.monitors[..], &was.groups[..]));
    let monitors: Vec<Uuid> = set.monitors.iter().filter(|id| !monitors.contains(id)).map(|id| id.0).collect();
    let groups: Vec<Uuid> = set.groups.iter().filter(|id| !groups.contains(id)).map(|id| id.0).collect();
    let known = windows::known(conn, owner.org(), &monitors, &groups).await?;
    for (pointer, what, all) in [("/monitors", "monitor", monitors), ("/groups", "group", groups)] {
        if let Some(id) = all.iter().find(|id| !known.contains(id)) {
            return Err(UptimeError::invalid(pointer, "not_found", format!("there is no such {what}: {id}")));
        }
    }
    Ok(())
}

fn missing() -> UptimeError {
    UptimeError::NotFound("maintenance_window")
}

fn taken(key: &str) -> UptimeError {
    UptimeError::Conflict("taken", format!("there is a window with the key {key} already"))
}

fn by_people(window: &Window) -> Result<(), UptimeError> {
    if window.managed_by == Some(ManagedBy::File) { Err(UptimeError::Managed) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(window: &NewWindow) -> Vec<String> {
        window.problems().into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn a_window_says_when_and_for_what() {
        let weekly = NewWindow {
            name: "Patches".into(),
            cron: Some("0 2 * * SUN".into()),
            minutes: Some(90),
            zone: "Europe/Berlin".into(),
            every: true,
            ..NewWindow::default()
        };
        assert_eq!(pointers(&weekly), [""; 0]);
        assert_eq!(pointers(&NewWindow { minutes: None, ..weekly.clone() }), ["/minutes"]);
        assert_eq!(pointers(&NewWindow { tags: vec!["x".repeat(51)], ..weekly.clone() }), ["/tags"]);
        assert_eq!(pointers(&NewWindow { cron: Some("soon".into()), ..weekly.clone() }), ["/cron"]);
        assert_eq!(pointers(&NewWindow { zone: "Mars".into(), every: false, ..weekly.clone() }), ["/zone", "/every"]);
        let once = NewWindow { cron: None, minutes: None, ..weekly };
        assert_eq!(pointers(&once), ["/starts_at"]);
        let at = |text: &str| Some(text.parse().unwrap());
        let turned = NewWindow { starts_at: at("2026-12-02T00:00:00Z"), ends_at: at("2026-12-01T00:00:00Z"), ..once };
        assert_eq!(pointers(&turned), ["/ends_at"]);
    }

    #[test]
    fn an_empty_zone_is_utc_and_time_is_excluded_by_default() {
        let window: NewWindow = serde_json::from_value(serde_json::json!({
            "name": " Move ", "starts_at": "2026-12-01T00:00:00Z", "ends_at": "2026-12-02T00:00:00Z", "every": true
        }))
        .unwrap();
        let stored = window.tidied().unwrap();
        assert_eq!((stored.name.as_str(), stored.zone.as_str(), stored.excluded), ("Move", "UTC", true));
    }
}
