//! Cargo holds the arrows between rooms: a room can only use what its manifest names, and there are no circles. Here: what the manifests
//! must say, and the order of `app` and `cli`, which are one package.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

use super::{code, is_word, places, root, set, sources, src, texts};

/// The rooms of the lowest floors, each with all that it may stand on.
const LOWEST: [(&str, &[&str]); 2] = [("platform", &[]), ("console", &["platform"])];
/// Folders of the root package.
const OF_ROOT: [&str; 2] = ["app", "cli"];

/// A package of the workspace.
pub struct Package {
    /// As the sources of others name it.
    name: String,
    pub folder: PathBuf,
    manifest: Table,
}

/// The root package, and those in `src/`: the rooms, and parts of one.
pub fn packages() -> Vec<Package> {
    let folders = sources(&src()).into_iter().filter_map(|path| path.parent().map(Path::to_owned));
    let mut folders: BTreeSet<PathBuf> = folders.filter(|folder| folder.join("Cargo.toml").exists()).collect();
    folders.insert(root());
    let read = |folder: PathBuf| Package::new(&fs::read_to_string(folder.join("Cargo.toml")).unwrap(), folder);
    folders.into_iter().map(read).collect()
}

impl Package {
    fn new(manifest: &str, folder: PathBuf) -> Self {
        let manifest: Table = manifest.parse().unwrap();
        let name = |of: &str| Some(manifest.get(of)?.get("name")?.as_str()?.to_owned());
        let name = name("lib").or_else(|| name("package")).unwrap();
        let name = name.strip_prefix("holdfast-").unwrap_or(&name).to_owned();
        Self { name, folder, manifest }
    }

    /// The rooms among its dependencies of a kind: what has a path there, or the name of a package here.
    fn rooms(&self, kind: &str, names: &BTreeSet<&str>) -> BTreeSet<String> {
        let wanted = self.manifest.get(kind).and_then(Value::as_table).into_iter().flatten();
        let wanted = wanted.filter(|(name, how)| how.get("path").is_some() || names.contains(name.as_str()));
        wanted.map(|(name, _)| name.clone()).collect()
    }
}

/// For each package the rooms that it stands on.
type Arrows = BTreeMap<String, BTreeSet<String>>;

fn arrows(packages: &[Package]) -> Arrows {
    let names = packages.iter().map(|package| package.name.as_str()).collect();
    packages.iter().map(|package| (package.name.clone(), package.rooms("dependencies", &names))).collect()
}

/// What Cargo would build and no manifest may say.
fn wrong(packages: &[Package]) -> Vec<String> {
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        for (_, below) in LOWEST.iter().filter(|(lowest, _)| *lowest == name) {
            let rooms = package.rooms("dependencies", &names);
            let above = rooms.iter().filter(|room| !below.contains(&room.as_str()));
            wrong.extend(above.map(|room| format!("{name} -> {room}")));
        }
        // Cargo permits circles of dev-dependencies.
        for kind in ["dev-dependencies", "build-dependencies"] {
            wrong.extend(package.rooms(kind, &names).iter().map(|room| format!("{name} -> {room} in [{kind}]")));
        }
        if package.manifest.contains_key("target") {
            wrong.push(format!("{name}: dependencies of one target are not read here"));
        }
    }
    wrong
}

#[test]
fn arrows_of_the_lowest_floors_and_of_tests_point_nowhere() {
    let found = wrong(&packages());
    assert!(found.is_empty(), "arrows that are not allowed:\n{}", found.join("\n"));
}

#[test]
fn an_arrow_that_points_up_is_seen() {
    let package = |text: &str| Package::new(text, PathBuf::new());
    let house = [
        package(
            "[package]\nname = \"holdfast-platform\"\n[lib]\npath = \"mod.rs\"\n[dependencies]\njobs.workspace = true",
        ),
        package(
            "[package]\nname = \"console\"\n[dependencies]\nserde = \"1\"\nplatform = { path = \"../platform\" }\nkit.path = \"../kit\"",
        ),
        package(
            "[package]\nname = \"jobs\"\n[dev-dependencies]\nevents = { path = \"../events\" }\n[target.x.dependencies]",
        ),
    ];
    let expected = [
        "platform -> jobs",
        "console -> kit",
        "jobs -> events in [dev-dependencies]",
        "jobs: dependencies of one target are not read here",
    ];
    assert_eq!(wrong(&house), expected);
}

/// Packages that Cargo would leave out, or look at only when they are named.
fn left_out(workspace: &Table, packages: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut left_out = Vec::new();
    for list in ["members", "default-members"] {
        let listed = workspace.get(list).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let listed: BTreeSet<PathBuf> = listed.map(|folder| root().join(folder)).collect();
        let missing = packages.difference(&listed).map(|folder| format!("{} in `{list}`", folder.display()));
        left_out.extend(missing);
    }
    left_out
}

