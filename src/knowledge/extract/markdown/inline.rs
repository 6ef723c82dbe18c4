//! Inline content: links, images, emphasis, and HTML elements.

use std::ops::Range;

use pulldown_cmark::{CowStr, Event};

use super::{
    super::{LeftOutKind, link::address},
    Link, State, Within,
    tags::Tag,
};

impl<'a> State<'a> {
    pub(super) fn open(&mut self, destination: String, title: String, element: &str) {
        self.start_line();
        self.links.push(Link { start: self.buffer.len(), destination, title, element: element.to_owned() });
    }

    /// Closes the innermost link of this kind, and writes its destination and title after its text.
    pub(super) fn close(&mut self, element: &str) {
        if self.links.last().is_none_or(|link| link.element != element) {
            return;
        }
        let Some(link) = self.links.pop() else { return };
        self.destinations.insert(link.destination.clone());
        let text = self.buffer.get(link.start..).unwrap_or_default().trim().to_owned();
        if element == "!" && text.is_empty() && link.title.is_empty() {
            self.builder.report().images_without_text += 1;
        }
        let destination = address(&link.destination, &text);
        let title = if link.title == text { "" } else { link.title.as_str() };
        let behind =
            [destination.as_str(), title].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ");
        if behind.is_empty() {
            return;
        }
        if self.within == Within::Heading && !text.is_empty() {
            self.aside.push(format!("{text} ({behind})"));
        } else {
            let space = if self.buffer.is_empty() || self.buffer.ends_with([' ', '\n']) { "" } else { " " };
            self.push(&format!("{space}({behind})"));
        }
    }

    /// Restores characters that are not emphasis: asterisks between numbers (`2*3*4`), underscores around a name
    /// (`__init__`). Strikethrough stays marked, because the text is no longer valid.
    pub(super) fn emphasis(&mut self, range: &Range<usize>, opens: bool) {
        let whole = &self.source[range.clone()];
        let mark = &whole[..whole.len() - whole.trim_start_matches(whole.chars().next().unwrap_or_default()).len()];
        let mark = mark.get(..2).unwrap_or(mark);
        let inner = whole.trim_matches(['*', '_', '~']);
        let before = self.source[..range.start].chars().next_back();
        let is_product = mark.starts_with('*')
            && before.is_some_and(char::is_alphanumeric)
            && (before.is_some_and(|c| c.is_ascii_digit()) || inner.starts_with(|c: char| c.is_ascii_digit()));
        let is_name = mark == "__"
            && inner.starts_with(|c: char| c.is_ascii_lowercase())
            && inner.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if is_product || is_name || mark.starts_with('~') {
            let mark = if is_product && !whole.ends_with("**") { "*" } else { mark };
            let mark = mark.to_owned();
            if opens {
                self.push(&mark);
            } else {
                self.buffer.push_str(&mark);
            }
        }
    }

    pub(super) fn inline_html(&mut self, html: &str, at: usize) {
        if let Some(comment) = html.strip_prefix("<!--") {
            self.builder.left_out(LeftOutKind::Comment, comment.trim_end_matches("-->"));
            return;
        }
        if let Some(data) = html.strip_prefix("<![CDATA[") {
            self.push(data.trim_end_matches("]]>"));
            return;
        }
        match Tag::parse(html) {
            Some(tag) if self.tags.is_markup(&tag, at, &self.span) => self.element(&tag),
            _ => self.push(html),
        }
    }

    fn element(&mut self, tag: &Tag<'_>) {
        let name = tag.name.to_ascii_lowercase();
        let of = |key: &str| tag.attribute(key).unwrap_or_default();
        match name.as_str() {
            "br" | "hr" => self.line_break(),
            "img" => {
                self.open(of("src"), of("title"), "!");
                self.push(&of("alt"));
                self.close("!");
            }
            "a" | "abbr" if tag.closing => self.close(&name),
            "a" if of("href").is_empty() => {}
            "a" => self.open(of("href"), of("title"), "a"),
            "abbr" => self.open(String::new(), of("title"), "abbr"),
            "iframe" | "video" | "audio" | "source" | "embed" | "object" => {
                let source = of(if name == "object" { "data" } else { "src" });
                self.open(source, of("title"), "media");
                self.close("media");
            }
            // 10<sup>6</sup> is not 106.
            "sup" if !tag.closing && self.buffer.ends_with(char::is_alphanumeric) => self.push("^"),
            "del" | "s" | "strike" => self.push("~~"),
            "p" | "div" | "ul" | "ol" | "li" | "dl" | "dt" | "dd" | "table" | "tr" | "td" | "th" | "blockquote"
            | "details" | "summary" | "center" | "section" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "pre"
            | "option"
                if !self.buffer.is_empty() && !self.buffer.ends_with([' ', '\n']) =>
            {
                self.buffer.push(' ');
            }
            _ => {}
        }
    }

    /// Filters an event for the HTML renderer inside an HTML table: tags that are not elements become text.
    pub(super) fn literal(&mut self, event: Event<'a>, range: &Range<usize>) -> Event<'a> {
        match event {
            Event::InlineHtml(html) => match Tag::parse(&html) {
                Some(tag) if self.tags.is_markup(&tag, range.start, &(0..usize::MAX)) => Event::InlineHtml(html),
                None if html.starts_with("<!--") => {
                    self.builder.left_out(LeftOutKind::Comment, &html);
                    Event::Text(CowStr::Borrowed(""))
                }
                _ => Event::Text(html),
            },
            event => event,
        }
    }
}
