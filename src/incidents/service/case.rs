//! An incident as those who tell it look at it, and the message that says it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Incidents;
use crate::{
    IncidentsError, merge,
    message::Message,
    model::{Cause, CauseSource, Incident, IncidentId, Owner, RuleId, What, distinct},
    store::{causes, components, incidents, updates},
};
use alerting::AlertId;
use platform::{db::Tx, http::Slice};

/// An incident that is looked at, locked.
pub(super) struct Case {
    pub owner: Owner,
    pub incident: Incident,
    pub causes: Vec<Cause>,
    pub is_storm: bool,
    /// When the newest cause came.
    pub joined: Option<DateTime<Utc>>,
    /// How often it was reopened.
    pub round: i64,
}

impl Case {
    /// How many monitors and alerts it is about.
    pub fn count(&self) -> usize {
        distinct(self.causes.iter())
    }

    pub fn lasts(&self) -> bool {
        self.incident.resolved_at.is_none()
    }

    /// How keys of messages of this kind begin: `<what>/<number>/<rule>`.
    pub fn begin_of(&self, what: What, rule: RuleId) -> String {
        format!("{}/{}/{rule}", what.as_str(), self.round)
    }
}

impl Incidents {
    /// The incident with what telling needs; `None`: it does not exist, or is a part of another.
    pub(super) async fn case(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: IncidentId,
    ) -> Result<Option<Case>, IncidentsError> {
        let Some(row) = incidents::locked(conn, owner.org(), id).await? else { return Ok(None) };
        if row.merged_into.is_some() {
            return Ok(None);
        }
        let is_storm = row.merge_key.as_deref() == Some(merge::STORM_KEY);
        let causes = causes::of(conn, &[id.0]).await?.into_iter().map(|(_, cause)| cause).collect();
        let (joined, round) = incidents::course(conn, id).await?;
        Ok(Some(Case { owner, incident: row.into(), causes, is_storm, joined, round }))
    }

    /// What is told of an incident as it is now.
    pub(super) async fn message(&self, tx: &mut Tx, case: &Case, what: What) -> Result<Message, IncidentsError> {
        let id = case.incident.id;
        let affected: Vec<Uuid> =
            incidents::affected(tx, &[id.0]).await?.into_iter().map(|(_, component, _)| component.0).collect();
        let names = components::read(tx, &affected).await?.into_iter().map(|component| component.name).collect();
        let mut message = Message::about(what, &case.incident, &case.causes, names, self.page(id));
        // The room says a status and no text: the last words are those of a person before.
        let newest = updates::list(tx, id, &Slice::first(10)).await?;
        if let Some(update) = newest.into_iter().find(|update| !update.body.is_empty()) {
            message.text = update.body;
        }
        let alert = case.causes.iter().find(|known| known.source == CauseSource::Alert);
        if let Some(alert) = alert {
            message.runbook_url = alert.traits.runbook.clone().unwrap_or_default();
            if message.runbook_url.is_empty() {
                message.runbook_url = format!("{}/alerts/{}", self.inner.base_url, AlertId(alert.subject));
            }
        }
        Ok(message)
    }
}
