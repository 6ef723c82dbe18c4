//! Who is told when: the opening after a short wait, what joined later, flapping, the end.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Incidents, ROOM_ITSELF,
    case::Case,
    deliver::{Receiver, Telling},
    people::People,
};
use crate::{
    IncidentsError,
    flap::{self, Limits},
    grouping::{self, Opening},
    jobs::{Escalate, Tell},
    matching,
    model::{Cause, CauseSource, Held, IncidentId, LogKind, Owner, Rule, RuleId, Severity, Step, What},
    quiet,
    store::{causes, incidents, rota, rules, told},
};
use jobs::Enqueue;
use platform::{db::Tx, http::Slice, ids::UserId};

impl Incidents {
    /// Enqueues what tells an incident by each of its rules, in the transaction that opened it or added to it. Last in that.
    pub(super) async fn plan_telling(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        incident: IncidentId,
    ) -> Result<(), IncidentsError> {
        let Some(row) = incidents::rows(conn, &[incident.0]).await?.pop() else { return Ok(()) };
        let severity = row.severity.parse().unwrap_or(Severity::Warning);
        let causes: Vec<Cause> = causes::of(conn, &[incident.0]).await?.into_iter().map(|(_, cause)| cause).collect();
        let all = rules::all(conn, owner.org()).await?;
        let mut found = matching::rules_for(&all, severity, &causes);
        // Of alerts room notices tells.
        let is_outage = causes.iter().any(|cause| cause.source == CauseSource::Monitor);
        if found.is_empty() && is_outage && told::take(conn, owner.org(), incident, "nobody").await? {
            self.log(conn, owner.org(), incident, LogKind::Nobody, ROOM_ITSELF, json!({})).await?;
            self.inner.metrics.told_nobody(incident);
        }
        found.sort_by_key(|rule| rule.id);
        let now = self.inner.clock.now();
        for rule in found {
            let wait = TimeDelta::milliseconds(i64::from(rule.group_wait_ms));
            let after = row.started_at + TimeDelta::seconds(i64::from(rule.after_seconds));
            self.plan(conn, owner, incident, rule.id, (now + wait).max(after)).await?;
        }
        Ok(())
    }

    async fn plan(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        incident_id: IncidentId,
        rule_id: RuleId,
        at: DateTime<Utc>,
    ) -> Result<(), IncidentsError> {
        let options =
            Enqueue { run_at: Some(at), unique_key: Some(format!("{incident_id}/{rule_id}")), ..Enqueue::default() };
        jobs::enqueue(conn, &self.inner.clock, owner.org(), &Tell { incident_id, rule_id }, &options).await?;
        Ok(())
    }

