//! Templates as the API shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Part;

/// A mail's texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailRendered)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    pub text: String,
    /// A whole document.
    pub html: String,
}

/// The text of a template (`MiniJinja`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = MailTemplateText)]
#[serde(deny_unknown_fields)]
pub struct Override {
    #[schema(max_length = 500)]
    pub subject: String,
    /// The plain text; the footer is added.
    #[schema(max_length = 65536)]
    pub text: String,
    /// The HTML between logo and footer. `{% set preheader %}..{% endset %}` is the line that mail programs show beside the subject.
    #[schema(max_length = 65536)]
    pub html: String,
}

impl Override {
    pub fn part(&self, part: Part) -> &str {
        match part {
            Part::Subject => &self.subject,
            Part::Text => &self.text,
            Part::Html => &self.html,
        }
    }
}

/// A template, with one entry for each language.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailTemplate)]
pub struct Template {
    /// Also the kind of mail that it is for.
    pub name: &'static str,
    pub languages: Vec<TemplateVersion>,
}

/// Whether a template has its built-in text in a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MailTemplateVersion)]
pub struct TemplateVersion {
    /// `en` or `ru`
    pub language: &'static str,
    /// Replaced by a text of the organisation.
    pub changed: bool,
    /// When it was changed, and by whom; null for the built-in text.
    pub updated_at: Option<DateTime<Utc>>,
    pub updated_by: Option<String>,
}

/// A template in one language.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailTemplateDetail)]
pub struct TemplateDetail {
    pub name: &'static str,
    #[serde(flatten)]
    pub version: TemplateVersion,
    /// In use.
    #[serde(flatten)]
    pub content: Override,
    /// What a reset returns to.
    pub built_in: Override,
    pub fields: Vec<TemplateField>,
}

/// A variable of a template.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailTemplateField)]
pub struct TemplateField {
    pub name: &'static str,
    pub meaning: &'static str,
    /// Empty in some mails.
    pub optional: bool,
    #[schema(value_type = Object)]
    pub example: serde_json::Value,
}
