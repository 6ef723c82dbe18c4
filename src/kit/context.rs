//! What every room may be built from.

use std::path::PathBuf;

use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::Db,
    http,
    http_client::HttpClients,
    lifecycle::Lifecycle,
    pools::Traffic,
    telemetry::{Logger, Telemetry},
};

/// The process's own things. Cheap to clone; a room takes what it needs.
#[derive(Clone)]
pub struct Context {
    pub db: Db,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub telemetry: Telemetry,
    pub http: HttpClients,
    /// The requests being served: heavy work yields to them.
    pub traffic: Traffic,
    pub data_dir: PathBuf,
    pub master_key: MasterKey,
    pub logger: Logger,
    /// The listener's settings: addresses in links, cookies.
    pub server: http::Config,
}
