//! `holdfast storage rm`

use std::process::ExitCode;

use super::{bucket_of, in_words, listing::each_page, place::Place};
use crate::{app::App, cli::print_line};
use files::{Bucket, Caller, Conditions, FilesError, Key, ListEntry, Object};

pub(super) async fn rm(app: &App, place: &str, recursive: bool, purge: bool) -> anyhow::Result<ExitCode> {
    let place = Place::expect(place)?;
    let (who, bucket) = bucket_of(app, &place).await?;
    if !recursive {
        anyhow::ensure!(!place.key.is_empty(), "name a key, or use -r for all that is in the bucket");
        let key = Key::parse(place.key)?;
        let object = app.files.find(&who, &bucket, &key, None).await.map_err(in_words)?;
        remove(app, &who, &bucket, &object, purge).await?;
        print_line(&format!("deleted: {key}"));
        return Ok(ExitCode::SUCCESS);
    }
    // All are found before the first goes: pages of a list that is being emptied would pass over some.
    let mut objects: Vec<Box<Object>> = Vec::new();
    each_page(app, &who, &bucket, &place.key, "", |entries| {
        objects.extend(entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object(object) => Some(object),
            ListEntry::Prefix(_) => None,
        }));
    })
    .await?;
    for object in &objects {
        remove(app, &who, &bucket, object, purge).await?;
    }
    print_line(&format!("deleted: {} objects below {}", objects.len(), place.key));
    Ok(ExitCode::SUCCESS)
}

async fn remove(app: &App, who: &Caller, bucket: &Bucket, object: &Object, purge: bool) -> anyhow::Result<()> {
    // For good: this version, and not a marker above it.
    let version = purge.then(|| object.version());
    let deleted = app.files.delete(who, bucket, &object.key, version, &Conditions::default()).await;
    deleted.map_err(in_words)?;
    if !purge {
        return Ok(());
    }
    match app.files.purge(who, object.id).await {
        // A bucket without a trash.
        Ok(()) | Err(FilesError::VersionNotFound) => Ok(()),
        Err(error) => Err(in_words(error)),
    }
}
