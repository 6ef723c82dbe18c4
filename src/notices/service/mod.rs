//! [`Notices`]: the rules.

mod alerts;
mod choices;
mod digest;
mod links;
mod report;
mod tell;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use super::{
    Config, Metrics, Needs, NoticesError,
    model::{NoticeKind, Recipients, Unmade},
    module::LOCALE,
};
use console::{Lang, Texts};
use jobs::Loops;
use mail::{Address, Content, NewMail, Owner};
use platform::{
    clock::Clock,
    crypto,
    db::{Db, Tx},
    http::RateLimiter,
};

pub(super) use choices::Choice;
#[cfg(test)]
pub(super) use digest::entries;
#[cfg(test)]
pub(super) use report::cost_text;

const FIGURES_EVERY: Duration = Duration::from_secs(60);
/// Mails with links that an organisation may have written at once, and then in a minute: invitations go to anybody's address.
const LINKS_AT_ONCE: u32 = 20;
const LINKS_PER_MINUTE: u32 = 1;

/// What the service is built from.
pub struct Deps {
    pub config: Config,
    /// Our address, without a trailing slash: links in mails begin with it.
    pub base_url: String,
    /// Whether that is `server.public_url`, and not the address that the server listens on.
    pub is_public: bool,
    pub db: Db,
    pub clock: Clock,
    pub metrics: Metrics,
    pub rooms: Needs,
}

/// The notices service. Cheap to clone.
#[derive(Clone)]
pub struct Notices {
    inner: Arc<Inner>,
}

struct Inner {
    deps: Deps,
    texts: Arc<Texts>,
    /// By organisation.
    links: RateLimiter,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Notices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

/// A notice: one mail for each recipient.
struct Notice<'a> {
    kind: NoticeKind,
    owner: Owner,
    /// The event, or what else this notice is made for once.
    about: &'a str,
    to: &'a Recipients,
    /// Of no use after this.
    expires_at: DateTime<Utc>,
}

