//! [`Files`]: the rules of buckets and objects.

mod buckets;
mod compressed;
mod delete;
mod images;
mod later;
mod list;
mod quota;
mod read;
pub(crate) mod report;
mod tokens;
mod write;

use std::{path::PathBuf, sync::Arc};

use super::{Blobs, Bucket, Caller, Config, FilesError, Key, VariantFigures, Verb, may, store, variants::Variants};
use ::images::Pool;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx, lock_until_commit},
    http::RateLimiter,
    lifecycle::Lifecycle,
    pools::{CpuPool, Traffic},
};
use storage::{Deletions, Storage};
use tokio::sync::Semaphore;

pub use self::images::check_presets;
pub use compressed::Coding;

/// New variants in a minute that somebody without an account may have made of a bucket whose options are free.
const NEW_VARIANTS: u32 = 60;

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
    /// Images at a time whose content is in memory.
    pub image_sources: usize,
    /// Where what was made of objects is kept.
    pub cache: PathBuf,
    /// The requests being served: reports yield to them.
    pub traffic: Traffic,
    /// Of the console, without a slash at its end.
    pub public_url: String,
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
    pub image_sources: Semaphore,
    pub variants: Variants,
    /// By address and bucket.
    pub new_variants: RateLimiter,
    pub cpu: CpuPool,
    pub traffic: Traffic,
    pub public_url: String,
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
        let Deps { config, db, clock, lifecycle, master_key, storage, deletions, cpu, images, traffic, .. } = deps;
        let variants = Variants::new(deps.cache, config.cache_mib << 20, cpu.clone(), clock.clone(), lifecycle.clone());
        let blobs = Blobs { storage, deletions, clock: clock.clone(), lifecycle, cpu: cpu.clone() };
        Self {
            inner: Arc::new(Inner {
                config,
                db,
                clock,
                blobs,
                images,
                image_sources: Semaphore::new(deps.image_sources.max(1)),
                variants,
                new_variants: RateLimiter::new(NEW_VARIANTS, NEW_VARIANTS),
                cpu,
                traffic,
                public_url: deps.public_url,
                token_key: master_key.derive("files tokens"),
            }),
        }
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The pool of children that decode pictures.
    pub fn images(&self) -> &Pool {
        &self.inner.images
    }

    /// What the cache of variants has and has done.
    pub fn variant_figures(&self) -> VariantFigures {
        self.inner.variants.figures()
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
