//! What is told to those who were told that it began: its end, and what people write.

use serde_json::json;
use sqlx::PgConnection;

use super::{
    Incidents, ROOM_ITSELF,
    deliver::{Receiver, Telling},
    tell::receivers_told,
};
use crate::{
    IncidentsError,
    jobs::{TellEnd, TellUpdate},
    model::{IncidentId, LogKind, Owner, UpdateId, What},
    store::updates,
};
use jobs::Enqueue;
use platform::ids::UserId;

impl Incidents {
    /// Enqueues what tells of the end, in the transaction that resolved it.
    pub(super) async fn plan_end(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        incident_id: IncidentId,
    ) -> Result<(), IncidentsError> {
        let options = Enqueue { unique_key: Some(incident_id.to_string()), ..Enqueue::default() };
        jobs::enqueue(conn, &self.inner.clock, owner.org(), &TellEnd { incident_id }, &options).await?;
        Ok(())
    }

    /// Tells of the end exactly those who were told that it began.
    pub(crate) async fn tell_end(&self, owner: Owner, id: IncidentId) -> Result<(), IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let receivers = receivers_told(&mut tx, id, None).await?;
        tx.commit().await?;
        let people = self.people(owner, &people_of(&receivers)).await?;
        let mut tx = self.begin(owner).await?;
        let Some(case) = self.case(&mut tx, owner, id).await? else { return Ok(tx.commit().await?) };
        if case.lasts() {
            // Reopened meanwhile: the end that was to be told is none.
            return Ok(tx.commit().await?);
        }
        let message = self.message(&mut tx, &case, What::Resolved).await?;
        let once = format!("resolved/{}", case.round);
        let telling = Telling { owner, incident: Some(id), rule: None, once, message: &message };
        let reached = self.deliver(&mut tx, &telling, &receivers, &people).await?;
        if reached > 0 {
            let detail = json!({ "what": What::Resolved, "receivers": reached });
            self.log(&mut tx, owner.org(), id, LogKind::Told, ROOM_ITSELF, detail).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Enqueues what tells of an update, in the transaction that writes it.
    pub(super) async fn plan_update(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        incident_id: IncidentId,
        update_id: UpdateId,
    ) -> Result<(), IncidentsError> {
        let options = Enqueue { unique_key: Some(update_id.to_string()), ..Enqueue::default() };
        let job = TellUpdate { incident_id, update_id };
        jobs::enqueue(conn, &self.inner.clock, owner.org(), &job, &options).await?;
        Ok(())
    }

    /// Tells those who were told that it began what a person has written. Not if that ended it: the end is told with it.
    pub(crate) async fn tell_update(
        &self,
        owner: Owner,
        id: IncidentId,
        update: UpdateId,
    ) -> Result<(), IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let receivers = receivers_told(&mut tx, id, None).await?;
        tx.commit().await?;
        let people = self.people(owner, &people_of(&receivers)).await?;
        let mut tx = self.begin(owner).await?;
        let Some(case) = self.case(&mut tx, owner, id).await? else { return Ok(tx.commit().await?) };
        let Some(said) = updates::get(&mut tx, id, update).await?.filter(|_| case.lasts()) else {
            return Ok(tx.commit().await?);
        };
        let mut message = self.message(&mut tx, &case, What::Updated).await?;
        message.text = said.body;
        message.status = said.status;
        let once = format!("updated/{update}");
        let telling = Telling { owner, incident: Some(id), rule: None, once, message: &message };
        self.deliver(&mut tx, &telling, &receivers, &people).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn people_of(receivers: &[Receiver]) -> Vec<UserId> {
    let person = |receiver: &Receiver| match receiver {
        Receiver::Person(user) => Some(*user),
        Receiver::Channel(_) => None,
    };
    receivers.iter().filter_map(person).collect()
}
