//! All routes, inside the frame.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use serde::Serialize;
use tokio::time::timeout;

use super::{
    App, Runtime, generated,
    rooms::{self, ROOMS},
    settings,
};
use console::{Console, Parts};
use platform::{
    disk::Folder,
    error::ApiError,
    health::Status,
    http::{
        self, KnownQuery, MiddlewareStack,
        metrics::{FixedSurface, Surface},
        refuse_unknown_query,
    },
};
use s3::S3Config;

/// How long `/readyz` waits for the database: less than a `HEALTHCHECK`, a proxy or a probe waits for the answer.
const DATABASE_PATIENCE: Duration = Duration::from_secs(4);

impl App {
    /// API, OpenAI surface and console, in the frame of limits, authentication and logging.
    pub fn router(&self) -> Router {
        let config = &self.runtime.config.server;
        let openapi = serde_json::to_value(generated::openapi()).unwrap_or_default();
        // One for all who ask: it is large, and nobody has to sign in for it.
        let document = Bytes::from(openapi.to_string());
        let known_query = KnownQuery::of(&openapi, "/api/v1/");
        let console = Console::new(self.console_parts(openapi));
        console.keeps_languages_by(Arc::new(self.auth.clone()));
        let modules = &self.rooms.modules;
        let routes = modules
            .iter()
            .fold(Router::new(), |routes, module| routes.merge(module.routes.clone()))
            .merge(console.router())
            .merge(s3::mounted("/s3", self.files.clone(), self.s3_config()))
            .route(
                "/api/v1/openapi.json",
                get(async move || ([(header::CONTENT_TYPE, "application/json")], document.clone())),
            )
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready_public).with_state(self.clone()))
            .fallback(|| async {
                ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
            })
            .method_not_allowed_fallback(|| async {
                ApiError::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    "this address does not take that method",
                )
            });
        let public: Vec<_> = ROOMS.iter().flat_map(|room| room.public).copied().collect();
        let guarded = console
            .wrap(routes.layer(from_fn_with_state(known_query, refuse_unknown_query)))
            .layer(Extension(self.idempotency.clone()))
            .layer(from_fn_with_state(auth::Origins::new(config).with_open(&public), auth::csrf_guard));
        let (clock, lifecycle) = (self.runtime.clock.clone(), self.runtime.lifecycle.clone());
        let frame =
            MiddlewareStack::new(config, clock, self.families.http.clone(), Arc::new(self.auth.clone()), lifecycle)
                .with_own_tokens(&ROOMS.iter().flat_map(|room| room.own_tokens).cloned().collect::<Vec<_>>())
                .with_own_credentials(&ROOMS.iter().flat_map(|room| room.own_credentials).copied().collect::<Vec<_>>())
                .with_files(self.runtime.config.files.requests_per_minute)
                .with_status_pages(self.runtime.config.status_page.requests_per_minute, self.status_pages.hosts())
                .with_public(&public);
        // Inside, the console knows who is signed in; outside, it catches what is refused before that is known.
        let main = http::wrap(guarded, frame, |framed| {
            let framed = console.wrap(framed).layer(from_fn(files::map_supabase_errors));
            framed.layer(from_fn(llm::map_openai_errors))
        });
        s3::by_host(main, self.s3_router(), self.runtime.config.files.s3_hosts.clone())
    }

    /// What the console shows of the rooms and of the installation.
    fn console_parts(&self, openapi: serde_json::Value) -> Parts {
        let Runtime { config, master_key, .. } = &self.runtime;
        let modules = &self.rooms.modules;
        let file = settings::file(config);
        Parts {
            nav: rooms::nav(),
            locales: rooms::locales(),
            assets: rooms::assets(),
            commands: rooms::commands(),
            overview: modules.iter().filter_map(|module| module.overview.clone()).collect(),
            directories: modules.iter().filter_map(|module| module.directory.clone()).collect(),
            settings: settings::lines(config),
            config_file: file.map(|file| file.display().to_string()).unwrap_or_default(),
            openapi,
            https: config.server.is_https(),
            public_url: config.server.public_url.trim_end_matches('/').to_owned(),
            key: master_key.clone(),
        }
    }

    /// The S3 API alone, in the same frame without console and sessions; for a port of its own.
    pub fn s3_router(&self) -> Router {
        let config = &self.runtime.config.server;
        let (clock, lifecycle) = (self.runtime.clock.clone(), self.runtime.lifecycle.clone());
        let frame =
            MiddlewareStack::new(config, clock, self.families.http.clone(), Arc::new(self.auth.clone()), lifecycle)
                .with_own_credentials(&[""])
                .with_files(self.runtime.config.files.requests_per_minute);
        let routes = s3::router(self.files.clone(), self.s3_config());
        http::wrap(routes, frame, |framed| framed).layer(Extension(FixedSurface(Surface::Files)))
    }

    fn s3_config(&self) -> S3Config {
        let config = &self.runtime.config.files;
        S3Config { region: config.s3_region.clone(), hosts: config.s3_hosts.clone() }
    }

    /// `/metrics`, `/healthz`, `/readyz` for machines, `/log-level` for operators on the host.
    pub fn ops_router(&self) -> Router {
        let config = &self.runtime.config;
        let routes = Router::new()
            .route(
                "/metrics",
                get(|State(app): State<Self>, headers: HeaderMap| async move { app.telemetry.response(&headers) }),
            )
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .with_state(self.clone());
        let modules = &self.rooms.modules;
        modules
            .iter()
            .fold(routes, |routes, module| routes.merge(module.ops.clone()))
            .layer(from_fn_with_state(http::OpsHosts::new(&config.ops, &config.server), http::refuse_strangers))
    }

    /// Whether this process can do its work: the database answers (migrations were done before anything listened), there is
    /// room to write, and its worker makes progress.
    async fn readiness(&self) -> Readiness {
        // A server that hangs takes connections, and never says anything: whoever asks here wants to know just that.
        let database = match timeout(DATABASE_PATIENCE, self.db.ping()).await {
            Ok(Ok(())) => Ok("answers".to_owned()),
            Ok(Err(error)) => Err(format!("does not answer: {error}")),
            Err(_) => Err(format!("does not answer within {} s", DATABASE_PATIENCE.as_secs())),
        };
        let worker = self.jobs.progress();
        let disk = match self.disks.volumes().await {
            None => Err("a file system does not answer".to_owned()),
            // Room for backups and drills is not what requests wait for.
            Some(volumes) => match volumes.iter().find(|v| v.is_full() && v.folders != [Folder::Work]) {
                Some(full) => Err(format!("full: {}", full.name())),
                None => Ok("has room".to_owned()),
            },
        };
        Readiness {
            ready: database.is_ok() && disk.is_ok() && worker.status != Status::Fail,
            database: database.unwrap_or_else(|e| e),
            disk: disk.unwrap_or_else(|e| e),
            worker: worker.summary,
        }
    }
}

#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    database: String,
    disk: String,
    worker: String,
}

async fn ready(State(app): State<App>) -> (StatusCode, Json<Readiness>) {
    let readiness = app.readiness().await;
    (if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(readiness))
}

/// Says whether, not why: the reasons are for the ops port.
async fn ready_public(State(app): State<App>) -> (StatusCode, &'static str) {
    if app.readiness().await.ready {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}
