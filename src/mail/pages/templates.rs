//! Templates with their previews, and branding.

use askama::Template;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{Images, Whose, Words as _, document, messages::tested, said, words};
use crate::{
    Address, Mail, MailError,
    render::{
        BrandingChanges, BrandingSettings, Field, LANGUAGES, Override, OwnTemplateSummary, Rendered,
        Template as MailTemplate, TemplateDetail, TemplateInfo, example,
    },
    routes::owner,
    service::MOST_OWN,
};
use console::{Flash, Form, FormErrors, Nothing, PageResult, Shell, escape};
use platform::{
    error::ApiError,
    http::{Path, Query, Slice},
};

const PATH: &str = "/settings/mail/templates";
const BRANDING: &str = "/settings/mail/branding";

#[derive(Template)]
#[template(path = "mail/templates/templates.html")]
struct List<'a> {
    shell: &'a Shell,
    rows: Vec<MailTemplate>,
    /// Of the organisation's own.
    own: Vec<OwnTemplateSummary>,
    whose: Whose,
    operator: bool,
}

/// A template's text, as it is typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TextForm {
    subject: String,
    text: String,
    html: String,
}

impl TextForm {
    fn text(&self) -> Override {
        Override { subject: self.subject.clone(), text: self.text.clone(), html: self.html.clone() }
    }
}

#[derive(Template)]
#[template(path = "mail/templates/template.html")]
struct Show<'a> {
    shell: &'a Shell,
    whose: Whose,
    name: &'static str,
    language: &'static str,
    changed: bool,
    fields: &'static [Field],
    /// By the name of the field.
    examples: Value,
    form: TextForm,
    errors: FormErrors,
}

/// Look and sender, as they are typed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BrandingForm {
    name: String,
    color: String,
    logo_url: String,
    footer: String,
    from_name: String,
    reply_to: String,
}

impl BrandingForm {
    fn of(settings: BrandingSettings) -> Self {
        Self {
            name: settings.name,
            color: settings.color,
            logo_url: settings.logo_url.unwrap_or_default(),
            footer: settings.footer,
            from_name: settings.from_name.unwrap_or_default(),
            reply_to: settings.reply_to.unwrap_or_default(),
        }
    }

    fn changes(&self) -> BrandingChanges {
        let Self { name, color, logo_url, footer, from_name, reply_to } = self.clone();
        let (logo_url, from_name, reply_to) = (Some(logo_url), Some(from_name), Some(reply_to));
        BrandingChanges { name, color, logo_url, footer, from_name, reply_to, updated_at: None }
    }
}

#[derive(Template)]
#[template(path = "mail/templates/branding.html")]
struct Branding<'a> {
    shell: &'a Shell,
    whose: Whose,
    operator: bool,
    form: BrandingForm,
    errors: FormErrors,
}

words!(List Show);

