//! The list of incidents, and the form that opens one.

use std::borrow::Borrow;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::{
    SHOWN,
    affected::{self, Choice},
    links, owners, slices,
};
use crate::{
    AffectedDraft, IncidentDraft, Incidents, READ, WRITE,
    model::{
        ComponentStatus, Incident, IncidentId, IncidentStatus, IncidentTemplateId, Severity, Template as Prepared,
    },
    store::incidents::Filter,
};
use console::{Flash, Form, FormErrors, PageResult, Pager, Shell};
use platform::http::{ListQuery, Query};

/// Fields of the form that opens an incident.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenForm {
    name: String,
    severity: String,
    status: String,
    body: String,
    affects: Vec<String>,
    publish: String,
    notify: String,
    installation: String,
}

impl OpenForm {
    /// Begins with a prepared text. What it names is a partial outage until somebody says otherwise.
    fn of(prepared: Prepared) -> Self {
        let status = ComponentStatus::PartialOutage.as_str();
        Self {
            name: prepared.title,
            body: prepared.body,
            status: prepared.status.as_str().to_owned(),
            affects: prepared.components.iter().map(|component| format!("{component}:{status}")).collect(),
            installation: if prepared.installation { "on".to_owned() } else { String::new() },
            ..Self::default()
        }
    }

    fn draft(&self) -> IncidentDraft {
        IncidentDraft {
            name: self.name.clone(),
            status: self.status.parse().ok(),
            severity: self.severity.parse().ok(),
            impact: None,
            body: self.body.clone(),
            components: affected::read(&self.affects),
            publish: !self.publish.is_empty(),
            notify: !self.notify.is_empty(),
            started_at: None,
            installation: !self.installation.is_empty(),
        }
    }
}

/// Filter of the list, besides search and page.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListFilter {
    /// `yes`, `no` or nothing.
    open: String,
    whose: String,
    /// A prepared text that the form begins with.
    template: Option<IncidentTemplateId>,
}

#[derive(Template)]
#[template(path = "incidents/templates/list.html")]
struct List<'a> {
    shell: &'a Shell,
    incidents: Vec<Incident>,
    /// Of the installation, for operators.
    installation: Vec<Incident>,
    is_operator: bool,
    query: ListQuery,
    filter: ListFilter,
    pager: Pager,
    /// Where all of the installation's are, if these are only the newest.
    whole: Option<String>,
    form: OpenForm,
    errors: FormErrors,
    offered: Vec<Choice>,
}

impl List<'_> {
    fn groups(&self) -> Vec<(String, &[Incident])> {
        let all = [
            (String::new(), &self.incidents),
            (self.shell.t("incidents-of-installation").to_string(), &self.installation),
        ];
        all.into_iter().filter(|(_, list)| !list.is_empty()).map(|(heading, list)| (heading, list.as_slice())).collect()
    }

    fn status(&self, of: impl Borrow<IncidentStatus>) -> String {
        status(self.shell, *of.borrow())
    }

    fn component_status(&self, of: impl Borrow<ComponentStatus>) -> String {
        affected::status_name(self.shell, *of.borrow())
    }

    /// What an incident may begin with.
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn statuses(&self) -> [IncidentStatus; 3] {
        [IncidentStatus::Investigating, IncidentStatus::Identified, IncidentStatus::Monitoring]
    }

    /// The form that opens one is shown at once.
    fn is_opening(&self) -> bool {
        !self.errors.is_empty() || self.filter.template.is_some()
    }

    fn is_plain(&self) -> bool {
        self.query.is_plain() && self.filter.open.is_empty() && self.filter.whose.is_empty()
    }
}

pub(super) fn status(shell: &Shell, status: IncidentStatus) -> String {
    shell.t(format!("incidents-status-{}", status.as_str().replace('_', "-"))).to_string()
}

async fn render_list(
    shell: &Shell,
    incidents: &Incidents,
    (query, filter): (ListQuery, ListFilter),
    form: OpenForm,
    errors: FormErrors,
) -> PageResult {
    shell.principal().require(READ)?;
    let query = query.sized(SHOWN);
    let open = match filter.open.as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    };
    let wanted = Filter { open, search: query.search(), ..Filter::default() };
    let (mut own, mut installation, mut next) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, slice) in slices(incidents, shell, &query, &filter.whose)? {
        let page = slice.page(incidents.list(owner, &wanted, &slice).await?, |incident| incident.id.0);
        next.push(page.next_cursor);
        if owner.org().is_some() {
            own = page.data;
        } else {
            installation = page.data;
        }
    }
    let (pager, whole) = links("/incidents", &[("open", &*filter.open)], &query, &filter.whose, &next);
    let chosen: Vec<AffectedDraft> = affected::read(&form.affects);
    let offered = affected::choices(incidents, &owners(incidents, shell)?, &chosen).await?;
    let (refused, is_operator) = (!errors.is_empty(), shell.principal().is_operator());
    let page =
        List { shell, incidents: own, installation, is_operator, query, filter, pager, whole, form, errors, offered };
    if refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(
    shell: Shell,
    State(incidents): State<Incidents>,
    Query(query): Query<ListQuery>,
    Query(filter): Query<ListFilter>,
) -> PageResult {
    let form = match filter.template {
        Some(id) => {
            shell.principal().require(READ)?;
            OpenForm::of(incidents.get_template(shell.principal(), id).await?)
        }
        None => OpenForm::default(),
    };
    render_list(&shell, &incidents, (query, filter), form, FormErrors::default()).await
}

pub(super) async fn open(shell: Shell, State(incidents): State<Incidents>, Form(form): Form<OpenForm>) -> PageResult {
    shell.principal().require(WRITE)?;
    match incidents.open_by_hand(shell.principal(), form.draft()).await {
        Ok(made) => Ok(shell.redirect(&path(made.incident.id), &Flash::ok("incidents-opened"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render_list(&shell, &incidents, Default::default(), form, errors).await
        }
    }
}

pub(super) fn path(id: IncidentId) -> String {
    format!("/incidents/{id}")
}
