//! Templates that an organisation has named and written itself: keeping them, trying them, and the texts of mail made of them.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::PgConnection;

use super::{
    Content, Mail,
    templates::{field_error, tidied, too_long},
};
use crate::{
    Address, MailError, MessageId, OwnTemplateId, Owner,
    render::{
        self, Branding, BrandingSettings, Override, OwnTemplate, OwnTemplateSummary, OwnText, RenderError, Rendered,
        TemplateInfo,
    },
    store::own_templates::{self, NewRow},
};
use platform::{
    error::FieldError,
    http::{Principal, Slice},
};

/// Of an organisation.
pub(crate) const MOST: i64 = 100;
/// Characters.
const LONGEST_NAME: usize = 63;
/// Bytes, as JSON.
const LONGEST_EXAMPLE: usize = 16 << 10;
/// What a template always has; a field of this name would never be seen.
const ALWAYS: [&str; 3] = ["brand", "lang", "preheader"];

fn missing() -> MailError {
    MailError::NotFound("mail_own_template")
}

fn exists() -> MailError {
    MailError::Conflict("mail_own_template_exists", "there is a template of this name already")
}

impl Mail {
    /// Newest first.
    pub async fn own_templates(&self, who: &Principal, slice: &Slice) -> Result<Vec<OwnTemplateSummary>, MailError> {
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        Ok(own_templates::list(&mut tx, who.org_id, slice).await?)
    }

    pub async fn own_template(&self, who: &Principal, id: OwnTemplateId) -> Result<OwnTemplate, MailError> {
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        own_templates::get(&mut tx, who.org_id, id).await?.ok_or_else(missing)
    }

    pub async fn add_own_template(
        &self,
        who: &Principal,
        name: &str,
        content: &OwnText,
    ) -> Result<OwnTemplate, MailError> {
        let org = who.org_id;
        let mut tx = self.begin(Owner::Org(org)).await?;
        let content = self.checked_own(&mut tx, Owner::Org(org), name, content).await?;
        if own_templates::count(&mut tx, org).await? >= MOST {
            return Err(MailError::TooMany(MOST, "templates"));
        }
        let (id, now) = (OwnTemplateId::generate(&self.inner.clock), self.inner.clock.now());
        let row = NewRow { id, org, name, content: &content, updated_by: &who.subject(), now };
        if !own_templates::insert(&mut tx, &row).await? {
            return Err(exists());
        }
        let added = own_templates::get(&mut tx, org, id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        tracing::info!(template = name, by = who.subject(), "own mail template added");
        Ok(added)
    }

    /// Replaces its name, its example and all of its texts.
    pub async fn change_own_template(
        &self,
        who: &Principal,
        id: OwnTemplateId,
        name: &str,
        content: &OwnText,
    ) -> Result<OwnTemplate, MailError> {
        let org = who.org_id;
        let mut tx = self.begin(Owner::Org(org)).await?;
        own_templates::get(&mut tx, org, id).await?.ok_or_else(missing)?;
        let content = self.checked_own(&mut tx, Owner::Org(org), name, content).await?;
        if own_templates::named(&mut tx, org, name).await?.is_some_and(|other| other.id != id) {
            return Err(exists());
        }
        let row = NewRow { id, org, name, content: &content, updated_by: &who.subject(), now: self.inner.clock.now() };
        if !own_templates::update(&mut tx, &row).await? {
            return Err(missing());
        }
        let changed = own_templates::get(&mut tx, org, id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        tracing::info!(template = name, by = who.subject(), "own mail template changed");
        Ok(changed)
    }

    /// Mail that was made of it is sent still.
    pub async fn remove_own_template(&self, who: &Principal, id: OwnTemplateId) -> Result<(), MailError> {
        let mut tx = self.begin(Owner::Org(who.org_id)).await?;
        if !own_templates::delete(&mut tx, who.org_id, id).await? {
            return Err(missing());
        }
        tx.commit().await?;
        tracing::info!(template_id = %id, by = who.subject(), "own mail template removed");
        Ok(())
    }

    /// The mail that this text gives with its example. The HTML is of other people: show it in a sandboxed frame.
    pub async fn preview_own(
        &self,
        who: &Principal,
        name: &str,
        language: &str,
        content: &OwnText,
    ) -> Result<Rendered, MailError> {
        let owner = Owner::Org(who.org_id);
        let mut tx = self.begin(owner).await?;
        let content = self.checked_own(&mut tx, owner, name, content).await?;
        Ok(self.rendered_from(&mut tx, owner, name, language, &content, &content.example).await?.1)
    }

    /// Sends a template with its example.
    pub async fn test_own_template(
        &self,
        who: &Principal,
        id: OwnTemplateId,
        language: &str,
        to: &Address,
    ) -> Result<MessageId, MailError> {
        let template = self.own_template(who, id).await?;
        let content = Content::Own { name: &template.name, data: template.content.example.clone() };
        self.try_out(who, Owner::Org(who.org_id), content, to, language).await
    }

    /// The texts of a mail made of the owner's own template, in the caller's transaction.
    pub(super) async fn rendered_own(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        language: &str,
        name: &str,
        data: &Value,
    ) -> Result<(BrandingSettings, Rendered), MailError> {
        let found = match owner {
            Owner::Org(org) => own_templates::named(conn, org, name).await?,
            Owner::Installation => None,
        };
        let template = found.ok_or_else(|| {
            let detail = format!("this organisation has no template {name:?} of its own");
            MailError::invalid("/template", "unknown", detail)
        })?;
        self.rendered_from(conn, owner, name, language, &template.content, data).await
    }

    async fn rendered_from(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        name: &str,
        language: &str,
        content: &OwnText,
        data: &Value,
    ) -> Result<(BrandingSettings, Rendered), MailError> {
        let source = content.texts.get(language).ok_or_else(|| {
            let languages = content.texts.keys().cloned().collect::<Vec<_>>().join(", ");
            MailError::invalid("/language", "unknown", format!("template {name:?} has a text in {languages} only"))
        })?;
        let settings = self.branding_of(conn, owner).await?;
        let branding = settings.branding(&self.inner.public_url);
        let rendered = render::render_own(name, render::language_of(language)?, source, data, &branding)?;
        if [&rendered.subject, &rendered.text, &rendered.html].into_iter().any(|text| text.contains('\0')) {
            return Err(MailError::invalid("/data", "invalid", "the character U+0000 is not allowed here"));
        }
        Ok((settings, rendered))
    }

    /// The texts as they are stored, or everything that is wrong with them.
    async fn checked_own(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        name: &str,
        content: &OwnText,
    ) -> Result<OwnText, MailError> {
        let branding = self.branding_of(conn, owner).await?.branding(&self.inner.public_url);
        let texts = content.texts.iter().map(|(language, text)| (language.clone(), tidied(text)));
        let content = OwnText { example: content.example.clone(), texts: texts.collect() };
        let mut errors = wrong_name(name);
        errors.extend(wrong_example(&content.example));
        if content.texts.is_empty() {
            errors.push(FieldError::new("/texts", "required", "expected a text in en or ru"));
        }
        // A text is rendered with the example.
        let is_example = errors.iter().all(|error| error.pointer != "/example");
        for (language, text) in content.texts.iter().filter(|_| is_example) {
            let wrong = wrong_text(language, text, &content.example, &branding, name);
            let below =
                |error: FieldError| FieldError { pointer: format!("/texts/{language}{}", error.pointer), ..error };
            errors.extend(wrong.into_iter().map(below));
        }
        if errors.is_empty() { Ok(content) } else { Err(MailError::Invalid(errors)) }
    }
}

fn wrong_name(name: &str) -> Vec<FieldError> {
    let is_sign = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    let is_name = !name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_sign);
    if !is_name || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        let detail = format!(
            "1 to {LONGEST_NAME} lower-case letters, digits, dots, hyphens and underscores, such as order-shipped"
        );
        return vec![FieldError::new("/name", "invalid", detail)];
    }
    if TemplateInfo::find(name).is_ok() {
        return vec![FieldError::new("/name", "taken", "one of Holdfast's own templates has this name")];
    }
    Vec::new()
}

