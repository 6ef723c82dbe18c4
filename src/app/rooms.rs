//! The rooms, in the order in which the console shows them; and how each is built, in the order of their dependencies.

use std::sync::Arc;

use super::{Config, Families, Runtime, Stores, self_checks};
use agents::Agents;
use alerting::Alerting;
use auth::Auth;
use backup::Backups;
use console::{Asset, Command, Locale, NavItem};
use events::{EventType, Events, Subscription};
use files::Files;
use incidents::Incidents;
use jobs::{Jobs, Registry};
use kit::{Context, Module, Room};
use knowledge::Knowledge;
use llm::Llm;
use logs::Logs;
use mail::Mail;
use notices::Notices;
use platform::{
    db::{self, Table},
    http::Scope,
};
use status_page::StatusPages;
use storage::{Deletions, Storage};
use uptime::{SelfCheck, Uptime};
use webhooks::Webhooks;

/// The ground floor's tables.
static PLATFORM: Room = Room { tables: db::TABLES, ..Room::new("platform") };

/// The web shell. It is below `kit`, as storage, jobs and events are: their values are made here.
static CONSOLE: Room =
    Room { nav: console::NAV, locale: Some(console::LOCALE), assets: console::ASSETS, ..Room::new("console") };

static STORAGE: Room = Room::new("storage");

static JOBS: Room = Room {
    scopes: &[jobs::READ, jobs::WRITE],
    tables: jobs::TABLES,
    nav: jobs::NAV,
    locale: Some(jobs::LOCALE),
    queues: &[jobs::QUEUE],
    schedules: &[jobs::SCHEDULE],
    openapi: Some(|| jobs::routes::router().into_openapi()),
    ..Room::new("jobs")
};

static EVENTS: Room =
    Room { tables: events::TABLES, queues: &["system"], schedules: &["events.maintain"], ..Room::new("events") };

/// Every room. A new one stands here and in [`Rooms::build`].
pub static ROOMS: &[&Room] = &[
    &PLATFORM,
    &CONSOLE,
    &STORAGE,
    &llm::ROOM,
    &agents::ROOM,
    &knowledge::ROOM,
    &files::ROOM,
    &JOBS,
    &EVENTS,
    &uptime::ROOM,
    &incidents::ROOM,
    &alerting::ROOM,
    &backup::ROOM,
    &logs::ROOM,
    &webhooks::ROOM,
    &mail::ROOM,
    &notices::ROOM,
    &status_page::ROOM,
    &auth::ROOM,
];

/// All that API keys can have.
pub fn scopes() -> Vec<Scope> {
    ROOMS.iter().flat_map(|room| room.scopes).copied().collect()
}

/// All tables, each with the room that owns it.
pub fn tables() -> Vec<(&'static str, Table)> {
    ROOMS.iter().flat_map(|room| room.tables.iter().map(|table| (room.name, *table))).collect()
}

/// Tables whose size and vacuum are metrics.
pub(super) fn watched_tables() -> Vec<&'static str> {
    let mut names: Vec<_> = tables().into_iter().filter(|(_, table)| table.watched).map(|(_, t)| t.name).collect();
    names.sort_unstable();
    names
}

/// Every room's messages.
pub fn locales() -> Vec<Locale> {
    ROOMS.iter().filter_map(|room| room.locale).collect()
}

/// Every room's files.
pub fn assets() -> Vec<Asset> {
    ROOMS.iter().flat_map(|room| room.assets).copied().collect()
}

pub(super) fn nav() -> Vec<NavItem> {
    ROOMS.iter().flat_map(|room| room.nav).copied().collect()
}

pub(super) fn commands() -> Vec<Command> {
    ROOMS.iter().flat_map(|room| room.commands).copied().collect()
}

/// Every kind of event that rooms publish.
pub(super) fn event_types() -> Vec<EventType> {
    ROOMS.iter().flat_map(|room| room.events).copied().collect()
}

fn subscriptions() -> Vec<Subscription> {
    ROOMS.iter().flat_map(|room| room.subscriptions).copied().collect()
}

/// Queues of this build, sorted.
pub(super) fn queues() -> Vec<&'static str> {
    let mut queues: Vec<_> = ROOMS.iter().flat_map(|room| room.queues).copied().collect();
    queues.sort_unstable();
    queues.dedup();
    queues
}

/// Schedules of this build, sorted.
pub(super) fn schedules() -> Vec<&'static str> {
    let mut schedules: Vec<_> = ROOMS.iter().flat_map(|room| room.schedules).copied().collect();
    schedules.sort_unstable();
    schedules
}

