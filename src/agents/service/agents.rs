//! Creating, changing and rolling back agents.

use chrono::{DateTime, Utc};

use super::Agents;
use crate::{
    error::AgentError,
    events::{AgentChanged, AgentCreated, AgentDeleted},
    model::{Agent, AgentId, AgentSettings, Draft, Version},
    store::{
        agents as store,
        conversations::{self, AnswerCounts},
    },
};
use knowledge::KnowledgeError;
use llm::RefusedModel;
use platform::{
    db,
    error::FieldError,
    http::{Principal, Slice},
    ids::OrgId,
};

/// Slug of the demo's agent.
const DEMO_SLUG: &str = "handbook";

/// A change: the agent's new settings, based on the state that `if_match` names.
#[derive(Clone, Debug)]
pub struct NewVersion {
    pub draft: Draft,
    /// `ETag` of the agent that the change is based on; `None` overwrites.
    pub if_match: Option<String>,
}

impl Agents {
    /// Creates an agent with version 1. Errors: `Invalid`, `SlugTaken`.
    pub async fn create(&self, who: &Principal, draft: Draft) -> Result<Agent, AgentError> {
        let draft = draft.check().map_err(AgentError::Invalid)?;
        self.check_references(who.org_id, &draft).await?;
        let now = self.0.clock.now();
        let agent = Agent {
            id: AgentId::generate(&self.0.clock),
            slug: draft.slug.clone(),
            name: draft.name,
            description: draft.description,
            version: 1,
            settings: draft.settings,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.0.db.tenant(who.org_id).await?;
        store::insert(&mut tx, who.org_id, &agent).await.map_err(|e| slug_error(e, &agent.slug))?;
        store::insert_version(&mut tx, who.org_id, agent.id, &version_of(&agent, draft.note, who)).await?;
        let event = AgentCreated { agent_id: agent.id, slug: agent.slug.clone() };
        events::publish(&mut tx, &self.0.clock, Some(who.org_id), &event).await?;
        tx.commit().await?;
        tracing::info!(agent_id = %agent.id, slug = agent.slug, subject = who.subject(), "agent created");
        Ok(agent)
    }

    pub async fn get(&self, org: OrgId, id: AgentId) -> Result<Agent, AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        let agent = store::get(&mut tx, id).await?;
        drop(tx);
        agent.ok_or(AgentError::NotFound("agent"))
    }

