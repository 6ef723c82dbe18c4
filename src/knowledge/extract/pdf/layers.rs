//! Optional content (8.11): layers that are hidden by default.

use std::collections::HashSet;

use pdf_oxide::object::{Object, ObjectRef};

use super::file::{Dict, File};

#[derive(Default)]
pub(super) struct Layers {
    off: HashSet<ObjectRef>,
}

impl Layers {
    pub(super) fn of(file: &File) -> Self {
        let catalog = file.document.catalog().ok();
        let Some(catalog) = catalog.as_ref().and_then(Object::as_dict) else { return Self::default() };
        let properties = file.dict(catalog, "OCProperties");
        let standard = file.dict(&properties, "D");
        let mut off = HashSet::new();
        if file.get(&standard, "BaseState").as_name() == Some("OFF") {
            off.extend(references(file, &properties, "OCGs"));
        }
        for layer in references(file, &standard, "ON") {
            off.remove(&layer);
        }
        off.extend(references(file, &standard, "OFF"));
        // Layers that are switched by usage (view, print, export).
        for usage in file.array(&standard, "AS") {
            let Some(usage) = usage.as_dict() else { continue };
            if file.get(usage, "Event").as_name() != Some("View") {
                continue;
            }
            for layer in references(file, usage, "OCGs") {
                let state = file.document.load_object(layer).ok().and_then(|layer| {
                    let view = file.dict(&file.dict(layer.as_dict()?, "Usage"), "View");
                    file.get(&view, "ViewState").as_name().map(str::to_owned)
                });
                match state.as_deref() {
                    Some("OFF") => drop(off.insert(layer)),
                    Some("ON") => drop(off.remove(&layer)),
                    _ => {}
                }
            }
        }
        Layers { off }
    }

    /// Whether content of this group or membership is hidden.
    pub(super) fn hides(&self, file: &File, layer: &Object) -> bool {
        if layer.as_reference().is_some_and(|reference| self.off.contains(&reference)) {
            return true;
        }
        let layer = file.resolve(layer);
        let Some(dict) = layer.as_dict() else { return false };
        if file.get(dict, "Type").as_name() != Some("OCMD") {
            return false;
        }
        if let Some(expression) = file.get(dict, "VE").as_array() {
            return !self.shows(file, expression, 0);
        }
        let mut groups = references(file, dict, "OCGs");
        groups.extend(dict.get("OCGs").and_then(Object::as_reference).filter(|at| is_group(file, *at)));
        if groups.is_empty() {
            return false;
        }
        let off = groups.iter().filter(|group| self.off.contains(group)).count();
        let shown = match file.get(dict, "P").as_name() {
            Some("AllOn") => off == 0,
            Some("AnyOff") => off > 0,
            Some("AllOff") => off == groups.len(),
            _ => off < groups.len(),
        };
        !shown
    }

    /// Evaluates a visibility expression: `[/And ...]`, `[/Or ...]`, `[/Not ...]`.
    fn shows(&self, file: &File, expression: &[Object], depth: usize) -> bool {
        let Some((operator, operands)) = expression.split_first() else { return true };
        if depth > 32 {
            return true;
        }
        let mut values = operands.iter().map(|operand| match operand.as_reference() {
            Some(group) if is_group(file, group) => !self.off.contains(&group),
            _ => file.resolve(operand).as_array().is_none_or(|inner| self.shows(file, inner, depth + 1)),
        });
        match file.resolve(operator).as_name() {
            Some("And") => values.all(|shown| shown),
            Some("Or") => values.any(|shown| shown),
            Some("Not") => !values.next().unwrap_or(false),
            _ => true,
        }
    }
}

fn is_group(file: &File, reference: ObjectRef) -> bool {
    let object = file.document.load_object(reference).unwrap_or(Object::Null);
    object.as_dict().is_some_and(|dict| file.get(dict, "Type").as_name() != Some("OCMD"))
}

fn references(file: &File, dict: &Dict, key: &str) -> Vec<ObjectRef> {
    let array = file.get(dict, key);
    array.as_array().into_iter().flatten().filter_map(Object::as_reference).collect()
}
