//! What the command line shows and changes: pages of an owner, by their addresses.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{PageUpdate, StatusPages};
use crate::{
    Owner, Page, PageId, StatusPageError, Subscriber, Visibility,
    store::{
        pages::{self, Stored},
        renders, subscribers,
    },
};
use incidents::{Component, ComponentId, ComponentStatus};
use platform::db::Tx;

/// Subscribers that are read at once.
const AT_ONCE: i64 = 1000;

/// A page, how it stands, and how many follow it.
#[derive(Clone, Debug, Serialize)]
pub struct PageState {
    pub page: Page,
    pub url: String,
    /// Of what is served; null: it is not rendered yet.
    pub as_of: Option<DateTime<Utc>>,
    /// In the order of the page.
    pub components: Vec<ComponentState>,
    pub subscribers: Following,
}

/// A component of the page.
#[derive(Clone, Debug, Serialize)]
pub struct ComponentState {
    pub key: String,
    pub name: String,
    pub status: ComponentStatus,
}

/// How many follow a page by mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Following {
    pub confirmed: i64,
    /// They have asked, and not opened the link in their mail.
    pub waiting: i64,
}

fn missing() -> StatusPageError {
    StatusPageError::NotFound("status_page")
}

impl StatusPages {
    /// The owner's page at this address.
    async fn of_slug(&self, owner: Owner, slug: &str) -> Result<(Tx, Stored), StatusPageError> {
        let mut tx = self.begin(owner).await?;
        let found = pages::id_of_slug(&mut tx, slug).await?;
        let id = found.map(|(id, ..)| id).ok_or_else(missing)?;
        let stored = pages::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        Ok((tx, stored))
    }

    async fn id_of(&self, owner: Owner, slug: &str) -> Result<PageId, StatusPageError> {
        Ok(self.of_slug(owner, slug).await?.1.page.id)
    }

    pub async fn page_state(&self, owner: Owner, slug: &str) -> Result<PageState, StatusPageError> {
        let (mut tx, Stored { page, .. }) = self.of_slug(owner, slug).await?;
        let known = self.components_on(&mut tx, &page).await?;
        let components = page.components.iter().filter_map(|place| {
            let component = known.iter().find(|component| component.id == place.component_id)?;
            let name = place.name.as_ref().unwrap_or(&component.name).clone();
            Some(ComponentState { key: component.key.clone(), name, status: component.status })
        });
        let components = components.collect();
        let (confirmed, waiting) = subscribers::counts_of(&mut tx, page.id).await?;
        let standing = renders::standings(&mut tx).await?.into_iter().find(|standing| standing.page == page.id);
        Ok(PageState {
            url: self.addresses(&page).1,
            as_of: standing.filter(|standing| standing.version > 0).map(|standing| standing.as_of),
            components,
            subscribers: Following { confirmed, waiting },
            page,
        })
    }

    async fn components_on(&self, tx: &mut Tx, page: &Page) -> Result<Vec<Component>, StatusPageError> {
        let ids: Vec<ComponentId> = page.components.iter().map(|place| place.component_id).collect();
        Ok(self.inner.rooms.incidents.components(tx, &ids).await?)
    }

    /// Shows a page to everybody, or to people of its owner alone.
    pub async fn set_visibility(
        &self,
        owner: Owner,
        slug: &str,
        visibility: Visibility,
    ) -> Result<Page, StatusPageError> {
        let id = self.id_of(owner, slug).await?;
        self.update_of(owner, id, &PageUpdate { visibility: Some(visibility), ..PageUpdate::default() }).await
    }

    /// Has a page rendered again.
    pub async fn render_named(&self, owner: Owner, slug: &str) -> Result<(), StatusPageError> {
        let (tx, stored) = self.of_slug(owner, slug).await?;
        self.saved(tx, owner, stored.page.id).await.map(drop)
    }

    /// Components of an owner by their keys.
    pub async fn components_named(&self, owner: Owner, keys: &[&str]) -> Result<Vec<ComponentId>, StatusPageError> {
        let mut tx = self.begin(owner).await?;
        let mut found = Vec::new();
        for key in keys {
            let id = self.inner.rooms.incidents.find_component(&mut tx, owner, key).await?;
            found.push(id.ok_or_else(|| StatusPageError::invalid(key, "not_found", "there is no such component"))?);
        }
        Ok(found)
    }

    /// Those who have confirmed, as CSV: address, language, keys of the components that they want to know of (none: all), since when.
    pub async fn export_subscribers(&self, owner: Owner, slug: &str) -> Result<Vec<u8>, StatusPageError> {
        let (mut tx, Stored { page, .. }) = self.of_slug(owner, slug).await?;
        let known = self.components_on(&mut tx, &page).await?;
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["address", "language", "components", "confirmed_at"])?;
        let mut after = Uuid::nil();
        loop {
            let some: Vec<Subscriber> = subscribers::confirmed(&mut tx, page.id, after, AT_ONCE).await?;
            let Some(last) = some.last() else { break };
            after = last.id.0;
            for subscriber in &some {
                let keys = known.iter().filter(|component| subscriber.components.contains(&component.id));
                let keys: Vec<&str> = keys.map(|component| component.key.as_str()).collect();
                let since = subscriber.confirmed_at.map(|at| at.to_rfc3339()).unwrap_or_default();
                csv.write_record([&subscriber.address, &subscriber.language, &keys.join(" "), &since])?;
            }
        }
        Ok(csv.into_inner().map_err(|error| csv::Error::from(error.into_error()))?)
    }
}
