//! A rule, saved or not, against the past.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Incidents, rules::RuleDraft};
use crate::{
    IncidentsError,
    model::{Cause, CauseSource, ComponentId, Held, Rule, RuleId, Severity, Traits, What},
    preview::{self, Past},
    store::{components, rules},
};
use platform::http::Principal;
use uptime::{MonitorId, Span};

const MOST: usize = 500;

/// A rule to be tried: one that exists, changed by the fields that are given; or a new one.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentRulePreviewRequest)]
pub struct PreviewRequest {
    #[serde(default)]
    pub rule_id: Option<RuleId>,
    #[serde(default)]
    pub rule: RuleDraft,
    /// 7, 30 or 90.
    pub days: u16,
    /// Of the installation; operators only.
    #[serde(default)]
    pub installation: bool,
}

/// What the rule would have done.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentRulePreview)]
pub struct Preview {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Incidents that it is for.
    pub incidents: usize,
    pub messages: usize,
    /// Messages that would have waited for the end of quiet hours.
    pub held: usize,
    pub flapping: usize,
    /// At most 500, oldest first.
    pub list: Vec<Would>,
}

/// A message that would have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = IncidentRulePreviewMessage)]
pub struct Would {
    pub at: DateTime<Utc>,
    pub incident: String,
    pub what: What,
    /// Why it would have been held back; null: it would not.
    pub held: Option<Held>,
}

impl Incidents {
    pub async fn preview(&self, who: &Principal, request: PreviewRequest) -> Result<Preview, IncidentsError> {
        let owner = self.owner(who, request.installation)?;
        if ![7, 30, 90].contains(&request.days) {
            return Err(IncidentsError::invalid("/days", "invalid", "7, 30 or 90"));
        }
        let until = self.inner.clock.now();
        let from = until - TimeDelta::days(i64::from(request.days));
        let mut tx = self.begin(owner).await?;
        let all = rules::all(&mut tx, owner.org()).await?;
        let old = match request.rule_id {
            Some(id) => all.into_iter().find(|rule| rule.id == id).ok_or(IncidentsError::NotFound("rule"))?,
            None => Rule::blank(RuleId(Uuid::nil()), owner.org().is_none(), "preview", until),
        };
        let rule = request.rule.over(&old);
        let spans = self.inner.rooms.uptime.outages(&mut tx, owner, from).await?;
        let mut ids: Vec<MonitorId> = spans.iter().map(|span| span.monitor_id).collect();
        ids.sort_unstable();
        ids.dedup();
        let monitors: BTreeMap<MonitorId, uptime::Monitor> = self
            .inner
            .rooms
            .uptime
            .monitors(&mut tx, &ids)
            .await?
            .into_iter()
            .map(|monitor| (monitor.id, monitor))
            .collect();
        let uuids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let links = components::of_monitors(&mut tx, &uuids).await?;
        let hosts = self.inner.rooms.uptime.hosts(&mut tx, &ids).await?;
        tx.commit().await?;
        let mut past: Vec<Past> = outages(&spans)
            .into_iter()
            .filter_map(|(first, ends_at)| {
                let monitor = monitors.get(&first.monitor_id)?;
                let of: Vec<ComponentId> =
                    links.iter().filter(|link| link.0 == monitor.id).map(|link| link.1).collect();
                Some(past_of(first, ends_at, monitor, hosts.get(&monitor.id).cloned(), of))
            })
            .collect();
        past.sort_by_key(|past| past.known_at);
        let settle = TimeDelta::seconds(i64::from(self.inner.config.settle_seconds));
        let (would_be, messages) = preview::run(&rule, &past, settle, until);
        let count = |wanted: fn(&preview::Would) -> bool| messages.iter().filter(|message| wanted(message)).count();
        let mut seen: Vec<usize> = messages.iter().map(|message| message.incident).collect();
        seen.sort_unstable();
        seen.dedup();
        let name = |number: usize| would_be.get(number).map(|incident| incident.name.clone()).unwrap_or_default();
        Ok(Preview {
            from,
            until,
            incidents: seen.len(),
            messages: count(|message| message.held.is_none()),
            held: count(|message| message.held == Some(Held::Quiet)),
            flapping: count(|message| message.what == What::Flapping),
            list: messages
                .iter()
                .take(MOST)
                .map(|message| Would {
                    at: message.at,
                    incident: name(message.incident),
                    what: message.what,
                    held: message.held,
                })
                .collect(),
        })
    }
}

/// Each outage by its first span that was told, with its end: spans after a gap or a window are the same outage.
fn outages(spans: &[Span]) -> Vec<(&Span, Option<DateTime<Utc>>)> {
    let mut found: BTreeMap<Uuid, (&Span, Option<DateTime<Utc>>)> = BTreeMap::new();
    for span in spans {
        let outage = span.outage_id.map_or(span.id.0, |outage| outage.0);
        match found.get_mut(&outage) {
            Some((_, ends_at)) => *ends_at = span.ends_at,
            None if span.told => {
                found.insert(outage, (span, span.ends_at));
            }
            None => {}
        }
    }
    found.into_values().collect()
}

fn past_of(
    span: &Span,
    ends_at: Option<DateTime<Utc>>,
    monitor: &uptime::Monitor,
    host: Option<String>,
    components: Vec<ComponentId>,
) -> Past {
    let cause = Cause {
        source: CauseSource::Monitor,
        reference: span.outage_id.map_or(span.id.0, |outage| outage.0),
        subject: monitor.id.0,
        name: monitor.name.clone(),
        traits: Traits {
            parent: monitor.parent_id,
            group: monitor.group_id,
            host,
            tags: monitor.tags.clone(),
            error: span.error.clone(),
            ..Traits::default()
        },
        opened_at: span.starts_at,
        closed_at: ends_at,
    };
    Past { cause, severity: Severity::Critical, known_at: span.confirmed_at, components }
}
