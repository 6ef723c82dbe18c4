//! `config/holdfast.toml` says what the code does, and the environment and errors work as it promises.

use std::collections::{BTreeMap, BTreeSet};

use holdfast::{app::Config, platform::config::Raw};
use toml::{Table, Value};

const FILE: &str = include_str!("../../config/holdfast.toml");

/// Loads the text of a file with variables of an environment.
fn load(text: &str, vars: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("holdfast.toml");
    std::fs::write(&file, text).unwrap();
    let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Config::load(Raw::read(Some(&file), vars).map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}

/// `section.key` -> value, tables opened.
fn flat(table: &Table) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        match value {
            Value::Table(inner) => found.extend(flat(inner).into_iter().map(|(key, v)| (format!("{name}.{key}"), v))),
            other => drop(found.insert(name.clone(), other.clone())),
        }
    }
    found
}

fn serialised(config: &Config) -> Table {
    Table::try_from(config).unwrap()
}

/// The settings that the file documents without a default: `# key = value` below a section.
fn commented() -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in FILE.lines() {
        let bare = line.trim_start_matches("# ");
        if bare.starts_with('[') && bare.ends_with(']') {
            section = format!("{}.", bare.trim_matches(['[', ']']));
        } else if let Some((key, value)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = "))
            && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        {
            found.insert(format!("{section}{key}"), value.to_owned());
        }
    }
    found
}

/// Every setting of a section that the code knows: serde lists them when it is asked for one that does not exist.
fn known(section: &str) -> BTreeSet<String> {
    let text = if section == "llm.providers.openrouter" {
        format!("[{section}]\nbase_url = 'http://x/v1'\nno_such_setting = 1\n")
    } else if section.is_empty() {
        "no_such_setting = 1\n".to_owned()
    } else {
        format!("[{section}]\nno_such_setting = 1\n")
    };
    let error = load(&text, &[]).unwrap_err();
    let (_, list) = error.split_once("expected ").unwrap_or_else(|| panic!("[{section}]: {error}"));
    list.lines().next().unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_file_holds_the_defaults() {
    let documented = flat(&FILE.parse::<Table>().unwrap());
    let defaults = flat(&serialised(&Config::default()));
    for (key, value) in &documented {
        assert_eq!(defaults.get(key), Some(value), "{key} of config/holdfast.toml against the code");
    }
    let commented = commented();
    for key in defaults.keys() {
        assert!(documented.contains_key(key) || commented.contains_key(key), "{key} is not in config/holdfast.toml");
    }
    assert_eq!(serialised(&load(FILE, &[]).unwrap()), serialised(&Config::default()));
}

#[test]
fn every_setting_is_documented_and_every_documented_setting_exists() {
    let mut said: BTreeSet<String> = flat(&FILE.parse::<Table>().unwrap()).into_keys().collect();
    said.extend(commented().into_keys());
    let mut sections = BTreeSet::from([String::new()]);
    sections.extend(said.iter().filter_map(|key| key.rsplit_once('.')).map(|(section, _)| section.to_owned()));
    let mut exist = BTreeSet::new();
    for section in &sections {
        for key in known(section) {
            let name = if section.is_empty() { key } else { format!("{section}.{key}") };
            // A table has settings of its own.
            if !sections.iter().any(|s| *s == name || s.starts_with(&format!("{name}."))) {
                exist.insert(name);
            }
        }
    }
    assert_eq!(
        said.difference(&exist).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "documented, but the code does not know them"
    );
    assert_eq!(exist.difference(&said).collect::<Vec<_>>(), Vec::<&String>::new(), "not documented");
}

#[test]
fn every_setting_has_a_line_that_says_what_it_is() {
    let lines: Vec<&str> = FILE.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start_matches("# ");
        let is_setting = bare
            .split_once(" = ")
            .is_some_and(|(key, _)| key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        // The examples of a provider and of a destination are explained by what is above them.
        let named = |line: &&str| {
            ["llm.providers.", "backup.destinations.", "alerting.webhooks."]
                .iter()
                .any(|section| line.contains(section))
        };
        if is_setting && !lines[..at].iter().rev().take_while(|l| !l.is_empty()).any(named) {
            assert!(lines[at - 1].starts_with("# ") && !lines[at - 1].contains(" = "), "line {}: {line}", at + 1);
        }
    }
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let documented = flat(&FILE.parse::<Table>().unwrap());
    let vars: Vec<(String, String)> = documented
        .iter()
        .map(|(key, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("HOLDFAST_{}", key.replace('.', "__").to_uppercase()), text)
        })
        .collect();
    let vars: Vec<(&str, &str)> = vars.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(serialised(&load("", &vars).unwrap()), serialised(&Config::default()));
    let config = load(
        "[server]\nmax_connections = 7",
        &[
            ("HOLDFAST_SERVER__MAX_CONNECTIONS", "9"),
            ("HOLDFAST_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.0/16"),
            ("HOLDFAST_DATA_DIR", "/somewhere"),
        ],
    )
    .unwrap();
    assert_eq!((config.server.max_connections, config.data_dir.to_str()), (9, Some("/somewhere")));
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8", "192.168.0.0/16"]);
}

