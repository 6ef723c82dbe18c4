//! What the API and the console change.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::{StatusPages, values};
use crate::{
    Owner, Page, PageId, StatusPageError, Subscriber, SubscriberId,
    holder::Served,
    restrict,
    service::PageUpdate,
    store::{
        pages::{self, Made, Stored, Values},
        parts, subscribers,
    },
};
use platform::{
    crypto,
    db::{Tx, constraint},
    error::FieldError,
    http::{Principal, Slice},
};
use uptime::ManagedBy;

/// Pages of an owner.
const MOST_PAGES: i64 = 50;
/// Bytes of a logo.
const LARGEST_LOGO: usize = 64 * 1024;

fn missing() -> StatusPageError {
    StatusPageError::NotFound("status_page")
}

/// Values of a page as they are stored.
fn values_of<'a>(page: &'a Page, charts: &'a [Uuid]) -> Values<'a> {
    Values {
        slug: &page.slug,
        name: &page.name,
        about: &page.about,
        visibility: page.visibility,
        networks: &page.networks,
        zone: &page.zone,
        languages: &page.languages,
        theme: &page.theme,
        home_url: page.home_url.as_deref(),
        contact_url: page.contact_url.as_deref(),
        charts,
        subscribe: page.subscribe,
    }
}

impl StatusPages {
    /// Pages of an owner, newest first.
    pub async fn pages(&self, owner: Owner, slice: &Slice) -> Result<Vec<Page>, StatusPageError> {
        let mut tx = self.begin(owner).await?;
        Ok(pages::list(&mut tx, owner.org(), slice).await?)
    }

    pub async fn page(&self, who: &Principal, id: PageId) -> Result<Page, StatusPageError> {
        Ok(self.find(who, id).await?.2.page)
    }

