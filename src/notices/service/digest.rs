//! The digest: what was collected, in one mail, however much it is.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Inner, Notice, Notices, in_zone};
use crate::{
    NoticesError,
    model::{Group, NoticeKind, Unmade},
    store,
};
use console::Lang;
use mail::{Address, Owner};
use platform::ids;

/// Entries of a mail; of the rest it says how many there are.
const MOST: i64 = 50;

impl Notices {
    /// Mails what waits.
    pub async fn digest(&self) -> Result<(), NoticesError> {
        self.mail_items(false).await
    }

    /// Mails the critical alerts that were too many for a mail each.
    pub async fn together(&self) -> Result<(), NoticesError> {
        self.mail_items(true).await
    }

    async fn mail_items(&self, only_urgent: bool) -> Result<(), NoticesError> {
        let (kind, now) = (NoticeKind::Digest, self.inner.clock.now());
        // Removed in the transaction that writes the mails, so this id needs only to be a new one.
        let about = format!("digest/{}", ids::new_uuid(&self.inner.clock));
        // Before the transaction: it would hold one connection and ask for a second.
        let to = self.told().await?;
        let notice =
            Notice { kind, owner: Owner::Installation, about: &about, to: &to, expires_at: now + kind.lives() };
        let mut tx = self.begin(notice.owner).await?;
        let late = store::forget(&mut tx, now - kind.lives()).await?;
        let groups = store::take(&mut tx, only_urgent, MOST).await?;
        let mut mails = 0;
        if let Some(first) = groups.first()
            && self.reaches(&notice)
        {
            let (since, until) = (self.time(first.since), self.time(now));
            let data = |to: &Address, lang: Lang| {
                json!({
                    "name": to.name(),
                    "since": since,
                    "until": until,
                    "items": self.inner.entries(&groups, lang),
                    "url": self.page("/alerts"),
                })
            };
            mails = self.write(&mut tx, &notice, data).await?;
        }
        tx.commit().await?;
        self.inner.metrics.unmade(kind, &about, Unmade::Late, late);
        if mails > 0 {
            self.inner.metrics.made(kind, &about, mails);
        }
        Ok(())
    }
}

impl Inner {
    fn entries(&self, groups: &[Group], lang: Lang) -> Vec<Value> {
        let title = |group: &Group| {
            let key = if group.state == "resolved" { "notices-alert-resolved" } else { "notices-alert-firing" };
            let text = self.texts.text(lang, key);
            text.with("name", &group.name).with("severity", &group.severity).to_string()
        };
        let more = |count: i64| self.texts.text(lang, "notices-more").with("count", count).to_string();
        let time = |at: DateTime<Utc>| in_zone(at, &self.config.time_zone);
        entries(groups, title, more, time, &format!("{}/alerts", self.base_url))
    }
}

/// Entries of the template `digest`; one at the end for those that were left out. `alerts` is the address of the list.
pub(crate) fn entries(
    groups: &[Group],
    title: impl Fn(&Group) -> String,
    more: impl Fn(i64) -> String,
    time: impl Fn(DateTime<Utc>) -> String,
    alerts: &str,
) -> Vec<Value> {
    let entry = |group: &Group| {
        let (title, at) = (title(group), time(group.at));
        match group.count {
            1 => {
                let url = format!("{alerts}/{}", group.alert_id);
                json!({ "title": title, "text": group.summary, "at": at, "url": url })
            }
            count => {
                json!({ "title": format!("{title} × {count}"), "text": group.summary, "at": at, "url": alerts })
            }
        }
    };
    let mut entries: Vec<Value> = groups.iter().map(entry).collect();
    if let Some(first) = groups.first() {
        let left_out = first.of_all - groups.iter().map(|group| group.count).sum::<i64>();
        if left_out > 0 {
            entries.push(json!({ "title": more(left_out), "text": "", "at": time(first.since), "url": alerts }));
        }
    }
    entries
}
