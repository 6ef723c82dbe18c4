//! What this room hands over.

use super::{
    Config, Deps, Metrics, Notices, checks,
    jobs::{Digest, Report, Tell},
    pages, register,
};
use ::jobs::Job as _;
use agents::Agents;
use alerting::Alerting;
use auth::Auth;
use backup::Backups;
use console::Locale;
use events::Subscription;
use kit::{Context, Module, Room};
use llm::Llm;
use mail::Mail;
use platform::db::Table;

pub(super) const LOCALE: Locale = console::locale!("notices");

pub static ROOM: Room = Room {
    tables: &[Table::small("notice_counts"), Table::small("notice_items")],
    locale: Some(LOCALE),
    queues: &["system"],
    schedules: &[Digest::KIND, Report::KIND],
    subscriptions: &[Subscription::of::<Tell>()],
    metrics: Some(|telemetry| drop(telemetry.register("notices", Metrics::register))),
    ..Room::new("notices")
};

/// The rooms that it asks.
pub struct Needs {
    pub auth: Auth,
    pub mail: Mail,
    pub alerting: Alerting,
    pub backups: Backups,
    pub agents: Agents,
    pub llm: Llm,
}

pub fn build(context: &Context, config: &Config, needs: Needs) -> (Notices, Module) {
    let Context { db, clock, telemetry, server, .. } = context.clone();
    let notices = Notices::new(Deps {
        config: config.clone(),
        base_url: server.base_url(),
        is_public: !server.public_url.is_empty(),
        db,
        clock,
        metrics: telemetry.register("notices", Metrics::register),
        rooms: needs,
    });
    let background = notices.clone();
    let module = Module::new(&ROOM)
        .jobs(notices.clone(), register)
        .pages(pages::router(), &notices)
        .checks(notices.clone(), checks)
        .background(move |loops| background.start_loops(loops));
    (notices, module)
}