    /// The page in its owner's transaction: of the caller's organisation, or for operators of the installation.
    pub(super) async fn find(&self, who: &Principal, id: PageId) -> Result<(Tx, Owner, Stored), StatusPageError> {
        let installation = who.is_operator().then_some(Owner::Installation);
        for owner in std::iter::once(Owner::Org(who.org_id)).chain(installation) {
            let mut tx = self.begin(owner).await?;
            if let Some(stored) = pages::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, stored));
            }
        }
        Err(missing())
    }

    /// As [`Self::find`], to change it: those that the file manages are changed there.
    pub(super) async fn change(&self, who: &Principal, id: PageId) -> Result<(Tx, Owner, Stored), StatusPageError> {
        let (tx, owner, _) = self.find(who, id).await?;
        drop(tx);
        let (tx, stored) = self.change_of(owner, id).await?;
        Ok((tx, owner, stored))
    }

    /// As [`Self::change`], of this owner.
    async fn change_of(&self, owner: Owner, id: PageId) -> Result<(Tx, Stored), StatusPageError> {
        let mut tx = self.begin(owner).await?;
        // Two who change it do so one after the other.
        if !pages::lock(&mut tx, owner.org(), id).await? {
            return Err(missing());
        }
        let stored = pages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        if stored.page.managed_by == Some(ManagedBy::File) {
            return Err(StatusPageError::Managed);
        }
        Ok((tx, stored))
    }

    /// Ends a change: the page is rendered again.
    pub(super) async fn saved(&self, mut tx: Tx, owner: Owner, id: PageId) -> Result<Page, StatusPageError> {
        pages::touch(&mut tx, id, self.inner.clock.now()).await?;
        let stored = pages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        Ok(stored.page)
    }

    pub async fn create_page(
        &self,
        who: &Principal,
        owner: Owner,
        update: &PageUpdate,
    ) -> Result<Page, StatusPageError> {
        let now = self.inner.clock.now();
        let blank = values::blank(PageId::generate(&self.inner.clock), owner == Owner::Installation, now);
        let page = values::changed(blank, update, &self.inner.clock)?;
        let mut tx = self.begin(owner).await?;
        if pages::count(&mut tx, owner.org()).await? >= MOST_PAGES {
            return Err(StatusPageError::Conflict("too_many", format!("there are {MOST_PAGES} pages already")));
        }
        let by = who.subject();
        let made = Made { id: page.id, org: owner.org(), code: &page.code, managed_by: None, by: &by, now };
        self.write_new(&mut tx, owner, made, &page).await?;
        if let Some(password) = update.password.as_deref().filter(|password| !password.is_empty()) {
            let hash = self.hash(password).await?;
            pages::set_password(&mut tx, page.id, Some(&hash), now).await?;
        }
        let id = page.id;
        self.saved(tx, owner, id).await
    }

    /// Writes a page that is not there yet, with groups and components.
    pub(super) async fn write_new(
        &self,
        tx: &mut sqlx::PgConnection,
        owner: Owner,
        made: Made<'_>,
        page: &Page,
    ) -> Result<(), StatusPageError> {
        self.check_parts(tx, owner, page).await?;
        let charts: Vec<Uuid> = page.charts.iter().map(|monitor| monitor.0).collect();
        pages::insert(tx, made, &values_of(page, &charts)).await.map_err(taken)?;
        parts::replace_groups(tx, page.id, owner.org(), &page.groups, made.now).await?;
        Ok(parts::replace_components(tx, page.id, owner.org(), &page.components).await?)
    }

    /// Writes what has changed of a page.
    pub(super) async fn write_changed(
        &self,
        tx: &mut sqlx::PgConnection,
        owner: Owner,
        page: &Page,
    ) -> Result<(), StatusPageError> {
        self.check_parts(tx, owner, page).await?;
        let now = self.inner.clock.now();
        let charts: Vec<Uuid> = page.charts.iter().map(|monitor| monitor.0).collect();
        pages::update(tx, page.id, &values_of(page, &charts), now).await.map_err(taken)?;
        parts::replace_groups(tx, page.id, owner.org(), &page.groups, now).await?;
        Ok(parts::replace_components(tx, page.id, owner.org(), &page.components).await?)
    }

    pub async fn update_page(&self, who: &Principal, id: PageId, update: &PageUpdate) -> Result<Page, StatusPageError> {
        let (tx, owner, _) = self.find(who, id).await?;
        drop(tx);
        self.update_of(owner, id, update).await
    }

    /// As [`Self::update_page`], of this owner.
    pub(super) async fn update_of(
        &self,
        owner: Owner,
        id: PageId,
        update: &PageUpdate,
    ) -> Result<Page, StatusPageError> {
        let hash = match update.password.as_deref() {
            Some(password) if !password.is_empty() => Some(Some(self.hash(password).await?)),
            Some(_) => Some(None),
            None => None,
        };
        let (mut tx, stored) = self.change_of(owner, id).await?;
        if stored.page.managed_by == Some(ManagedBy::Builtin)
            && update.visibility.is_some_and(|v| v != stored.page.visibility)
        {
            let text = "the setting status_page.appliance says who sees the appliance's own page";
            return Err(StatusPageError::Conflict("builtin", text.to_owned()));
        }
        let before = stored.page.clone();
        let page = values::changed(stored.page, update, &self.inner.clock)?;
        self.write_changed(&mut tx, owner, &page).await?;
        if let Some(hash) = hash {
            pages::set_password(&mut tx, id, hash.as_deref(), self.inner.clock.now()).await?;
        }
        self.note_closed(&mut tx, &before).await?;
        self.saved(tx, owner, id).await
    }

    /// Whether the owner has all components and monitors that the page names: another's would be shown to strangers.
    async fn check_parts(&self, tx: &mut sqlx::PgConnection, owner: Owner, page: &Page) -> Result<(), StatusPageError> {
        let installation = owner == Owner::Installation;
        let mut errors = Vec::new();
        let ids: Vec<_> = page.components.iter().map(|place| place.component_id).collect();
        let known = self.inner.rooms.incidents.components(tx, &ids).await?;
        for (index, id) in ids.iter().enumerate() {
            // As role `system` others' rows are seen, too: there the installation's own are meant.
            let has = known.iter().any(|component| component.id == *id && component.installation == installation);
            if !has {
                let pointer = format!("/components/{index}/component_id");
                errors.push(FieldError::new(pointer, "not_found", "there is no such component"));
            }
        }
        let monitors = self.inner.rooms.uptime.monitors(tx, &page.charts).await?;
        for (index, id) in page.charts.iter().enumerate() {
            let has = monitors.iter().any(|monitor| monitor.id == *id && monitor.installation == installation);
            if !has {
                errors.push(FieldError::new(format!("/charts/{index}"), "not_found", "there is no such monitor"));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(StatusPageError::Invalid(errors)) }
    }

    async fn hash(&self, password: &str) -> Result<String, StatusPageError> {
        let password = password.to_owned();
        self.inner.hashing.run(move || restrict::hash(&password)).await?
    }

    pub async fn delete_page(&self, who: &Principal, id: PageId) -> Result<(), StatusPageError> {
        let (mut tx, owner, stored) = self.change(who, id).await?;
        if stored.page.managed_by == Some(ManagedBy::Builtin) {
            let text = "the appliance's own page is switched off with status_page.appliance = \"off\"";
            return Err(StatusPageError::Conflict("builtin", text.to_owned()));
        }
        pages::delete(&mut tx, owner.org(), id).await?;
        Ok(tx.commit().await?)
    }

    /// A PNG or a WebP of at most 64 KiB; empty: none.
    pub async fn set_logo(&self, who: &Principal, id: PageId, body: &Bytes) -> Result<Page, StatusPageError> {
        let (mut tx, owner, _) = self.change(who, id).await?;
        let logo = if body.is_empty() { None } else { Some((logo_type(body)?, &body[..])) };
        pages::set_logo(&mut tx, id, logo, self.inner.clock.now()).await?;
        self.saved(tx, owner, id).await
    }

    /// A new key for programs that read a page with a password. It is shown once.
    pub async fn new_key(&self, who: &Principal, id: PageId) -> Result<String, StatusPageError> {
        let (mut tx, owner, _) = self.change(who, id).await?;
        let key = crypto::random_token();
        pages::set_key(&mut tx, id, Some(&crypto::sha256(&key)), self.inner.clock.now()).await?;
        self.saved(tx, owner, id).await?;
        Ok(key)
    }

    pub async fn remove_key(&self, who: &Principal, id: PageId) -> Result<(), StatusPageError> {
        let (mut tx, owner, _) = self.change(who, id).await?;
        pages::set_key(&mut tx, id, None, self.inner.clock.now()).await?;
        self.saved(tx, owner, id).await?;
        Ok(())
    }

    /// Has the page rendered again.
    pub async fn render_again(&self, who: &Principal, id: PageId) -> Result<(), StatusPageError> {
        let (tx, owner, _) = self.find(who, id).await?;
        self.saved(tx, owner, id).await.map(drop)
    }

    /// Who follows a page, newest first.
    pub async fn subscribers(
        &self,
        who: &Principal,
        id: PageId,
        slice: &Slice,
    ) -> Result<Vec<Subscriber>, StatusPageError> {
        let (mut tx, ..) = self.find(who, id).await?;
        Ok(subscribers::list(&mut tx, id, slice).await?)
    }

    pub async fn remove_subscriber(
        &self,
        who: &Principal,
        id: PageId,
        subscriber: SubscriberId,
    ) -> Result<(), StatusPageError> {
        let (mut tx, ..) = self.find(who, id).await?;
        if !subscribers::delete(&mut tx, id, subscriber).await? {
            return Err(StatusPageError::NotFound("status_page_subscriber"));
        }
        Ok(tx.commit().await?)
    }

    /// The page as this process serves it; `None`: it is not rendered yet.
    pub(crate) fn served(&self, id: PageId) -> Option<Arc<Served>> {
        self.inner.holder.held().page(id).cloned()
    }
}

