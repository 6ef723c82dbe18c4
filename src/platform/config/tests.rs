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
fn a_file_that_is_set_is_there_and_is_no_folder() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut errors = ConfigErrors::default();
    errors.file("right", &file);
    errors.file("folder", dir.path());
    errors.file("missing", &dir.path().join("none"));
    let found: Vec<&str> = errors.iter().map(|(setting, _)| setting).collect();
    assert_eq!(found, ["folder", "missing"], "{errors}");
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

fn errors_of(toml: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, toml).unwrap();
    Raw::read(Some(&file), std::iter::empty()).unwrap_err().to_string()
}

#[test]
fn an_error_names_the_place_and_repeats_no_secret() {
    for (toml, place) in [
        ("[llm]\napi_key = sk-hunter2-hunter2\n", "line 2, column 11"),
        ("[llm]\napi_key = \"sk-hunter2\n[server]\n", "line 2, column"),
        ("[llm]\npassword = 'hunter2' 'x'\n", "line 2, column"),
        ("[llm]\npassword = 'hunter2'\npassword = 'hunter2'\n", "line 3, column 1: duplicate key"),
        ("[server]\nlimit = 1\n[server]\nlimit = 2\n", "line 3, column"),
    ] {
        let said = errors_of(toml);
        assert!(said.contains(place) && !said.contains("hunter2"), "{toml}: {said}");
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_told_in_words_and_a_secret_is_not_shown() {
    let said = |path: &str, message: &str| {
        messages::of_value(&path.split('.').map(str::to_owned).collect::<Vec<_>>(), message)
    };
    let secret = "invalid type: integer `8675309`, expected a string";
    for path in ["api_key", "providers.local.api_key", "password", "url", "token", "s3_secret_access_key"] {
        assert_eq!(said(path, secret), "expected a string", "{path}");
    }
    assert_eq!(said("listen", secret), secret);
    assert_eq!(said("api_key", &format!("{secret}\nin `api_key`")), "expected a string");
    assert!(said("listen", "invalid socket address syntax\nin `listen`").contains("127.0.0.1:8080"));
    assert!(
        said("before_migration", "invalid type: string \"yes\", expected a boolean")
            .ends_with("expected true or false")
    );
    assert_eq!(said("url_file", secret), secret);
    let unit = "invalid type: string \"10MB\", expected u64";
    let expected = "invalid type: string \"10MB\", expected a whole number of bytes, written without a unit";
    assert_eq!(said("max_upload_bytes", unit), expected);
    assert!(said("extract_memory_mib", unit).ends_with("of MiB (1024 x 1024 bytes), written without a unit"));
    assert!(said("poll_interval_ms", unit).contains("milliseconds"));
    assert!(said("concurrency", unit).ends_with("expected a whole number"));
    assert_eq!(
        said("colour", "unknown field `colour`, expected one of `a`"),
        "unknown field `colour`, expected one of `a`"
    );
}

#[test]
fn variables_that_links_and_services_bring_along_do_not_stop_the_start() {
    let others =
        ["HOLDFAST__DB_SERVICE_HOST", "HOLDFAST_ENV_HOLDFAST_SERVER__LISTEN", "HOLDFAST_1_ENV_HOLDFAST_OPS__LISTEN"];
    let mut raw = Raw::read(None, others.iter().map(|key| ((*key).into(), "x".into()))).unwrap();
    let mut errors = ConfigErrors::default();
    let _: Section = raw.section("server", &mut errors);
    let warnings = raw.finish(&mut errors);
    assert!(errors.is_empty(), "{errors}");
    assert_eq!(warnings.len(), others.len(), "{warnings:?}");
}

#[test]
fn a_secrets_file_holds_one_line_and_nothing_of_it_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let read = |bytes: &[u8]| {
        let file = dir.path().join("secret");
        std::fs::write(&file, bytes).unwrap();
        let (mut secret, mut errors) = (None, ConfigErrors::default());
        secret::resolve(&mut secret, Some(&file), "api_key_file", &mut errors);
        (secret.map(|s: secrecy::SecretString| secrecy::ExposeSecret::expose_secret(&s).to_owned()), errors.to_string())
    };
    for bytes in ["sk-1", "sk-1\n", "sk-1\r\n", "\u{feff}sk-1\n\n", " sk-1\t"] {
        assert_eq!(read(bytes.as_bytes()).0.as_deref(), Some("sk-1"), "{bytes:?}");
    }
    for (bytes, expected) in
        [(&b"\n \n"[..], "is empty"), (b"sk-1\nsk-2\n", "more than one line"), (b"sk-\xff\xfe1", "not UTF-8 text")]
    {
        let (secret, said) = read(bytes);
        assert!(secret.is_none() && said.contains(expected) && !said.contains("sk-"), "{said}");
    }
    let mut errors = ConfigErrors::default();
    secret::resolve(&mut None, Some(dir.path()), "api_key_file", &mut errors);
    assert!(errors.to_string().contains("cannot be read"), "a folder, which Docker makes of a missing file: {errors}");
}
