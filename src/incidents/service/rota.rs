//! Rotas: who is on call when.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Incidents, owners};
use crate::{
    IncidentsError,
    model::{ChannelId, Layer, Override, OverrideId, Owner, Rota, RotaId, Turn},
    rota as pure,
    store::{channels, rota},
};
use console::Lang;
use jobs::Cron;
use platform::{
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    ids::UserId,
    names::tidy,
};
use uptime::{ManagedBy, file::is_key};

const MOST_LAYERS: usize = 10;
const MOST_PEOPLE: usize = 50;

/// What a rota is made of. Absent when changing: it stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentRotaDraft)]
pub struct RotaDraft {
    /// Its identity: 1 to 100 lower-case letters, digits, hyphens and underscores. Only when it is made.
    pub key: Option<String>,
    pub name: Option<String>,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: Option<String>,
    /// Of two that cover a moment the later one has it.
    pub layers: Option<Vec<Layer>>,
    /// Of the installation; operators only, and only when it is made.
    pub installation: bool,
}

/// Somebody stands in.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(
    as = IncidentRotaOverrideDraft,
    example = json!({
        "user_id": "0190b5a0-0000-7000-8000-000000000000", "starts_at": "2030-01-02T09:00:00Z", "ends_at": "2030-01-02T17:00:00Z",
    })
)]
pub struct OverrideDraft {
    pub user_id: UserId,
    pub starts_at: DateTime<Utc>,
    pub ends_at: DateTime<Utc>,
}

/// Who is on call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentOnCall)]
pub struct OnCall {
    pub at: DateTime<Utc>,
    /// Null: nobody.
    pub user_id: Option<UserId>,
    pub name: Option<String>,
    /// Turns of the next fourteen days.
    pub shifts: Vec<OnCallShift>,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = IncidentOnCallShift)]
