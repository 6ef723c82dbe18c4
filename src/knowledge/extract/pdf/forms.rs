//! Annotations on top of a page: form field values, notes, text boxes and stamps.

use pdf_oxide::object::Object;

use super::{
    super::UnreadWhat,
    attached,
    content::Runner,
    file::{Dict, File, number, text},
    geometry::{Area, Matrix},
    layout::Fragment,
    runs::{self, Rules},
    scene::Seen,
    state::State,
};

/// Maximum annotations per page: each is compared with the words of the page.
const MAX_ANNOTATIONS: usize = 5000;
/// Annotation flags (table 165): hidden, and not shown on screen.
const HIDDEN: i64 = 1 << 1;
const NO_VIEW: i64 = 1 << 5;
/// Field flags (tables 226 and 228).
const PASSWORD: i64 = 1 << 13;
const PUSH_BUTTON: i64 = 1 << 16;

/// A text to be placed on a page.
#[derive(Debug)]
pub(super) struct Extra {
    pub(super) area: Area,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Field(String),
    Check(bool),
    /// Text of a note, text box, stamp or button.
    Note(String),
    Comment(String),
    /// Alternative text of a figure.
    Figure(String),
    /// Target of a link.
    Link(String),
    /// Not shown by a viewer.
    Hidden(String),
}

/// Form settings of the whole document.
#[derive(Default)]
pub(super) struct Form {
    need_appearances: bool,
    resources: Dict,
    pub(super) has_xfa: bool,
}

impl Form {
    pub(super) fn of(file: &File) -> Self {
        let catalog = file.document.catalog().ok();
        let Some(catalog) = catalog.as_ref().and_then(Object::as_dict) else { return Self::default() };
        let form = file.dict(catalog, "AcroForm");
        Form {
            need_appearances: file.get(&form, "NeedAppearances").as_bool().unwrap_or(false),
            resources: file.dict(&form, "DR"),
            has_xfa: !file.get(&form, "XFA").is_null(),
        }
    }
}

/// The annotations of a page; `upright` is the page's rotation.
pub(super) fn extras(runner: &mut Runner<'_>, form: &Form, page: &Dict, upright: Matrix) -> Vec<Extra> {
    let mut out = Vec::new();
    let annotations = runner.file.get(page, "Annots");
    let annotations = annotations.as_array().map(Vec::as_slice).unwrap_or_default();
    if annotations.len() > MAX_ANNOTATIONS {
        runner.problem(UnreadWhat::ManyAnnotations.named(&MAX_ANNOTATIONS.to_string()).because(annotations.len()));
    }
    for annotation in annotations.iter().take(MAX_ANNOTATIONS) {
        let annotation = runner.file.resolve(annotation);
        let Some(dict) = annotation.as_dict() else { continue };
        let Some(rect) = Area::of_corners(&runner.file.numbers(dict, "Rect")) else { continue };
        let area = rect.through(upright);
        let Some(what) = read(runner, form, dict, rect, upright) else { continue };
        let flags = runner.file.get(dict, "F").as_integer().unwrap_or(0);
        let layer = dict.get("OC").is_some_and(|layer| runner.layers.hides(runner.file, layer));
        let what = match what {
            What::Check(_) | What::Link(_) if flags & (HIDDEN | NO_VIEW) != 0 || layer => continue,
            What::Field(text) | What::Note(text) | What::Comment(text) if flags & (HIDDEN | NO_VIEW) != 0 || layer => {
                What::Hidden(text)
            }
            what => what,
        };
        out.push(Extra { area, what });
    }
    out
}

fn read(runner: &mut Runner<'_>, form: &Form, dict: &Dict, rect: Area, upright: Matrix) -> Option<What> {
    let file = runner.file;
    let contents = text(&file.get(dict, "Contents")).filter(|text| !text.trim().is_empty());
    match file.get(dict, "Subtype").as_name()? {
        "Widget" => widget(runner, form, dict, rect, upright),
        "FreeText" => appearance(runner, form, dict, rect, upright).or(contents).map(What::Note),
        "Stamp" => {
            let name = file.get(dict, "Name").as_name().map(str::to_owned);
            let shown = appearance(runner, form, dict, rect, upright);
            // A stamp without an appearance is shown by its name.
            let shown = shown.or_else(|| name.filter(|_| file.get(dict, "AP").is_null()));
            match (shown, contents) {
                (Some(shown), Some(said)) if !squeezed(&shown).contains(&squeezed(&said)) => {
                    Some(What::Comment(format!("{shown}: {said}")))
                }
                (shown, said) => shown.or(said).map(What::Note),
            }
        }
        "Link" => {
            let action = file.dict(dict, "A");
            text(&file.get(&action, "URI")).filter(|uri| !uri.trim().is_empty()).map(What::Link)
        }
        // `Contents` of these is not shown: it repeats the parent annotation, or is metadata.
        "Popup" | "Screen" | "Movie" | "Sound" | "3D" | "RichMedia" | "PrinterMark" | "TrapNet" => None,
        "FileAttachment" => {
            let specification = file.dict(dict, "FS");
            let name = attached::name(file, &specification).unwrap_or_else(|| "unnamed".to_owned());
            runner.problem(UnreadWhat::AttachedFile.named(&name));
            contents.map(What::Comment)
        }
        "Watermark" => appearance(runner, form, dict, rect, upright).map(What::Note),
        _ => contents.map(What::Comment),
    }
}

