//! Word documents, read by the standard (ECMA-376): parts are found by relationships, text by the meaning of elements.
//!
//! Unknown elements are searched for text rather than skipped.

mod bound;
mod drawing;
mod fields;
mod figures;
mod inline;
mod inserted;
mod look;
mod math;
mod notes;
mod numbering;
mod package;
mod reader;
mod styles;
mod symbols;
mod tables;
mod xml;

use self::{
    inline::Line,
    numbering::Numbering,
    package::{Package, Relation},
    reader::{Found, Notes, Piece, Reader},
    styles::Styles,
    xml::Element,
};
use super::{BlockKind, ExtractError, Extracted, Kind, LeftOutKind, Limits, builder::Builder, html};

pub(super) use package::is_word;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let mut package = Package::open(bytes, limits)?;
    let mut builder = Builder::new(limits);
    let relations = package.relations("")?;
    if let Some(core) = relations.iter().find(|relation| relation.kind == "core-properties") {
        let core = package.optional(&core.target)?;
        let title = core.as_ref().and_then(|core| core.child("title"));
        builder.title(&title.map(Element::own_text).unwrap_or_default());
    }
    let (pieces, found) = read(&mut package, limits, 0)?;
    emit(&mut builder, pieces, limits)?;
    for (kind, text) in &found.left_out {
        builder.left_out(*kind, text);
    }
    let report = builder.report();
    report.images_without_text += found.images_without_text;
    report.form_fields += found.form_fields;
    report.comments += found.comments;
    for part in package.damaged.iter().chain(&found.unread) {
        if report.unread.len() < MAX_UNREAD && !report.unread.contains(part) {
            report.unread.push(part.clone());
        }
    }
    Ok(builder.finish(Kind::Docx, None))
}

/// Maximum unread parts listed: enough to judge by.
const MAX_UNREAD: usize = 50;

/// The pieces of the whole document: headers and footers, body, and unreferenced comments.
fn read(package: &mut Package<'_>, limits: &Limits, depth: usize) -> Result<(Vec<Piece>, Found), ExtractError> {
    let main = package.main_part()?.ok_or_else(|| ExtractError::malformed("it has no main part"))?;
    let body = package.required(&main)?;
    let relations = package.relations(&main)?;
    let mut part = |kind: &str| part_of(package, &relations, kind);
    let styles = Styles::read(part("styles")?.as_ref());
    let numbering = Numbering::read(part("numbering")?.as_ref(), &styles);
    let comments: Vec<Element> =
        part("comments")?.into_iter().flat_map(|root| root.children).filter_map(into_element).collect();
    let mut comment_places = std::collections::HashMap::new();
    for (at, id) in comments.iter().enumerate().filter_map(|(at, comment)| Some((at, comment.attribute("id")?))) {
        comment_places.entry(id.to_owned()).or_insert(at);
    }
    let (footnotes, endnotes) = (by_id(part("footnotes")?), by_id(part("endnotes")?));
    let notes = Notes { footnotes, endnotes, comments, comment_places };
    let mut reader = Reader::new(package, limits, &styles, &notes);
    reader.numbering = numbering;
    reader.depth = depth;
    reader.plain_ground = !has_ground(&body);
    reader.note_formats = notes::formats(part_of(reader.package, &relations, "settings")?.as_ref(), &body);
    // Before the body: after it they would belong to its last heading.
    let mut pieces = running(&mut reader, &relations, "header")?;
    pieces.append(&mut running(&mut reader, &relations, "footer")?);
    let styles_used = body.descendants().filter(|e| &*e.name == "pStyle").filter_map(Element::value);
    reader.titled = styles_used.into_iter().any(|style| styles.is_title(Some(style)));
    reader.relations.clone_from(&relations);
    pieces.append(&mut reader.story(&body)?);
    let mut rest = Line::default();
    for comment in notes.comments.iter().filter_map(|comment| comment.attribute("id")) {
        reader.comment(comment, &mut rest)?;
    }
    for (known, notes) in [(&reader.seen_footnotes, &notes.footnotes), (&reader.seen_endnotes, &notes.endnotes)] {
        let unseen = notes.iter().filter(|(id, _)| !known.contains_key(*id)).map(|(_, note)| note.plain_text());
        // Notes without a reference are not displayed.
        let unseen: Vec<String> = unseen.collect();
        reader.found.left_out.extend(unseen.into_iter().map(|text| (LeftOutKind::Hidden, text)));
    }
    pieces.append(&mut rest.after);
    Ok((pieces, reader.found))
}