/// Addresses of chats and pagers are secrets as a whole, and others may have a user and a key in them.
#[test]
fn secrets_within_addresses_are_not_shown() {
    let secret = format!("whsec_{}", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let config = load(
        "",
        &[
            (
                "HOLDFAST_ALERTING__WEBHOOKS__ONCALL__URL",
                "https://user:HOOKPASS@hooks.example.com/services/T1/HOOKTOKEN?k=HOOKKEY",
            ),
            ("HOLDFAST_ALERTING__WEBHOOKS__ONCALL__SECRET", &secret),
            ("HOLDFAST_ALERTING__ALERTMANAGER_URL", "http://am:AMPASS@alertmanager:9093"),
        ],
    )
    .unwrap();
    let shown = toml::to_string(&config).unwrap();
    for hidden in ["HOOKPASS", "HOOKTOKEN", "HOOKKEY", "AMPASS"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
    for told in ["https://hooks.example.com/***", "http://***@alertmanager:9093"] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    assert!(config.alerting.webhooks["oncall"].url.contains("HOOKTOKEN"), "what is used is whole");
}

#[test]
fn a_provider_can_come_from_the_environment_alone() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "sk-1\n").unwrap();
    let config = load(
        "",
        &[
            ("HOLDFAST_LLM__PROVIDERS__OWN__BASE_URL", "http://localhost:11434/v1"),
            ("HOLDFAST_LLM__PROVIDERS__OWN__API_KEY_FILE", key.to_str().unwrap()),
            ("HOLDFAST_LLM__PROVIDERS__OWN__TIMEOUT_SECONDS", "30"),
            ("HOLDFAST_LLM__PROVIDERS__OWN__MODELS", "qwen3, gemma3"),
            ("HOLDFAST_LLM__PROVIDERS__DIGITS__BASE_URL", "http://localhost:1/v1"),
            ("HOLDFAST_LLM__PROVIDERS__DIGITS__API_KEY", "12345"),
            ("HOLDFAST_LLM__ALIASES__FAST", "own/qwen3"),
        ],
    )
    .unwrap();
    let own = &config.llm.providers["own"];
    assert_eq!((own.timeout_seconds, own.models.as_slice()), (30, &["qwen3".to_owned(), "gemma3".to_owned()][..]));
    assert!(own.api_key.is_some() && config.llm.providers["digits"].api_key.is_some());
    let shown = toml::to_string(&config).unwrap();
    assert!(!shown.contains("sk-1") && !shown.contains("12345") && shown.contains("\"***\""), "{shown}");
}

#[test]
fn the_agents_model_is_checked_as_far_as_the_file_knows() {
    let providers = "[llm.providers.own]\nbase_url = 'http://localhost:1/v1'\nmodels = ['qwen3', 'nomic-embed-text']\n\
        [llm.providers.open]\nbase_url = 'http://localhost:2/v1'\n[llm.embedding]\nmodel = 'open/bge-m3'\ndimensions = 3\n";
    let with = |model: &str| load(&format!("{providers}[agents]\ndefault_model = '{model}'\n"), &[]);
    for model in ["", "own/qwen3", "own/qwen3:latest", "open/anything", "builtin/extractive"] {
        with(model).unwrap_or_else(|e| panic!("{model}: {e}"));
    }
    for (model, why) in [
        ("embed", "embedding model"),
        ("open/bge-m3", "embedding model"),
        ("own/nomic-embed-text", "embedding model"),
        ("own/llama", "own offers no model \"llama\"; there are: open/..., own/qwen3, builtin/extractive"),
        ("nobody/x", "there is no provider \"nobody\""),
        ("fast", "set llm.aliases.fast"),
        ("qwen3", "there is no model \"qwen3\""),
        ("agent/support", "another agent"),
    ] {
        let error = with(model).unwrap_err();
        assert!(error.contains("agents.default_model: ") && error.contains(why), "{model}: {error}");
    }
    let alias = load(&format!("{providers}[llm.aliases]\nfast = 'own/nomic-embed-text'\n"), &[]).unwrap_err();
    assert!(alias.contains("llm.aliases.fast: ") && alias.contains("embedding model"), "{alias}");
}

