//! Tells HTML elements in Markdown text from other `<...>`: `<region>`, `Vec<u8>`, `<Tabs>`.

use std::collections::HashMap;

/// HTML, SVG and `MathML` elements, current and obsolete.
const ELEMENTS: &str = "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button \
    canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed \
    fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i \
    iframe img input ins kbd label legend li link main map mark marquee math menu meta meter nav nobr noframes \
    noscript object ol optgroup option output p param picture pre progress q rb rp rt rtc ruby s samp script \
    search section select slot small source span strike strong style sub summary sup svg table tbody td template \
    textarea tfoot th thead time title tr track tt u ul var video wbr annotation annotation-xml circle clippath \
    defs desc ellipse foreignobject g line lineargradient maction merror mfrac mi mmultiscripts mn mo mover \
    mpadded mphantom mroot mrow ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover \
    path pattern polygon polyline radialgradient rect semantics stop symbol text tspan use";

/// Elements that count as markup even without attributes or an end tag, or whose end tag may be omitted or far away.
const ALONE: &str = "br hr wbr p li dt dd tr td th thead tbody tfoot div table ul ol dl blockquote center details section article \
    main figure html body head pre";

/// Longer than any tag without an embedded image; bounds the search for the end of a tag.
const LONGEST_TAG: usize = 20_000;

/// A tag: `<name ...>` or `</name>`.
pub(super) struct Tag<'a> {
    pub(super) name: String,
    pub(super) closing: bool,
    /// The text between the name and `>`.
    pub(super) attributes: &'a str,
    text: &'a str,
}

impl<'a> Tag<'a> {
    /// Parses the tag at the start of `text`, up to the first unquoted `>`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let inner = text.strip_prefix('<')?;
        let closing = inner.starts_with('/');
        let inner = inner.strip_prefix('/').unwrap_or(inner);
        if !inner.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let mut quote = None;
        let end = inner.char_indices().take(LONGEST_TAG).find(|(_, c)| {
            match quote {
                Some(open) if open == *c => quote = None,
                None if matches!(c, '"' | '\'') => quote = Some(*c),
                _ => {}
            }
            quote.is_none() && *c == '>'
        });
        let end = end.map(|(at, _)| at)?;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        let name_end = inner[..end].find(|c| !is_name(c)).unwrap_or(end);
        let text = &text[..=text.len() - inner.len() + end];
        let attributes = inner[name_end..end].trim().trim_end_matches('/').trim_end();
        Some(Tag { name: inner[..name_end].to_owned(), closing, attributes, text })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        let mut rest = self.attributes;
        while let Some((key, after)) = rest.split_once('=') {
            let key = key.rsplit(char::is_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
            let after = after.trim_start();
            let (value, behind) = match after.chars().next() {
                Some(quote @ ('"' | '\'')) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                _ => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            if key.eq_ignore_ascii_case(name) {
                return Some(value.replace("&amp;", "&").replace("&quot;", "\""));
            }
            rest = behind;
        }
        None
    }

    fn is_known(&self) -> bool {
        let lower = self.name.to_ascii_lowercase();
        // `<Title>` and `<Table>` are components or types; `<BR>` and `<br>` are HTML.
        let mixed =
            self.name.chars().any(|c| c.is_ascii_lowercase()) && self.name.chars().any(|c| c.is_ascii_uppercase());
        let camel = matches!(lower.as_str(), "clippath" | "foreignobject" | "lineargradient" | "radialgradient");
        ELEMENTS.split(' ').any(|known| known == lower) && (!mixed || camel)
    }
}

/// Positions of all opening and closing tags of a text, by name.
pub(super) struct Tags {
    opened: HashMap<String, Vec<usize>>,
    closed: HashMap<String, Vec<usize>>,
}

impl Tags {
    pub(super) fn of(source: &str) -> Self {
        let mut tags = Tags { opened: HashMap::new(), closed: HashMap::new() };
        for (at, _) in source.match_indices('<') {
            let rest = &source.as_bytes()[at + 1..];
            let closing = rest.first() == Some(&b'/');
            let name: String = rest[usize::from(closing)..]
                .iter()
                .take(20)
                .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
                .map(|b| char::from(b.to_ascii_lowercase()))
                .collect();
            if !name.is_empty() {
                let places = if closing { &mut tags.closed } else { &mut tags.opened };
                places.entry(name).or_default().push(at);
            }
        }
        tags
    }

    /// Whether the tag at `at` is markup. `within`: the byte range of the paragraph or block in which its counterpart
    /// must be.
    pub(super) fn is_markup(&self, tag: &Tag<'_>, at: usize, within: &std::ops::Range<usize>) -> bool {
        if !tag.is_known() {
            return false;
        }
        let name = tag.name.to_ascii_lowercase();
        if ALONE.split(' ').any(|known| known == name) || !tag.attributes.is_empty() {
            return true;
        }
        let places = if tag.closing { self.opened.get(&name) } else { self.closed.get(&name) };
        let Some(places) = places else { return false };
        let next = places.partition_point(|place| *place < at);
        if tag.closing {
            next > 0 && places[next - 1] >= within.start
        } else {
            places.get(next).is_some_and(|place| *place < within.end)
        }
    }
}

/// Prepares an HTML block for the HTML reader: passes comments to `comment`, and escapes tags that are not elements.
/// `at` is the block's position in the source of `tags`.
pub(super) fn only_elements(block: &str, at: usize, tags: &Tags, mut comment: impl FnMut(&str)) -> String {
    let mut out = String::new();
    let mut rest = block;
    let everywhere = 0..usize::MAX;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let here = at + block.len() - rest.len();
        if let Some(inner) = rest.strip_prefix("<!--") {
            let end = inner.find("-->").unwrap_or(inner.len());
            comment(&inner[..end]);
            rest = inner.get(end + 3..).unwrap_or("");
            out.push(' ');
        } else if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            let end = inner.find("]]>").unwrap_or(inner.len());
            push_escaped(&mut out, &inner[..end]);
            rest = inner.get(end + 3..).unwrap_or("");
        } else if let Some(tag) = Tag::parse(rest) {
            let (text, after) = rest.split_at(tag.text.len());
            rest = after;
            if !tags.is_markup(&tag, here, &everywhere) {
                push_escaped(&mut out, text);
                continue;
            }
            out.push_str(text);
            if !tag.closing && (tag.is("script") || tag.is("style")) {
                // Raw text up to its end tag.
                let is_end = |at: usize| rest.get(at + 2..at + 2 + tag.name.len()).is_some_and(|name| tag.is(name));
                let end = rest.match_indices("</").map(|(at, _)| at).find(|at| is_end(*at)).unwrap_or(rest.len());
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        } else {
            // `<?php ... ?>`, `<!ENTITY ...>` and the like are not HTML, but a doctype is.
            let is_doctype = rest.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
            out.push_str(if is_doctype { "<" } else { "&lt;" });
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

fn push_escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c => out.push(c),
        }
    }
}
