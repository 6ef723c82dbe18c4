//! What this process serves: the finished answers of every page, in memory. A request is one look-up: no lock, no database, no copy.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::http::HeaderValue;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::{
    gatus::Endpoint,
    model::{Page, PageId, Render, Set, Visibility},
    render::GATUS,
    restrict::Restriction,
};
use platform::http::HostSurface;
use uptime::{ManagedBy, MonitorId, Published};

/// A database that has not answered for so long is down.
const PATIENCE: Duration = Duration::from_secs(5);
/// Pages are rendered each minute: an older one was not, so nobody renders.
const OLD: TimeDelta = TimeDelta::seconds(90);

/// A page, and what is known of it without the database.
#[derive(Clone, Debug)]
pub struct Access {
    pub page: Page,
    pub restriction: Restriction,
    /// Where links within it begin.
    pub root: String,
    pub url: String,
    /// Where links to manage a subscription begin: as `root`, also while the page is private.
    pub links: String,
    /// Content security policy of its HTML.
    pub policy: HeaderValue,
    pub revision: i64,
}

impl Access {
    /// Whether strangers see it without being asked for anything.
    pub fn is_public(&self) -> bool {
        self.page.visibility == Visibility::Public && self.restriction.is_open()
    }

    pub fn is_appliance(&self) -> bool {
        self.page.managed_by == Some(ManagedBy::Builtin)
    }
}

/// A page as it is served.
#[derive(Clone, Debug)]
pub struct Served {
    pub access: Arc<Access>,
    pub current: HashMap<String, Arc<Render>>,
    pub stale: HashMap<String, Arc<Render>>,
    pub endpoints: Arc<[Endpoint]>,
    /// Version of what was loaded; 0: nothing yet.
    pub version: i64,
    pub as_of: DateTime<Utc>,
    /// This process renders it itself: it is as new as can be, also while the database is down.
    pub is_own: bool,
}

impl Served {
    pub fn new(access: Arc<Access>) -> Self {
        Self {
            access,
            current: HashMap::new(),
            stale: HashMap::new(),
            endpoints: Arc::new([]),
            version: 0,
            as_of: DateTime::<Utc>::MIN_UTC,
            is_own: false,
        }
    }

    /// Whether it has answers.
    pub fn is_rendered(&self) -> bool {
        !self.current.is_empty()
    }

    /// When it was true what visitors get. Of a page without answers: when it was made, because since then they get nothing.
    pub fn old_since(&self) -> DateTime<Utc> {
        if self.is_rendered() { self.as_of } else { self.access.page.created_at }
    }

    /// Takes new answers over those of the same path.
    pub fn take(&mut self, renders: Vec<Render>) {
        for render in renders {
            if render.path == GATUS {
                // It was written by this program; of another version, it is made again within a minute.
                self.endpoints = serde_json::from_slice::<Vec<Endpoint>>(&render.body).unwrap_or_default().into();
            }
            let set = match render.set {
                Set::Current => &mut self.current,
                Set::Stale => &mut self.stale,
            };
            set.insert(render.path.clone(), Arc::new(render));
        }
    }

    /// Forgets answers that are not among these stored paths.
    pub fn keep(&mut self, stored: &HashSet<String>) {
        self.current.retain(|_, render| stored.contains(&render.stored_path()));
        self.stale.retain(|_, render| stored.contains(&render.stored_path()));
    }

    /// The answer of a set; what is the same in both is in the current one alone.
    pub fn get(&self, set: Set, path: &str) -> Option<&Arc<Render>> {
        match set {
            Set::Current => self.current.get(path),
            Set::Stale => self.stale.get(path).or_else(|| self.current.get(path)),
        }
    }
}

/// Monitors whose badges strangers may read though no page shows them.
#[derive(Clone, Debug, Default)]
pub struct Badges {
    /// As they were found, also those whose keys others have.
    pub ids: Vec<MonitorId>,
    pub read_at: Option<DateTime<Utc>>,
    pub endpoints: Vec<Endpoint>,
}

/// Where a monitor is shown.
#[derive(Clone, Copy, Debug)]
struct Place {
    page: PageId,
    number: usize,
    monitor: MonitorId,
    of_installation: bool,
    /// Monitors of several owners have this key: without a page's address it leads to none of them, so that nobody answers for another.
    is_ambiguous: bool,
}

/// All pages, with the ways to find one.
#[derive(Debug, Default)]
pub struct Held {
    pub pages: HashMap<PageId, Arc<Served>>,
    pub badges: Arc<Badges>,
    by_slug: HashMap<String, PageId>,
    by_domain: HashMap<String, PageId>,
    appliance: Option<PageId>,
    /// Of public pages: key of a monitor, and where it is.
    monitors: HashMap<String, Place>,
    published: HashSet<MonitorId>,
}

