use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    listen: String,
    limit: u32,
    hosts: Vec<String>,
    note: Option<String>,
}

impl Default for Section {
    fn default() -> Self {
        Self { listen: "a".into(), limit: 5, hosts: vec![], note: None }
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct Plain {
    data_dir: Option<String>,
}

fn read(toml: &str, vars: &[(&str, &str)]) -> (Section, ConfigErrors) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, toml).unwrap();
    let mut raw = Raw::read(Some(&file), vars.iter().map(|(k, v)| ((*k).into(), (*v).into()))).unwrap();
    let mut errors = ConfigErrors::default();
    let section = raw.section("server", &mut errors);
    let _ = raw.finish(&mut errors);
    (section, errors)
}

#[test]
fn variables_of_others_are_ignored_with_a_warning() {
    let others = [
        ("HOLDFAST_PORT", "tcp://10.96.0.7:8080"),
        ("HOLDFAST_PORT_8080_TCP_ADDR", "10.96.0.7"),
        ("HOLDFAST_SERVICE_HOST", "10.96.0.7"),
        ("HOLDFAST_SERVER_PORT", "tcp://10.96.0.8:80"),
    ];
    let vars = others.iter().map(|(k, v)| ((*k).into(), (*v).into()));
    let mut raw = Raw::read(None, vars).unwrap();
    let mut errors = ConfigErrors::default();
    let _: Plain = raw.section("", &mut errors);
    let _: Section = raw.section("server", &mut errors);
    let warnings = raw.finish(&mut errors);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(warnings.len(), others.len(), "{warnings:?}");
    assert!(warnings.iter().any(|w| w.contains("HOLDFAST_SERVER__PORT with two underscores")), "{warnings:?}");
}

#[test]
fn environment_wins_over_the_file_and_takes_the_defaults_type() {
    let (section, errors) = read(
        "[server]\nlisten = 'file'\nlimit = 7",
        &[
            ("HOLDFAST_SERVER__LISTEN", "123"),
            ("HOLDFAST_SERVER__HOSTS", "a, b"),
            ("HOLDFAST_SERVER__NOTE", "x"),
            ("PATH", ""),
        ],
    );
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(
        section,
        Section { listen: "123".into(), limit: 7, hosts: vec!["a".into(), "b".into()], note: Some("x".into()) }
    );
}

#[test]
fn every_error_is_reported_at_once_with_its_name() {
    let (_, errors) = read(
        "colour = 1\n[server]\nlisten = 5\nlimit = 'many'\nlimti = 3\n[unknown]\na = 1",
        &[("HOLDFAST_SERVER__LIMIT", "-1"), ("HOLDFAST_NOWHERE__X", "1")],
    );
    let names: Vec<_> = errors.iter().map(|(s, _)| s).collect();
    for expected in ["server.listen", "server.limit", "server.limti", "colour", "unknown", "HOLDFAST_NOWHERE__X"] {
        assert!(names.contains(&expected), "{expected} is not among {names:?}");
    }
}
