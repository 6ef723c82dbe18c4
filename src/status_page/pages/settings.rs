//! The list of pages, and the settings of one.

use std::collections::HashMap;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{PATH, SHOWN};
use crate::{
    Owner, Page, PageId, PageUpdate, PutComponent, PutGroup, READ, StatusPageError, StatusPages, Theme, Visibility,
    WRITE, routes::owner,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use incidents::ComponentId;
use platform::http::{ListQuery, Path, Query, Slice};
use uptime::{ManagedBy, MonitorId};

/// Fields of a page. Boxes that are not ticked are not sent.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PageForm {
    name: String,
    slug: String,
    about: String,
    visibility: String,
    zone: String,
    languages: String,
    accent: String,
    networks: String,
    home_url: String,
    contact_url: String,
    subscribe: String,
    password: String,
    no_password: String,
    components: String,
    charts: String,
    installation: String,
}

/// Keys of what a page shows.
struct Keys {
    components: HashMap<ComponentId, String>,
    /// Of monitors with a chart, in their order.
    charts: Vec<String>,
}

#[derive(Template)]
#[template(path = "status_page/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    pages: Vec<Page>,
    operator: bool,
    pager: Pager,
    form: PageForm,
    errors: FormErrors,
}

#[derive(Template)]
#[template(path = "status_page/templates/page.html")]
struct Show<'a> {
    shell: &'a Shell,
    page: Page,
    url: String,
    form: PageForm,
    errors: FormErrors,
}

impl List<'_> {
    fn may_create(&self) -> bool {
        self.shell.is_admin()
    }

    fn visibility(&self, page: &Page) -> String {
        visibility(self.shell, page.visibility)
    }
}

impl Show<'_> {
    fn is_managed(&self) -> bool {
        self.page.managed_by == Some(ManagedBy::File)
    }

    fn may_delete(&self) -> bool {
        self.shell.is_admin() && self.page.managed_by.is_none()
    }

    fn may_change(&self) -> bool {
        self.shell.is_admin() && !self.is_managed()
    }

    /// The colour of the form, which need not be saved yet.
    fn accent(&self) -> &str {
        &self.form.accent
    }

    fn is_public(&self) -> bool {
        self.form.visibility == Visibility::Public.as_str()
    }
}

fn visibility(shell: &Shell, visibility: Visibility) -> String {
    let key = match visibility {
        Visibility::Public => "status-page-visibility-public",
        Visibility::Private => "status-page-visibility-private",
    };
    shell.t(key).to_string()
}

impl PageForm {
    fn of(page: &Page, keys: &Keys) -> Self {
        Self {
            name: page.name.clone(),
            slug: page.slug.clone(),
            about: page.about.clone(),
            visibility: page.visibility.as_str().to_owned(),
            zone: page.zone.clone(),
            languages: page.languages.join(" "),
            accent: page.theme.accent.clone().unwrap_or_default(),
            networks: page.networks.join("\n"),
            home_url: page.home_url.clone().unwrap_or_default(),
            contact_url: page.contact_url.clone().unwrap_or_default(),
            subscribe: if page.subscribe { "true".to_owned() } else { String::new() },
            password: String::new(),
            no_password: String::new(),
            components: lines(page, &keys.components),
            charts: keys.charts.join(" "),
            installation: String::new(),
        }
    }

    /// As a change; components are looked up by the caller.
    fn update(&self) -> PageUpdate {
        let password = if self.no_password.is_empty() {
            Some(self.password.clone()).filter(|password| !password.is_empty())
        } else {
            Some(String::new())
        };
        PageUpdate {
            slug: Some(self.slug.clone()),
            name: Some(self.name.clone()),
            about: Some(self.about.clone()),
            visibility: self.visibility.parse().ok(),
            password,
            networks: Some(self.networks.split_whitespace().map(str::to_owned).collect()),
            zone: Some(self.zone.trim().to_owned()),
            languages: Some(self.languages.split_whitespace().map(str::to_owned).collect()),
            theme: Some(Theme { accent: Some(self.accent.trim().to_owned()).filter(|accent| !accent.is_empty()) }),
            home_url: Some(self.home_url.clone()),
            contact_url: Some(self.contact_url.clone()),
            subscribe: Some(!self.subscribe.is_empty()),
            ..PageUpdate::default()
        }
    }
}

