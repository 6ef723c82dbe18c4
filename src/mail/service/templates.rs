//! Templates of an owner's mails: what was changed, previews, and the texts of a mail.

use console::Lang;
use sqlx::PgConnection;

use super::Mail;
use crate::{
    Kind, MailError, Owner,
    model::TemplateId,
    render::{
        self, Branding, BrandingSettings, Fault, Override, Part, RenderError, Rendered, TEMPLATES, Template,
        TemplateDetail, TemplateField, TemplateInfo, TemplateVersion, example,
    },
    store::templates::{self, Changed, NewRow, Row},
};
use platform::{error::FieldError, http::Principal, names::tidy_text};

/// Longest texts, bytes.
const LONGEST_SUBJECT: usize = 500;
const LONGEST_TEXT: usize = 64 << 10;

impl Mail {
    /// The templates of the owner's mails, and which of their languages it has changed. With a changed one that is not used, so that it can be reset.
    pub async fn templates(&self, owner: Owner) -> Result<Vec<Template>, MailError> {
        let mut tx = self.begin(owner).await?;
        let changed = templates::list(&mut tx, owner.org()).await?;
        tx.commit().await?;
        let version = |template: &TemplateInfo, lang: Lang| {
            let is_it = |row: &&Changed| row.name == template.name && row.language == lang.code();
            let row = changed.iter().find(is_it);
            TemplateVersion {
                language: lang.code(),
                changed: row.is_some(),
                updated_at: row.map(|row| row.updated_at),
                updated_by: row.map(|row| row.updated_by.clone()),
            }
        };
        let is_used = |template: &&TemplateInfo| {
            let is_sent = Kind::named(template.name).is_some_and(|kind| kind.is_sent_by(owner));
            is_sent || changed.iter().any(|row| row.name == template.name)
        };
        Ok(TEMPLATES
            .iter()
            .filter(is_used)
            .map(|template| Template {
                name: template.name,
                languages: Lang::ALL.into_iter().map(|lang| version(template, lang)).collect(),
            })
            .collect())
    }

    /// The text in use, with the fields that it can use.
    pub async fn template(&self, owner: Owner, name: &str, language: &str) -> Result<TemplateDetail, MailError> {
        let (template, lang) = find(name, language)?;
        let mut tx = self.begin(owner).await?;
        let row = templates::get(&mut tx, owner.org(), template.name, lang.code()).await?;
        tx.commit().await?;
        Ok(detail(template, lang, row))
    }

    /// Saves the owner's own text; one that is the built-in text returns to it.
    pub async fn save_template(
        &self,
        who: &Principal,
        owner: Owner,
        name: &str,
        language: &str,
        content: &Override,
    ) -> Result<TemplateDetail, MailError> {
        let (template, lang) = find(name, language)?;
        let content = tidied(content);
        let mut tx = self.begin(owner).await?;
        let branding = self.branding_of(&mut tx, owner).await?.branding(&self.inner.public_url);
        check(template, lang, &content, &branding)?;
        if content == template.built_in(lang) {
            templates::delete(&mut tx, owner.org(), template.name, lang.code()).await?;
        } else {
            let row = NewRow {
                id: TemplateId::generate(&self.inner.clock),
                org: owner.org(),
                name: template.name,
                language: lang.code(),
                content: &content,
                updated_by: &who.subject(),
                now: self.inner.clock.now(),
            };
            templates::save(&mut tx, &row).await?;
        }
        let row = templates::get(&mut tx, owner.org(), template.name, lang.code()).await?;
        tx.commit().await?;
        tracing::info!(template = template.name, language = lang.code(), by = who.subject(), "mail template changed");
        Ok(detail(template, lang, row))
    }

    /// Returns to the built-in text.
    pub async fn reset_template(
        &self,
        who: &Principal,
        owner: Owner,
        name: &str,
        language: &str,
    ) -> Result<TemplateDetail, MailError> {
        let (template, lang) = find(name, language)?;
        let mut tx = self.begin(owner).await?;
        let changed = templates::delete(&mut tx, owner.org(), template.name, lang.code()).await?;
        tx.commit().await?;
        if changed {
            tracing::info!(template = template.name, language = lang.code(), by = who.subject(), "mail template reset");
        }
        Ok(detail(template, lang, None))
    }

