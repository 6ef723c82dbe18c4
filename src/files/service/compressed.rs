//! Texts that are sent compressed: made once for each content, and kept like variants.

use axum::http::{HeaderMap, HeaderValue, header};
use bytes::Bytes;

use super::Files;
use crate::{Bucket, FilesError, Object, Variant, VariantFacts, variants};
use async_compression::{
    Level,
    tokio::write::{BrotliEncoder, GzipEncoder},
};
use storage::StorageError;
use tokio::io::AsyncWriteExt as _;

/// Smaller ones gain nothing, larger ones are sent as they are.
const SIZES: std::ops::RangeInclusive<u64> = (1 << 10)..=(8 << 20);
/// Effort: a third of a second for a mebibyte.
const BROTLI: i32 = 7;

/// How a text is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// As `Accept-Encoding` and `Content-Encoding` name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The best that the client accepts; one that is named with `q=0` is refused.
    pub fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accept: Vec<&str> =
            headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).collect();
        let accept = accept.join(",");
        let is_named = |coding: &Self| {
            accept.split(',').any(|part| {
                let mut parts = part.split(';').map(str::trim);
                let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding.as_str()));
                let refused = |part: &str| {
                    part.strip_prefix("q=").is_some_and(|q| q.trim().parse::<f32>().is_ok_and(|q| q <= 0.0))
                };
                named && !parts.any(refused)
            })
        };
        [Self::Brotli, Self::Gzip].into_iter().find(is_named)
    }

    pub fn header(self) -> HeaderValue {
        HeaderValue::from_static(self.as_str())
    }
}

impl Files {
    /// The content compressed, with an etag of its own; `None`: it is no text, or would not become smaller.
    pub async fn compressed(
        &self,
        bucket: &Bucket,
        object: &Object,
        coding: Coding,
    ) -> Result<Option<Variant>, FilesError> {
        self.readable(bucket, object)?;
        if !is_text(&object.content_type) || !SIZES.contains(&object.size) || object.headers.content_encoding.is_some()
        {
            return Ok(None);
        }
        let make = || {
            let (files, object) = (self.clone(), object.clone());
            Ok(async move { files.compress(&object, coding).await })
        };
        let made = self.inner.variants.get(variants::name(object, coding.as_str()), make).await?;
        if made.facts.content_type.is_empty() {
            return Ok(None);
        }
        // An equal content may be declared otherwise elsewhere.
        let facts = VariantFacts { content_type: object.content_type.clone(), ..made.facts };
        let etag = format!("{}-{}", object.etag, coding.as_str());
        Ok(Some(Variant { facts, etag, bytes: made.bytes }))
    }

    async fn compress(&self, object: &Object, coding: Coding) -> Result<(VariantFacts, Bytes), FilesError> {
        let content = self.whole(object, *SIZES.end()).await?;
        let size = content.len();
        // A Vec is always ready: nothing waits on the thread.
        let work = move || futures::executor::block_on(written(&content, coding));
        let made = self.inner.cpu.run(work).await.map_err(StorageError::Work)?.map_err(StorageError::Folder)?;
        if made.len() >= size {
            // Remembered, so that it is not tried by each request.
            return Ok((VariantFacts::default(), Bytes::new()));
        }
        let facts = VariantFacts { content_type: object.content_type.clone(), ..VariantFacts::default() };
        Ok((facts, made.into()))
    }
}

async fn written(content: &[u8], coding: Coding) -> std::io::Result<Vec<u8>> {
    match coding {
        Coding::Brotli => {
            let mut encoder = BrotliEncoder::with_quality(Vec::new(), Level::Precise(BROTLI));
            encoder.write_all(content).await?;
            encoder.shutdown().await?;
            Ok(encoder.into_inner())
        }
        Coding::Gzip => {
            let mut encoder = GzipEncoder::with_quality(Vec::new(), Level::Precise(6));
            encoder.write_all(content).await?;
            encoder.shutdown().await?;
            Ok(encoder.into_inner())
        }
    }
}

/// Whether content of this type becomes much smaller.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = [
        "application/json",
        "application/javascript",
        "application/xml",
        "application/x-ndjson",
        "application/manifest+json",
        "application/wasm",
        "image/svg+xml",
    ];
    essence.starts_with("text/")
        || essence.ends_with("+json")
        || essence.ends_with("+xml")
        || known.contains(&essence.as_str())
}
