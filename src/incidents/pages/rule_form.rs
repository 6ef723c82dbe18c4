//! The form of a rule: for what it is, whom it tells in which steps, and when it waits. Durations are written as in the file of monitors: `90s`, `5m`, `2h`.

use std::{borrow::Borrow, str::FromStr};

use serde::Deserialize;

use super::{given, number};
use crate::{
    IncidentsError, RuleDraft,
    model::{CauseSource, ChannelId, Matches, Quiet, RotaId, Rule, Severity, Step, Weekday},
    service::{seconds, time_of_day},
};
use uptime::GroupId;

/// Rows for steps and for quiet hours that are offered besides those that there are.
const SPARE: usize = 2;
/// In a row of quiet hours: not even critical ones are told.
const NOTHING: &str = "none";

/// Fields of the form of a rule. What can be repeated has a list for each field, with one entry for each row.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RuleForm {
    pub key: String,
    pub name: String,
    pub position: String,
    /// How long it must have been down.
    pub wait: String,
    pub tags: String,
    severities: Vec<String>,
    sources: Vec<String>,
    groups: Vec<String>,
    /// `<row>:<channel>`
    channels: Vec<String>,
    rota: Vec<String>,
    after: Vec<String>,
    repeat: Vec<String>,
    /// `<row>:<day>`
    days: Vec<String>,
    from: Vec<String>,
    until: Vec<String>,
    zone: Vec<String>,
    least: Vec<String>,
    pub proceed: String,
    pub installation: String,
}

/// A row of the form: a step, or quiet hours.
pub(super) struct Row<'a> {
    pub place: usize,
    form: &'a RuleForm,
}

impl Row<'_> {
    pub fn number(&self) -> usize {
        self.place + 1
    }

    pub fn is_first(&self) -> bool {
        self.place == 0
    }

    pub fn has_channel(&self, channel: &ChannelId) -> bool {
        self.form.channels.contains(&format!("{}:{channel}", self.place))
    }

    pub fn has_rota(&self, rota: &RotaId) -> bool {
        text(&self.form.rota, self.place) == rota.to_string()
    }

    pub fn after(&self) -> &str {
        text(&self.form.after, self.place)
    }

    pub fn repeat(&self) -> &str {
        text(&self.form.repeat, self.place)
    }

    pub fn has_day(&self, day: impl Borrow<Weekday>) -> bool {
        self.form.days.contains(&format!("{}:{}", self.place, day.borrow().as_str()))
    }

    pub fn begins(&self) -> &str {
        text(&self.form.from, self.place)
    }

    pub fn ends(&self) -> &str {
        text(&self.form.until, self.place)
    }

    pub fn zone(&self) -> &str {
        text(&self.form.zone, self.place)
    }

    pub fn least(&self) -> &str {
        text(&self.form.least, self.place)
    }
}

impl RuleForm {
    pub fn of(rule: &Rule) -> Self {
        let texts = |list: &[Severity]| list.iter().map(|severity| severity.as_str().to_owned()).collect();
        let mut form = Self {
            key: rule.key.clone(),
            name: rule.name.clone(),
            position: rule.position.to_string(),
            wait: duration(rule.after_seconds),
            tags: rule.matches.tags.join(", "),
            severities: texts(&rule.matches.severities),
            sources: rule.matches.sources.iter().map(|source| source.as_str().to_owned()).collect(),
            groups: rule.matches.groups.iter().map(ToString::to_string).collect(),
            proceed: if rule.proceed { "on".to_owned() } else { String::new() },
            ..Self::default()
        };
        for (place, step) in rule.steps.iter().enumerate() {
            form.channels.extend(step.channels.iter().map(|channel| format!("{place}:{channel}")));
            form.rota.push(step.rota.map(|rota| rota.to_string()).unwrap_or_default());
            form.after.push(duration(step.after_seconds));
            form.repeat.push(step.repeat_seconds.map(duration).unwrap_or_default());
        }
        for (place, quiet) in rule.quiet.iter().enumerate() {
            form.days.extend(quiet.days.iter().map(|day| format!("{place}:{}", day.as_str())));
            form.from.push(quiet.from.format("%H:%M").to_string());
            form.until.push(quiet.until.format("%H:%M").to_string());
            form.zone.push(quiet.zone.clone());
            form.least.push(quiet.least.map_or(NOTHING, Severity::as_str).to_owned());
        }
        form
    }

