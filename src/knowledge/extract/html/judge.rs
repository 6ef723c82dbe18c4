//! Decides which parts of a page to leave out: only what is provably not content, namely scripts, permanently hidden
//! parts, and clear navigation (menus full of links, cookie banners). In doubt a part is kept.
//!
//! `main` and `article` are not trusted to be the whole content: pages also use them for teasers and empty frames.

use std::collections::HashSet;

use super::{
    super::LeftOutKind,
    dom::{Handle, ancestors, attribute, attribute_is, descendants, elements, name, plain_text, role, text, tokens},
    fields::is_tex_source,
    styles::Styles,
};

/// Ids of panels that something on the page opens; their text is reachable by a click, so it is not hidden.
#[derive(Default)]
pub(super) struct Opened {
    ids: HashSet<String>,
    /// Addresses of nodes directly followed by the TeX source that they render.
    before_source: HashSet<usize>,
    pub(super) styles: Styles,
}

/// Menus and banners have fewer elements; also bounds the running time.
const MAX_FURNITURE: usize = 5000;

impl Opened {
    pub(super) fn of(document: &Handle) -> Self {
        let mut ids = HashSet::new();
        let mut before_source = HashSet::new();
        for node in descendants(document) {
            let children = node.children.borrow();
            for at in (0..children.len()).filter(|at| is_tex_source(&children[*at])) {
                before_source.extend(children[at.saturating_sub(3)..at].iter().map(address));
            }
            for key in ["aria-controls", "data-target", "data-bs-target", "popovertarget", "commandfor"] {
                let value = attribute(&node, key).unwrap_or_default();
                ids.extend(value.split_whitespace().map(|id| id.trim_start_matches('#').to_owned()));
            }
            let opens = ["data-toggle", "data-bs-toggle", "aria-expanded", "aria-selected"];
            let opens = role(&node) == "tab" || opens.iter().any(|key| attribute(&node, key).is_some());
            if let Some(id) = attribute(&node, "href").filter(|href| opens && href.starts_with('#')) {
                ids.insert(id.trim_start_matches('#').to_owned());
            }
        }
        ids.remove("");
        Opened { ids, before_source, styles: Styles::of(document) }
    }

    /// `MathJax` 2 keeps the source in a script after the rendered formula.
    pub(super) fn is_followed_by_source(&self, node: &Handle) -> bool {
        self.before_source.contains(&address(node))
    }

    fn has(&self, node: &Handle) -> bool {
        let panel = ["accordion", "collapse", "collapsible", "collapsed", "panel", "tabpanel", "tabs", "tab", "pane"];
        let panel_like = || tokens(node).iter().any(|word| panel.contains(&word.as_str()));
        attribute(node, "id").is_some_and(|id| self.ids.contains(&id))
            || role(node) == "tabpanel"
            || attribute(node, "popover").is_some()
            || panel_like()
    }
}

fn address(node: &Handle) -> usize {
    std::rc::Rc::as_ptr(node).addr()
}

/// Why an element is left out, or `None` to keep it.
pub(super) fn left_out(node: &Handle, opened: &Opened) -> Option<LeftOutKind> {
    let tag = name(node);
    match tag {
        "" | "html" | "body" => return None,
        "script" | "style" | "link" | "meta" | "base" => return Some(LeftOutKind::Script),
        "template" | "rp" | "datalist" | "noembed" => return Some(LeftOutKind::Hidden),
        _ => {}
    }
    if (is_hidden(node) || opened.styles.hides(node)) && !opened.has(node) {
        return Some(LeftOutKind::Hidden);
    }
    is_furniture(node, tag).then_some(LeftOutKind::Navigation)
}

fn is_hidden(node: &Handle) -> bool {
    let until_found = || attribute_is(node, "hidden", "until-found");
    if attribute(node, "hidden").is_some() && !until_found() {
        return true;
    }
    let style = attribute(node, "style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    if style.contains("display:none") || style.contains("visibility:hidden") || style.contains("visibility:collapse") {
        return true;
    }
    false
}

/// An icon font's ligature, hidden from screen readers; other `aria-hidden` text is visible.
fn is_icon(node: &Handle) -> bool {
    attribute_is(node, "aria-hidden", "true") && matches!(name(node), "i" | "span" | "em" | "b") && {
        let named = tokens(node);
        let icon = ["icon", "icons", "fa", "glyphicon", "symbols"];
        let text = plain_text(node);
        named.iter().any(|word| icon.contains(&word.as_str())) && text.split_whitespace().count() <= 1
    }
}

