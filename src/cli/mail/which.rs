//! Which mails, and whose, a command is about.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{app::App, cli::user::all_pages};
use mail::{Filter, Owner};
use platform::clock::Clock;

/// A time, absolute or before now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Ago(TimeDelta),
    At(DateTime<Utc>),
}

impl When {
    pub fn at(self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Ago(span) => now - span,
            Self::At(at) => at,
        }
    }
}

/// Parses `30m`, `2h`, `7d` (that long ago) or a time as in RFC 3339.
pub fn when(text: &str) -> Result<When, String> {
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return Ok(When::At(at));
    }
    let wrong = || format!("{text:?} is neither a time before now (30m, 2h, 7d) nor one such as 2026-11-30T01:00:00Z");
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?);
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => return Err(wrong()),
    };
    // At most a hundred years.
    let number = number.parse::<i64>().ok().filter(|number| *number <= 100 * 366 * 24 * 60 / minutes);
    Ok(When::Ago(TimeDelta::minutes(number.ok_or_else(wrong)? * minutes)))
}

/// Whose.
#[derive(Debug, clap::Args)]
pub struct Whose {
    /// Only those of this organisation (its slug); default: of all, and of the installation.
    #[arg(long, value_name = "SLUG")]
    pub org: Option<String>,
    /// Only those of the installation.
    #[arg(long, conflicts_with = "org")]
    pub installation: bool,
}

/// Which mails.
#[derive(Debug, clap::Args)]
pub struct Which {
    #[command(flatten)]
    pub whose: Whose,
    /// Written at this time or later: 2h, 7d, or 2026-11-30T01:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = when)]
    pub since: Option<When>,
    /// Written before this time.
    #[arg(long, value_name = "TIME", value_parser = when)]
    until: Option<When>,
    /// Such as welcome, alert or api.
    #[arg(long)]
    kind: Option<String>,
    /// To this whole address.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// With this text in the error, which is the server's last answer.
    #[arg(long, value_name = "TEXT")]
    answer: Option<String>,
}

impl Which {
    pub fn filter(&self, now: DateTime<Utc>) -> Filter<'_> {
        Filter {
            kind: self.kind.as_deref(),
            to: self.to.as_deref(),
            answer: self.answer.as_deref(),
            since: self.since.map(|since| since.at(now)),
            until: self.until.map(|until| until.at(now)),
            ..Filter::default()
        }
    }

    pub fn is_everything(&self) -> bool {
        let Self { whose: Whose { org, installation }, since, until, kind, to, answer } = self;
        org.is_none()
            && !installation
            && since.is_none()
            && until.is_none()
            && [kind, to, answer].iter().all(|text| text.is_none())
    }
}

/// An organisation, or the installation, with its name.
pub struct Named {
    pub name: String,
    pub owner: Owner,
}

pub async fn owners(app: &App, whose: &Whose) -> anyhow::Result<Vec<Named>> {
    let installation = || Named { name: "installation".to_owned(), owner: Owner::Installation };
    if whose.installation {
        return Ok(vec![installation()]);
    }
    let search = whose.org.as_deref();
    let orgs = all_pages(async |slice| app.auth.list_organisations(search, &slice).await, |org| org.id.0).await?;
    let orgs = orgs.into_iter().filter(|org| search.is_none_or(|slug| org.slug == slug));
    let mut all: Vec<Named> = orgs.map(|org| Named { name: org.slug.clone(), owner: Owner::Org(org.id) }).collect();
    match search {
        Some(slug) => anyhow::ensure!(!all.is_empty(), "there is no organisation {slug}: see `holdfast org list`"),
        None => all.push(installation()),
    }
    Ok(all)
}

pub fn now() -> DateTime<Utc> {
    Clock::system().now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_before_now() {
        assert_eq!(when("30m"), Ok(When::Ago(TimeDelta::minutes(30))));
        assert_eq!(when("2h"), Ok(When::Ago(TimeDelta::hours(2))));
        assert_eq!(when("7d"), Ok(When::Ago(TimeDelta::days(7))));
        let at = "2026-11-30T01:00:00Z".parse::<DateTime<Utc>>().unwrap();
        assert_eq!(when("2026-11-30T01:00:00Z"), Ok(When::At(at)));
        assert_eq!(when("2026-11-30T04:00:00+03:00"), Ok(When::At(at)));
        for wrong in ["", "2", "h", "2w", "-1h", "1.5h", "99999999999999999999d", "9999999999999d", "2026-11-30"] {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }
}