impl Held {
    fn of(pages: HashMap<PageId, Arc<Served>>, badges: Arc<Badges>) -> Self {
        let mut held = Self { badges, ..Self::default() };
        // The oldest first, and the installation's before others'.
        let mut all: Vec<&Arc<Served>> = pages.values().collect();
        all.sort_by_key(|served| (!served.access.page.installation, served.access.page.id));
        for served in all {
            let (access, page) = (&served.access, &served.access.page);
            held.by_slug.insert(page.slug.clone(), page.id);
            for domain in page.domains.iter().filter(|domain| domain.proven_at.is_some()) {
                held.by_domain.insert(domain.domain.clone(), page.id);
            }
            if access.is_appliance() {
                held.appliance = Some(page.id);
            }
            if access.is_public() {
                for (number, endpoint) in served.endpoints.iter().enumerate() {
                    let monitor = endpoint.monitor;
                    let here = Place {
                        page: page.id,
                        number,
                        monitor,
                        of_installation: page.installation,
                        is_ambiguous: false,
                    };
                    let first = held.monitors.entry(endpoint.key.clone()).or_insert(here);
                    first.is_ambiguous |= first.monitor != monitor && !first.of_installation;
                    held.published.insert(monitor);
                }
            }
        }
        held.pages = pages;
        held
    }

    pub fn page(&self, id: PageId) -> Option<&Arc<Served>> {
        self.pages.get(&id)
    }

    pub fn by_slug(&self, slug: &str) -> Option<&Arc<Served>> {
        self.page(*self.by_slug.get(slug)?)
    }

    pub fn by_domain(&self, domain: &str) -> Option<&Arc<Served>> {
        self.page(*self.by_domain.get(domain)?)
    }

    /// The page at `/status`: the appliance's own.
    pub fn default_page(&self) -> Option<&Arc<Served>> {
        self.page(self.appliance?)
    }

    /// A monitor that strangers may see, by its key: because a public page shows it, or its owner says so.
    pub fn endpoint(&self, key: &str) -> Option<&Endpoint> {
        match self.monitors.get(key) {
            Some(place) if place.is_ambiguous => None,
            Some(place) => self.at(place),
            None => {
                let mut found = self.badges.endpoints.iter().filter(|endpoint| endpoint.key == key);
                found.next().filter(|_| found.next().is_none())
            }
        }
    }

    fn at(&self, place: &Place) -> Option<&Endpoint> {
        self.page(place.page)?.endpoints.get(place.number)
    }

    /// All monitors that the installation's public pages show, by key. Those of an organisation are listed below its pages.
    pub fn endpoints(&self) -> Vec<&Endpoint> {
        let mut all: Vec<(&String, &Place)> = self.monitors.iter().filter(|(_, place)| place.of_installation).collect();
        all.sort_unstable_by_key(|(key, _)| *key);
        all.into_iter().filter_map(|(_, place)| self.at(place)).collect()
    }
}

/// What this process serves.
#[derive(Debug)]
pub struct Holder {
    held: ArcSwap<Held>,
    began: Instant,
    /// When the database answered last, milliseconds after `began`.
    answered: AtomicU64,
}

impl Default for Holder {
    fn default() -> Self {
        Self { held: ArcSwap::default(), began: Instant::now(), answered: AtomicU64::new(0) }
    }
}

impl Holder {
    pub fn held(&self) -> arc_swap::Guard<Arc<Held>> {
        self.held.load()
    }

    /// The database has answered.
    pub fn answered(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered.store(now, Ordering::Relaxed);
    }

    /// How long ago the database answered last.
    pub fn silence(&self) -> Duration {
        self.began.elapsed().saturating_sub(Duration::from_millis(self.answered.load(Ordering::Relaxed)))
    }

    /// Changes pages. Two at once do not undo each other: the later one sees what the first has done.
    pub fn change(&self, change: impl Fn(&mut HashMap<PageId, Arc<Served>>)) {
        self.held.rcu(|held| {
            let mut pages = held.pages.clone();
            change(&mut pages);
            Held::of(pages, held.badges.clone())
        });
    }

    pub fn set_badges(&self, badges: Badges) {
        let badges = Arc::new(badges);
        self.held.rcu(|held| Held::of(held.pages.clone(), badges.clone()));
    }

    /// Which set of a page is true now.
    pub fn set_of(&self, served: &Served, now: DateTime<Utc>) -> Set {
        let is_new = now - served.as_of < OLD;
        if is_new && (served.is_own || self.silence() < PATIENCE) { Set::Current } else { Set::Stale }
    }

    /// This process renders no longer.
    pub fn disown(&self) {
        self.change(|pages| {
            for served in pages.values_mut().filter(|served| served.is_own) {
                Arc::make_mut(served).is_own = false;
            }
        });
    }
}

/// Names of hosts that lead to pages, and monitors that they show.
#[derive(Clone, Debug)]
pub struct Hosts(pub Arc<Holder>);

impl HostSurface for Hosts {
    fn claims(&self, host: &str) -> bool {
        self.0.held().by_domain.contains_key(host)
    }
}

impl Published for Hosts {
    fn shows(&self, monitor: MonitorId) -> bool {
        self.0.held().published.contains(&monitor)
    }
}
