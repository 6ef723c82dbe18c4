//! Converts the DOM into pieces: headings, paragraphs, lists, code, tables.

use std::collections::HashSet;

use super::{
    super::{
        BlockKind, ExtractError, LeftOutKind, Limits,
        formula::{lowered, raised},
    },
    blocks::{heading, is_block},
    dom::{Handle, attribute, first_attribute, is_html, name, plain_text, template_contents, text},
    fields::is_tex_source,
    judge::{Opened, has_below, is_gutter, left_out},
    lists::Marks,
    pieces::Piece,
    struck::is_struck,
    tables::{is_data, is_table},
};

/// Maximum nesting of pages within pages (`srcdoc`).
const MAX_NESTED: usize = 3;

/// Findings besides the text.
#[derive(Default)]
pub(super) struct Found {
    pub(super) images_without_text: u32,
    pub(super) form_fields: u32,
    pub(super) left_out: Vec<(LeftOutKind, String)>,
    /// `noscript` content.
    pub(super) without_script: Vec<String>,
}

enum Step {
    Enter(Handle),
    Leave(Handle),
}

pub(super) struct Walk<'a> {
    pub(super) limits: &'a Limits,
    pub(super) opened: &'a Opened,
    pub(super) found: &'a mut Found,
    pub(super) pieces: Vec<Piece>,
    /// The text of the current block.
    pub(super) inline: String,
    /// Open lists; while there are any, all text is one block.
    pub(super) lists: Vec<Marks>,
    /// Number of open `<pre>` elements, where white space counts.
    pub(super) pre: usize,
    /// Number of open headings; inside, block elements are part of the line.
    pub(super) headings: usize,
    /// The previous output was a link, button or separate word: insert a space before the next text.
    pub(super) apart: bool,
    /// Where superscript and subscript text starts, and the number of blocks then.
    pub(super) scripts: Vec<(usize, usize)>,
    /// Abbreviations and link destinations that were already written.
    pub(super) explained: HashSet<String>,
    /// Where struck text starts, and the number of blocks then.
    pub(super) struck: Vec<(usize, usize)>,
    /// Open figures: whether they have a caption.
    pub(super) captions: Vec<bool>,
    /// Where the text of an open link starts, and the number of blocks then.
    pub(super) links: Vec<(usize, usize)>,
    /// Link destinations in a heading or superscript, to be written after it.
    pub(super) aside: Vec<String>,
    depth: usize,
    /// Keep menus and banners, because there would be no text otherwise.
    pub(super) keep_furniture: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(limits: &'a Limits, opened: &'a Opened, found: &'a mut Found) -> Self {
        Walk {
            limits,
            opened,
            found,
            pieces: Vec::new(),
            inline: String::new(),
            lists: Vec::new(),
            pre: 0,
            headings: 0,
            apart: false,
            scripts: Vec::new(),
            explained: HashSet::new(),
            struck: Vec::new(),
            captions: Vec::new(),
            links: Vec::new(),
            aside: Vec::new(),
            depth: 0,
            keep_furniture: false,
        }
    }

    /// The pieces of the children of `node`, on their own: for cells.
    pub(super) fn within(&mut self, node: &Handle) -> Result<Vec<Piece>, ExtractError> {
        let mut walk = Walk::new(self.limits, self.opened, self.found);
        walk.explained = std::mem::take(&mut self.explained);
        walk.captions.clone_from(&self.captions);
        // The cell is inside struck-out content.
        walk.struck = if self.struck.is_empty() { Vec::new() } else { vec![(0, 0)] };
        (walk.depth, walk.keep_furniture) = (self.depth, self.keep_furniture);
        let mut stack: Vec<Step> = node.children.borrow().iter().rev().cloned().map(Step::Enter).collect();
        walk.steps(&mut stack)?;
        let (pieces, explained) = (std::mem::take(&mut walk.pieces), std::mem::take(&mut walk.explained));
        self.explained = explained;
        Ok(pieces)
    }

    pub(super) fn run(&mut self, root: Handle) -> Result<(), ExtractError> {
        self.steps(&mut vec![Step::Enter(root)])
    }

    fn steps(&mut self, stack: &mut Vec<Step>) -> Result<(), ExtractError> {
        while let Some(step) = stack.pop() {
            match step {
                Step::Leave(node) => self.leave(&node),
                Step::Enter(node) => {
                    if self.is_left_out(&node) || self.is_read_apart(&node)? || self.write_text_equivalent(&node) {
                        continue;
                    }
                    self.enter(&node);
                    stack.push(Step::Leave(node.clone()));
                    stack.extend(node.children.borrow().iter().rev().cloned().map(Step::Enter));
                    // A shadow root comes before its slotted content.
                    if let Some(content) = template_contents(&node) {
                        stack.extend(content.children.borrow().iter().rev().cloned().map(Step::Enter));
                    }
                }
            }
        }
        self.flush();
        Ok(())
    }

    fn is_left_out(&mut self, node: &Handle) -> bool {
        if is_tex_source(node) {
            self.word(&plain_text(node));
            return true;
        }
        if matches!(name(node), "noscript" | "noframes") {
            self.found.without_script.push(plain_text(node));
            return true;
        }
        if name(node) == "head" || name(node) == "title" && is_html(node) {
            let programs = super::dom::descendants(node).filter(|node| matches!(name(node), "script" | "style"));
            let texts: Vec<String> = programs.map(|program| plain_text(&program)).collect();
            for text in &texts {
                self.leave_out(LeftOutKind::Script, text);
            }
            return true;
        }
        let is_shadow = name(node) == "template"
            && (attribute(node, "shadowrootmode").is_some() || attribute(node, "shadowroot").is_some());
        if is_shadow {
            return false;
        }
        match left_out(node, self.opened) {
            Some(LeftOutKind::Navigation) if self.keep_furniture => false,
            Some(_) => {
                self.reject(node);
                // A block that was left out still separates the words around it.
                if is_block(name(node)) {
                    self.apart = true;
                }
                true
            }
            None if is_gutter(node) => {
                self.reject(node);
                true
            }
            None => false,
        }
    }

    /// Records text that is left out, except formulas in it that are only hidden because a rendering is shown.
    pub(super) fn reject(&mut self, node: &Handle) {
        let kind = left_out(node, self.opened).unwrap_or(LeftOutKind::Navigation);
        self.leave_out(kind, &plain_text(node));
    }

    pub(super) fn leave_out(&mut self, kind: LeftOutKind, text: &str) {
        if !text.trim().is_empty() {
            self.found.left_out.push((kind, text.to_owned()));
        }
    }

    /// Reads nested tables and pages.
    fn is_read_apart(&mut self, node: &Handle) -> Result<bool, ExtractError> {
        if is_table(node) && is_data(node) {
            self.break_list();
            self.table(node)?;
            return Ok(true);
        }
        if name(node) == "iframe"
            && let Some(inner) = first_attribute(node, &["srcdoc"])
            && self.depth < MAX_NESTED
        {
            self.break_list();
            let document = super::dom::parse(&super::repair::repair(&inner), self.limits.depth)?;
            let opened = Opened::of(&document);
            let mut walk = Walk::new(self.limits, &opened, self.found);
            walk.depth = self.depth + 1;
            walk.run(document.clone())?;
            let mut pieces = std::mem::take(&mut walk.pieces);
            self.pieces.append(&mut pieces);
            return Ok(true);
        }
        Ok(false)
    }

    fn enter(&mut self, node: &Handle) {
        if let Some(text) = text(node) {
            self.write_text(&text);
            return;
        }
        match name(node) {
            "br" if self.pre > 0 => self.inline.push('\n'),
            "br" => self.inline.push(' '),
            "ul" | "ol" | "menu" | "dir" => self.open_list(node),
            "li" if !self.lists.is_empty() => self.open_item(node),
            "pre" | "listing" | "xmp" | "plaintext" => {
                if self.pre == 0 {
                    self.break_list();
                }
                self.pre += 1;
            }
            tag if heading(tag).is_some() => {
                self.boundary();
                self.headings += 1;
            }
            "sup" | "sub" => self.scripts.push((self.inline.len(), self.pieces.len())),
            "a" => self.open_link(),
            "button" | "label" | "option" | "summary" if self.apart => self.separate_words(),
            "q" => self.write_text("\""),
            _ if is_struck(node) => self.start_struck(),
            "figure" => {
                self.boundary();
                self.captions.push(has_below(node, &["figcaption"]));
            }
            tag if is_block(tag) || self.opened.styles.is_block(node) => self.boundary(),
            // Separate words of adjacent custom elements.
            tag if tag.contains('-') => self.separate_words(),
            _ => {}
        }
    }

    fn leave(&mut self, node: &Handle) {
        match name(node) {
            "ul" | "ol" | "menu" | "dir" => self.close_list(),
            "pre" | "listing" | "xmp" | "plaintext" if self.pre > 0 => {
                self.pre -= 1;
                if self.pre == 0 {
                    self.end_lines(BlockKind::Code);
                }
            }
            "sup" | "sub" => self.end_script(name(node) == "sup"),
            "a" => self.close_link(node),
            "button" | "label" | "option" => self.apart = true,
            _ if is_struck(node) => self.end_struck(),
            "figure" => {
                self.captions.pop();
                self.boundary();
            }
            "abbr" | "acronym" | "dfn" => self.explain(node),
            "q" => self.write_text("\""),
            tag if heading(tag).is_some() => {
                self.headings = self.headings.saturating_sub(1);
                if self.headings == 0 && self.lists.is_empty() && self.pre == 0 {
                    let text = self.take_line(false);
                    self.pieces.push(Piece::Heading(heading(tag).unwrap_or(6), text));
                    self.write_aside();
                } else {
                    self.boundary();
                }
            }
            tag if is_block(tag) || self.opened.styles.is_block(node) => self.boundary(),
            tag if tag.contains('-') => self.apart = true,
            _ => {}
        }
    }

    fn end_script(&mut self, is_raised: bool) {
        let Some((start, pieces)) = self.scripts.pop() else { return };
        if pieces != self.pieces.len() || start > self.inline.len() || self.pre > 0 {
            return;
        }
        let inner = self.inline.split_off(start);
        let before = self.inline.chars().next_back();
        self.inline.push_str(&if is_raised { raised(before, &inner) } else { lowered(before, &inner) });
        if self.scripts.is_empty() && self.headings == 0 {
            for address in std::mem::take(&mut self.aside) {
                self.write_after(&address);
            }
        }
    }

    /// Writes the expansion of an abbreviation on its first use.
    fn explain(&mut self, node: &Handle) {
        let Some(title) = first_attribute(node, &["title"]) else { return };
        let short = plain_text(node);
        if !title.trim().eq_ignore_ascii_case(short.trim()) && self.explained.insert(title.clone()) {
            self.inline.extend([" (", title.trim(), ")"]);
            self.apart = true;
        }
    }

    fn write_text(&mut self, text: &str) {
        if self.apart && !text.is_empty() {
            if text.starts_with(char::is_alphanumeric) && self.pre == 0 {
                self.separate_words();
            }
            self.apart = false;
        }
        push_text(&mut self.inline, text, self.pre > 0);
    }

    /// Writes a separate word.
    pub(super) fn word(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.separate_words();
        let mut line = String::new();
        push_text(&mut line, text.trim(), false);
        self.inline.push_str(&line);
        self.apart = true;
    }

    pub(super) fn separate_words(&mut self) {
        if self.inline.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ':' | ',' | '.' | ')' | ']' | '%' | '~'))
        {
            self.inline.push(' ');
        }
        self.apart = false;
    }

    /// Separates two blocks; within a list or code, which is a single block, at least separates words.
    pub(super) fn boundary(&mut self) {
        self.apart = false;
        if self.lists.is_empty() && self.pre == 0 && self.headings == 0 {
            return self.flush();
        }
        let stop: &[char] = if self.pre > 0 { &['\n'] } else { &[' ', '\n'] };
        if !self.inline.is_empty() && !self.inline.ends_with(stop) {
            self.inline.push(if self.pre > 0 { '\n' } else { ' ' });
        }
    }

    /// Ends the current list block for code or a table within an item; the list continues after it.
    fn break_list(&mut self) {
        if self.lists.is_empty() {
            return self.flush();
        }
        self.end_lines(BlockKind::List);
    }

    pub(super) fn end_lines(&mut self, kind: BlockKind) {
        self.apart = false;
        let text = self.take_line(kind == BlockKind::List);
        if !text.trim().is_empty() {
            self.pieces.push(Piece::Lines(kind, text));
        }
    }

    pub(super) fn flush(&mut self) {
        self.apart = false;
        let text = self.take_line(!self.lists.is_empty());
        if !text.trim().is_empty() {
            let in_list = !self.lists.is_empty();
            self.pieces.push(if in_list { Piece::Lines(BlockKind::List, text) } else { Piece::Paragraph(text) });
        }
    }
}

/// Line ends in the source become spaces, except in `<pre>`.
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
