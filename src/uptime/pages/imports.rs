//! Importing files of other monitor programs.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::State;
use secrecy::SecretString;
use serde::Deserialize;

use super::{SHOWN, kind_name};
use crate::{
    ImportId, ImportSource, Kind, READ, Uptime, WRITE,
    import::{Fate, Import, MonitorRow},
    routes::owner,
    service::Choices,
};
use console::{Flash, Form, FormErrors, PageResult, Pager, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{ListQuery, Path, Query, Slice},
};

const PATH: &str = "/monitors/import";

/// A file to read: its text, because a page without script sends no file otherwise.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImportForm {
    source: String,
    file_name: String,
    content: String,
    installation: String,
}

#[derive(Template)]
#[template(path = "uptime/templates/imports.html")]
struct List<'a> {
    shell: &'a Shell,
    imports: Vec<Import>,
    operator: bool,
    pager: Pager,
    form: ImportForm,
    errors: FormErrors,
}

impl List<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn source(&self, import: &Import) -> &'static str {
        source_name(import.source)
    }
}

fn source_name(source: ImportSource) -> &'static str {
    match source {
        ImportSource::UptimeKuma => "Uptime Kuma",
        ImportSource::Gatus => "Gatus",
    }
}

#[derive(Template)]
#[template(path = "uptime/templates/import.html")]
struct Show<'a> {
    shell: &'a Shell,
    import: Import,
}

impl Show<'_> {
    fn source(&self) -> &'static str {
        source_name(self.import.source)
    }

    fn fate(&self, row: &MonitorRow) -> (&'static str, String) {
        let tone = match row.fate {
            Fate::Taken => "ok",
            Fate::Paused => "warn",
            Fate::Offered => "info",
            Fate::NotTaken => "neutral",
        };
        (tone, self.shell.t(format!("uptime-fate-{}", row.fate.as_str().replace('_', "-"))).to_string())
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "templates pass references")]
    fn kind(&self, kind: &Kind) -> String {
        kind_name(self.shell, *kind)
    }

    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn is_offered(&self, row: &MonitorRow) -> bool {
        row.fate == Fate::Offered
    }
}

async fn render(
    shell: &Shell,
    uptime: &Uptime,
    query: ListQuery,
    refused: Option<(ImportForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let own = owner(uptime, who, READ, false)?;
    let query = query.sized(SHOWN);
    let slice: Slice = query.slice()?;
    let page = slice.page(uptime.imports(own, &slice).await?, |import| import.id.0);
    let operator = who.is_operator();
    let mut imports = page.data;
    if operator && query.cursor.is_empty() {
        imports.extend(uptime.imports(owner(uptime, who, READ, true)?, &Slice::first(SHOWN.into())).await?);
    }
    let pager = Pager::new(PATH, &[], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, imports, operator, pager, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(uptime): State<Uptime>, Query(query): Query<ListQuery>) -> PageResult {
    shell.principal().require(WRITE)?;
    render(&shell, &uptime, query, None).await
}

pub(super) async fn upload(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<ImportForm>) -> PageResult {
    let owner = owner(&uptime, shell.principal(), WRITE, !form.installation.is_empty())?;
    let read = async {
        let wrong = |error| ApiError::validation(vec![FieldError::new("/source", "invalid", error)]);
        let source: ImportSource = form.source.parse().map_err(wrong)?;
        let who = shell.principal();
        Ok::<_, ApiError>(uptime.create_import(who, owner, source, &form.file_name, &form.content).await?)
    };
    match read.await {
        Ok(import) => Ok(shell.redirect(&format!("{PATH}/{}", import.id), &Flash::ok("uptime-import-read"))),
        Err(error) => {
            let errors = shell.form_errors(error)?;
            render(&shell, &uptime, ListQuery::default(), Some((form, errors))).await
        }
    }
}

pub(super) async fn show(shell: Shell, State(uptime): State<Uptime>, Path(id): Path<ImportId>) -> PageResult {
    shell.principal().require(WRITE)?;
    let import = uptime.get_import(shell.principal(), id).await?;
    shell.render(&Show { shell: &shell, import })
}

/// What is to be made: keys of monitors, and secrets as `<key> <name>` and the value by turns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApplyForm {
    take: Vec<String>,
    secret: Vec<String>,
    value: Vec<String>,
}

pub(super) async fn apply(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<ImportId>,
    Form(form): Form<ApplyForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    let import = uptime.get_import(shell.principal(), id).await?;
    let taken: BTreeSet<&str> = form.take.iter().map(String::as_str).collect();
    let keys = import.report.monitors.iter().filter_map(|row| row.key.clone());
    let (offered, leave): (BTreeSet<String>, BTreeSet<String>) = keys.partition(|key| taken.contains(key.as_str()));
    let mut secrets: BTreeMap<String, BTreeMap<String, SecretString>> = BTreeMap::new();
    for (of, value) in form.secret.iter().zip(&form.value).filter(|(_, value)| !value.is_empty()) {
        if let Some((key, name)) = of.split_once(' ') {
            secrets.entry(key.to_owned()).or_default().insert(name.to_owned(), SecretString::from(value.clone()));
        }
    }
    let choices = Choices { leave, offered, secrets };
    let done = uptime.apply_import(shell.principal(), id, &choices).await?;
    let flash = Flash::ok("uptime-import-applied").with("n", &done.report.made.len());
    Ok(shell.redirect(&format!("{PATH}/{id}"), &flash))
}