impl Notices {
    pub fn new(deps: Deps) -> Self {
        let links = RateLimiter::new(LINKS_PER_MINUTE, LINKS_AT_ONCE);
        Self { inner: Arc::new(Inner { deps, texts: Texts::new(&[LOCALE]), links }) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Whether mail can be sent at all.
    pub(super) fn has_mail(&self) -> bool {
        self.inner.rooms.mail.is_configured()
    }

    /// Where links in mails lead if that is only the address that the server listens on.
    pub(super) fn unreachable(&self) -> Option<&str> {
        (!self.inner.is_public).then_some(self.inner.base_url.as_str())
    }

    /// Starts the gauge.
    pub(super) fn start_loops(&self, loops: &Loops) {
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_gauge().await?) }
        };
        loops.figures("notices.figures", FIGURES_EVERY, read, move || forget.forget_figures());
    }

    async fn refresh_gauge(&self) -> Result<(), NoticesError> {
        let is_on = self.config().enabled && self.has_mail();
        let count = if is_on {
            let told = self.told().await?;
            Some(told.addresses.len() as u64 - self.suppressed(&told).await?)
        } else {
            None
        };
        self.inner.metrics.recipients(count);
        Ok(())
    }

    /// How many of these people get no alert, because their address is suppressed or they have unsubscribed.
    pub(super) async fn suppressed(&self, to: &Recipients) -> Result<u64, NoticesError> {
        let mut suppressed = 0;
        for address in &to.addresses {
            let takes = self.inner.rooms.mail.takes(Owner::Installation, NoticeKind::Alert.of_mail(), address).await?;
            suppressed += u64::from(!takes);
        }
        Ok(suppressed)
    }

    /// Who is told about the installation: the configured addresses, or its operators.
    pub(super) async fn told(&self) -> Result<Recipients, NoticesError> {
        let configured: Vec<Address> = self.config().to.iter().filter_map(|to| Address::parse(to).ok()).collect();
        if configured.is_empty() {
            let operators = self.inner.rooms.auth.operators().await?;
            let found = Recipients::of(operators.iter().map(|user| (user.name.as_str(), user.email.as_str())));
            return self.with_languages(found).await;
        }
        let parts: Vec<_> = configured.iter().map(|to| (to.name(), to.address())).collect();
        self.with_languages(Recipients::of(parts.iter().map(|(name, email)| (*name, email.as_str())))).await
    }

    /// With the languages of those who have an account. Not in a transaction: it asks for a connection of its own.
    async fn with_languages(&self, mut to: Recipients) -> Result<Recipients, NoticesError> {
        let keys: Vec<String> = to.addresses.iter().map(Address::key).collect();
        to.languages = self.inner.rooms.auth.languages(&keys).await?;
        Ok(to)
    }

    /// Whether a mail of this kind makes sense now: while no server is configured, few do. Counts one that does not.
    fn is_of_use(&self, kind: NoticeKind, about: &str) -> bool {
        let is_of_use = self.has_mail() || kind.waits_for_a_server();
        if !is_of_use {
            self.inner.metrics.unmade(kind, about, Unmade::MailOff, 1);
        }
        is_of_use
    }

    /// Whether the notice is to be written: it makes sense, and has a recipient. Counts those that it cannot reach.
    fn reaches(&self, notice: &Notice<'_>) -> bool {
        let Notice { kind, about, to, .. } = *notice;
        if !self.is_of_use(kind, about) {
            return false;
        }
        let is_any = !to.addresses.is_empty();
        if is_any {
            self.inner.metrics.unmade(kind, about, Unmade::BadAddress, to.unusable);
        } else {
            // An installation without mail may well have no address at all.
            let reason = if self.has_mail() { Unmade::NoRecipient } else { Unmade::MailOff };
            self.inner.metrics.unmade(kind, about, reason, 1);
        }
        is_any
    }

    /// Writes a mail for each recipient, in their language, in the caller's transaction; `data` gives the fields of the template. A repeated notice writes
    /// none.
    async fn write(
        &self,
        tx: &mut Tx,
        notice: &Notice<'_>,
        data: impl Fn(&Address, Lang) -> Value,
    ) -> Result<u64, NoticesError> {
        let kind = notice.kind.of_mail();
        for to in &notice.to.addresses {
            let lang = notice.to.languages.get(&to.key()).copied().unwrap_or(self.config().lang());
            let new = NewMail {
                kind,
                to,
                language: lang.code(),
                content: Content::Template { name: kind.name, data: data(to, lang) },
                attachments: Vec::new(),
                send_at: None,
                expires_at: Some(notice.expires_at),
                idempotency_key: Some(key(notice.about, to)),
                reply_to: None,
                from: None,
                created_by: "notices".to_owned(),
            };
            self.inner.rooms.mail.enqueue(tx, notice.owner, &new).await?;
        }
        Ok(notice.to.addresses.len() as u64)
    }

    /// Makes a notice in a transaction of its own.
    async fn make(&self, notice: &Notice<'_>, data: impl Fn(&Address, Lang) -> Value) -> Result<(), NoticesError> {
        if self.is_late(notice) || !self.reaches(notice) {
            return Ok(());
        }
        let mut tx = self.begin(notice.owner).await?;
        let mails = self.write(&mut tx, notice, data).await?;
        tx.commit().await?;
        self.inner.metrics.made(notice.kind, notice.about, mails);
        Ok(())
    }

    /// Whether nobody needs the notice any more: its event was handled late.
    fn is_late(&self, notice: &Notice<'_>) -> bool {
        let is_late = notice.expires_at <= self.inner.clock.now();
        if is_late {
            self.inner.metrics.unmade(notice.kind, notice.about, Unmade::Late, 1);
        }
        is_late
    }

    async fn begin(&self, owner: Owner) -> Result<Tx, NoticesError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => Ok(self.inner.db.system().await?),
        }
    }

    /// In the configured time zone, as templates take it.
    fn time(&self, at: DateTime<Utc>) -> String {
        in_zone(at, &self.config().time_zone)
    }

    /// A page of this installation.
    fn page(&self, path: &str) -> String {
        format!("{}{path}", self.inner.base_url)
    }

    fn text(&self, lang: Lang, key: &str) -> String {
        self.inner.texts.text(lang, key).to_string()
    }
}

/// Idempotency key of a mail. The address is hashed: keys are shorter than addresses may be.
pub(super) fn key(about: &str, to: &Address) -> String {
    format!("{about}/{}", &crypto::sha256_hex(to.key())[..32])
}

/// As templates take times: with the name of a time zone behind it they are shown as they are there (RFC 9557).
pub(super) fn in_zone(at: DateTime<Utc>, zone: &str) -> String {
    match zone.parse() {
        // Settings are checked at the start.
        Ok(Tz::UTC) | Err(_) => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        Ok(tz) => format!("{}[{}]", at.with_timezone(&tz).to_rfc3339_opts(SecondsFormat::Secs, false), tz.name()),
    }
}
