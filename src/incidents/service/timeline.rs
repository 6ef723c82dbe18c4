//! Updates: what people say about an incident, and how that moves it.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{
    Changed, Incidents, ROOM_ITSELF, code,
    incidents::{AffectedDraft, IncidentFull, LONGEST_TEXT, affected_of, affects_nothing, body_faults, check_version},
};
use crate::{
    IncidentsError,
    events::{IncidentResolved, IncidentUpdated},
    model::{
        Affected, ComponentId, Incident, IncidentId, IncidentKind, IncidentStatus, LogKind, Owner, Update, UpdateId,
    },
    store::{
        incidents::{self, Row},
        updates,
    },
    timeline,
};
use platform::{
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
};

/// An update of the timeline.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentUpdateDraft)]
pub struct UpdateDraft {
    /// Absent: the incident stays where it is.
    #[serde(default)]
    pub status: Option<IncidentStatus>,
    /// Markdown.
    pub body: String,
    /// Components that are affected otherwise from now on.
    #[serde(default)]
    pub components: Vec<AffectedDraft>,
    /// False: only insiders see it. True by default where the incident is published.
    #[serde(default)]
    pub publish: Option<bool>,
    /// Subscribers of pages get it by mail, if it is published.
    #[serde(default)]
    pub notify: bool,
    /// What pages show as its time; absent: now.
    #[serde(default)]
    pub display_at: Option<DateTime<Utc>>,
}

/// Changes of an update; absent fields stay. Its status stays what it was.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = IncidentUpdateChanges)]
pub struct UpdateChanges {
    pub body: Option<String>,
    pub display_at: Option<DateTime<Utc>>,
    pub publish: Option<bool>,
}

/// The first update of an incident or a maintenance that a person makes.
pub(super) struct First<'a> {
    pub status: IncidentStatus,
    pub body: &'a str,
    pub affected: Vec<Affected>,
    pub notify: bool,
}

