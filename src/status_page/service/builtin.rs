//! The appliance's own page: there from the first start, with nothing to configure.

use super::{StatusPages, values};
use crate::{
    Appliance, Owner, Page, PageId, StatusPageError,
    model::{PageComponent, Visibility},
    store::pages::{self, Made},
};
use incidents::ComponentId;

const SLUG: &str = "appliance";
const NAME: &str = "Holdfast";

impl StatusPages {
    /// Makes it, or adds what is missing: components appear as the rooms below make them. Changes nothing that a person has changed.
    pub(crate) async fn make_builtin(&self) -> Result<(), StatusPageError> {
        let visibility = match self.inner.config.appliance {
            Appliance::Public => Visibility::Public,
            Appliance::Private => Visibility::Private,
            Appliance::Off => return self.remove_builtin().await,
        };
        let mut tx = self.system().await?;
        let mut there = Vec::new();
        for check in self.inner.rooms.uptime.self_checks() {
            there.extend(self.inner.rooms.incidents.find_component(&mut tx, Owner::Installation, check.key()).await?);
        }
        if there.is_empty() {
            // The rooms below have not made anything yet.
            return Ok(());
        }
        let now = self.inner.clock.now();
        let Some(id) = pages::builtin(&mut tx).await? else {
            let id = PageId::generate(&self.inner.clock);
            let mut page = first(values::blank(id, true, now), visibility, &there);
            if pages::id_of_slug(&mut tx, SLUG).await?.is_some() {
                page.slug = format!("{SLUG}-{}", &page.code[..4]);
            }
            let made = Made { id, org: None, code: &page.code, managed_by: Some("builtin"), by: "status_page", now };
            self.write_new(&mut tx, Owner::Installation, made, &page).await?;
            tx.commit().await?;
            tracing::info!(page_id = %id, slug = page.slug, visibility = visibility.as_str(), "the appliance has a status page");
            return Ok(());
        };
        let Some(stored) = pages::of_ids(&mut tx, &[id]).await?.pop() else {
            // It was switched off before.
            let page = first(values::blank(id, true, now), visibility, &there);
            self.write_changed(&mut tx, Owner::Installation, &page).await?;
            return Ok(tx.commit().await?);
        };
        let mut page = stored.page;
        let before = page.clone();
        let is_there = |id: &ComponentId| page.components.iter().any(|place| place.component_id == *id);
        let missing: Vec<ComponentId> = there.into_iter().filter(|id| !is_there(id)).collect();
        if missing.is_empty() && page.visibility == visibility {
            return Ok(());
        }
        let next = page.components.len();
        page.components.extend(missing.iter().enumerate().map(|(place, id)| component(*id, next + place)));
        page.visibility = visibility;
        self.write_changed(&mut tx, Owner::Installation, &page).await?;
        self.note_closed(&mut tx, &before).await?;
        Ok(tx.commit().await?)
    }

    async fn remove_builtin(&self) -> Result<(), StatusPageError> {
        let mut tx = self.system().await?;
        if let Some(id) = pages::builtin(&mut tx).await?
            && !pages::of_ids(&mut tx, &[id]).await?.is_empty()
        {
            pages::mark_removed(&mut tx, id, self.inner.clock.now()).await?;
            tx.commit().await?;
            tracing::info!(page_id = %id, "the appliance's status page is switched off");
        }
        Ok(())
    }
}

/// The page before anybody has changed it.
fn first(blank: Page, visibility: Visibility, components: &[ComponentId]) -> Page {
    Page {
        name: NAME.to_owned(),
        slug: SLUG.to_owned(),
        visibility,
        components: components.iter().enumerate().map(|(place, id)| component(*id, place)).collect(),
        ..blank
    }
}

fn component(id: ComponentId, place: usize) -> PageComponent {
    PageComponent {
        component_id: id,
        group_id: None,
        name: None,
        position: i32::try_from(place + 1).unwrap_or(i32::MAX),
        showcase: true,
        only_show_if_degraded: false,
        start_date: None,
    }
}
