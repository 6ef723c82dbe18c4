//! Writing a monitor, in the caller's transaction: by hand, by the file, by an import.

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgConnection;

use super::{NewMonitor, Uptime};
use crate::{
    UptimeError,
    file::is_key,
    model::{Kind, ManagedBy, MonitorId, Owner},
    secrets::Secrets,
    settings::{Settings, secret_problems},
    store::{
        groups,
        monitors::{self, NewRow},
    },
};
use platform::{crypto, error::FieldError, slug::slug_of};

/// Longest key that is made of a name: with a number after it, it is a key still.
const LONGEST_SLUG: usize = 60;

impl Uptime {
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
        let hash = token.as_ref().map(crypto::sha256);
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
}

fn taken(key: &str) -> UptimeError {
    UptimeError::Conflict("taken", format!("there is a monitor with the key {key} already"))
}

fn only_builtin() -> FieldError {
    FieldError::new("/spec/kind", "not_permitted", "only the appliance makes monitors of its own parts")
}

fn token_of(given: Option<SecretString>) -> String {
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
