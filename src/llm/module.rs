//! What this room hands over.

use super::{Config, Deps, Llm, Metrics, Operation, checks, openai_router, pages, register, router};
use console::{NavItem, Section};
use kit::{Context, Module, Room};
use platform::{
    db::Table,
    http::{Role, Scope},
    telemetry::{ANY, Telemetry},
};

/// `/v1/*`: models, chat, embeddings, and agents' answers.
pub const INFERENCE: Scope = Scope::new("inference", Role::Viewer);

pub static ROOM: Room = Room {
    scopes: &[INFERENCE],
    tables: &[
        Table::watched("embedding_cache"),
        Table::watched("llm_usage"),
        Table::watched("llm_usage_days"),
        Table::small("llm_aliases"),
        Table::small("llm_providers"),
        Table::small("llm_settings_version"),
    ],
    nav: &[NavItem::new(Section::Operate, "/settings/models", "llm-nav", "models").keys('m').role(Role::Member)],
    locale: Some(console::locale!("llm")),
    queues: &["system"],
    schedules: &["llm.retention"],
    openapi: Some(|| {
        let mut document = router().into_openapi();
        document.merge(openai_router().into_openapi());
        document
    }),
    metrics: Some(every_series),
    ..Room::new("llm")
};

fn every_series(telemetry: &Telemetry) {
    let metrics = telemetry.register("llm", Metrics::register);
    metrics.create_provider(ANY);
    for operation in [Operation::Chat, Operation::Embedding] {
        metrics.create_model(operation, ANY, ANY);
    }
}

pub fn build(context: &Context, config: &Config) -> (Llm, Module) {
    let Context { db, clock, http, data_dir, lifecycle, telemetry, .. } = context.clone();
    let metrics = telemetry.register("llm", Metrics::register);
    let llm = Llm::new(Deps { config: config.clone(), data_dir, clock, db, http, metrics, lifecycle });
    let module = Module::new(&ROOM)
        .api(router(), &llm)
        .api(openai_router(), &llm)
        .pages(pages::router(), &llm)
        .jobs(llm.clone(), register)
        .checks(llm.clone(), checks)
        .overview(llm.clone());
    (llm, module)
}
