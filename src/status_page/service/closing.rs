//! A page whose updates are no longer mailed, because strangers may not read it any more: its subscribers are told so, once.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Purpose, StatusPages};
use crate::{
    PageId, StatusPageError,
    jobs::TellClosed,
    metrics::Told,
    model::{Owner, Page},
    store::{pages, subscribers},
};
use ::jobs::Enqueue;
use console::Lang;
use mail::{Address, Content, NewMail, kinds};

/// Subscribers of one run: a transaction.
const MOST: i64 = 500;
/// An owner who takes it back within this time has told nobody.
const AFTER: TimeDelta = TimeDelta::minutes(10);

/// How far the subscribers of a page that was closed were told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Closed {
    pub page: PageId,
    pub at: DateTime<Utc>,
    pub after: Uuid,
}

impl StatusPages {
    /// To be called at the end of a change: if the page's updates were mailed before it and are not any more, that is told to who has confirmed.
    pub(super) async fn note_closed(&self, conn: &mut PgConnection, before: &Page) -> Result<(), StatusPageError> {
        let Some(after) = pages::of_ids(conn, &[before.id]).await?.pop() else { return Ok(()) };
        if !before.tells_strangers() || after.page.tells_strangers() {
            return Ok(());
        }
        let (confirmed, _) = subscribers::counts_of(conn, before.id).await?;
        if confirmed == 0 {
            return Ok(());
        }
        tracing::info!(page_id = %before.id, subscribers = confirmed, "updates of a status page are not mailed any more: it is not open to everybody");
        let now = self.inner.clock.now();
        let job = TellClosed(Closed { page: before.id, at: now, after: Uuid::nil() });
        let options =
            Enqueue { unique_key: Some(before.id.to_string()), run_at: Some(now + AFTER), ..Enqueue::default() };
        ::jobs::enqueue(conn, &self.inner.clock, after.org, &job, &options).await?;
        Ok(())
    }

    /// Tells the next subscribers; `Some`: there may be more, from this place on.
    pub(crate) async fn tell_closed(&self, place: &Closed) -> Result<Option<Closed>, StatusPageError> {
        let mut tx = self.system().await?;
        let Some(stored) = pages::of_ids(&mut tx, &[place.page]).await?.pop() else { return Ok(None) };
        let page = &stored.page;
        if page.tells_strangers() {
            // It is open again.
            return Ok(None);
        }
        let (_, url) = self.public_addresses(page);
        let all = subscribers::confirmed(&mut tx, place.page, place.after, MOST).await?;
        let mut queued = 0;
        for subscriber in &all {
            let Ok(address) = Address::new("", &subscriber.address) else {
                tracing::warn!(subscriber_id = %subscriber.id, "a subscriber's address cannot be used");
                continue;
            };
            let lang = Lang::from_code(&subscriber.language).unwrap_or(Lang::En);
            let words = self.inner.words.in_language(lang);
            let subject = words.with("status-page-closed-subject", "page", &page.name);
            let said = words.with("status-page-closed-text", "page", &page.name);
            let link = self.link(&url, subscriber, Purpose::Manage);
            let text = format!("{said}\n\n{}\n{link}\n", words.t("status-page-closed-manage"));
            let mail = NewMail {
                kind: &kinds::STATUS_UPDATE,
                to: &address,
                language: lang.code(),
                content: Content::Raw { subject: &subject, text: &text, html: None },
                attachments: Vec::new(),
                send_at: None,
                expires_at: None,
                idempotency_key: Some(format!("status-closed/{}/{}", place.at.timestamp(), subscriber.id)),
                reply_to: None,
                from: None,
                created_by: "status_page".to_owned(),
            };
            self.inner.rooms.mail.enqueue(&mut tx, Owner::of(stored.org), &mail).await?;
            queued += 1;
        }
        tx.commit().await?;
        self.inner.metrics.told(Told::Queued, queued);
        let is_full = i64::try_from(all.len()).unwrap_or(i64::MAX) == MOST;
        Ok(all.last().filter(|_| is_full).map(|last| Closed { after: last.id.0, ..place.clone() }))
    }
}
