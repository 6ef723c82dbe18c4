//! XML as the S3 API speaks it: answers are written element by element, bodies are read into a small tree.
//!
//! A body is refused rather than read in part: an element that nobody looks at may be the one that the client relies on.

use std::fmt::{Display, Write as _};

use bytes::Bytes;
use quick_xml::{Reader, events::Event};

use crate::errors::{MALFORMED_XML, S3Error};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Elements within elements: lifecycle rules have six.
const DEEPEST: usize = 16;

/// An answer that is being written.
#[derive(Debug)]
pub(crate) struct Xml {
    text: String,
    /// Elements that are open, the root first.
    open: Vec<&'static str>,
}

impl Xml {
    /// With a root in S3's namespace.
    pub fn new(root: &'static str) -> Self {
        let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\">");
        Self { text, open: vec![root] }
    }

    /// With a root without a namespace, as errors have it.
    pub fn bare(root: &'static str) -> Self {
        Self { text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>"), open: vec![root] }
    }

    pub fn text(&mut self, name: &str, value: impl Display) -> &mut Self {
        // Writing to a String cannot fail.
        let _ = write!(self.text, "<{name}>{}</{name}>", Escaped(&value.to_string()));
        self
    }

    /// Text of the element that is open.
    pub fn value(&mut self, value: impl Display) -> &mut Self {
        let _ = write!(self.text, "{}", Escaped(&value.to_string()));
        self
    }

    /// Nothing where there is no value.
    pub fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    pub fn open(&mut self, name: &'static str) -> &mut Self {
        let _ = write!(self.text, "<{name}>");
        self.open.push(name);
        self
    }

    /// As [`Self::open`], with attributes that are written as they are.
    pub fn open_with(&mut self, name: &'static str, attributes: &'static str) -> &mut Self {
        let _ = write!(self.text, "<{name} {attributes}>");
        self.open.push(name);
        self
    }

    /// Closes what was opened last.
    pub fn close(&mut self) -> &mut Self {
        if let Some(name) = self.open.pop() {
            let _ = write!(self.text, "</{name}>");
        }
        self
    }

    /// The whole answer: closes what is open.
    pub fn end(mut self) -> Bytes {
        while !self.open.is_empty() {
            self.close();
        }
        self.text.into()
    }
}

/// A text as content of an element. What XML 1.0 cannot carry at all becomes a character reference, as with Amazon: lists encode such keys.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| matches!(c, '&' | '<' | '>' | '"' | '\'') || is_control(c)) {
            f.write_str(&rest[..at])?;
            let mut chars = rest[at..].chars();
            match chars.next() {
                Some('&') => f.write_str("&amp;")?,
                Some('<') => f.write_str("&lt;")?,
                Some('>') => f.write_str("&gt;")?,
                Some('"') => f.write_str("&quot;")?,
                Some('\'') => f.write_str("&apos;")?,
                Some(c) => write!(f, "&#x{:X};", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// White space is kept by a parser only as a reference; U+FFFE and U+FFFF are no characters of XML.
fn is_control(c: char) -> bool {
    c < ' ' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}')
}

/// An element of a body: names are local, without their prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub name: String,
    text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// Reads a whole body, whose root must have this name.
    pub fn parse(body: &[u8], root: &str) -> Result<Self, S3Error> {
        let text = std::str::from_utf8(body).map_err(|_| MALFORMED_XML.with("the body is not UTF-8"))?;
        let found = tree(text.trim_start_matches('\u{feff}'))?;
        if found.name == root {
            Ok(found)
        } else {
            Err(MALFORMED_XML.with(format!("expected {root}, found {}", found.name)))
        }
    }

    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// What stands in it, without white space around it.
    pub fn value(&self) -> &str {
        self.text.trim()
    }

    /// What stands in it: of keys and tags every character counts.
    pub fn exact(&self) -> &str {
        &self.text
    }

    /// The value of a child.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::value)
    }

    pub fn need(&self, name: &str) -> Result<&str, S3Error> {
        self.get(name).ok_or_else(|| MALFORMED_XML.with(format!("{} needs {name}", self.name)))
    }

    /// A number in a child, if it is there.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, S3Error> {
        let parse = |text: &str| {
            text.parse().map_err(|_| MALFORMED_XML.with(format!("{name}: {text:?} is no number that fits")))
        };
        self.get(name).map(parse).transpose()
    }

    /// Err if it has children with other names: what is not looked at is refused, by its name.
    pub fn only(&self, names: &[&str]) -> Result<(), S3Error> {
        match self.children.iter().find(|child| !names.contains(&child.name.as_str())) {
            None => Ok(()),
            Some(other) => Err(S3Error::not_implemented(format!("{} in {} is not implemented", other.name, self.name))),
        }
    }
}

fn tree(text: &str) -> Result<Element, S3Error> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut root): (Vec<Element>, Option<Element>) = (Vec::new(), None);
    loop {
        let event =
            reader.read_event().map_err(|error| MALFORMED_XML.with(format!("{}: {error}", MALFORMED_XML.text)))?;
        match event {
            Event::Start(start) => {
                if root.is_some() || open.len() >= DEEPEST {
                    return Err(MALFORMED_XML.with("more than one root, or elements too deep in others"));
                }
                let name: &str = start.local_name().into_inner();
                open.push(Element { name: name.to_owned(), ..Element::default() });
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { return Err(MALFORMED_XML.error()) };
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                match (reference.resolve_char_ref(), quick_xml::escape::resolve_predefined_entity(&name)) {
                    (Ok(Some(c)), _) => add(&mut open, c.encode_utf8(&mut [0; 4])),
                    (Ok(None), Some(text)) => add(&mut open, text),
                    // Entities of one's own are how a small body becomes a large one.
                    _ => return Err(MALFORMED_XML.with(format!("&{name}; is not known"))),
                }
            }
            Event::DocType(_) => return Err(MALFORMED_XML.with("a document type is not permitted")),
            Event::Eof if open.is_empty() => return root.ok_or_else(|| MALFORMED_XML.error()),
            Event::Eof => return Err(MALFORMED_XML.with("the body ends within an element")),
            _ => {}
        }
    }
}

/// White space between elements stays where it is: nobody asks for it.
fn add(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}