impl Show<'_> {
    fn meaning(&self, field: &Field) -> &'static str {
        field.meaning(self.shell.lang())
    }

    /// The ways to show it, with their labels.
    fn views(&self) -> [(&'static str, String); 4] {
        let of = |view, key| (view, self.shell.t(key).to_string());
        [
            of("html", "mail-view-html"),
            of("dark", "mail-view-dark"),
            of("phone", "mail-view-phone"),
            of("text", "mail-template-view-text"),
        ]
    }

    /// A field's example as one reads it.
    fn example(&self, field: &Field) -> String {
        match &self.examples[field.name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// The language of a template's page; default: that of the console.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Language {
    language: String,
}

pub(super) async fn list(shell: Shell, State(mail): State<Mail>, Query(whose): Query<Whose>) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let (rows, operator) = (mail.templates(owner).await?, shell.principal().is_operator());
    let own = if whose.is_installation() {
        Vec::new()
    } else {
        mail.own_templates(shell.principal(), &Slice::first(MOST_OWN)).await?
    };
    shell.render(&List { shell: &shell, rows, own, whose, operator })
}

/// The page of a template; `refused`: with what was typed, and what is wrong with it.
async fn render(
    shell: &Shell,
    mail: &Mail,
    (name, language, whose): (&str, &str, Whose),
    refused: Option<(TextForm, FormErrors)>,
) -> PageResult {
    let owner = owner(mail, shell.principal(), whose.is_installation())?;
    let TemplateDetail { name, version, content, .. } = mail.template(owner, name, language).await?;
    let (fields, examples) = (TemplateInfo::find(name).map_err(MailError::from)?.fields, example(name));
    let is_refused = refused.is_some();
    let saved = TextForm { subject: content.subject, text: content.text, html: content.html };
    let (form, errors) = refused.unwrap_or_else(|| (saved, FormErrors::default()));
    let (language, changed) = (version.language, version.changed);
    let page = Show { shell, whose, name, language, changed, fields, examples, form, errors };
    if is_refused { shell.render_invalid(&page) } else { shell.render(&page) }
}

pub(super) async fn show(
    shell: Shell,
    State(mail): State<Mail>,
    Path(name): Path<String>,
    Query(Language { language }): Query<Language>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let known = LANGUAGES.into_iter().find(|known| *known == language);
    render(&shell, &mail, (&name, known.unwrap_or(shell.lang().code()), whose), None).await
}

fn path(name: &str, language: &str, whose: &Whose) -> String {
    format!("{PATH}/{name}?language={language}{}", whose.more())
}

pub(super) async fn save(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Form(form): Form<TextForm>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    match mail.save_template(shell.principal(), owner, &name, &language, &form.text()).await {
        Ok(_) => Ok(shell.redirect(&path(&name, &language, &whose), &Flash::ok("mail-template-saved"))),
        Err(error) => {
            let errors = said::form_errors(&shell, error)?;
            render(&shell, &mail, (&name, &language, whose), Some((form, errors))).await
        }
    }
}

/// The saved text with example data, for the frame on the page.
pub(super) async fn saved_html(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Query(images): Query<Images>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    Ok(document(mail.preview_template(owner, &name, &language, None).await?.html, images))
}

/// The text as it is typed, with example data; or what is wrong with it, in the same frame.
pub(super) async fn html(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Form(form): Form<TextForm>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let rendered = mail.preview_template(owner, &name, &language, Some(&form.text())).await;
    typed(&shell, rendered, |rendered| document(rendered.html, Images::default()))
}

/// As [`saved_html`]: subject and text part.
pub(super) async fn saved_text(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    Ok(letter(&mail.preview_template(owner, &name, &language, None).await?))
}

/// As [`html`]: subject and text part.
pub(super) async fn text(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Form(form): Form<TextForm>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let rendered = mail.preview_template(owner, &name, &language, Some(&form.text())).await;
    typed(&shell, rendered, |rendered| letter(&rendered))
}

/// Subject and text part, as a document for the frame.
fn letter(rendered: &Rendered) -> Response {
    let (subject, text) = (escape(&rendered.subject), escape(&rendered.text));
    let html = format!(
        "<!doctype html><html><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"><title>{subject}</title>\
         <h1 style=\"font: 600 18px sans-serif\">{subject}</h1><pre style=\"white-space: pre-wrap\">{text}</pre></html>"
    );
    document(html, Images::default())
}

/// A text as it is typed, for the frame: rendered, or what is wrong with it.
pub(super) fn typed(
    shell: &Shell,
    rendered: Result<Rendered, MailError>,
    shown: impl FnOnce(Rendered) -> Response,
) -> PageResult {
    match rendered {
        Ok(rendered) => Ok(shown(rendered)),
        Err(error) => {
            let error = ApiError::from(error);
            if error.errors.is_empty() { Err(error) } else { Ok(wrong(shell, &error)) }
        }
    }
}

/// What is wrong with a text, as a document for the frame.
fn wrong(shell: &Shell, error: &ApiError) -> Response {
    let words = |detail: &str| said::detail(shell, detail).unwrap_or_else(|| detail.to_owned());
    let each =
        error.errors.iter().map(|field| format!("{}: {}", field.pointer.trim_start_matches('/'), words(&field.detail)));
    let items: Vec<String> = each.map(|text| format!("<li>{}</li>", escape(&text))).collect();
    let html = format!("<!doctype html><meta charset=\"utf-8\"><ul>{}</ul>", items.concat());
    (StatusCode::UNPROCESSABLE_ENTITY, document(html, Images::default())).into_response()
}

pub(super) async fn reset(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    mail.reset_template(shell.principal(), owner, &name, &language).await?;
    Ok(shell.redirect(&path(&name, &language, &whose), &Flash::ok("mail-template-was-reset")))
}

/// Sends the saved text with example data to the person.
pub(super) async fn test(
    shell: Shell,
    State(mail): State<Mail>,
    Path((name, language)): Path<(String, String)>,
    Query(whose): Query<Whose>,
    Form(Nothing {}): Form<Nothing>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    let to = Address::parse(shell.email()).map_err(|error| MailError::bad_address("/to", error))?;
    let id = mail.test_template(shell.principal(), owner, &name, &language, &to).await?;
    Ok(shell.redirect(&path(&name, &language, &whose), &tested(&shell, &mail, owner, id).await?))
}

async fn render_branding(
    shell: &Shell,
    mail: &Mail,
    whose: Whose,
    refused: Option<(BrandingForm, FormErrors)>,
) -> PageResult {
    let owner = owner(mail, shell.principal(), whose.is_installation())?;
    let operator = shell.principal().is_operator();
    match refused {
        Some((form, errors)) => shell.render_invalid(&Branding { shell, whose, operator, form, errors }),
        None => {
            let form = BrandingForm::of(mail.branding(owner).await?);
            shell.render(&Branding { shell, whose, operator, form, errors: FormErrors::default() })
        }
    }
}

pub(super) async fn branding(shell: Shell, State(mail): State<Mail>, Query(whose): Query<Whose>) -> PageResult {
    render_branding(&shell, &mail, whose, None).await
}

pub(super) async fn save_branding(
    shell: Shell,
    State(mail): State<Mail>,
    Query(whose): Query<Whose>,
    Form(form): Form<BrandingForm>,
) -> PageResult {
    let owner = owner(&mail, shell.principal(), whose.is_installation())?;
    match mail.save_branding(shell.principal(), owner, &form.changes()).await {
        Ok(_) => Ok(shell.redirect(&format!("{BRANDING}{}", whose.query()), &Flash::ok("mail-branding-saved"))),
        Err(error) => {
            let errors = said::form_errors(&shell, error)?;
            render_branding(&shell, &mail, whose, Some((form, errors))).await
        }
    }
}
