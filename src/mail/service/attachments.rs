//! Files that mails are sent with. They are stored before their mail is written, so each is noted first: one that no mail takes is deleted again.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use chrono::TimeDelta;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    Mail,
    outbox::{MOST_BYTES, folder, week},
};
use crate::{Attachment, MailError, Owner, compose, store::files};
use platform::{
    crypto,
    error::{ApiError, FieldError},
    http::Principal,
    names::tidy,
};
use storage::{Object, SharedFiles};

/// How long a file waits for its mail.
const UNUSED: TimeDelta = TimeDelta::hours(1);
/// For how long it counts.
const DAY: TimeDelta = TimeDelta::days(1);
/// When a caller of the API may try again: the limit is over the last day, so some room is free sooner.
const RETRY_AFTER: Duration = Duration::from_hours(1);
/// Files that are deleted with one transaction.
const MOST_DROPPED: i64 = 1000;

/// Rooms whose files the API attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Documents of knowledge.
    Documents,
    /// Objects of buckets.
    Files,
}

/// What these rooms handed over.
#[derive(Default)]
pub(super) struct Sources {
    documents: OnceLock<Arc<dyn SharedFiles>>,
    files: OnceLock<Arc<dyn SharedFiles>>,
}

impl Sources {
    fn of(&self, source: Source) -> &OnceLock<Arc<dyn SharedFiles>> {
        match source {
            Source::Documents => &self.documents,
            Source::Files => &self.files,
        }
    }
}

/// A file to store, whose name, type and size are checked.
pub(super) struct NewFile {
    name: String,
    content_type: String,
    size: u64,
    content: FileContent,
}

/// Where its bytes are.
pub(super) enum FileContent {
    Bytes(Bytes),
    /// In the store, as a file of another room.
    Stored(Object),
}

impl NewFile {
    pub fn new(name: &str, content_type: &str, content: FileContent) -> Result<Self, MailError> {
        let name = tidy(name);
        let size = match &content {
            FileContent::Bytes(bytes) => bytes.len() as u64,
            FileContent::Stored(object) => object.size,
        };
        let mut errors = Vec::new();
        if name.is_empty() || name.chars().count() > 200 {
            errors.push(FieldError::new("/name", "invalid", "a file has a name of 1 to 200 characters"));
        }
        if !compose::is_content_type(content_type) {
            errors.push(FieldError::new("/content_type", "invalid", "expected a media type such as application/pdf"));
        }
        if size > MOST_BYTES {
            errors.push(FieldError::new("/content", "too_large", format!("at most {MOST_BYTES} bytes")));
        }
        if errors.is_empty() {
            Ok(Self { name, content_type: content_type.to_owned(), size, content })
        } else {
            Err(MailError::Invalid(errors))
        }
    }

    /// As it will be, for what is checked before it is stored.
    pub fn planned(&self, owner: Owner) -> Attachment {
        self.stored_at(folder(owner))
    }

    fn stored_at(&self, object: String) -> Attachment {
        Attachment { name: self.name.clone(), content_type: self.content_type.clone(), size: self.size, object }
    }
}

impl Mail {
    /// Lets the API attach files of another room, which the caller may read there. The first call for each counts.
    pub fn attaches_from(&self, source: Source, files: Arc<dyn SharedFiles>) {
        let _ = self.inner.shared_files.of(source).set(files);
    }

    /// A file of another room that the caller may read, to be sent under this name and as this type; `None`: its own.
    pub(super) async fn open_shared(
        &self,
        who: &Principal,
        source: Source,
        (folder, file): (&str, &str),
        name: Option<&str>,
        content_type: Option<&str>,
    ) -> Result<NewFile, MailError> {
        let opened = match self.inner.shared_files.of(source).get() {
            Some(files) => files.open(who, folder, file).await.map_err(refused)?,
            None => None,
        };
        let Some(file) = opened else {
            let (field, why) = match source {
                Source::Documents => ("/document", "this organisation has no such document in that knowledge base"),
                Source::Files => ("/key", "this organisation has no such object in that bucket"),
            };
            return Err(MailError::invalid(field, "not_found", why));
        };
        let (name, content_type) = (name.unwrap_or(&file.name), content_type.unwrap_or(&file.content_type));
        NewFile::new(name, content_type, FileContent::Stored(file.object))
    }

    /// Stores a file for mails that are written within an hour; what no mail has by then is deleted.
    pub async fn keep_attachment(
        &self,
        owner: Owner,
        name: &str,
        content_type: &str,
        content: Bytes,
    ) -> Result<Attachment, MailError> {
        self.store_file(owner, NewFile::new(name, content_type, FileContent::Bytes(content))?).await
    }

    pub(super) async fn store_file(&self, owner: Owner, file: NewFile) -> Result<Attachment, MailError> {
        let now = self.inner.clock.now();
        let object = format!("{}{}/{}", folder(owner), week(now), Uuid::from_bytes(crypto::random_bytes()));
        let stored = file.stored_at(object);
        let size = i64::try_from(stored.size).unwrap_or(i64::MAX);
        let mut tx = self.begin(owner).await?;
        if let Owner::Org(org) = owner {
            let most = self.inner.config.attachment_mib_per_org_per_day << 20;
            if files::stored_since(&mut tx, org, now - DAY).await?.saturating_add(size) > most {
                return Err(MailError::Limited("with so many bytes of attachments in a day", RETRY_AFTER));
            }
        }
        files::insert(&mut tx, owner.org(), &stored.object, size, now).await?;
        tx.commit().await?;
        match file.content {
            FileContent::Bytes(bytes) => self.inner.objects.put(&stored.object, bytes).await?,
            // A copy: what becomes of the other room's file is nothing to the mail.
            FileContent::Stored(object) => {
                self.inner.objects.put_stream(&stored.object, object.stream, stored.size).await.map(drop)?;
            }
        }
        Ok(stored)
    }

    /// Notes that a mail has these files, in the transaction that writes it.
    pub(super) async fn take_files(
        &self,
        conn: &mut PgConnection,
        attachments: &[Attachment],
    ) -> Result<(), MailError> {
        let objects: BTreeSet<String> = attachments.iter().map(|attachment| attachment.object.clone()).collect();
        let objects: Vec<String> = objects.into_iter().collect();
        if objects.is_empty() || files::take(conn, &objects).await? == objects.len() as u64 {
            return Ok(());
        }
        Err(MailError::invalid("/attachments", "gone", "a file was stored too long ago: store it again"))
    }

    /// Deletes files that no mail has taken; returns how many. Err while a backup is made.
    pub async fn drop_unused(&self) -> Result<usize, MailError> {
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        files::forget(&mut tx, now - DAY).await?;
        tx.commit().await?;
        let mut dropped = 0;
        loop {
            let mut tx = self.system().await?;
            let unused = files::remove_unused(&mut tx, now - UNUSED, MOST_DROPPED).await?;
            if unused.is_empty() {
                return Ok(dropped);
            }
            let mut guard = self.inner.deletions.permit().await?;
            for object in &unused {
                self.inner.objects.delete(object, &mut guard).await?;
            }
            tx.commit().await?;
            dropped += unused.len();
        }
    }
}

fn refused(error: ApiError) -> MailError {
    MailError::Refused(Box::new(error))
}
