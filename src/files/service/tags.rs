//! What is said of a version besides its content.

use super::{Files, permit};
use crate::{Caller, FilesError, Metadata, Object, ObjectChange, Tags, Verb, store};
use platform::{db::Tx, error::FieldError};

/// Most tags of an object, and characters of their names and values: S3's limits.
const MOST_TAGS: usize = 10;
const TAG_NAME: usize = 128;
const TAG_VALUE: usize = 256;
/// Most bytes of an object's metadata: S3 takes 2 KiB, and others more.
const METADATA_BYTES: usize = 16 << 10;

impl Files {
    /// Gives a version these tags instead of those that it has.
    pub async fn set_tags(&self, who: &Caller, object: &Object, tags: Tags) -> Result<Object, FilesError> {
        check_tags(&tags)?;
        let mut tx = self.for_describing(who, object).await?;
        let changed = Object { tags, ..self.held(&mut tx, object.id).await? };
        store::versions::set_description(&mut tx, &changed).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Changes content type, headers or metadata of a version. Its etag stays: it is of the content.
    pub async fn set_metadata(
        &self,
        who: &Caller,
        object: &Object,
        change: ObjectChange,
    ) -> Result<Object, FilesError> {
        let mut tx = self.for_describing(who, object).await?;
        let mut changed = self.held(&mut tx, object.id).await?;
        if let Some(metadata) = change.metadata {
            check_metadata(&metadata)?;
            changed.metadata = metadata;
        }
        if let Some(content_type) = change.content_type {
            changed.content_type = content_type;
        }
        if let Some(headers) = change.headers {
            changed.headers = headers;
        }
        store::versions::set_description(&mut tx, &changed).await?;
        tx.commit().await?;
        Ok(changed)
    }

    async fn for_describing(&self, who: &Caller, object: &Object) -> Result<Tx, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        let bucket = store::buckets::by_id(&mut tx, object.bucket).await?.ok_or(FilesError::BucketNotFound)?;
        permit(&mut tx, who, &bucket, Verb::Write, object.key.as_str()).await?;
        Ok(tx)
    }
}

/// Err unless an object may have these tags.
pub(super) fn check_tags(tags: &Tags) -> Result<(), FilesError> {
    let mut errors = Vec::new();
    if tags.len() > MOST_TAGS {
        errors.push(FieldError::new("/tags", "too_many", format!("at most {MOST_TAGS} tags")));
    }
    let fits = |text: &str, most: usize| text.chars().count() <= most && !text.contains('\0');
    if tags.iter().any(|(name, value)| name.is_empty() || !fits(name, TAG_NAME) || !fits(value, TAG_VALUE)) {
        let form = format!("names have 1 to {TAG_NAME} characters, values at most {TAG_VALUE}, none of them U+0000");
        errors.push(FieldError::new("/tags", "invalid", form));
    }
    if errors.is_empty() { Ok(()) } else { Err(FilesError::Invalid(errors)) }
}

/// Err unless an object may have this metadata.
pub(super) fn check_metadata(metadata: &Metadata) -> Result<(), FilesError> {
    let bytes: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > METADATA_BYTES {
        let text = format!("{bytes} bytes of metadata; at most {METADATA_BYTES}");
        return Err(FilesError::invalid("/metadata", "too_large", text));
    }
    if metadata.iter().any(|(name, value)| name.is_empty() || name.contains('\0') || value.contains('\0')) {
        return Err(FilesError::invalid("/metadata", "invalid", "names are not empty, and nothing contains U+0000"));
    }
    Ok(())
}
