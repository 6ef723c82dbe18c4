//! The agent form.

use askama::Template;
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    WRITE,
    error::AgentError,
    model::{Agent, AgentId, AgentSettings, Draft, MOST_BASES, Retrieval},
    service::{Agents, NewVersion},
};
use console::{Flash, Form, FormErrors, PageResult, Shell};
use knowledge::{KnowledgeBaseId, KnowledgeError, SearchMode};
use platform::{
    error::FieldError,
    http::{Path, Slice},
};

/// Knowledge bases to choose from, the newest.
const CHOICES: i64 = 200;

pub(super) fn router() -> Router<Agents> {
    Router::new()
        .route("/agents", post(create))
        .route("/agents/new", get(new))
        .route("/agents/{agent}/edit", get(edit).post(update))
}

/// The form's fields as typed; numbers are text, so that invalid ones can be shown again.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Fields {
    name: String,
    slug: String,
    description: String,
    instructions: String,
    model: String,
    kb: Vec<KnowledgeBaseId>,
    limit: String,
    mode: String,
    max_tokens: String,
    temperature: String,
    max_output_tokens: String,
    /// `on` if checked.
    beyond_documents: String,
    /// One in a line.
    starters: String,
    /// `on` if checked.
    pictures: String,
    note: String,
    etag: String,
}

impl Fields {
    fn of(agent: &Agent) -> Self {
        let settings = &agent.settings;
        Self {
            name: agent.name.clone(),
            slug: agent.slug.clone(),
            description: agent.description.clone(),
            instructions: settings.instructions.clone(),
            model: settings.model.clone(),
            kb: settings.knowledge_bases.clone(),
            limit: settings.retrieval.limit.to_string(),
            mode: settings.retrieval.mode.as_str().to_owned(),
            max_tokens: settings.retrieval.max_tokens.to_string(),
            temperature: settings.temperature.map(|t| t.to_string()).unwrap_or_default(),
            max_output_tokens: settings.max_output_tokens.map(|t| t.to_string()).unwrap_or_default(),
            beyond_documents: checked(settings.beyond_documents),
            starters: settings.starters.join("\n"),
            pictures: checked(settings.pictures),
            note: String::new(),
            etag: agent.etag(),
        }
    }

    fn draft(&self) -> Result<Draft, AgentError> {
        let mut errors = Vec::new();
        let defaults = Retrieval::default();
        let retrieval = Retrieval {
            limit: number(&self.limit, "/limit", &mut errors).unwrap_or(defaults.limit),
            max_tokens: number(&self.max_tokens, "/max_tokens", &mut errors).unwrap_or(defaults.max_tokens),
            mode: self.mode.parse().unwrap_or(defaults.mode),
        };
        let settings = AgentSettings {
            instructions: self.instructions.clone(),
            model: self.model.clone(),
            knowledge_bases: self.kb.clone(),
            retrieval,
            temperature: number(&self.temperature.replace(',', "."), "/temperature", &mut errors),
            max_output_tokens: number(&self.max_output_tokens, "/max_output_tokens", &mut errors),
            beyond_documents: self.beyond_documents == "on",
            starters: self.starters.lines().map(str::to_owned).collect(),
            pictures: self.pictures == "on",
        };
        if !errors.is_empty() {
            return Err(AgentError::Invalid(errors));
        }
        let Self { name, slug, description, note, .. } = self.clone();
        Ok(Draft { slug, name, description, settings, note })
    }
}

/// What a form sends for a box.
fn checked(is_checked: bool) -> String {
    if is_checked { "on".to_owned() } else { String::new() }
}

/// An empty field is `None`; anything else must be a number.
fn number<T: std::str::FromStr>(text: &str, pointer: &str, errors: &mut Vec<FieldError>) -> Option<T> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    text.parse()
        .inspect_err(|_| errors.push(FieldError::new(pointer, "not_a_number", format!("{text:?} is not a number"))))
        .ok()
}

/// A knowledge base with its checkbox.
struct Base {
    id: KnowledgeBaseId,
    name: String,
    documents: i64,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "agents/templates/edit.html")]
struct Edit<'a> {
    shell: &'a Shell,
    /// `None` for a new agent.
    agent: Option<Agent>,
    form: Fields,
    errors: FormErrors,
    bases: Vec<Base>,
    models: Vec<String>,
    default_model: String,
}