fn is_furniture(node: &Handle, tag: &str) -> bool {
    let role = role(node);
    if is_icon(node) || is_cookie_banner(node, tag, &role) {
        return true;
    }
    match (tag, role.as_str()) {
        ("nav", _) | (_, "navigation" | "menu" | "menubar" | "toolbar") => Links::of(node).share() >= 0.5,
        ("header" | "footer" | "aside", _) | (_, "banner" | "contentinfo" | "complementary") => {
            !is_within_content(node) && !has_content(node) && Links::of(node).share() >= 0.6
        }
        ("a", _) => {
            let is_skip = tokens(node).iter().any(|word| word == "skip") || is_permalink(node);
            is_skip && attribute(node, "href").is_some_and(|href| href.starts_with('#'))
        }
        ("button", _) => tokens(node).iter().any(|word| matches!(word.as_str(), "copy" | "clipboard")),
        ("div" | "ul" | "ol" | "section" | "p" | "td", _) => {
            let menu =
                ["menu", "nav", "navbar", "navigation", "breadcrumb", "breadcrumbs", "pagination", "pager", "topnav"];
            let says_menu = tokens(node).iter().any(|word| menu.contains(&word.as_str()));
            says_menu && {
                let links = Links::of(node);
                links.count >= 2 && links.share() >= 0.7 && !has_content(node)
            }
        }
        _ => false,
    }
}

/// The anchor symbol beside a heading that links to the heading itself.
fn is_permalink(node: &Handle) -> bool {
    let text = plain_text(node);
    matches!(text.trim(), "¶" | "#" | "§" | "🔗" | "\u{f0c1}")
}

fn is_within_content(node: &Handle) -> bool {
    ancestors(node).any(|above| matches!(name(&above), "main" | "article") || role(&above) == "main")
}

/// Contains elements that do not occur in menus.
fn has_content(node: &Handle) -> bool {
    descendants(node)
        .skip(1)
        .any(|below| matches!(name(&below), "h1" | "table" | "pre" | "blockquote" | "article" | "math"))
}

fn is_cookie_banner(node: &Handle, tag: &str, role: &str) -> bool {
    if !matches!(tag, "div" | "section" | "aside" | "dialog" | "form" | "footer" | "header") {
        return false;
    }
    let words =
        ["cookie", "cookies", "consent", "gdpr", "onetrust", "cookiebot", "didomi", "cookieconsent", "usercentrics"];
    let mut named = tokens(node);
    named.extend(attribute(node, "aria-label").unwrap_or_default().split_whitespace().map(str::to_lowercase));
    if !named.iter().any(|word| words.contains(&word.as_str())) || is_within_content(node) {
        return false;
    }
    if descendants(node).take(MAX_FURNITURE).count() == MAX_FURNITURE {
        return false;
    }
    let text = plain_text(node);
    let speaks_of_it = ["cookie", "consent", "файл", "куки"].iter().any(|word| text.to_lowercase().contains(word));
    let has_button = descendants(node).any(|below| {
        matches!(name(&below), "button" | "input") || self::role(&below) == "button" || name(&below) == "a"
    });
    let is_dialog = tag == "dialog" || matches!(role, "dialog" | "alertdialog" | "region");
    speaks_of_it && (has_button || is_dialog) && text.chars().count() < 3000
}

/// How much of an element's text is in links.
struct Links {
    all: usize,
    linked: usize,
    count: usize,
}

impl Links {
    fn of(root: &Handle) -> Self {
        let mut links = Links { all: 0, linked: 0, count: 0 };
        let mut seen = 0;
        let mut stack = vec![(root.clone(), false)];
        while let Some((node, within)) = stack.pop() {
            let tag = name(&node);
            if matches!(tag, "script" | "style" | "template" | "noscript") || is_hidden(&node) {
                continue;
            }
            let is_link = (tag == "a" && attribute(&node, "href").is_some())
                || matches!(tag, "button" | "select" | "input" | "label")
                || matches!(role(&node).as_str(), "menuitem" | "button" | "link");
            seen += 1;
            if seen > MAX_FURNITURE {
                return Links { all: 1, linked: 0, count: 0 };
            }
            links.count += usize::from(is_link);
            if let Some(text) = text(&node) {
                let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
                links.all += letters;
                links.linked += if within { letters } else { 0 };
            }
            stack.extend(node.children.borrow().iter().map(|child| (child.clone(), within || is_link)));
        }
        links
    }

    fn share(&self) -> f64 {
        if self.all == 0 { 1.0 } else { self.linked as f64 / self.all as f64 }
    }
}

/// Line numbers beside code.
pub(super) fn is_gutter(node: &Handle) -> bool {
    let gutter = ["linenos", "lineno", "linenumber", "linenumbers", "gutter", "linenodiv"];
    let named = tokens(node);
    (named.iter().any(|word| gutter.contains(&word.as_str())) || named.windows(2).any(|w| w == ["line", "numbers"]))
        && plain_text(node).chars().all(|c| c.is_ascii_digit() || c.is_whitespace())
}

/// Whether any of these elements is a descendant, searched breadth-first.
pub(super) fn has_below(node: &Handle, names: &[&str]) -> bool {
    descendants(node).skip(1).any(|below| names.contains(&name(&below)))
}

/// A table row, in HTML or ARIA.
pub(super) fn is_row(node: &Handle) -> bool {
    name(node) == "tr" || role(node) == "row"
}

pub(super) fn has_elements(node: &Handle) -> bool {
    !elements(node).is_empty()
}
