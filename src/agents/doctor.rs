//! Can agents answer?

use async_trait::async_trait;

use super::service::Agents;
use llm::EXTRACTIVE_MODEL;
use platform::health::{Check, CheckResult};

/// The checks of agents.
pub fn checks(agents: &Agents) -> Vec<Box<dyn Check>> {
    vec![Box::new(DefaultModel(agents.clone()))]
}

struct DefaultModel(Agents);

#[async_trait]
impl Check for DefaultModel {
    fn name(&self) -> &'static str {
        "agents.default_model"
    }

    async fn run(&self) -> CheckResult {
        let model = self.0.default_model();
        match model.as_str() {
            EXTRACTIVE_MODEL => CheckResult::warn(
                "agents only quote documents: no language model is configured",
                "add a provider under [llm.providers] and the alias `quality`",
            ),
            model => match self.0.llm().check_chat_model(model).await {
                Ok(()) => CheckResult::pass(format!("agents without a model of their own use {model}")),
                Err(refused) => CheckResult::fail(
                    format!("agents without a model of their own cannot answer: {}", refused.message),
                    "set agents.default_model or llm.aliases.quality to an existing model",
                ),
            },
        }
    }
}
