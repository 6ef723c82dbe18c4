//! Style sheets embedded in a page, as far as they decide whether text is visible.
//!
//! Only simple selectors (`p`, `.note`, `#top`, `p.note.small`) can hide an element; for complex selectors and media
//! queries we only record what they may show. External style sheets are unknown.

use std::collections::{HashMap, HashSet};

use super::dom::{Handle, ancestors, attribute, descendants, is_html, name, plain_text};

/// Maximum rules kept per page.
const MAX_RULES: usize = 5000;
const MAX_RULES_PER_ELEMENT: usize = 100;
/// Offsets beyond this, to the left or top, are outside any page.
const OFF_PAGE: f32 = -900.0;

/// Properties that affect the visibility of text.
const PROPERTIES: [&str; 15] = [
    "display",
    "visibility",
    "opacity",
    "color",
    "background",
    "background-color",
    "background-image",
    "font-size",
    "position",
    "left",
    "top",
    "text-indent",
    "transition",
    "animation",
    "list-style-type",
];

struct Rule {
    tag: String,
    ids: Vec<String>,
    classes: Vec<String>,
    declarations: Vec<Declaration>,
}

#[derive(Clone)]
struct Declaration {
    property: &'static str,
    value: String,
    important: bool,
}

/// The style sheets in a page.
#[derive(Default)]
pub(super) struct Styles {
    /// Rules by a required feature of the element: `.class`, `#id` or tag name.
    rules: HashMap<String, Vec<Rule>>,
    count: usize,
    /// Classes and ids that some rule shows in some state: opened, checked, on a small screen.
    shown: HashSet<String>,
    /// Names used in scripts, which may show the elements with these names.
    named: HashSet<String>,
    has_programs: bool,
    /// The page also uses external style sheets.
    has_others: bool,
}

impl Styles {
    pub(super) fn of(document: &Handle) -> Self {
        let mut styles = Styles::default();
        for node in descendants(document) {
            match name(&node) {
                "style" if is_html(&node) => {
                    let media = attribute(&node, "media").unwrap_or_default().to_ascii_lowercase();
                    let for_some = !matches!(media.trim(), "" | "all" | "screen");
                    styles.sheet(&without_comments(&plain_text(&node)), for_some, 0);
                }
                "link" => {
                    let kind = attribute(&node, "rel").unwrap_or_default().to_ascii_lowercase();
                    styles.has_others |= kind.contains("stylesheet");
                }
                "script" => {
                    let kind = attribute(&node, "type").unwrap_or_default().to_ascii_lowercase();
                    if !kind.contains("json") && !kind.contains("math") && !kind.contains("template") {
                        styles.has_programs = true;
                        styles.note_names(&plain_text(&node));
                    }
                }
                _ => {
                    for key in ["onclick", "onchange", "onmouseover", "onfocus", "onload", "href"] {
                        let code = attribute(&node, key).unwrap_or_default();
                        if key != "href" || code.starts_with("javascript:") {
                            styles.note_names(&code);
                        }
                    }
                }
            }
        }
        styles
    }

