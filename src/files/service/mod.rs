//! [`Files`]: the rules of buckets and objects.

mod buckets;
mod delete;
mod figures;
mod later;
mod list;
mod quota;
mod read;
mod scan;
mod stored;
mod tokens;
mod write;

use std::sync::Arc;

pub use stored::Stored;

use super::{Blobs, Bucket, Caller, Config, FilesError, Key, Metrics, Scanner, Verb, may, store};
use images::Pool;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx, lock_until_commit},
    lifecycle::Lifecycle,
    pools::CpuPool,
};
use storage::{Deletions, Storage};

/// What the service is made of.
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub master_key: MasterKey,
    /// This room's folder of the object store.
    pub storage: Storage,
    pub deletions: Deletions,
    /// For hashes, and what else an upload waits for.
    pub cpu: CpuPool,
    pub images: Pool,
    /// Of the console, without a slash at its end.
    pub public_url: String,
    pub metrics: Metrics,
}

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub blobs: Blobs,
    pub images: Pool,
    pub public_url: String,
    pub metrics: Metrics,
    /// The virus scanner, where there is one.
    pub scanner: Option<Scanner>,
    /// Signs tokens.
    pub token_key: [u8; 32],
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    pub fn new(deps: Deps) -> Self {
        let Deps { config, db, clock, lifecycle, master_key, storage, deletions, cpu, images, public_url, metrics } =
            deps;
        let blobs = Blobs { storage, deletions, clock: clock.clone(), lifecycle, cpu };
        let token_key = master_key.derive("files tokens");
        let scanner = config.scanner().map(|address| Scanner::new(address, config.clamd_max_mib << 20));
        let inner = Inner { config, db, clock, blobs, images, public_url, metrics, scanner, token_key };
        Self { inner: Arc::new(inner) }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The pool of children that decode pictures.
    pub fn images(&self) -> &Pool {
        &self.inner.images
    }

    /// Address of the console, without a slash at its end: what is given to clients begins with it.
    pub fn public_url(&self) -> &str {
        &self.inner.public_url
    }
}

/// Err unless the caller may do this with the key.
async fn permit(tx: &mut Tx, who: &Caller, bucket: &Bucket, verb: Verb, key: &str) -> Result<(), FilesError> {
    let rules = store::rules::list(tx, bucket.id).await?;
    Ok(may(who, bucket, &rules, verb, key)?)
}

/// Takes a key until the transaction ends: what is judged about it then holds until it is committed. Whoever takes several, takes them sorted, and
/// before it writes anything.
async fn lock_key(tx: &mut Tx, bucket: &Bucket, key: &Key) -> Result<(), FilesError> {
    Ok(lock_until_commit(tx, &format!("files {} {key}", bucket.id)).await?)
}
