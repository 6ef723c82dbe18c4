//! Templates of the organisation's own, with their previews.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Images, Words as _, document, templates::typed, words};
use crate::{
    Address, Mail, MailError, OwnTemplateId,
    render::{LANGUAGES, Override, OwnTemplate, OwnText},
    service::with_text,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell};
use platform::{
    error::{ApiError, FieldError},
    http::{Path, Query, Scope},
};

const PATH: &str = "/settings/mail/own-templates";
const TEMPLATES: &str = "/settings/mail/templates";

/// A template's text in one language, as it is typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OwnForm {
    name: String,
    subject: String,
    text: String,
    html: String,
    /// JSON.
    example: String,
}

impl OwnForm {
    fn of(template: &OwnTemplate, language: &str) -> Self {
        let text = template.content.texts.get(language).cloned().unwrap_or_default();
        let example = serde_json::to_string_pretty(&template.content.example).unwrap_or_default();
        Self { name: template.name.clone(), subject: text.subject, text: text.text, html: text.html, example }
    }

    fn text(&self) -> Override {
        Override { subject: self.subject.clone(), text: self.text.clone(), html: self.html.clone() }
    }

    /// The template with what is typed in this language. `before`: what it has in others.
    fn content(&self, before: &OwnText, language: &str) -> Result<OwnText, MailError> {
        let example: Value = match self.example.trim() {
            "" => json!({}),
            text => serde_json::from_str(text)
                .map_err(|error| MailError::invalid("/example", "invalid", format!("it is not JSON: {error}")))?,
        };
        Ok(with_text(before, language, self.text(), example))
    }
}

#[derive(Template)]
#[template(path = "mail/templates/own_template.html")]
struct Show<'a> {
    shell: &'a Shell,
    /// `None`: a new one.
    id: Option<OwnTemplateId>,
    /// In which there is a text.
    languages: Vec<String>,
    language: &'static str,
    form: OwnForm,
    errors: FormErrors,
}

words!(Show);

impl Show<'_> {
    /// What is wrong with a part of the text.
    fn error(&self, part: &str) -> &str {
        self.errors.of(&format!("texts.{}.{part}", self.language))
    }

    /// Address of the page, without the language.
    fn here(&self) -> String {
        self.id.map_or_else(|| PATH.to_owned(), |id| format!("{PATH}/{id}"))
    }

    fn title(&self) -> String {
        if self.id.is_some() { self.form.name.clone() } else { self.shell.t("mail-own-template-new").to_string() }
    }

    fn has_text(&self) -> bool {
        self.languages.iter().any(|language| language == self.language)
    }
}

/// The language of the text; default: the first that the template has, or that of the console.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Language {
    language: String,
}

impl Language {
    fn of(&self, shell: &Shell, template: Option<&OwnTemplate>) -> &'static str {
        let known = |code: &str| LANGUAGES.into_iter().find(|known| *known == code);
        let first = || template.and_then(|template| known(template.content.texts.keys().next()?));
        known(&self.language).or_else(first).unwrap_or_else(|| shell.lang().code())
    }
}

fn none() -> OwnText {
    OwnText { example: json!({}), texts: BTreeMap::new() }
}

/// Errors of another language's text, which the example has made wrong, are shown at the example: this page does not show that text.
fn form_errors(shell: &Shell, error: MailError, language: &str) -> Result<FormErrors, ApiError> {
    let here = format!("/texts/{language}");
    let mut error = ApiError::from(error);
    for field in &mut error.errors {
        if field.pointer.starts_with("/texts/") && !field.pointer.starts_with(&here) {
            let detail = format!("{}: {}", field.pointer, field.detail);
            *field = FieldError::new("/example", "invalid", detail);
        }
    }
    shell.form_errors(error)
}

