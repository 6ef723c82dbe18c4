//! HTML to blocks: the main content without navigation, scripts and hidden parts.
//!
//! The tree is walked with an own stack and its depth is checked while it is being built: html5ever parses any
//! nesting, but slowly (each tag looks through the open ones), and a recursive walk would overflow the stack.

use html5ever::{ParseOpts, parse_document, tendril::TendrilSink};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

use super::{
    BlockKind, ExtractError, Extracted, Kind, Limits,
    builder::{Builder, start_item},
    decode::decode,
};

/// Bytes fed to the parser between two looks at the depth.
const FEED_BYTES: usize = 16 << 10;

pub(super) fn extract(bytes: &[u8], limits: &Limits) -> Result<Extracted, ExtractError> {
    let text = decode(bytes, declared_charset(bytes));
    let mut builder = Builder::new(limits);
    append(&mut builder, &text, limits)?;
    builder.finish(Kind::Html, None)
}

/// Also for the pieces of HTML within Markdown.
pub(super) fn append(builder: &mut Builder, html: &str, limits: &Limits) -> Result<(), ExtractError> {
    let document = parse(html, limits.depth)?;
    let mut walk = Walk { builder, inline: String::new(), lists: Vec::new(), pre: 0 };
    if let Some(title) = first(&document, &["title"]) {
        walk.builder.title(&text_of(&title));
    }
    // `document` must outlive the walk: dropping it takes all nodes apart, also those that are still held.
    let root = first(&document, &["main"]).or_else(|| only_article(&document)).unwrap_or_else(|| document.clone());
    walk.run(root)
}

/// The label in `<meta charset="...">` or `<meta http-equiv ... content="text/html; charset=...">`.
pub(super) fn declared_charset(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(4096)];
    let at = head.windows(8).position(|w| w.eq_ignore_ascii_case(b"charset="))? + 8;
    let label = head[at..].trim_ascii_start();
    let label = label.strip_prefix(b"\"").or_else(|| label.strip_prefix(b"'")).unwrap_or(label);
    let end = label.iter().position(|b| !(b.is_ascii_alphanumeric() || b"-_:.".contains(b)))?;
    Some(&label[..end])
}

fn parse(html: &str, depth: usize) -> Result<Handle, ExtractError> {
    let mut parser = parse_document(RcDom::default(), ParseOpts::default());
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(FEED_BYTES));
        parser.process(piece.into());
        if open_depth(&parser.tokenizer.sink.sink.document) > depth {
            return Err(ExtractError::malformed(format!("elements are nested more than {depth} deep")));
        }
        rest = after;
    }
    Ok(parser.finish().document.clone())
}

/// How deep the element lies that is being built: the last child of the last child, and so on.
fn open_depth(document: &Handle) -> usize {
    let mut node = document.clone();
    let mut depth = 0;
    loop {
        let Some(last) = node.children.borrow().last().cloned() else { return depth };
        node = last;
        depth += 1;
    }
}

fn name(node: &Handle) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => &name.local,
        _ => "",
    }
}

fn attribute(node: &Handle, key: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else { return None };
    attrs.borrow().iter().find(|a| &*a.name.local == key).map(|a| a.value.to_string())
}

/// Every node below `root` in document order.
fn descendants(root: &Handle) -> impl Iterator<Item = Handle> {
    let mut stack = vec![root.clone()];
    std::iter::from_fn(move || {
        let node = stack.pop()?;
        stack.extend(node.children.borrow().iter().rev().cloned());
        Some(node)
    })
}

fn first(root: &Handle, names: &[&str]) -> Option<Handle> {
    descendants(root).find(|node| names.contains(&name(node)))
}

/// A page with one article is that article; with several it is a list of them.
fn only_article(document: &Handle) -> Option<Handle> {
    let mut articles = descendants(document).filter(|node| name(node) == "article");
    articles.next().filter(|_| articles.next().is_none())
}

fn text_of(root: &Handle) -> String {
    let mut out = String::new();
    for node in descendants(root) {
        if let NodeData::Text { contents } = &node.data {
            out.push_str(&contents.borrow());
        }
    }
    out
}

fn is_skipped(node: &Handle) -> bool {
    let style = || attribute(node, "style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    match name(node) {
        "script" | "style" | "noscript" | "template" | "nav" | "aside" | "footer" | "head" | "iframe" | "object"
        | "svg" | "math" | "canvas" | "audio" | "video" | "button" | "select" | "textarea" | "input" | "dialog" => true,
        // The head of an article carries its title, that of a page its menu.
        "header" => first(node, &["h1"]).is_none(),
        "" => false,
        _ => {
            attribute(node, "hidden").is_some()
                || attribute(node, "aria-hidden").is_some_and(|v| v == "true")
                || style().contains("display:none")
        }
    }
}

enum Step {
    Enter(Handle),
    Leave(Handle),
}

struct Walk<'a> {
    builder: &'a mut Builder,
    /// The text of the block that is being read.
    inline: String,
    /// Open lists: the next number, or `None` for bullets. While any is open, all text is one block.
    lists: Vec<Option<u64>>,
    /// Open `<pre>` elements, where white space counts.
    pre: usize,
}

