//! The further steps, until somebody acknowledges.

use chrono::TimeDelta;
use serde_json::json;

use super::{Incidents, ROOM_ITSELF, deliver::Telling, tell::receivers_of};
use crate::{
    IncidentsError,
    jobs::Escalate,
    metrics::EscalationOutcome,
    model::{IncidentStatus, LogKind, Owner, What},
    store::{rules, told},
};

impl Incidents {
    /// Does one step, or says that it is not needed any more.
    pub(crate) async fn escalate(&self, owner: Owner, job: &Escalate) -> Result<(), IncidentsError> {
        let Escalate { incident_id: id, rule_id, step, repeat, round } = *job;
        let on_call = self.on_call_of(owner, rule_id).await?;
        let people = self.people(owner, &on_call.values().copied().collect::<Vec<_>>()).await?;
        let mut tx = self.begin(owner).await?;
        let Some(case) = self.case(&mut tx, owner, id).await? else { return Ok(tx.commit().await?) };
        let all = rules::all(&mut tx, owner.org()).await?;
        let rule = all.iter().find(|known| known.id == rule_id && !known.disabled);
        let Some((rule, settings)) = rule.and_then(|rule| Some((rule, rule.steps.get(step)?))) else {
            return Ok(tx.commit().await?);
        };
        let acknowledged = case.incident.acknowledged_at.is_some();
        if acknowledged || !case.lasts() || case.round != round {
            // Once for all steps that are left.
            let once = format!("escalation_ended/{round}/{rule_id}");
            if told::take(&mut tx, owner.org(), id, &once).await? {
                let reason = if acknowledged { "acknowledged" } else { IncidentStatus::Resolved.as_str() };
                let detail = json!({ "rule": rule.key, "step": step, "because": reason });
                self.log(&mut tx, owner.org(), id, LogKind::EscalationEnded, ROOM_ITSELF, detail).await?;
                self.inner.metrics.escalated(EscalationOutcome::Ended, id, step);
            }
            return Ok(tx.commit().await?);
        }
        // A step that came at once, because nobody was reached, comes once.
        if !told::take(&mut tx, owner.org(), id, &format!("step/{round}/{rule_id}/{step}/{repeat}")).await? {
            return Ok(tx.commit().await?);
        }
        let receivers = receivers_of(settings, &on_call);
        let what = if repeat > 0 { What::Reminder } else { What::Escalated };
        let message = self.message(&mut tx, &case, what).await?;
        let once = format!("{}/{round}/{rule_id}/{step}/{repeat}", what.as_str());
        let telling = Telling { owner, incident: Some(id), rule: Some(rule_id), once, message: &message };
        let reached = self.deliver(&mut tx, &telling, &receivers, &people).await?;
        let detail = json!({ "rule": rule.key, "step": step, "repeat": repeat, "receivers": reached });
        self.log(&mut tx, owner.org(), id, LogKind::Escalated, ROOM_ITSELF, detail).await?;
        let outcome = if reached > 0 { EscalationOutcome::Told } else { EscalationOutcome::Nobody };
        self.inner.metrics.escalated(outcome, id, step);
        let now = self.inner.clock.now();
        if let Some(seconds) = settings.repeat_seconds {
            let next = now + TimeDelta::seconds(i64::from(seconds.max(60)));
            self.plan_step(&mut tx, &case, rule_id, step, repeat + 1, next).await?;
        }
        // Nobody is on call, or the person has no address: the next step does not wait for its time.
        if reached == 0 && repeat == 0 && rule.steps.len() > step + 1 {
            self.plan_step(&mut tx, &case, rule_id, step + 1, 0, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
