//! What was made of objects: images, and compressed texts. In a folder of this process's host, made again when it is not there: no backup has it.
//!
//! A name is the hash of the content and of what was made of it, so nothing here is ever out of date. One request makes what many ask for at the
//! same moment, and goes on when the first of them leaves; what cannot be made is not tried again by each request.

mod folder;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{FilesError, Object};
use folder::Folder;
use platform::{clock::Clock, crypto, error::chain, lifecycle::Lifecycle, pools::CpuPool};

/// How long a failure is remembered: a picture that cannot be decoded is not decoded by each request.
const REMEMBERED: TimeDelta = TimeDelta::seconds(60);
/// Most that are made, or wait for a child, at a time: further ones are refused, and nobody waits for ever.
const IN_FLIGHT: usize = 40;
/// Most failures that are remembered.
const FAILURES: usize = 10_000;

/// Something that was made of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    pub facts: VariantFacts,
    pub bytes: Bytes,
    /// Without quotes.
    pub etag: String,
}

/// What is known of a variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantFacts {
    /// Of the bytes; empty: there is none, because it would be no better than the original.
    pub content_type: String,
    /// Of an image; of the original, where the bytes are none.
    pub width: u32,
    pub height: u32,
    pub frames: u32,
}

/// What the cache has done since it was made, and what it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariantFigures {
    pub bytes: u64,
    pub files: u64,
    pub hits: u64,
    pub made: u64,
    pub failed: u64,
    /// Requests that got what another had asked for.
    pub shared: u64,
}

type Outcome = Result<Variant, Arc<FilesError>>;
/// Where an outcome will be told.
type Awaited = watch::Receiver<Option<Outcome>>;

/// The cache. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Variants(Arc<Shared>);

struct Shared {
    folder: Folder,
    clock: Clock,
    lifecycle: Lifecycle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    in_flight: HashMap<String, Awaited>,
    failures: HashMap<String, (DateTime<Utc>, Arc<FilesError>)>,
    figures: VariantFigures,
}

impl std::fmt::Debug for Variants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variants").finish_non_exhaustive()
    }
}

/// The name of something made of an object: whose it is and what content, then what was made of it. The content, and not the key: a copy has the same.
pub(crate) fn name(object: &Object, made: &str) -> String {
    format!("{}-{}", source(object), &crypto::sha256_hex(made)[..32])
}

/// The part of a name that all that was made of an object has.
fn source(object: &Object) -> String {
    let pieces = object.pieces.iter().map(|piece| format!("{} {} {}", piece.blob, piece.offset, piece.size));
    let pieces: Vec<String> = pieces.collect();
    crypto::sha256_hex(format!("{} {}", object.org, pieces.join(" ")))[..32].to_owned()
}

impl Variants {
    /// `most`: bytes of all files in `folder`.
    pub fn new(folder: PathBuf, most: u64, cpu: CpuPool, clock: Clock, lifecycle: Lifecycle) -> Self {
        let folder = Folder::new(folder, most, cpu, clock.clone());
        Self(Arc::new(Shared { folder, clock, lifecycle, state: Mutex::default() }))
    }

    pub fn figures(&self) -> VariantFigures {
        let (files, bytes) = self.0.folder.size();
        VariantFigures { bytes, files, ..self.state().figures }
    }

    /// The folder of temporary files on the same volume, which is made if it is not there.
    pub fn folder(&self) -> &std::path::Path {
        self.0.folder.path()
    }

    /// Deletes what was made of an object.
    pub async fn forget(&self, object: &Object) {
        self.0.folder.forget(&source(object)).await;
    }