    /// The mail with example data; `None`: with the text in use. The HTML is of other people: show it in a sandboxed frame.
    pub async fn preview_template(
        &self,
        owner: Owner,
        name: &str,
        language: &str,
        content: Option<&Override>,
    ) -> Result<Rendered, MailError> {
        let (template, lang) = find(name, language)?;
        let mut tx = self.begin(owner).await?;
        let branding = self.branding_of(&mut tx, owner).await?.branding(&self.inner.public_url);
        let saved = templates::get(&mut tx, owner.org(), template.name, lang.code()).await?;
        tx.commit().await?;
        let content = match content {
            Some(content) => tidied(content),
            None => detail(template, lang, saved).content,
        };
        too_long(&content)?;
        render::render(template.name, lang.code(), &example(template.name), &branding, Some(&content)).map_err(
            |error| match error {
                RenderError::Template { fault, .. } => MailError::Invalid(vec![field_error(&fault)]),
                error => error.into(),
            },
        )
    }

    /// The texts of a mail, in the caller's transaction. Where the owner's own template fails with this data, the built-in one is used: a
    /// mail that resets a password must arrive.
    pub(super) async fn rendered(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        language: &str,
        name: &str,
        data: &serde_json::Value,
    ) -> Result<(BrandingSettings, Rendered), MailError> {
        let settings = self.branding_of(conn, owner).await?;
        let branding = settings.branding(&self.inner.public_url);
        if let Some(row) = templates::get(conn, owner.org(), name, language).await? {
            let content = Override { subject: row.subject, text: row.text, html: row.html };
            match render::render(name, language, data, &branding, Some(&content)) {
                Ok(rendered) => return Ok((settings, rendered)),
                Err(error @ RenderError::Template { .. }) => tracing::warn!(
                    org_id = ?owner.org(),
                    error = error.to_string(),
                    "a changed mail template cannot be rendered: the built-in one is used",
                ),
                Err(error) => return Err(error.into()),
            }
        }
        let rendered = render::render(name, language, data, &branding, None)?;
        Ok((settings, rendered))
    }
}

fn find(name: &str, language: &str) -> Result<(&'static TemplateInfo, Lang), MailError> {
    let not_found = |_| MailError::NotFound("mail_template");
    Ok((TemplateInfo::find(name).map_err(not_found)?, render::language_of(language).map_err(not_found)?))
}

fn detail(template: &TemplateInfo, lang: Lang, row: Option<Row>) -> TemplateDetail {
    let built_in = template.built_in(lang);
    let (content, version) = match row {
        Some(row) => row.split(lang.code()),
        None => {
            let version = TemplateVersion { language: lang.code(), changed: false, updated_at: None, updated_by: None };
            (built_in.clone(), version)
        }
    };
    let examples = example(template.name);
    let field = |field: &render::Field| TemplateField {
        name: field.name,
        meaning: field.meaning(Lang::En),
        optional: field.optional,
        example: examples.get(field.name).cloned().unwrap_or_default(),
    };
    let fields = template.fields.iter().map(field).collect();
    TemplateDetail { name: template.name, version, content, built_in, fields }
}

/// As it is stored: browsers send CRLF.
pub(super) fn tidied(content: &Override) -> Override {
    let text = |text: &str| tidy_text(&text.replace("\r\n", "\n"));
    Override { subject: text(&content.subject), text: text(&content.text), html: text(&content.html) }
}

fn check(template: &TemplateInfo, lang: Lang, content: &Override, branding: &Branding) -> Result<(), MailError> {
    too_long(content)?;
    let faults = render::check(template, lang, content, branding);
    if faults.is_empty() { Ok(()) } else { Err(MailError::Invalid(faults.iter().map(field_error).collect())) }
}

pub(super) fn too_long(content: &Override) -> Result<(), MailError> {
    let most = |part| if part == Part::Subject { LONGEST_SUBJECT } else { LONGEST_TEXT };
    let errors: Vec<_> = Part::ALL
        .into_iter()
        .filter(|part| content.part(*part).len() > most(*part))
        .map(|part| FieldError::new(pointer(part), "too_long", format!("at most {} bytes", most(part))))
        .collect();
    if errors.is_empty() { Ok(()) } else { Err(MailError::Invalid(errors)) }
}

pub(super) fn field_error(fault: &Fault) -> FieldError {
    FieldError::new(pointer(fault.part), "invalid_template", fault.detail())
}

fn pointer(part: Part) -> String {
    format!("/{}", part.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_form_can_be_the_built_in_one() {
        let built_in = TEMPLATES[0].built_in(Lang::Ru);
        let from_form = Override {
            subject: format!(" {}", built_in.subject),
            text: format!("{}\r\n", built_in.text.replace('\n', "\r\n")),
            html: built_in.html.replace('\n', "\r\n"),
        };
        assert_eq!(tidied(&from_form), built_in);
    }

    #[test]
    fn every_part_has_its_limit() {
        let long = Override { subject: "x".repeat(501), text: "x".repeat(65_537), html: "x".repeat(65_536) };
        let Err(MailError::Invalid(errors)) = too_long(&long) else { panic!("accepted") };
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/subject", "/text"]);
    }
}
