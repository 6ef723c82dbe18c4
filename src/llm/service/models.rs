//! Model names: listing and routing.

use std::sync::{Arc, PoisonError};

use super::Llm;
use crate::{
    backend::ModelBackend,
    config::{RefusedModel, there_are},
    error::LlmError,
    extractive,
    model::{CallContext, ModelInfo, Operation},
    usage::{Meter, Target},
};
use platform::ids::OrgId;

/// Characters; names are stored in usage rows and log lines.
const LONGEST_MODEL_NAME: usize = 200;

/// Target of a model's name.
pub(crate) struct Route {
    pub backend: Arc<dyn ModelBackend>,
    prefix: String,
    pub model: String,
    alias: Option<String>,
}

impl Route {
    /// Vectors as the backend returns them.
    pub(crate) async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, LlmError> {
        Ok(self.backend.embed(&self.model, texts, &serde_json::Map::new()).await?.vectors)
    }

    pub fn target(&self, operation: Operation) -> Target {
        Target {
            operation,
            kind: self.backend.kind(),
            provider: self.prefix.clone(),
            model: self.model.clone(),
            alias: self.alias.clone(),
        }
    }
}

impl Llm {
    fn backend(&self, prefix: &str) -> Option<Arc<dyn ModelBackend>> {
        self.inner.backends.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    /// Like [`Self::route`]; the error for an unknown name lists the available ones.
    pub(super) async fn route_of(&self, org: OrgId, requested: &str) -> Result<Route, LlmError> {
        match self.route(requested).await {
            Err(LlmError::UnknownModel(name)) => Err(self.no_such_model(org, name).await),
            found => found,
        }
    }

    /// The error for an unknown name.
    pub(crate) async fn no_such_model(&self, org: OrgId, name: String) -> LlmError {
        let models = self.models(org).await;
        LlmError::NoSuchModel { name, models: there_are(models.into_iter().map(|model| model.id)) }
    }

    /// Resolves an alias, `prefix/model`, or a bare name that exactly one provider offers.
    pub(crate) async fn route(&self, requested: &str) -> Result<Route, LlmError> {
        if requested.chars().count() > LONGEST_MODEL_NAME || requested.contains(char::is_control) {
            let text =
                format!("a model's name has at most {LONGEST_MODEL_NAME} characters, none of them a control character");
            return Err(LlmError::invalid("model", "model_not_found", text));
        }
        let alias = matches!(requested, "fast" | "quality").then(|| requested.to_owned());
        let name = match &alias {
            Some(alias) => self.alias(alias).ok_or_else(|| {
                LlmError::invalid(
                    "model",
                    "alias_not_configured",
                    format!("the alias `{alias}` has no model: set llm.aliases.{alias}"),
                )
            })?,
            None => requested,
        };
        if let Some((prefix, model)) = name.split_once('/')
            && let Some(backend) = self.backend(prefix)
        {
            return Ok(Route { backend, prefix: prefix.to_owned(), model: model.to_owned(), alias });
        }
        let mut offering = Vec::new();
        for (prefix, provider) in &self.inner.providers {
            if provider.offers(name).await {
                offering.push((prefix, provider));
            }
        }
        match offering.as_slice() {
            [(prefix, provider)] => {
                let backend: Arc<dyn ModelBackend> = (*provider).clone();
                Ok(Route { backend, prefix: (*prefix).clone(), model: name.to_owned(), alias })
            }
            [] => Err(LlmError::UnknownModel(requested.to_owned())),
            many => {
                let names: Vec<String> = many.iter().map(|(prefix, _)| format!("{prefix}/{name}")).collect();
                Err(LlmError::invalid(
                    "model",
                    "model_ambiguous",
                    format!("several providers offer {name}; specify one: {}", names.join(", ")),
                ))
            }
        }
    }

    /// A route for embeddings through a provider, with its meter.
    pub(crate) async fn begin_embedding(
        &self,
        call: &CallContext,
        model: &str,
        alias: Option<&str>,
    ) -> Result<(Arc<dyn ModelBackend>, String, Meter), LlmError> {
        let mut route = self.route_of(call.org_id, model).await?;
        route.alias = alias.map(str::to_owned);
        let meter = Meter::new(&self.inner.recorder, call, route.target(Operation::Embedding), false);
        Ok((route.backend, route.model, meter))
    }

    /// All models that this organisation may use. A provider that does not answer is left out, and logged.
    pub async fn models(&self, org: OrgId) -> Vec<ModelInfo> {
        let own = |id: &str| ModelInfo { id: id.to_owned(), owned_by: "holdfast".to_owned() };
        let mut models: Vec<ModelInfo> =
            ["fast", "quality"].into_iter().filter(|a| self.alias(a).is_some()).map(own).collect();
        models.push(own("embed"));
        let backends: Vec<_> = {
            let backends = self.inner.backends.read().unwrap_or_else(PoisonError::into_inner);
            backends.iter().map(|(prefix, backend)| (prefix.clone(), backend.clone())).collect()
        };
        let lists = futures::future::join_all(backends.iter().map(|(_, backend)| backend.models(org))).await;
        for ((prefix, _), list) in backends.iter().zip(lists) {
            match list {
                Ok(list) => models.extend(list),
                Err(error) => {
                    tracing::warn!(provider = prefix, error = %anyhow::Error::from(error), "models cannot be listed");
                }
            }
        }
        models
    }

    /// The models that an agent may use: no agents, no embedding models. Unreachable providers are left out.
    pub async fn chat_models(&self) -> Vec<String> {
        let inner = &self.inner;
        let lists = inner.providers.iter().map(|(name, provider)| async move {
            let names = provider.names().await.unwrap_or_default();
            names.iter().map(|model| format!("{name}/{model}")).collect::<Vec<_>>()
        });
        let listed = futures::future::join_all(lists).await.into_iter().flatten();
        let aliases = ["fast", "quality"].into_iter().filter(|a| self.alias(a).is_some()).map(str::to_owned);
        let own = [extractive::MODEL.to_owned()];
        aliases.chain(listed.filter(|id| !inner.config.is_embedding_model(id))).chain(own).collect()
    }

    /// Whether an agent can use the model: by the configuration, and by its provider's list. An unreachable provider is
    /// assumed to have it.
    pub async fn check_chat_model(&self, name: &str) -> Result<(), RefusedModel> {
        let config = &self.inner.config;
        let known = match config.check_chat_model(name) {
            Ok(()) => self.is_listed(config.alias(name).unwrap_or(name)).await,
            Err(refused) if refused.code == "model_not_found" => false,
            Err(refused) => return Err(refused),
        };
        if known {
            return Ok(());
        }
        let models = there_are(self.chat_models().await.into_iter());
        Err(RefusedModel { code: "model_not_found", message: format!("there is no model {name:?}; {models}") })
    }

    async fn is_listed(&self, name: &str) -> bool {
        match name.split_once('/').and_then(|(prefix, model)| Some((self.inner.providers.get(prefix)?, model))) {
            Some((provider, model)) => provider.may_have(model).await,
            None => true,
        }
    }
}