    /// Tells an incident by one rule, as far as there is something to tell.
    pub(crate) async fn tell(&self, owner: Owner, id: IncidentId, rule: RuleId) -> Result<(), IncidentsError> {
        self.wait_for_writers(owner).await?;
        let wanted = self.on_call_of(owner, rule).await?;
        let people = self.people(owner, &wanted.values().copied().collect::<Vec<_>>()).await?;
        let mut tx = self.begin(owner).await?;
        let Some(case) = self.case(&mut tx, owner, id).await? else { return Ok(tx.commit().await?) };
        let all = rules::all(&mut tx, owner.org()).await?;
        let Some(rule) = all.iter().find(|known| known.id == rule && !known.disabled) else {
            return Ok(tx.commit().await?);
        };
        let opened = !told::keys(&mut tx, id, &case.begin_of(What::Opened, rule.id)).await?.is_empty();
        if opened {
            self.tell_course(&mut tx, &case, rule, &people).await?;
        } else {
            self.tell_opening(&mut tx, &case, rule, &people, &wanted).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Many outages take a while to write. Those that are being written now belong to what is told.
    async fn wait_for_writers(&self, owner: Owner) -> Result<(), IncidentsError> {
        let mut tx = self.begin(owner).await?;
        incidents::lock_owner(&mut tx, owner.org()).await?;
        // Not kept: a writer may have an incident that is told, and wait for this lock.
        Ok(tx.commit().await?)
    }

    async fn tell_opening(
        &self,
        tx: &mut Tx,
        case: &Case,
        rule: &Rule,
        people: &People,
        wanted: &BTreeMap<Uuid, UserId>,
    ) -> Result<(), IncidentsError> {
        let (now, id) = (self.inner.clock.now(), case.incident.id);
        if let Some(at) = waits_until(case, rule, now) {
            return self.plan(tx, case.owner, id, rule.id, at).await;
        }
        let is_down = case.causes.is_empty() || case.causes.iter().any(Cause::lasts);
        // It was over sooner than the rule asks for.
        if rule.after_seconds > 0 && !is_down {
            return Ok(());
        }
        let held = format!("held/{}/{}", case.round, rule.id);
        let was_held = !told::keys(tx, id, &held).await?.is_empty();
        if let Some(until) = quiet::held_until(&rule.quiet, case.incident.severity, now).filter(|_| case.lasts()) {
            if told::take(tx, case.owner.org(), id, &held).await? {
                let detail = json!({ "rule": rule.key, "reason": Held::Quiet, "until": until });
                self.log(tx, case.owner.org(), id, LogKind::Held, ROOM_ITSELF, detail).await?;
                self.inner.metrics.held(Held::Quiet, id);
            }
            return self.plan(tx, case.owner, id, rule.id, until).await;
        }
        // What was held is told only if it is still true.
        if was_held && !case.lasts() {
            return Ok(());
        }
        let first: Vec<(usize, &Step)> =
            rule.steps.iter().enumerate().filter(|(_, step)| step.after_seconds <= 0).collect();
        let receivers: Vec<Receiver> = first.iter().flat_map(|(_, step)| receivers_of(step, wanted)).collect();
        let message = self.message(tx, case, What::Opened).await?;
        let once = format!("{}/0", case.begin_of(What::Opened, rule.id));
        // Decided, even if nobody can be reached: the escalation goes on.
        told::take(tx, case.owner.org(), id, &format!("{once}/any")).await?;
        let telling = Telling { owner: case.owner, incident: Some(id), rule: Some(rule.id), once, message: &message };
        let reached = self.deliver(tx, &telling, &receivers, people).await?;
        self.note_count(tx, case, rule.id).await?;
        let detail = json!({ "rule": rule.key, "what": What::Opened, "receivers": reached });
        self.log(tx, case.owner.org(), id, LogKind::Told, ROOM_ITSELF, detail).await?;
        self.inner.metrics.first_told((now - case.incident.created_at).as_seconds_f64());
        if case.lasts() {
            self.plan_steps(tx, case, rule, reached == 0).await?;
        } else {
            // It began and ended before anything could be told: the message says both.
            let begin = format!("resolved/{}", case.round);
            for receiver in &receivers {
                told::take(tx, case.owner.org(), id, &format!("{begin}/{receiver}")).await?;
            }
        }
        Ok(())
    }

    /// The further steps, and reminders of those that were told. `at_once`: nobody was reached, so the first of them is not waited for.
    async fn plan_steps(&self, tx: &mut Tx, case: &Case, rule: &Rule, at_once: bool) -> Result<(), IncidentsError> {
        let mut at_once = at_once;
        for (step, settings) in rule.steps.iter().enumerate() {
            let after = TimeDelta::seconds(i64::from(settings.after_seconds.max(0)));
            let (repeat, at) = if settings.after_seconds <= 0 {
                let Some(repeat) = settings.repeat_seconds else { continue };
                (1, self.inner.clock.now() + TimeDelta::seconds(i64::from(repeat)))
            } else if std::mem::take(&mut at_once) {
                (0, self.inner.clock.now())
            } else {
                (0, self.inner.clock.now() + after)
            };
            self.plan_step(tx, case, rule.id, step, repeat, at).await?;
        }
        Ok(())
    }

    /// `repeat`: 0 for the step itself, then its reminders.
    pub(super) async fn plan_step(
        &self,
        tx: &mut Tx,
        case: &Case,
        rule_id: RuleId,
        step: usize,
        repeat: u32,
        at: DateTime<Utc>,
    ) -> Result<(), IncidentsError> {
        let incident_id = case.incident.id;
        let job = Escalate { incident_id, rule_id, step, repeat, round: case.round };
        let options = Enqueue {
            run_at: Some(at),
            // With its time: one that is to come at once does not wait for the one that was planned.
            unique_key: Some(format!("{incident_id}/{rule_id}/{step}/{repeat}/{}/{}", case.round, at.timestamp())),
            ..Enqueue::default()
        };
        jobs::enqueue(tx, &self.inner.clock, case.owner.org(), &job, &options).await?;
        Ok(())
    }

    /// What happened since it was told: it flaps, or more joined.
    async fn tell_course(&self, tx: &mut Tx, case: &Case, rule: &Rule, people: &People) -> Result<(), IncidentsError> {
        let (now, id) = (self.inner.clock.now(), case.incident.id);
        let limits = limits_of(rule);
        let changes = causes::changes(tx, id, now - limits.within.max(flap::STEADY_DOWN)).await?;
        let is_down = case.causes.iter().any(Cause::lasts);
        let flaps = flap::is_flapping(case.incident.flapping, &changes, is_down, limits, now);
        if flaps != case.incident.flapping {
            incidents::set_flapping(tx, id, flaps, now).await?;
            let what = if flaps { LogKind::Flapping } else { LogKind::Steady };
            self.log(tx, case.owner.org(), id, what, ROOM_ITSELF, json!({ "changes": changes.len() })).await?;
            if flaps {
                self.tell_again(tx, case, rule, people, What::Flapping, "0").await?;
            } else if is_down {
                let number = now.timestamp().to_string();
                self.tell_again(tx, case, rule, people, What::Updated, &number).await?;
            }
        } else if flaps {
            self.inner.metrics.held(Held::Flapping, id);
        }
        if flaps {
            if let Some(at) = flap::steady_at(&changes, is_down, limits) {
                self.plan(tx, case.owner, id, rule.id, at.max(now + TimeDelta::seconds(1))).await?;
            }
            return Ok(());
        }
        if !case.lasts() {
            return Ok(());
        }
        let before = self.counted(tx, case, rule.id).await?;
        if !grouping::has_grown(before, case.count()) {
            return Ok(());
        }
        let last = told::last(tx, id, rule.id).await?.unwrap_or(case.incident.created_at);
        let next = last + TimeDelta::seconds(i64::from(rule.group_interval_seconds));
        if now < next {
            self.inner.metrics.held(Held::Grouped, id);
            return self.plan(tx, case.owner, id, rule.id, next).await;
        }
        let number = case.count().to_string();
        self.tell_again(tx, case, rule, people, What::Grown, &number).await?;
        self.note_count(tx, case, rule.id).await
    }

    /// To whom it was told that it began.
    async fn tell_again(
        &self,
        tx: &mut Tx,
        case: &Case,
        rule: &Rule,
        people: &People,
        what: What,
        number: &str,
    ) -> Result<(), IncidentsError> {
        let id = case.incident.id;
        let receivers = receivers_told(tx, id, Some(rule.id)).await?;
        let message = self.message(tx, case, what).await?;
        let once = format!("{}/{number}", case.begin_of(what, rule.id));
        let telling = Telling { owner: case.owner, incident: Some(id), rule: Some(rule.id), once, message: &message };
        let reached = self.deliver(tx, &telling, &receivers, people).await?;
        let detail = json!({ "rule": rule.key, "what": what, "receivers": reached });
        self.log(tx, case.owner.org(), id, LogKind::Told, ROOM_ITSELF, detail).await
    }

    /// How many monitors and alerts it had when it was told.
    async fn counted(&self, tx: &mut Tx, case: &Case, rule: RuleId) -> Result<usize, IncidentsError> {
        let begin = format!("count/{}/{rule}/", case.round);
        let keys = told::keys(tx, case.incident.id, &begin).await?;
        Ok(keys.iter().filter_map(|key| key.strip_prefix(&begin)?.parse().ok()).max().unwrap_or(0))
    }

    async fn note_count(&self, tx: &mut Tx, case: &Case, rule: RuleId) -> Result<(), IncidentsError> {
        let once = format!("count/{}/{rule}/{}", case.round, case.count());
        told::take(tx, case.owner.org(), case.incident.id, &once).await?;
        Ok(())
    }

    /// Who is on call now for each rota of a rule.
    pub(super) async fn on_call_of(
        &self,
        owner: Owner,
        rule: RuleId,
    ) -> Result<BTreeMap<Uuid, UserId>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let all = rules::all(&mut tx, owner.org()).await?;
        let steps = all.iter().filter(|known| known.id == rule).flat_map(|rule| &rule.steps);
        let ids: Vec<Uuid> = steps.filter_map(|step| step.rota.map(|rota| rota.0)).collect();
        let mut found = BTreeMap::new();
        let now = self.inner.clock.now();
        for rota in rota::read(&mut tx, owner.org(), &ids).await? {
            let overrides = rota::overrides(&mut tx, rota.id, now, &Slice::first(200)).await?;
            let zone = rota.zone.parse().unwrap_or(chrono_tz::Tz::UTC);
            if let Some(person) = crate::rota::on_call(&rota.layers, &overrides, zone, now) {
                found.insert(rota.id.0, person);
            }
        }
        tx.commit().await?;
        Ok(found)
    }
}

/// Whom a step tells.
pub(super) fn receivers_of(step: &Step, on_call: &BTreeMap<Uuid, UserId>) -> Vec<Receiver> {
    let person = step.rota.and_then(|rota| on_call.get(&rota.0)).map(|user| Receiver::Person(*user));
    step.channels.iter().map(|channel| Receiver::Channel(*channel)).chain(person).collect()
}

/// Whom it was told that it began, by this rule or any.
pub(super) async fn receivers_told(
    conn: &mut PgConnection,
    incident: IncidentId,
    rule: Option<RuleId>,
) -> Result<Vec<Receiver>, IncidentsError> {
    let rows = told::receivers(conn, incident).await?;
    let wanted = rows.into_iter().filter(|reached| rule.is_none() || reached.rule == rule);
    let receiver =
        |reached: told::Reached| reached.user.map(Receiver::Person).or(reached.channel.map(Receiver::Channel));
    Ok(wanted.filter_map(receiver).collect())
}

/// Until when the opening waits; `None`: it is told now.
fn waits_until(case: &Case, rule: &Rule, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let after = case.incident.started_at + TimeDelta::seconds(i64::from(rule.after_seconds));
    if now < after {
        return Some(after);
    }
    let opening = Opening {
        opened_at: case.incident.created_at,
        joined_at: case.joined?,
        group_wait: TimeDelta::milliseconds(i64::from(rule.group_wait_ms)),
        is_storm: case.is_storm,
    };
    opening.waits_until(now)
}

pub(super) fn limits_of(rule: &Rule) -> Limits {
    Limits {
        changes: usize::try_from(rule.flap_changes).unwrap_or(usize::MAX),
        within: TimeDelta::minutes(i64::from(rule.flap_minutes)),
    }
}
