//! The console's own pages: overview, preferences (language and theme), API reference.

use askama::Template;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use axum_extra::extract::cookie::Cookie;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::api_docs::Tag;
use super::{AnonymousShell, Form, Lang, PageResult, Shell, Theme, format, see_other, svg};
use crate::platform::error::ApiError;
use crate::platform::http::{Principal, Role};

const A_YEAR_IN_SECONDS: i64 = 365 * 24 * 3600;

pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(overview))
        .route("/api/docs", get(reference))
        .route("/console/preferences", post(set_preferences))
}

/// The numbers of the overview, for one organisation.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    pub knowledge_bases: i64,
    pub documents_ready: i64,
    /// Queued, extracting or embedding.
    pub documents_waiting: i64,
    pub documents_failed: i64,
    pub agents: i64,
    pub conversations_today: i64,
    /// For each of the last days, today last.
    pub conversations_by_day: Vec<i64>,
    pub jobs_waiting: i64,
    /// Dead letters.
    pub jobs_failed: i64,
    pub tokens_today: i64,
    /// For each of the last days, today last.
    pub tokens_by_day: Vec<i64>,
    /// Keys that can be used: neither revoked nor expired.
    pub api_keys: i64,
    /// Whether a language model is configured beside the built-in extractive one.
    pub has_model: bool,
    /// The worst of what fires in the installation; empty for those who do not run it.
    pub firing: Vec<FiringAlert>,
    /// All that fires.
    pub firing_count: i64,
    /// Whether this installation would come back; only for those who run it.
    pub recovery: Option<Recovery>,
}

/// What is known of the way back from a disaster.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Whether backups are made at all.
    pub is_on: bool,
    /// Whether a copy would survive this host's disk.
    pub is_elsewhere: bool,
    /// Whether the last backup that ended is whole; true when none was made.
    pub is_well: bool,
    /// When a restore was last tried with success, and the seconds that it took.
    pub proven: Option<(DateTime<Utc>, f64)>,
}

/// An alert of the installation that fires.
#[derive(Debug, Clone)]
pub struct FiringAlert {
    /// Its page.
    pub href: String,
    pub name: String,
    /// The end of its translation's key.
    pub severity: &'static str,
    /// Of its badge.
    pub tone: &'static str,
    pub summary: String,
    pub since: DateTime<Utc>,
    /// Where its runbook is; empty where there is none.
    pub runbook: String,
}

/// Implemented by app, which knows every capability.
#[async_trait::async_trait]
pub trait OverviewSource: Send + Sync {
    async fn overview(&self, who: &Principal) -> Result<Overview, ApiError>;
}

/// A step of the checklist that an empty installation shows, to those who may take it.
struct Step {
    key: &'static str,
    href: &'static str,
    needs: Role,
    done: bool,
}

#[derive(Template)]
#[template(path = "console/templates/overview.html")]
struct OverviewPage<'a> {
    shell: &'a Shell,
    data: Overview,
    steps: Vec<Step>,
    tokens: format::Html,
    conversations: format::Html,
}

impl OverviewPage<'_> {
    /// Where the jobs are, for those who may see them.
    fn jobs(&self) -> &'static str {
        if self.shell.can_edit() { "/jobs" } else { "" }
    }

    /// How long the restore took that was last proven.
    fn recovery_time(&self, recovery: &Recovery) -> String {
        self.shell.duration(recovery.proven.map(|(_, seconds)| seconds))
    }

    fn steps_done(&self) -> usize {
        self.steps.iter().filter(|step| step.done).count()
    }
}

async fn overview(shell: Shell) -> PageResult {
    let data = shell.console().overview().overview(shell.principal()).await?;
    let asked = data.conversations_by_day.iter().any(|n| *n > 0);
    let mut steps = vec![
        Step { key: "base", href: "/knowledge/new", needs: Role::Member, done: data.knowledge_bases > 0 },
        Step { key: "documents", href: "/knowledge", needs: Role::Member, done: data.documents_ready > 0 },
        Step { key: "agent", href: "/agents/new", needs: Role::Member, done: data.agents > 0 },
        Step { key: "question", href: "/agents", needs: Role::Viewer, done: asked },
        Step { key: "api", href: "/settings/api-keys", needs: Role::Admin, done: data.api_keys > 0 },
    ];
    steps.retain(|step| shell.can(step.needs));
    let spark = |values: &[i64], key: &str| {
        svg::sparkline(&values.iter().map(|n| *n as f64).collect::<Vec<_>>(), &shell.t(key).to_string())
    };
    let tokens = spark(&data.tokens_by_day, "console-overview-tokens-by-day");
    let conversations = spark(&data.conversations_by_day, "console-overview-conversations-by-day");
    shell.render(&OverviewPage { shell: &shell, data, steps, tokens, conversations })
}

#[derive(Template)]
#[template(path = "console/templates/api_docs.html")]
struct ReferencePage<'a> {
    shell: &'a AnonymousShell,
    tags: &'a [Tag],
    api_version: &'a str,
}

/// Public, as the document itself is: it describes the software, not the data.
async fn reference(shell: AnonymousShell) -> PageResult {
    let reference = shell.console().reference();
    shell.render(&ReferencePage { shell: &shell, tags: &reference.tags, api_version: &reference.version })
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Preferences {
    lang: String,
    theme: String,
    back: String,
}

async fn set_preferences(page: AnonymousShell, Form(form): Form<Preferences>) -> Response {
    let mut response = see_other(&form.back);
    if let Some(lang) = Lang::from_code(&form.lang) {
        page.set_cookie(&mut response, Cookie::new("hf_lang", lang.code()), Some(A_YEAR_IN_SECONDS));
    }
    if let Some(theme) = Theme::from_code(&form.theme) {
        page.set_cookie(&mut response, Cookie::new("hf_theme", theme.code()), Some(A_YEAR_IN_SECONDS));
    }
    response
}
