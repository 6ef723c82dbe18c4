//! Files that a process was writing when it died.

use std::path::Path as FilePath;

use chrono::{DateTime, Utc};

use super::Storage;
use crate::{DeleteGuard, StorageError};

impl Storage {
    /// Deletes unfinished local writes below the folder `prefix` (empty: all) that nobody has touched since `before`; returns how many. The store's own
    /// listing does not show them. Elsewhere there are none that can be seen: parts that were never joined go by a rule of the bucket.
    pub async fn drop_unfinished(
        &self,
        prefix: &str,
        before: DateTime<Utc>,
        guard: &mut DeleteGuard,
    ) -> Result<u64, StorageError> {
        let Some(folder) = &self.folder else { return Ok(0) };
        guard.check().await?;
        let (mut folders, mut dropped) = (vec![folder.join(prefix)], 0);
        while let Some(folder) = folders.pop() {
            let mut entries = match tokio::fs::read_dir(&folder).await {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            while let Some(entry) = entries.next_entry().await? {
                let path = entry.path();
                if entry.file_type().await?.is_dir() {
                    folders.push(path);
                } else if is_unfinished(&path) && is_older(&path, before).await? {
                    match tokio::fs::remove_file(&path).await {
                        Ok(()) => dropped += 1,
                        // It was finished, or dropped, meanwhile.
                        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        Ok(dropped)
    }
}

/// `<name>#<number>`, as the local store names them. No key has a `#`: the store escapes it.
fn is_unfinished(path: &FilePath) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.rsplit_once('#').is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

async fn is_older(path: &FilePath, before: DateTime<Utc>) -> Result<bool, StorageError> {
    match tokio::fs::metadata(path).await {
        Ok(found) => Ok(DateTime::<Utc>::from(found.modified()?) < before),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