impl Edit<'_> {
    /// `(value, chosen)`
    fn modes(&self) -> Vec<(&'static str, bool)> {
        SearchMode::ALL.into_iter().map(|m| (m.as_str(), m.as_str() == self.form.mode)).collect()
    }

    /// `(name, chosen)`
    fn models(&self) -> Vec<(&str, bool)> {
        self.models.iter().map(|m| (m.as_str(), *m == self.form.model)).collect()
    }

    fn action(&self) -> String {
        self.agent.as_ref().map_or_else(|| "/agents".to_owned(), |a| format!("/agents/{}/edit", a.id))
    }
}

/// Collects the form's options.
async fn page<'a>(
    shell: &'a Shell,
    agents: &'a Agents,
    agent: Option<Agent>,
    form: Fields,
    errors: FormErrors,
) -> Result<Edit<'a>, AgentError> {
    let (knowledge, org) = (agents.knowledge(), shell.org_id());
    let mut known = knowledge.list_bases(org, None, &Slice::first(CHOICES)).await?;
    // The chosen ones, however many are newer: without its checkbox the next save would take a base from the agent.
    for id in form.kb.iter().take(MOST_BASES) {
        if known.iter().any(|base| base.id == *id) {
            continue;
        }
        match knowledge.get_base(org, *id).await {
            Ok(base) => known.push(base),
            Err(KnowledgeError::BaseNotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let bases = known
        .into_iter()
        .map(|b| Base { chosen: form.kb.contains(&b.id), id: b.id, name: b.name, documents: b.documents })
        .collect();
    let mut models = agents.llm().chat_models().await;
    if !form.model.is_empty() && !models.contains(&form.model) {
        models.push(form.model.clone());
    }
    Ok(Edit { shell, agent, form, errors, bases, models, default_model: agents.default_model() })
}

pub async fn new(shell: Shell, State(agents): State<Agents>) -> PageResult {
    shell.principal().require(WRITE)?;
    let defaults = Retrieval::default();
    let form = Fields {
        limit: defaults.limit.to_string(),
        max_tokens: defaults.max_tokens.to_string(),
        mode: defaults.mode.as_str().to_owned(),
        ..Fields::default()
    };
    shell.render(&page(&shell, &agents, None, form, FormErrors::default()).await?)
}

pub async fn create(shell: Shell, State(agents): State<Agents>, Form(form): Form<Fields>) -> PageResult {
    shell.principal().require(WRITE)?;
    let result = match form.draft() {
        Ok(draft) => agents.create(shell.principal(), draft).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(agent) => {
            Ok(shell.redirect(&format!("/agents/{}", agent.id), &Flash::ok("agents-created").with("name", &agent.name)))
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            shell.render_invalid(&page(&shell, &agents, None, form, errors).await?)
        }
    }
}

pub async fn edit(shell: Shell, State(agents): State<Agents>, Path(id): Path<AgentId>) -> PageResult {
    shell.principal().require(WRITE)?;
    let agent = agents.get(shell.org_id(), id).await?;
    let form = Fields::of(&agent);
    shell.render(&page(&shell, &agents, Some(agent), form, FormErrors::default()).await?)
}

pub async fn update(
    shell: Shell,
    State(agents): State<Agents>,
    Path(id): Path<AgentId>,
    Form(form): Form<Fields>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let result = match form.draft() {
        Ok(draft) => {
            agents.update(shell.principal(), id, NewVersion { draft, if_match: Some(form.etag.clone()) }).await
        }
        Err(error) => Err(error),
    };
    match result {
        Ok(agent) => {
            let flash = Flash::ok("agents-saved").with("name", &agent.name).with("version", &agent.version);
            Ok(shell.redirect(&format!("/agents/{id}"), &flash))
        }
        Err(AgentError::Changed) => {
            Ok(shell.redirect(&format!("/agents/{id}/edit"), &Flash::error("agents-changed-meanwhile")))
        }
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            let agent = agents.get(shell.org_id(), id).await?;
            shell.render_invalid(&page(&shell, &agents, Some(agent), form, errors).await?)
        }
    }
}
