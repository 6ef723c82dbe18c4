//! What a room is joined by in other files. What is forgotten there is missed in silence (a route in no document, a check that nobody runs),
//! so each joint is derived from the room's own files, and a test says what to add where.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use holdfast::{app::ROOMS, jobs::Registry};

use crate::{
    architecture::{packages, sources, src},
    support::{app::TestApp, vault::Vault},
};

/// The folders that are no rooms: the ground floor, and what knows every room.
const NO_ROOMS: [&str; 4] = ["app", "cli", "kit", "platform"];

/// Rooms that `kit` stands on.
const BELOW_KIT: [&str; 4] = ["console", "events", "jobs", "storage"];

/// Name and folder of each room.
fn rooms() -> Vec<(String, PathBuf)> {
    let folders = fs::read_dir(src()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let named = folders.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path));
    let mut rooms: Vec<_> = named.filter(|(name, _)| !NO_ROOMS.contains(&name.as_str())).collect();
    rooms.sort();
    rooms
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Source of a room's file or folder `name`; empty where it has none.
fn part(room: &Path, name: &str) -> String {
    let file = room.join(format!("{name}.rs"));
    let files = if file.exists() {
        vec![file]
    } else {
        Some(room.join(name)).filter(|dir| dir.is_dir()).map(|dir| sources(&dir)).unwrap_or_default()
    };
    files.iter().map(|path| read(path)).collect()
}

/// What a room has (a part of it, and what stands there), and what another file then says of it; `{room}` is its name.
struct Joint {
    part: &'static str,
    has: &'static str,
    file: &'static str,
    says: &'static [&'static str],
}

/// The room's own `module.rs`; of the rooms below `kit` it is `app/rooms.rs` that makes their value.
const MODULE: &str = "src/{room}/module.rs";

const JOINTS: [Joint; 13] = [
    Joint { part: "module", has: "pub static ROOM", file: "src/app/rooms.rs", says: &["&{room}::ROOM"] },
    Joint { part: "module", has: "pub fn build(", file: "src/app/rooms.rs", says: &["{room}::build("] },
    Joint {
        part: "routes",
        has: "pub fn router()",
        file: MODULE,
        says: &[".api(routes::router(), ", ".api(router(), ", ".api({room}::routes::router(), "],
    },
    Joint { part: "routes", has: "pub fn router()", file: MODULE, says: &["router().into_openapi()"] },
    Joint {
        part: "pages",
        has: "pub fn router()",
        file: MODULE,
        says: &[".pages(pages::router(), ", ".pages({room}::pages::router(), "],
    },
    Joint { part: "overview", has: "impl OverviewPart for", file: MODULE, says: &[".overview("] },
    Joint { part: "doctor", has: "pub fn checks(", file: MODULE, says: &[".checks("] },
    Joint { part: "metrics", has: "pub fn register(", file: MODULE, says: &["metrics: Some("] },
    Joint { part: "events", has: "pub const EVENTS:", file: MODULE, says: &["events: EVENTS,"] },
    Joint { part: "mod", has: "pub use jobs::register;", file: MODULE, says: &[".jobs("] },
    Joint { part: "config", has: "pub struct Config", file: "src/app/config.rs", says: &["raw.section(\"{room}\""] },
    Joint { part: "config", has: "pub struct Config", file: "config/holdfast.toml", says: &["[{room}]", "[{room}."] },
    Joint { part: "participant", has: "impl Participant for", file: "src/app/stores.rs", says: &["{room}::"] },
];

/// What is missing of the joints for these rooms.
fn missing(rooms: &[(String, PathBuf)], text_of: impl Fn(&str) -> String) -> Vec<String> {
    let mut missing = Vec::new();
    for (room, folder) in rooms {
        let is_below_kit = BELOW_KIT.contains(&room.as_str());
        for Joint { part: name, has, file, says } in &JOINTS {
            // Their metrics are registered before any room is built.
            if is_below_kit && *name == "metrics" {
                continue;
            }
            let file = if is_below_kit && *file == MODULE {
                "src/app/rooms.rs".to_owned()
            } else {
                file.replace("{room}", room)
            };
            let own = part(folder, name);
            let words: Vec<String> = says.iter().map(|words| words.replace("{room}", room)).collect();
            if own.contains(has) && !words.iter().any(|words| text_of(&file).contains(words)) {
                missing.push(format!("src/{room} has `{name}`: say `{}` in {file}", words[0]));
            }
        }
    }
    missing
}

#[test]
fn what_a_room_has_is_joined_to_the_house() {
    let found = missing(&rooms(), |file| fs::read_to_string(root(file)).unwrap_or_default());
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Without any of it each room misses what it has.
    let nothing = missing(&rooms(), |_| String::new());
    for (room, least) in [("knowledge", 11), ("storage", 3), ("logs", 8), ("jobs", 6)] {
        let count = nothing.iter().filter(|line| line.starts_with(&format!("src/{room} has"))).count();
        assert!(count >= least, "{room}: {count} joints are seen, of {least}: {nothing:#?}");
    }
}

