//! HTML to blocks: everything a reader can see or open on the page, without scripts, hidden parts and menus.

mod attributes;
mod blocks;
mod dom;
mod fields;
mod judge;
mod links;
mod lists;
mod math;
mod pieces;
mod repair;
mod struck;
mod styles;
mod tables;
mod walk;

use self::{
    dom::title,
    judge::Opened,
    pieces::{emit, has_any_text},
    walk::{Found, Walk},
};
use super::{ExtractError, Extracted, Kind, LeftOutKind, Limits, builder::Builder, decode::decode_or_guess};

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let decoded = decode_or_guess(bytes, declared_charset(bytes));
    let mut builder = Builder::new(limits);
    append(&mut builder, &decoded.text, limits)?;
    builder.report().guessed_encoding = decoded.guessed;
    Ok(builder.finish(Kind::Html, None))
}

/// Also used for HTML within Markdown and Word documents.
pub(super) fn append(builder: &mut Builder, html: &str, limits: &Limits) -> Result<(), ExtractError> {
    let html = repair::repair(html);
    // `document` must outlive the walk: dropping it dismantles all nodes, even those still referenced.
    let document = dom::parse(&html, limits.depth)?;
    builder.title(&title(&document).unwrap_or_default());
    let opened = Opened::of(&document);
    let mut found = Found::default();
    let mut walk = Walk::new(limits, &opened, &mut found);
    walk.run(document.clone())?;
    let mut pieces = std::mem::take(&mut walk.pieces);
    if !has_any_text(&pieces) && found.left_out.iter().any(|(kind, _)| *kind == LeftOutKind::Navigation) {
        // The page consists of links only, so they are its content.
        found = Found::default();
        let mut walk = Walk::new(limits, &opened, &mut found);
        walk.keep_furniture = true;
        walk.run(document.clone())?;
        pieces = std::mem::take(&mut walk.pieces);
    }
    let only_without_script = !has_any_text(&pieces);
    emit(builder, pieces)?;
    for text in std::mem::take(&mut found.without_script) {
        // Without other text, use the `noscript` content.
        let document = dom::parse(&text, limits.depth)?;
        if only_without_script {
            let opened = Opened::of(&document);
            let mut walk = Walk::new(limits, &opened, &mut found);
            walk.run(document.clone())?;
            let pieces = std::mem::take(&mut walk.pieces);
            emit(builder, pieces)?;
        } else {
            found.left_out.push((LeftOutKind::Script, dom::plain_text(&document)));
        }
    }
    report(builder, &found);
    Ok(())
}

fn report(builder: &mut Builder, found: &Found) {
    for (kind, text) in &found.left_out {
        builder.left_out(*kind, text);
    }
    let report = builder.report();
    report.images_without_text += found.images_without_text;
    report.form_fields += found.form_fields;
}

/// The label in `<meta charset="...">`, `<meta http-equiv ... content="text/html; charset=...">` or `<?xml
/// encoding="...">`.
pub(super) fn declared_charset(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(4096)];
    let of_page = || head.windows(8).position(|w| w.eq_ignore_ascii_case(b"charset="));
    // XHTML may only declare it in the XML declaration.
    let of_xml = || {
        let end = head.starts_with(b"<?xml").then(|| head.windows(2).position(|w| w == b"?>"))??;
        head[..end].windows(9).position(|w| w == b"encoding=").map(|at| at + 1)
    };
    let at = of_page().or_else(of_xml)? + 8;
    let label = head[at..].trim_ascii_start();
    let label = label.strip_prefix(b"\"").or_else(|| label.strip_prefix(b"'")).unwrap_or(label);
    let end = label.iter().position(|b| !(b.is_ascii_alphanumeric() || b"-_:.".contains(b)))?;
    Some(&label[..end])
}
