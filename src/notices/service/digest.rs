//! The digest: what was collected, in one mail.

use serde_json::{Value, json};

use super::{Notice, Notices, rfc3339};
use crate::{
    NoticesError,
    model::{Item, NoticeKind, Unmade},
    store,
};
use mail::Owner;

/// Entries of one mail; more go into the next.
const MOST: i64 = 50;

impl Notices {
    /// Mails what waits, in as many mails as it needs.
    pub async fn digest(&self) -> Result<(), NoticesError> {
        while self.digest_once().await? == MOST {}
        Ok(())
    }

    /// Returns how many items there were.
    async fn digest_once(&self) -> Result<i64, NoticesError> {
        // Before the transaction: it would hold one connection and ask for a second.
        let to = self.told().await?;
        let mut tx = self.begin(Owner::Installation).await?;
        let items = store::take(&mut tx, MOST).await?;
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return Ok(0) };
        let about = format!("digest/{}", last.event_id);
        let notice = Notice { kind: NoticeKind::Digest, owner: Owner::Installation, about: &about, to: &to };
        let mut mails = 0;
        if !self.has_mail() {
            self.inner.metrics.unmade(notice.kind, &about, Unmade::MailOff, 1);
        } else if self.reaches(&notice) {
            let entries: Vec<Value> = items.iter().map(|item| self.entry_of(item)).collect();
            let (since, until) = (rfc3339(first.created_at), rfc3339(self.inner.clock.now()));
            let data = |name: &str| {
                json!({
                    "name": name,
                    "since": since,
                    "until": until,
                    "items": entries,
                    "url": self.page("/alerts"),
                })
            };
            mails = self.write(&mut tx, &notice, |to| data(to.name())).await?;
        }
        tx.commit().await?;
        if mails > 0 {
            self.inner.metrics.made(notice.kind, &about, mails);
        }
        Ok(i64::try_from(items.len()).unwrap_or(MOST))
    }

    fn entry_of(&self, item: &Item) -> Value {
        let state = if item.state == "resolved" { "notices-alert-resolved" } else { "notices-alert-firing" };
        let title = self.inner.texts.text(self.config().lang(), state);
        let title = title.with("name", &item.name).with("severity", &item.severity).to_string();
        entry(item, &title, &self.page(&format!("/alerts/{}", item.alert_id)))
    }
}

/// An entry of the template `digest`.
pub(crate) fn entry(item: &Item, title: &str, url: &str) -> Value {
    json!({ "title": title, "text": item.summary, "at": rfc3339(item.at), "url": url })
}
