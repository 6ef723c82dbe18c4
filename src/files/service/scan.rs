//! Which objects are scanned for viruses, and what becomes of those in which something is found.
//!
//! What waits is a state of its row, so nothing is forgotten: one process looks for it every few seconds. A scanner that is away leaves it waiting.

use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};

use super::Files;
use crate::{
    Bucket, Caller, FilesError, Object, ScanMode, ScanState, VersionId,
    access::may_make,
    events::ObjectQuarantined,
    metrics::{ScanOutcome, outcome_of},
    scan::{ScanError, Verdict},
    store,
};
use jobs::{By, Loops};
use platform::error::chain;
use storage::StorageError;

const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Objects of one look.
const MOST: i64 = 64;
/// Scans at the same time: clamd has a handful of threads.
const AT_ONCE: usize = 4;
/// For so long a content that was found clean is not scanned again: signatures become better.
const CLEAN_FOR: TimeDelta = TimeDelta::days(7);

impl Files {
    /// The state of a new object of this bucket.
    pub fn scan_of_new(&self, bucket: &Bucket) -> ScanState {
        match (&self.inner.scanner, self.scan_mode(bucket)) {
            (None, _) | (_, ScanMode::Off | ScanMode::Default) => ScanState::None,
            (Some(_), ScanMode::After | ScanMode::Before) => ScanState::Pending,
        }
    }

    /// When objects of this bucket are scanned.
    pub(crate) fn scan_mode(&self, bucket: &Bucket) -> ScanMode {
        if bucket.scan == ScanMode::Default { self.inner.config.scan } else { bucket.scan }
    }

    /// Err unless an object may be read as far as the scanner is concerned.
    pub fn readable(&self, bucket: &Bucket, object: &Object) -> Result<(), FilesError> {
        let before = self.inner.scanner.is_some() && self.scan_mode(bucket) == ScanMode::Before;
        match object.scan {
            ScanState::Infected => Err(FilesError::Quarantined),
            ScanState::Pending | ScanState::Unscanned if before => Err(FilesError::NotScanned),
            ScanState::None | ScanState::Pending | ScanState::Unscanned | ScanState::Clean => Ok(()),
        }
    }

    /// The content of an object in quarantine, whatever is in it: for administrators, to be kept as a file.
    pub fn open_quarantined(
        &self,
        who: &Caller,
        object: &Object,
    ) -> Result<BoxStream<'static, Result<Bytes, StorageError>>, FilesError> {
        may_make(who)?;
        tracing::warn!(version = %object.id, by = who.subject, "files.quarantined_opened");
        Ok(self.inner.blobs.open(object.org, &object.pieces, 0..object.size))
    }

    pub(crate) fn start_scanning(&self, loops: &Loops) {
        if self.inner.scanner.is_none() {
            return;
        }
        let files = self.clone();
        loops.every("files.scan", LOOK_EVERY, By::Leader, move || {
            let files = files.clone();
            async move {
                // What waits is done before the next look.
                while files.scan_waiting().await? {}
                Ok(())
            }
        });
    }

    /// Scans what waits for longest; true if there may be more that can be scanned now.
    pub(crate) async fn scan_waiting(&self) -> Result<bool, FilesError> {
        let mut tx = self.inner.db.system().await?;
        let ids = store::scans::waiting(&mut tx, MOST).await?;
        let objects = store::objects::by_ids(&mut tx, &ids).await?;
        drop(tx);
        let full = ids.len() >= usize::try_from(MOST).unwrap_or(usize::MAX);
        let scans = objects.into_iter().map(|object| {
            let files = self.clone();
            async move { files.scan_object(&object).await }
        });
        let done: Vec<Result<ScanState, FilesError>> = stream::iter(scans).buffer_unordered(AT_ONCE).collect().await;
        let mut all = true;
        for scanned in done {
            all &= scanned? != ScanState::Pending;
        }
        Ok(full && all)
    }

    /// Scans an object and notes what was found; `Pending` if the scanner gave no answer.
    async fn scan_object(&self, object: &Object) -> Result<ScanState, FilesError> {
        let Some(scanner) = &self.inner.scanner else { return Ok(ScanState::Pending) };
        let since = self.inner.clock.now() - CLEAN_FOR;
        let mut tx = self.inner.db.tenant(object.org).await?;
        let known = store::scans::known(&mut tx, object.id, since).await?;
        drop(tx);
        let found = match known {
            Some((state, note)) if state == ScanState::Infected.as_str() => Ok(Verdict::Infected(note)),
            Some(_) => Ok(Verdict::Clean),
            None => {
                let content = self.inner.blobs.open(object.org, &object.pieces, 0..object.size);
                scanner.scan(object.size, content).await
            }
        };
        let (state, note) = match found {
            Ok(Verdict::Clean) => (ScanState::Clean, String::new()),
            Ok(Verdict::Infected(found)) => (ScanState::Infected, found),
            Ok(Verdict::TooLarge) => (ScanState::Unscanned, "larger than the scanner takes".to_owned()),
            // A content that cannot be read is the scrub's finding. It would hold up those behind it.
            Err(error @ ScanError::Content(_)) => (ScanState::Unscanned, chain(&error)),
            Err(error) => {
                self.inner.metrics.scanned(object.id, ScanOutcome::Failed, &chain(&error));
                return Ok(ScanState::Pending);
            }
        };
        self.note_scan(object, state, &note).await?;
        Ok(state)
    }

    async fn note_scan(&self, object: &Object, state: ScanState, note: &str) -> Result<(), FilesError> {
        let mut tx = self.inner.db.tenant(object.org).await?;
        let mut noted: Vec<VersionId> = Vec::new();
        if state == ScanState::Infected {
            for one in store::scans::quarantine(&mut tx, object.org, object.id, note).await? {
                let event = ObjectQuarantined { bucket_id: one.bucket, version_id: one.id, found: note.to_owned() };
                events::publish(&mut tx, &self.inner.clock, Some(object.org), &event).await?;
                noted.push(one.id);
            }
        } else if store::scans::note(&mut tx, object.id, state, note).await? {
            noted.push(object.id);
        }
        tx.commit().await?;
        noted.into_iter().for_each(|version| self.inner.metrics.scanned(version, outcome_of(state), note));
        Ok(())
    }
}
