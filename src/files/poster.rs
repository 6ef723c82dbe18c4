//! Posters of objects: the content is put into a file for a program that must be able to seek, and the picture is kept like a variant.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::{Caller, Files, FilesError, Object, VariantFacts, variants};
use images::{ImageError, Kind, Limit, Poster, Posters};
use platform::crypto;
use storage::StorageError;

/// The picture of a PDF or a video; [`ImageError::Format`]: there is no program for it here.
pub(crate) async fn make(files: &Files, object: &Object, poster: Poster) -> Result<Bytes, FilesError> {
    if !Posters::find().can(poster) {
        return Err(ImageError::Format.into());
    }
    if object.size > poster.most() {
        return Err(ImageError::Refused { limit: Limit::InputBytes, most: poster.most() }.into());
    }
    let make = || {
        let (files, object) = (files.clone(), object.clone());
        Ok(async move { new(&files, &object, poster).await })
    };
    Ok(files.inner.variants.get(variants::name(object, "poster"), make).await?.bytes)
}

async fn new(files: &Files, object: &Object, poster: Poster) -> Result<(VariantFacts, Bytes), FilesError> {
    // Beside the variants, under a name by which a file that was left behind is known.
    let folder = files.inner.variants.folder().join("po");
    tokio::fs::create_dir_all(&folder).await.map_err(StorageError::Folder)?;
    let file = Temporary(folder.join(format!("new-{}", crypto::hex(&crypto::random_bytes::<16>()))));
    copy(files, object, &file.0).await?;
    let picture = Posters::find().make(poster, &file.0).await?;
    let kind = Kind::of(&picture).ok_or(ImageError::Malformed)?;
    let facts = VariantFacts { content_type: kind.media_type().to_owned(), frames: 1, ..VariantFacts::default() };
    Ok((facts, picture))
}

async fn copy(files: &Files, object: &Object, to: &Path) -> Result<(), FilesError> {
    let mut file = tokio::fs::File::create_new(to).await.map_err(StorageError::Folder)?;
    let mut content = files.open(&Caller::worker(object.org), object, None).await?;
    while let Some(part) = content.next().await {
        file.write_all(&part?).await.map_err(StorageError::Folder)?;
    }
    file.flush().await.map_err(StorageError::Folder)?;
    Ok(())
}

/// A file that is deleted when it is no longer needed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
