//! What this room hands over.

use super::{Config, Deps, EVENTS, Mail, Metrics, bounces, checks, pages, register, routes};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
    http_client::TenantClient,
};
use storage::{Deletions, Storage};

/// Sends mail of the organisation.
pub const SEND: Scope = Scope::new("mail_send", Role::Admin);

pub static ROOM: Room = Room {
    scopes: &[SEND],
    tables: &[
        Table::watched("mail_attempts"),
        Table::watched("mail_bodies"),
        Table::watched("mail_files"),
        Table::watched("mail_keys"),
        Table::watched("mail_messages"),
        Table::small("mail_accounts"),
        Table::small("mail_bounce_sources"),
        Table::small("mail_bounce_tokens"),
        Table::small("mail_bounces"),
        Table::small("mail_branding"),
        Table::small("mail_domains"),
        Table::small("mail_mailboxes"),
        Table::small("mail_own_templates"),
        Table::small("mail_suppressions"),
        Table::small("mail_templates"),
    ],
    nav: &[NavItem::new(Section::Settings, "/settings/mail", "mail-title", "mail").role(Role::Admin)],
    locale: Some(console::locale!("mail")),
    queues: &["mail", "system"],
    schedules: &["mail.check_domains", "mail.drop_files", "mail.maintain", "mail.purge"],
    events: EVENTS,
    openapi: Some(|| routes::router().into_openapi()),
    metrics: Some(|telemetry| drop(telemetry.register("mail", Metrics::register))),
    public: &["/mail/unsubscribe", "/hooks/mail"],
    ..Room::new("mail")
};

/// `objects` is the whole store: attachments are in this room's folder of it.
pub fn build(
    context: &Context,
    config: &Config,
    objects: &Storage,
    deletions: Deletions,
) -> anyhow::Result<(Mail, Module)> {
    let Context { db, clock, lifecycle, master_key, telemetry, server, .. } = context.clone();
    let mail = Mail::new(Deps {
        config: config.clone(),
        db,
        clock,
        lifecycle,
        master_key,
        objects: objects.room("mail")?,
        deletions,
        public_url: server.base_url(),
        metrics: telemetry.register("mail", Metrics::register),
        tenant: TenantClient::new(Vec::new())?,
    });
    let background = mail.clone();
    let module = Module::new(&ROOM)
        .api(routes::router(), &mail)
        .pages(pages::router(), &mail)
        .pages(bounces::router(), &mail)
        .jobs(mail.clone(), register)
        .checks(mail.clone(), checks)
        .background(move |loops| {
            background.start_loops(loops);
            background.start_mailbox(loops);
        })
        .overview(mail.clone());
    Ok((mail, module))
}
