//! The rules of docs/architecture.md that neither Cargo nor the compiler sees, checked on the sources themselves.

mod arrows;
mod embedded;
mod sql;
mod tables;
mod tenants;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

pub use arrows::packages;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn src() -> PathBuf {
    root().join("src")
}

/// The room that a name begins with, such as `status_page` of `status_page_pages`; otherwise its first word.
pub fn room_of(name: &str) -> &str {
    let beginnings = name.match_indices('_').map(|(at, _)| &name[..at]);
    let mut rooms = beginnings.filter(|beginning| src().join(beginning).is_dir());
    rooms.next_back().unwrap_or_else(|| name.split('_').next().unwrap())
}

#[test]
fn a_rooms_name_may_have_several_words() {
    for (name, room) in
        [("status_page_pages.sql", "status_page"), ("mail_outbox.sql", "mail"), ("nobody_new.sql", "nobody")]
    {
        assert_eq!(room_of(name), room);
    }
}

pub fn sources(dir: &Path) -> Vec<PathBuf> {
    files(dir, "rs")
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Path below `src/` and text of each file of a kind.
fn texts(extension: &str) -> Vec<(String, String)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(src()).unwrap().to_str().unwrap().to_owned(), text)
    };
    files(&src(), extension).into_iter().map(read).collect()
}

/// The sources without the lines that are only a comment.
fn code() -> Vec<(String, String)> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let without = |text: String| text.lines().filter(is_code).collect::<Vec<_>>().join("\n");
    texts("rs").into_iter().map(|(path, text)| (path, without(text))).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a whole word begins.
fn places<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_whole = move |at: &usize| !text[..*at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word);
    text.match_indices(word).map(|(at, _)| at).filter(is_whole)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What is found in the sources: file and name.
type Found = BTreeSet<(String, String)>;

/// What a reader finds in each source, given its path below `src/` and its code.
fn find(reader: impl Fn(&str, &str) -> BTreeSet<String>) -> Found {
    let all = code();
    let found =
        all.iter().flat_map(|(path, code)| reader(path, code).into_iter().map(move |name| (path.clone(), name)));
    found.collect()
}

/// How what is found differs from a list of exceptions: file, names, and the reason. An exception that nobody needs would permit a mistake.
fn differences(found: &Found, exceptions: &[(&str, &str, &str)]) -> Vec<String> {
    let listed: Found = exceptions
        .iter()
        .flat_map(|(file, names, _)| names.split(' ').map(move |name| ((*file).to_owned(), name.to_owned())))
        .collect();
    let new = found.difference(&listed).map(|(file, name)| format!("{file}: {name} is not in the list"));
    let gone = listed.difference(found).map(|(file, name)| format!("{file}: {name} is in the list, but not there"));
    new.chain(gone).collect()
}

#[test]
fn a_list_of_exceptions_says_no_less_and_no_more_than_is_found() {
    let found = Found::from(["one", "two"].map(|name| ("a.rs".to_owned(), name.to_owned())));
    assert_eq!(differences(&found, &[("a.rs", "one two", "why")]), Vec::<String>::new());
    let listed = [("a.rs", "one", "why"), ("b.rs", "two", "why")];
    assert_eq!(
        differences(&found, &listed),
        ["a.rs: two is not in the list", "b.rs: two is in the list, but not there"]
    );
}

#[test]
fn files_stay_small() {
    let too_long: Vec<String> = sources(&src())
        .into_iter()
        .chain(sources(&root().join("tests/it")))
        .filter_map(|p| {
            let lines = fs::read_to_string(&p).unwrap().lines().count();
            (lines > 600).then(|| format!("{} has {lines} lines: make it a folder of the same name", p.display()))
        })
        .collect();
    assert!(too_long.is_empty(), "{too_long:?}");
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<_> = sources(&src())
        .into_iter()
        .filter(|p| !p.ends_with("tests.rs") && !p.components().any(|c| c.as_os_str() == "tests"))
        .filter(|p| !fs::read_to_string(p).unwrap().starts_with("//!"))
        .map(|p| p.display().to_string())
        .collect();
    assert!(silent.is_empty(), "no module documentation: {silent:?}");
}

/// A file of a store that backups are made of goes by a `DeleteGuard` alone, which the compiler asks for; so nobody may say of such a store
/// that no backup is made of it, or go around `storage`.
#[test]
fn only_backups_destinations_delete_without_a_guard() {
    let mut wrong = Vec::new();
    for (path, text) in code() {
        let may = |places: &[&str]| places.iter().any(|place| path.starts_with(place));
        let around = text.contains("object_store::") && !may(&["storage/"]);
        let outside = text.contains(".outside()") && !may(&["backup/destination.rs"]);
        let lance = text.contains("OptimizeAction::Prune") && !may(&["knowledge/index/lance/upkeep.rs"])
            || text.contains(".drop_table(name, &[])") && !may(&["knowledge/index/lance/mod.rs"]);
        let for_tests = ["DeleteGuard::of_nothing(", "Storage::of_faults("];
        let nothing = for_tests.iter().any(|made| text.contains(made)) && !path.contains("/tests");
        if around || outside || lance || nothing {
            wrong.push(path);
        }
    }
    assert!(wrong.is_empty(), "delete through storage, with a DeleteGuard: {wrong:?}");
}

/// Two types of one name would share one schema of the `OpenAPI` document, and one of them would be described wrongly.
#[test]
fn every_schema_of_the_api_has_a_name_of_its_own() {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(&src()) {
        let text = fs::read_to_string(&path).unwrap();
        let derived =
            text.match_indices("ToSchema").filter(|(at, _)| text[..*at].rfind("#[derive(") > text[..*at].rfind(")]"));
        for (at, _) in derived.chain(text.match_indices("text_enum! {")) {
            let rest = &text[at..];
            let Some((head, named)) =
                rest.split_once("struct ").into_iter().chain(rest.split_once("enum ")).min_by_key(|(h, _)| h.len())
            else {
                continue;
            };
            let renamed = head.split_once("schema(as = ").map(|(_, rest)| rest);
            let name: String = renamed.unwrap_or(named).chars().take_while(|c| is_word(*c)).collect();
            // A macro's own definition.
            if name.is_empty() {
                continue;
            }
            names.entry(name).or_default().push(path.display().to_string());
        }
    }
    assert!(names.len() > 60 && names.contains_key("ChatMessage"), "{} names were found", names.len());
    let shared: Vec<_> = names.into_iter().filter(|(_, places)| places.len() > 1).collect();
    assert!(shared.is_empty(), "give one of them another name with #[schema(as = ...)]: {shared:#?}");
}
