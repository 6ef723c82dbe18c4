//! Text equivalents of elements without text: form fields, images, rendered formulas.

use super::{
    super::LeftOutKind,
    dom::{Handle, attribute, descendants, first, first_attribute, name, plain_text, tokens},
    math,
    walk::Walk,
};

impl Walk<'_> {
    /// Writes the element's text equivalent. `true` if its children need not be read.
    pub(super) fn write_text_equivalent(&mut self, node: &Handle) -> bool {
        match name(node) {
            "img" | "area" => self.picture(node),
            "input" => self.input(node),
            "select" => self.select(node),
            "textarea" => {
                let value = plain_text(node);
                self.found.form_fields += u32::from(!value.trim().is_empty());
                let shown = if value.trim().is_empty() {
                    first_attribute(node, &["placeholder"]).unwrap_or_default()
                } else {
                    value
                };
                self.word(&shown);
            }
            "math" => self.word(&math::linear(node)),
            "svg" => self.drawing(node),
            "iframe" | "frame" | "video" | "audio" | "embed" => {
                if let Some(text) = first_attribute(node, &["title", "aria-label", "alt"]) {
                    self.word(&text);
                }
                return name(node) != "video" && name(node) != "audio";
            }
            "rt" | "rtc" => {
                let text = plain_text(node);
                if !text.trim().is_empty() {
                    self.inline.extend(["(", text.trim(), ")"]);
                }
            }
            "wbr" => {}
            _ => return self.formula(node),
        }
        true
    }

    /// Formulas rendered by `KaTeX`, `MathJax` or a wiki: written once, from their source.
    fn formula(&mut self, node: &Handle) -> bool {
        let named = tokens(node);
        let has = |word: &str| named.iter().any(|token| token == word);
        let tag = name(node);
        let is_drawn = tag == "mjx-container"
            || (tag == "span" || tag == "div" || tag == "section")
                && (named.first().is_some_and(|first| first == "katex" && !has("mathml") && !has("html"))
                    || has("mwe") && has("element")
                    || named.windows(2).any(|w| w == ["math", "jax"]) && !has("assistive"));
        if !is_drawn {
            return false;
        }
        if has("preview") || self.opened.is_followed_by_source(node) {
            self.leave_out(LeftOutKind::Duplicate, &plain_text(node));
            return true;
        }
        let source = first(node, &["math"]).map(|math| math::linear(&math)).filter(|text| !text.is_empty());
        if let Some(text) = source {
            self.word(&text);
            return true;
        }
        false
    }

    fn picture(&mut self, node: &Handle) {
        let alternative = attribute(node, "alt");
        let text = first_attribute(node, &["alt", "title", "aria-label"]);
        match (text, alternative) {
            (Some(text), _) => self.word(&text),
            // An empty `alt` marks a decorative image.
            (None, Some(_)) => {}
            (None, None) if name(node) == "area" => {}
            (None, None) => {
                self.found.images_without_text += u32::from(!self.captions.last().copied().unwrap_or(false));
            }
        }
    }

    fn drawing(&mut self, svg: &Handle) {
        let mut words: Vec<String> = first_attribute(svg, &["aria-label"]).into_iter().collect();
        for node in descendants(svg).filter(|node| matches!(name(node), "title" | "desc" | "text" | "foreignObject")) {
            let within = super::dom::ancestors(&node).any(|above| matches!(name(&above), "text" | "foreignObject"));
            let text = plain_text(&node).split_whitespace().collect::<Vec<_>>().join(" ");
            if !within && !text.is_empty() && !words.contains(&text) {
                words.push(text);
            }
        }
        self.word(&words.join(" "));
    }

    fn input(&mut self, node: &Handle) {
        let kind = attribute(node, "type").unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "hidden" | "password" | "file" => {}
            "checkbox" | "radio" => {
                let checked = attribute(node, "checked").is_some();
                self.found.form_fields += u32::from(checked);
                self.word(if checked { "[x]" } else { "[ ]" });
            }
            "image" => self.picture(node),
            "submit" | "button" | "reset" => self.word(&first_attribute(node, &["value"]).unwrap_or_default()),
            _ => {
                if let Some(value) = first_attribute(node, &["value"]) {
                    self.found.form_fields += 1;
                    self.word(&value);
                } else {
                    // The placeholder of an empty field, often used instead of a label.
                    self.word(&first_attribute(node, &["placeholder"]).unwrap_or_default());
                }
            }
        }
    }

    /// The selected options, or else the first one, which a closed list shows.
    fn select(&mut self, node: &Handle) {
        let options: Vec<Handle> = descendants(node).filter(|node| name(node) == "option").collect();
        let is_chosen = |option: &&Handle| attribute(option, "selected").is_some();
        let mut chosen: Vec<&Handle> = options.iter().filter(is_chosen).collect();
        let is_open = attribute(node, "multiple").is_some() || attribute(node, "size").is_some_and(|s| s.trim() != "1");
        self.found.form_fields += u32::from(!chosen.is_empty());
        if chosen.is_empty() {
            chosen = if is_open { options.iter().collect() } else { options.first().into_iter().collect() };
        }
        let label = |option: &Handle| {
            let text = plain_text(option);
            if text.trim().is_empty() { first_attribute(option, &["label", "value"]).unwrap_or_default() } else { text }
        };
        let shown: Vec<String> = chosen.iter().map(|option| label(option).trim().to_owned()).collect();
        let shown = shown.join(", ");
        self.word(&shown);
        let others = options.iter().filter(|option| !chosen.iter().any(|c| std::rc::Rc::ptr_eq(c, option)));
        let others: Vec<String> = others.map(label).collect();
        self.leave_out(LeftOutKind::Navigation, &others.join(", "));
    }
}

/// `<script type="math/tex">` is a formula, not a program.
pub(super) fn is_tex_source(node: &Handle) -> bool {
    name(node) == "script"
        && attribute(node, "type").is_some_and(|kind| kind.trim().to_ascii_lowercase().starts_with("math/tex"))
}