/// Components as lines of keys, with groups in brackets.
fn lines(page: &Page, keys: &HashMap<ComponentId, String>) -> String {
    let of_group = |group| {
        let inside = page.components.iter().filter(move |place| place.group_id == group);
        inside.filter_map(|place| keys.get(&place.component_id).cloned())
    };
    let mut lines: Vec<String> = of_group(None).collect();
    for group in &page.groups {
        lines.push(format!("[{}]", group.name));
        lines.extend(of_group(Some(group.id)));
    }
    lines.join("\n")
}

/// Groups, and keys with the group that they are in.
fn read_lines(text: &str) -> (Vec<String>, Vec<(String, Option<String>)>) {
    let (mut groups, mut keys) = (Vec::<String>::new(), Vec::new());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(name) => groups.push(name.trim().to_owned()),
            None => keys.push((line.to_owned(), groups.last().cloned())),
        }
    }
    (groups, keys)
}

impl StatusPages {
    /// The form as a change of a page. Components that there are not are errors of the field.
    async fn read_form(
        &self,
        shell: &Shell,
        owner: Owner,
        page: Option<&Page>,
        form: &PageForm,
    ) -> Result<PageUpdate, StatusPageError> {
        let mut update = form.update();
        if page.is_none() {
            update.zone = update.zone.filter(|zone| !zone.is_empty());
            update.languages = update.languages.filter(|languages| !languages.is_empty());
            update.subscribe = None;
            return Ok(update);
        }
        let (groups, keys) = read_lines(&form.components);
        let mut tx = self.begin(owner).await?;
        let mut components = Vec::new();
        for (key, group) in keys {
            let Some(component_id) = self.inner.rooms.incidents.find_component(&mut tx, owner, &key).await? else {
                let text = shell.t("status-page-component-unknown").with("key", &key).to_string();
                return Err(StatusPageError::invalid("/components", "status_page_component_unknown", text));
            };
            // What the form does not show stays as it is.
            let before = page.and_then(|page| page.components.iter().find(|place| place.component_id == component_id));
            components.push(PutComponent {
                component_id,
                group,
                name: before.and_then(|place| place.name.clone()),
                showcase: before.is_none_or(|place| place.showcase),
                only_show_if_degraded: before.is_some_and(|place| place.only_show_if_degraded),
                start_date: before.and_then(|place| place.start_date),
            });
        }
        let mut charts = Vec::new();
        for key in form.charts.split_whitespace() {
            let Some(monitor) = self.inner.rooms.uptime.find_monitor(&mut tx, owner, key).await? else {
                let text = shell.t("status-page-monitor-unknown").with("key", key).to_string();
                return Err(StatusPageError::invalid("/charts", "status_page_monitor_unknown", text));
            };
            charts.push(monitor);
        }
        update.charts = Some(charts);
        let known = |name: &str| page.and_then(|page| page.groups.iter().find(|group| group.name == name));
        let groups = groups.into_iter().map(|name| {
            let before = known(&name);
            PutGroup { id: before.map(|group| group.id), open: before.is_none_or(|group| group.open), name }
        });
        update.groups = Some(groups.collect());
        update.components = Some(components);
        Ok(update)
    }

    async fn keys_of(&self, page: &Page, owner: Owner) -> Result<Keys, StatusPageError> {
        let ids: Vec<ComponentId> = page.components.iter().map(|place| place.component_id).collect();
        let mut tx = self.begin(owner).await?;
        let components = self.inner.rooms.incidents.components(&mut tx, &ids).await?;
        let monitors = self.inner.rooms.uptime.monitors(&mut tx, &page.charts).await?;
        let key = |id: &MonitorId| Some(monitors.iter().find(|monitor| monitor.id == *id)?.key.clone());
        Ok(Keys {
            components: components.into_iter().map(|component| (component.id, component.key)).collect(),
            charts: page.charts.iter().filter_map(key).collect(),
        })
    }
}

