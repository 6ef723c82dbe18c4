//! The file of monitors: what was read last, and what it would change.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use crate::{Uptime, file::Applied, service::FileState};
use console::{Flash, Form, PageResult, Shell};

const PATH: &str = "/monitors/file";

#[derive(Template)]
#[template(path = "uptime/templates/file.html")]
struct Show<'a> {
    shell: &'a Shell,
    state: FileState,
    /// What it would do.
    plan: Option<Applied>,
}

impl Show<'_> {
    /// Changes of the plan that change something.
    fn changes(&self) -> Vec<(String, String)> {
        let all = self.plan.iter().flat_map(|plan| &plan.changes);
        let changing = all.filter(|change| change.action != crate::file::Action::Unchanged);
        let shown = changing.map(|change| {
            let action = self.shell.t(format!("uptime-file-{}", change.action.as_str())).to_string();
            (action, format!("{}.{}", change.table, change.key))
        });
        shown.collect()
    }
}

pub(super) async fn show(shell: Shell, State(uptime): State<Uptime>) -> PageResult {
    shell.principal().require_operator("see its file of monitors")?;
    let state = uptime.file_state().await?;
    shell.render(&Show { shell: &shell, state, plan: None })
}

/// Apply it, or only say what it would do.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApplyForm {
    dry: String,
}

pub(super) async fn apply(shell: Shell, State(uptime): State<Uptime>, Form(form): Form<ApplyForm>) -> PageResult {
    shell.principal().require_operator("apply its file of monitors")?;
    let is_dry = !form.dry.is_empty();
    let done = uptime.apply_file(is_dry, false).await?;
    if done.applied {
        return Ok(shell.redirect(PATH, &Flash::ok("uptime-file-was-applied")));
    }
    let state = uptime.file_state().await?;
    shell.render(&Show { shell: &shell, state, plan: Some(done) })
}