#[test]
fn a_provider_whose_key_cannot_be_read_stops_the_start() {
    let text = "[llm.providers.own]\nbase_url = 'http://localhost:1/v1'\napi_key_file = '/no/such/file'\n";
    let error = load(text, &[]).unwrap_err();
    assert!(error.contains("llm.providers.own.api_key_file: /no/such/file cannot be read"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("key");
    std::fs::write(&empty, " \n").unwrap();
    let error = load(&text.replace("/no/such/file", empty.to_str().unwrap()), &[]).unwrap_err();
    assert!(error.contains("llm.providers.own.api_key_file: ") && error.contains("is empty"), "{error}");
}

#[test]
fn all_errors_are_told_at_once() {
    let text = "colour = 1\n[server]\nlisten = 5\nmax_connections = 0\n[agents]\nhistory_messages = 'many'\n[nothing]\na = 1\n\
        [llm.providers.agent]\nbase_url = 'ftp://x'\n[llm.aliases]\nfast = 'nobody/x'\n[database]\nurl = 'x'\n";
    let vars = [
        ("HOLDFAST_JOBS__CONCURENCY", "1"),
        ("HOLDFAST_AUTH__SESSION_IDLE_DAYS", "-1"),
        ("HOLDFAST_KNOWLEDGE__PASSAGE_TOKENS", "ten"),
    ];
    let error = load(text, &vars).unwrap_err();
    for name in [
        "colour",
        "server.listen",
        "server.max_connections",
        "agents.history_messages",
        "nothing",
        "llm.providers.agent",
        "llm.providers.agent.base_url",
        "llm.aliases.fast",
        "database.url",
        "jobs.concurency",
        "auth.session_idle_days",
        "knowledge.passage_tokens",
    ] {
        assert!(
            error.lines().any(|line| line.trim_start().starts_with(&format!("{name}:"))),
            "{name} is not named in {error}"
        );
    }
    let unknown = load("", &[("HOLDFAST_NOWHERE__X", "1"), ("HOLDFAST_DATA__DIR", "/x")]).unwrap_err();
    assert!(unknown.contains("HOLDFAST_NOWHERE__X") && unknown.contains("HOLDFAST_DATA__DIR"), "{unknown}");
}

/// What Kubernetes puts into every pod beside a service called "holdfast", and Docker links do the like.
#[test]
fn variables_of_the_surroundings_do_not_stop_the_start() {
    let config = load(
        "",
        &[
            ("HOLDFAST_PORT", "tcp://10.96.0.7:8080"),
            ("HOLDFAST_PORT_8080_TCP", "tcp://10.96.0.7:8080"),
            ("HOLDFAST_PORT_8080_TCP_PROTO", "tcp"),
            ("HOLDFAST_SERVICE_HOST", "10.96.0.7"),
            ("HOLDFAST_SERVICE_PORT_HTTP", "8080"),
            ("HOLDFAST_NAME", "/app/holdfast"),
            ("HOLDFAST_ENV_PATH", "/usr/bin"),
            ("HOLDFAST_BACKUP_SCHEDULE", "0 1 * * *"),
            ("HOLDFAST_DATA_DIR", "/srv/holdfast"),
        ],
    )
    .unwrap();
    assert_eq!(config.data_dir, std::path::Path::new("/srv/holdfast"));
    assert_eq!(config.backup.schedule, "30 2 * * *", "not taken");
    assert_eq!(config.warnings.len(), 8, "{:?}", config.warnings);
    let typo = config.warnings.iter().find(|w| w.starts_with("HOLDFAST_BACKUP_SCHEDULE")).unwrap();
    assert!(typo.contains("HOLDFAST_BACKUP__SCHEDULE"), "{typo}");
}

#[test]
fn a_schedule_fires_or_is_off() {
    let with = |schedule: &str| load(&format!("[backup]\nschedule = '{schedule}'\n"), &[]);
    for bad in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
        let error = with(bad).unwrap_err();
        assert!(error.contains("backup.schedule: ") && error.contains("never fires"), "{bad}: {error}");
    }
    for bad in ["0 0 2 * * *", "30 2 * *", "* * * * * * *", "tomorrow"] {
        let error = with(bad).unwrap_err();
        assert!(error.contains("backup.schedule: ") && error.contains("five fields are needed"), "{bad}: {error}");
    }
    for good in ["off", "never", "", "Off", "@daily", "0 0 29 2 *", "0 3 1 * 1"] {
        with(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

#[test]
fn secrets_come_from_files() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    std::fs::write(&file, "a long enough password\n").unwrap();
    let path = file.to_str().unwrap();
    let config =
        load("", &[("HOLDFAST_ADMIN__EMAIL", "a@example.com"), ("HOLDFAST_ADMIN__PASSWORD_FILE", path)]).unwrap();
    assert!(config.admin.password.is_some());
    let both = load("", &[("HOLDFAST_ADMIN__PASSWORD", "x"), ("HOLDFAST_ADMIN__PASSWORD_FILE", path)]).unwrap_err();
    assert!(both.contains("admin.password_file"), "{both}");
    let missing = load("", &[("HOLDFAST_DATABASE__URL_FILE", "/no/such/file")]).unwrap_err();
    assert!(missing.contains("database.url_file") && missing.contains("cannot be read"), "{missing}");
}

#[test]
fn a_process_of_one_role_names_everything_that_it_must_share() {
    let missing = load("", &[]).unwrap().check_shared().unwrap_err().to_string();
    for setting in ["database.url", "secret_key_file", "storage.url", "knowledge.index_url"] {
        assert!(missing.contains(&format!("\n  {setting}: ")), "{setting} is not named in {missing}");
    }
    let shared = "secret_key_file = '/k'\n[database]\nurl = 'postgres://u:p@h/d'\n[storage]\nurl = 's3://b/o'\n[knowledge]\nindex_url = 's3://b/v'\n";
    assert!(load(shared, &[]).unwrap().check_shared().is_ok());
    let half =
        load(&shared.replace("index_url = 's3://b/v'", ""), &[]).unwrap().check_shared().unwrap_err().to_string();
    assert!(half.contains("knowledge.index_url") && !half.contains("storage.url"), "{half}");
}

#[tokio::test]
async fn local_folders_are_refused_before_a_process_of_one_role_does_anything() {
    let site = crate::support::process::Site::without_admin();
    for role in ["api", "worker"] {
        let refused = site.run(&["serve", "--role", role]).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(64), "{said}");
        assert!(said.contains("storage.url") && said.contains("knowledge.index_url"), "{said}");
        assert!(!site.data_dir().exists(), "{role} made a data directory");
    }
}

/// What stands between ```toml and ``` in a document.
fn blocks(document: &str) -> Vec<&str> {
    document.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0)).collect()
}

