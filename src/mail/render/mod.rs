//! Mails out of templates: subject, plain text and HTML, in English and Russian.
//!
//! The built-in templates are in `mails/`. An organisation may write its own ([`Override`]): `MiniJinja` without includes, macros and lists, with
//! a limit for the work and for the size ([`guard`]). HTML around the content (head, logo, footer) always comes from `layout.html`, and so do
//! the styles: a tag without a `style` gets the one of `inline.css`, because many mail programs read no style sheet.
//!
//! Data of the caller is escaped in HTML, and there is no way to switch that off. Of a template's own HTML only harmless elements and
//! attributes are accepted ([`markup`]), each time it is rendered: refused rather than removed, so that its author learns of it. The
//! console shows previews in a sandboxed frame besides. A link that opens an account is put in afterwards ([`secret`]).

mod branding;
mod catalogue;
mod colors;
mod engine;
mod error;
mod examples;
mod filters;
mod guard;
mod inline;
mod markup;
mod model;
mod own;
mod secret;
mod subject;
#[cfg(test)]
mod tests;

use console::Lang;
use serde_json::{Map, Value, json};

pub use branding::{Branding, BrandingChanges, BrandingSettings};
pub use catalogue::{Field, TEMPLATES, TemplateInfo};
pub use colors::is_color;
pub use error::{Fault, Part, RenderError};
pub use examples::example;
pub use model::{Override, Rendered, Template, TemplateDetail, TemplateField, TemplateVersion};

pub use own::{OwnTemplate, OwnTemplateSummary, OwnText, check_own, render_own};

use engine::Piece;

/// Languages of mails.
pub const LANGUAGES: [&str; 2] = ["en", "ru"];
/// Most that a template may render to, bytes: mail programs cut off long before that (Gmail at 102 kB).
const MOST_BYTES: usize = 256 << 10;
/// What a template can use besides its fields.
const ALWAYS: [&str; 3] = ["brand", "lang", "unsubscribe_url"];

/// Renders the template `name` with `data`, an object with its fields. `over`: what the organisation wrote instead of the built-in text. A
/// notice has `unsubscribe_url` in its data.
pub fn render(
    name: &str,
    language: &str,
    data: &Value,
    branding: &Branding,
    over: Option<&Override>,
) -> Result<Rendered, RenderError> {
    let template = TemplateInfo::find(name)?;
    let lang = language_of(language)?;
    check_links(data)?;
    let (data, link) = secret::taken_out(template, data.clone());
    let context = context(&data, branding, lang);
    let built_in;
    let source = match over {
        Some(over) => over,
        None => {
            built_in = template.built_in(lang);
            &built_in
        }
    };
    document(lang, source, context, branding, link.as_deref()).map_err(|fault| RenderError::Template {
        template: template.name.to_owned(),
        language: lang.code(),
        fault,
    })
}

/// What is wrong with an organisation's own text: unknown variables, and whatever fails when it is rendered with the example and with the
/// example without its optional fields. At most one fault for each part.
pub fn check(template: &TemplateInfo, lang: Lang, over: &Override, branding: &Branding) -> Vec<Fault> {
    let full = example(template.name);
    let sparse = template.without_optional(&full);
    let contexts = [full, sparse].map(|data| context(&secret::taken_out(template, data).0, branding, lang));
    let mut known: Vec<&str> = template.fields.iter().map(|field| field.name).collect();
    known.extend(ALWAYS);
    let check_part = |part: Part| {
        let source = over.part(part);
        engine::check_names(lang, part, source, &known)?;
        contexts.iter().try_for_each(|context| {
            let piece = engine::render(lang, part, source, context)?;
            if secret::has_link(template) {
                secret::check(part, &piece)?;
                secret::check_there(part, &piece)?;
            }
            Ok(())
        })
    };
    Part::ALL.into_iter().filter_map(|part| check_part(part).err()).collect()
}

/// The language of this code.
pub fn language_of(code: &str) -> Result<Lang, RenderError> {
    Lang::from_code(code).ok_or_else(|| RenderError::UnknownLanguage(code.to_owned()))
}

/// The three parts, the HTML and the text within their layouts. `link`: what the template must not see.
fn document(
    lang: Lang,
    source: &Override,
    mut context: Map<String, Value>,
    branding: &Branding,
    link: Option<&str>,
) -> Result<Rendered, Fault> {
    let rendered = |part: Part| {
        let mut piece = engine::render(lang, part, source.part(part), &context)?;
        if let Some(link) = link {
            secret::check(part, &piece)?;
            piece.output = secret::put_in(part, &piece.output, link);
        }
        Ok::<_, Fault>(piece)
    };
    let subject = rendered(Part::Subject)?.output;
    let text = rendered(Part::Text)?.output;
    let Piece { output: body, preheader } = rendered(Part::Html)?;
    context.insert("subject".to_owned(), Value::from(subject.as_str()));
    let text = engine::lay_out(lang, Part::Text, include_str!("layout.txt"), &context, text, None)?;
    let html = engine::lay_out(lang, Part::Html, include_str!("layout.html"), &context, body, preheader)?;
    Ok(Rendered { subject, text, html: inline::styles(html, branding) })
}

/// What a template sees: the fields of its data, and what data cannot replace: `brand` and `lang`.
fn context(data: &Value, branding: &Branding, lang: Lang) -> Map<String, Value> {
    let mut context = data.as_object().cloned().unwrap_or_default();
    // Only notices have one; a variable that does not exist would be an error.
    context.entry("unsubscribe_url").or_insert_with(|| Value::from(""));
    context.insert("lang".to_owned(), Value::from(lang.code()));
    context.insert(
        "brand".to_owned(),
        json!({
            "name": branding.name,
            "color": branding.color(),
            "on_color": branding.on_color(),
            "logo_url": branding.logo_url.as_deref().unwrap_or_default(),
            "footer": branding.footer,
            "url": branding.public_url,
        }),
    );
    context
}

/// Values named `url` or `..._url`, at any depth, lead to a page on the web, or are empty: no `javascript:`, no text that only looks like one.
fn check_links(data: &Value) -> Result<(), RenderError> {
    match data {
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| match value {
            Value::String(link) if name == "url" || name.ends_with("_url") => {
                if link.is_empty() || is_link(link) {
                    Ok(())
                } else {
                    Err(RenderError::BadLink(name.clone()))
                }
            }
            value => check_links(value),
        }),
        Value::Array(items) => items.iter().try_for_each(check_links),
        _ => Ok(()),
    }
}

fn is_link(link: &str) -> bool {
    let visible = |c: char| !c.is_control() && !c.is_whitespace() && !platform::names::turns_direction(c);
    (link.starts_with("https://") || link.starts_with("http://")) && link.chars().all(visible)
}
