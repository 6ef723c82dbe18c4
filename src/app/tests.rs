//! What a machine can check about the rooms together: languages are complete, keys exist, files are named, scopes have labels.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{ROOMS, assets, locales, scopes, tables};
use console::{Lang, Texts};

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The layout of mails is put into mails, never served as a page, and mail programs read no styles but those in the tags themselves.
const MAIL_LAYOUT: &str = "mail/render/";

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { walk(&entry.path(), out) } else { out.push(entry.path()) }
    }
}

/// Every file below `src`, by name relative to it, with one of the extensions.
fn files(extensions: &[&str]) -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    walk(&sources(), &mut all);
    all.retain(|path| path.extension().is_some_and(|e| extensions.iter().any(|known| e == *known)));
    all.into_iter().map(|path| (path.strip_prefix(sources()).unwrap().to_str().unwrap().to_owned(), path)).collect()
}

fn keys(source: &str) -> BTreeSet<&str> {
    let starts = source.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    starts.filter_map(|line| line.split_once(" =")).map(|(key, _)| key).collect()
}

#[test]
fn every_file_is_embedded() {
    let served =
        files(&["css", "js", "svg", "png", "woff2"]).into_iter().filter(|(name, _)| !name.starts_with(MAIL_LAYOUT));
    for (name, _) in served {
        let asset = name.replace("/assets/", "/");
        assert!(assets().iter().any(|known| known.name == asset), "{name} is missing in `assets` of its room");
    }
    for (name, _) in files(&["ftl"]) {
        let known = locales().iter().any(|locale| name.starts_with(&format!("{}/locales/", locale.room)));
        assert!(known, "{name} is missing in `locale` of its room");
    }
}

#[test]
fn both_languages_have_the_same_keys_under_their_own_prefix() {
    for locale in locales() {
        assert_eq!(keys(locale.en), keys(locale.ru), "{}", locale.room);
        for source in [locale.en, locale.ru] {
            let parsed = fluent_bundle::FluentResource::try_new(source.to_owned());
            assert!(parsed.is_ok(), "{}: {:?}", locale.room, parsed.err().map(|(_, errors)| errors));
        }
        for key in keys(locale.en) {
            let prefixes = [&locale.room.replace('_', "-"), "error-", "scope-"];
            let own = prefixes.iter().any(|prefix| key.starts_with(prefix));
            assert!(own, "{key} does not carry the prefix {}", locale.room);
        }
    }
}

#[test]
fn every_key_that_a_page_names_exists() {
    let calls = [".t(\"", ".tn(\"", "Flash::ok(\"", "Flash::warn(\"", "Flash::error(\""];
    // Tests may name keys that do not exist, and the how-to in mod.rs names another capability's.
    let pages =
        files(&["html", "rs"]).into_iter().filter(|(name, _)| !name.ends_with("tests.rs") && name != "console/mod.rs");
    let texts = Texts::new(&locales());
    for (name, path) in pages {
        let text = fs::read_to_string(path).unwrap();
        for call in calls {
            for rest in text.split(call).skip(1) {
                let key = rest.split('"').next().unwrap();
                // A key with a hole is filled from a closed set; the pages' own tests render those.
                let complete = key.contains("{}") || Lang::ALL.into_iter().all(|lang| texts.has(lang, key));
                assert!(complete, "{name} names the key {key}, which no locales file has");
            }
        }
    }
}

#[test]
fn pages_have_no_inline_script_or_style() {
    let pages = files(&["html"]).into_iter().filter(|(name, _)| !name.starts_with(MAIL_LAYOUT));
    for (name, path) in pages {
        let text = fs::read_to_string(path).unwrap();
        for banned in [" style=", "<style", " onclick=", " onsubmit=", "javascript:"] {
            assert!(!text.contains(banned), "{name} has {banned}, which the content security policy blocks");
        }
    }
}

#[test]
fn russian_counts_decline() {
    let texts = Texts::new(&locales());
    let bases = |n: i64| texts.text(Lang::Ru, "knowledge-overview-in-bases").with("n", n).to_string();
    assert_eq!(bases(1), "в 1 базе знаний");
    assert_eq!(bases(1_205), "в 1\u{a0}205 базах знаний");
    let alerts = |n: i64| texts.text(Lang::Ru, "alerting-overview-firing").with("n", n).to_string();
    let found = (alerts(21), alerts(3), alerts(11));
    let expected = ("21 активное оповещение", "3 активных оповещения", "11 активных оповещений");
    assert_eq!((found.0.as_str(), found.1.as_str(), found.2.as_str()), expected);
}

#[test]
fn every_room_has_a_name_of_its_own_and_every_scope_a_label_and_every_table_one_owner() {
    let texts = Texts::new(&locales());
    let names: BTreeSet<_> = ROOMS.iter().map(|room| room.name).collect();
    assert_eq!(names.len(), ROOMS.len());
    let all: BTreeSet<_> = scopes().iter().map(|scope| scope.as_str()).collect();
    assert_eq!(all.len(), scopes().len(), "a scope is declared twice");
    for scope in all {
        let key = format!("scope-{}", scope.replace('_', "-"));
        assert!(Lang::ALL.iter().all(|lang| texts.has(*lang, &key)), "{key} is in no locales file");
    }
    for item in ROOMS.iter().flat_map(|room| room.nav) {
        assert!(Lang::ALL.iter().all(|lang| texts.has(*lang, item.key)), "{} is in no locales file", item.key);
    }
    for command in ROOMS.iter().flat_map(|room| room.commands) {
        assert!(Lang::ALL.iter().all(|lang| texts.has(*lang, command.key)), "{} is in no locales file", command.key);
    }
    let letters: Vec<_> = ROOMS.iter().flat_map(|room| room.nav).filter_map(|item| item.letter).collect();
    assert_eq!(letters.iter().collect::<BTreeSet<_>>().len(), letters.len(), "two links have one letter: {letters:?}");
    let owned: BTreeSet<_> = tables().iter().map(|(_, table)| table.name).collect();
    assert_eq!(owned.len(), tables().len(), "a table has two owners");
}

/// The catalogue of events calls every other type by its name in plain words.
#[test]
fn events_share_no_types_but_ids_with_the_api() {
    let mut seen = 0;
    for event in ROOMS.iter().flat_map(|room| room.events) {
        let schema = serde_json::to_value((event.schema)()).unwrap();
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let shared = field["$ref"].as_str().unwrap_or("Id");
            assert!(shared.ends_with("Id"), "{}: {name} is {shared}: add #[schema(inline)]", event.topic);
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} fields?");
}