fn taken(error: sqlx::Error) -> StatusPageError {
    if constraint(&error) == Some("status_pages_slug_key") {
        return StatusPageError::invalid("/slug", "taken", "another page has this address");
    }
    error.into()
}

/// The type of an image by its first bytes.
pub(super) fn logo_type(body: &[u8]) -> Result<&'static str, StatusPageError> {
    if body.len() > LARGEST_LOGO {
        return Err(StatusPageError::invalid("", "too_large", "a logo has at most 64 KiB"));
    }
    if body.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok("image/png");
    }
    if body.starts_with(b"RIFF") && body.get(8..12) == Some(b"WEBP") {
        return Ok("image/webp");
    }
    Err(StatusPageError::invalid("", "invalid", "send a PNG or a WebP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logo_is_an_image_by_its_bytes() {
        assert_eq!(logo_type(b"\x89PNG\r\n\x1a\n...").unwrap(), "image/png");
        assert_eq!(logo_type(b"RIFF\0\0\0\0WEBPVP8 ").unwrap(), "image/webp");
        assert!(logo_type(b"<svg xmlns='x' onload='alert(1)'/>").is_err());
        assert!(logo_type(&[b"\x89PNG\r\n\x1a\n".as_slice(), &vec![0; LARGEST_LOGO]].concat()).is_err());
    }
}
