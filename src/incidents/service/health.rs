//! What the health checks and the console's first page read.

use chrono::TimeDelta;

use super::Incidents;
use crate::{
    IncidentsError,
    channel::PREFIX,
    doctor::ChannelsFound,
    model::{Incident, Owner},
    store::{
        figures::{self, Standing},
        incidents, rota,
    },
};
use platform::http::Slice;

/// Channels that fail or are gone, by whose they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failing {
    pub installation: i64,
    pub organisations: i64,
}

impl Incidents {
    pub(crate) async fn channels_found(&self) -> Result<ChannelsFound, IncidentsError> {
        let has_mail = self.inner.rooms.mail.is_configured();
        let mut tx = self.system().await?;
        let all = figures::channels(&mut tx).await?;
        let untold = figures::untold(&mut tx, None, has_mail).await?;
        let nobody = figures::untold(&mut tx, Some(Owner::Installation), has_mail).await?;
        tx.commit().await?;
        let failing = self.failing(&all, TimeDelta::zero()).await?;
        let used = all.iter().filter(|channel| !channel.is_gone).count();
        Ok(ChannelsFound { used, failing: failing.installation, nobody: nobody > 0, untold: untold - nobody, has_mail })
    }

    /// How many of these channels have failed for at least this long, or do not exist any more.
    pub(super) async fn failing(&self, all: &[Standing], least: TimeDelta) -> Result<Failing, IncidentsError> {
        let now = self.inner.clock.now();
        let known = self.inner.rooms.webhooks.failing(PREFIX).await?;
        let fails = |channel: &&Standing| {
            let name = format!("{PREFIX}{}", channel.id);
            channel.is_gone || known.iter().any(|(receiver, since)| *receiver == name && now - *since >= least)
        };
        let (of_installation, of_organisations): (Vec<&Standing>, Vec<&Standing>) =
            all.iter().filter(fails).partition(|channel| channel.org.is_none());
        let count = |found: Vec<&Standing>| i64::try_from(found.len()).unwrap_or(i64::MAX);
        Ok(Failing { installation: count(of_installation), organisations: count(of_organisations) })
    }

    /// Whether an owner watches something and nobody would be told of its outages.
    pub(crate) async fn is_untold(&self, owner: Owner) -> Result<bool, IncidentsError> {
        let mut tx = self.begin(owner).await?;
        let count = figures::untold(&mut tx, Some(owner), self.inner.rooms.mail.is_configured()).await?;
        tx.commit().await?;
        Ok(count > 0)
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
