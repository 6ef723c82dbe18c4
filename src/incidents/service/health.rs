//! What the health checks and the console's first page read.

use super::Incidents;
use crate::{
    IncidentsError,
    channel::PREFIX,
    doctor::ChannelsFound,
    model::{CauseSource, ChannelId, Incident, Matches, Owner, Severity},
    store::{channels, figures, incidents, rota, rules},
};
use platform::http::Slice;

impl Incidents {
    pub(crate) async fn channels_found(&self) -> Result<ChannelsFound, IncidentsError> {
        let mut tx = self.system().await?;
        let (used, gone) = figures::channels(&mut tx).await?;
        let all = rules::all(&mut tx, None).await?;
        let own = channels::keys(&mut tx, None).await?;
        tx.commit().await?;
        let failing = self.inner.rooms.webhooks.failing(PREFIX).await?;
        let is_used = |receiver: &str| {
            let channel = receiver.strip_prefix(PREFIX).unwrap_or_default();
            used.iter().any(|id| id.to_string() == channel)
        };
        let failing = failing.iter().filter(|(receiver, _)| is_used(receiver)).count();
        let is_for_monitors = |matches: &Matches| {
            (matches.severities.is_empty() || matches.severities.contains(&Severity::Critical))
                && (matches.sources.is_empty() || matches.sources.contains(&CauseSource::Monitor))
        };
        let reaches = |channel: &ChannelId| own.iter().any(|(_, id, _)| id == channel) && used.contains(channel);
        let nobody = !all.iter().any(|rule| {
            !rule.disabled
                && is_for_monitors(&rule.matches)
                && rule.steps.iter().any(|step| step.rota.is_some() || step.channels.iter().any(reaches))
        });
        let failing = i64::try_from(failing).unwrap_or(i64::MAX).saturating_add(gone);
        Ok(ChannelsFound { used: used.len(), failing, nobody })
    }

    /// Names of rotas that a rule names and in which nobody is on call now, of all owners.
    pub(crate) async fn empty_rotas(&self) -> Result<Vec<String>, IncidentsError> {
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        let mut empty = Vec::new();
        for rota in rota::used(&mut tx).await? {
            let overrides = rota::overrides(&mut tx, rota.id, now, &Slice::first(200)).await?;
            let zone = rota.zone.parse().unwrap_or(chrono_tz::Tz::UTC);
            if crate::rota::on_call(&rota.layers, &overrides, zone, now).is_none() {
                empty.push(rota.name);
            }
        }
        tx.commit().await?;
        Ok(empty)
    }

    /// The newest open incidents of an owner, how many are open, and how many of them nobody has acknowledged.
    pub(crate) async fn open_now(&self, owner: Owner, most: i64) -> Result<(Vec<Incident>, i64, i64), IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let (open, waiting) = figures::of_owner(&mut tx, owner.org()).await?;
        let filter = incidents::Filter { open: Some(true), ..incidents::Filter::default() };
        let installation = owner == Owner::Installation;
        let ids = incidents::found(&mut tx, installation, &filter, &Slice::first(most)).await?;
        let rows = incidents::rows(&mut tx, &ids).await?;
        tx.commit().await?;
        Ok((rows.into_iter().map(Incident::from).collect(), open, waiting))
    }
}
