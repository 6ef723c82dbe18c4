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
    file::is_key,
    model::{Kind, ManagedBy, Monitor, MonitorDetail, MonitorId, Owner, Status},
    secrets::Secrets,
    settings::{Settings, is_secret_name, secret_problems},
    spec::SecretName,
    store::{
        groups,
        monitors::{self, Filter, NewRow, Whole},
    },
};
use platform::{
    crypto,
    db::Tx,
    error::FieldError,
    http::{Principal, Slice},
    slug::slug_of,
};

/// Longest key that is made of a name: with a number after it, it is a key still.
const LONGEST_SLUG: usize = 60;
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
        let mut kept = Secrets::open(&self.inner.master_key, id, whole.secrets.as_deref())?;
        for (name, value) in secrets {
            match value {
                Some(value) => drop(kept.0.insert(SecretName(name), value)),
                None => drop(kept.0.remove(&SecretName(name))),
            }
        }
        let is_builtin = managed == Some(ManagedBy::Builtin);
        let asked = (settings.spec != before.spec).then(|| settings.clone());
        self.change_monitor(&mut tx, owner, id, settings, &kept, is_builtin).await?;
        // At most once a week, and within a few seconds, this reads the list of registries.
        if let Some(asked) = asked {
            self.refuse_hopeless(owner, &asked).await?;
        }
        let monitor = self.detail(&mut tx, owner, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(monitor_id = %id, by = who.subject(), "monitor changed");
        Ok(monitor)
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

    /// Checks it and writes it, in the caller's transaction. The token of a heartbeat is returned: it is stored as a hash only.
    pub(crate) async fn insert_monitor(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        new: NewMonitor,
        managed_by: Option<ManagedBy>,
        by: &str,
    ) -> Result<(MonitorId, Option<String>), UptimeError> {
        let settings = new.settings.tidied();
        let mut problems = self.problems(owner, &settings);
        problems.extend(secret_problems(&settings.spec, &new.secrets));
        if settings.spec.kind() == Kind::Internal && managed_by != Some(ManagedBy::Builtin) {
            problems.push(only_builtin());
        }
        if let Some(key) = new.key.as_deref().filter(|key| !is_key(key)) {
            let text = format!("{key:?} is not 1 to 100 lower-case letters, digits, hyphens and underscores");
            problems.push(FieldError::new("/key", "invalid", text));
        }
        if !problems.is_empty() {
            return Err(UptimeError::Invalid(problems));
        }
        let most = self.inner.config.most_monitors;
        if owner.org().is_some() && monitors::count(conn, owner.org()).await? >= most {
            return Err(UptimeError::TooMany(most));
        }
        self.check_links(conn, owner, None, &settings).await?;
        let key = match new.key {
            Some(key) if monitors::find(conn, owner.org(), &key).await?.is_some() => return Err(taken(&key)),
            Some(key) => key,
            None => free_key(conn, owner, &settings.name).await?,
        };
        let id = MonitorId::generate(&self.inner.clock);
        let token = (settings.spec.kind() == Kind::Heartbeat).then(|| token_of(new.token));
        let hash = token.as_ref().map(|token| crypto::sha256(token));
        let secrets = new.secrets.seal(&self.inner.master_key, id)?;
        let row = NewRow {
            id,
            org: owner.org(),
            key: &key,
            settings: &settings,
            secrets: secrets.as_deref(),
            token_hash: hash.as_ref().map(<[u8; 32]>::as_slice),
            paused: new.paused,
            managed_by,
            created_by: by,
            now: self.inner.clock.now(),
        };
        match monitors::insert(conn, &row).await {
            Ok(()) => Ok((id, token)),
            Err(error) => Err(match platform::db::constraint(&error) {
                Some("uptime_monitors_key") => taken(&key),
                Some("uptime_monitors_token_key") => {
                    UptimeError::Conflict("taken", "another heartbeat has this token".to_owned())
                }
                _ => error.into(),
            }),
        }
    }

    /// Checks what is set now and writes it, in the caller's transaction. `secrets`: all of them.
    pub(crate) async fn change_monitor(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: MonitorId,
        settings: Settings,
        secrets: &Secrets,
        is_builtin: bool,
    ) -> Result<(), UptimeError> {
        let settings = settings.tidied();
        let mut problems = self.problems(owner, &settings);
        problems.extend(secret_problems(&settings.spec, secrets));
        if settings.spec.kind() == Kind::Internal && !is_builtin {
            problems.push(only_builtin());
        }
        if !problems.is_empty() {
            return Err(UptimeError::Invalid(problems));
        }
        self.check_links(conn, owner, Some(id), &settings).await?;
        let sealed = secrets.seal(&self.inner.master_key, id)?;
        monitors::update(conn, id, &settings, sealed.as_deref(), self.inner.clock.now()).await?;
        Ok(())
    }

    /// Its group and its parent belong to the same owner, and it does not depend on itself.
    async fn check_links(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        id: Option<MonitorId>,
        settings: &Settings,
    ) -> Result<(), UptimeError> {
        let org = owner.org();
        if let Some(group) = settings.group_id
            && groups::get(conn, org, group).await?.is_none()
        {
            return Err(UptimeError::invalid("/group_id", "not_found", "there is no such group"));
        }
        let Some(parent) = settings.parent_id else { return Ok(()) };
        let found = monitors::of_ids(conn, &[parent.0]).await?.pop();
        if found.is_none_or(|found| found.installation != org.is_none()) {
            return Err(UptimeError::invalid("/parent_id", "not_found", "there is no such monitor"));
        }
        if let Some(id) = id
            && monitors::is_above(conn, id, parent).await?
        {
            return Err(UptimeError::invalid("/parent_id", "circle", "it would depend on itself"));
        }
        Ok(())
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

fn taken(key: &str) -> UptimeError {
    UptimeError::Conflict("taken", format!("there is a monitor with the key {key} already"))
}

fn only_builtin() -> FieldError {
    FieldError::new("/spec/kind", "not_permitted", "only the appliance makes monitors of its own parts")
}

fn token_of(given: Option<SecretString>) -> String {
    use secrecy::ExposeSecret as _;
    given.map_or_else(crypto::random_token, |given| given.expose_secret().to_owned())
}

/// A key made of the name, with a number after it if others have it.
async fn free_key(conn: &mut PgConnection, owner: Owner, name: &str) -> Result<String, UptimeError> {
    let slug =
        Some(slug_of(name, LONGEST_SLUG)).filter(|slug| !slug.is_empty()).unwrap_or_else(|| "monitor".to_owned());
    let taken = monitors::keys_like(conn, owner.org(), &slug).await?;
    Ok(free(&slug, |key| taken.iter().any(|taken| taken == key)))
}

/// `slug`, or the first of `slug-2`, `slug-3`, ... that is free.
pub(crate) fn free(slug: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(slug) {
        return slug.to_owned();
    }
    let mut number = 2_u32;
    loop {
        let key = format!("{slug}-{number}");
        if !is_taken(&key) {
            return key;
        }
        number += 1;
    }
}

/// From what the API and forms give. Invalid names are problems.
pub(crate) fn given_secrets(given: BTreeMap<String, SecretString>) -> Result<Secrets, UptimeError> {
    if let Some(name) = given.keys().find(|name| !is_secret_name(name)) {
        let text = format!("{name:?} is not 1 to 40 of a-z, 0-9 and _");
        return Err(UptimeError::invalid("/secrets", "invalid", text));
    }
    Ok(Secrets(given.into_iter().map(|(name, value)| (SecretName(name), value)).collect()))
}