/// The rooms, built and wired: their handles for those who call them by name, and what each hands over.
#[derive(Clone)]
pub struct Rooms {
    pub auth: Auth,
    pub jobs: Jobs,
    pub storage: Storage,
    pub deletions: Deletions,
    pub llm: Llm,
    pub knowledge: Knowledge,
    pub agents: Agents,
    pub backups: Backups,
    pub logs: Logs,
    pub alerting: Alerting,
    pub events: Events,
    pub webhooks: Webhooks,
    pub mail: Mail,
    pub files: Files,
    pub notices: Notices,
    pub uptime: Uptime,
    pub incidents: Incidents,
    pub status_pages: StatusPages,
    /// In the order of [`ROOMS`].
    pub modules: Vec<Module>,
    /// Every kind of job that this build runs.
    pub registry: Registry,
}

impl Rooms {
    pub(super) fn build(context: &Context, runtime: &Runtime, families: &Families) -> anyhow::Result<Self> {
        let config: &Config = &runtime.config;
        let stores = Stores::open(config, &context.data_dir, &context.lifecycle, &families.storage)?;
        let (storage, deletions) = (stores.objects.clone(), Deletions::new(context.db.clone()));
        let (auth, of_auth) = auth::build(context, &config.auth, scopes())?;
        let (llm, of_llm) = llm::build(context, &config.llm);
        let needs = knowledge::Needs {
            objects: storage.clone(),
            deletions: deletions.clone(),
            index: stores.index.clone(),
            index_files: stores.index_files.clone(),
            llm: llm.clone(),
            executable: runtime.executable.clone(),
        };
        let (knowledge, of_knowledge) = knowledge::build(context, &config.knowledge, needs)?;
        let (agents, of_agents) = agents(context, runtime, (&storage, &deletions), &knowledge, &llm)?;
        let backup = backup::Config { tools_dir: config.tools_dir(), ..config.backup.clone() };
        let needs = backup_needs(runtime, stores, deletions.clone(), families);
        let (backups, of_backup) = backup::build(context, backup, needs);
        let (logs, of_logs) = logs::build(context, &config.logs, &config.telemetry, config.ops.local());
        let (webhooks, of_webhooks) =
            webhooks::build(context, &config.webhooks, event_types(), config.alerting.receivers())?;
        let (mail, files, of_stored) =
            mail_and_files(context, runtime, (&storage, &deletions, &backups), &knowledge, &webhooks)?;
        let (alerting, of_alerting) = alerting::build(context, &config.alerting, webhooks.clone());
        let needs = notices::Needs {
            auth: auth.clone(),
            mail: mail.clone(),
            alerting: alerting.clone(),
            backups: backups.clone(),
            agents: agents.clone(),
            llm: llm.clone(),
        };
        let (notices, of_notices) = notices::build(context, &config.notices, needs);
        auth.mails_links_by(notices.link_mailer());
        let jobs = Jobs::new(context.db.clone(), context.clock.clone(), config.jobs.clone(), families.jobs.clone());
        let asked =
            self_checks::Asked { jobs: &jobs, llm: &llm, knowledge: &knowledge, backups: &backups, mail: &mail };
        let checks = self_checks::all(context, &asked);
        let below = (&webhooks, &mail, &auth, &alerting);
        let (uptime, incidents, status_pages, of_watching) = watching(context, config, checks, below)?;
        let (events, of_events) = events(context, config, families);
        let mut modules = vec![
            of_auth,
            of_llm,
            of_knowledge,
            of_agents,
            of_backup,
            of_logs,
            of_webhooks,
            of_alerting,
            of_notices,
            of_events,
        ];
        modules.extend(of_watching);
        modules.extend(of_stored);

        let mut registry = Registry::default();
        modules.iter().try_for_each(|module| module.register_jobs(&mut registry))?;
        modules.extend([of_jobs(&jobs, &registry), Module::new(&STORAGE).checks(storage.clone(), storage::checks)]);
        modules.sort_by_key(|module| ROOMS.iter().position(|room| room.name == module.room.name));
        Ok(Self {
            auth,
            jobs,
            storage,
            deletions,
            llm,
            knowledge,
            agents,
            backups,
            logs,
            alerting,
            events,
            webhooks,
            mail,
            files,
            notices,
            uptime,
            incidents,
            status_pages,
            modules,
            registry,
        })
    }
}

