//! The page Settings > Models: names and models, a test for each provider, and usage.

use askama::Template;
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use chrono::{Days, TimeDelta};

use super::{
    error::{Failure, LlmError},
    model::EmbedModel,
    routes::PROVIDERS,
    service::{Llm, ProviderInfo, ProviderTest, TestError},
    store::{UsageByDay, UsageByModel},
};
use console::{Form, Nothing, PageResult, Shell, see_other, svg};
use platform::http::{Path, Role};

const PATH: &str = "/settings/models";
/// Days of usage on the page.
const DAYS: u64 = 30;

/// The routes.
pub fn router() -> Router<Llm> {
    // The test's result is the answer to its form; a later GET of that address shows the page without it.
    let again = get(|| async { see_other(PATH) });
    Router::new().route(PATH, get(show)).route("/settings/models/{name}/test", post(test).merge(again))
}

#[derive(Template)]
#[template(path = "llm/templates/models.html")]
struct Models<'a> {
    shell: &'a Shell,
    /// `(alias, model)`; an empty model: not configured.
    aliases: [(&'static str, String); 2],
    default_model: String,
    embedding: Result<EmbedModel, String>,
    providers: Vec<ProviderInfo>,
    /// Whether to show addresses and the test: only to operators of the installation.
    is_operator: bool,
    by_model: Vec<UsageByModel>,
    tokens: i64,
    requests: i64,
    failed: i64,
    tokens_picture: String,
    requests_picture: String,
    /// The result of a provider's test, just run.
    tested: Option<(String, ProviderTest)>,
}

async fn show(shell: Shell, State(llm): State<Llm>) -> PageResult {
    page(&shell, &llm, None).await
}

async fn page(shell: &Shell, llm: &Llm, tested: Option<(String, ProviderTest)>) -> PageResult {
    shell.principal().require_role(Role::Member)?;
    let today = llm.clock().now();
    let (by_day, by_model) = llm.usage(shell.org_id(), today - TimeDelta::days(DAYS.cast_signed())).await?;
    let series = |value: fn(&UsageByDay) -> i64| -> Vec<f64> {
        let first = today.date_naive() - Days::new(DAYS - 1);
        let day = |offset| by_day.iter().find(|d| d.day == first + Days::new(offset)).map_or(0.0, |d| value(d) as f64);
        (0..DAYS).map(day).collect()
    };
    let picture = |values: &[f64], key: &str| {
        if by_day.is_empty() { String::new() } else { svg::bars(values, &shell.t(key).to_string()) }
    };
    let page = Models {
        shell,
        aliases: ["fast", "quality"].map(|alias| (alias, llm.alias(alias).unwrap_or_default().to_owned())),
        default_model: llm.default_model(),
        embedding: llm.embedder().await.map_err(explain),
        providers: llm.providers(),
        is_operator: shell.principal().require_operator(PROVIDERS).is_ok(),
        tokens: by_day.iter().map(|d| d.prompt_tokens + d.completion_tokens).sum(),
        requests: by_day.iter().map(|d| d.requests).sum(),
        failed: by_day.iter().map(|d| d.failed).sum(),
        tokens_picture: picture(&series(|d| d.prompt_tokens + d.completion_tokens), "llm-tokens-per-day"),
        requests_picture: picture(&series(|d| d.requests), "llm-requests-per-day"),
        by_model,
        tested,
    };
    shell.render(&page)
}

impl UsageByModel {
    fn duration_seconds(&self) -> String {
        format!("{:.2}", self.duration_ms / 1000.0)
    }

    fn first_token_seconds(&self) -> String {
        self.first_token_ms.map_or_else(|| "–".to_owned(), |ms| format!("{:.2}", ms / 1000.0))
    }
}

impl TestError {
    /// Translation key of the advice.
    fn advice_key(&self) -> String {
        let known = Failure::ALL.iter().any(|failure| failure.status().1 == self.code);
        format!("llm-advice-{}", if known { self.code.replace('_', "-") } else { "other".to_owned() })
    }
}

/// With the causes: readers of this page run the server or know who does.
fn explain(error: LlmError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

async fn test(
    shell: Shell,
    State(llm): State<Llm>,
    Path(name): Path<String>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require_operator(PROVIDERS)?;
    let result = llm.test_provider(shell.org_id(), &shell.principal().subject(), &name, None).await?;
    page(&shell, &llm, Some((name, result))).await
}