    pub fn steps(&self) -> Vec<Row<'_>> {
        self.rows(&[&self.rota, &self.after, &self.repeat], &self.channels)
    }

    pub fn quiet(&self) -> Vec<Row<'_>> {
        self.rows(&[&self.from, &self.until], &self.days)
    }

    /// Those that say something, and some spare ones.
    fn rows(&self, lists: &[&Vec<String>], numbered: &[String]) -> Vec<Row<'_>> {
        let said = lists.iter().filter_map(|list| list.iter().rposition(|text| !text.trim().is_empty()));
        let chosen = numbered.iter().filter_map(|field| field.split_once(':')?.0.parse::<usize>().ok());
        let last = said.chain(chosen).max().map_or(0, |place| (place + 1).min(crate::service::MOST_STEPS));
        (0..last + SPARE).map(|place| Row { place, form: self }).collect()
    }

    pub fn has_severity(&self, severity: impl Borrow<Severity>) -> bool {
        self.severities.iter().any(|chosen| chosen == severity.borrow().as_str())
    }

    pub fn has_source(&self, source: impl Borrow<CauseSource>) -> bool {
        self.sources.iter().any(|chosen| chosen == source.borrow().as_str())
    }

    pub fn has_group(&self, group: &GroupId) -> bool {
        self.groups.contains(&group.to_string())
    }

    /// What the form does not have stays as it is in `old`.
    pub fn draft(&self, old: Option<&Rule>) -> Result<RuleDraft, IncidentsError> {
        let monitors = old.map(|rule| rule.matches.monitors.clone()).unwrap_or_default();
        let matches = Matches {
            groups: parsed(&self.groups),
            monitors,
            tags: self.tags.split(',').filter_map(given).collect(),
            severities: parsed(&self.severities),
            sources: parsed(&self.sources),
        };
        Ok(RuleDraft {
            key: given(&self.key),
            name: Some(self.name.clone()),
            position: number("/position", &self.position)?,
            matches: Some(matches),
            steps: Some(self.read_steps()?),
            after_seconds: Some(read_duration("/after_seconds", &self.wait)?.unwrap_or(0)),
            quiet: Some(self.read_quiet()?),
            proceed: Some(!self.proceed.is_empty()),
            installation: !self.installation.is_empty(),
            ..RuleDraft::default()
        })
    }

    /// A row in which nothing was chosen or written is none.
    fn read_steps(&self) -> Result<Vec<Step>, IncidentsError> {
        let mut steps = Vec::new();
        for row in self.steps() {
            let channels: Vec<ChannelId> = chosen(&self.channels, row.place);
            let rota: Option<RotaId> = text(&self.rota, row.place).parse().ok();
            let after_seconds = read_duration("/steps", row.after())?;
            let repeat_seconds = read_duration("/steps", row.repeat())?;
            if channels.is_empty() && rota.is_none() && after_seconds.is_none() && repeat_seconds.is_none() {
                continue;
            }
            steps.push(Step { after_seconds: after_seconds.unwrap_or(0), channels, rota, repeat_seconds });
        }
        Ok(steps)
    }

    fn read_quiet(&self) -> Result<Vec<Quiet>, IncidentsError> {
        let mut all = Vec::new();
        for row in self.quiet() {
            if row.begins().is_empty() && row.ends().is_empty() {
                continue;
            }
            let clock = |text: &str| {
                // A browser may send seconds.
                let text = if text.len() == 8 { text.get(..5).unwrap_or_default() } else { text };
                time_of_day(text).map_err(|why| IncidentsError::invalid("/quiet", "invalid", why))
            };
            all.push(Quiet {
                days: chosen(&self.days, row.place),
                from: clock(row.begins())?,
                until: clock(row.ends())?,
                zone: given(row.zone()).unwrap_or_else(|| "UTC".to_owned()),
                least: match row.least() {
                    NOTHING => None,
                    least => Some(least.parse().unwrap_or(Severity::Critical)),
                },
            });
        }
        Ok(all)
    }
}