/// Agents, with children of their own for the pictures of questions; knowledge asks them who uses a base.
fn agents(
    context: &Context,
    runtime: &Runtime,
    (storage, deletions): (&Storage, &Deletions),
    knowledge: &Knowledge,
    llm: &Llm,
) -> anyhow::Result<(Agents, Module)> {
    let pictures = images::PoolConfig { waiting: 8, ..images::PoolConfig::default() };
    let needs = agents::Needs {
        knowledge: knowledge.clone(),
        llm: llm.clone(),
        objects: storage.clone(),
        deletions: deletions.clone(),
        pictures: images::Pool::new(runtime.executable.clone(), pictures, context.lifecycle.clone()),
    };
    let (agents, module) = agents::build(context, &runtime.config.agents, needs)?;
    knowledge.used_by(agents.users());
    Ok((agents, module))
}

/// What has objects beside knowledge: mail, whose attachments may be documents, and files, which scrubs those of all.
fn mail_and_files(
    context: &Context,
    runtime: &Runtime,
    (storage, deletions, backups): (&Storage, &Deletions, &Backups),
    knowledge: &Knowledge,
    webhooks: &Webhooks,
) -> anyhow::Result<(Mail, Files, [Module; 2])> {
    let (mail, of_mail) = mail::build(context, &runtime.config.mail, storage, deletions.clone())?;
    let needs = files::Needs {
        objects: storage.clone(),
        deletions: deletions.clone(),
        executable: runtime.executable.clone(),
        data_dir: context.data_dir.clone(),
        webhooks: webhooks.clone(),
    };
    let (files, of_files) = files::build(context, &runtime.config.files, needs)?;
    mail.attaches_from(mail::Source::Documents, Arc::new(knowledge.clone()));
    mail.attaches_from(mail::Source::Files, Arc::new(files.clone()));
    files.inspects(vec![Arc::new(knowledge.clone()), Arc::new(mail.clone()), files.inventory()]);
    files.repairs_by(Arc::new(backups.repairer(None)));
    Ok((mail, files, [of_mail, of_files]))
}

/// Monitors, incidents and status pages.
fn watching(
    context: &Context,
    config: &Config,
    checks: Vec<Arc<dyn SelfCheck>>,
    (webhooks, mail, auth, alerting): (&Webhooks, &Mail, &Auth, &Alerting),
) -> anyhow::Result<(Uptime, Incidents, StatusPages, [Module; 3])> {
    let is_watched = config.alerting.heartbeat_url.is_some();
    let (uptime, of_uptime) = uptime::build(context, &config.uptime, config.monitors_file(), checks, is_watched);
    let needs = incidents::Needs {
        webhooks: webhooks.clone(),
        mail: mail.clone(),
        auth: auth.clone(),
        alerting: alerting.clone(),
        uptime: uptime.clone(),
    };
    let (incidents, of_incidents) = incidents::build(context, &config.incidents, needs)?;
    let needs = status_page::Needs { mail: mail.clone(), uptime: uptime.clone(), incidents: incidents.clone() };
    let (status_pages, of_status_page) = status_page::build(context, &config.status_page, needs)?;
    Ok((uptime, incidents, status_pages, [of_uptime, of_incidents, of_status_page]))
}

fn events(context: &Context, config: &Config, families: &Families) -> (Events, Module) {
    let events = Events::new(events::Deps {
        config: config.events.clone(),
        db: context.db.clone(),
        clock: context.clock.clone(),
        metrics: families.events.clone(),
        types: event_types(),
        subscriptions: subscriptions(),
    });
    let background = events.clone();
    let module = Module::new(&EVENTS)
        .jobs(events.clone(), events::register)
        .checks(events.clone(), events::checks)
        .background(move |loops| background.start_loops(loops));
    (events, module)
}

fn backup_needs(runtime: &Runtime, stores: Stores, deletions: Deletions, families: &Families) -> backup::Needs {
    let config = &runtime.config;
    let embedding = &config.llm.embedding;
    backup::Needs {
        target: runtime.target.clone(),
        objects: stores.objects,
        deletions,
        participants: stores.participants,
        model_dir: embedding.is_local().then(|| embedding.dir(&runtime.data_dir)),
        settings_files: config.settings_files.clone(),
        environment: config.environment.clone(),
        server_dir: config.database.bin_dir.clone(),
        storage_metrics: families.storage.clone(),
    }
}

/// The figures and checks of jobs are about the kinds of all rooms.
fn of_jobs(jobs: &Jobs, registry: &Registry) -> Module {
    let (figures, all) = (jobs.clone(), registry.clone());
    Module::new(&JOBS)
        .api(jobs::routes::router(), jobs)
        .pages(jobs::pages::router(), jobs)
        .checks((jobs.clone(), registry.clone()), |(jobs, registry)| jobs::doctor::checks(jobs, registry))
        .background(move |loops| {
            if let Err(error) = figures.start_figures(all.clone(), loops) {
                tracing::warn!(error = format!("{error:#}"), "cannot read the queues' figures");
            }
        })
        .overview(jobs.clone())
}
