//! Prepared texts.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Incidents, incidents::texts_faults, owners};
use crate::{
    IncidentsError,
    model::{ComponentId, IncidentStatus, IncidentTemplateId, Owner, Template},
    store::templates,
};
use console::Lang;
use platform::{
    db::{DbError, Tx},
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};

/// A prepared text.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IncidentTemplateDraft)]
pub struct TemplateDraft {
    pub name: String,
    /// `en` or `ru`
    pub language: String,
    /// Name of the incident.
    pub title: String,
    /// Markdown.
    pub body: String,
    pub status: IncidentStatus,
    #[serde(default)]
    pub components: Vec<ComponentId>,
    /// Of the installation; operators only, and only when it is made.
    #[serde(default)]
    pub installation: bool,
}

impl Incidents {
    pub async fn list_templates(
        &self,
        owner: Owner,
        search: Option<&str>,
        slice: &Slice,
    ) -> Result<Vec<Template>, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let found = templates::list(&mut tx, owner.org(), search, slice).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn get_template(&self, who: &Principal, id: IncidentTemplateId) -> Result<Template, IncidentsError> {
        let (tx, _, found) = self.find_template(who, id).await?;
        tx.commit().await?;
        Ok(found)
    }

    pub async fn create_template(&self, who: &Principal, draft: TemplateDraft) -> Result<Template, IncidentsError> {
        let owner = self.owner(who, draft.installation)?;
        let now = self.inner.clock.now();
        let id = IncidentTemplateId::generate(&self.inner.clock);
        let tx = self.begin(owner).await?;
        self.save_template(tx, owner, who, (id, now), draft).await
    }

    pub async fn update_template(
        &self,
        who: &Principal,
        id: IncidentTemplateId,
        draft: TemplateDraft,
    ) -> Result<Template, IncidentsError> {
        let (tx, owner, old) = self.find_template(who, id).await?;
        self.save_template(tx, owner, who, (id, old.created_at), draft).await
    }

    pub async fn delete_template(&self, who: &Principal, id: IncidentTemplateId) -> Result<(), IncidentsError> {
        let (mut tx, _, _) = self.find_template(who, id).await?;
        templates::delete(&mut tx, id).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn save_template(
        &self,
        mut tx: Tx,
        owner: Owner,
        who: &Principal,
        (id, created_at): (IncidentTemplateId, chrono::DateTime<chrono::Utc>),
        draft: TemplateDraft,
    ) -> Result<Template, IncidentsError> {
        let name = tidy(&draft.name);
        let mut errors = texts_faults(&name, &draft.body);
        if !(1..=200).contains(&draft.title.trim().chars().count()) {
            errors.push(FieldError::new("/title", "invalid", "1 to 200 characters"));
        }
        if Lang::from_code(&draft.language).is_none() {
            errors.push(FieldError::new("/language", "invalid", "en or ru"));
        }
        if !errors.is_empty() {
            return Err(IncidentsError::Invalid(errors));
        }
        self.own_components(&mut tx, owner, &draft.components).await?;
        let template = Template {
            id,
            installation: owner == Owner::Installation,
            name,
            language: draft.language,
            title: tidy(&draft.title),
            body: draft.body,
            status: draft.status,
            components: draft.components,
            created_at,
            updated_at: self.inner.clock.now(),
        };
        if let Err(error) = templates::save(&mut tx, owner.org(), &template, &who.subject()).await {
            let error = DbError::from(error);
            if error.constraint() == Some("incident_templates_name_key") {
                let why = format!("there is a text {:?} in this language", template.name);
                return Err(IncidentsError::Conflict("taken", why));
            }
            return Err(error.into());
        }
        tx.commit().await?;
        Ok(template)
    }

    async fn find_template(
        &self,
        who: &Principal,
        id: IncidentTemplateId,
    ) -> Result<(Tx, Owner, Template), IncidentsError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(found) = templates::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, found));
            }
        }
        Err(IncidentsError::NotFound("incident_template"))
    }
}
