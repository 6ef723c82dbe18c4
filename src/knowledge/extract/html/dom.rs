//! The DOM of a page: parsing with a depth limit, and queries.
//!
//! The tree is walked with explicit stacks, and its depth is checked during parsing: html5ever accepts any nesting, but
//! slowly (each tag scans the open ones), and a recursive walk would overflow the stack.

use html5ever::{ParseOpts, parse_document, tendril::TendrilSink};
pub(super) use markup5ever_rcdom::Handle;
use markup5ever_rcdom::{NodeData, RcDom};

use super::{super::ExtractError, attributes};

/// Bytes fed to the parser between depth checks.
const FEED_BYTES: usize = 16 << 10;

pub(super) fn parse(html: &str, depth: usize) -> Result<Handle, ExtractError> {
    if !attributes::within_limit(html) {
        return Err(ExtractError::malformed(format!(
            "an element has more than {} attributes",
            attributes::MAX_ATTRIBUTES
        )));
    }
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

/// Depth of the element being built: the last child of the last child, and so on.
fn open_depth(document: &Handle) -> usize {
    let mut node = document.clone();
    let mut depth = 0;
    loop {
        let content = template_contents(&node);
        let last = content.as_ref().unwrap_or(&node).children.borrow().last().cloned();
        let Some(last) = last else { return depth };
        node = last;
        depth += 1;
    }
}

pub(super) fn template_contents(node: &Handle) -> Option<Handle> {
    match &node.data {
        NodeData::Element { template_contents, .. } => template_contents.borrow().clone(),
        _ => None,
    }
}

/// The element's local name; empty for text and comments.
pub(super) fn name(node: &Handle) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => &name.local,
        _ => "",
    }
}

pub(super) fn is_html(node: &Handle) -> bool {
    matches!(&node.data, NodeData::Element { name, .. } if &*name.ns == "http://www.w3.org/1999/xhtml")
}

pub(super) fn attribute(node: &Handle, key: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else { return None };
    attrs.borrow().iter().find(|a| &*a.name.local == key).map(|a| a.value.to_string())
}

/// The first non-empty one of these attributes.
pub(super) fn first_attribute(node: &Handle, keys: &[&str]) -> Option<String> {
    keys.iter().filter_map(|key| attribute(node, key)).find(|value| !value.trim().is_empty())
}

pub(super) fn attribute_is(node: &Handle, key: &str, value: &str) -> bool {
    attribute(node, key).is_some_and(|have| have.trim().eq_ignore_ascii_case(value))
}

pub(super) fn role(node: &Handle) -> String {
    attribute(node, "role").unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn text(node: &Handle) -> Option<String> {
    match &node.data {
        NodeData::Text { contents } => Some(contents.borrow().to_string()),
        _ => None,
    }
}

pub(super) fn children(node: &Handle) -> Vec<Handle> {
    node.children.borrow().iter().cloned().collect()
}

pub(super) fn elements(node: &Handle) -> Vec<Handle> {
    node.children.borrow().iter().filter(|child| !name(child).is_empty()).cloned().collect()
}

pub(super) fn parent(node: &Handle) -> Option<Handle> {
    let weak = node.parent.take();
    let parent = weak.as_ref().and_then(std::rc::Weak::upgrade);
    node.parent.set(weak);
    parent
}

pub(super) fn ancestors(node: &Handle) -> impl Iterator<Item = Handle> {
    let mut next = parent(node);
    std::iter::from_fn(move || {
        let node = next.take()?;
        next = parent(&node);
        Some(node)
    })
}

/// `root` and all nodes below it, in document order.
pub(super) fn descendants(root: &Handle) -> impl Iterator<Item = Handle> {
    let mut stack = vec![root.clone()];
    std::iter::from_fn(move || {
        let node = stack.pop()?;
        stack.extend(node.children.borrow().iter().rev().cloned());
        Some(node)
    })
}

pub(super) fn first(root: &Handle, names: &[&str]) -> Option<Handle> {
    descendants(root).find(|node| names.contains(&name(node)))
}

/// All text below, with spaces between elements: for classification and reports.
pub(super) fn plain_text(root: &Handle) -> String {
    let mut out = String::new();
    for node in descendants(root) {
        match text(&node) {
            Some(text) => out.push_str(&text),
            None => out.push(' '),
        }
        if let Some(content) = template_contents(&node) {
            for node in descendants(&content) {
                out.push_str(&text(&node).unwrap_or_default());
            }
        }
    }
    out
}

/// The classes and the id of an element, split into words: `navBar-main` gives "nav", "bar", "main".
pub(super) fn tokens(node: &Handle) -> Vec<String> {
    let mut out = Vec::new();
    for value in ["class", "id"].iter().filter_map(|key| attribute(node, key)) {
        let mut word = String::new();
        let mut after_small = false;
        for c in value.chars() {
            if !c.is_alphanumeric() || (after_small && c.is_uppercase()) {
                out.push(std::mem::take(&mut word));
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
            after_small = c.is_lowercase();
        }
        out.push(word);
    }
    out.retain(|word| !word.is_empty());
    out
}

/// The page's own title, not that of an embedded SVG.
pub(super) fn title(document: &Handle) -> Option<String> {
    let head = first(document, &["head"]).unwrap_or_else(|| document.clone());
    let title = descendants(&head).find(|node| name(node) == "title" && is_html(node))?;
    Some(plain_text(&title))
}
