//! Groups of monitors.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::SHOWN;
use crate::{Group, GroupId, ManagedBy, READ, Uptime, WRITE, routes::owner};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Pager, Shell};
use platform::http::{ListQuery, Path, Query, Slice};

const PATH: &str = "/monitors/groups";

/// A group to make, or a new name.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct GroupForm {
    name: String,
    installation: String,
}

#[derive(Template)]
#[template(path = "uptime/templates/groups.html")]
struct List<'a> {
    shell: &'a Shell,
    groups: Vec<Group>,
    operator: bool,
    pager: Pager,
    form: GroupForm,
    errors: FormErrors,
}

impl List<'_> {
    #[expect(clippy::unused_self, reason = "templates call methods")]
    fn is_by_file(&self, group: &Group) -> bool {
        group.managed_by == Some(ManagedBy::File)
    }

    fn is_of_installation(&self) -> bool {
        !self.form.installation.is_empty()
    }
}

async fn render(
    shell: &Shell,
    uptime: &Uptime,
    query: ListQuery,
    refused: Option<(GroupForm, FormErrors)>,
) -> PageResult {
    let who = shell.principal();
    let own = owner(uptime, who, READ, false)?;
    let query = query.sized(SHOWN);
    let slice: Slice = query.slice()?;
    let page = slice.page(uptime.groups(own, &slice).await?, |group| group.id.0);
    let operator = who.is_operator();
    let mut groups = page.data;
    if operator && query.cursor.is_empty() {
        groups.extend(uptime.groups(owner(uptime, who, READ, true)?, &Slice::first(SHOWN.into())).await?);
    }
    let pager = Pager::new(PATH, &[], &query, page.next_cursor.as_deref());
    let is_refused = refused.is_some();
    let (form, errors) = refused.unwrap_or_default();
    let page = List { shell, groups, operator, pager, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn list(shell: Shell, State(uptime): State<Uptime>, Query(query): Query<ListQuery>) -> PageResult {
    render(&shell, &uptime, query, None).await
}

pub(super) async fn create(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<GroupForm>) -> PageResult {
    let owner = owner(&uptime, shell.principal(), WRITE, !form.installation.is_empty())?;
    match uptime.create_group(shell.principal(), owner, None, &form.name).await {
        Ok(_) => Ok(shell.redirect(PATH, &Flash::ok("uptime-group-made"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &uptime, ListQuery::default(), Some((form, errors))).await
        }
    }
}

pub(super) async fn rename(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<GroupId>,
    Form(form): Form<GroupForm>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    match uptime.rename_group(shell.principal(), id, &form.name).await {
        Ok(_) => Ok(shell.redirect(PATH, &Flash::ok("uptime-saved"))),
        Err(error) => {
            let errors = shell.form_errors(error.into())?;
            render(&shell, &uptime, ListQuery::default(), Some((form, errors))).await
        }
    }
}

pub(super) async fn delete(
    shell: Shell,
    State(uptime): State<Uptime>,
    Path(id): Path<GroupId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(WRITE)?;
    uptime.delete_group(shell.principal(), id).await?;
    Ok(shell.redirect(PATH, &Flash::ok("uptime-group-deleted")))
}