fn widget(runner: &mut Runner<'_>, form: &Form, dict: &Dict, rect: Area, upright: Matrix) -> Option<What> {
    let file = runner.file;
    let flags = inherited(file, dict, "Ff").as_integer().unwrap_or(0);
    let kind = inherited(file, dict, "FT");
    let value = inherited(file, dict, "V");
    match kind.as_name().unwrap_or_default() {
        "Btn" if flags & PUSH_BUTTON != 0 => {
            let shown = appearance(runner, form, dict, rect, upright);
            shown.or_else(|| text(&file.get(&file.dict(dict, "MK"), "CA"))).map(What::Note)
        }
        "Btn" => Some(What::Check(is_checked(file, dict, &value))),
        "Tx" if flags & PASSWORD != 0 => Some(What::Hidden(written(file, dict, &value)?)),
        _ => {
            let said = written(file, dict, &value).filter(|value| !value.trim().is_empty());
            let shown =
                appearance(runner, form, dict, rect, upright).filter(|_| !form.need_appearances || said.is_none());
            match (shown, said) {
                // The value is complete, while the appearance may be clipped or spaced out.
                (Some(shown), Some(said)) if squeezed(&said).contains(&squeezed(&shown)) => Some(What::Field(said)),
                (Some(shown), _) => Some(What::Field(shown)),
                (None, said) => said.map(What::Field),
            }
        }
    }
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A field's entry, or an inherited one.
fn inherited(file: &File, dict: &Dict, key: &str) -> Object {
    let mut dict = dict.clone();
    for _ in 0..16 {
        let value = file.get(&dict, key);
        if !value.is_null() {
            return value;
        }
        match file.get(&dict, "Parent").as_dict() {
            Some(parent) => dict.clone_from(parent),
            None => break,
        }
    }
    Object::Null
}

fn is_checked(file: &File, dict: &Dict, value: &Object) -> bool {
    let state = file.get(dict, "AS");
    if let Some(state) = state.as_name() {
        return state != "Off";
    }
    let Some(value) = value.as_name() else { return false };
    let states = file.dict(&file.dict(dict, "AP"), "N");
    value != "Off" && (states.is_empty() || states.contains_key(value))
}

/// The text of a value; for a choice, the displayed text of the option.
fn written(file: &File, dict: &Dict, value: &Object) -> Option<String> {
    if let Some(values) = value.as_array() {
        let values: Vec<String> = values.iter().filter_map(|value| written(file, dict, &file.resolve(value))).collect();
        return (!values.is_empty()).then(|| values.join(", "));
    }
    let value = match value {
        Object::Stream { .. } => {
            let bytes = file.data(value).ok()?;
            text(&Object::String(bytes))?
        }
        Object::Name(name) => name.clone(),
        other => text(other).or_else(|| number(other).map(|number| number.to_string()))?,
    };
    for option in inherited(file, dict, "Opt").as_array().into_iter().flatten() {
        let option = file.resolve(option);
        if let Some([export, shown]) = option.as_array().map(Vec::as_slice)
            && text(&file.resolve(export)).as_ref() == Some(&value)
        {
            return text(&file.resolve(shown));
        }
    }
    Some(value)
}

/// The text drawn by the appearance stream.
fn appearance(runner: &mut Runner<'_>, form: &Form, dict: &Dict, rect: Area, upright: Matrix) -> Option<String> {
    let file = runner.file;
    let appearances = file.dict(dict, "AP");
    let mut entry = appearances.get("N")?.clone();
    if let Object::Dictionary(states) = file.resolve(&entry) {
        entry = states.get(file.get(dict, "AS").as_name()?)?.clone();
    }
    let target = file.resolve(&entry);
    let stream = target.as_dict()?;
    let own = Matrix::from_slice(&file.numbers(stream, "Matrix"));
    let bounds = Area::of_corners(&file.numbers(stream, "BBox"))?.through(own);
    let ratio = |to: f32, from: f32| if from.abs() > f32::EPSILON { to / from } else { 1.0 };
    let (x, y) = (ratio(rect.width(), bounds.width()), ratio(rect.height(), bounds.height()));
    let fit = Matrix([x, 0.0, 0.0, y, rect.left - x * bounds.left, rect.bottom - y * bounds.bottom]);
    let matrix = fit.then(upright);
    let scene = std::mem::take(&mut runner.scene);
    let state = State { matrix, base: matrix, ..State::default() };
    runner.form(&entry, stream, &form.resources, state, 1);
    let drawn = std::mem::replace(&mut runner.scene, scene);
    for problem in drawn.problems {
        runner.problem(problem);
    }
    let fragments = runs::fragments(drawn.glyphs.iter().filter(|glyph| glyph.seen == Seen::Painted), &Rules::default());
    let lines: Vec<String> =
        fragments.into_iter().map(|fragment| fragment.text).filter(|text| text != "\u{fffd}").collect();
    let words = lines.join(" ");
    (!words.trim().is_empty()).then(|| words.trim().to_owned())
}

/// Inserts `extra` at its place in reading order among the page's fragments.
pub(super) fn place(fragments: &mut Vec<Fragment>, extra: &Extra) {
    let area = extra.area;
    match &extra.what {
        What::Field(value) => {
            if let Some(label) = label_before(fragments, area) {
                let label = &mut fragments[label];
                label.text = format!("{} {value}", label.text.trim_end());
                label.right = label.right.max(area.right);
            } else {
                insert(fragments, area, value);
            }
        }
        What::Check(checked) => {
            let mark = if *checked { "[x]" } else { "[ ]" };
            if let Some(label) = label_behind(fragments, area) {
                let label = &mut fragments[label];
                label.text = format!("{mark} {}", label.text.trim_start());
                label.left = area.left;
            } else if let Some(label) = label_before(fragments, area) {
                let label = &mut fragments[label];
                label.text = format!("{} {mark}", label.text.trim_end());
                label.right = label.right.max(area.right);
            } else {
                insert(fragments, area, mark);
            }
        }
        What::Note(words) | What::Comment(words) | What::Figure(words) | What::Link(words) => {
            let away = |fragment: &Fragment| {
                let down = fragment.y - area.top.midpoint(area.bottom);
                let across = (fragment.left - area.right).max(area.left - fragment.right).max(0.0);
                down.abs() + 0.2 * across
            };
            let upright = |fragment: &&mut Fragment| fragment.angle == 0;
            match fragments.iter_mut().filter(upright).min_by(|a, b| away(a).total_cmp(&away(b))) {
                Some(anchor) => anchor.notes.push(words.clone()),
                None => insert(fragments, area, words),
            }
        }
        What::Hidden(_) => {}
    }
}

fn beside(fragment: &Fragment, area: Area) -> bool {
    let middle = fragment.y + 0.3 * fragment.size;
    fragment.angle == 0 && middle > area.bottom - 0.4 * fragment.size && middle < area.top + 0.4 * fragment.size
}

/// The nearest text to the left on the same line.
fn label_before(fragments: &[Fragment], area: Area) -> Option<usize> {
    let near = |f: &&(usize, &Fragment)| {
        beside(f.1, area) && f.1.left < area.left && f.1.right <= area.left + f.1.size && area.left - f.1.right < 250.0
    };
    let found: Vec<(usize, &Fragment)> = fragments.iter().enumerate().collect();
    found.iter().filter(near).max_by(|a, b| a.1.right.total_cmp(&b.1.right)).map(|found| found.0)
}

/// The text right after a box.
fn label_behind(fragments: &[Fragment], area: Area) -> Option<usize> {
    let near = |f: &&(usize, &Fragment)| {
        beside(f.1, area) && f.1.left >= area.right - 0.3 * f.1.size && f.1.left - area.right < 3.0 * f.1.size
    };
    let found: Vec<(usize, &Fragment)> = fragments.iter().enumerate().collect();
    found.iter().filter(near).min_by(|a, b| a.1.left.total_cmp(&b.1.left)).map(|found| found.0)
}

/// Inserts it as a fragment of its own, after the text above it.
fn insert(fragments: &mut Vec<Fragment>, area: Area, text: &str) {
    let size = area.height().clamp(6.0, 12.0);
    let y = if area.height() > 2.0 * size { area.top - size } else { area.bottom + 0.25 * area.height() };
    let new = Fragment { left: area.left, right: area.right, y, size, text: text.to_owned(), ..Fragment::default() };
    // The nearest overlapping one above, else the last one above.
    let above = |f: &Fragment| f.angle == 0 && (f.y > y + 0.3 * size || (f.same_line(y) && f.right <= area.left));
    let over = |f: &Fragment| above(f) && f.left < area.right && f.right > area.left;
    let nearest = |test: &dyn Fn(&Fragment) -> bool| {
        let candidates = fragments.iter().enumerate().filter(|(_, f)| test(f));
        candidates.min_by(|a, b| a.1.y.total_cmp(&b.1.y)).map(|(index, _)| index + 1)
    };
    let at = nearest(&|f| over(f) && f.y - y < 40.0).or_else(|| nearest(&above)).unwrap_or(0);
    fragments.insert(at, new);
}
