//! Parts of uploads: stored as they come, and put together.

use std::{collections::HashMap, ops::Range};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;

use super::{Files, permit, write::compare};
use crate::{
    Bucket, Caller, Checksums, FilesError, Object, Operation, PartWant, Piece, Put, Upload, UploadKind, UploadPart,
    Verb, Want, content_etag, md5_etag, parts_etag,
    store::{self, parts::Part, uploads::Hold},
};
use platform::{
    crypto,
    db::{DbError, Tx, lock_until_commit},
    lifecycle::uncancelled,
};
use storage::{DigestKind, DigestSet};

/// Highest part number, and smallest part but the last: S3's.
const MOST_PARTS: i32 = 10_000;
const SMALLEST: u64 = 5 << 20;

/// The etag of a part of no bytes: it has no rows.
const EMPTY_MD5: &str = "d41d8cd98f00b204e9800998ecf8427e";

/// A content out of parts.
pub(super) struct Whole {
    pub size: u64,
    pub pieces: Vec<Piece>,
    /// Sizes of the parts.
    pub parts: Vec<i64>,
    pub etag: String,
    pub sha256: Option<[u8; 32]>,
    pub checksums: Checksums,
}

impl Files {
    /// Stores a part, durably. It replaces a part of the same number.
    pub async fn put_part<S, E>(
        &self,
        who: &Caller,
        upload: &Upload,
        number: i32,
        data: S,
        want: PartWant,
    ) -> Result<UploadPart, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        self.inner.metrics.seen(Operation::Part, self.take_part(who, upload, number, data, want)).await
    }

    async fn take_part<S, E>(
        &self,
        who: &Caller,
        upload: &Upload,
        number: i32,
        data: S,
        want: PartWant,
    ) -> Result<UploadPart, FilesError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::error::Error + Send + Sync + 'static,
    {
        check_number(number)?;
        let upload = self.upload_for(who, upload.id).await?;
        let bucket = self.bucket_by_id(who, upload.bucket).await?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        self.has_room(&mut tx, &bucket, want.length.unwrap_or(0), false).await?;
        drop(tx);
        let asked = wanted(&want).chain(upload.checksum).chain([DigestKind::Md5]);
        let limit = self.limit(&bucket, upload.claims.as_ref());
        let reading = Want { length: want.length, limit, digests: DigestSet::of(asked) };
        let put = self.inner.blobs.put(upload.org, data, &reading).await?;
        compare(&want.expect, &put.digests)?;
        let part = Part {
            number,
            pieces: Vec::new(),
            md5: put.digests.get(DigestKind::Md5).map(<[u8]>::to_vec),
            checksums: checksums(&upload, &want, &put),
            created_at: self.inner.clock.now(),
        };
        let files = self.clone();
        uncancelled(async move { files.keep_part(&upload, part, put).await }).await.map_err(DbError::from)?
    }

    async fn keep_part(&self, upload: &Upload, part: Part, mut put: Put) -> Result<UploadPart, FilesError> {
        match self.write_part(upload, part, &mut put).await {
            Ok(part) => {
                self.inner.metrics.stored(put.size, put.known_bytes());
                put.committed();
                Ok(part)
            }
            Err(error) if error.is_of_database() => {
                put.left();
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    async fn write_part(&self, upload: &Upload, mut part: Part, put: &mut Put) -> Result<UploadPart, FilesError> {
        let mut tx = self.part_tx(upload, part.number).await?;
        self.inner.blobs.keep(&mut tx, upload.org, put).await?;
        part.pieces.clone_from(&put.pieces);
        store::parts::put(&mut tx, upload, &part).await?;
        tx.commit().await?;
        Ok(shown(&part))
    }

    /// A transaction in which the upload cannot end, and nobody else writes this part.
    async fn part_tx(&self, upload: &Upload, number: i32) -> Result<Tx, FilesError> {
        let mut tx = self.inner.db.tenant(upload.org).await?;
        lock_until_commit(&mut tx, &format!("files part {} {number}", upload.id)).await?;
        match store::uploads::hold(&mut tx, upload.id, Hold::Shared).await? {
            Some(held) if held.ended_at.is_none() => Ok(tx),
            _ => Err(FilesError::UploadNotFound),
        }
    }

    /// A part with bytes of an object, which are not read but referred to. `range` lies within it.
    pub async fn copy_part(
        &self,
        who: &Caller,
        upload: &Upload,
        number: i32,
        from: (&Bucket, &Object),
        range: Option<Range<u64>>,
    ) -> Result<UploadPart, FilesError> {
        check_number(number)?;
        let upload = self.upload_for(who, upload.id).await?;
        let (bucket, source) = from;
        self.readable(bucket, source)?;
        let range = range.unwrap_or(0..source.size);
        if range.start > range.end || range.end > source.size {
            return Err(FilesError::Range { size: source.size });
        }
        // S3 names a part by its MD5, which is of other bytes than any that are known: they are read once.
        let content = self.open(who, source, Some(range.clone())).await?;
        let digests = DigestSet::of(upload.checksum.into_iter().chain([DigestKind::Md5]));
        let digested = self.inner.blobs.digested(content, &digests).await?;
        let mut tx = self.part_tx(&upload, number).await?;
        permit(&mut tx, who, bucket, Verb::Read, source.key.as_str()).await?;
        if !store::versions::hold(&mut tx, source.id).await? {
            return Err(FilesError::ObjectNotFound);
        }
        let found = store::objects::by_ids(&mut tx, &[source.id.0]).await?.pop().ok_or(FilesError::ObjectNotFound)?;
        let encode =
            |kind: DigestKind| digested.get(kind).map(|hash| (kind.as_str().to_owned(), STANDARD.encode(hash)));
        let part = Part {
            number,
            pieces: cut(&found.pieces, range),
            md5: digested.get(DigestKind::Md5).map(<[u8]>::to_vec),
            checksums: upload.checksum.and_then(encode).into_iter().collect(),
            created_at: self.inner.clock.now(),
        };
        store::parts::put(&mut tx, &upload, &part).await?;
        tx.commit().await?;
        Ok(shown(&part))
    }

    /// Parts that came, in order, behind number `after`: one more than `most` where there are more.
    pub async fn list_parts(
        &self,
        who: &Caller,
        upload: &Upload,
        after: i32,
        most: i32,
    ) -> Result<Vec<UploadPart>, FilesError> {
        self.upload_for(who, upload.id).await?;
        let mut tx = self.inner.db.tenant(who.org).await?;
        let found = store::parts::list(&mut tx, upload.id, after, most.saturating_add(1)).await?;
        drop(tx);
        Ok(found.iter().map(shown).collect())
    }
}

fn check_number(number: i32) -> Result<(), FilesError> {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    Err(FilesError::invalid("/part_number", "out_of_range", format!("parts have the numbers 1 to {MOST_PARTS}")))
}

fn shown(part: &Part) -> UploadPart {
    UploadPart {
        number: part.number,
        size: part.size(),
        etag: part.md5.as_deref().map(md5_etag).unwrap_or_default(),
        checksums: part.checksums.clone(),
        created_at: part.created_at,
    }
}

/// Hashes that the client of a part sent, or asked for.
fn wanted(want: &PartWant) -> impl Iterator<Item = DigestKind> {
    let is_wanted =
        move |kind: &DigestKind| want.digests.contains(*kind) || want.expect.0.iter().any(|(sent, _)| sent == kind);
    DigestKind::ALL.into_iter().filter(is_wanted)
}

/// What is kept of a part's hashes: those that its client sent or asked for, and that of the upload.
fn checksums(upload: &Upload, want: &PartWant, put: &Put) -> Checksums {
    let sent = wanted(want).filter(|kind| *kind != DigestKind::Md5);
    let hash = |kind: DigestKind| put.digests.get(kind).map(|hash| (kind.as_str().to_owned(), STANDARD.encode(hash)));
    sent.chain(upload.checksum).filter_map(hash).collect()
}

/// The pieces of a range of a content.
pub(super) fn cut(pieces: &[Piece], range: Range<u64>) -> Vec<Piece> {
    let (mut at, mut cut) = (0, Vec::new());
    for piece in pieces {
        let (begin, end) = (at, at + piece.size);
        at = end;
        let (from, to) = (range.start.max(begin), range.end.min(end));
        if from < to {
            cut.push(Piece { blob: piece.blob, offset: piece.offset + (from - begin), size: to - from });
        }
    }
    cut
}

/// Puts the parts of an upload together. Err where they are not those that the client says.
pub(super) async fn assembled(
    tx: &mut Tx,
    upload: &Upload,
    wanted: Option<&[(i32, String)]>,
) -> Result<Whole, FilesError> {
    let came = store::parts::list(tx, upload.id, 0, i32::MAX).await?;
    let parts = match wanted {
        Some(wanted) => chosen(came, wanted, upload.created_at)?,
        None => came,
    };
    if upload.kind == UploadKind::S3 {
        let (_, but_last) = parts.split_last().ok_or(FilesError::PartUnknown { number: 1 })?;
        if let Some(small) = but_last.iter().find(|part| part.size() < SMALLEST) {
            return Err(FilesError::PartTooSmall { number: small.number });
        }
    }
    let pieces: Vec<Piece> = parts.iter().flat_map(|part| part.pieces.iter().copied()).collect();
    let ids: Vec<_> = pieces.iter().map(|piece| piece.blob.0).collect();
    let hashes = store::blobs::hashes(tx, &ids).await?;
    let is_whole = store::blobs::is_whole(tx, &pieces).await?;
    let sha256 = match pieces.as_slice() {
        [] => Some(crypto::sha256("")),
        [only] if is_whole => hashes.get(&only.blob).and_then(|hash| hash.as_slice().try_into().ok()),
        _ => None,
    };
    let etag = match (upload.kind, sha256) {
        (UploadKind::S3, _) => {
            let md5s: Vec<u8> = parts.iter().flat_map(|part| part.md5.clone().unwrap_or_default()).collect();
            parts_etag(&DigestKind::Md5.of(&md5s), parts.len())
        }
        (_, Some(sha256)) => content_etag(&sha256),
        (_, None) => content_etag(&fingerprint(&pieces, &hashes)),
    };
    Ok(Whole {
        size: parts.iter().map(Part::size).sum(),
        parts: parts.iter().map(|part| i64::try_from(part.size()).unwrap_or(i64::MAX)).collect(),
        checksums: upload.checksum.map(|kind| whole_checksum(kind, upload.full_checksum, &parts)).unwrap_or_default(),
        pieces,
        etag,
        sha256,
    })
}

/// The parts that a client names, each with its etag, in ascending order.
fn chosen(came: Vec<Part>, wanted: &[(i32, String)], begun_at: DateTime<Utc>) -> Result<Vec<Part>, FilesError> {
    if wanted.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
        return Err(FilesError::PartOrder);
    }
    let mut by_number: HashMap<i32, Part> = came.into_iter().map(|part| (part.number, part)).collect();
    let mut parts = Vec::with_capacity(wanted.len());
    for (number, etag) in wanted {
        let empty = || Part {
            number: *number,
            pieces: Vec::new(),
            md5: Some(DigestKind::Md5.of(&[])),
            checksums: Checksums::new(),
            created_at: begun_at,
        };
        let part = by_number.remove(number).or_else(|| (etag == EMPTY_MD5).then(empty));
        let part = part.filter(|part| part.md5.as_deref().map(md5_etag).as_ref() == Some(etag));
        parts.push(part.ok_or(FilesError::PartUnknown { number: *number })?);
    }
    Ok(parts)
}

/// What stands for a content whose hash is not known: its pieces, each by the hash of its blob.
fn fingerprint(pieces: &[Piece], hashes: &HashMap<crate::BlobId, Vec<u8>>) -> [u8; 32] {
    let mut text = Vec::new();
    for piece in pieces {
        text.extend_from_slice(hashes.get(&piece.blob).map(Vec::as_slice).unwrap_or_default());
        text.extend_from_slice(&piece.offset.to_be_bytes());
        text.extend_from_slice(&piece.size.to_be_bytes());
    }
    crypto::sha256(text)
}

/// As S3 writes it: of all bytes, or of the parts' checksums one after the other, with their number. Empty where a part has none.
fn whole_checksum(kind: DigestKind, full: bool, parts: &[Part]) -> Checksums {
    let of_part = |part: &Part| {
        let hash = match part.checksums.get(kind.as_str()) {
            Some(text) => STANDARD.decode(text).ok()?,
            None if part.size() == 0 => kind.of(&[]),
            None => return None,
        };
        Some((hash, part.size()))
    };
    let Some(hashes) = parts.iter().map(of_part).collect::<Option<Vec<_>>>() else { return Checksums::new() };
    let (text, name) = if full {
        let Some(joined) = kind.joined(&hashes) else { return Checksums::new() };
        (STANDARD.encode(joined), "full")
    } else {
        let all: Vec<u8> = hashes.iter().flat_map(|(hash, _)| hash.iter().copied()).collect();
        (format!("{}-{}", STANDARD.encode(kind.of(&all)), parts.len()), "composite")
    };
    Checksums::from([(kind.as_str().to_owned(), text), ("type".to_owned(), name.to_owned())])
}
