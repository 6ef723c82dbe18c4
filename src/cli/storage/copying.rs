//! `holdfast storage cp`

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use tokio::{
    fs::{self, File},
    io::{AsyncWrite, AsyncWriteExt as _},
};
use tokio_util::io::ReaderStream;

use super::{
    bucket_of, in_words,
    listing::each_page,
    place::{Place, Side, path_of},
};
use crate::{
    app::App,
    cli::{eprint_line, print_line},
};
use files::{Bucket, Caller, CopyObject, Key, ListEntry, NewObject, Object};

/// Bytes that are read at a time.
const CHUNK: usize = 256 << 10;

pub(super) async fn cp(app: &App, from: &str, to: &str, recursive: bool) -> anyhow::Result<ExitCode> {
    match (Side::parse(from), Side::parse(to)) {
        (Side::Local(path), Side::Stored(place)) if recursive => upload_folder(app, &path, &place).await,
        (Side::Local(path), Side::Stored(place)) => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let file = File::open(&path).await.with_context(|| format!("cannot open {}", path.display()))?;
            anyhow::ensure!(file.metadata().await?.is_file(), "{} is a folder: use -r", path.display());
            let (who, bucket) = bucket_of(app, &place).await?;
            upload_file(app, &who, &bucket, &target(&place, &name)?, file).await
        }
        (Side::Stream, Side::Stored(place)) => {
            anyhow::ensure!(!place.is_folder(), "standard input needs a whole key, such as {to}name");
            let (who, bucket) = bucket_of(app, &place).await?;
            let data = ReaderStream::with_capacity(tokio::io::stdin(), CHUNK);
            put(app, &who, &bucket, &place.key, data, None).await
        }
        (Side::Stored(place), Side::Local(path)) if recursive => download_folder(app, &place, &path).await,
        (Side::Stored(place), Side::Local(path)) => {
            let (who, bucket, object) = find(app, &place).await?;
            let path = if path.is_dir() { path.join(own_name(&object)?) } else { path };
            download(app, &who, &bucket, &object, &path).await?;
            print_line(&format!("{} -> {}", object.key, path.display()));
            Ok(())
        }
        (Side::Stored(place), Side::Stream) => {
            let (who, bucket, object) = find(app, &place).await?;
            write(app, &who, &bucket, &object, &mut tokio::io::stdout()).await
        }
        (Side::Stored(from), Side::Stored(to)) if recursive => copy_folder(app, &from, &to).await,
        (Side::Stored(from), Side::Stored(to)) => {
            let (who, bucket, object) = find(app, &from).await?;
            let (whose, target_bucket) = bucket_of(app, &to).await?;
            let key = target(&to, own_name(&object)?)?;
            copy(app, (&who, &bucket, &object), (&whose, &target_bucket, &key)).await
        }
        (Side::Local(_) | Side::Stream, Side::Local(_) | Side::Stream) => {
            anyhow::bail!("one side must be ORG:BUCKET/KEY; a path with a colon is written with ./ before it")
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The key of a file of this name at a place.
fn target(place: &Place, name: &str) -> anyhow::Result<String> {
    anyhow::ensure!(!place.is_folder() || !name.is_empty(), "name the key");
    Ok(if place.is_folder() { format!("{}{name}", place.key) } else { place.key.clone() })
}

/// What an object's file is called here.
fn own_name(object: &Object) -> anyhow::Result<&str> {
    let name = object.key.file_name();
    anyhow::ensure!(path_of(name).is_some(), "{} cannot be the name of a file: name one", object.key);
    Ok(name)
}

async fn find(app: &App, place: &Place) -> anyhow::Result<(Caller, Bucket, Object)> {
    let (who, bucket) = bucket_of(app, place).await?;
    let key = Key::parse(place.key.clone())?;
    let object = app.files.find(&who, &bucket, &key, None).await.map_err(in_words)?;
    Ok((who, bucket, object))
}

async fn upload_file(app: &App, who: &Caller, bucket: &Bucket, key: &str, file: File) -> anyhow::Result<()> {
    let length = file.metadata().await?.len();
    put(app, who, bucket, key, ReaderStream::with_capacity(file, CHUNK), Some(length)).await
}

async fn put<S>(app: &App, who: &Caller, bucket: &Bucket, key: &str, data: S, length: Option<u64>) -> anyhow::Result<()>
where
    S: Stream<Item = io::Result<Bytes>> + Send,
{
    let new = NewObject { length, ..NewObject::default() };
    app.files.put(who, bucket, Key::parse(key)?, data, new).await.map_err(in_words)?;
    print_line(&format!("{}/{key}", bucket.name));
    Ok(())
}

/// All files below a folder; what is no file (a socket, a link to a folder) is told and left out.
async fn upload_folder(app: &App, folder: &Path, place: &Place) -> anyhow::Result<()> {
    anyhow::ensure!(folder.is_dir(), "{} is no folder", folder.display());
    let (who, bucket) = bucket_of(app, place).await?;
    let mut waiting = vec![(folder.to_owned(), place.key.clone())];
    while let Some((folder, prefix)) = waiting.pop() {
        let mut entries = fs::read_dir(&folder).await.with_context(|| format!("cannot read {}", folder.display()))?;
        while let Some(entry) = entries.next_entry().await? {
            let (path, kind) = (entry.path(), entry.file_type().await?);
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                eprint_line(&format!("left out, its name is no UTF-8: {}", path.display()));
                continue;
            };
            let prefix = if prefix.is_empty() || prefix.ends_with('/') { prefix.clone() } else { format!("{prefix}/") };
            if kind.is_dir() {
                waiting.push((path, format!("{prefix}{name}/")));
            } else if kind.is_file() {
                let file = File::open(&path).await.with_context(|| format!("cannot open {}", path.display()))?;
                upload_file(app, &who, &bucket, &format!("{prefix}{name}"), file).await?;
            } else {
                eprint_line(&format!("left out, it is no file: {}", path.display()));
            }
        }
    }
    Ok(())
}

async fn download_folder(app: &App, place: &Place, folder: &Path) -> anyhow::Result<()> {
    let (who, bucket, objects) = below(app, place).await?;
    for object in &objects {
        let rest = behind(place, object);
        match path_of(rest) {
            Some(path) => {
                let path = folder.join(path);
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent).await?;
                }
                download(app, &who, &bucket, object, &path).await?;
                print_line(&format!("{} -> {}", object.key, path.display()));
            }
            // Folders of S3's tools are empty objects.
            None if rest.is_empty() || (rest.ends_with('/') && object.size == 0) => {}
            None => eprint_line(&format!("left out, it cannot be the name of a file: {}", object.key)),
        }
    }
    Ok(())
}

