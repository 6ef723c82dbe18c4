//! Reads one page: converts content and annotations to fragments, and adds to the report.

use std::collections::{BTreeMap, HashSet};

use pdf_oxide::object::Object;

use super::{
    super::{LeftOutKind, Report, UnreadWhat, link::address},
    Found,
    content::Runner,
    figures::Owners,
    file::{Dict, File},
    font::Fonts,
    forms::{self, Extra, Form, What},
    geometry::{Area, Matrix},
    layers::Layers,
    layout::Page,
    order,
    right_to_left::{is_mostly_right_to_left, mirror},
    runs::{self, Rules},
    scene::{Glyph, Scene, Seen},
    state::State,
    visible,
};

/// Minimum side of an image, points; smaller ones are bullets, lines and icons.
const MIN_IMAGE_SIDE: f32 = 36.0;
/// Maximum bytes of content per page.
const MAX_CONTENT: usize = 64 << 20;
/// Minimum run of unknown characters that counts as a word: fewer are bullets and symbols.
const WORD: usize = 3;
/// Unknown characters in such words that make a page worth reading by OCR.
const MANY_UNMAPPED: usize = 8;
/// A page with an image covering this share, and few characters, is a scan with a stamp or a fax header.
const SCAN: f32 = 0.6;
const FEW: usize = 40;

pub(super) struct Reader<'a> {
    file: &'a File,
    fonts: Fonts,
    layers: Layers,
    form: Form,
    owners: Owners,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        let (fonts, layers) = (Fonts::default(), Layers::of(file));
        Reader { file, fonts, layers, form: Form::of(file), owners: Owners::of(file) }
    }

    pub(super) fn has_xfa(&self) -> bool {
        self.form.has_xfa
    }

    pub(super) fn read(&self, index: usize, found: &mut Found, report: &mut Report) -> Page {
        let number = super::number(index);
        let page = match self.file.document.get_page(index) {
            Ok(page) => page,
            Err(error) => {
                found.unread.push(UnreadWhat::Page.with(error).on_page(number));
                return Page::default();
            }
        };
        let empty = Dict::new();
        let dict = page.as_dict().unwrap_or(&empty);
        let (area, upright) = self.frame(index);
        let mut runner = Runner::new(self.file, &self.fonts, &self.layers);
        runner.figures = self.owners.figures(self.file, dict);
        let data = self.content(dict, &mut runner);
        let state = State { matrix: upright, base: upright, ..State::default() };
        runner.run(&data, &self.file.dict(dict, "Resources"), &state, 0);
        let mut extras = forms::extras(&mut runner, &self.form, dict, upright);
        let mut scene = runner.scene;
        visible::judge(&mut scene, area);
        let pictures = pictures_without_text(&scene);
        for figure in scene.figures.drain(..) {
            let area = if figure.area.size() > 0.0 { figure.area } else { area };
            extras.push(Extra { area, what: What::Figure(figure.text) });
        }
        let (page, has_own_text) = Self::settle(&mut scene, extras, area, found, report);
        for problem in scene.problems.drain(..) {
            found.unread.push(problem.on_page(number));
        }
        let shows =
            !scene.pictures.is_empty() || scene.outlines > visible::MANY_OUTLINES || unmapped(&scene.glyphs) > 0;
        if page.fragments.is_empty() && shows {
            // Listed as a page without text, so its images are not counted separately.
            found.pages_without_text.push(number);
            if scene.pictures.is_empty() && scene.outlines > visible::MANY_OUTLINES {
                found.outlined.push(number);
            }
        } else if (shows && !has_own_text) || is_scan(&scene, area) || unmapped_in_words(&scene.glyphs) >= MANY_UNMAPPED
        {
            found.partly_unreadable.push(number);
        } else {
            found.pictures += pictures;
        }
        page
    }

    /// The visible area of the page, and the matrix for its rotation.
    fn frame(&self, index: usize) -> (Area, Matrix) {
        let document = &self.file.document;
        let letter = (0.0, 0.0, 612.0, 792.0);
        let (left, bottom, right, top) = document.get_page_visible_box(index).unwrap_or(letter);
        // Viewers use a default paper size if the page's is invalid.
        let has_size = (right - left).is_finite() && right - left > 0.0 && (top - bottom).is_finite() && top > bottom;
        let (left, bottom, right, top) = if has_size { (left, bottom, right, top) } else { letter };
        let upright = match document.get_page_rotation(index).unwrap_or(0) {
            90 => Matrix([0.0, -1.0, 1.0, 0.0, 0.0, 0.0]),
            180 => Matrix([-1.0, 0.0, 0.0, -1.0, 0.0, 0.0]),
            270 => Matrix([0.0, 1.0, -1.0, 0.0, 0.0, 0.0]),
            _ => Matrix::IDENTITY,
        };
        (Area { left, bottom, right, top }.through(upright), upright)
    }

    fn content(&self, page: &Dict, runner: &mut Runner<'_>) -> Vec<u8> {
        let Some(entry) = page.get("Contents") else { return Vec::new() };
        let target = self.file.resolve(entry);
        let parts = match &target {
            Object::Array(parts) => parts.clone(),
            _ => vec![entry.clone()],
        };
        let mut data = Vec::new();
        for part in parts {
            if data.len() > MAX_CONTENT {
                runner.problem(UnreadWhat::MuchContent);
                break;
            }
            match self.file.unpack(&part) {
                Ok(unpacked) => {
                    data.extend(unpacked.data);
                    if let Some(damage) = unpacked.damage {
                        runner.problem(UnreadWhat::DamagedContent.with(damage));
                    }
                }
                Err(reason) => runner.problem(UnreadWhat::PackedStream.with(reason)),
            }
            // Streams may be split within a line, but not within a token.
            data.push(b'\n');
        }
        data
    }

    /// The fragments of the page, and whether any text belongs to the page itself.
    fn settle(
        scene: &mut Scene,
        mut extras: Vec<Extra>,
        area: Area,
        found: &mut Found,
        report: &mut Report,
    ) -> (Page, bool) {
        for hidden in runs::fragments(scene.glyphs.iter().filter(|glyph| glyph.seen == Seen::Hidden), &Rules::default())
        {
            found.hidden = true;
            if hidden.text != "\u{fffd}" {
                report.leave_out(LeftOutKind::Hidden, &hidden.text);
            }
        }
        scene.glyphs.retain(|glyph| glyph.seen == Seen::Painted);
        let doubles = visible::remove_duplicates(&mut scene.glyphs);
        report.leave_out(LeftOutKind::Duplicate, &doubles);
        count_fonts(&scene.glyphs, &mut found.fonts);
        let rules = Rules::new(std::mem::take(&mut scene.rules));
        let mut fragments = runs::fragments(scene.glyphs.iter(), &rules);
        fragments.retain(|fragment| fragment.text != "\u{fffd}");
        if is_mostly_right_to_left(&fragments) {
            mirror(&mut fragments);
            for extra in &mut extras {
                extra.area = extra.area.mirrored();
            }
        }
        let mut page = Page { fragments, bottom: area.bottom, top: area.top };
        if page.is_disordered() {
            found.disordered = true;
            page.fragments = order::by_place(&page.fragments);
        }
        let has_own_text = !page.fragments.is_empty();
        for mut extra in extras {
            match &mut extra.what {
                What::Field(_) | What::Check(true) => report.form_fields += 1,
                What::Comment(_) => report.comments += 1,
                What::Hidden(text) => {
                    found.hidden = true;
                    report.leave_out(LeftOutKind::Hidden, text);
                }
                What::Link(destination) => match new_address(destination, &page, &mut found.links) {
                    Some(address) => *destination = address,
                    None => continue,
                },
                What::Figure(text) if page.fragments.iter().any(|fragment| fragment.text.trim() == text.trim()) => {
                    continue;
                }
                What::Check(false) | What::Note(_) | What::Figure(_) => {}
            }
            forms::place(&mut page.fragments, &extra);
        }
        (page, has_own_text)
    }
}

