//! Monitors: made, changed, paused, found.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Uptime, owners};
use crate::{
    UptimeError,
    model::{Kind, ManagedBy, Monitor, MonitorDetail, MonitorId, Owner, Status},
    secrets::Secrets,
    settings::{Settings, is_secret_name},
    spec::{MonitorSpec, SecretName},
    store::monitors::{self, Filter, Whole},
};
use platform::{
    crypto,
    db::Tx,
    http::{Principal, Slice},
};

/// Choices of a form.
const MOST_CHOICES: i64 = 2000;

/// A monitor to make.
#[derive(Clone, Debug)]
pub struct NewMonitor {
    /// `None`: made of the name.
    pub key: Option<String>,
    pub settings: Settings,
    pub secrets: Secrets,
    pub paused: bool,
    /// Of a heartbeat; `None`: a new one.
    pub token: Option<SecretString>,
}

impl NewMonitor {
    pub fn new(settings: Settings) -> Self {
        Self { key: None, settings, secrets: Secrets::default(), paused: false, token: None }
    }
}

/// Secrets to set by name, or with `None` to remove.
pub type SecretChanges = BTreeMap<String, Option<SecretString>>;

/// A monitor, and for a heartbeat what its sender needs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MonitorWithToken {
    #[serde(flatten)]
    pub monitor: MonitorDetail,
    /// Of a heartbeat: shown only once.
    pub token: Option<String>,
    /// Where its sender reports: POST or GET, with `/start` or `/fail` after it if wanted.
    pub beat_url: Option<String>,
}

