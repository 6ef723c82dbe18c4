//! Embedded files: not read, only listed in the report.

use pdf_oxide::object::Object;

use super::file::{Dict, File, text};

/// Maximum names listed, and tree nodes visited.
const MAX_NAMES: usize = 50;
const MAX_NODES: usize = 1000;

/// Names of the files embedded in the document.
pub(super) fn names(file: &File) -> Vec<String> {
    let catalog = file.document.catalog().ok();
    let Some(catalog) = catalog.as_ref().and_then(Object::as_dict) else { return Vec::new() };
    let mut open = vec![file.get(&file.dict(catalog, "Names"), "EmbeddedFiles")];
    let mut found = Vec::new();
    let mut nodes = 0;
    while let Some(node) = open.pop() {
        nodes += 1;
        let Some(dict) = node.as_dict() else { continue };
        let names = file.unresolved_array(dict, "Names");
        for [key, value] in names.as_chunks::<2>().0 {
            let target = file.resolve(value);
            let name = target.as_dict().and_then(|dict| name(file, dict)).or_else(|| text(&file.resolve(key)));
            found.extend(name);
        }
        if nodes + open.len() > MAX_NODES || found.len() >= MAX_NAMES {
            break;
        }
        open.extend(file.unresolved_array(dict, "Kids").iter().take(MAX_NODES).map(|kid| file.resolve(kid)));
    }
    found.truncate(MAX_NAMES);
    found
}

/// The file name in a file specification (7.11.3).
pub(super) fn name(file: &File, specification: &Dict) -> Option<String> {
    let names = ["UF", "F", "Unix", "DOS"].iter().filter_map(|key| text(&file.get(specification, key)));
    names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty())
}
