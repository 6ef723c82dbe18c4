//! A table is changed by the room that owns it alone (`tables` of its `ROOM`): by its sources, and by its migrations, whose triggers would
//! otherwise write for another room where nobody looks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{Found, differences, find, is_word, places, room_of, root, set};

const WRITES: [&str; 10] = [
    "insert into",
    "update",
    "update only",
    "delete from",
    "delete from only",
    "merge into",
    "truncate",
    "truncate table",
    "copy",
    "alter table",
];
/// A trigger is of the room that owns its table.
const TRIGGERS: [&str; 3] = ["create trigger", "create or replace trigger", "create constraint trigger"];

/// Migrations that change another room's table: file, table, reason.
const MIGRATIONS: [(&str, &str, &str); 1] =
    [("20261129220100_events_outbox.sql", "jobs", "the order of jobs came with the events that need it")];

fn owners() -> BTreeMap<&'static str, &'static str> {
    holdfast::app::tables().into_iter().map(|(room, table)| (table.name, room)).collect()
}

/// The tables among `tables` that statements in a text change.
fn changed<'a>(text: &str, tables: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    // In Rust a statement may go over lines, with backslashes at their ends, and quotes before and after it.
    let text = text.to_lowercase().replace(['\\', '"'], " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    tables.into_iter().filter(|table| places(&text, table).any(|at| changes(&text[..at]))).collect()
}

/// Whether what stands before a table's name says that it is changed.
fn changes(before: &str) -> bool {
    let before = before.strip_suffix("public.").unwrap_or(before).trim_end();
    let ends_with = |words: &str| before.strip_suffix(words).is_some_and(|rest| !rest.ends_with(is_word));
    let statement = before.rsplit(';').next().unwrap_or_default();
    let is_trigger = || before.ends_with(" on") && TRIGGERS.iter().any(|words| statement.contains(*words));
    WRITES.into_iter().any(ends_with) || is_trigger()
}

/// The tables that a text changes although another room owns them.
fn foreign(room: &str, text: &str, owners: &BTreeMap<&str, &str>) -> BTreeSet<String> {
    let foreign = owners.iter().filter(|(_, owner)| **owner != room).map(|(table, _)| *table);
    changed(text, foreign).into_iter().map(str::to_owned).collect()
}

#[test]
fn only_its_room_changes_a_table() {
    let owners = owners();
    let wrong = find(|path, code| foreign(path.split('/').next().unwrap(), code, &owners));
    assert!(wrong.is_empty(), "tables that another room owns; call its service, or publish an event: {wrong:#?}");
    // The statements of its room are seen: a table that nobody writes is filled by a trigger or a function of the database.
    let written = find(|_, code| changed(code, owners.keys().copied()).into_iter().map(str::to_owned).collect());
    let written: BTreeSet<&str> = written.iter().map(|(_, table)| table.as_str()).collect();
    let unwritten: Vec<_> = owners.keys().filter(|table| !written.contains(*table)).collect();
    // Written by triggers.
    let by_triggers = ["files_garbage", "files_usage", "installation", "knowledge_base_counts", "search_indexes"];
    // There for what is being written.
    let soon = ["agent_answer_pieces", "agent_privacy", "llm_aliases", "llm_providers", "llm_settings_version"];
    let expected: BTreeSet<&str> = by_triggers.into_iter().chain(soon).collect();
    assert_eq!(unwritten.into_iter().copied().collect::<BTreeSet<_>>(), expected);
}

/// The first migrations have numbers instead of a time, and are not read.
#[test]
fn only_its_rooms_migrations_change_a_table() {
    let owners = owners();
    let mut found = Found::new();
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (time, rest) = file.split_once('_').unwrap();
        if time.len() == 14 {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            let tables = foreign(room_of(rest), &lines.join("\n"), &owners);
            found.extend(tables.into_iter().map(|table| (file.clone(), table)));
        }
    }
    let wrong = differences(&found, &MIGRATIONS);
    assert!(wrong.is_empty(), "migrations that change another room's table:\n{}", wrong.join("\n"));
}

#[test]
fn a_change_of_another_rooms_table_is_seen_in_every_spelling() {
    let owners = BTreeMap::from([("jobs", "jobs"), ("job_queues", "jobs"), ("alerts", "alerting")]);
    for text in [
        "sqlx::query!(\"INSERT INTO jobs (id) VALUES ($1)\")",
        "query!(\"WITH x AS (SELECT 1) UPDATE \\\n    jobs AS j SET a = 1\")",
        "\"DELETE\n   FROM ONLY public.jobs WHERE a\"",
        "\"delete from \\\"jobs\\\"\"",
        "TRUNCATE TABLE jobs",
        "COPY jobs FROM STDIN",
        "ALTER TABLE jobs ADD COLUMN a int",
        "CREATE TRIGGER t AFTER DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION f()",
    ] {
        assert_eq!(foreign("alerting", text, &owners), set(&["jobs"]), "{text}");
        assert!(foreign("jobs", text, &owners).is_empty(), "{text}");
    }
    for text in [
        "SELECT 1 FROM jobs FOR UPDATE",
        "self.update(jobs)",
        "CREATE TRIGGER t AFTER DELETE ON alerts; SELECT 1 FROM x JOIN y ON jobs.id",
    ] {
        assert!(foreign("alerting", text, &owners).is_empty(), "{text}");
    }
}
