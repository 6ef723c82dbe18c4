//! `/account/notices`: which notices a signed-in person gets by mail.

use askama::Template;
use axum::{Router, extract::State, routing::get};
use serde::Deserialize;

use super::{Notices, service::Choice};
use console::{Flash, Form, PageResult, Shell};
use mail::{Kind, Owner};

pub fn router() -> Router<Notices> {
    Router::new().route("/account/notices", get(show).post(save))
}

#[derive(Template)]
#[template(path = "notices/templates/notices.html")]
struct Page<'a> {
    shell: &'a Shell,
    /// Whether notices are on and a server is configured.
    has_mail: bool,
    choices: Vec<Choice>,
}

impl Page<'_> {
    /// What the notices are about.
    fn whose(&self, choice: &Choice) -> String {
        match choice.recipient.owner {
            Owner::Installation => self.shell.t("notices-of-installation").to_string(),
            Owner::Org(_) => self.shell.t("notices-of-organisation").with("name", self.shell.org_name()).to_string(),
        }
    }

    fn kind(&self, choice: &Choice, kind: &Kind) -> String {
        self.shell.t(key(choice.recipient.owner, kind)).to_string()
    }
}

/// Translation key of what a kind of notice tells of.
pub(super) fn key(owner: Owner, kind: &Kind) -> String {
    match owner {
        Owner::Installation => format!("notices-choice-{}", kind.name.replace('_', "-")),
        // Of an organisation, an alert says that one of its webhooks was disabled.
        Owner::Org(_) => format!("notices-choice-of-organisation-{}", kind.name.replace('_', "-")),
    }
}

async fn show(shell: Shell, State(notices): State<Notices>) -> PageResult {
    let choices = notices.choices(shell.principal()).await?;
    let has_mail = notices.config().enabled && notices.has_mail();
    shell.render(&Page { shell: &shell, has_mail, choices })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ChoiceForm {
    /// Of a [`Choice`].
    whose: String,
    wanted: Vec<String>,
}

async fn save(shell: Shell, State(notices): State<Notices>, Form(form): Form<ChoiceForm>) -> PageResult {
    let wanted: Vec<&str> = form.wanted.iter().map(String::as_str).collect();
    notices.choose(shell.principal(), &form.whose, &wanted).await?;
    Ok(shell.redirect("/account/notices", &Flash::ok("notices-saved")))
}
