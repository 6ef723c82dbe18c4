//! Status pages, who follows them, and finished answers.

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use incidents::ComponentId;
use platform::{id_type, text_enum};
use uptime::{ManagedBy, MonitorId};

pub use platform::ids::Owner;

id_type!(PageId, "A status page.");
id_type!(PageGroupId, "A group of components on a status page.");
id_type!(SubscriberId, "Somebody who gets the updates of a status page by mail.");

text_enum! {
    /// Who sees a status page.
    #[schema(as = StatusPageVisibility)]
    pub enum Visibility {
        Public = "public",
        /// People of its owner who are signed in.
        Private = "private",
    }
}

/// A status page.
#[expect(clippy::struct_excessive_bools, reason = "each says something of its own")]
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StatusPage)]
pub struct Page {
    pub id: PageId,
    /// Belongs to the installation instead of the organisation.
    pub installation: bool,
    /// Its id in Statuspage's JSON.
    pub code: String,
    /// In its address: `/status/<slug>`.
    pub slug: String,
    pub name: String,
    pub about: String,
    pub visibility: Visibility,
    /// Strangers are asked for a password.
    pub has_password: bool,
    /// Programs may read it with a key.
    pub has_key: bool,
    /// Networks that it is shown to, such as `10.0.0.0/8`; empty: all.
    pub networks: Vec<String>,
    /// Time zone, such as `Europe/Berlin`.
    pub zone: String,
    /// `en`, `ru`, or both: the first is shown to those who want neither.
    pub languages: Vec<String>,
    pub theme: Theme,
    pub has_logo: bool,
    pub home_url: Option<String>,
    pub contact_url: Option<String>,
    /// Monitors with a chart, at most four.
    pub charts: Vec<MonitorId>,
    /// Strangers can subscribe to its updates. While the page is private, has a password or networks, nothing is mailed to those who did.
    pub subscribe: bool,
    pub groups: Vec<PageGroup>,
    pub components: Vec<PageComponent>,
    pub domains: Vec<Domain>,
    pub managed_by: Option<ManagedBy>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Page {
    /// Whether its updates are mailed to subscribers: only what every stranger may read.
    pub fn tells_strangers(&self) -> bool {
        self.subscribe && self.visibility == Visibility::Public && !self.has_password && self.networks.is_empty()
    }
}

/// How a page looks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = StatusPageTheme)]
pub struct Theme {
    /// `#rrggbb`, of contrast 3:1 at least in both looks; null: the house's.
    pub accent: Option<String>,
}

/// A group of components.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatusPageGroup)]
pub struct PageGroup {
    pub id: PageGroupId,
    pub code: String,
    pub name: String,
    pub position: i32,
    /// Shown with its components in sight.
    pub open: bool,
}

/// A component on a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = StatusPageComponent)]
pub struct PageComponent {
    pub component_id: ComponentId,
    pub group_id: Option<PageGroupId>,
    /// Null: the component's own.
    pub name: Option<String>,
    pub position: i32,
    pub showcase: bool,
    pub only_show_if_degraded: bool,
    /// Its bars begin with it; null: with the component.
    pub start_date: Option<NaiveDate>,
}

/// A name of DNS that leads to a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatusPageDomain)]
pub struct Domain {
    pub domain: String,
    /// What the TXT record of `_holdfast.<domain>` must hold.
    pub proof: String,
    /// Null: nothing is served under it yet.
    pub proven_at: Option<DateTime<Utc>>,
    pub checked_at: Option<DateTime<Utc>>,
    /// What the last look into the DNS found wrong.
    pub error: Option<String>,
}

/// Somebody who gets updates by mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StatusPageSubscriber)]
pub struct Subscriber {
    pub id: SubscriberId,
    pub address: String,
    /// `en` or `ru`
    pub language: String,
    /// Empty: everything on the page.
    pub components: Vec<ComponentId>,
    pub asked_at: DateTime<Utc>,
    /// Null: nothing is sent yet.
    pub confirmed_at: Option<DateTime<Utc>>,
}

/// Which of the two sets of answers one belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Set {
    Current,
    /// The same facts, with the words that they could not be brought up to date.
    Stale,
}

/// A finished answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Render {
    pub set: Set,
    /// `index.en`, `summary.json`, `history.atom`, ...
    pub path: String,
    pub content_type: &'static str,
    /// With its quotes.
    pub etag: String,
    pub body: Bytes,
    /// `None`: it is too small to gain by it.
    pub gzip: Option<Bytes>,
    pub br: Option<Bytes>,
}

impl Render {
    /// As in `status_page_renders.path`.
    pub fn stored_path(&self) -> String {
        match self.set {
            Set::Current => self.path.clone(),
            Set::Stale => format!("stale/{}", self.path),
        }
    }
}
