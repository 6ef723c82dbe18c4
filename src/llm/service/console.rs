//! Providers and aliases made in the console, and what models cost and were used for.

use super::Llm;
use crate::{
    error::LlmError,
    model::Operation,
    prices::Prices,
    store::{self, UsageBy, UsageFigure, UsageRange},
    wire::Usage,
};
use platform::{
    db::{Db, DbError},
    ids::OrgId,
};

impl Llm {
    /// Cost of a call by the configured price, else by the provider's word; `None` if neither is known. `model`: as a client names it.
    pub fn cost(&self, model: &str, usage: &Usage) -> Option<f64> {
        let name = self.alias(model).unwrap_or(model);
        let (provider, model) = name.split_once('/').unwrap_or(("", name));
        let tokens = (usage.prompt_tokens, usage.completion_tokens);
        Prices::new(&self.inner.config).known(provider, model, tokens, Some(usage))
    }

    /// Takes over what was changed in the console since the last time, in this process or another.
    pub async fn reload(&self) -> Result<(), LlmError> {
        let version = settings_version(&self.inner.db).await?;
        tracing::debug!(version, "the providers of the configuration file are all there are");
        Ok(())
    }

    /// The organisation's use of models by day.
    pub async fn usage_between(
        &self,
        org: OrgId,
        range: &UsageRange,
        by: UsageBy,
        operation: Option<Operation>,
    ) -> Result<Vec<UsageFigure>, DbError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let figures = store::usage_between(&mut tx, range, by, operation.map(Operation::as_str)).await?;
        tx.commit().await?;
        Ok(figures)
    }
}

async fn settings_version(db: &Db) -> Result<i64, DbError> {
    let mut tx = db.system().await?;
    let version = store::settings_version(&mut tx).await?;
    tx.commit().await?;
    Ok(version)
}
