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

/// Figures of the overview, for one organisation.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    pub knowledge_bases: i64,
    pub documents_ready: i64,
    /// Queued, extracting or embedding.
    pub documents_waiting: i64,
    pub documents_failed: i64,
    pub agents: i64,
    pub conversations_today: i64,
    /// Per day, today last.
    pub conversations_by_day: Vec<i64>,
    pub jobs_waiting: i64,
    /// Dead letters.
    pub jobs_failed: i64,
    pub tokens_today: i64,
    /// Per day, today last.
    pub tokens_by_day: Vec<i64>,
    /// Usable API keys: neither revoked nor expired.
    pub api_keys: i64,
    /// Whether a language model is configured besides the built-in extractive one.
    pub has_model: bool,
    /// The most severe firing alerts of the installation; empty for non-operators.
    pub firing: Vec<FiringAlert>,
    /// Number of firing alerts.
    pub firing_count: i64,
    /// State of backups; operators only.
    pub recovery: Option<Recovery>,
}

/// State of backups and restore drills.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Whether backups are enabled.
    pub is_on: bool,
    /// Whether a copy would survive the loss of this host's disk.
    pub is_elsewhere: bool,
    /// Whether the last finished backup is complete; true if there was none.
    pub is_well: bool,
    /// Time and duration (seconds) of the last successful drill.
    pub proven: Option<(DateTime<Utc>, f64)>,
}

/// A firing alert of the installation.
#[derive(Debug, Clone)]
pub struct FiringAlert {
    /// URL of its page.
    pub href: String,
    pub name: String,
    /// Suffix of its translation key.
    pub severity: &'static str,
    /// Tone of its badge.
    pub tone: &'static str,
    pub summary: String,
    pub since: DateTime<Utc>,
    /// URL of its runbook, or empty.
    pub runbook: String,
}

/// Implemented by app, which imports every capability.
#[async_trait::async_trait]
pub trait OverviewSource: Send + Sync {
    async fn overview(&self, who: &Principal) -> Result<Overview, ApiError>;
}

/// A step of the checklist for an empty installation, for those who may take it.
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
    /// URL of the jobs page, for those who may see it.
    fn jobs(&self) -> &'static str {
        if self.shell.can_edit() { "/jobs" } else { "" }
    }

    /// Duration of the last successful drill.
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

/// Public, like the document itself: it describes the software, not the data.
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
