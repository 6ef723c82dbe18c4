//! The numbers of the console's first page, from every capability.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::App;
use crate::{
    backup::Status,
    console::{Overview, OverviewSource, Recovery},
    platform::{
        error::ApiError,
        http::{Principal, Slice},
    },
};

/// Days of the little pictures.
const DAYS: i64 = 14;
/// Alerts that are named.
const ALERTS: i64 = 5;

/// Asks every capability for its numbers.
pub struct Numbers(pub App);

impl Numbers {
    async fn recovery(&self) -> Result<Recovery, ApiError> {
        let backups = &self.0.backups;
        let recent = backups.list(&Slice::first(50)).await?;
        let last = recent.iter().find(|backup| backup.status != Status::Running);
        Ok(Recovery {
            is_on: backups.config().is_on(),
            is_elsewhere: backups.has_copies_elsewhere().await,
            is_well: last.is_none_or(|backup| backup.status == Status::Verified),
            proven: backups.last_proven().await?,
        })
    }
}

#[async_trait]
impl OverviewSource for Numbers {
    async fn overview(&self, who: &Principal) -> Result<Overview, ApiError> {
        let app = &self.0;
        let org = who.org_id;
        let bases = app.knowledge.list_bases(org, None, &Slice::first(1000)).await?;
        let (agents, conversations_today) = app.agents.counts(org).await?;
        let today = app.runtime.clock.now();
        let (by_day, _) = app.llm.usage(org, today - TimeDelta::days(DAYS)).await?;
        let tokens_by_day: Vec<i64> = (0..DAYS)
            .rev()
            .map(|ago| (today - TimeDelta::days(ago)).date_naive())
            .map(|day| by_day.iter().filter(|u| u.day == day).map(|u| u.prompt_tokens + u.completion_tokens).sum())
            .collect();
        let (jobs_waiting, jobs_failed) = app.jobs.counts(org).await?;
        let (firing, firing_count) =
            if who.is_operator() { app.alerting.overview(ALERTS).await? } else { (Vec::new(), 0) };
        Ok(Overview {
            knowledge_bases: i64::try_from(bases.len()).unwrap_or(i64::MAX),
            documents_ready: bases.iter().map(|b| b.documents_ready).sum(),
            documents_waiting: bases.iter().map(crate::knowledge::KnowledgeBase::documents_pending).sum(),
            documents_failed: bases.iter().map(|b| b.documents_failed).sum(),
            agents,
            conversations_today,
            conversations_by_day: app.agents.conversations_by_day(org, DAYS).await?,
            jobs_waiting,
            jobs_failed,
            tokens_today: tokens_by_day.last().copied().unwrap_or_default(),
            tokens_by_day,
            api_keys: app.auth.count_live_api_keys(who).await?,
            has_model: !app.llm.providers().is_empty(),
            recovery: if who.is_operator() { Some(self.recovery().await?) } else { None },
            firing,
            firing_count,
        })
    }
}
