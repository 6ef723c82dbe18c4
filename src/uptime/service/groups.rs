//! Groups of monitors.

use sqlx::PgConnection;

use super::{Uptime, free, owners};
use crate::{
    UptimeError,
    file::is_key,
    model::{Group, GroupId, ManagedBy, Owner},
    store::groups::{self, NewRow},
};
use platform::{
    db::Tx,
    http::{Principal, Slice},
    names::tidy,
    slug::slug_of,
};

const MOST_GROUPS: i64 = 200;
const LONGEST_NAME: usize = 100;

impl Uptime {
    /// Newest first.
    pub async fn groups(&self, owner: Owner, slice: &Slice) -> Result<Vec<Group>, UptimeError> {
        let mut tx = self.begin(owner).await?;
        Ok(groups::list(&mut tx, owner.org(), slice).await?)
    }

    /// `key`: `None` makes one of the name.
    pub async fn create_group(
        &self,
        who: &Principal,
        owner: Owner,
        key: Option<&str>,
        name: &str,
    ) -> Result<Group, UptimeError> {
        let mut tx = self.begin(owner).await?;
        let id = self.insert_group(&mut tx, owner, key, name, None, &who.subject()).await?;
        let group = groups::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        self.changed();
        tracing::info!(group_id = %id, by = who.subject(), "group of monitors made");
        Ok(group)
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get_group(&self, who: &Principal, id: GroupId) -> Result<Group, UptimeError> {
        let (_, group) = self.own_group(who, id).await?;
        Ok(group)
    }

    pub async fn rename_group(&self, who: &Principal, id: GroupId, name: &str) -> Result<Group, UptimeError> {
        let (mut tx, group) = self.own_group(who, id).await?;
        by_people(&group)?;
        let name = checked_name(name)?;
        let now = self.inner.clock.now();
        groups::rename(&mut tx, id, &name, now).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(group_id = %id, by = who.subject(), "group of monitors renamed");
        Ok(Group { name, updated_at: now, ..group })
    }

    /// Its monitors stay, without a group.
    pub async fn delete_group(&self, who: &Principal, id: GroupId) -> Result<(), UptimeError> {
        let (mut tx, group) = self.own_group(who, id).await?;
        by_people(&group)?;
        groups::delete(&mut tx, id).await?;
        tx.commit().await?;
        self.changed();
        tracing::info!(group_id = %id, by = who.subject(), "group of monitors deleted");
        Ok(())
    }

    pub async fn find_group(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        key: &str,
    ) -> Result<Option<GroupId>, UptimeError> {
        Ok(groups::find(conn, owner.org(), key).await?)
    }

    /// Checks it and writes it, in the caller's transaction.
    pub(crate) async fn insert_group(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        key: Option<&str>,
        name: &str,
        managed_by: Option<ManagedBy>,
        by: &str,
    ) -> Result<GroupId, UptimeError> {
        let name = checked_name(name)?;
        if let Some(key) = key.filter(|key| !is_key(key)) {
            let text = format!("{key:?} is not 1 to 100 lower-case letters, digits, hyphens and underscores");
            return Err(UptimeError::invalid("/key", "invalid", text));
        }
        if groups::count(conn, owner.org()).await? >= MOST_GROUPS {
            return Err(UptimeError::Conflict("too_many_groups", format!("at most {MOST_GROUPS} groups")));
        }
        let key = match key {
            Some(key) if groups::find(conn, owner.org(), key).await?.is_some() => return Err(taken(key)),
            Some(key) => key.to_owned(),
            None => {
                let slug = Some(slug_of(&name, 60)).filter(|slug| !slug.is_empty());
                let slug = slug.unwrap_or_else(|| "group".to_owned());
                let all = groups::list(conn, owner.org(), &Slice::first(MOST_GROUPS)).await?;
                free(&slug, |key| all.iter().any(|group| group.key == key))
            }
        };
        let (id, now) = (GroupId::generate(&self.inner.clock), self.inner.clock.now());
        let row = NewRow { id, org: owner.org(), key: &key, name: &name, managed_by, created_by: by, now };
        match groups::insert(conn, &row).await {
            Ok(()) => Ok(id),
            Err(error) if platform::db::constraint(&error) == Some("uptime_groups_key") => Err(taken(&key)),
            Err(error) => Err(error.into()),
        }
    }

    async fn own_group(&self, who: &Principal, id: GroupId) -> Result<(Tx, Group), UptimeError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(group) = groups::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, group));
            }
        }
        Err(missing())
    }
}

fn missing() -> UptimeError {
    UptimeError::NotFound("monitor_group")
}

fn taken(key: &str) -> UptimeError {
    UptimeError::Conflict("taken", format!("there is a group with the key {key} already"))
}

fn by_people(group: &Group) -> Result<(), UptimeError> {
    if group.managed_by == Some(ManagedBy::File) { Err(UptimeError::Managed) } else { Ok(()) }
}

pub(crate) fn checked_name(name: &str) -> Result<String, UptimeError> {
    let name = tidy(name);
    match name.chars().count() {
        0 => Err(UptimeError::invalid("/name", "required", "must not be empty")),
        1..=LONGEST_NAME => Ok(name),
        _ => Err(UptimeError::invalid("/name", "too_long", format!("at most {LONGEST_NAME} characters"))),
    }
}