fn wrong_example(example: &Value) -> Vec<FieldError> {
    let wrong = |code: &'static str, detail: String| vec![FieldError::new("/example", code, detail)];
    let Some(fields) = example.as_object() else {
        return wrong("invalid", "expected an object with a value for each field".to_owned());
    };
    let is_field = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if let Some(name) = fields.keys().find(|name| !is_field(name) || ALWAYS.contains(&name.as_str())) {
        let detail = format!(
            "{name:?} cannot be the name of a field: letters, digits and underscores, and not {}",
            ALWAYS.join(", ")
        );
        return wrong("invalid", detail);
    }
    let text = example.to_string();
    if text.len() > LONGEST_EXAMPLE {
        return wrong("too_long", format!("at most {LONGEST_EXAMPLE} bytes"));
    }
    // PostgreSQL does not store it.
    if text.contains("\\u0000") {
        return wrong("invalid", "the character U+0000 is not allowed here".to_owned());
    }
    Vec::new()
}

/// With pointers that begin at the text.
fn wrong_text(language: &str, text: &Override, example: &Value, branding: &Branding, name: &str) -> Vec<FieldError> {
    let Ok(lang) = render::language_of(language) else {
        return vec![FieldError::new("", "unknown", "there are mails in en and ru only")];
    };
    if let Err(MailError::Invalid(errors)) = too_long(text) {
        return errors;
    }
    let faults = render::check_own(lang, text, example, branding);
    if !faults.is_empty() {
        return faults.iter().map(field_error).collect();
    }
    // As a whole, with its layout.
    match render::render_own(name, lang, text, example, branding) {
        Ok(_) => Vec::new(),
        Err(RenderError::Template { fault, .. }) => vec![field_error(&fault)],
        Err(error) => vec![FieldError::new("", "invalid", error.to_string())],
    }
}

/// The texts of a template with another one in a language.
pub(crate) fn with_text(content: &OwnText, language: &str, text: Override, example: Value) -> OwnText {
    let mut texts: BTreeMap<String, Override> = content.texts.clone();
    texts.insert(language.to_owned(), text);
    OwnText { example, texts }
}
