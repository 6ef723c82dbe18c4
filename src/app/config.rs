//! The whole configuration: one section per capability.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use platform::{
    config::{ConfigErrors, Raw, default_data_dir, secret},
    db, http, telemetry,
};

/// All settings. Documented in `config/holdfast.toml`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Config {
    #[serde(flatten)]
    pub plain: Plain,
    pub server: http::Config,
    pub ops: http::OpsConfig,
    pub telemetry: telemetry::Config,
    pub database: db::Config,
    pub admin: auth::AdminConfig,
    pub auth: auth::Config,
    pub jobs: jobs::Config,
    pub storage: storage::Config,
    pub llm: llm::Config,
    pub knowledge: knowledge::Config,
    pub agents: agents::Config,
    pub backup: backup::Config,
    pub logs: logs::Config,
    pub alerting: alerting::Config,
    pub events: events::Config,
    pub webhooks: webhooks::Config,
    pub mail: mail::Config,
    pub notices: notices::Config,
    pub uptime: uptime::Config,
    pub incidents: incidents::Config,
    pub status_page: status_page::Config,
    pub files: files::Config,
    /// The file that this was read from and the secret files that it names: both are part of a backup.
    #[serde(skip)]
    pub settings_files: Vec<PathBuf>,
    /// Settings from the environment, unparsed, by variable: a backup contains them, too.
    #[serde(skip)]
    pub environment: BTreeMap<String, SecretString>,
    /// Warnings: valid but suspicious settings, one line each.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// Settings without a section.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {
    /// Folder of all data that is not in an external database or bucket.
    pub data_dir: PathBuf,
    /// Master key shared by several hosts of one installation; empty uses the one in the data directory.
    pub secret_key_file: Option<PathBuf>,
}

impl Default for Plain {
    fn default() -> Self {
        Self { data_dir: default_data_dir(), secret_key_file: None }
    }
}

impl std::ops::Deref for Config {
    type Target = Plain;
    fn deref(&self) -> &Plain {
        &self.plain
    }
}

impl Config {
    /// Checks the settings of a process with a single role: each process has its own data directory, so shared data must
    /// not be in it. Returns all missing settings at once.
    pub fn check_shared(&self) -> Result<(), ConfigErrors> {
        let mut e = ConfigErrors::default();
        let mut need = |setting: &str, is_shared: bool, what: &str| {
            if !is_shared {
                e.push(setting, format!("a process with --role api or worker shares it with the others: {what}"));
            }
        };
        need("database.url", self.database.url.is_some(), "set the address of a PostgreSQL server");
        need(
            "secret_key_file",
            self.secret_key_file.is_some(),
            "set the file that holds the same master key on each host",
        );
        need(
            "storage.url",
            !self.storage.is_local(),
            "set s3://bucket/prefix; a local folder is seen by one process only",
        );
        need(
            "knowledge.index_url",
            !self.knowledge.is_local(),
            "set s3://bucket/prefix; a local folder is seen by one process only",
        );
        if e.is_empty() { Ok(()) } else { Err(e) }
    }

    /// Folder of `pg_dump`: `backup.tools_dir`, otherwise the private cluster's programs if they include it.
    pub fn tools_dir(&self) -> Option<PathBuf> {
        let beside = || self.database.bin_dir.clone().filter(|dir| dir.join("pg_dump").exists());
        self.backup.tools_dir.clone().or_else(beside)
    }

    /// The file that describes monitors; it may appear later.
    pub fn monitors_file(&self) -> Option<PathBuf> {
        self.uptime.monitors_file(settings_file(&self.settings_files))
    }

    /// Parses every section, reads secrets from their files and validates everything; returns all errors at once.
    pub fn load(mut raw: Raw) -> Result<Self, ConfigErrors> {
        let mut e = ConfigErrors::default();
        let plain = raw.section("", &mut e);
        let server: http::Config = raw.section("server", &mut e);
        server.validate(&mut e);
        let ops = raw.section("ops", &mut e);
        let mut telemetry: telemetry::Config = raw.section("telemetry", &mut e);
        telemetry.resolve(&mut e);
        let mut database: db::Config = raw.section("database", &mut e);
        secret::resolve(&mut database.url, database.url_file.as_deref(), "url_file", &mut e);
        database.validate(&mut e);
        let mut admin: auth::AdminConfig = raw.section("admin", &mut e);
        admin.resolve(&mut e);
        let auth: auth::Config = raw.section("auth", &mut e);
        auth.validate(&mut e);
        let jobs: jobs::Config = raw.section("jobs", &mut e);
        jobs.validate(&mut e);
        let mut storage: storage::Config = raw.section("storage", &mut e);
        storage.validate(&mut e);
        let mut llm: llm::Config = raw.section("llm", &mut e);
        llm.validate(&mut e);
        if llm.max_body_bytes > server.max_buffered_bytes {
            e.push("max_body_bytes", "is more than server.max_buffered_bytes: such a request would find no room");
        }
        let knowledge: knowledge::Config = raw.section("knowledge", &mut e);
        knowledge.validate(&mut e);
        let agents: agents::Config = raw.section("agents", &mut e);
        agents.validate(&llm, &mut e);
        let mut backup: backup::Config = raw.section("backup", &mut e);
        backup.validate(&mut e);
        let logs: logs::Config = raw.section("logs", &mut e);
        logs.validate(&mut e);
        let mut alerting: alerting::Config = raw.section("alerting", &mut e);
        alerting.validate(&mut e);
        let events: events::Config = raw.section("events", &mut e);
        events.validate(&mut e);
        let webhooks: webhooks::Config = raw.section("webhooks", &mut e);
        webhooks.validate(&mut e);
        let mut mail: mail::Config = raw.section("mail", &mut e);
        mail.validate(&mut e);
        let notices: notices::Config = raw.section("notices", &mut e);
        notices.validate(&mut e);
        let uptime: uptime::Config = raw.section("uptime", &mut e);
        uptime.validate(&mut e);
        let incidents: incidents::Config = raw.section("incidents", &mut e);
        incidents.validate(&mut e);
        let status_page: status_page::Config = raw.section("status_page", &mut e);
        status_page.validate(&mut e);
        let files: files::Config = raw.section("files", &mut e);
        files.validate(&mut e);
        let (mut settings_files, environment) = (raw.files(), raw.environment());
        // The one beside the file of settings is named by no setting.
        let monitors = uptime.monitors_file(settings_file(&settings_files));
        let monitors = monitors.filter(|file| file.is_file() && !settings_files.contains(file));
        settings_files.extend(monitors);
        let warnings = raw.finish(&mut e);
        let config = Self {
            plain,
            server,
            ops,
            telemetry,
            database,
            admin,
            auth,
            jobs,
            storage,
            llm,
            knowledge,
            agents,
            backup,
            logs,
            alerting,
            events,
            webhooks,
            mail,
            notices,
            uptime,
            incidents,
            status_page,
            files,
            settings_files,
            environment,
            warnings,
        };
        if e.is_empty() { Ok(config) } else { Err(e) }
    }
}

/// The file that the settings were read from: the first, where there is one.
pub(super) fn settings_file(files: &[PathBuf]) -> Option<&Path> {
    files.first().map(PathBuf::as_path).filter(|file| file.extension().is_some_and(|end| end == "toml"))
}
