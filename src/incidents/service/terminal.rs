//! What the command line does, for one owner.

use super::{Incidents, OnCall, Tried, UpdateDraft, incidents::IncidentFull};
use crate::{
    IncidentsError,
    model::{IncidentId, LogEntry, Owner, Rota},
    store::{
        channels,
        incidents::{self, Row},
        rota,
    },
};
use platform::{db::Tx, http::Slice};

/// Rotas that are shown, and entries of a log.
const MOST: i64 = 200;

impl Incidents {
    /// With its log, newest first.
    pub async fn show_for(
        &self,
        owner: Owner,
        id: IncidentId,
    ) -> Result<(IncidentFull, Vec<LogEntry>), IncidentsError> {
        let (mut tx, _, row) = self.find_for(owner, id).await?;
        let log = incidents::log_of(&mut tx, id, &Slice::first(MOST)).await?;
        Ok((self.full(tx, row.into()).await?, log))
    }

    pub async fn acknowledge_for(
        &self,
        owner: Owner,
        id: IncidentId,
        by: &str,
    ) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, ..) = self.find_for(owner, id).await?;
        self.acknowledge_in(&mut tx, owner, id, by).await?;
        self.finish(tx, id, Vec::new()).await
    }

    pub async fn update_for(
        &self,
        owner: Owner,
        id: IncidentId,
        draft: UpdateDraft,
        by: &str,
    ) -> Result<IncidentFull, IncidentsError> {
        let found = self.find_for(owner, id).await?;
        self.update_in(found, None, draft, by).await
    }

    /// `body`: an update that says it; empty: none.
    pub async fn resolve_for(
        &self,
        owner: Owner,
        id: IncidentId,
        body: &str,
        by: &str,
    ) -> Result<IncidentFull, IncidentsError> {
        let found = self.find_for(owner, id).await?;
        self.resolve_in(found, body, false, by).await
    }

    /// Who is on call now, by rota.
    pub async fn on_call_for(&self, owner: Owner) -> Result<Vec<(Rota, OnCall)>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let rotas = rota::list(&mut tx, owner.org(), None, &Slice::first(MOST)).await?;
        tx.commit().await?;
        let mut found = Vec::new();
        for rota in rotas {
            let on_call = self.on_call_in(owner, &rota, None).await?;
            found.push((rota, on_call));
        }
        Ok(found)
    }

    /// Sends a test message to the channel with this key.
    pub async fn try_channel_for(&self, owner: Owner, key: &str) -> Result<Tried, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let known = channels::keys(&mut tx, owner.org()).await?.into_iter().find(|(known, ..)| known == key);
        let Some((_, id, _)) = known else { return Err(IncidentsError::NotFound("channel")) };
        let row = channels::read(&mut tx, owner.org(), &[id.0]).await?.pop();
        tx.commit().await?;
        self.try_in(owner, &row.ok_or(IncidentsError::NotFound("channel"))?).await
    }

    async fn find_for(&self, owner: Owner, id: IncidentId) -> Result<(Tx, Owner, Row), IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let row = incidents::locked(&mut tx, owner.org(), id).await?;
        Ok((tx, owner, row.ok_or(IncidentsError::NotFound("incident"))?))
    }
}
