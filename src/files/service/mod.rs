//! [`Files`]: the rules of buckets and objects.

mod append;
mod buckets;
mod changes;
mod compact;
mod compressed;
mod copy;
mod cors;
mod delete;
mod figures;
mod images;
mod keys;
mod lifecycle;
mod links;
mod list;
mod locks;
mod parts;
mod public;
mod purge;
mod quota;
mod read;
pub(crate) mod report;
mod rules;
mod scan;
mod settings;
mod stored;
mod tags;
mod tokens;
mod trash;
mod tus;
mod uploads;
mod versions;
mod write;

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{
    Blobs, Bucket, BucketId, Caller, Config, FilesError, Key, Metrics, Scanner, VariantFigures, Verb, may, store,
    variants::Variants,
};
use ::images::Pool;
use platform::{
    clock::Clock,
    crypto::MasterKey,
    db::{Db, Tx, lock_until_commit},
    http::RateLimiter,
    lifecycle::Lifecycle,
    pools::{CpuPool, Traffic},
};
use storage::{Deletions, Inventory, Repair, Storage};
use tokio::sync::Semaphore;
use webhooks::Webhooks;

pub use self::images::check_presets;
pub use compressed::Coding;
pub use links::OpenedLink;
pub use purge::PurgeReceivers;
pub use stored::Stored;

/// New variants in a minute that somebody without an account may have made of a bucket whose options are free.
const NEW_VARIANTS: u32 = 60;

/// What the service is made of.
pub struct Deps {
    pub config: Config,
    pub db: Db,
    pub clock: Clock,
    pub lifecycle: Lifecycle,
    pub master_key: MasterKey,
    /// The whole object store: all rooms' objects are scrubbed and swept.
    pub whole: Storage,
    /// This room's folder of it.
    pub storage: Storage,
    pub deletions: Deletions,
    /// For hashes, and what else an upload waits for.
    pub cpu: CpuPool,
    /// The requests being served: scrubs and reports yield to them.
    pub traffic: Traffic,
    pub images: Pool,
    /// Images at a time whose content is in memory.
    pub image_sources: usize,
    /// Where what was made of objects is kept.
    pub cache: PathBuf,
    /// Of the console, without a slash at its end.
    pub public_url: String,
    /// Tells addresses of buckets of changes.
    pub webhooks: Webhooks,
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
    pub whole: Storage,
    pub traffic: Traffic,
    /// For hashes that nobody waits for.
    pub background: CpuPool,
    pub inventories: OnceLock<Vec<Arc<dyn Inventory>>>,
    pub repair: OnceLock<Arc<dyn Repair>>,
    pub images: Pool,
    pub image_sources: Semaphore,
    pub variants: Variants,
    /// By address and bucket.
    pub new_variants: RateLimiter,
    pub cpu: CpuPool,
    pub public_url: String,
    pub metrics: Metrics,
    /// The virus scanner, where there is one.
    pub scanner: Option<Scanner>,
    /// Signs tokens.
    pub token_key: [u8; 32],
    pub keys: keys::AccessKeys,
    pub passwords: links::LinkPasswords,
    pub webhooks: Webhooks,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    pub fn new(deps: Deps) -> Self {
        let Deps {
            config,
            db,
            clock,
            lifecycle,
            master_key,
            whole,
            storage,
            deletions,
            cpu,
            traffic,
            images,
            image_sources,
            cache,
            public_url,
            webhooks,
            metrics,
        } = deps;
        let variants = Variants::new(cache, config.cache_mib << 20, cpu.clone(), clock.clone(), lifecycle.clone());
        let blob_bytes = config.blob_mib << 20;
        let blobs = Blobs { storage, deletions, clock: clock.clone(), lifecycle, cpu: cpu.clone(), blob_bytes };
        let scanner = config.scanner().map(|address| Scanner::new(address, config.clamd_max_mib << 20));
        let inner = Inner {
            token_key: master_key.derive("files tokens"),
            keys: keys::AccessKeys::new(master_key),
            config,
            db,
            clock,
            blobs,
            whole,
            traffic,
            // As many as a scrub reads at a time.
            background: CpuPool::background(4),
            inventories: OnceLock::new(),
            repair: OnceLock::new(),
            images,
            image_sources: Semaphore::new(image_sources.max(1)),
            variants,
            new_variants: RateLimiter::new(NEW_VARIANTS, NEW_VARIANTS),
            cpu,
            public_url,
            passwords: links::LinkPasswords::new(),
            webhooks,
            metrics,
            scanner,
        };
        Self { inner: Arc::new(inner) }
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

/// Takes keys until the transaction ends: what is judged about them then holds until it is committed. Each once and in one order, so that two who take
/// several do not wait for each other; once in a transaction, before it writes anything.
async fn lock_keys(tx: &mut Tx, keys: &[(BucketId, &Key)]) -> Result<(), FilesError> {
    for (bucket, key) in keys.iter().copied().collect::<BTreeSet<_>>() {
        lock_until_commit(tx, &format!("files {bucket} {key}")).await?;
    }
    Ok(())
}
