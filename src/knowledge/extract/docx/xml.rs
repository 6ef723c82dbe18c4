//! A minimal XML tree for Word documents, with names resolved by namespace.
//!
//! Lenient: content before an error is kept, and the error is reported.

use std::{collections::HashSet, rc::Rc};

use quick_xml::{
    NsReader,
    events::{BytesStart, Event},
    name::ResolveResult,
};

use super::super::{ExtractError, decode::decode};

/// The namespaces that we distinguish; each has a transitional and a strict URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ns {
    /// `WordprocessingML`.
    Word,
    /// Formulas.
    Math,
    /// Images, shapes, charts and diagrams: all parts of `DrawingML`.
    Drawing,
    /// Legacy drawings.
    Vml,
    /// Markup compatibility: alternatives for older readers.
    Compatibility,
    /// References from a part to its relationships.
    Relation,
    Other,
}

impl Ns {
    fn of(uri: &str) -> Self {
        let uri = uri.trim_end_matches('/');
        if uri.ends_with("/officeDocument/2006/math") || uri.ends_with("/officeDocument/math") {
            Ns::Math
        } else if uri.ends_with("/officeDocument/2006/relationships") || uri.ends_with("/officeDocument/relationships")
        {
            Ns::Relation
        } else if uri.contains("/wordprocessingml/") {
            Ns::Word
        } else if uri.ends_with("/markup-compatibility/2006") {
            Ns::Compatibility
        } else if uri.contains("schemas-microsoft-com:vml") || uri.contains("schemas-microsoft-com:office:office") {
            Ns::Vml
        } else if uri.contains("/drawingml/") || uri.contains("/office/drawing/") {
            Ns::Drawing
        } else {
            Ns::Other
        }
    }

    /// For an undeclared prefix.
    fn of_prefix(prefix: &str) -> Self {
        match prefix {
            "w" => Ns::Word,
            "m" => Ns::Math,
            "a" | "wp" | "pic" | "c" | "dgm" => Ns::Drawing,
            "v" | "o" => Ns::Vml,
            "mc" => Ns::Compatibility,
            "r" => Ns::Relation,
            _ => Ns::Other,
        }
    }
}

#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

#[derive(Debug)]
pub(super) struct Element {
    pub(super) ns: Ns,
    pub(super) name: Rc<str>,
    attributes: Vec<(Ns, Rc<str>, Box<str>)>,
    pub(super) children: Vec<Node>,
}

impl Element {
    pub(super) fn elements(&self) -> impl DoubleEndedIterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.elements().find(|element| &*element.name == name)
    }

    /// The first element on the path of names.
    pub(super) fn path(&self, names: &[&str]) -> Option<&Element> {
        names.iter().try_fold(self, |element, name| element.child(name))
    }

    /// An attribute by local name. No attribute that we read occurs in two namespaces on one element, except `id`, for
    /// which there is `relation`.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(ns, local, _)| &**local == name && *ns != Ns::Relation).map(|(_, _, v)| &**v)
    }

    /// The relationship id in an attribute such as `r:id`.
    pub(super) fn relation(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(ns, local, _)| &**local == name && *ns == Ns::Relation).map(|(_, _, v)| &**v)
    }

    pub(super) fn value(&self) -> Option<&str> {
        self.attribute("val")
    }

    /// The value of a property stored in a child: `<w:jc w:val="..."/>`.
    pub(super) fn child_value(&self, name: &str) -> Option<&str> {
        self.child(name).and_then(Element::value)
    }

    /// A boolean property, true if present without a value; `None` if absent.
    pub(super) fn toggle(&self, name: &str) -> Option<bool> {
        self.child(name).map(|element| !matches!(element.value(), Some("0" | "false" | "off" | "none")))
    }

    /// This element and all its descendants, in document order.
    pub(super) fn descendants(&self) -> impl Iterator<Item = &Element> {
        let mut stack = vec![self];
        std::iter::from_fn(move || {
            let element = stack.pop()?;
            stack.extend(element.elements().rev());
            Some(element)
        })
    }

    pub(super) fn own_text(&self) -> String {
        self.children
            .iter()
            .filter_map(|node| match node {
                Node::Text(text) => Some(text.as_str()),
                Node::Element(_) => None,
            })
            .collect()
    }

    /// The text of all `t` descendants, paragraphs separated: for comparisons and reports.
    pub(super) fn plain_text(&self) -> String {
        let mut out = String::new();
        for element in self.descendants() {
            match &*element.name {
                "t" | "delText" => out.push_str(&element.own_text()),
                "p" | "tab" | "br" | "tc" => out.push(' '),
                _ => {}
            }
        }
        out
    }
}

/// The tree, and the error if the part is damaged.
pub(super) struct Parsed {
    pub(super) root: Element,
    pub(super) damage: Option<String>,
}

