//! `[pages.<key>]` of the file of monitors. The key is the page's slug unless it names another.

use async_trait::async_trait;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    StatusPages,
    values::{self, PageUpdate, PutComponent, PutGroup},
};
use crate::{
    Owner, PageId, StatusPageError, Theme, Visibility, restrict,
    store::pages::{self, Made},
};
use platform::text_file;
use uptime::file::{Action, Changes, Document, Entry, Part, Problems, Scope, Section};

const TABLE: &str = "pages";

/// Reads pages of the file.
pub struct PagesSection(pub StatusPages);

/// A page as the file has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PageEntry {
    name: String,
    #[serde(default)]
    about: String,
    slug: Option<String>,
    #[serde(default = "private")]
    visibility: Visibility,
    #[serde(default = "utc")]
    zone: String,
    #[serde(default = "both")]
    languages: Vec<String>,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    networks: Vec<String>,
    password_file: Option<std::path::PathBuf>,
    home_url: Option<String>,
    contact_url: Option<String>,
    #[serde(default = "yes")]
    subscribe: bool,
    #[serde(default)]
    groups: Vec<GroupEntry>,
    /// Of no group.
    #[serde(default)]
    components: Vec<String>,
    /// Keys of monitors.
    #[serde(default)]
    charts: Vec<String>,
    #[serde(default)]
    theme: ThemeEntry,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupEntry {
    name: String,
    #[serde(default)]
    components: Vec<String>,
    #[serde(default = "yes")]
    open: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ThemeEntry {
    accent: Option<String>,
    logo_file: Option<std::path::PathBuf>,
}

fn private() -> Visibility {
    Visibility::Private
}

fn utc() -> String {
    "UTC".to_owned()
}

fn both() -> Vec<String> {
    vec!["en".to_owned(), "ru".to_owned()]
}

fn yes() -> bool {
    true
}

impl Section for PagesSection {
    fn tables(&self) -> &'static [&'static str] {
        &[TABLE]
    }

    fn parse(&self, document: &Document<'_>, problems: &mut Problems) -> Box<dyn Part> {
        let entries = document.entries::<PageEntry>(TABLE, problems);
        for entry in &entries {
            let names = entry.value.groups.iter().flat_map(|group| &group.components).chain(&entry.value.components);
            for name in names.filter(|name| !document.has("components", name)) {
                problems.push(&entry.place, setting(&entry.key), format!("the file has no [components.{name}]"));
            }
            for name in entry.value.charts.iter().filter(|name| !document.has("monitors", name)) {
                problems.push(&entry.place, setting(&entry.key), format!("the file has no [monitors.{name}]"));
            }
        }
        Box::new(PagesPart { pages: self.0.clone(), entries })
    }
}

fn setting(key: &str) -> String {
    format!("{TABLE}.{key}")
}

struct PagesPart {
    pages: StatusPages,
    entries: Vec<Entry<PageEntry>>,
}