/// What is behind the place in the key of an object below it.
fn behind<'a>(place: &Place, object: &'a Object) -> &'a str {
    let rest = object.key.as_str().strip_prefix(place.key.as_str()).unwrap_or_default();
    rest.strip_prefix('/').filter(|_| !place.is_folder()).unwrap_or(rest)
}

async fn below(app: &App, place: &Place) -> anyhow::Result<(Caller, Bucket, Vec<Box<Object>>)> {
    let (who, bucket) = bucket_of(app, place).await?;
    let prefix = if place.is_folder() { place.key.clone() } else { format!("{}/", place.key) };
    let mut objects = Vec::new();
    each_page(app, &who, &bucket, &prefix, "", |entries| {
        objects.extend(entries.into_iter().filter_map(|entry| match entry {
            ListEntry::Object(object) => Some(object),
            ListEntry::Prefix(_) => None,
        }));
    })
    .await?;
    anyhow::ensure!(!objects.is_empty(), "there is nothing below {prefix}");
    Ok((who, bucket, objects))
}

/// Beside its place and then renamed: a file that is cut off is never taken for the whole.
async fn download(app: &App, who: &Caller, bucket: &Bucket, object: &Object, path: &Path) -> anyhow::Result<()> {
    let unfinished = PathBuf::from(format!("{}.part", path.display()));
    let written = async {
        let mut file =
            File::create(&unfinished).await.with_context(|| format!("cannot write {}", unfinished.display()))?;
        write(app, who, bucket, object, &mut file).await?;
        file.sync_all().await?;
        Ok::<_, anyhow::Error>(fs::rename(&unfinished, path).await?)
    };
    let result = written.await;
    if result.is_err() {
        // Its own error is the one to tell.
        let _ = fs::remove_file(&unfinished).await;
    }
    result
}

async fn write(
    app: &App,
    who: &Caller,
    bucket: &Bucket,
    object: &Object,
    to: &mut (impl AsyncWrite + Unpin),
) -> anyhow::Result<()> {
    app.files.readable(bucket, object).map_err(in_words)?;
    let mut content = app.files.open(who, object, None).await.map_err(in_words)?;
    let mut bytes = 0;
    while let Some(part) = content.try_next().await? {
        bytes += part.len() as u64;
        to.write_all(&part).await?;
    }
    to.flush().await?;
    anyhow::ensure!(bytes == object.size, "{} is damaged: {bytes} bytes came instead of {}", object.key, object.size);
    Ok(())
}

async fn copy_folder(app: &App, from: &Place, to: &Place) -> anyhow::Result<()> {
    let (who, bucket, objects) = below(app, from).await?;
    let (whose, target_bucket) = bucket_of(app, to).await?;
    let folder = if to.is_folder() { to.key.clone() } else { format!("{}/", to.key) };
    for object in &objects {
        let key = format!("{folder}{}", behind(from, object));
        copy(app, (&who, &bucket, object), (&whose, &target_bucket, &key)).await?;
    }
    Ok(())
}

/// Within an organisation nothing but rows; to another one the content is written again.
async fn copy(
    app: &App,
    (who, bucket, object): (&Caller, &Bucket, &Object),
    (whose, target, key): (&Caller, &Bucket, &str),
) -> anyhow::Result<()> {
    if who.org == whose.org {
        let to = (target, Key::parse(key)?);
        app.files.copy(who, (bucket, object), to, CopyObject::default()).await.map_err(in_words)?;
    } else {
        let content = app.files.open(who, object, None).await.map_err(in_words)?;
        let new = NewObject {
            length: Some(object.size),
            content_type: Some(object.content_type.clone()),
            headers: object.headers.clone(),
            metadata: object.metadata.clone(),
            tags: object.tags.clone(),
            ..NewObject::default()
        };
        app.files.put(whose, target, Key::parse(key)?, content, new).await.map_err(in_words)?;
    }
    print_line(&format!("{} -> {}/{key}", object.key, target.name));
    Ok(())
}
