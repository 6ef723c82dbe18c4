//! Reads one page: from its content and annotations to fragments, and what a reader of it should be told.

use std::collections::BTreeMap;

use pdf_oxide::object::Object;

use super::{
    super::{LeftOutKind, Report, UnreadWhat},
    Found,
    content::Runner,
    file::{Dict, File},
    font::Fonts,
    forms::{self, Extra, Form, What},
    geometry::{Area, Matrix},
    layers::Layers,
    layout::Page,
    order,
    runs::{self, Rules},
    scene::{Glyph, Scene, Seen},
    state::State,
    visible,
};

/// Smaller pictures are bullets, lines and icons.
const SMALLEST_PICTURE: f32 = 36.0;

pub(super) struct Reader<'a> {
    file: &'a File,
    fonts: Fonts,
    layers: Layers,
    form: Form,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a File) -> Self {
        Reader { file, fonts: Fonts::default(), layers: Layers::of(file), form: Form::of(file) }
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
        let data = self.content(dict, &mut runner);
        let state = State { matrix: upright, base: upright, ..State::default() };
        runner.run(&data, &self.file.dict(dict, "Resources"), &state, 0);
        let extras = forms::extras(&mut runner, &self.form, dict, upright);
        let mut scene = runner.scene;
        visible::judge(&mut scene, area);
        let page = Self::settle(&mut scene, &extras, area, found, report);
        for problem in scene.problems.drain(..) {
            found.unread.push(problem.on_page(number));
        }
        let shows = !scene.pictures.is_empty() || scene.outlines > visible::MANY_OUTLINES || untold(&scene.glyphs) > 0;
        if page.fragments.is_empty() && shows {
            found.pages_without_text.push(number);
            if scene.pictures.is_empty() && scene.outlines > visible::MANY_OUTLINES {
                found.outlined.push(number);
            }
        }
        page
    }

    /// What a viewer shows of the page, and the matrix that turns it as the viewer does.
    fn frame(&self, index: usize) -> (Area, Matrix) {
        let document = &self.file.document;
        let (left, bottom, right, top) = document.get_page_visible_box(index).unwrap_or((0.0, 0.0, 612.0, 792.0));
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
            match self.file.data(&part) {
                Ok(bytes) => data.extend(bytes),
                Err(reason) => runner.problem(UnreadWhat::PackedStream.with(reason)),
            }
            // A stream may end within a line, never within a word.
            data.push(b'\n');
        }
        data
    }

    fn settle(scene: &mut Scene, extras: &[Extra], area: Area, found: &mut Found, report: &mut Report) -> Page {
        for hidden in runs::fragments(scene.glyphs.iter().filter(|glyph| glyph.seen == Seen::Hidden), &Rules::default())
        {
            found.hidden = true;
            if hidden.text != "\u{fffd}" {
                report.leave_out(LeftOutKind::Hidden, &hidden.text);
            }
        }
        scene.glyphs.retain(|glyph| glyph.seen == Seen::Painted);
        let doubles = visible::take_doubles(&mut scene.glyphs);
        report.leave_out(LeftOutKind::Duplicate, &doubles);
        count_fonts(&scene.glyphs, &mut found.fonts);
        found.pictures += pictures_without_text(scene);
        let rules = Rules::new(std::mem::take(&mut scene.rules));
        let mut fragments = runs::fragments(scene.glyphs.iter(), &rules);
        fragments.retain(|fragment| fragment.text != "\u{fffd}");
        let mut page = Page { fragments, bottom: area.bottom, top: area.top };
        if page.is_disordered() {
            found.disordered = true;
            page.fragments = order::by_place(&page.fragments);
        }
        for extra in extras {
            match &extra.what {
                What::Field(_) | What::Check(true) => report.form_fields += 1,
                What::Comment(_) => report.comments += 1,
                What::Hidden(text) => {
                    found.hidden = true;
                    report.leave_out(LeftOutKind::Hidden, text);
                }
                What::Check(false) | What::Note(_) => {}
            }
            forms::place(&mut page.fragments, extra);
        }
        page
    }
}

fn untold(glyphs: &[Glyph]) -> usize {
    glyphs.iter().filter(|glyph| glyph.text.is_none()).count()
}

fn count_fonts(glyphs: &[Glyph], fonts: &mut BTreeMap<String, (u64, u64)>) {
    let mut last: Option<(&str, u64, u64)> = None;
    let mut close = |last: Option<(&str, u64, u64)>| {
        if let Some((name, untold, all)) = last {
            let entry = fonts.entry(name.to_owned()).or_default();
            entry.0 += untold;
            entry.1 += all;
        }
    };
    for glyph in glyphs {
        let untold = u64::from(glyph.text.is_none());
        match &mut last {
            Some((name, bad, all)) if *name == glyph.font.name => {
                *bad += untold;
                *all += 1;
            }
            _ => close(last.replace((&glyph.font.name, untold, 1))),
        }
    }
    close(last);
}

fn pictures_without_text(scene: &Scene) -> u32 {
    let mut seen: Vec<Area> = Vec::new();
    for picture in &scene.pictures {
        let notable = picture.width() >= SMALLEST_PICTURE && picture.height() >= SMALLEST_PICTURE;
        let written = || scene.glyphs.iter().any(|glyph| picture.contains((glyph.x, glyph.y)));
        if notable && seen.len() < 1000 && !seen.contains(picture) && !written() {
            seen.push(*picture);
        }
    }
    u32::try_from(seen.len()).unwrap_or(u32::MAX)
}
