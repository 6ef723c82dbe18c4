//! The rules of docs/architecture.md that a machine can check on the source itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

pub fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `src/jobs/store.rs` -> `jobs`.
fn module(path: &Path) -> String {
    let relative = path.strip_prefix(src()).unwrap();
    relative.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The modules that a source names as `crate::<module>`, use groups included.
fn edges(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            let mut start = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => start = true,
                    c if depth == 0 && start && (c.is_alphanumeric() || c == '_') => word.push(c),
                    ':' | ';' if !word.is_empty() => start = false,
                    _ => {}
                }
                if !start && !word.is_empty() {
                    found.insert(std::mem::take(&mut word));
                }
                if c == ',' && depth == 0 && !word.is_empty() {
                    found.insert(std::mem::take(&mut word));
                }
            }
            if !word.is_empty() {
                found.insert(word);
            }
        } else {
            found.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found
}

/// What each module may import: below it only (docs/architecture.md, "Which way arrows point").
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let services = ["platform", "console"];
    BTreeMap::from([
        ("platform", vec![]),
        ("console", vec!["platform"]),
        ("jobs", services.to_vec()),
        ("events", vec!["platform", "jobs"]),
        ("kit", [&services[..], &["jobs", "events"]].concat()),
        ("webhooks", [&services[..], &["kit", "jobs", "events"]].concat()),
        ("storage", vec!["platform"]),
        ("llm", [&services[..], &["kit", "jobs"]].concat()),
        ("auth", [&services[..], &["kit", "jobs", "events"]].concat()),
        ("knowledge", [&services[..], &["kit", "jobs", "events", "llm", "storage"]].concat()),
        ("agents", [&services[..], &["kit", "jobs", "events", "llm", "knowledge"]].concat()),
        // What a room keeps beside database and objects takes part through `storage::Participant`: no room by its name.
        ("backup", [&services[..], &["kit", "jobs", "events", "storage"]].concat()),
        ("logs", [&services[..], &["kit"]].concat()),
        ("alerting", [&services[..], &["kit", "jobs", "events", "webhooks"]].concat()),
        (
            "app",
            [
                &services[..],
                &[
                    "kit",
                    "jobs",
                    "events",
                    "webhooks",
                    "llm",
                    "storage",
                    "auth",
                    "knowledge",
                    "agents",
                    "backup",
                    "logs",
                    "alerting",
                ],
            ]
            .concat(),
        ),
        ("cli", vec!["platform", "app", "storage", "auth", "knowledge", "backup"]),
        ("main", vec![]),
        ("lib", vec![]),
    ])
}