impl Walk<'_> {
    fn run(&mut self, root: Handle) -> Result<(), ExtractError> {
        let mut stack = vec![Step::Enter(root)];
        while let Some(step) = stack.pop() {
            match step {
                Step::Leave(node) => self.leave(&node)?,
                Step::Enter(node) => {
                    if is_skipped(&node) {
                        continue;
                    }
                    if name(&node) == "table" && self.lists.is_empty() && is_data_table(&node) {
                        self.flush()?;
                        self.builder.lines(BlockKind::Table, &rows(&node))?;
                        continue;
                    }
                    self.enter(&node)?;
                    stack.push(Step::Leave(node.clone()));
                    stack.extend(node.children.borrow().iter().rev().cloned().map(Step::Enter));
                }
            }
        }
        self.flush()
    }

    fn enter(&mut self, node: &Handle) -> Result<(), ExtractError> {
        if let NodeData::Text { contents } = &node.data {
            push_text(&mut self.inline, &contents.borrow(), self.pre > 0);
            return Ok(());
        }
        match name(node) {
            "br" if self.pre > 0 => self.inline.push('\n'),
            "br" => self.inline.push(' '),
            "ul" | "ol" | "menu" => {
                if self.lists.is_empty() {
                    self.flush()?;
                }
                let first = attribute(node, "start").and_then(|s| s.parse().ok()).unwrap_or(1);
                self.lists.push((name(node) == "ol").then_some(first));
            }
            "li" if !self.lists.is_empty() => start_item(&mut self.inline, &mut self.lists),
            "pre" if self.lists.is_empty() => {
                self.flush()?;
                self.pre += 1;
            }
            tag if is_block(tag) => self.boundary()?,
            _ => {}
        }
        Ok(())
    }

    fn leave(&mut self, node: &Handle) -> Result<(), ExtractError> {
        match name(node) {
            "ul" | "ol" | "menu" => {
                self.lists.pop();
                if self.lists.is_empty() {
                    let text = std::mem::take(&mut self.inline);
                    self.builder.lines(BlockKind::List, &text)?;
                }
            }
            "pre" if self.pre > 0 => {
                self.pre -= 1;
                let text = std::mem::take(&mut self.inline);
                self.builder.lines(BlockKind::Code, &text)?;
            }
            tag @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") if self.lists.is_empty() && self.pre == 0 => {
                let text = std::mem::take(&mut self.inline);
                self.builder.heading(tag.as_bytes()[1] - b'0', &text)?;
            }
            tag if is_block(tag) => self.boundary()?,
            _ => {}
        }
        Ok(())
    }

    /// Between two blocks; within a list or code, where everything is one block, at least the words stay apart.
    fn boundary(&mut self) -> Result<(), ExtractError> {
        if self.lists.is_empty() && self.pre == 0 {
            return self.flush();
        }
        if !self.inline.is_empty() && !self.inline.ends_with([' ', '\n']) {
            self.inline.push(if self.pre > 0 { '\n' } else { ' ' });
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ExtractError> {
        let text = std::mem::take(&mut self.inline);
        self.builder.paragraph(&text)
    }
}

/// Line ends in the source are spaces, except in `<pre>`.
fn push_text(out: &mut String, text: &str, pre: bool) {
    if pre {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        if !c.is_whitespace() || c == '\u{a0}' {
            out.push(c);
        } else if !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

fn is_block(tag: &str) -> bool {
    matches!(
        tag,
        "p" | "div"
            | "section"
            | "article"
            | "main"
            | "header"
            | "body"
            | "html"
            | "blockquote"
            | "figure"
            | "figcaption"
            | "address"
            | "details"
            | "summary"
            | "dl"
            | "dt"
            | "dd"
            | "fieldset"
            | "legend"
            | "form"
            | "center"
            | "hr"
            | "table"
            | "thead"
            | "tbody"
            | "tfoot"
            | "tr"
            | "td"
            | "th"
            | "caption"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
    )
}

/// Old pages lay themselves out with tables; those are only boxes around blocks.
fn is_data_table(table: &Handle) -> bool {
    descendants(table).skip(1).all(|node| !matches!(name(&node), "table" | "h1" | "h2" | "h3" | "ul" | "ol" | "pre"))
}

fn rows(table: &Handle) -> String {
    let mut out = String::new();
    for node in descendants(table) {
        match name(&node) {
            "caption" | "tr" if !out.is_empty() => out.push('\n'),
            _ => {}
        }
        match name(&node) {
            "caption" => out.push_str(text_of(&node).split_whitespace().collect::<Vec<_>>().join(" ").as_str()),
            "td" | "th" => {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push_str(" | ");
                }
                out.push_str(text_of(&node).split_whitespace().collect::<Vec<_>>().join(" ").as_str());
            }
            _ => {}
        }
    }
    out
}

pub(super) fn from_web_archive(_bytes: &[u8]) -> Option<String> {
    None
}