impl Incidents {
    pub async fn list_updates(
        &self,
        who: &Principal,
        id: IncidentId,
        slice: &Slice,
    ) -> Result<Vec<Update>, IncidentsError> {
        let (mut tx, _, _) = self.find(who, id).await?;
        let found = updates::list(&mut tx, id, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn add_update(
        &self,
        who: &Principal,
        id: IncidentId,
        version: Option<i32>,
        draft: UpdateDraft,
    ) -> Result<IncidentFull, IncidentsError> {
        let found = self.find(who, id).await?;
        self.update_in(found, version, draft, &who.subject()).await
    }

    /// As [`Self::add_update`], for who has found the incident.
    pub(super) async fn update_in(
        &self,
        (mut tx, owner, row): (Tx, Owner, Row),
        version: Option<i32>,
        draft: UpdateDraft,
        by: &str,
    ) -> Result<IncidentFull, IncidentsError> {
        check_version(&row, version)?;
        let incident = Incident::from(row);
        let (id, now) = (incident.id, self.inner.clock.now());
        let status = draft.status.unwrap_or(incident.status);
        let mut errors = body_faults(&draft.body);
        if draft.body.trim().is_empty() {
            errors.push(FieldError::new("/body", "required", "an update says something"));
        }
        if let Err(why) = timeline::check(incident.status, status, incident.resolved_at, now) {
            errors.push(FieldError::new("/status", "invalid", why.to_string()));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        let components: Vec<ComponentId> = draft.components.iter().map(|affected| affected.component).collect();
        let old = self.own_components(&mut tx, owner, &components).await?;
        for affected in &draft.components {
            incidents::affect(&mut tx, owner.org(), id, affected.component, affected.status, true).await?;
        }
        let published = draft.publish.unwrap_or(incident.published_at.is_some());
        if published && incident.published_at.is_none() && incidents::affected(&mut tx, &[id.0]).await?.is_empty() {
            return Err(IncidentsError::Invalid(vec![affects_nothing()]));
        }
        if published && incident.published_at.is_none() && incidents::publish(&mut tx, id, now).await? {
            self.log(&mut tx, owner.org(), id, LogKind::Published, by, json!({})).await?;
        }
        let update = Update {
            id: UpdateId::generate(&self.inner.clock),
            code: code(),
            incident_id: id,
            status,
            body: draft.body.trim().to_owned(),
            affected: affected_of(&old, &draft.components),
            display_at: draft.display_at.unwrap_or(now),
            published,
            notify: draft.notify && published,
            created_by: by.to_owned(),
            created_at: now,
            updated_at: now,
        };
        let changes = self.move_to(&mut tx, owner, &incident, status, by).await?;
        self.write_update(&mut tx, owner, &update).await?;
        self.refresh_impact(&mut tx, id).await?;
        if !status.is_over() && incident.kind == IncidentKind::Incident {
            self.plan_update(&mut tx, owner, id, update.id).await?;
        }
        self.finish(tx, id, changes).await
    }

    pub async fn change_update(
        &self,
        who: &Principal,
        id: IncidentId,
        update: UpdateId,
        changes: UpdateChanges,
    ) -> Result<Update, IncidentsError> {
        let (mut tx, owner, _) = self.find(who, id).await?;
        let old = updates::get(&mut tx, id, update).await?.ok_or(IncidentsError::NotFound("incident_update"))?;
        let body = changes.body.as_deref().unwrap_or(&old.body).trim().to_owned();
        if body.is_empty() || body.chars().count() > LONGEST_TEXT {
            return Err(IncidentsError::invalid("/body", "invalid", format!("1 to {LONGEST_TEXT} characters")));
        }
        let now = self.inner.clock.now();
        let display_at = changes.display_at.unwrap_or(old.display_at);
        let published = changes.publish.unwrap_or(old.published);
        updates::change(&mut tx, update, &body, display_at, published, now).await?;
        // Other processes see by the incident that something has changed.
        incidents::touch(&mut tx, id, now).await?;
        let detail = json!({ "update": update });
        self.log(&mut tx, owner.org(), id, LogKind::Changed, &who.subject(), detail).await?;
        let found = updates::get(&mut tx, id, update).await?.ok_or(IncidentsError::NotFound("incident_update"))?;
        tx.commit().await?;
        self.announce(&[Changed::Incident(id)]);
        Ok(found)
    }

    /// Resolved by a person, with an update if they say something.
    pub async fn resolve(
        &self,
        who: &Principal,
        id: IncidentId,
        version: Option<i32>,
        body: &str,
        notify: bool,
    ) -> Result<IncidentFull, IncidentsError> {
        let found = self.find(who, id).await?;
        check_version(&found.2, version)?;
        self.resolve_in(found, body, notify, &who.subject()).await
    }

    /// As [`Self::resolve`], for who has found the incident.
    pub(super) async fn resolve_in(
        &self,
        (mut tx, owner, row): (Tx, Owner, Row),
        body: &str,
        notify: bool,
        by: &str,
    ) -> Result<IncidentFull, IncidentsError> {
        let to = match row.kind() {
            IncidentKind::Incident => IncidentStatus::Resolved,
            IncidentKind::Maintenance => IncidentStatus::Completed,
        };
        if !body.trim().is_empty() {
            let draft = UpdateDraft {
                status: Some(to),
                body: body.to_owned(),
                components: Vec::new(),
                publish: None,
                notify,
                display_at: None,
            };
            return self.update_in((tx, owner, row), None, draft, by).await;
        }
        let incident = Incident::from(row);
        let changes = self.move_to(&mut tx, owner, &incident, to, by).await?;
        if incident.kind == IncidentKind::Incident && incident.published_at.is_some() && !incident.status.is_over() {
            self.say_by_itself(&mut tx, owner, incident.id, to, notify).await?;
        }
        self.finish(tx, incident.id, changes).await
    }

    pub async fn set_postmortem(
        &self,
        who: &Principal,
        id: IncidentId,
        text: &str,
        publish: bool,
    ) -> Result<IncidentFull, IncidentsError> {
        let (mut tx, owner, row) = self.find(who, id).await?;
        let incident = Incident::from(row);
        if text.chars().count() > LONGEST_TEXT * 5 {
            let most = LONGEST_TEXT * 5;
            return Err(IncidentsError::invalid("/text", "too_long", format!("at most {most} characters")));
        }
        if incident.kind != IncidentKind::Incident || !incident.status.is_over() {
            return Err(IncidentsError::Conflict("not_resolved", timeline::BadMove::NotResolved.to_string()));
        }
        let now = self.inner.clock.now();
        incidents::set_postmortem(&mut tx, id, text.trim(), publish, now).await?;
        if publish && incident.status != IncidentStatus::Postmortem {
            incidents::set_status(&mut tx, id, IncidentStatus::Postmortem, now).await?;
        }
        let detail = json!({ "postmortem": true, "published": publish });
        self.log(&mut tx, owner.org(), id, LogKind::Changed, &who.subject(), detail).await?;
        self.finish(tx, id, Vec::new()).await
    }

    pub(super) async fn first_update(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        incident_id: IncidentId,
        published: bool,
        first: First<'_>,
        by: &str,
    ) -> Result<(), IncidentsError> {
        let now = self.inner.clock.now();
        let update = Update {
            id: UpdateId::generate(&self.inner.clock),
            code: code(),
            incident_id,
            status: first.status,
            body: first.body.trim().to_owned(),
            affected: first.affected,
            display_at: now,
            published,
            notify: first.notify && published,
            created_by: by.to_owned(),
            created_at: now,
            updated_at: now,
        };
        self.write_update(conn, owner, &update).await
    }

    /// What is published without a word says its status when it is, and when it is over: otherwise subscribers and programs that read the timeline would hear
    /// nothing of it. There is no text: the status is a word in each reader's language, and nothing is written in a person's name.
    pub(super) async fn say_by_itself(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: IncidentId,
        status: IncidentStatus,
        notify: bool,
    ) -> Result<(), IncidentsError> {
        let first = First { status, body: "", affected: Vec::new(), notify };
        self.first_update(conn, owner, id, true, first, ROOM_ITSELF).await
    }

    async fn write_update(&self, conn: &mut PgConnection, owner: Owner, update: &Update) -> Result<(), IncidentsError> {
        updates::insert(conn, owner.org(), update).await?;
        let event = IncidentUpdated {
            incident_id: update.incident_id,
            update_id: update.id,
            status: update.status,
            published: update.published,
            notify: update.notify,
        };
        events::publish(conn, &self.inner.clock, owner.org(), &event).await?;
        Ok(())
    }

    /// Moves an incident, with all that follows. The caller has checked that it may. Returns what changed.
    pub(super) async fn move_to(
        &self,
        tx: &mut Tx,
        owner: Owner,
        incident: &Incident,
        to: IncidentStatus,
        by: &str,
    ) -> Result<Vec<Changed>, IncidentsError> {
        let (id, now) = (incident.id, self.inner.clock.now());
        incidents::set_status(tx, id, to, now).await?;
        if timeline::reopens(incident.status, to) {
            self.log(tx, owner.org(), id, LogKind::Reopened, by, json!({})).await?;
            self.plan_telling(tx, owner, id).await?;
        } else if to.is_over() && !incident.status.is_over() {
            self.log(tx, owner.org(), id, LogKind::Resolved, by, json!({})).await?;
            let event = IncidentResolved { incident_id: id, kind: incident.kind };
            events::publish(tx, &self.inner.clock, owner.org(), &event).await?;
            if incident.kind == IncidentKind::Incident {
                self.plan_end(tx, owner, id).await?;
            }
            tracing::info!(incident_id = %id, by, "incident resolved");
        } else if to != incident.status {
            self.log(tx, owner.org(), id, LogKind::Changed, by, json!({ "status": to })).await?;
        }
        let affected = incidents::affected(tx, &[id.0]).await?;
        let ids: Vec<ComponentId> = affected.into_iter().map(|(_, component, _)| component).collect();
        self.refresh_components(tx, &ids, Some(id)).await
    }
}