#[test]
fn arrows_point_down() {
    let allowed = allowed();
    let mut unused = allowed.clone();
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let from = module(&path);
        let may = allowed
            .get(from.as_str())
            .unwrap_or_else(|| panic!("{from} has no place in the house: add it here and to the page"));
        for to in edges(&fs::read_to_string(&path).unwrap()) {
            unused.get_mut(from.as_str()).unwrap().retain(|used| *used != to);
            if allowed.contains_key(to.as_str()) && to != from && !may.contains(&to.as_str()) {
                wrong.push(format!("{}: {from} -> {to}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
    unused.retain(|_, arrows| !arrows.is_empty());
    assert!(unused.is_empty(), "arrows that nobody uses; they would permit a mistake: {unused:?}");
}

#[test]
fn the_reader_of_edges_sees_every_spelling() {
    let text = "use crate::{app::{App, Config}, jobs, platform::db::{Db}};\nfn f() { crate::llm::x() }";
    let found = edges(text);
    for expected in ["app", "jobs", "platform", "llm"] {
        assert!(found.contains(expected), "{expected} is not in {found:?}");
    }
    assert!(!found.contains("Config") && !found.contains("Db"), "{found:?}");
}

/// Who may work outside a tenant: each place with its reason.
const SYSTEM_CALLERS: [&str; 12] = [
    "platform/db/mod.rs",        // ping, and its own definition
    "platform/db/statistics.rs", // the server's own figures
    "platform/http/idempotency", // retention over all organisations
    "auth",                      // sign-in and key look-up happen before the tenant is known
    "jobs",                      // leasing, schedules and retention work for all tenants
    "events",                    // readers read the events of all organisations
    "webhooks",                  // events of all are made into deliveries; receivers of the configuration
    "llm",                       // usage rows of many tenants are written in one batch
    "knowledge",                 // start-up reconciliation and gauges over all bases
    "agents",                    // gauges
    "backup",                    // backups are of the whole installation
    "alerting",                  // alerts are of the whole installation
];

#[test]
fn only_listed_places_work_outside_a_tenant() {
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let relative = path.strip_prefix(src()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        if text.contains(".system()")
            && !text.contains("Clock::system()")
            && !SYSTEM_CALLERS.iter().any(|p| relative.starts_with(p))
        {
            wrong.push(relative);
        }
    }
    assert!(wrong.is_empty(), "`db.system()` outside the list: {wrong:?}");
}

/// A file of a store that backups are made of goes by a `DeleteGuard` alone, which the compiler asks for; so nobody may say of such a store
/// that no backup is made of it, or go around `storage`.
#[test]
fn only_backups_destinations_delete_without_a_guard() {
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let relative = path.strip_prefix(src()).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        let may = |places: &[&str]| places.iter().any(|place| relative.starts_with(place));
        let around = text.contains("object_store::") && !may(&["storage/"]);
        let outside = text.contains(".outside()") && !may(&["backup/destination.rs"]);
        let lance = text.contains("OptimizeAction::Prune") && !may(&["knowledge/index/lance/upkeep.rs"])
            || text.contains(".drop_table(name, &[])") && !may(&["knowledge/index/lance/mod.rs"]);
        if around || outside || lance {
            wrong.push(relative);
        }
    }
    assert!(wrong.is_empty(), "delete through storage, with a DeleteGuard: {wrong:?}");
}

#[test]
fn sql_stays_in_stores_and_the_database_module() {
    let mut wrong = Vec::new();
    for path in sources(&src()) {
        let relative = path.strip_prefix(src()).unwrap().display().to_string();
        let is_store = relative.contains("/store") || relative.starts_with("platform/db/");
        let text = fs::read_to_string(&path).unwrap();
        let has_sql =
            ["query!(", "query_as!(", "query_scalar!(", "raw_sql(", "sqlx::query("].iter().any(|q| text.contains(q));
        if has_sql && !is_store {
            wrong.push(relative);
        }
    }
    assert!(wrong.is_empty(), "SQL outside store.rs: {wrong:?}");
}

#[test]
fn files_stay_small() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let too_long: Vec<String> = sources(&src())
        .into_iter()
        .chain(sources(&tests))
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

/// What goes into the program by its path, and into the image's build only where this list says so.
#[test]
fn the_images_build_sees_every_folder_that_is_embedded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("compose/Dockerfile.dockerignore")).unwrap();
    let mut read: BTreeSet<String> =
        ["Cargo.toml", "Cargo.lock", "build.rs", ".sqlx", "migrations"].map(String::from).into();
    for text in sources(&src()).iter().map(|path| fs::read_to_string(path).unwrap()) {
        let folders = text.split("#[folder = \"").skip(1);
        read.extend(folders.map(|rest| rest.split('"').next().unwrap().trim_end_matches('/').to_owned()));
    }
    assert!(read.contains("demo"), "{read:?}");
    let unseen: Vec<_> = read.iter().filter(|path| !list.lines().any(|line| line == format!("!{path}"))).collect();
    assert!(unseen.is_empty(), "compose/Dockerfile.dockerignore keeps {unseen:?} from the build");
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
            let name: String =
                renamed.unwrap_or(named).chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
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