/// A link's destination, if it is new and not in the page's text.
fn new_address(destination: &str, page: &Page, known: &mut HashSet<String>) -> Option<String> {
    let address = address(destination.trim(), "");
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let plain = squeezed(&address);
    let bare = plain.split_once("://").map_or(plain.as_str(), |(_, bare)| bare).trim_end_matches('/');
    let said = || squeezed(&page.fragments.iter().map(|fragment| fragment.text.as_str()).collect::<String>());
    (!bare.is_empty() && known.insert(address.clone()) && !said().contains(bare)).then_some(address)
}

/// Whether the page is essentially an image, with few characters.
fn is_scan(scene: &Scene, page: Area) -> bool {
    let told = scene.glyphs.iter().filter(|glyph| glyph.text.as_ref().is_some_and(|text| !text.trim().is_empty()));
    let covers = |picture: &Area| picture.common(page).size() >= SCAN * page.size();
    told.count() < FEW && scene.pictures.iter().any(covers)
}

/// Number of unknown characters in words of some length.
fn unmapped_in_words(glyphs: &[Glyph]) -> usize {
    let words = glyphs.chunk_by(|a, b| a.text.is_none() == b.text.is_none());
    words.filter(|word| word.len() >= WORD && word[0].text.is_none()).map(<[Glyph]>::len).sum()
}

fn unmapped(glyphs: &[Glyph]) -> usize {
    glyphs.iter().filter(|glyph| glyph.text.is_none()).count()
}

fn count_fonts(glyphs: &[Glyph], fonts: &mut BTreeMap<String, (u64, u64)>) {
    let mut last: Option<(&str, u64, u64)> = None;
    let mut close = |last: Option<(&str, u64, u64)>| {
        if let Some((name, unmapped, all)) = last {
            let entry = fonts.entry(name.to_owned()).or_default();
            entry.0 += unmapped;
            entry.1 += all;
        }
    };
    for glyph in glyphs {
        let unmapped = u64::from(glyph.text.is_none());
        match &mut last {
            Some((name, bad, all)) if *name == glyph.font.name => {
                *bad += unmapped;
                *all += 1;
            }
            _ => close(last.replace((&glyph.font.name, unmapped, 1))),
        }
    }
    close(last);
}

fn pictures_without_text(scene: &Scene) -> u32 {
    let mut seen: Vec<Area> = Vec::new();
    for picture in &scene.pictures {
        let notable = picture.width() >= MIN_IMAGE_SIDE && picture.height() >= MIN_IMAGE_SIDE;
        let written =
            || scene.glyphs.iter().any(|glyph| glyph.seen == Seen::Painted && picture.contains((glyph.x, glyph.y)));
        let middle = (picture.left.midpoint(picture.right), picture.bottom.midpoint(picture.top));
        let described = || scene.figures.iter().any(|figure| figure.area.contains(middle));
        if notable && seen.len() < 1000 && !seen.contains(picture) && !written() && !described() {
            seen.push(*picture);
        }
    }
    u32::try_from(seen.len()).unwrap_or(u32::MAX)
}
