//! What a room hands over, so that `app` can plug it in: [`Room`] is known without building anything, [`Module`] is made by the
//! room's `build`. Routers, the OpenAPI document, `doctor`, the worker, navigation, overview, scopes and table metrics are loops over
//! them. Plain values: the order and the dependencies between rooms stay typed Rust in `app/rooms.rs`.
//!
//! Owns no table, no job, no metric, no check.

mod context;

use std::sync::Arc;

use axum::{Router, http::Method};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use context::Context;

use console::{Asset, Command, Directory, Locale, NavItem, OverviewPart};
use events::{EventType, Subscription};
use jobs::{JobsError, Loops, Registry};
use platform::{db::Table, health::Check, http::Scope, telemetry::Telemetry};

/// What a room is. Begin with [`Room::new`] and name what it has.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Prefix of its metrics, translations, assets, checks and job kinds.
    pub name: &'static str,
    /// Permissions of API keys that its routes ask for; each has the translation `scope-<name>`.
    pub scopes: &'static [Scope],
    /// Tables that it owns.
    pub tables: &'static [Table],
    /// Links of the console's navigation.
    pub nav: &'static [NavItem],
    /// What the palette offers to do.
    pub commands: &'static [Command],
    pub locale: Option<Locale>,
    pub assets: &'static [Asset],
    /// Queues and schedules of its jobs: a test compares them with what it registers.
    pub queues: &'static [&'static str],
    pub schedules: &'static [&'static str],
    /// Events that it publishes.
    pub events: &'static [EventType],
    /// Its jobs that react to events, of its own or of rooms below.
    pub subscriptions: &'static [Subscription],
    /// The part of the OpenAPI document.
    pub openapi: Option<fn() -> OpenApi>,
    /// Registers its metrics with every series that a running process would make, for the reference of metrics.
    pub metrics: Option<fn(&Telemetry)>,
    /// Routes whose `Authorization` header holds a token of the room's own, which is no API key.
    pub own_tokens: &'static [(Method, &'static str)],
    /// Paths below which an `Authorization` that is no bearer token is for the room, and no session counts.
    pub own_credentials: &'static [&'static str],
    /// Paths below which nobody has to sign in.
    pub public: &'static [&'static str],
}

impl Room {
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            scopes: &[],
            tables: &[],
            nav: &[],
            commands: &[],
            locale: None,
            assets: &[],
            queues: &[],
            schedules: &[],
            events: &[],
            subscriptions: &[],
            openapi: None,
            metrics: None,
            own_tokens: &[],
            own_credentials: &[],
            public: &[],
        }
    }
}

type Register = dyn Fn(&mut Registry) -> Result<(), JobsError> + Send + Sync;
type Checks = dyn Fn() -> Vec<Box<dyn Check>> + Send + Sync;
type Start = dyn Fn(&Loops) + Send + Sync;

/// A room that was built. Clones share everything. Begin with [`Module::new`] and add what it has.
#[derive(Clone)]
pub struct Module {
    pub room: &'static Room,
    /// API and pages, with their state.
    pub routes: Router,
    /// Routes of the ops port.
    pub ops: Router,
    jobs: Option<Arc<Register>>,
    checks: Option<Arc<Checks>>,
    background: Option<Arc<Start>>,
    pub overview: Option<Arc<dyn OverviewPart>>,
    pub directory: Option<Arc<dyn Directory>>,
}

impl std::fmt::Debug for Module {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Module").field(&self.room.name).finish()
    }
}

impl Module {
    pub fn new(room: &'static Room) -> Self {
        let (routes, ops) = (Router::new(), Router::new());
        Self { room, routes, ops, jobs: None, checks: None, background: None, overview: None, directory: None }
    }

    /// Routes of the API. [`Room::openapi`] describes the same router.
    #[must_use]
    pub fn api<S: Clone + Send + Sync + 'static>(mut self, api: OpenApiRouter<S>, state: &S) -> Self {
        self.routes = self.routes.merge(Router::from(api.with_state(state.clone())));
        self
    }

    /// Pages of the console.
    #[must_use]
    pub fn pages<S: Clone + Send + Sync + 'static>(mut self, pages: Router<S>, state: &S) -> Self {
        self.routes = self.routes.merge(pages.with_state(state.clone()));
        self
    }

    #[must_use]
    pub fn ops<S: Clone + Send + Sync + 'static>(mut self, ops: Router<S>, state: &S) -> Self {
        self.ops = self.ops.merge(ops.with_state(state.clone()));
        self
    }

    /// What registers its kinds of jobs and their schedules.
    #[must_use]
    pub fn jobs<S: Send + Sync + 'static>(
        mut self,
        state: S,
        register: fn(&mut Registry, &S) -> Result<(), JobsError>,
    ) -> Self {
        self.jobs = Some(Arc::new(move |registry| register(registry, &state)));
        self
    }

    /// What `doctor` looks at.
    #[must_use]
    pub fn checks<S: Send + Sync + 'static>(mut self, state: S, checks: fn(&S) -> Vec<Box<dyn Check>>) -> Self {
        self.checks = Some(Arc::new(move || checks(&state)));
        self
    }

    /// What runs beside the listeners in every role, from the start of the process on: its loops, in each process or in the leader.
    #[must_use]
    pub fn background(mut self, start: impl Fn(&Loops) + Send + Sync + 'static) -> Self {
        self.background = Some(Arc::new(start));
        self
    }

    /// Its part of the console's first page.
    #[must_use]
    pub fn overview(mut self, part: impl OverviewPart + 'static) -> Self {
        self.overview = Some(Arc::new(part));
        self
    }

    /// What it can name and find.
    #[must_use]
    pub fn directory(mut self, directory: impl Directory + 'static) -> Self {
        self.directory = Some(Arc::new(directory));
        self
    }

    pub fn register_jobs(&self, registry: &mut Registry) -> Result<(), JobsError> {
        self.jobs.as_ref().map_or(Ok(()), |register| register(registry))
    }

    pub fn doctor(&self) -> Vec<Box<dyn Check>> {
        self.checks.as_ref().map(|checks| checks()).unwrap_or_default()
    }

    pub fn start(&self, loops: &Loops) {
        if let Some(start) = &self.background {
            start(loops);
        }
    }
}