#[async_trait]
impl Part for PagesPart {
    async fn apply(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        changes: &mut Changes,
        problems: &mut Problems,
    ) -> anyhow::Result<()> {
        let mut kept = Vec::new();
        for entry in &self.entries {
            let slug = entry.value.slug.as_deref().unwrap_or(&entry.key);
            let found = pages::id_of_slug(conn, slug).await?;
            let id = match found {
                Some((id, org, true)) if Owner::of(org) == scope.owner => Some(id),
                Some(_) => {
                    problems.push(
                        &entry.place,
                        setting(&entry.key),
                        "taken_by_hand: a page has this address that the file does not manage",
                    );
                    continue;
                }
                None => None,
            };
            match self.put(conn, scope, entry, id, problems).await {
                Ok(Some((id, action))) => {
                    kept.push(id);
                    changes.note(action, TABLE, entry.key.clone());
                }
                Ok(None) => {}
                Err(StatusPageError::Invalid(errors)) => {
                    for error in errors {
                        let setting = format!("{}{}", setting(&entry.key), error.pointer.replace('/', "."));
                        problems.push(&entry.place, setting, error.detail);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        for (id, slug) in pages::managed(conn, scope.owner.org()).await? {
            if !kept.contains(&id) {
                pages::mark_removed(conn, id, scope.now).await?;
                changes.note(Action::Removed, TABLE, slug);
            }
        }
        Ok(())
    }
}

impl PagesPart {
    /// Makes or changes a page. `None`: there were problems.
    async fn put(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<PageEntry>,
        id: Option<PageId>,
        problems: &mut Problems,
    ) -> Result<Option<(PageId, Action)>, StatusPageError> {
        let this = &self.pages;
        let Some(mut update) = self.update(conn, scope, entry, problems).await? else { return Ok(None) };
        let Ok(password) = read(entry.value.password_file.as_deref(), entry, problems) else { return Ok(None) };
        let before = match id {
            Some(id) => pages::of_ids(conn, &[id]).await?.pop(),
            None => None,
        };
        let old = before.as_ref().map(|stored| stored.page.clone());
        if let (Some(groups), Some(old)) = (&mut update.groups, &old) {
            // A group is known by its name: it keeps its code.
            for group in groups {
                group.id = old.groups.iter().find(|known| known.name == group.name).map(|known| known.id);
            }
        }
        let is_new = id.is_none();
        let id = id.unwrap_or_else(|| PageId::generate(&this.inner.clock));
        let blank = values::blank(id, scope.owner == Owner::Installation, scope.now);
        let page = values::changed(old.clone().unwrap_or(blank), &update, &this.inner.clock)?;
        let was_right = match (&password, before.as_ref().and_then(|stored| stored.password_hash.as_ref())) {
            (None, None) => true,
            (Some(password), Some(hash)) => restrict::is_right(password, hash)?,
            _ => false,
        };
        let same = |old: &crate::Page| {
            let comparable = |page: &crate::Page| serde_json::to_value(page).unwrap_or_default();
            comparable(old) == comparable(&page)
        };
        let mut is_changed = !old.as_ref().is_some_and(same);
        if is_new {
            let made = Made {
                id,
                org: scope.owner.org(),
                code: &page.code,
                managed_by: Some("file"),
                by: "file",
                now: scope.now,
            };
            this.write_new(conn, scope.owner, made, &page).await?;
        } else if is_changed {
            this.write_changed(conn, scope.owner, &page).await?;
        }
        if !was_right {
            is_changed = true;
            let hash = password.as_deref().map(restrict::hash).transpose()?;
            pages::set_password(conn, id, hash.as_deref(), scope.now).await?;
        }
        is_changed |= self.put_rest(conn, scope, entry, id, problems).await?;
        if let Some(old) = &old {
            this.note_closed(conn, old).await?;
        }
        Ok(Some((
            id,
            match (is_new, is_changed) {
                (true, _) => Action::Created,
                (false, true) => Action::Changed,
                (false, false) => Action::Unchanged,
            },
        )))
    }

    /// Domains and logo. Whether any of it has changed.
    async fn put_rest(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<PageEntry>,
        id: PageId,
        problems: &mut Problems,
    ) -> Result<bool, StatusPageError> {
        let mut wanted = Vec::new();
        for domain in &entry.value.domains {
            match super::domains::normal(domain) {
                Ok(domain) => wanted.push(domain),
                Err(_) => problems.push(&entry.place, setting(&entry.key), format!("{domain} is no name of DNS")),
            }
        }
        let Some(stored) = pages::of_ids(conn, &[id]).await?.pop() else { return Ok(false) };
        let mut is_changed = false;
        for domain in &wanted {
            let proof = format!("holdfast={}", platform::crypto::random_token());
            is_changed |= crate::store::domains::insert(conn, id, scope.owner.org(), domain, &proof).await?;
        }
        for claim in stored.page.domains.iter().filter(|claim| !wanted.contains(&claim.domain)) {
            is_changed |= crate::store::domains::delete(conn, id, &claim.domain).await?;
        }
        let logo = match &entry.value.theme.logo_file {
            None => None,
            Some(path) => match std::fs::read(path) {
                Ok(bytes) => Some(bytes::Bytes::from(bytes)),
                Err(error) => {
                    problems.push(
                        &entry.place,
                        setting(&entry.key),
                        format!("{} cannot be read: {error}", path.display()),
                    );
                    return Ok(is_changed);
                }
            },
        };
        let before = pages::logo(conn, id).await?.map(|(_, body)| body);
        if before != logo {
            let typed = logo
                .as_ref()
                .map(|body| Ok::<_, StatusPageError>((super::pages::logo_type(body)?, &body[..])))
                .transpose()?;
            pages::set_logo(conn, id, typed, scope.now).await?;
            is_changed = true;
        }
        if is_changed {
            pages::touch(conn, id, scope.now).await?;
        }
        Ok(is_changed)
    }

    /// The entry as a change of a page. `None`: it names what there is not.
    async fn update(
        &self,
        conn: &mut PgConnection,
        scope: &Scope,
        entry: &Entry<PageEntry>,
        problems: &mut Problems,
    ) -> Result<Option<PageUpdate>, StatusPageError> {
        let rooms = &self.pages.inner.rooms;
        let value = &entry.value;
        let mut components = Vec::new();
        let mut is_complete = true;
        let grouped = value
            .groups
            .iter()
            .flat_map(|group| group.components.iter().map(move |key| (key, Some(group.name.clone()))));
        let all: Vec<_> = grouped.chain(value.components.iter().map(|key| (key, None))).collect();
        for (key, group) in all {
            match rooms.incidents.find_component(conn, scope.owner, key).await? {
                Some(component_id) => components.push(PutComponent {
                    component_id,
                    group,
                    name: None,
                    showcase: true,
                    only_show_if_degraded: false,
                    start_date: None,
                }),
                None => {
                    is_complete = false;
                    problems.push(&entry.place, setting(&entry.key), format!("there is no component {key}"));
                }
            }
        }
        let mut charts = Vec::new();
        for key in &value.charts {
            match rooms.uptime.find_monitor(conn, scope.owner, key).await? {
                Some(id) => charts.push(id),
                None => {
                    is_complete = false;
                    problems.push(&entry.place, setting(&entry.key), format!("there is no monitor {key}"));
                }
            }
        }
        let groups = value.groups.iter().map(|group| PutGroup { id: None, name: group.name.clone(), open: group.open });
        Ok(is_complete.then(|| PageUpdate {
            slug: Some(value.slug.clone().unwrap_or_else(|| entry.key.clone())),
            name: Some(value.name.clone()),
            about: Some(value.about.clone()),
            visibility: Some(value.visibility),
            password: None,
            networks: Some(value.networks.clone()),
            zone: Some(value.zone.clone()),
            languages: Some(value.languages.clone()),
            theme: Some(Theme { accent: value.theme.accent.clone() }),
            home_url: Some(value.home_url.clone().unwrap_or_default()),
            contact_url: Some(value.contact_url.clone().unwrap_or_default()),
            charts: Some(charts),
            subscribe: Some(value.subscribe),
            groups: Some(groups.collect()),
            components: Some(components),
        }))
    }
}

/// It is among the problems.
struct Unreadable;

/// The password of a file, if one is named.
fn read(
    path: Option<&std::path::Path>,
    entry: &Entry<PageEntry>,
    problems: &mut Problems,
) -> Result<Option<String>, Unreadable> {
    let Some(path) = path else { return Ok(None) };
    match text_file::read(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) => {
            problems.push(&entry.place, setting(&entry.key), format!("{} cannot be read: {error}", path.display()));
            Err(Unreadable)
        }
    }
}
