//! The modules of `platform` form layers (docs/architecture.md, "Which way arrows point"): none imports itself through others.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
};

use crate::architecture::{sources, src};

/// The lines by which the first module imports the second.
type Imports = BTreeMap<(String, String), Vec<String>>;

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// First names of the path, or of the group of paths, at the start of `text`, and their offsets.
fn first_names(text: &str) -> Vec<(usize, &str)> {
    let name = |at: usize| (at, text[at..].split(|c: char| !is_name(c)).next().unwrap());
    if !text.starts_with('{') {
        return vec![name(0)];
    }
    let (mut depth, mut begins, mut found) = (0, true, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            c if begins && is_name(c) => {
                found.push(name(at));
                begins = false;
            }
            _ => {}
        }
    }
    found
}

/// `http/idempotency/store.rs` -> `http`.
fn module(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// Exported macros, whose path is `crate::<macro>`, and the modules that define them.
fn macros(files: &[(String, String)]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for (path, text) in files {
        for (at, start) in text.match_indices("#[macro_export]\nmacro_rules! ") {
            let (_, name) = first_names(&text[at + start.len()..])[0];
            found.insert(name, module(path));
        }
    }
    found
}

/// `files`: paths below `src/platform`, and their texts.
fn imports(files: &[(String, String)]) -> Imports {
    let modules: BTreeSet<&str> = files.iter().map(|(path, _)| module(path)).collect();
    let macros = macros(files);
    let mut found = Imports::new();
    for (path, text) in files {
        let from = module(path);
        // Comments may refer to any module.
        let code = text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n");
        let depth = path.split('/').count() - usize::from(path.ends_with("/mod.rs"));
        for root in ["crate::".to_owned(), "super::".repeat(depth)] {
            for (at, _) in code.match_indices(&root) {
                let start = at + root.len();
                for (offset, name) in first_names(&code[start..]) {
                    let to = modules.get(name).or_else(|| macros.get(name));
                    let Some(to) = to.filter(|to| **to != from) else { continue };
                    let number = code[..start + offset].matches('\n').count();
                    let line = text.lines().nth(number).unwrap().trim();
                    let lines = found.entry((from.to_owned(), (*to).to_owned())).or_default();
                    lines.push(format!("src/platform/{path}:{}: {line}", number + 1));
                }
            }
        }
    }
    found
}

/// A shortest chain of imports from `start` back to it.
fn chain_back_to<'a>(start: &'a str, imports: &'a Imports) -> Option<Vec<&'a str>> {
    let (mut chains, mut seen) = (VecDeque::from([vec![start]]), BTreeSet::new());
    while let Some(chain) = chains.pop_front() {
        for (_, next) in imports.keys().filter(|(from, _)| from == chain[chain.len() - 1]) {
            let longer = [&chain[..], &[next.as_str()]].concat();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                chains.push_back(longer);
            }
        }
    }
    None
}

/// Describes a shortest circle, if there is one.
fn circle(imports: &Imports) -> Option<String> {
    let modules: BTreeSet<&str> = imports.keys().map(|(from, _)| from.as_str()).collect();
    let circle = modules.into_iter().filter_map(|start| chain_back_to(start, imports)).min_by_key(Vec::len)?;
    let arrow = |pair: &[&str]| {
        let lines = &imports[&(pair[0].to_owned(), pair[1].to_owned())];
        format!("{} -> {}:\n    {}", pair[0], pair[1], lines.join("\n    "))
    };
    let arrows: Vec<String> = circle.windows(2).map(arrow).collect();
    Some(format!("platform has a circle: {}\n{}", circle.join(" -> "), arrows.join("\n")))
}

#[test]
fn the_modules_of_platform_form_layers() {
    let root = src().join("platform");
    let files: Vec<(String, String)> = sources(&root)
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), fs::read_to_string(&path).unwrap()))
        .filter(|(path, _)| path != "mod.rs")
        .collect();
    let imports = imports(&files);
    assert!(imports.len() > 30, "{} arrows were found", imports.len());
    let circle = circle(&imports);
    assert!(circle.is_none(), "{}", circle.unwrap_or_default());
}

#[test]
fn a_circle_is_described_by_the_lines_that_make_it() {
    let files = [
        ("db/mod.rs", "use super::{\n    ids::{OrgId, error},\n    telemetry,\n};"),
        ("db/tx.rs", "use super::error;\nuse super::super::telemetry::Span;"),
        ("error.rs", "//! See [`crate::db`]."),
        ("ids.rs", "crate::label! {}"),
        ("telemetry/metrics.rs", "#[macro_export]\nmacro_rules! label { () => {} }\nuse crate::{clock::Clock, db};"),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
    let imports = imports(&files);
    let arrows: Vec<String> = imports.keys().map(|(from, to)| format!("{from} -> {to}")).collect();
    assert_eq!(arrows, ["db -> ids", "db -> telemetry", "ids -> telemetry", "telemetry -> db"]);
    let expected = "platform has a circle: db -> telemetry -> db\n\
        db -> telemetry:\n    src/platform/db/mod.rs:3: telemetry,\n    \
        src/platform/db/tx.rs:2: use super::super::telemetry::Span;\n\
        telemetry -> db:\n    src/platform/telemetry/metrics.rs:3: use crate::{clock::Clock, db};";
    assert_eq!(circle(&imports).unwrap(), expected);
}