/// Queues and schedules are named before anything is built, for the reference of metrics. What a room without a module has, nobody serves or runs.
#[tokio::test]
async fn every_room_is_built_and_registers_the_queues_and_schedules_that_it_names() {
    // With all that is off unless configured.
    let vault = Vault::new();
    let mut settings = vault.settings();
    settings.push(("HOLDFAST_ALERTING__ALERTMANAGER_URL", "http://127.0.0.1:9".into()));
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = TestApp::start_with(&settings).await;
    let built: Vec<_> = app.app.modules.iter().map(|module| module.room.name).collect();
    let without_module = ["platform", "console"];
    let named: Vec<_> = ROOMS.iter().map(|room| room.name).filter(|name| !without_module.contains(name)).collect();
    assert_eq!(built, named, "src/app/rooms.rs: a room is missing in `modules`, or in ROOMS");
    for module in &app.app.modules {
        let mut registry = Registry::default();
        module.register_jobs(&mut registry).unwrap();
        let (mut queues, mut schedules) = (module.room.queues.to_vec(), module.room.schedules.to_vec());
        if module.room.name == "jobs" {
            (queues, schedules) = (vec![], vec![]);
        }
        queues.sort_unstable();
        schedules.sort_unstable();
        let mut registered = registry.schedule_names();
        registered.sort_unstable();
        assert_eq!((registry.queues(), registered), (queues, schedules), "ROOM of {}", module.room.name);
    }
    app.stop().await;
}

/// A file that no `mod` names is not compiled: its tests do not run, and nobody is told. Where a package begins, its manifest names it.
#[test]
fn every_source_file_is_compiled() {
    let packages = packages();
    let roots: BTreeSet<PathBuf> =
        packages.iter().flat_map(|package| ["mod.rs", "build.rs"].map(|file| package.folder.join(file))).collect();
    let mut orphans = Vec::new();
    for (folder, top) in [(src(), vec!["lib.rs", "main.rs"]), (root("tests/it"), vec!["main.rs"])] {
        let files: BTreeSet<PathBuf> = sources(&folder).into_iter().collect();
        for path in &files {
            let (dir, stem) = (path.parent().unwrap(), path.file_stem().unwrap().to_str().unwrap());
            let is_top = dir == folder && top.contains(&path.file_name().unwrap().to_str().unwrap());
            if is_top || roots.contains(path) {
                continue;
            }
            // `a/mod.rs` is named by what names `a`.
            let (dir, name) = if stem == "mod" {
                (dir.parent().unwrap(), dir.file_name().unwrap().to_str().unwrap())
            } else {
                (dir, stem)
            };
            let parents = if dir == folder {
                top.iter().map(|file| folder.join(file)).collect()
            } else {
                vec![dir.join("mod.rs"), dir.with_extension("rs")]
            };
            let named = |text: &str| text.lines().any(|line| line.trim_end().ends_with(&format!("mod {name};")));
            if !parents.iter().filter(|path| files.contains(*path)).any(|path| named(&read(path))) {
                orphans.push(format!("{}: say `mod {name};` in one of {parents:?}", path.display()));
            }
        }
    }
    assert!(orphans.is_empty(), "{}", orphans.join("\n"));
}

#[test]
fn every_room_has_integration_tests_alerts_and_a_dashboard_of_its_name() {
    for (room, folder) in rooms() {
        let own = [format!("tests/it/{room}.rs"), format!("tests/it/{room}/mod.rs")];
        assert!(own.iter().any(|path| root(path).exists()), "there is no {}", own[0]);
        // The alerts of alerting are those of the whole path: meta.
        let of = if room == "alerting" { "meta" } else { &room };
        if part(&folder, "metrics").contains("pub fn register(") {
            let board = if room == "alerting" { "monitoring" } else { &room };
            for path in
                [format!("alerts/{of}.yml"), format!("alerts/tests/{of}.yml"), format!("dashboards/source/{board}.py")]
            {
                assert!(root(&path).exists(), "src/{room} has metrics and there is no {path}");
            }
        }
    }
}

/// What is run by name: a new one that no script and no other test names is run by nobody.
#[test]
fn every_program_of_the_tests_is_run_by_somebody() {
    let scripts = ["test", "test-slow", "test-compose", "bench"]
        .map(|name| root("scripts").join(name))
        .into_iter()
        .chain([root(".ci/run")]);
    let own = Path::new(file!()).file_name();
    let tests = sources(&root("tests/it")).into_iter().filter(|path| path.file_name() != own);
    let mut programs = Vec::new();
    for folder in ["tests/clients", "tests/clients/browser", "tests/compose"] {
        let files =
            fs::read_dir(root(folder)).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
        programs.extend(files.filter(|path| fs::read_to_string(path).is_ok()));
    }
    let monitoring = fs::read_dir(root("tests/monitoring")).unwrap().map(|entry| entry.unwrap().path());
    let monitoring = monitoring.filter(|path| path.extension().is_some_and(|end| end == "py"));
    let readers: Vec<(PathBuf, String)> = scripts
        .chain(tests)
        .chain(monitoring)
        .chain(programs.clone())
        .filter(|path| path.exists())
        .map(|path| (path.clone(), read(&path)))
        .collect();
    for path in programs {
        let name = path.file_name().unwrap().to_str().unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if !read(&path).starts_with("#!") && ![".py", ".mjs"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let names = [name.to_owned(), format!("import {stem}"), format!("from {stem} ")];
        let run = readers.iter().any(|(reader, text)| *reader != path && names.iter().any(|name| text.contains(name)));
        assert!(run, "{}: nobody runs it; name it in scripts/test or scripts/test-slow", path.display());
    }
}
