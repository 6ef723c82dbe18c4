//! The files of a restore: objects, participants, the embedding model.

use std::{collections::BTreeSet, path::Path};

use futures::{StreamExt as _, TryStreamExt as _};

use super::Restore;
use crate::{
    BackupError,
    manifest::Tree,
    progress::{ProgressRange, ProgressReporter},
    spool::Spool,
    tree::{self, Restored},
};
use platform::crypto;
use storage::{Participant, Storage};

impl Restore {
    /// Decrypts and hashes `count` random objects. Returns how many there were to check. The index is spooled below `work_dir`.
    pub(crate) async fn sample_objects(&self, count: usize, work_dir: &Path) -> Result<usize, BackupError> {
        let all = usize::try_from(self.manifest.objects.files).unwrap_or(usize::MAX);
        let mut chosen = BTreeSet::new();
        while chosen.len() < count.min(all) {
            chosen.insert(crypto::random_below(all));
        }
        let spool = Spool::make(work_dir)?;
        let files = self.reader.files(&self.manifest.objects, &spool).await?.enumerate();
        let mut files = std::pin::pin!(files);
        while let Some((at, file)) = files.next().await {
            let file = file?;
            if chosen.contains(&at) {
                self.reader.check(&file.blob).await?;
            }
        }
        Ok(chosen.len())
    }

    /// Restores the objects that are missing or differ. The index is spooled below `work_dir`.
    pub async fn objects(
        &self,
        to: &Storage,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Restored, BackupError> {
        self.tree(("objects", &self.manifest.objects), to, work_dir, (ProgressRange::WHOLE, progress)).await
    }

    /// Restores the files of a participant likewise; `None` if it has none in this backup.
    pub async fn participant(
        &self,
        participant: &dyn Participant,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Option<Restored>, BackupError> {
        let name = participant.name();
        let Some(part) = self.manifest.participants.get(name) else { return Ok(None) };
        let to = participant.target().await.map_err(BackupError::of(name))?;
        let restored = self.tree((name, &part.tree), &to, work_dir, (ProgressRange::WHOLE, progress)).await?;
        if restored.damaged == 0 {
            participant.restored(&part.state).await.map_err(BackupError::of(name))?;
        }
        Ok(Some(restored))
    }

    /// Restores the embedding model's files likewise; `None` if the backup has none.
    pub async fn model(
        &self,
        to: &Storage,
        work_dir: &Path,
        progress: &ProgressReporter,
    ) -> Result<Option<Restored>, BackupError> {
        let Some(tree) = &self.manifest.model else { return Ok(None) };
        self.tree(("embedding model", tree), to, work_dir, (ProgressRange::WHOLE, progress)).await.map(Some)
    }

    /// Decrypts and hashes every file of the embedding model. Returns how many there are.
    pub(crate) async fn check_model(&self, work_dir: &Path) -> Result<u64, BackupError> {
        let Some(tree) = &self.manifest.model else { return Ok(0) };
        let spool = Spool::make(work_dir)?;
        let mut files = std::pin::pin!(self.reader.files(tree, &spool).await?);
        while let Some(file) = files.try_next().await? {
            self.reader.check(&file.blob).await?;
        }
        Ok(tree.files)
    }

    pub(crate) async fn tree(
        &self,
        (name, tree): (&str, &Tree),
        to: &Storage,
        work_dir: &Path,
        (range, progress): (ProgressRange, &ProgressReporter),
    ) -> Result<Restored, BackupError> {
        progress.report(range.0, name);
        let spool = Spool::make(work_dir)?;
        let (files, all) = (self.reader.files(tree, &spool).await?, tree.files);
        let on_file = |done| progress.report(range.at(done, all), &format!("{name}, {done} of {all}"));
        tree::restore(&self.reader, files, to, on_file).await
    }
}