    /// What has this name, or what the future of `make` makes of it now; `make` itself says whether it may.
    pub async fn get<F>(
        &self,
        name: String,
        make: impl FnOnce() -> Result<F, FilesError>,
    ) -> Result<Variant, FilesError>
    where
        F: Future<Output = Result<(VariantFacts, Bytes), FilesError>> + Send + 'static,
    {
        if let Some(variant) = self.stored(&name).await {
            self.state().figures.hits += 1;
            return Ok(variant);
        }
        let (mut receiver, begun) = self.join(name, make)?;
        // Without the lock: a task that cannot begin, because the process ends, takes it.
        if let Some((flight, make)) = begun {
            self.begin(flight, make);
        }
        let outcome = match receiver.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // The process ends.
            Err(_) => None,
        };
        match outcome {
            Some(Ok(variant)) => Ok(variant),
            Some(Err(error)) => Err(again(&error)),
            None => Err(FilesError::Busy),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn stored(&self, name: &str) -> Option<Variant> {
        let (facts, bytes) = self.0.folder.read(name).await?;
        Some(Variant { facts, bytes, etag: name.to_owned() })
    }

    /// Where the outcome will be told; with what makes it, if nobody does yet.
    fn join<F>(
        &self,
        name: String,
        make: impl FnOnce() -> Result<F, FilesError>,
    ) -> Result<(Awaited, Option<(Flight, F)>), FilesError> {
        let now = self.0.clock.now();
        let mut state = self.state();
        state.failures.retain(|_, (at, _)| *at + REMEMBERED > now);
        if let Some((_, error)) = state.failures.get(&name) {
            return Err(again(error));
        }
        if let Some(receiver) = state.in_flight.get(&name).cloned() {
            state.figures.shared += 1;
            return Ok((receiver, None));
        }
        if state.in_flight.len() >= IN_FLIGHT {
            return Err(FilesError::Busy);
        }
        let make = make()?;
        let (sender, receiver) = watch::channel(None);
        state.in_flight.insert(name.clone(), receiver.clone());
        Ok((receiver, Some((Flight { variants: self.clone(), name, sender }, make))))
    }

    /// Makes it in a task of its own: whoever asked may leave.
    fn begin<F>(&self, flight: Flight, make: F)
    where
        F: Future<Output = Result<(VariantFacts, Bytes), FilesError>> + Send + 'static,
    {
        self.0.lifecycle.spawn("files.variant", async move {
            // Another may have been faster between the look at the folder and this.
            let made = match flight.variants.stored(&flight.name).await {
                Some(variant) => {
                    flight.variants.state().figures.hits += 1;
                    Ok(variant)
                }
                None => flight.keep(make.await).await,
            };
            flight.ends(made);
        });
    }
}

/// A variant that is being made. However it ends, nobody waits for it then.
struct Flight {
    variants: Variants,
    name: String,
    sender: watch::Sender<Option<Outcome>>,
}

impl Flight {
    async fn keep(&self, made: Result<(VariantFacts, Bytes), FilesError>) -> Result<Variant, FilesError> {
        let (facts, bytes) = made?;
        self.variants.state().figures.made += 1;
        // One that cannot be kept is served all the same.
        if let Err(error) = self.variants.0.folder.write(&self.name, &facts, bytes.clone()).await {
            tracing::warn!(error = chain(&error), "files.variant_not_kept");
        }
        Ok(Variant { facts, bytes, etag: self.name.clone() })
    }

    fn ends(self, made: Result<Variant, FilesError>) {
        let outcome = made.map_err(Arc::new);
        if let Err(error) = &outcome {
            let mut state = self.variants.state();
            state.figures.failed += 1;
            if is_lasting(error) && state.failures.len() < FAILURES {
                let now = self.variants.0.clock.now();
                state.failures.insert(self.name.clone(), (now, error.clone()));
            }
        }
        self.sender.send_replace(Some(outcome));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.variants.state().in_flight.remove(&self.name);
    }
}

/// Whether the next request would fail in the same way.
fn is_lasting(error: &FilesError) -> bool {
    matches!(error, FilesError::Image(error) if !error.is_transient())
}

/// The same error for another who waits.
fn again(error: &FilesError) -> FilesError {
    match error {
        FilesError::Image(error) => FilesError::Image(error.clone()),
        FilesError::Damaged => FilesError::Damaged,
        FilesError::Quarantined => FilesError::Quarantined,
        FilesError::NotScanned => FilesError::NotScanned,
        FilesError::Busy => FilesError::Busy,
        other => {
            tracing::error!(error = chain(other), "files.variant_failed");
            FilesError::Busy
        }
    }
}
