//! Alternative texts of figures in tagged files: from the structure element that owns a piece of content (ISO 32000-1,
//! 14.7.4 and 14.9.3). Otherwise the content of a figure could not be searched.

use std::collections::HashSet;

use pdf_oxide::object::{Object, ObjectRef};

use super::file::{Dict, File, text};

/// Ancestors to check: parts of a figure are one or two levels below it.
const MAX_ANCESTORS: usize = 4;
/// Maximum depth of the number tree.
const DEEPEST: usize = 32;

/// The parent tree, which maps each page's content to structure elements.
#[derive(Default)]
pub(super) struct Owners {
    root: Option<Object>,
}

/// The structure elements that own a page's content.
#[derive(Default)]
pub(super) struct Figures<'a> {
    owners: Option<&'a Owners>,
    /// Structure elements by marked-content id.
    elements: Vec<Object>,
    /// Elements whose text was already written.
    said: HashSet<ObjectRef>,
}

impl Owners {
    pub(super) fn of(file: &File) -> Self {
        let catalog = file.document.catalog().ok();
        let Some(catalog) = catalog.as_ref().and_then(Object::as_dict) else { return Self::default() };
        let root = file.get(&file.dict(catalog, "StructTreeRoot"), "ParentTree");
        Owners { root: root.as_dict().is_some().then_some(root) }
    }

    pub(super) fn figures(&self, file: &File, page: &Dict) -> Figures<'_> {
        let key = file.get(page, "StructParents").as_integer();
        let elements = key.and_then(|key| file.resolve(&self.find(file, key)?).as_array().cloned());
        Figures { owners: Some(self), elements: elements.unwrap_or_default(), said: HashSet::new() }
    }

    /// Looks up `key` in the number tree (7.9.7).
    fn find(&self, file: &File, key: i64) -> Option<Object> {
        let mut node = self.root.clone()?;
        for _ in 0..DEEPEST {
            let dict = node.as_dict()?;
            let pairs = dict.get("Nums").map(|pairs| file.resolve(pairs));
            if let Some(pairs) = pairs.as_ref().and_then(Object::as_array) {
                let pairs = pairs.as_chunks::<2>().0;
                let at = pairs.partition_point(|[number, _]| number.as_integer().is_some_and(|number| number < key));
                return pairs
                    .get(at)
                    .filter(|[number, _]| number.as_integer() == Some(key))
                    .map(|[_, value]| value.clone());
            }
            node = kid(file, &file.unresolved_array(dict, "Kids"), key)?;
        }
        None
    }
}

/// The node among these sorted ones whose limits include `key`.
fn kid(file: &File, kids: &[Object], key: i64) -> Option<Object> {
    let (mut low, mut high) = (0, kids.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        let node = file.resolve(&kids[middle]);
        let limits = file.array(node.as_dict()?, "Limits");
        match limits.as_slice() {
            [least, _] if key < least.as_integer()? => high = middle,
            [_, most] if key > most.as_integer()? => low = middle + 1,
            _ => return Some(node),
        }
    }
    None
}

impl Figures<'_> {
    /// The text for the content with this id; only on the first call per element.
    pub(super) fn of_content(&mut self, file: &File, content: i64) -> Option<String> {
        let element = self.elements.get(usize::try_from(content).ok()?)?.clone();
        self.text_of(file, element)
    }

    /// The text for an image or form that an element owns as a whole.
    pub(super) fn of_object(&mut self, file: &File, dict: &Dict) -> Option<String> {
        let key = file.get(dict, "StructParent").as_integer()?;
        let element = self.owners?.find(file, key)?;
        self.text_of(file, element)
    }

    fn text_of(&mut self, file: &File, mut element: Object) -> Option<String> {
        for _ in 0..MAX_ANCESTORS {
            let reference = element.as_reference();
            let target = file.resolve(&element);
            let dict = target.as_dict()?;
            let said = ["Alt", "ActualText"].iter().find_map(|key| text(&file.get(dict, key)));
            if let Some(said) = said.filter(|said| said.chars().any(char::is_alphanumeric)) {
                return reference.is_none_or(|at| self.said.insert(at)).then_some(said);
            }
            element = dict.get("P")?.clone();
        }
        None
    }
}