fn render(
    shell: &Shell,
    template: Option<&OwnTemplate>,
    language: &'static str,
    refused: Option<(OwnForm, FormErrors)>,
) -> PageResult {
    let is_refused = refused.is_some();
    let saved = || match template {
        Some(template) => OwnForm::of(template, language),
        None => OwnForm { example: "{\n  \"name\": \"Ada Lovelace\"\n}".to_owned(), ..OwnForm::default() },
    };
    let (form, errors) = refused.unwrap_or_else(|| (saved(), FormErrors::default()));
    let languages: Vec<String> =
        template.map(|template| template.content.texts.keys().cloned().collect()).unwrap_or_default();
    let page = Show { shell, id: template.map(|template| template.id), languages, language, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

fn path(id: OwnTemplateId, language: &str) -> String {
    format!("{PATH}/{id}?language={language}")
}

/// The page of a new template.
pub(super) async fn new(shell: Shell, Query(language): Query<Language>) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    render(&shell, None, language.of(&shell, None), None)
}

pub(super) async fn add(
    shell: Shell,
    State(mail): State<Mail>,
    Query(language): Query<Language>,
    Form(form): Form<OwnForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let language = language.of(&shell, None);
    let added = async {
        let content = form.content(&none(), language)?;
        mail.add_own_template(shell.principal(), &form.name, &content).await
    };
    match added.await {
        Ok(added) => Ok(shell.redirect(&path(added.id, language), &Flash::ok("mail-template-saved"))),
        Err(error) => {
            let errors = form_errors(&shell, error, language)?;
            render(&shell, None, language, Some((form, errors)))
        }
    }
}

pub(super) async fn show(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Query(language): Query<Language>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let template = mail.own_template(shell.principal(), id).await?;
    render(&shell, Some(&template), language.of(&shell, Some(&template)), None)
}

pub(super) async fn save(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Query(language): Query<Language>,
    Form(form): Form<OwnForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let template = mail.own_template(shell.principal(), id).await?;
    let language = language.of(&shell, Some(&template));
    let saved = async {
        let content = form.content(&template.content, language)?;
        mail.change_own_template(shell.principal(), id, &form.name, &content).await
    };
    match saved.await {
        Ok(_) => Ok(shell.redirect(&path(id, language), &Flash::ok("mail-template-saved"))),
        Err(error) => {
            let errors = form_errors(&shell, error, language)?;
            render(&shell, Some(&template), language, Some((form, errors)))
        }
    }
}

/// The saved text with its example, for the frame on the page.
pub(super) async fn saved_html(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Query(language): Query<Language>,
    Query(images): Query<Images>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let template = mail.own_template(shell.principal(), id).await?;
    let language = language.of(&shell, Some(&template));
    let rendered = mail.preview_own(shell.principal(), &template.name, language, &template.content).await?;
    Ok(document(rendered.html, images))
}

/// The text as it is typed, with its example; or what is wrong with it, in the same frame.
pub(super) async fn html(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Query(language): Query<Language>,
    Form(form): Form<OwnForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let template = mail.own_template(shell.principal(), id).await?;
    preview(&shell, &mail, &form, &template.content, language.of(&shell, Some(&template))).await
}

/// As [`html`], before there is a template.
pub(super) async fn new_html(
    shell: Shell,
    State(mail): State<Mail>,
    Query(language): Query<Language>,
    Form(form): Form<OwnForm>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    preview(&shell, &mail, &form, &none(), language.of(&shell, None)).await
}

async fn preview(shell: &Shell, mail: &Mail, form: &OwnForm, before: &OwnText, language: &str) -> PageResult {
    let rendered = async {
        let content = form.content(before, language)?;
        let name = if form.name.trim().is_empty() { "preview" } else { form.name.as_str() };
        mail.preview_own(shell.principal(), name, language, &content).await
    };
    typed(shell, rendered.await, |rendered| document(rendered.html, Images::default()))
}

pub(super) async fn delete(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    mail.remove_own_template(shell.principal(), id).await?;
    Ok(shell.redirect(TEMPLATES, &Flash::ok("mail-own-template-deleted")))
}

/// Sends the saved text with its example to the person.
pub(super) async fn test(
    shell: Shell,
    State(mail): State<Mail>,
    Path(id): Path<OwnTemplateId>,
    Query(language): Query<Language>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    shell.principal().require(Scope::ADMIN)?;
    let template = mail.own_template(shell.principal(), id).await?;
    let language = language.of(&shell, Some(&template));
    let to = Address::parse(shell.email()).map_err(|error| MailError::bad_address("/to", error))?;
    mail.test_own_template(shell.principal(), id, language, &to).await?;
    Ok(shell.redirect(&path(id, language), &Flash::ok("mail-test-to").with("address", shell.email())))
}
