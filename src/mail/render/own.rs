//! Templates that an organisation has named and written itself. They have the engine, the guards and the layout of the others; their fields are
//! those of their example.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use console::Lang;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{Branding, Fault, Override, Part, RenderError, Rendered, check_links, context, document, engine};
use crate::model::OwnTemplateId;

/// What an own template is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = MailOwnTemplateText)]
pub struct OwnText {
    /// A value for each field: an object. A template uses no others, and its preview shows these.
    #[schema(value_type = Object)]
    pub example: Value,
    /// The text in each language that it has: `en`, `ru`.
    pub texts: BTreeMap<String, Override>,
}

/// A template of an organisation's own.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailOwnTemplate)]
pub struct OwnTemplate {
    pub id: OwnTemplateId,
    /// By which a mail names it.
    pub name: String,
    #[serde(flatten)]
    pub content: OwnText,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// As [`OwnTemplate`], without its texts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = MailOwnTemplateSummary)]
pub struct OwnTemplateSummary {
    pub id: OwnTemplateId,
    pub name: String,
    /// Those that it has a text in.
    pub languages: Vec<String>,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// Renders an own template with `data`, an object with its fields.
pub fn render_own(
    name: &str,
    lang: Lang,
    source: &Override,
    data: &Value,
    branding: &Branding,
) -> Result<Rendered, RenderError> {
    check_links(data)?;
    let context = context(data, branding, lang);
    document(lang, source, context, branding, None).map_err(|fault| RenderError::Template {
        template: name.to_owned(),
        language: lang.code(),
        fault,
    })
}

/// What is wrong with an own text: variables that are no fields of the example, and whatever fails when it is rendered with it. At most one fault for
/// each part.
pub fn check_own(lang: Lang, source: &Override, example: &Value, branding: &Branding) -> Vec<Fault> {
    let context = context(example, branding, lang);
    let known: Vec<&str> = context.keys().map(String::as_str).collect();
    let check_part = |part: Part| {
        engine::check_names(lang, part, source.part(part), &known)?;
        engine::render(lang, part, source.part(part), &context).map(drop)
    };
    Part::ALL.into_iter().filter_map(|part| check_part(part).err()).collect()
}