    fn note_names(&mut self, program: &str) {
        let words = program.split(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_')));
        self.named.extend(words.filter(|word| word.len() > 1).map(str::to_owned));
    }

    /// `for_some`: the rules apply only under a media query.
    fn sheet(&mut self, css: &str, for_some: bool, depth: usize) {
        let mut rest = css;
        while let Some(open) = rest.find(['{', ';']) {
            let (selectors, behind) = (rest[..open].trim(), &rest[open + 1..]);
            if rest.as_bytes()[open] == b';' {
                // `@import "other.css";`
                self.has_others |= selectors.starts_with("@import");
                rest = behind;
                continue;
            }
            let end = block_end(behind);
            let block = &behind[..end];
            rest = behind.get(end + 1..).unwrap_or_default();
            if selectors.starts_with("@media") || selectors.starts_with("@supports") || selectors.starts_with("@layer")
            {
                let all = matches!(selectors.trim_start_matches("@media").trim(), "all" | "screen")
                    || selectors.starts_with("@layer");
                if depth < 4 {
                    self.sheet(block, for_some || !all, depth + 1);
                }
            } else if !selectors.starts_with('@') && self.count < MAX_RULES {
                self.rule(selectors, &declarations(block.split('{').next().unwrap_or_default()), for_some);
            }
        }
    }

    fn rule(&mut self, selectors: &str, declarations: &[Declaration], for_some: bool) {
        if declarations.is_empty() {
            return;
        }
        for selector in selectors.split(',').map(str::trim) {
            let plain = compound(selector).filter(|_| !for_some);
            let Some((tag, ids, classes)) = plain else {
                if declarations.iter().any(shows) {
                    let last = selector.rsplit([' ', '>', '~', '+']).next().unwrap_or_default();
                    let names = last.split(['.', '#']).skip(1);
                    let names = names.map(|name| name.split([':', '[']).next().unwrap_or_default().to_owned());
                    self.shown.extend(names);
                }
                continue;
            };
            if classes.len() > 1 && declarations.iter().any(shows) {
                self.shown.extend(classes.iter().cloned());
            }
            let key = match (ids.first(), classes.first()) {
                (Some(id), _) => format!("#{id}"),
                (None, Some(class)) => format!(".{class}"),
                (None, None) => tag.clone(),
            };
            self.count += 1;
            self.rules.entry(key).or_default().push(Rule { tag, ids, classes, declarations: declarations.to_vec() });
        }
    }

    /// The declarations that apply to an element, its own `style` last.
    fn declared(&self, node: &Handle) -> Declared {
        let mut found: Vec<((bool, usize), Declaration)> = Vec::new();
        if self.count > 0 {
            let id = attribute(node, "id");
            let class = attribute(node, "class").unwrap_or_default();
            let classes: Vec<&str> = class.split_whitespace().collect();
            let keys = std::iter::once(name(node).to_owned())
                .chain(classes.iter().map(|class| format!(".{class}")))
                .chain(id.iter().map(|id| format!("#{id}")));
            let rules = keys.filter_map(|key| self.rules.get(&key)).flatten().take(MAX_RULES_PER_ELEMENT);
            for rule in rules {
                let fits = (rule.tag.is_empty() || rule.tag == name(node))
                    && rule.ids.iter().all(|wanted| id.as_ref() == Some(wanted))
                    && rule.classes.iter().all(|wanted| classes.contains(&wanted.as_str()));
                let weight = rule.ids.len() * 10_000 + rule.classes.len() * 100 + usize::from(!rule.tag.is_empty());
                if fits {
                    found.extend(rule.declarations.iter().map(|d| ((d.important, weight), d.clone())));
                }
            }
        }
        if let Some(own) = attribute(node, "style") {
            found.extend(declarations(&own).into_iter().map(|d| ((d.important, usize::MAX), d)));
        }
        // Stable sort: of equal specificity the later one wins.
        found.sort_by_key(|(weight, _)| *weight);
        Declared(found.into_iter().map(|(_, declaration)| (declaration.property, declaration.value)).collect())
    }

    /// Whether the element is invisible in every known state.
    pub(super) fn hides(&self, node: &Handle) -> bool {
        if self.count == 0 && attribute(node, "style").is_none() {
            return false;
        }
        let declared = self.declared(node);
        if declared.0.is_empty() {
            return false;
        }
        let is_gone = declared.is("display", &["none"]) || declared.is("visibility", &["hidden", "collapse"]);
        // Hidden by its own attribute, regardless of rules that show similar elements.
        let by_itself = || {
            let own = Styles::default().declared(node);
            own.is("display", &["none"]) || own.is("visibility", &["hidden", "collapse"])
        };
        if is_gone && (by_itself() || !self.may_be_shown(node)) {
            return true;
        }
        self.is_off_page(node, &declared)
            || self.is_without_size(node, &declared)
            || self.is_without_colour(node, &declared)
    }

    fn may_be_shown(&self, node: &Handle) -> bool {
        let known = |name: &str| self.shown.contains(name) || self.named.contains(name);
        attribute(node, "id").is_some_and(|id| known(&id))
            || attribute(node, "class").is_some_and(|class| class.split_whitespace().any(known))
    }

    /// Positioned off the page to the left or top. Screen-reader-only text is put there too, but has a name that says
    /// so.
    fn is_off_page(&self, node: &Handle, declared: &Declared) -> bool {
        let far = |property| declared.length(property).is_some_and(|length| length < OFF_PAGE);
        let moved = declared.is("position", &["absolute", "fixed"]) && (far("left") || far("top"));
        let for_screen_readers =
            ["sr", "screen", "visually", "visuallyhidden", "offscreen", "skip", "a11y", "assistive"];
        (moved || far("text-indent"))
            && !super::dom::tokens(node).iter().any(|word| for_screen_readers.contains(&word.as_str()))
            && !self.may_be_shown(node)
    }

    fn is_without_size(&self, node: &Handle, declared: &Declared) -> bool {
        let is_empty = declared.length("font-size") == Some(0.0);
        // A zero font size may only remove white space between boxes that set their own size.
        let resets = || descendants(node).skip(1).any(|below| self.declared(&below).get("font-size").is_some());
        let unseen = declared.get("opacity").and_then(|value| value.parse::<f32>().ok()) == Some(0.0);
        let fades_in = self.has_programs || declared.get("transition").is_some() || declared.get("animation").is_some();
        is_empty && !self.has_others && !resets() || unseen && !fades_in && !self.may_be_shown(node)
    }

    /// Text in the colour of its background: the element's own, or white on a page without any other.
    fn is_without_colour(&self, node: &Handle, declared: &Declared) -> bool {
        let Some(colour) = declared.get("color").and_then(colour) else { return false };
        if declared.get("background-image").is_some() {
            return false;
        }
        let ground = |declared: &Declared| {
            declared.get("background-color").or_else(|| declared.get("background")).map(str::to_owned)
        };
        if let Some(ground) = ground(declared) {
            return self::colour(&ground) == Some(colour);
        }
        let has_ground = |above: Handle| {
            attribute(&above, "bgcolor").is_some() || attribute(&above, "background").is_some() || {
                let declared = self.declared(&above);
                ["background", "background-color", "background-image"].iter().any(|p| declared.get(p).is_some())
            }
        };
        colour == WHITE && !self.has_others && !ancestors(node).any(has_ground)
    }

    pub(super) fn is_block(&self, node: &Handle) -> bool {
        (self.count > 0 || attribute(node, "style").is_some())
            && self.declared(node).is("display", &["block", "flex", "grid", "table", "list-item", "flow-root"])
    }

    /// The list marker style, if the page sets it.
    pub(super) fn list_marks(&self, node: &Handle) -> Option<String> {
        self.declared(node).get("list-style-type").map(str::to_owned)
    }
}

/// Properties by name; the last one wins.
struct Declared(HashMap<&'static str, String>);

impl Declared {
    fn get(&self, property: &str) -> Option<&str> {
        self.0.get(property).map(String::as_str)
    }

    fn is(&self, property: &str, values: &[&str]) -> bool {
        self.get(property).is_some_and(|value| values.contains(&value))
    }

    /// Approximate pixels: only zero and far off matter.
    fn length(&self, property: &str) -> Option<f32> {
        let value = self.get(property)?;
        let end = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '.' | '+'))).unwrap_or(value.len());
        let number: f32 = value[..end].parse().ok()?;
        Some(number * if matches!(&value[end..], "em" | "rem") { 16.0 } else { 1.0 })
    }
}

