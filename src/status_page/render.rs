//! Makes the finished answers of a page. Pure: the model and a time go in, bytes come out.

use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder},
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt as _;

use super::{
    StatusPageError, badge, gatus, html, ical,
    model::{Render, Set},
    page::{Indicator, PageModel},
    shields, statuspage, told,
    words::Words,
};
use console::Lang;
use platform::crypto;

pub const HTML: &str = "text/html; charset=utf-8";
pub const JSON: &str = "application/json; charset=utf-8";
pub const SVG: &str = "image/svg+xml; charset=utf-8";
pub const TEXT: &str = "text/plain; charset=utf-8";
const ATOM: &str = "application/atom+xml; charset=utf-8";
const RSS: &str = "application/rss+xml; charset=utf-8";
const CALENDAR: &str = "text/calendar; charset=utf-8";

/// Types of finished answers: what is read from the database is one of them.
const TYPES: [&str; 9] = [HTML, JSON, SVG, TEXT, ATOM, RSS, CALENDAR, "image/png", "image/webp"];

/// Answers smaller than this do not gain by compression, bytes.
const SMALL: usize = 256;

/// What is kept of monitors for Gatus's forms. It is no answer by itself.
pub const GATUS: &str = "gatus.json";
/// For plain pollers: `ok`, or `critical`, which is answered with 503.
pub const UP: &str = "up";
pub const LOGO: &str = "logo";

/// The type of this name as a constant.
pub fn known_type(name: &str) -> Option<&'static str> {
    TYPES.into_iter().find(|known| *known == name)
}

/// An answer before it is compressed.
struct Draft {
    path: String,
    content_type: &'static str,
    body: Bytes,
}

/// Every answer of a page in both sets.
pub fn render_both(model: &PageModel, as_of: DateTime<Utc>, words: &Words) -> Result<Vec<Render>, StatusPageError> {
    let mut all = render(model, as_of, Set::Current, words)?;
    all.extend(render(&model.stale(), as_of, Set::Stale, words)?);
    Ok(all)
}

/// Every answer of a page in one set.
pub fn render(
    model: &PageModel,
    as_of: DateTime<Utc>,
    set: Set,
    words: &Words,
) -> Result<Vec<Render>, StatusPageError> {
    let mut drafts = pages(model, as_of, set, words)?;
    let first = model.page.languages.iter().find_map(|code| Lang::from_code(code)).unwrap_or(Lang::En);
    drafts.extend(machines(model, as_of, set, &words.in_language(first))?);
    drafts.into_iter().map(|draft| finish(draft, set)).collect()
}

fn pages(model: &PageModel, as_of: DateTime<Utc>, set: Set, words: &Words) -> Result<Vec<Draft>, StatusPageError> {
    let mut drafts = Vec::new();
    for lang in model.page.languages.iter().filter_map(|code| Lang::from_code(code)) {
        let (words, code) = (words.in_language(lang), lang.code());
        let model = &told::told(model, &words);
        let mut page = |path: String, html: askama::Result<String>| -> Result<(), StatusPageError> {
            drafts.push(Draft { path: format!("{path}.{code}"), content_type: HTML, body: html?.into() });
            Ok(())
        };
        page("index".to_owned(), html::index(model, &words, as_of, set))?;
        page("history".to_owned(), html::history(model, &words, as_of, set))?;
        for group in html::split_groups(model).1 {
            page(format!("group/{}", group.code), html::group(model, group, &words, as_of, set))?;
        }
        for view in html::with_pages(model) {
            page(format!("incident/{}", view.incident.code), html::incident(model, view, &words, as_of, set))?;
        }
    }
    Ok(drafts)
}

/// What programs read, in the page's first language.
fn machines(model: &PageModel, as_of: DateTime<Utc>, set: Set, words: &Words) -> Result<Vec<Draft>, StatusPageError> {
    let told = &told::told(model, words);
    let draft = |path: &str, content_type, body: Bytes| Draft { path: path.to_owned(), content_type, body };
    let overall = model.overall();
    let mut drafts: Vec<Draft> = statuspage::files(told, as_of)?
        .into_iter()
        .map(|(path, body)| Draft { path, content_type: JSON, body: body.into() })
        .collect();
    let color = shields::color(overall.indicator.tone());
    let message = overall.description.to_lowercase();
    let up = if overall.indicator == Indicator::Critical { "critical\n" } else { "ok\n" };
    drafts.extend([
        draft("history.atom", ATOM, html::feed::atom(told, as_of, words).into()),
        draft("history.rss", RSS, html::feed::rss(told, words).into()),
        draft("maintenance.ics", CALENDAR, ical::calendar(model).into()),
        draft("badge.svg", SVG, badge::svg(&model.page.name, &message, color).into()),
        draft("badge.json", JSON, serde_json::to_vec(&shields::badge(model, overall))?.into()),
        draft(UP, TEXT, Bytes::from_static(up.as_bytes())),
    ]);
    if set == Set::Current {
        drafts.push(draft(GATUS, JSON, serde_json::to_vec::<Vec<gatus::Endpoint>>(&model.endpoints)?.into()));
    }
    if let Some(logo) = &model.logo {
        drafts.push(draft(LOGO, logo.content_type, logo.body.clone()));
    }
    Ok(drafts)
}

fn finish(draft: Draft, set: Set) -> Result<Render, StatusPageError> {
    let Draft { path, content_type, body } = draft;
    let etag = format!("\"{}\"", crypto::hex(&crypto::sha256(&body)[..8]));
    // Images are compressed already, and what Gatus's forms are made of is never sent.
    let gains =
        body.len() >= SMALL && !content_type.starts_with("image/p") && content_type != "image/webp" && path != GATUS;
    let (gzip, br) = if gains { compress(&body)? } else { (None, None) };
    Ok(Render { set, path, content_type, etag, body, gzip, br })
}

/// With gzip and brotli.
fn compress(body: &[u8]) -> std::io::Result<(Option<Bytes>, Option<Bytes>)> {
    // Nothing in it waits: both write into memory.
    futures::executor::block_on(async {
        let mut gzip = GzipEncoder::with_quality(Vec::<u8>::new(), Level::Precise(6));
        gzip.write_all(body).await?;
        gzip.shutdown().await?;
        let mut br = BrotliEncoder::with_quality(Vec::<u8>::new(), Level::Precise(5));
        br.write_all(body).await?;
        br.shutdown().await?;
        Ok((Some(gzip.into_inner().into()), Some(br.into_inner().into())))
    })
}