#[test]
fn every_room_is_a_package_and_every_package_is_built_and_tested() {
    let entries = fs::read_dir(src()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut rooms: BTreeSet<PathBuf> =
        entries.filter(|path| !OF_ROOT.iter().any(|folder| path.ends_with(folder))).collect();
    let packages = packages();
    rooms.extend(packages.iter().map(|package| package.folder.clone()).filter(|folder| *folder != root()));
    let manifest = &packages.iter().find(|package| package.folder == root()).unwrap().manifest;
    let workspace = manifest["workspace"].as_table().unwrap();
    let missing = left_out(workspace, &rooms);
    assert!(missing.is_empty(), "Cargo.toml of the workspace lacks:\n{}", missing.join("\n"));

    rooms.insert(src().join("no_such_room"));
    assert_eq!(left_out(workspace, &rooms).len(), 2, "a new room is missing in both lists");
}

/// Whether a source names a room. In a source that has a module of that name, only `::room` is the room.
fn uses(code: &str, room: &str) -> bool {
    let own = code.lines().any(|line| line.trim_end().ends_with(&format!("mod {room};")));
    places(code, room).any(|at| {
        let (before, after) = (&code[..at], &code[at + room.len()..]);
        let from_root = before.strip_suffix("::").is_some_and(|path| !path.ends_with(is_word));
        let first = from_root || !own && !before.ends_with(':');
        first && (after.starts_with("::") || before.ends_with("use ") || before.ends_with("use ::"))
    })
}

/// Arrows that no source of their package needs; they would permit a mistake.
fn unused(arrows: &Arrows, sources: &BTreeMap<&str, Vec<String>>) -> Vec<String> {
    let mut unused = Vec::new();
    for (name, rooms) in arrows {
        let own = sources.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let idle = rooms.iter().filter(|room| !own.iter().any(|code| uses(code, room)));
        unused.extend(idle.map(|room| format!("{name} -> {room}")));
    }
    unused
}

#[test]
fn every_arrow_is_used() {
    let packages = packages();
    let mut sources: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // The root's library names every room for the tests.
    for (path, code) in code().into_iter().filter(|(path, _)| path != "lib.rs") {
        let path = src().join(path);
        let around = packages.iter().filter(|package| path.starts_with(&package.folder));
        let package = around.max_by_key(|package| package.folder.components().count()).unwrap();
        sources.entry(&package.name).or_default().push(code);
    }
    let unused = unused(&arrows(&packages), &sources);
    assert!(unused.is_empty(), "arrows that nobody uses; take them out of the manifests:\n{}", unused.join("\n"));
}

#[test]
fn an_unused_arrow_is_seen() {
    for text in ["use jobs::Job;", "use jobs;", "pub use ::jobs;", "fn f() { ::jobs::g() }", "(jobs::A, 1)"] {
        assert!(uses(text, "jobs"), "{text}");
    }
    let others = ["crate::jobs::A", "use super::jobs;", "my_jobs::A", "let x = jobs;", "mod jobs;\npub use jobs::A;"];
    let others = others.map(String::from);
    let arrows = Arrows::from([("shop".to_owned(), set(&["jobs"]))]);
    assert_eq!(unused(&arrows, &BTreeMap::from([("shop", others.to_vec())])), ["shop -> jobs"]);
}

/// The arrows as docs/architecture.md lists them.
fn listed(page: &str) -> Arrows {
    let block = page.split("```arrows\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or_default();
    let line = |line: &str| {
        let (from, to) = line.split_once("->")?;
        let rooms = to.split(',').map(|room| room.trim().to_owned()).filter(|room| !room.is_empty());
        Some((from.trim().to_owned(), rooms.collect()))
    };
    block.lines().filter_map(line).collect()
}

#[test]
fn the_page_lists_the_arrows_of_the_manifests() {
    let page = listed(&fs::read_to_string(root().join("docs/architecture.md")).unwrap());
    let manifests = arrows(&packages());
    for name in page.keys().chain(manifests.keys()) {
        assert_eq!(page.get(name), manifests.get(name), "{name}: docs/architecture.md (left) and the manifest differ");
    }
    let text = "before\n```arrows\nground ->\nshop   -> ground, till\n```\nafter -> it";
    let expected = [("ground", set(&[])), ("shop", set(&["ground", "till"]))];
    assert_eq!(listed(text), Arrows::from(expected.map(|(room, below)| (room.to_owned(), below))));
}

fn names_cli(code: &str) -> bool {
    places(code, "cli").next().is_some()
}

#[test]
fn app_does_not_know_cli() {
    let app = code().into_iter().filter(|(path, _)| path == "app.rs" || path.starts_with("app/"));
    let wrong: Vec<_> = app.filter(|(_, code)| names_cli(code)).map(|(path, _)| path).collect();
    assert!(wrong.is_empty(), "`app` imports `cli`: {wrong:?}");
    assert!(names_cli("use crate::{app::App, cli::boot};") && !names_cli("client.click()"));
}

/// Rooms whose templates a file takes in, by the folder that begins their path.
fn templates(text: &str) -> BTreeSet<&str> {
    let folders = text.match_indices("/templates/").filter_map(|(at, _)| text[..at].rsplit_once('"'));
    folders.map(|(_, folder)| folder).filter(|folder| folder.chars().all(is_word)).collect()
}

/// askama finds every room's templates, whatever the manifest says.
#[test]
fn templates_are_of_the_room_or_of_one_that_it_stands_on() {
    let arrows = arrows(&packages());
    let mut wrong = Vec::new();
    for (path, text) in texts("html").into_iter().chain(code()) {
        let room = path.split('/').next().unwrap();
        let others = templates(&text).into_iter().filter(|other| *other != room);
        let strange = others.filter(|other| arrows.get(room).is_none_or(|below| !below.contains(*other)));
        wrong.extend(strange.map(|other| format!("{path}: {other}/templates")));
    }
    assert!(wrong.is_empty(), "templates of a room that the manifest does not name:\n{}", wrong.join("\n"));
    let text = "{% extends \"console/templates/a.html\" %} path = \"auth/templates/b.html\" src/jobs/templates/";
    assert_eq!(templates(text), BTreeSet::from(["auth", "console"]));
}