    pub async fn get_by_slug(&self, org: OrgId, slug: &str) -> Result<Agent, AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        let agent = store::get_by_slug(&mut tx, slug).await?;
        drop(tx);
        agent.ok_or(AgentError::NotFound("agent"))
    }

    /// Newest first; the rows of `slice`.
    pub async fn list(&self, org: OrgId, search: Option<&str>, slice: &Slice) -> Result<Vec<Agent>, AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        let agents = store::list(&mut tx, search, slice).await?;
        drop(tx);
        Ok(agents)
    }

    /// Saves a change as a new version, which becomes current. Unchanged settings create no version.
    pub async fn update(&self, who: &Principal, id: AgentId, change: NewVersion) -> Result<Agent, AgentError> {
        let draft = change.draft.check().map_err(AgentError::Invalid)?;
        self.check_references(who.org_id, &draft).await?;
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if !store::lock(&mut tx, id).await? {
            return Err(AgentError::NotFound("agent"));
        }
        let mut agent = store::get(&mut tx, id).await?.ok_or(AgentError::NotFound("agent"))?;
        if change.if_match.is_some_and(|tag| tag != "*" && tag != agent.etag()) {
            return Err(AgentError::Changed);
        }
        let settings_changed = agent.settings != draft.settings;
        agent.slug = draft.slug;
        agent.name = draft.name;
        agent.description = draft.description;
        agent.settings = draft.settings;
        agent.updated_at = self.0.clock.now();
        if settings_changed {
            agent.version = store::last_version(&mut tx, id).await? + 1;
            store::insert_version(&mut tx, who.org_id, id, &version_of(&agent, draft.note, who)).await?;
        }
        store::update(&mut tx, &agent).await.map_err(|e| slug_error(e, &agent.slug))?;
        let event = AgentChanged { agent_id: id, slug: agent.slug.clone(), version: agent.version };
        events::publish(&mut tx, &self.0.clock, Some(who.org_id), &event).await?;
        tx.commit().await?;
        tracing::info!(agent_id = %id, version = agent.version, subject = who.subject(), "agent changed");
        Ok(agent)
    }

    /// Newest first.
    pub async fn versions(
        &self,
        org: OrgId,
        id: AgentId,
        search: Option<&str>,
        slice: &Slice<i64>,
    ) -> Result<Vec<Version>, AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        store::get(&mut tx, id).await?.ok_or(AgentError::NotFound("agent"))?;
        let versions = store::versions(&mut tx, id, search, slice).await?;
        tx.commit().await?;
        Ok(versions)
    }

    /// Makes an older version current. The versions stay unchanged.
    pub async fn roll_back(&self, who: &Principal, id: AgentId, version: i32) -> Result<Agent, AgentError> {
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if !store::lock(&mut tx, id).await? {
            return Err(AgentError::NotFound("agent"));
        }
        if !store::has_version(&mut tx, id, version).await? {
            return Err(AgentError::NotFound("agent_version"));
        }
        let mut agent = store::get(&mut tx, id).await?.ok_or(AgentError::NotFound("agent"))?;
        agent.version = version;
        agent.updated_at = self.0.clock.now();
        store::update(&mut tx, &agent).await?;
        let agent = store::get(&mut tx, id).await?.ok_or(AgentError::NotFound("agent"))?;
        let event = AgentChanged { agent_id: id, slug: agent.slug.clone(), version };
        events::publish(&mut tx, &self.0.clock, Some(who.org_id), &event).await?;
        tx.commit().await?;
        tracing::info!(agent_id = %id, version, subject = who.subject(), "agent rolled back");
        Ok(agent)
    }

    /// Deletes an agent with its versions and conversations.
    pub async fn delete(&self, who: &Principal, id: AgentId) -> Result<(), AgentError> {
        let mut tx = self.0.db.tenant(who.org_id).await?;
        if !store::delete(&mut tx, id).await? {
            return Err(AgentError::NotFound("agent"));
        }
        events::publish(&mut tx, &self.0.clock, Some(who.org_id), &AgentDeleted { agent_id: id }).await?;
        tx.commit().await?;
        tracing::info!(agent_id = %id, subject = who.subject(), "agent deleted");
        Ok(())
    }

    /// `(agents, conversations with a message in the last day)`.
    pub async fn counts(&self, org: OrgId) -> Result<(i64, i64), AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        let counts = store::counts(&mut tx, self.0.clock.now() - chrono::TimeDelta::days(1)).await?;
        drop(tx);
        Ok(counts)
    }

    /// Conversations started on each of the last `days` days (UTC), today last.
    pub async fn conversations_by_day(&self, org: OrgId, days: i64) -> Result<Vec<i64>, AgentError> {
        let today = self.0.clock.now();
        let mut tx = self.0.db.tenant(org).await?;
        let found = store::conversations_by_day(&mut tx, today - chrono::TimeDelta::days(days)).await?;
        drop(tx);
        let day = |ago| (today - chrono::TimeDelta::days(ago)).date_naive();
        Ok((0..days).rev().map(day).map(|d| found.iter().find(|(at, _)| *at == d).map_or(0, |(_, n)| *n)).collect())
    }

    /// Answers of all organisations that were begun in `[since, until)`, and in as long a time before, for the installation's report.
    pub async fn answers_between(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<AnswerCounts, AgentError> {
        let mut tx = self.0.db.system().await?;
        let counts = conversations::answers_between(&mut tx, since - (until - since), since, until).await?;
        tx.commit().await?;
        Ok(counts)
    }

    /// Creates the demo's agent for its knowledge base, unless it exists.
    pub async fn load_demo(&self, org: OrgId, base: knowledge::KnowledgeBaseId) -> Result<(), AgentError> {
        match self.get_by_slug(org, DEMO_SLUG).await {
            Err(AgentError::NotFound(_)) => {}
            other => return other.map(drop),
        }
        let now = self.0.clock.now();
        let settings = AgentSettings {
            instructions:
                "You help the people of a small team with questions about its handbook. Be brief and friendly.".into(),
            knowledge_bases: vec![base],
            ..AgentSettings::default()
        };
        let agent = Agent {
            id: AgentId::generate(&self.0.clock),
            slug: DEMO_SLUG.into(),
            name: "Handbook assistant".into(),
            description: "Answers from the demo handbook and shows where it read it.".into(),
            version: 1,
            settings,
            created_at: now,
            updated_at: now,
        };
        let version = Version {
            version: 1,
            settings: agent.settings.clone(),
            note: String::new(),
            created_by: "system:demo".into(),
            created_at: now,
        };
        let mut tx = self.0.db.tenant(org).await?;
        store::insert(&mut tx, org, &agent).await?;
        store::insert_version(&mut tx, org, agent.id, &version).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The agents that answer from a knowledge base, with their names.
    pub async fn using(
        &self,
        org: OrgId,
        base: knowledge::KnowledgeBaseId,
    ) -> Result<Vec<(AgentId, String)>, AgentError> {
        let mut tx = self.0.db.tenant(org).await?;
        let using = store::using(&mut tx, base).await?;
        drop(tx);
        Ok(using)
    }

    /// How many of an agent's knowledge bases are deleted; it answers without them.
    pub async fn bases_gone(&self, org: OrgId, agent: &Agent) -> Result<usize, AgentError> {
        let mut gone = 0;
        for id in &agent.settings.knowledge_bases {
            match self.knowledge().require_base(org, *id).await {
                Ok(()) => {}
                Err(KnowledgeError::BaseNotFound) => gone += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(gone)
    }

    /// Checks that knowledge bases exist and that the model can answer.
    pub(super) async fn check_references(&self, org: OrgId, draft: &Draft) -> Result<(), AgentError> {
        let mut errors = Vec::new();
        let settings = &draft.settings;
        for (i, id) in settings.knowledge_bases.iter().enumerate() {
            match self.knowledge().require_base(org, *id).await {
                Ok(()) => {}
                Err(KnowledgeError::BaseNotFound) => {
                    errors.push(FieldError::new(
                        format!("/knowledge_bases/{i}"),
                        "knowledge_base_not_found",
                        format!("no knowledge base {id}"),
                    ));
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !settings.model.is_empty()
            && let Err(RefusedModel { code, message }) = self.llm().check_chat_model(&settings.model).await
        {
            errors.push(FieldError::new("/model", code, message));
        }
        if errors.is_empty() { Ok(()) } else { Err(AgentError::Invalid(errors)) }
    }
}

fn version_of(agent: &Agent, note: String, who: &Principal) -> Version {
    Version {
        version: agent.version,
        settings: agent.settings.clone(),
        note,
        created_by: who.subject(),
        created_at: agent.updated_at,
    }
}

fn slug_error(error: sqlx::Error, slug: &str) -> AgentError {
    match db::constraint(&error) {
        Some("agents_org_id_slug_key") => AgentError::SlugTaken(slug.to_owned()),
        _ => error.into(),
    }
}
