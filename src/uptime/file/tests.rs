//! The example that is shipped, and what is wrong with files.

use super::{
    Document, Entry, Problems, convert,
    format::{Defaults, GroupEntry, MonitorEntry, WindowEntry},
};
use crate::{
    model::Kind,
    settings::Limits,
    spec::{Condition, MonitorSpec, Test},
    target::Policy,
};

fn example() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/uptime.toml.example")).unwrap()
}

fn read(text: &str) -> (Vec<Entry<MonitorEntry>>, Defaults, Vec<String>) {
    let mut problems = Problems::new(text);
    let document = Document::parse(text, &mut problems).unwrap();
    let defaults = document.value("defaults", &mut problems).unwrap_or_default();
    let monitors = document.entries("monitors", &mut problems);
    let _: Vec<Entry<GroupEntry>> = document.entries("groups", &mut problems);
    let _: Vec<Entry<WindowEntry>> = document.entries("windows", &mut problems);
    let told = problems.sorted().into_iter().map(|one| format!("{} {} {}", one.line, one.setting, one.problem));
    (monitors, defaults, told.collect())
}

#[test]
fn the_example_file_is_read() {
    let (monitors, defaults, problems) = read(&example());
    assert_eq!(problems, Vec::<String>::new());
    let mut kinds = Vec::new();
    for entry in &monitors {
        let wanted = convert::monitor(&entry.key, &entry.value, &defaults)
            .unwrap_or_else(|wrong| panic!("{}: {wrong:?}", entry.key));
        let limits = Limits { shortest_interval: 10, policy: Policy::default() };
        assert_eq!(
            wanted.settings.problems(&limits).len(),
            0,
            "{}: {:?}",
            entry.key,
            wanted.settings.problems(&limits)
        );
        kinds.push(wanted.settings.spec.kind());
    }
    for kind in Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Internal | Kind::Imap)) {
        assert!(kinds.contains(&kind), "{kind:?} has no example");
    }
    let home = monitors.iter().find(|entry| entry.key == "shop-home").unwrap();
    let home = convert::monitor("shop-home", &home.value, &defaults).unwrap();
    assert_eq!(
        (home.settings.slow_ms, home.settings.retry_ms, home.settings.target),
        (Some(800), Some(10_000), Some(0.999))
    );
    let MonitorSpec::Http(http) = &home.settings.spec else { panic!("{:?}", home.settings.spec) };
    assert_eq!(http.expect.len(), 5);
    assert_eq!(http.expect[4], Condition::TimeBelow { ms: 2000 });
    assert!(matches!(&http.expect[2], Condition::Json { test: Test::Is, .. }));
    assert_eq!(http.headers["Accept-Language"], "en");
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let text = "[defaults]\ninterval = '5 minutes'\n[monitors.a]\nhtpp = { url = 'https://a.example.com/' }\n[monitors.b]\ntcp = { host = 'b.example.com' }\n[windows.w]\nfor = 90\n";
    let (_, _, problems) = read(text);
    let settings: Vec<&str> = problems.iter().map(|problem| problem.split(' ').nth(1).unwrap()).collect();
    assert_eq!(settings, ["defaults", "monitors.a", "monitors.b", "windows.w"], "{problems:?}");
    assert!(problems[0].starts_with("2 ") && problems[1].starts_with("4 "), "{problems:?}");
}

fn wrong(text: &str) -> Vec<String> {
    let (monitors, defaults, problems) = read(text);
    assert_eq!(problems, Vec::<String>::new());
    convert::monitor(&monitors[0].key, &monitors[0].value, &defaults).map_or_else(|wrong| wrong, |_| Vec::new())
}

#[test]
fn what_excludes_each_other_and_what_is_missing_is_told() {
    let told = |text: &str| wrong(&format!("[monitors.a]\n{text}\n")).join("; ");
    assert!(told("name = 'x'").contains("asks nothing"));
    assert!(told("tcp = { host = 'a.example', port = 1 }\nicmp = { host = 'a.example' }").contains("several things"));
    assert!(told("tcp = { host = 'a.example', port = 1 }\nexpect = [{ keyword = 'x' }]").contains("belong to http"));
    let http = "http = { url = 'https://a.example.com/' }\n";
    assert!(told(&format!("{http}expect = [{{ json = '$.a' }}]")).contains("one comparison"));
    assert!(
        told(&format!("{http}expect = [{{ json = '$.a', is = 1, above = 2 }}]")).contains("one comparison for each")
    );
    assert!(told(&format!("{http}interval = '1500ms'")).contains("whole seconds"));
    assert!(told(&format!("{http}auth = {{ basic = {{ user = 'u' }} }}")).contains("never in this file"));
    assert!(told(&format!("{http}secrets = {{ password = 'hunter2' }}")).contains("password_file"));
    assert!(!told(&format!("{http}secrets = {{ password = 'hunter2' }}")).contains("hunter2"));
}

#[test]
fn secrets_come_from_files_and_their_values_are_told_nowhere() {
    let folder = std::env::temp_dir().join(format!("holdfast-uptime-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("password");
    std::fs::write(&file, "open sesame\n").unwrap();
    let text = format!(
        "[monitors.a]\nhttp = {{ url = 'https://a.example.com/', body = '{{{{secret.shop}}}}' }}\nauth = {{ basic = {{ user = 'u', password_file = '{0}' }} }}\nsecrets = {{ shop_file = '{0}' }}\n",
        file.display()
    );
    let (monitors, defaults, problems) = read(&text);
    assert_eq!(problems, Vec::<String>::new());
    let wanted = convert::monitor("a", &monitors[0].value, &defaults).unwrap();
    let names: Vec<&str> = wanted.secrets.0.keys().map(|name| name.0.as_str()).collect();
    assert_eq!(names, ["password", "shop"]);
    assert!(wanted.secrets.0.values().all(|value| secrecy::ExposeSecret::expose_secret(value) == "open sesame"));
    assert!(!format!("{wanted:?}").contains("sesame"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(convert::monitor("a", &monitors[0].value, &defaults).is_err(), "the file is gone");
}