fn shows(declaration: &Declaration) -> bool {
    match declaration.property {
        "display" => declaration.value != "none",
        "visibility" => declaration.value == "visible",
        "opacity" => declaration.value != "0",
        "left" | "top" | "position" | "text-indent" => true,
        _ => false,
    }
}

/// Parses `tag#id.class`; `None` for any other selector.
fn compound(selector: &str) -> Option<(String, Vec<String>, Vec<String>)> {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '#');
    if selector.is_empty() || !selector.chars().all(is_plain) {
        return None;
    }
    let tag_end = selector.find(['.', '#']).unwrap_or(selector.len());
    let (mut ids, mut classes) = (Vec::new(), Vec::new());
    let mut rest = &selector[tag_end..];
    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['.', '#']).map_or(rest.len(), |at| at + 1);
        let list = if sign == '#' { &mut ids } else { &mut classes };
        list.push(rest[1..end].to_owned());
        rest = &rest[end..];
    }
    Some((selector[..tag_end].to_ascii_lowercase(), ids, classes))
}

fn declarations(block: &str) -> Vec<Declaration> {
    let declaration = |text: &str| {
        let (property, value) = text.split_once(':')?;
        let property = property.trim().to_ascii_lowercase();
        let property = match property.as_str() {
            "list-style" => "list-style-type",
            name => name,
        };
        let property = PROPERTIES.into_iter().find(|known| *known == property)?;
        let value = value.trim().to_ascii_lowercase();
        let (value, important) = match value.split_once('!') {
            Some((value, _)) => (value.trim().to_owned(), true),
            None => (value, false),
        };
        Some(Declaration { property, value, important })
    };
    block.split(';').filter_map(declaration).collect()
}

/// The end of the block whose `{` has been read.
fn block_end(css: &str) -> usize {
    let mut depth = 0;
    for (at, c) in css.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    css.len()
}

fn without_comments(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, behind)) = rest.split_once("/*") {
        out.push_str(before);
        rest = behind.split_once("*/").map_or("", |(_, behind)| behind);
    }
    out + rest
}

const WHITE: [u8; 3] = [255, 255, 255];

/// RGB of the colours used to hide text; `None` for others.
fn colour(value: &str) -> Option<[u8; 3]> {
    let hex = |digits: &str| u8::from_str_radix(digits, 16).ok();
    match value {
        "white" => return Some(WHITE),
        "black" => return Some([0; 3]),
        _ => {}
    }
    if let Some(digits) = value.strip_prefix('#').filter(|digits| digits.is_ascii()) {
        return match digits.len() {
            3 => Some([hex(&digits[..1])? * 17, hex(&digits[1..2])? * 17, hex(&digits[2..])? * 17]),
            6 => Some([hex(&digits[..2])?, hex(&digits[2..4])?, hex(&digits[4..])?]),
            _ => None,
        };
    }
    let inner = value.strip_prefix("rgb(")?.strip_suffix(')')?;
    let parts: Vec<u8> = inner.split([',', ' ']).filter_map(|part| part.trim().parse().ok()).collect();
    parts.try_into().ok()
}