/// `Err` if nothing can be read, or if nesting is too deep.
pub(super) fn parse(bytes: &[u8], most_depth: usize) -> Result<Parsed, ExtractError> {
    let text = decode(bytes, declared_encoding(bytes));
    let mut reader = NsReader::from_str(&text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    config.expand_empty_elements = true;
    let mut tree = Tree { names: HashSet::new(), open: Vec::new(), skipping: 0, root: None };
    let damage = loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                if tree.open.len() + tree.skipping >= most_depth {
                    return Err(ExtractError::malformed(format!("elements are nested more than {most_depth} deep")));
                }
                tree.start(&start, &reader);
            }
            Ok(Event::End(_)) => tree.end(),
            Ok(Event::Text(text)) => tree.text(&text.xml10_content()),
            Ok(Event::CData(text)) => tree.text(&text.xml10_content()),
            Ok(Event::GeneralRef(reference)) => {
                let name = reference.xml10_content();
                match reference.resolve_char_ref() {
                    Ok(Some(c)) => tree.text(c.encode_utf8(&mut [0; 4])),
                    _ => match quick_xml::escape::resolve_predefined_entity(&name) {
                        Some(text) => tree.text(text),
                        None => tree.text(&format!("&{name};")),
                    },
                }
            }
            Ok(Event::Eof) => break (!tree.open.is_empty()).then(|| "unexpected end".to_owned()),
            Ok(_) => {}
            Err(error) => break Some(error.to_string()),
        }
    };
    while !tree.open.is_empty() {
        tree.skipping = 0;
        tree.end();
    }
    match (tree.root, damage) {
        (Some(root), damage) => Ok(Parsed { root, damage }),
        (None, damage) => Err(ExtractError::malformed(damage.unwrap_or_else(|| "a part is empty".to_owned()))),
    }
}

struct Tree {
    names: HashSet<Rc<str>>,
    open: Vec<Element>,
    /// Number of open elements that are skipped.
    skipping: usize,
    root: Option<Element>,
}

impl Tree {
    fn start(&mut self, start: &BytesStart<'_>, reader: &NsReader<&[u8]>) {
        let (ns, local) = reader.resolver().resolve_element(start.name());
        let ns = namespace(&ns);
        let name: &str = local.into_inner();
        if self.skipping > 0 || self.open.last().is_some_and(|parent| is_dead_weight(parent, ns, name)) {
            self.skipping += 1;
            return;
        }
        let name = self.name(name);
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false).flatten() {
            let (ns, local) = reader.resolver().resolve_attribute(attribute.key);
            let local: &str = local.into_inner();
            // Revision ids make up half of a document's attributes.
            if local.starts_with("rsid") || attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned);
            let local = self.name(local);
            attributes.push((namespace(&ns), local, value.into_boxed_str()));
        }
        self.open.push(Element { ns, name, attributes, children: Vec::new() });
    }

    fn end(&mut self) {
        if self.skipping > 0 {
            self.skipping -= 1;
            return;
        }
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None if self.root.is_none() => self.root = Some(element),
            None => {}
        }
    }

    fn text(&mut self, text: &str) {
        if self.skipping > 0 {
            return;
        }
        let Some(parent) = self.open.last_mut() else { return };
        // White space between other elements is indentation.
        if text.trim().is_empty() && !is_text(&parent.name) {
            return;
        }
        match parent.children.last_mut() {
            Some(Node::Text(before)) => before.push_str(text),
            _ => parent.children.push(Node::Text(text.to_owned())),
        }
    }

    fn name(&mut self, name: &str) -> Rc<str> {
        if let Some(known) = self.names.get(name) {
            return Rc::clone(known);
        }
        let name: Rc<str> = name.into();
        self.names.insert(Rc::clone(&name));
        name
    }
}

fn is_text(name: &str) -> bool {
    matches!(name, "t" | "delText" | "instrText" | "title" | "v")
}

/// Elements without meaning for the text, which make up most of a document: fonts, spacing, languages, spelling marks.
fn is_dead_weight(parent: &Element, ns: Ns, name: &str) -> bool {
    if ns != Ns::Word {
        return false;
    }
    let kept = [
        "vanish",
        "rStyle",
        "vertAlign",
        "strike",
        "dstrike",
        "ins",
        "del",
        "moveFrom",
        "moveTo",
        "color",
        "shd",
        "highlight",
        "sz",
    ];
    matches!(name, "proofErr" | "lastRenderedPageBreak" | "bookmarkStart" | "bookmarkEnd" | "noProof")
        || (&*parent.name == "rPr" && !kept.contains(&name))
}

fn namespace(result: &ResolveResult<'_>) -> Ns {
    match result {
        ResolveResult::Bound(namespace) => Ns::of(namespace.into_inner()),
        ResolveResult::Unbound => Ns::Other,
        ResolveResult::Unknown(prefix) => Ns::of_prefix(prefix),
    }
}

/// The label in `<?xml version="1.0" encoding="..."?>`.
fn declared_encoding(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(200)];
    let end = head.windows(2).position(|w| w == b"?>")?;
    let at = head[..end].windows(9).position(|w| w == b"encoding=")? + 10;
    let label = head[..end].get(at..)?;
    let length = label.iter().position(|b| matches!(b, b'"' | b'\''))?;
    Some(&label[..length])
}