fn text(list: &[String], place: usize) -> &str {
    list.get(place).map_or("", |text| text.trim())
}

fn parsed<T: FromStr>(list: &[String]) -> Vec<T> {
    list.iter().filter_map(|text| text.parse().ok()).collect()
}

/// What was ticked in a row.
fn chosen<T: FromStr>(fields: &[String], place: usize) -> Vec<T> {
    let of_row = |field: &String| {
        let (row, value) = field.split_once(':')?;
        if row.parse::<usize>().ok() == Some(place) { value.parse().ok() } else { None }
    };
    fields.iter().filter_map(of_row).collect()
}

/// `None`: nothing was written.
fn read_duration(pointer: &str, text: &str) -> Result<Option<i32>, IncidentsError> {
    match given(text) {
        None => Ok(None),
        Some(text) => seconds(&text).map(Some).map_err(|why| IncidentsError::invalid(pointer, "invalid", why)),
    }
}

/// In the largest unit that it is a whole number of; no time is nothing.
fn duration(seconds: i32) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    match units.into_iter().find(|(unit, _)| seconds % unit == 0) {
        _ if seconds == 0 => String::new(),
        Some((unit, sign)) => format!("{}{sign}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, NaiveTime};
    use uuid::Uuid;

    use super::*;
    use crate::model::RuleId;

    #[test]
    fn a_rule_comes_back_as_it_was() {
        let at = |hour| NaiveTime::from_hms_opt(hour, 30, 0).unwrap();
        let channel = |number| ChannelId(Uuid::from_u128(number));
        let step =
            |after_seconds, channels, rota, repeat_seconds| Step { after_seconds, channels, rota, repeat_seconds };
        let rule = Rule {
            name: "Night".into(),
            matches: Matches {
                tags: vec!["eu west".into()],
                severities: vec![Severity::Critical],
                ..Matches::default()
            },
            after_seconds: 90,
            steps: vec![
                step(0, vec![channel(1), channel(2)], None, Some(600)),
                step(300, Vec::new(), Some(RotaId(Uuid::from_u128(3))), None),
                step(7200, vec![channel(2)], None, None),
            ],
            quiet: vec![Quiet {
                days: vec![Weekday::Saturday],
                from: at(22),
                until: at(7),
                zone: "Europe/Berlin".into(),
                least: None,
            }],
            proceed: true,
            ..Rule::blank(RuleId(Uuid::nil()), false, "night", DateTime::UNIX_EPOCH)
        };
        let form = RuleForm::of(&rule);
        assert_eq!((form.steps().len(), form.quiet().len()), (3 + SPARE, 1 + SPARE));
        let read = form.draft(Some(&rule)).unwrap();
        assert_eq!((read.steps, read.quiet), (Some(rule.steps), Some(rule.quiet)));
        assert_eq!((read.matches, read.after_seconds), (Some(rule.matches), Some(90)));
        assert_eq!((read.position, read.proceed), (Some(rule.position), Some(true)));
    }

    #[test]
    fn what_is_half_written_is_told_and_not_dropped() {
        let step = RuleForm { after: vec![String::new(), "5m".into()], ..RuleForm::default() };
        // A time for which nobody was chosen: the rules say that a step names somebody.
        assert_eq!(step.draft(None).unwrap().steps.unwrap().len(), 1);
        let wrong = [
            RuleForm { after: vec!["soon".into()], ..RuleForm::default() },
            RuleForm { from: vec!["22:00".into()], until: vec![String::new()], ..RuleForm::default() },
            RuleForm { position: "first".into(), ..RuleForm::default() },
        ];
        for form in wrong {
            assert!(form.draft(None).is_err(), "{form:?}");
        }
    }
}
