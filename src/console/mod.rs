//! The web shell: layout, forms, flash messages, translations, assets, error pages, the overview and the API reference.
//! Pages live with their capability; this module knows only `platform`. Owns no table, no job, no metric.
//!
//! # How a capability makes a page
//!
//! Files, with the capability's name as the prefix of every translation key:
//! `src/agents/pages.rs`, `src/agents/templates/list.html`, `src/agents/locales/{en,ru}.ftl`, `src/agents/assets/chat.js`.
//! Translations, assets and links of the navigation are named in the room's `module.rs`.
//!
//! ```ignore
//! use crate::{Flash, Form, FormErrors, PageResult, Pager, Shell};
//!
//! #[derive(Template)]
//! #[template(path = "agents/templates/list.html")]
//! struct List<'a> { shell: &'a Shell, agents: Vec<Agent>, query: ListQuery, pager: Pager }
//!
//! async fn list(shell: Shell, State(agents): State<Agents>, Query(query): Query<ListQuery>) -> PageResult {
//!     let slice = query.clone().sized(30).slice()?; // errors become error pages
//!     let page = slice.page(agents.list(shell.org_id(), query.search(), &slice).await?, |agent| agent.id.0);
//!     let pager = Pager::new("/agents", &[], &query, page.next_cursor.as_deref());
//!     shell.render(&List { shell: &shell, agents: page.data, query, pager })
//! }
//!
//! async fn create(shell: Shell, State(agents): State<Agents>, Form(form): Form<CreateAgent>) -> PageResult {
//!     match agents.create(shell.principal(), &form).await {
//!         Ok(agent) => Ok(shell.redirect(&format!("/agents/{}", agent.id), &Flash::ok("agents-created").with("name", &agent.name))),
//!         // Field errors in the page's language, or `Err` for errors that no form can fix.
//!         Err(error) => {
//!             let errors = shell.form_errors(error.into())?;
//!             shell.render_invalid(&New { shell: &shell, form, errors })
//!         }
//!     }
//! }
//! ```
//!
//! ```html
//! {% extends "console/templates/layout.html" %}
//! {% import "console/templates/ui.html" as ui %}
//! {% block title %}{{ shell.t("agents-title") }}{% endblock %}
//! {% block main %}
//! {% call ui::header(title = shell.t("agents-title"), lead = shell.t("agents-lead")) %}
//!   <a class="button primary" href="/agents/new">{{ shell.t("agents-new") }}</a>
//! {% endcall %}
//! <p>{{ shell.tn("agents-count", agents.len()) }} {{ shell.time(agent.created_at)|safe }}</p>
//! <form method="post" action="/agents">
//!   {{ shell.csrf_field()|safe }}
//!   {{ ui::input("name", shell.t("agents-name"), form.name, error = errors.of("name"), required = true) }}
//!   <button class="button primary">{{ shell.t("console-save") }}</button>
//! </form>
//! {% endblock %}
//! {% block scripts %}<script type="module" src="{{ shell.asset("agents/chat.js") }}"></script>{% endblock %}
//! ```
//!
//! - `templates/ui.html` has the components (inputs, search, pager, empty state, badge, confirm, icons, progress), each
//!   with its arguments; `console/assets/console.css` names the classes in its table of contents.
//! - A room's own stylesheet goes into `{% block styles %}`; its messages may have parts, each a file: `locale!("agents", "chat")`.
//! - Names of what other rooms have come from [`Shell::names`]; a secret is shown after [`Shell::redirect_once`], never by the answer to a form.
//! - A page without sign-in takes [`AnonymousShell`] instead of [`Shell`] and extends `bare.html`.
//! - Multipart forms carry the same hidden field and call [`AnonymousShell::check_csrf`].
//! - An error code `slug_taken` is shown as the translation `error-slug-taken` where one exists, else in the API's words.
//! - A form without JavaScript first; then `data-confirm`, `data-copy`, `data-filter` of `console.js`.
//! - What changes while one looks at it is a live part (`live.rs`), read through [`Shell::shared`].

mod anonymous_shell;
mod api_docs;
mod assets;
mod chart;
mod connect;
mod csrf;
mod directory;
mod error_pages;
mod flash;
mod form;
mod format;
mod highlight;
mod i18n;
mod list;
mod live;
mod once;
mod overview;
mod pages;
mod samples;
mod shared;
mod shell;
mod state;
pub mod svg;

#[cfg(test)]
mod tests;

pub use anonymous_shell::{AnonymousShell, PageResult, Theme, local_path, see_other};
pub use assets::Asset;
pub use chart::{Chart, Series, Shape, Step as ChartStep, Unit};
pub use connect::{Connect, connect};
pub use directory::{Directory, Found, Named, Names};
pub use flash::Flash;
pub use form::{Form, FormErrors, Nothing};
pub use format::{Html, browser, bytes, escape, integer, markdown};
pub use highlight::highlight;
pub use i18n::{Lang, Locale, Texts};
pub use list::Pager;
pub use overview::{Action, Notice, Overview, OverviewPart, Remark, Step, Tile};
pub use shell::{NavSection, PASSWORD_PAGE, Shell};
pub use state::{Command, Console, LanguageKeeper, NavItem, Parts, Section, SettingLine};

pub const NAV: &[NavItem] = &[NavItem::new(Section::Top, "/", "console-nav-overview", "overview").keys('o')];
pub const LOCALE: Locale = crate::locale!("console");
pub const ASSETS: &[Asset] = crate::assets!("console":
    "console.css" "console.js" "live.js" "morph.js" "http.js" "sse.js" "upload.js" "chart.js" "try.js" "icons.svg" "favicon.svg");