/// The part of the first relationship of this kind.
fn part_of(package: &mut Package<'_>, relations: &[Relation], kind: &str) -> Result<Option<Element>, ExtractError> {
    let target = relations.iter().find(|relation| relation.kind == kind).map(|relation| &relation.target);
    target.map_or(Ok(None), |target| package.optional(target))
}

/// Headers or footers, each distinct line once: they may hold contract numbers.
fn running(reader: &mut Reader<'_, '_>, relations: &[Relation], kind: &str) -> Result<Vec<Piece>, ExtractError> {
    let mut out: Vec<Piece> = Vec::new();
    let mut known: Vec<String> = Vec::new();
    for relation in relations.iter().filter(|relation| relation.kind == kind) {
        let Some(root) = reader.package.optional(&relation.target)? else { continue };
        // Shapes in a header are drawn behind the page.
        reader.plain_ground &= !has_ground(&root);
        reader.relations = reader.package.relations(&relation.target)?;
        reader.running = true;
        let pieces = reader.story(&root);
        reader.running = false;
        for piece in pieces? {
            let text = match &piece {
                Piece::Heading(_, text) | Piece::Paragraph(text) | Piece::Item(_, text) | Piece::Note(text) => {
                    text.split_whitespace().collect::<Vec<_>>().join(" ")
                }
                Piece::Table(table) => table.lines().0.join("\n"),
                Piece::Html(html) => html.clone(),
            };
            if known.contains(&text) {
                reader.leave_out(LeftOutKind::Duplicate, &text);
                continue;
            }
            known.push(text);
            out.push(match piece {
                // Not a heading of the body text.
                Piece::Heading(_, text) => Piece::Paragraph(text),
                piece => piece,
            });
        }
    }
    Ok(out)
}

/// Whether there may be a shape behind the text.
fn has_ground(root: &Element) -> bool {
    root.descendants().any(|element| matches!(&*element.name, "anchor" | "pict" | "background"))
}

/// The notes of a part, without separator lines.
fn by_id(root: Option<Element>) -> std::collections::HashMap<String, Element> {
    let notes = root.into_iter().flat_map(|root| root.children).filter_map(into_element);
    let notes = notes.filter(|note| {
        !matches!(note.attribute("type"), Some("separator" | "continuationSeparator" | "continuationNotice"))
    });
    notes.filter_map(|note| Some((note.attribute("id")?.to_owned(), note))).collect()
}

fn into_element(node: xml::Node) -> Option<Element> {
    match node {
        xml::Node::Element(element) => Some(element),
        xml::Node::Text(_) => None,
    }
}

fn emit(builder: &mut Builder, pieces: Vec<Piece>, limits: &Limits) -> Result<(), ExtractError> {
    // Adjacent list items, which Word stores as separate paragraphs, and the notes they refer to.
    let mut list = String::new();
    let mut notes: Vec<String> = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Item(level, text) => {
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                list.extend(["  ".repeat(level).as_str(), &text, "\n"]);
                continue;
            }
            Piece::Note(text) if !list.is_empty() => {
                notes.push(text);
                continue;
            }
            _ => {}
        }
        flush(builder, &mut list, &mut notes)?;
        match piece {
            Piece::Heading(level, text) => builder.heading(level, &text)?,
            Piece::Paragraph(text) | Piece::Note(text) => builder.paragraph(&text)?,
            Piece::Table(table) => builder.table(&table)?,
            Piece::Html(html) => html::append(builder, &html, limits)?,
            Piece::Item(..) => {}
        }
    }
    flush(builder, &mut list, &mut notes)
}

fn flush(builder: &mut Builder, list: &mut String, notes: &mut Vec<String>) -> Result<(), ExtractError> {
    builder.lines(BlockKind::List, &std::mem::take(list))?;
    std::mem::take(notes).iter().try_for_each(|note| builder.paragraph(note))
}

/// The text of an HTML page, for a cell.
fn html_text(html: &str, limits: &Limits) -> String {
    let mut builder = Builder::new(limits);
    match html::append(&mut builder, html, limits).map(|()| builder.finish(Kind::Html, None)) {
        Ok(document) => document.text.split_whitespace().collect::<Vec<_>>().join(" "),
        Err(_) => String::new(),
    }
}
