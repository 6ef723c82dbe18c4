//! Files that sources take into the program by their path. Cargo does not see them: a room's own are in its folder, and what is elsewhere is
//! listed here, none of it in another room.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{Found, differences, find, packages, root, set, src};

/// What a path follows, and whether it begins at the package's folder instead of the source's.
const MARKERS: [(&str, bool); 6] = [
    ("include_str!(", false),
    ("include_bytes!(", false),
    ("include!(", false),
    ("#[path = ", false),
    ("#[folder = ", true),
    ("migrate!(", true),
];

/// Source, what it takes in, reason.
const ELSEWHERE: [(&str, &str, &str); 7] = [
    ("alerting/runbooks.rs", "docs/runbooks", "one text for the repository and the console"),
    ("app/settings.rs", "config/holdfast.toml", "the console shows what each setting does"),
    ("cli/config.rs", "config/holdfast.toml", "`config docs` prints it"),
    ("knowledge/index/tests/self_test.rs", "tests/fixtures/retrieval/gnome.json", "one folder for all fixtures"),
    ("knowledge/service/demo.rs", "demo", "the demo documents, readable in the repository"),
    ("llm/embed/tests.rs", "tests/fixtures/retrieval/vectors.json", "one folder for all fixtures"),
    ("platform/db/migrate.rs", "migrations", "one order for all rooms"),
];

/// What a source takes in: paths from the root of the repository. `source` is one, too, and `package` its package's folder.
fn embedded(source: &Path, package: &Path, code: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (marker, from_package) in MARKERS {
        for (at, _) in code.match_indices(marker) {
            let rest = code[at + marker.len()..].trim_start();
            let rest = rest.strip_prefix("concat!(").unwrap_or(rest).trim_start();
            let literal = rest.strip_prefix('"').and_then(|rest| rest.split('"').next());
            let base = if from_package { package } else { source.parent().unwrap() };
            found.push(match literal {
                Some(path) => resolved(&base.join(path)),
                // It may be anywhere: named as it stands.
                None => rest.lines().next().unwrap_or_default().into(),
            });
        }
    }
    found
}

/// Without `..` in it.
fn resolved(path: &Path) -> PathBuf {
    let mut found = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            found.pop();
        } else {
            found.push(part);
        }
    }
    found
}

/// What the sources take in from outside of their room's folder, which is the package's, or in the root package `app` or `cli`.
fn outside(source: &Path, package: &Path, code: &str) -> BTreeSet<String> {
    let room = source.components().take(2).collect::<PathBuf>().with_extension("");
    let own = if package == Path::new("") { room.as_path() } else { package };
    let embedded = embedded(source, package, code);
    embedded.iter().filter(|path| !path.starts_with(own)).map(|path| path.to_str().unwrap().to_owned()).collect()
}

fn found() -> Found {
    let folders: Vec<PathBuf> = packages().into_iter().map(|package| package.folder).collect();
    find(|path, code| {
        let path = src().join(path);
        let package = folders.iter().filter(|folder| path.starts_with(folder)).max_by_key(|f| f.components().count());
        let [path, package] = [&path, package.unwrap()].map(|path| path.strip_prefix(root()).unwrap());
        outside(path, package, code)
    })
}

#[test]
fn only_listed_files_are_taken_in_from_elsewhere() {
    let wrong = differences(&found(), &ELSEWHERE);
    assert!(wrong.is_empty(), "files taken in from outside of the room:\n{}", wrong.join("\n"));
    let (source, package) = (Path::new("src/shop/till/mod.rs"), Path::new("src/shop"));
    for (text, expected) in [
        ("include_str!(\"../../auth/locales/en.ftl\")", Some("src/auth/locales/en.ftl")),
        ("include_bytes!(\n    concat!(\"../../../assets/\", $file)\n)", Some("assets")),
        ("#[path = \"../../auth/keys.rs\"]\nmod keys;", Some("src/auth/keys.rs")),
        ("#[folder = \"../../wares/\"]", Some("wares")),
        ("include_str!(env!(\"FILE\"))", Some("env!(\"FILE\"))")),
        ("include_str!(\"../list.txt\")", None),
        ("#[folder = \"wares/\"]", None),
    ] {
        let expected: BTreeSet<String> = expected.map(str::to_owned).into_iter().collect();
        assert_eq!(outside(source, package, text), expected, "{text}");
    }
    let (source, package) = (Path::new("src/cli/config.rs"), Path::new(""));
    assert_eq!(outside(source, package, "include_str!(\"../app/a.txt\")"), set(&["src/app/a.txt"]));
}

/// What the image's build reads outside of `src`, and `compose/Dockerfile.dockerignore` lets through.
#[test]
fn the_images_build_sees_every_file_that_is_taken_in() {
    let list = fs::read_to_string(root().join("compose/Dockerfile.dockerignore")).unwrap();
    let mut read: BTreeSet<String> =
        ["Cargo.toml", "Cargo.lock", "build.rs", ".sqlx", "kernels", "src"].map(String::from).into();
    let is_test = |source: &str| source.ends_with("tests.rs") || source.contains("/tests/");
    read.extend(found().into_iter().filter(|(source, _)| !is_test(source)).map(|(_, path)| path));
    let unseen = |list: &str| -> Vec<String> {
        let seen: Vec<_> = list.lines().filter_map(|line| line.strip_prefix('!')).collect();
        read.iter().filter(|path| !seen.iter().any(|seen| Path::new(path).starts_with(seen))).cloned().collect()
    };
    assert!(unseen(&list).is_empty(), "compose/Dockerfile.dockerignore keeps {:?} from the build", unseen(&list));
    assert_eq!(unseen(&list.replace("!demo\n", "").replace("!config\n", "")), ["config/holdfast.toml", "demo"]);
}