impl Uptime {
    pub async fn create_monitor(
        &self,
        who: &Principal,
        owner: Owner,
        new: NewMonitor,
    ) -> Result<MonitorWithToken, UptimeError> {
        self.refuse_hopeless(owner, &new.settings).await?;
        let mut tx = self.begin(owner).await?;
        let (id, token) = self.insert_monitor(&mut tx, owner, new, None, &who.subject()).await?;
        let monitor = self.detail(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(monitor_id = %id, key = monitor.monitor.key, by = who.subject(), "monitor made");
        Ok(self.with_token(monitor, token))
    }

    /// Newest first.
    pub async fn list_monitors(
        &self,
        owner: Owner,
        filter: &Filter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Monitor>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(monitors::list(&mut tx, owner.org(), filter, slice).await?)
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get_monitor(&self, who: &Principal, id: MonitorId) -> Result<MonitorDetail, UptimeError> {
        let (_, _, whole) = self.find_whole(who, id).await?;
        self.named(whole)
    }

    /// `change` changes what is set; `secrets` those that it names.
    pub async fn update_monitor(
        &self,
        who: &Principal,
        id: MonitorId,
        secrets: SecretChanges,
        change: impl FnOnce(&mut Settings) + Send,
    ) -> Result<MonitorDetail, UptimeError> {
        let (mut tx, owner, whole) = self.find_whole(who, id).await?;
        let managed = whole.detail.monitor.managed_by;
        if managed == Some(ManagedBy::File) {
            return Err(UptimeError::Managed);
        }
        let before = whole.settings();
        let mut settings = before.clone();
        change(&mut settings);
        if managed == Some(ManagedBy::Builtin) && settings.spec != before.spec {
            return Err(UptimeError::Conflict(
                "managed",
                "the appliance itself says what this monitor asks".to_owned(),
            ));
        }
        let mut kept = self.kept_secrets(&whole, &settings.spec)?;
        for (name, value) in secrets {
            match value {
                Some(value) => drop(kept.0.insert(SecretName(name), value)),
                None => drop(kept.0.remove(&SecretName(name))),
            }
        }
        if settings.spec != before.spec {
            // At most once a week, and within a few seconds, this reads the list of registries: nobody waits for a lock meanwhile.
            drop(tx);
            self.refuse_hopeless(owner, &settings).await?;
            let found = self.find_whole(who, id).await?;
            tx = found.0;
            if found.2.settings() != before || found.2.secrets != whole.secrets {
                let text = "somebody else has changed this monitor at the same time: try again";
                return Err(UptimeError::Conflict("changed_meanwhile", text.to_owned()));
            }
        }
        let is_builtin = managed == Some(ManagedBy::Builtin);
        self.change_monitor(&mut tx, owner, id, settings, &kept, is_builtin).await?;
        let monitor = self.detail(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(monitor_id = %id, by = who.subject(), "monitor changed");
        Ok(monitor)
    }

    /// The secrets that a monitor keeps. Where it is to ask another host they do not go with it: who may change a monitor cannot read its secrets.
    pub(super) fn kept_secrets(&self, whole: &Whole, spec: &MonitorSpec) -> Result<Secrets, UptimeError> {
        if !spec.hosts().is_subset(&whole.detail.spec.hosts()) {
            return Ok(Secrets::default());
        }
        Secrets::open(&self.inner.master_key, whole.detail.monitor.id, whole.secrets.as_deref())
    }

    /// With its history.
    pub async fn delete_monitor(&self, who: &Principal, id: MonitorId) -> Result<(), UptimeError> {
        let (mut tx, _, whole) = self.find_whole(who, id).await?;
        match whole.detail.monitor.managed_by {
            // Gone from the file already: nobody else would delete it before its time.
            Some(ManagedBy::File) if whole.detail.monitor.removed_at.is_some() => {}
            Some(ManagedBy::File) => return Err(UptimeError::Managed),
            Some(ManagedBy::Builtin) => {
                let text = "this monitor belongs to the appliance: pause it instead";
                return Err(UptimeError::Conflict("managed", text.to_owned()));
            }
            None => {}
        }
        monitors::delete(&mut tx, id).await?;
        tx.commit().await?;
        self.forget_tokens();
        self.changed();
        tracing::info!(monitor_id = %id, by = who.subject(), "monitor deleted");
        Ok(())
    }

    /// Pauses it, or with `false` lets it go on. Those of the file, too: it is operation, not configuration.
    pub async fn pause_monitor(
        &self,
        who: &Principal,
        id: MonitorId,
        paused: bool,
    ) -> Result<MonitorDetail, UptimeError> {
        let (mut tx, owner, whole) = self.find_whole(who, id).await?;
        // Who paused it first stays named.
        if whole.detail.paused_at.is_some() != paused {
            let by = who.subject();
            monitors::pause(&mut tx, id, paused.then_some(by.as_str()), self.inner.clock.now()).await?;
        }
        let monitor = self.detail(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(monitor_id = %id, paused, by = who.subject(), "monitor paused or resumed");
        Ok(monitor)
    }

    /// A new token for the sender of a heartbeat; the former one is worth nothing any more. Of those of the file, too: it need not name one, and where
    /// it does, that one holds again when the file is applied.
    pub async fn renew_token(&self, who: &Principal, id: MonitorId) -> Result<MonitorWithToken, UptimeError> {
        let (mut tx, owner, whole) = self.find_whole(who, id).await?;
        if whole.detail.monitor.kind != Kind::Heartbeat {
            return Err(UptimeError::Conflict("not_a_heartbeat", "only a heartbeat has a token".to_owned()));
        }
        let token = crypto::random_token();
        monitors::set_token(&mut tx, id, Some(crypto::sha256(&token).as_slice())).await?;
        let monitor = self.detail(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.forget_tokens();
        self.changed();
        tracing::info!(monitor_id = %id, by = who.subject(), "token of a heartbeat renewed");
        Ok(self.with_token(monitor, Some(token)))
    }

    /// How many have which status.
    pub(crate) async fn count_by_status(&self, owner: Owner) -> Result<Vec<(Status, i64)>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(monitors::by_status(&mut tx, owner.org()).await?)
    }

    /// The certificate or domain that ends first: the monitor's name, and when.
    pub(crate) async fn ends_first(&self, owner: Owner) -> Result<Option<(String, DateTime<Utc>)>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(monitors::ending(&mut tx, owner.org()).await?)
    }

    /// For a form: names and ids.
    pub(crate) async fn monitor_choices(&self, owner: Owner) -> Result<Vec<(MonitorId, String)>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(monitors::choices(&mut tx, owner.org(), MOST_CHOICES).await?)
    }

    pub async fn find_monitor(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        key: &str,
    ) -> Result<Option<MonitorId>, UptimeError> {
        Ok(monitors::find(conn, owner.org(), key).await?)
    }

    /// In no order; what does not exist is left out.
    pub async fn monitors(&self, conn: &mut PgConnection, ids: &[MonitorId]) -> Result<Vec<Monitor>, UptimeError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        Ok(monitors::of_ids(conn, &ids).await?)
    }

    /// The monitor, locked, and the transaction that sees it.
    pub(super) async fn find_whole(&self, who: &Principal, id: MonitorId) -> Result<(Tx, Owner, Whole), UptimeError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(whole) = monitors::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, whole));
            }
        }
        Err(missing())
    }

    async fn detail(&self, conn: &mut PgConnection, owner: Owner, id: MonitorId) -> Result<MonitorDetail, UptimeError> {
        let whole = monitors::get(conn, owner.org(), id).await?.ok_or_else(missing)?;
        self.named(whole)
    }

    /// With the names of its secrets.
    fn named(&self, whole: Whole) -> Result<MonitorDetail, UptimeError> {
        let id = whole.detail.monitor.id;
        let secrets = Secrets::open(&self.inner.master_key, id, whole.secrets.as_deref())?;
        let secrets = secrets.0.into_keys().map(|name| name.0).collect();
        Ok(MonitorDetail { secrets, ..whole.detail })
    }

    fn with_token(&self, monitor: MonitorDetail, token: Option<String>) -> MonitorWithToken {
        let beat_url = token.as_ref().map(|token| format!("{}/api/v1/uptime/beats/{token}", self.inner.base_url));
        MonitorWithToken { monitor, token, beat_url }
    }
}

fn missing() -> UptimeError {
    UptimeError::NotFound("monitor")
}

/// From what the API and forms give. Invalid names are problems.
pub(crate) fn given_secrets(given: BTreeMap<String, SecretString>) -> Result<Secrets, UptimeError> {
    if let Some(name) = given.keys().find(|name| !is_secret_name(name)) {
        let text = format!("{name:?} is not 1 to 40 of a-z, 0-9 and _");
        return Err(UptimeError::invalid("/secrets", "invalid", text));
    }
    Ok(Secrets(given.into_iter().map(|(name, value)| (SecretName(name), value)).collect()))
}