pub struct OnCallShift {
    pub user_id: UserId,
    pub name: Option<String>,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// Where a person is told.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentPersonDraft)]
pub struct PersonDraft {
    /// Channels of the organisation; empty: by mail to the account's address.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
    /// `en` or `ru`
    pub language: String,
}

/// Where a person is told.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = IncidentPerson)]
pub struct PersonSettings {
    pub channels: Vec<ChannelId>,
    pub language: String,
}

impl Incidents {
    pub async fn list_rotas(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Rota>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let found = rota::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn get_rota(&self, who: &Principal, id: RotaId) -> Result<Rota, IncidentsError> {
        let (tx, _, rota) = self.find_rota(who, id).await?;
        tx.commit().await?;
        Ok(rota)
    }

    pub async fn create_rota(&self, who: &Principal, draft: RotaDraft) -> Result<Rota, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        let now = self.inner.clock.now();
        let rota = Rota {
            id: RotaId::generate(&self.inner.clock),
            installation: owner == Owner::Installation,
            key: draft.key.unwrap_or_default(),
            name: tidy(draft.name.as_deref().unwrap_or_default()),
            zone: draft.zone.unwrap_or_else(|| "UTC".to_owned()),
            layers: draft.layers.unwrap_or_default(),
            managed_by: None,
            created_at: now,
            updated_at: now,
        };
        let mut errors = self.rota_faults(owner, &rota).await?;
        if !is_key(&rota.key) {
            errors.push(FieldError::new(
                "/key",
                "invalid",
                "1 to 100 lower-case letters, digits, hyphens and underscores",
            ));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let mut tx = self.begin(owner).await?;
        if !rota::insert(&mut tx, owner.org(), &rota, &who.subject()).await? {
            return Err(IncidentsError::Conflict("taken", format!("there is a rota with the key {:?}", rota.key)));
        }
        tx.commit().await?;
        Ok(rota)
    }

    pub async fn update_rota(&self, who: &Principal, id: RotaId, draft: RotaDraft) -> Result<Rota, IncidentsError> {
        let (tx, owner, old) = self.find_rota(who, id).await?;
        tx.commit().await?;
        if old.managed_by == Some(ManagedBy::File) {
            return Err(IncidentsError::Managed);
        }
        let rota = Rota {
            name: draft.name.as_deref().map_or_else(|| old.name.clone(), tidy),
            zone: draft.zone.unwrap_or_else(|| old.zone.clone()),
            layers: draft.layers.unwrap_or_else(|| old.layers.clone()),
            updated_at: self.inner.clock.now(),
            ..old
        };
        let errors = self.rota_faults(owner, &rota).await?;
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let mut tx = self.begin(owner).await?;
        rota::update(&mut tx, id, (&rota.name, &rota.zone, &rota.layers), rota.updated_at).await?;
        tx.commit().await?;
        Ok(rota)
    }

    pub async fn delete_rota(&self, who: &Principal, id: RotaId) -> Result<(), IncidentsError> {
        let (mut tx, owner, old) = self.find_rota(who, id).await?;
        if old.managed_by == Some(ManagedBy::File) {
            return Err(IncidentsError::Managed);
        }
        let used = crate::store::rules::all(&mut tx, owner.org()).await?;
        if let Some(rule) = used.iter().find(|rule| rule.steps.iter().any(|step| step.rota == Some(id))) {
            let why = format!("the rule {:?} tells whoever is on call here: change it first", rule.name);
            return Err(IncidentsError::Conflict("in_use", why));
        }
        rota::delete(&mut tx, id).await?;
        tx.commit().await?;
        Ok(())
    }

    pub async fn on_call(
        &self,
        who: &Principal,
        id: RotaId,
        at: Option<DateTime<Utc>>,
    ) -> Result<OnCall, IncidentsError> {
        let (tx, owner, found) = self.find_rota(who, id).await?;
        tx.commit().await?;
        self.on_call_in(owner, &found, at).await
    }

    /// As [`Self::on_call`], for who has found the rota.
    pub(super) async fn on_call_in(
        &self,
        owner: Owner,
        found: &Rota,
        at: Option<DateTime<Utc>>,
    ) -> Result<OnCall, IncidentsError> {
        let at = at.unwrap_or_else(|| self.inner.clock.now());
        let mut tx = self.begin(owner).await?;
        let overrides = rota::overrides(&mut tx, found.id, at, &Slice::first(200)).await?;
        tx.commit().await?;
        let zone = found.zone.parse().unwrap_or(chrono_tz::Tz::UTC);
        let user_id = pure::on_call(&found.layers, &overrides, zone, at);
        let shifts = pure::shifts(&found.layers, &overrides, zone, (at, at + TimeDelta::days(14)));
        let mut wanted: Vec<UserId> = shifts.iter().map(|shift| shift.person).chain(user_id).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let people = self.people(owner, &wanted).await?;
        let name = |user: UserId| people.by_id.get(&user).map(|person| person.name.clone());
        let shifts = shifts
            .into_iter()
            .map(|shift| OnCallShift {
                user_id: shift.person,
                name: name(shift.person),
                from: shift.from,
                until: shift.until,
            })
            .collect();
        Ok(OnCall { at, user_id, name: user_id.and_then(name), shifts })
    }

    pub async fn list_overrides(
        &self,
        who: &Principal,
        id: RotaId,
        slice: &Slice,
    ) -> Result<Vec<Override>, IncidentsError> {
        let (mut tx, _, _) = self.find_rota(who, id).await?;
        let found = rota::overrides(&mut tx, id, self.inner.clock.now(), slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn add_override(
        &self,
        who: &Principal,
        id: RotaId,
        draft: OverrideDraft,
    ) -> Result<Override, IncidentsError> {
        let (tx, owner, _) = self.find_rota(who, id).await?;
        tx.commit().await?;
        let mut errors = Vec::new();
        if draft.ends_at <= draft.starts_at || draft.ends_at - draft.starts_at > TimeDelta::days(366) {
            errors.push(FieldError::new("/ends_at", "invalid", "it ends after it begins, within a year"));
        }
        if !self.people(owner, &[draft.user_id]).await?.by_id.contains_key(&draft.user_id) {
            errors.push(FieldError::new("/user_id", "unknown", "there is no such person here"));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let new = Override {
            id: OverrideId::generate(&self.inner.clock),
            rota_id: id,
            user_id: draft.user_id,
            starts_at: draft.starts_at,
            ends_at: draft.ends_at,
            created_by: who.subject(),
            created_at: self.inner.clock.now(),
        };
        let mut tx = self.begin(owner).await?;
        rota::insert_override(&mut tx, owner.org(), &new).await?;
        tx.commit().await?;
        Ok(new)
    }

    pub async fn delete_override(&self, who: &Principal, id: RotaId, which: OverrideId) -> Result<(), IncidentsError> {
        let (mut tx, _, _) = self.find_rota(who, id).await?;
        if !rota::delete_override(&mut tx, id, which).await? {
            return Err(IncidentsError::NotFound("override"));
        }
        tx.commit().await?;
        Ok(())
    }

    /// Where the caller is told, in this organisation.
    pub async fn my_settings(&self, who: &Principal) -> Result<PersonSettings, IncidentsError> {
        let user = who.user().ok_or(IncidentsError::NotFound("person"))?.user_id;
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        let found = rota::person(&mut tx, Some(who.org_id), user).await?;
        tx.commit().await?;
        let (channels, language) = found.unwrap_or_else(|| (Vec::new(), "en".to_owned()));
        Ok(PersonSettings { channels, language })
    }

    pub async fn set_my_settings(&self, who: &Principal, draft: PersonDraft) -> Result<PersonSettings, IncidentsError> {
        let user = who.user().ok_or(IncidentsError::NotFound("person"))?.user_id;
        if Lang::from_code(&draft.language).is_none() {
            return Err(IncidentsError::invalid("/language", "invalid", "en or ru"));
        }
        let ids: Vec<Uuid> = draft.channels.iter().map(|id| id.0).collect();
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        if channels::read(&mut tx, Some(who.org_id), &ids).await?.len() != ids.len() {
            return Err(IncidentsError::invalid("/channels", "unknown", "one of these channels does not exist"));
        }
        rota::set_person(&mut tx, Some(who.org_id), user, &ids, &draft.language, self.inner.clock.now()).await?;
        tx.commit().await?;
        Ok(PersonSettings { channels: draft.channels, language: draft.language })
    }

    async fn find_rota(&self, who: &Principal, id: RotaId) -> Result<(Tx, Owner, Rota), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(found) = rota::read(&mut tx, owner.org(), &[id.0]).await?.pop() {
                return Ok((tx, owner, found));
            }
        }
        Err(IncidentsError::NotFound("rota"))
    }

    async fn rota_faults(&self, owner: Owner, rota: &Rota) -> Result<Vec<FieldError>, IncidentsError> {
        let mut errors = layers_faults(&rota.zone, &rota.layers);
        if !(1..=200).contains(&rota.name.chars().count()) {
            errors.push(FieldError::new("/name", "invalid", "1 to 200 characters"));
        }
        let people: Vec<UserId> = rota.layers.iter().flat_map(|layer| layer.people.iter().copied()).collect();
        let known = self.people(owner, &people).await?;
        for user in people.iter().filter(|user| !known.by_id.contains_key(*user)) {
            errors.push(FieldError::new("/layers", "unknown", format!("there is no person {user} here")));
        }
        Ok(errors)
    }
}

pub(super) fn layers_faults(zone: &str, layers: &[Layer]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !Cron::is_zone(zone) {
        errors.push(FieldError::new("/zone", "invalid", "a time zone such as Europe/Berlin"));
    }
    if !(1..=MOST_LAYERS).contains(&layers.len()) {
        errors.push(FieldError::new("/layers", "invalid", format!("1 to {MOST_LAYERS} layers")));
    }
    if layers.iter().any(|layer| !(1..=MOST_PEOPLE).contains(&layer.people.len())) {
        errors.push(FieldError::new("/layers", "invalid", format!("a layer has 1 to {MOST_PEOPLE} people")));
    }
    if layers.iter().any(|layer| matches!(layer.turn, Turn::Hours(hours) if !(1..=744).contains(&hours))) {
        errors.push(FieldError::new("/layers", "invalid", "a turn has 1 to 744 hours"));
    }
    errors
}