fn owner_of(shell: &Shell, page: &Page) -> Owner {
    if page.installation { Owner::Installation } else { Owner::Org(shell.org_id()) }
}

async fn render_list(
    shell: &Shell,
    pages: &StatusPages,
    query: ListQuery,
    refused: Option<(PageForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let own = owner(pages, who, READ, false)?;
    let query = query.sized(SHOWN);
    let slice = query.slice()?;
    let mut found = slice.page(pages.pages(own, &slice).await?, |page| page.id.0);
    let operator = who.is_operator();
    if operator && query.cursor.is_empty() {
        found.data.extend(pages.pages(Owner::Installation, &Slice::first(SHOWN.into())).await?);
    }
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List {
        shell,
        pages: found.data,
        operator,
        pager: Pager::new(PATH, &[], &query, found.next_cursor.as_deref()),
        form,
        errors,
    };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(pages): State<StatusPages>, Query(query): Query<ListQuery>) -> PageResult {
    render_list(&shell, &pages, query, None).await
}

pub(super) async fn create(shell: Shell, State(pages): State<StatusPages>, Form(form): Form<PageForm>) -> PageResult {
    let owner = owner(&pages, shell.principal(), WRITE, !form.installation.is_empty())?;
    let made = async {
        let update = pages.read_form(&shell, owner, None, &form).await?;
        pages.create_page(shell.principal(), owner, &update).await
    };
    match made.await {
        Ok(page) => Ok(shell.redirect(&format!("{PATH}/{}", page.id), &Flash::ok("status-page-created"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_list(&shell, &pages, ListQuery::default(), Some((form, errors))).await
        }
    }
}

async fn render_page(
    shell: &Shell,
    pages: &StatusPages,
    id: PageId,
    refused: Option<(PageForm, FormErrors)>,
) -> PageResult {
    shell.principal().require(READ)?;
    let page = pages.page(shell.principal(), id).await?;
    let keys = pages.keys_of(&page, owner_of(shell, &page)).await?;
    let (_, url) = pages.addresses(&page);
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_else(|| (PageForm::of(&page, &keys), FormErrors::default()));
    let page = Show { shell, page, url, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

/// The page with what was wrong in one of its smaller forms; the large one is as it is saved.
pub(super) async fn render_refused(shell: &Shell, pages: &StatusPages, id: PageId, errors: FormErrors) -> PageResult {
    let page = pages.page(shell.principal(), id).await?;
    let keys = pages.keys_of(&page, owner_of(shell, &page)).await?;
    render_page(shell, pages, id, Some((PageForm::of(&page, &keys), errors))).await
}

pub(super) async fn show(shell: Shell, State(pages): State<StatusPages>, Path(id): Path<PageId>) -> PageResult {
    render_page(&shell, &pages, id, None).await
}

pub(super) async fn save(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Form(form): Form<PageForm>,
) -> PageResult {
    let who = shell.principal();
    who.require(WRITE)?;
    let page = pages.page(who, id).await?;
    let saved = async {
        let mut update = pages.read_form(&shell, owner_of(&shell, &page), Some(&page), &form).await?;
        if page.managed_by == Some(ManagedBy::Builtin) {
            // The setting says it.
            update.visibility = None;
        }
        pages.update_page(who, id, &update).await
    };
    match saved.await {
        Ok(_) => Ok(shell.redirect(&format!("{PATH}/{id}"), &Flash::ok("status-page-changed"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_page(&shell, &pages, id, Some((form, errors))).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(pages): State<StatusPages>,
    Path(id): Path<PageId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    pages.delete_page(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("status-page-deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_groups_in_brackets() {
        let (groups, keys) = read_lines("api\n\n[Shop]\n shop-home \n[Rest]\n");
        assert_eq!(groups, ["Shop", "Rest"]);
        assert_eq!(keys, [("api".to_owned(), None), ("shop-home".to_owned(), Some("Shop".to_owned()))]);
    }
}
