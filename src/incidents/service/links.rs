//! Acknowledging by a link in a mail: for one incident and one person, for a day. Mail scanners follow links, so only a POST acknowledges.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Incidents;
use crate::{
    IncidentsError,
    model::{Incident, IncidentId, Owner},
    store::incidents,
};
use platform::{
    crypto,
    ids::{OrgId, UserId},
};

const LABEL: &str = "incidents.acknowledge";
const VALID: TimeDelta = TimeDelta::hours(24);

/// What a link is for.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    pub incident: Incident,
    owner: Owner,
    user: UserId,
}

impl Incidents {
    /// `<incident>.<organisation or 0>.<person>.<end>.<signature>`
    pub(super) fn acknowledge_link(&self, owner: Owner, incident: IncidentId, user: UserId) -> String {
        let until = (self.inner.clock.now() + VALID).timestamp();
        let org = owner.org().map_or_else(|| "0".to_owned(), |org| org.0.simple().to_string());
        let signed = format!("{}.{org}.{}.{until}", incident.0.simple(), user.0.simple());
        format!("{}/acknowledge/{signed}.{}", self.inner.base_url, self.signature(&signed))
    }

    fn signature(&self, signed: &str) -> String {
        let key = self.inner.master_key.derive(LABEL);
        crypto::hex(&crypto::hmac_sha256(&key, signed.as_bytes()))[..40].to_owned()
    }

    /// Changes nothing.
    pub async fn open_acknowledgement(&self, token: &str) -> Result<Acknowledgement, IncidentsError> {
        let (owner, id, user) = self.read(token).ok_or(IncidentsError::NotFound("link"))?;
        let mut tx = self.begin(owner).await?;
        let row = incidents::rows(&mut tx, &[id.0]).await?.pop();
        tx.commit().await?;
        let row =
            row.filter(|row| row.org_id == owner.org().map(|org| org.0)).ok_or(IncidentsError::NotFound("link"))?;
        Ok(Acknowledgement { incident: row.into(), owner, user })
    }

    pub async fn acknowledge_by_link(&self, token: &str) -> Result<Acknowledgement, IncidentsError> {
        let found = self.open_acknowledgement(token).await?;
        // Who has left since the mail was sent acknowledges nothing.
        if !self.people(found.owner, &[found.user]).await?.by_id.contains_key(&found.user) {
            return Err(IncidentsError::NotFound("link"));
        }
        let by = format!("user:{}", found.user);
        let mut tx = self.begin(found.owner).await?;
        self.acknowledge_in(&mut tx, found.owner, found.incident.id, &by).await?;
        self.finish(tx, found.incident.id, Vec::new()).await?;
        self.open_acknowledgement(token).await
    }

    fn read(&self, token: &str) -> Option<(Owner, IncidentId, UserId)> {
        let (signed, signature) = token.rsplit_once('.')?;
        if !crypto::constant_time_eq(self.signature(signed).as_bytes(), signature.as_bytes()) {
            return None;
        }
        let mut parts = signed.split('.');
        let (incident, org, user, until) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let until = DateTime::<Utc>::from_timestamp(until.parse().ok()?, 0)?;
        if until < self.inner.clock.now() {
            return None;
        }
        let owner = if org == "0" { Owner::Installation } else { Owner::Org(OrgId(org.parse::<Uuid>().ok()?)) };
        Some((owner, IncidentId(incident.parse().ok()?), UserId(user.parse().ok()?)))
    }
}
