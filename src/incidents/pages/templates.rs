//! Prepared texts.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    SHOWN, Whose,
    affected::{self, Choice},
    incidents::status,
    links, owners, slices,
};
use crate::{
    AffectedDraft, Incidents, READ, TemplateDraft, WRITE,
    model::{ComponentStatus, IncidentStatus, IncidentTemplateId, Template as Prepared},
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query};

const LIST: &str = "/incident-templates";

/// Fields of the form of a text.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TextForm {
    name: String,
    language: String,
    title: String,
    body: String,
    status: String,
    component: Vec<String>,
    installation: String,
}

#[derive(Template)]
#[template(path = "incidents/templates/templates.html")]
struct List<'a> {
    shell: &'a Shell,
    templates: Vec<Prepared>,
    is_operator: bool,
    query: ListQuery,
    whose: String,
    pager: Pager,
    /// Where all of the installation's are, if these are only some.
    whole: Option<String>,
    offered: Vec<Choice>,
    form: TextForm,
    errors: FormErrors,
}

impl List<'_> {
    fn status(&self, of: impl Borrow<IncidentStatus>) -> String {
        status(self.shell, *of.borrow())
    }

    /// What an incident may begin with.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn statuses(&self) -> [IncidentStatus; 3] {
        [IncidentStatus::Investigating, IncidentStatus::Identified, IncidentStatus::Monitoring]
    }

    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.whose.is_empty()
    }
}

async fn render(
    shell: &Shell,
    incidents: &Incidents,
    (query, whose): (ListQuery, String),
    form: TextForm,
    errors: FormErrors,
) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(SHOWN);
    let (mut templates, mut next) = (Vec::new(), Vec::new());
    for (owner, slice) in slices(incidents, shell, &query, &whose)? {
        let found = incidents.list_templates(owner, query.search(), &slice).await?;
        let page = slice.page(found, |template| template.id.0);
        next.push(page.next_cursor);
        templates.extend(page.data);
    }
    let (pager, whole_list) = links(LIST, &[], &query, &whose, &next);
    let status = ComponentStatus::PartialOutage;
    let chosen: Vec<AffectedDraft> =
        form.component.iter().filter_map(|id| Some(AffectedDraft { component: id.parse().ok()?, status })).collect();
    let offered = affected::choices(incidents, &owners(incidents, shell)?, &chosen).await?;
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page = List { shell, templates, is_operator, query, whose, pager, whole: whole_list, offered, form, errors };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
    Query(of): Query<Whose>,
) -> PageResult {
    render(&shell, &incidents, (query, of.whose), TextForm::default(), FormErrors::default()).await
}

pub(super) async fn create(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<TextForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    let draft = TemplateDraft {
        name: form.name.clone(),
        language: form.language.clone(),
        title: form.title.clone(),
        body: form.body.clone(),
        status: form.status.parse().unwrap_or(IncidentStatus::Investigating),
        components: form.component.iter().filter_map(|id| id.parse().ok()).collect(),
        installation: !form.installation.is_empty(),
    };
    match incidents.create_template(shell.principal(), draft).await {
        Ok(_) => Ok(shell.redirect(LIST, &Flash::ok("incidents-template-made"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &incidents, Default::default(), form, errors).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(incidents): State<Incidents>,
    Path(id): Path<IncidentTemplateId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    incidents.delete_template(shell.principal(), id).await?;
    Ok(shell.redirect(LIST, &Flash::ok("incidents-deleted")))
}