#[test]
fn what_the_readme_says_to_paste_is_accepted() {
    let examples = blocks(include_str!("../../README.md"));
    assert!(examples.iter().any(|text| text.contains("[llm.providers.")), "{examples:?}");
    for text in examples {
        load(text, &[]).unwrap_or_else(|e| panic!("{text}\n{e}"));
    }
    let refused = load("[llm.providers.local]\nbase_url = 'http://127.0.0.1:1/v1'", &[]).unwrap_err();
    assert!(refused.contains("llm.providers.local") && refused.contains("ollama"), "{refused}");
}

/// In Docker a line of compose/.env names the second destination: where it is not there, the variable is empty.
#[test]
fn a_destination_of_which_nothing_is_said_is_none() {
    let key = ("HOLDFAST_BACKUP__KEY_FILE", "/nowhere/key");
    let near = ("HOLDFAST_BACKUP__DESTINATIONS__NEAR__URL", "/var/backups");
    let second = ("HOLDFAST_BACKUP__DESTINATIONS__SECOND__URL", "");
    let config = load("", &[key, near, second]).unwrap();
    assert_eq!(config.backup.destinations.keys().collect::<Vec<_>>(), ["near"]);
    let alone = load("", &[key, second]).unwrap_err();
    assert!(alone.contains("name at least one"), "{alone}");
    // One that is half said is no less wrong than before.
    let half = ("HOLDFAST_BACKUP__DESTINATIONS__SECOND__S3_REGION", "eu-central-1");
    let errors = load("", &[key, near, second, half]).unwrap_err();
    assert!(errors.contains("backup.destinations.second"), "{errors}");
}
