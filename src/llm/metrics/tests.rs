//! Unit tests of the series of models.

use prometheus_client::encoding::text::encode;

use super::*;
use crate::{config::Config, prices::Prices, wire::Usage};
use platform::ids::OrgId;

fn row(provider: &str, model: &str) -> UsageRow {
    UsageRow {
        id: uuid::Uuid::nil(),
        org_id: OrgId(uuid::Uuid::nil()),
        actor: String::new(),
        agent_id: None,
        operation: Operation::Chat,
        provider: provider.into(),
        model: model.into(),
        alias: None,
        prompt_tokens: 2000,
        completion_tokens: 1000,
        estimated: false,
        duration_ms: 1,
        first_token_ms: None,
        outcome: Outcome::Ok,
        streamed: false,
        cost: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

#[test]
fn calls_are_counted_by_the_models_that_the_configuration_names_with_what_they_cost() {
    let config: Config = toml::from_str(
        "[providers.openrouter]\nbase_url = 'https://openrouter.ai/api/v1'\nmodels = ['openai/gpt-4o-mini']\n\
         prices = { 'openai/gpt-4o-mini' = { input = 0.5, output = 1.5 } }\n",
    )
    .unwrap();
    let mut registry = Registry::default();
    let (metrics, prices) = (Metrics::register(&mut registry), Prices::new(&config));
    for (embeds, provider, model) in config.named_models() {
        assert!(!embeds);
        metrics.create_model(Operation::Chat, provider, model);
    }
    let text = || {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    };
    let series = |text: &str| text.lines().filter(|line| line.starts_with("model_")).count();
    let before = series(&text());
    // The end of an OpenRouter answer: usage with its cost in US dollars.
    let said: Usage = serde_json::from_str(
        r#"{"prompt_tokens": 2000, "completion_tokens": 1000, "total_tokens": 3000, "cost": 0.25}"#,
    )
    .unwrap();
    for model in ["openai/gpt-4o-mini", "openai/gpt-4o-mini:nitro", "made/up-1", "made/up-2"] {
        let row = row("openrouter", model);
        let target = Target {
            operation: Operation::Chat,
            kind: BackendKind::Openai,
            provider: row.provider.clone(),
            model: row.model.clone(),
            alias: None,
        };
        let tokens = (row.prompt_tokens, row.completion_tokens);
        let cost = prices.known(&row.provider, &row.model, tokens, Some(&said)).unwrap_or_default();
        metrics.called(&target, Outcome::Ok, Duration::from_secs(1), None, (&row, cost));
    }
    let text = text();
    assert_eq!(series(&text), before, "no name that a client makes up is a label: {text}");
    for line in [
        r#"model_requests_total{operation="chat",provider="openrouter",model="openai/gpt-4o-mini",outcome="ok"} 2"#,
        r#"model_requests_total{operation="chat",provider="openrouter",model="other",outcome="ok"} 2"#,
        r#"model_tokens_total{provider="openrouter",model="openai/gpt-4o-mini",direction="input"} 4000"#,
        // The configured price: 2 x (2000 x 0.5 + 1000 x 1.5) / 1e6.
        r#"model_cost_total{provider="openrouter",model="openai/gpt-4o-mini"} 0.005"#,
        // The provider's figure.
        r#"model_cost_total{provider="openrouter",model="other"} 0.5"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}
