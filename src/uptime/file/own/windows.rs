//! Maintenance windows of the file.

use chrono::{DateTime, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;
use toml::value::Datetime;

use super::{BY, OwnPart, TAKEN, told};
use crate::{
    NewWindow, UptimeError,
    file::{Action, Changes, Entry, Problems, Scope, duration::Duration, format::WindowEntry},
    model::{GroupId, ManagedBy, MonitorId},
    store::{groups, monitors, windows},
};

impl OwnPart {
    pub(super) async fn apply_windows(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> Result<(), UptimeError> {
        for Entry { key, place, value } in &self.windows {
            let setting = format!("windows.{key}");
            let wanted = match self.window(conn, scope, key, value).await? {
                Ok(wanted) => wanted,
                Err(texts) => {
                    for text in texts {
                        problems.push(place, setting.as_str(), text);
                    }
                    continue;
                }
            };
            let action = match windows::find(conn, scope.owner.org(), key).await? {
                None => {
                    let file = Some(ManagedBy::File);
                    self.uptime.insert_window(conn, scope.owner, &wanted, file, BY).await.map(|_| Action::Created)
                }
                Some(id) => {
                    let Some(found) = windows::get(conn, scope.owner.org(), id).await? else { continue };
                    if found.managed_by != Some(ManagedBy::File) {
                        problems.push(place, setting, TAKEN);
                        continue;
                    }
                    if NewWindow::of(&found) == wanted {
                        Ok(Action::Unchanged)
                    } else {
                        self.uptime.update_window(conn, scope.owner, &found, &wanted).await.map(|()| Action::Changed)
                    }
                }
            };
            match action {
                Ok(action) => changes.note(action, "windows", key.clone()),
                Err(error) => told(problems, place, &setting, error)?,
            }
        }
        Ok(())
    }

    /// With ids for keys. The inner `Err`: everything that is wrong.
    async fn window(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        key: &str,
        entry: &WindowEntry,
    ) -> Result<Result<NewWindow, Vec<String>>, UptimeError> {
        let mut wrong = Vec::new();
        let (mut of_monitors, mut of_groups): (Vec<MonitorId>, Vec<GroupId>) = (Vec::new(), Vec::new());
        for name in &entry.monitors {
            match monitors::find(conn, scope.owner.org(), name).await? {
                Some(id) => of_monitors.push(id),
                None => wrong.push(format!("there is no monitor {name}")),
            }
        }
        for name in &entry.groups {
            match groups::find(conn, scope.owner.org(), name).await? {
                Some(id) => of_groups.push(id),
                None => wrong.push(format!("there is no group {name}")),
            }
        }
        let zone = if entry.zone.is_empty() { "UTC" } else { entry.zone.as_str() };
        let mut at = |name: &str, given: Option<Datetime>| {
            let read = given.map(|given| moment(given, zone).map_err(|error| format!("{name}: {error}"))).transpose();
            read.unwrap_or_else(|error| {
                wrong.push(error);
                None
            })
        };
        let (starts_at, ends_at) = (at("starts", entry.starts), at("ends", entry.ends));
        let minutes = entry.length.map(Duration::minutes);
        if minutes == Some(None) {
            wrong.push("for: whole minutes, please".to_owned());
        }
        if !wrong.is_empty() {
            return Ok(Err(wrong));
        }
        Ok(Ok(NewWindow {
            key: Some(key.to_owned()),
            name: entry.name.clone().unwrap_or_else(|| key.to_owned()),
            starts_at,
            ends_at,
            cron: entry.cron.clone(),
            minutes: minutes.flatten(),
            zone: zone.to_owned(),
            excluded: entry.excluded.unwrap_or(true),
            every: entry.everything,
            monitors: of_monitors,
            groups: of_groups,
            tags: entry.tags.clone(),
        }))
    }
}

/// A time of the file. One without an offset is in the zone; one that its clocks skip or have twice is refused.
fn moment(given: Datetime, zone: &str) -> Result<DateTime<Utc>, String> {
    let text = given.to_string();
    if let Ok(at) = DateTime::parse_from_rfc3339(&text) {
        return Ok(at.with_timezone(&Utc));
    }
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f");
    let local = local.map_err(|_| format!("{text} is no time such as 2026-12-20T22:00:00"))?;
    let zone: Tz = zone.parse().map_err(|_| format!("{zone:?} is no time zone such as Europe/Berlin"))?;
    let found = zone.from_local_datetime(&local).single();
    found.map(|at| at.with_timezone(&Utc)).ok_or_else(|| format!("{text} does not exist in {zone}, or exists twice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::Table;

    fn time(text: &str) -> Datetime {
        let table: Table = toml::from_str(&format!("at = {text}")).unwrap();
        *table["at"].as_datetime().unwrap()
    }

    #[test]
    fn times_are_in_the_zone_of_the_window() {
        let berlin = |text| moment(time(text), "Europe/Berlin").map(|at| at.to_rfc3339());
        assert_eq!(berlin("2026-12-20T22:00:00").as_deref(), Ok("2026-12-20T21:00:00+00:00"));
        assert_eq!(berlin("2026-12-20T22:00:00Z").as_deref(), Ok("2026-12-20T22:00:00+00:00"));
        assert!(berlin("2026-03-29T02:30:00").is_err(), "the clocks skip it");
        assert!(berlin("2026-10-25T02:30:00").is_err(), "the clocks have it twice");
        assert!(berlin("2026-10-25").is_err());
        assert!(moment(time("2026-12-20T22:00:00"), "Mars").is_err());
    }
}
