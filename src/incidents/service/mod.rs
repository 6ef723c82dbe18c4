//! [`Incidents`]: the rules.
//!
//! Further files: `witness.rs` (monitors open and resolve incidents), `endings.rs` (what ends soon), `opening.rs` (a cause opens one or joins one), `incidents.rs`, `timeline.rs`,
//! `components.rs`, `templates.rs` (what the API changes), `shown.rs` (what components show), `merging.rs` (by hand), `rota.rs`, `escalation.rs`, `tell.rs`, `tell_end.rs`, `case.rs`
//! (who is told when), `deliver.rs` (how), `channels.rs`, `channel_notice.rs` (one does not work), `receivers.rs` (for room webhooks), `rules.rs`, `alerts.rs`, `preview.rs`, `links.rs` (acknowledging by mail),
//! `builtin.rs`, `health.rs` (checks, first page), `file/` (its part of the file of monitors),
//! `upkeep.rs`, `terminal.rs` (the command line). What room `status_page` reads is in `pages.rs`.

mod alerts;
mod builtin;
mod case;
mod channel_notice;
mod channels;
mod components;
mod deliver;
mod endings;
mod escalation;
mod file;
mod health;
mod incidents;
mod links;
mod maintenances;
mod merging;
mod opening;
mod pages;
mod people;
mod preview;
mod receivers;
mod rota;
mod rules;
mod shown;
mod tell;
mod tell_end;
mod templates;
mod terminal;
mod timeline;
mod upkeep;
mod witness;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::{
    Config, IncidentsError, Metrics,
    model::{ComponentId, IncidentId, LogEntry, LogId, LogKind, Owner},
    module::LOCALE,
    store,
};
use alerting::Alerting;
use auth::Auth;
use console::Texts;
use mail::Mail;
use platform::{
    clock::Clock,
    crypto::{self, MasterKey},
    db::{Db, Tx},
    http::Principal,
    http_client::HttpClients,
    ids::OrgId,
};
use uptime::Uptime;
use webhooks::Webhooks;

pub use channels::{ChannelDraft, Tried};
pub use components::ComponentDraft;
pub use file::FileSection;
pub(crate) use file::{seconds, time_of_day};
pub use incidents::{AffectedDraft, IncidentChanges, IncidentDraft, IncidentFull};
pub use links::Acknowledgement;
pub use maintenances::MaintenanceDraft;
pub use merging::Split;
pub use preview::{Preview, PreviewRequest, Would};
pub use receivers::ChannelReceivers;
pub use rota::{OnCall, OverrideDraft, PersonDraft, PersonSettings, RotaDraft};
pub(crate) use rules::MOST_STEPS;
pub use rules::RuleDraft;
pub use templates::TemplateDraft;
pub use timeline::{UpdateChanges, UpdateDraft};
pub use witness::MonitorWitness;

/// Changes that wait for a slow reader, which then reads everything anew.
const CHANGES: usize = 256;

/// The rooms that it asks.
#[derive(Clone)]
pub struct Needs {
    pub webhooks: Webhooks,
    pub mail: Mail,
    /// Names and addresses of people on call.
    pub auth: Auth,
    pub alerting: Alerting,
    pub uptime: Uptime,
}

/// Dependencies of the service.
#[derive(Clone)]
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub master_key: MasterKey,
    pub http: HttpClients,
    pub metrics: Metrics,
    /// Our public address, without a trailing slash: for links.
    pub base_url: String,
    pub rooms: Needs,
}

/// Something that pages show has changed, in a transaction of this process that is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Component(ComponentId),
    Incident(IncidentId),
}

/// The incidents service. Cheap to clone.
#[derive(Clone)]
pub struct Incidents {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    deps: Deps,
    pub texts: Arc<Texts>,
    pub changes: broadcast::Sender<Changed>,
    /// What changed in transactions that somebody else commits, and when.
    pub uncommitted: Mutex<Vec<(DateTime<Utc>, Changed)>>,
    /// Certificates that ended soon and look renewed, by the cause, and since when they do.
    pub renewed: Mutex<BTreeMap<Uuid, DateTime<Utc>>>,
}

impl std::ops::Deref for Inner {
    type Target = Deps;
    fn deref(&self) -> &Deps {
        &self.deps
    }
}

impl std::fmt::Debug for Incidents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incidents").finish_non_exhaustive()
    }
}

impl Incidents {
    pub fn new(deps: Deps) -> Self {
        let inner = Inner {
            deps,
            texts: Texts::new(&[LOCALE]),
            changes: broadcast::Sender::new(CHANGES),
            uncommitted: Mutex::default(),
            renewed: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What this process changes. Others' changes are seen in the database.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.inner.changes.subscribe()
    }

    /// Whose incidents the caller asks for: the organisation's, or for operators the installation's.
    pub fn owner(&self, who: &Principal, installation: bool) -> Result<Owner, IncidentsError> {
        if installation && !who.is_operator() {
            return Err(IncidentsError::NotFound("incident"));
        }
        Ok(if installation { Owner::Installation } else { Owner::Org(who.org_id) })
    }

    pub(super) async fn begin(&self, owner: Owner) -> Result<Tx, IncidentsError> {
        match owner {
            Owner::Org(org) => Ok(self.inner.db.tenant(org).await?),
            Owner::Installation => self.system().await,
        }
    }

    /// For the installation's incidents, and for what is about those of all organisations: settling, figures, retention.
    pub(super) async fn system(&self) -> Result<Tx, IncidentsError> {
        Ok(self.inner.db.system().await?)
    }

    /// Says what changed in a transaction that is committed.
    pub(super) fn announce(&self, changes: &[Changed]) {
        for change in changes {
            // Nobody may listen.
            let _ = self.inner.changes.send(*change);
        }
    }

    pub(super) async fn log(
        &self,
        conn: &mut PgConnection,
        org: Option<OrgId>,
        incident: IncidentId,
        what: LogKind,
        done_by: &str,
        detail: Value,
    ) -> Result<(), IncidentsError> {
        let clock = &self.inner.clock;
        let entry = LogEntry { id: LogId::generate(clock), what, done_by: done_by.to_owned(), detail, at: clock.now() };
        Ok(store::incidents::log(conn, org, incident, &entry).await?)
    }

    pub(super) fn page(&self, incident: IncidentId) -> String {
        format!("{}/incidents/{incident}", self.inner.base_url)
    }
}

/// The owners whose things the caller may see.
pub(super) fn owners(who: &Principal) -> impl Iterator<Item = Owner> {
    [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::Installation)].into_iter().flatten()
}

/// Twelve of [a-z0-9]: an id in Statuspage's JSON.
pub(super) fn code() -> String {
    const SIGNS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    (0..12).filter_map(|_| SIGNS.get(crypto::random_below(SIGNS.len()))).map(|sign| char::from(*sign)).collect()
}

/// What the room does by itself is done by this.
pub(super) const ROOM_ITSELF: &str = "incidents";
