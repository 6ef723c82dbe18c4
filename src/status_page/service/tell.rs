//! Mails to subscribers about a published update.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Purpose, StatusPages};
use crate::{
    Page, PageId, StatusPageError,
    jobs::TellSubscribers,
    metrics::Told,
    model::Owner,
    statuspage::plain,
    store::{pages, renders, subscribers},
};
use ::jobs::Enqueue;
use console::Lang;
use incidents::{ComponentId, IncidentId, IncidentUpdated, IncidentView};
use mail::{Address, Content, NewMail, kinds};
use platform::ids::OrgId;

/// Subscribers of one run: a transaction.
const MOST: i64 = 500;
/// Updates within so long are one mail.
const TOGETHER: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// How far a page's subscribers were told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    pub page: PageId,
    pub incident: IncidentId,
    /// Code of the newest update that is told: an earlier one within a minute is in the same mail.
    pub update: String,
    pub domain: String,
    pub after: Uuid,
}

impl StatusPages {
    /// Begins to tell those of each page that shows what an update is about.
    pub(crate) async fn begin_telling(
        &self,
        org: Option<OrgId>,
        event: &IncidentUpdated,
    ) -> Result<(), StatusPageError> {
        if !event.published || !event.notify {
            return Ok(());
        }
        let mut tx = self.system().await?;
        let Some(view) = self.inner.rooms.incidents.view(&mut tx, event.incident_id).await? else { return Ok(()) };
        let Some(update) = view.updates.iter().find(|update| update.id == event.update_id) else { return Ok(()) };
        let now = self.inner.clock.now();
        let ids: Vec<PageId> = renders::standings(&mut tx).await?.into_iter().map(|standing| standing.page).collect();
        let mut all = pages::of_ids(&mut tx, &ids).await?;
        // Two transactions that enqueue for the same pages must do so in the same order.
        all.sort_by_key(|stored| stored.page.id);
        for stored in all.into_iter().filter(|stored| stored.org == org) {
            let page = &stored.page;
            let shows =
                view.components.iter().any(|(id, _)| page.components.iter().any(|place| place.component_id == *id));
            if !shows || !page.tells_strangers() {
                continue;
            }
            let place = Place {
                page: page.id,
                incident: event.incident_id,
                update: update.code.clone(),
                domain: String::new(),
                after: Uuid::nil(),
            };
            // A further update within a minute finds this job waiting, and is in its mail.
            let options = Enqueue {
                unique_key: Some(format!("{}/{}", page.id, event.incident_id)),
                run_at: Some(now + TOGETHER),
                ..Enqueue::default()
            };
            ::jobs::enqueue(&mut tx, &self.inner.clock, org, &TellSubscribers(place), &options).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Another run tells the rest: this process shuts down.
    pub(crate) async fn go_on_telling(&self, org: Option<OrgId>, place: Place) -> Result<(), StatusPageError> {
        let mut tx = self.system().await?;
        ::jobs::enqueue(&mut tx, &self.inner.clock, org, &TellSubscribers(place), &Enqueue::default()).await?;
        Ok(tx.commit().await?)
    }

    /// Tells the next subscribers; `Some`: there may be more, from this place on.
    pub(crate) async fn tell(&self, place: &Place) -> Result<Option<Place>, StatusPageError> {
        let mut due = 0;
        let told = self.tell_some(place, &mut due).await;
        if told.is_err() {
            self.inner.metrics.told(Told::Failed, due.max(1));
        }
        told
    }

    /// Names of what an incident affects and the page shows, in one line.
    async fn affected_names(
        &self,
        tx: &mut PgConnection,
        page: &Page,
        view: &IncidentView,
    ) -> Result<String, StatusPageError> {
        let ids: Vec<ComponentId> = view.components.iter().map(|(id, _)| *id).collect();
        let known = self.inner.rooms.incidents.components(tx, &ids).await?;
        let names = page.components.iter().filter_map(|place| {
            let component = known.iter().find(|component| component.id == place.component_id)?;
            Some(place.name.as_deref().unwrap_or(&component.name))
        });
        Ok(names.collect::<Vec<_>>().join(", "))
    }

    /// `due`: how many are told in one transaction, or none of them.
    async fn tell_some(&self, place: &Place, due: &mut u64) -> Result<Option<Place>, StatusPageError> {
        let mut tx = self.system().await?;
        let Some(stored) = pages::of_ids(&mut tx, &[place.page]).await?.pop() else { return Ok(None) };
        let Some(view) = self.inner.rooms.incidents.view(&mut tx, place.incident).await? else { return Ok(None) };
        let page = &stored.page;
        if !page.tells_strangers() {
            // It was closed since the update was written.
            return Ok(None);
        }
        let (_, url) = self.addresses(page);
        let affected: Vec<Uuid> = view.components.iter().map(|(id, _)| id.0).collect();
        let after = (place.domain.clone(), place.after);
        let all = subscribers::to_tell(&mut tx, place.page, &affected, &after, MOST).await?;
        *due = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let owner = Owner::of(stored.org);
        let since = view.updates.first().map(|newest| newest.display_at - TOGETHER);
        // Newest first: the told one, and what came within a minute of the newest.
        let updates: Vec<_> = view
            .updates
            .iter()
            .filter(|update| {
                update.notify && (update.code == place.update || since.is_some_and(|since| update.display_at >= since))
            })
            .collect();
        let Some(newest) = updates.first() else { return Ok(None) };
        let said: Vec<String> = updates.iter().map(|update| plain(&update.body)).collect();
        let names = self.affected_names(&mut tx, page, &view).await?;
        let of = &view.incident;
        let mut queued = 0;
        for subscriber in &all {
            let Ok(address) = Address::new("", &subscriber.address) else {
                tracing::warn!(subscriber_id = %subscriber.id, "a subscriber's address cannot be used");
                continue;
            };
            let lang = Lang::from_code(&subscriber.language).unwrap_or(Lang::En);
            let data = json!({
                "page": page.name,
                "incident": of.name,
                "status": newest.status.as_str(),
                "text": said.join("\n\n"),
                "components": names,
                "at": newest.display_at,
                "scheduled_for": of.scheduled_for,
                "scheduled_until": of.scheduled_until,
                "url": format!("{url}/incident/{}", of.code),
                "manage_url": self.link(&url, subscriber, Purpose::Manage),
            });
            let mail = NewMail {
                kind: &kinds::STATUS_UPDATE,
                to: &address,
                language: lang.code(),
                content: Content::Template { name: "status_update", data },
                attachments: Vec::new(),
                send_at: None,
                expires_at: None,
                idempotency_key: Some(format!("status/{}/{}", place.update, subscriber.id)),
                reply_to: None,
                from: None,
                created_by: "status_page".to_owned(),
            };
            self.inner.rooms.mail.enqueue(&mut tx, owner, &mail).await?;
            queued += 1;
        }
        tx.commit().await?;
        self.inner.metrics.told(Told::Queued, queued);
        let is_full = i64::try_from(all.len()).unwrap_or(i64::MAX) == MOST;
        Ok(all.last().filter(|_| is_full).map(|last| Place {
            domain: last.address.to_lowercase().split('@').nth(1).unwrap_or_default().to_owned(),
            after: last.id.0,
            ..place.clone()
        }))
    }
}
