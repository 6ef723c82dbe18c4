//! Asking once, by hand: what a monitor would find now. Nothing is stored and no status changes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::Uptime;
use crate::{
    UptimeError,
    model::{Kind, MonitorId, Observation, Owner},
    secrets::Secrets,
    settings::{Settings, secret_problems},
    spec::MonitorSpec,
    store::monitors,
};
use platform::http::Principal;

/// Of an owner at a time: each holds a connection of this process for up to its timeout.
const MOST_AT_ONCE: usize = 4;

/// How many trials of each owner are running.
#[derive(Debug, Default)]
pub(super) struct Trials(Mutex<HashMap<Owner, usize>>);

/// A trial that runs, counted while it lives.
#[derive(Debug)]
struct Turn {
    trials: Arc<Trials>,
    owner: Owner,
}

impl Turn {
    fn take(trials: &Arc<Trials>, owner: Owner) -> Option<Self> {
        let mut running = trials.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = running.entry(owner).or_default();
        if *count >= MOST_AT_ONCE {
            return None;
        }
        *count += 1;
        Some(Self { trials: trials.clone(), owner })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut running = self.trials.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = running.get_mut(&self.owner) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.remove(&self.owner);
            }
        }
    }
}

impl Uptime {
    /// Asks what a monitor asks, once.
    pub async fn check_now(&self, who: &Principal, id: MonitorId) -> Result<Observation, UptimeError> {
        let (tx, owner, whole) = self.find_whole(who, id).await?;
        // The target may take its time: no transaction stays open for it.
        drop(tx);
        let secrets = Secrets::open(&self.inner.master_key, id, whole.secrets.as_deref())?;
        self.ask(owner, &whole.detail.spec, &secrets, whole.detail.timeout_ms).await
    }

    /// As [`Self::check_now`], by the key: for the command line.
    pub async fn check_key(&self, owner: Owner, key: &str) -> Result<Observation, UptimeError> {
        let mut tx = self.begin(owner).await?;
        let found = match monitors::find(&mut tx, owner.org(), key).await? {
            Some(id) => monitors::get(&mut tx, owner.org(), id).await?,
            None => None,
        };
        drop(tx);
        let whole = found.ok_or(UptimeError::NotFound("monitor"))?;
        let secrets = Secrets::open(&self.inner.master_key, whole.detail.monitor.id, whole.secrets.as_deref())?;
        self.ask(owner, &whole.detail.spec, &secrets, whole.detail.timeout_ms).await
    }

    /// Asks what a monitor would ask that does not exist yet.
    pub async fn try_spec(
        &self,
        who: &Principal,
        spec: MonitorSpec,
        secrets: &Secrets,
        timeout_ms: Option<i32>,
    ) -> Result<Observation, UptimeError> {
        let defaults = Settings::new("trial", spec);
        let settings =
            Settings { timeout_ms: timeout_ms.unwrap_or(defaults.timeout_ms), interval_seconds: 86_400, ..defaults };
        self.try_settings(Owner::Org(who.org_id), &settings, secrets).await
    }

    /// Asks what a monitor would ask if it were changed so. It has its secrets, unless it is to ask another host.
    pub(crate) async fn try_change(
        &self,
        who: &Principal,
        id: MonitorId,
        settings: &Settings,
        given: Secrets,
    ) -> Result<Observation, UptimeError> {
        let (tx, owner, whole) = self.find_whole(who, id).await?;
        drop(tx);
        let mut secrets = self.kept_secrets(&whole, &settings.spec)?;
        secrets.0.extend(given.0);
        self.try_settings(owner, settings, &secrets).await
    }

    /// Asks what a monitor with these settings would ask.
    pub(crate) async fn try_settings(
        &self,
        owner: Owner,
        settings: &Settings,
        secrets: &Secrets,
    ) -> Result<Observation, UptimeError> {
        if settings.spec.kind() == Kind::Internal {
            return Err(UptimeError::invalid("/spec/kind", "not_permitted", "only the appliance asks its own parts"));
        }
        let mut problems = self.problems(owner, settings);
        problems.extend(secret_problems(&settings.spec, secrets));
        if !problems.is_empty() {
            return Err(UptimeError::Invalid(problems));
        }
        self.refuse_hopeless(owner, settings).await?;
        self.ask(owner, &settings.spec, secrets, settings.timeout_ms).await
    }

    async fn ask(
        &self,
        owner: Owner,
        spec: &MonitorSpec,
        secrets: &Secrets,
        timeout_ms: i32,
    ) -> Result<Observation, UptimeError> {
        if spec.kind() == Kind::Heartbeat {
            let text = "a heartbeat asks nothing: its sender reports";
            return Err(UptimeError::Conflict("nothing_to_ask", text.to_owned()));
        }
        let Some(_turn) = Turn::take(&self.inner.trials, owner) else { return Err(UptimeError::Busy) };
        let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or_default());
        Ok(self.probes().run(owner, spec, secrets, timeout).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_so_many_turns_and_gets_them_back() {
        let trials = Arc::new(Trials::default());
        let mut turns: Vec<Turn> = (0..MOST_AT_ONCE).filter_map(|_| Turn::take(&trials, Owner::Installation)).collect();
        assert_eq!(turns.len(), MOST_AT_ONCE);
        assert!(Turn::take(&trials, Owner::Installation).is_none());
        turns.pop();
        assert!(Turn::take(&trials, Owner::Installation).is_some());
        drop(turns);
        assert!(trials.0.lock().unwrap().is_empty());
    }
}
