//! How small the images of a bucket could be: a job that makes many of them smaller, and throws the results away. It changes nothing.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Files, permit};
use crate::{Bucket, BucketId, Caller, FilesError, Object, Verb, jobs::QUEUE, store};
use images::{ImageError, Kind, Order, Want};
use jobs::{Enqueue, Job, JobContext, JobError, Registry};
use platform::ids::OrgId;

/// Images that are made smaller: the largest, which have most of the bytes, and others.
const LARGEST: i64 = 1000;
const OTHERS: i64 = 1000;
/// Quality at which hardly anybody sees a difference.
const QUALITY: u8 = 80;
/// Rows that are read at a time.
const PAGE: usize = 100;
/// Longest wait for a moment without requests, before each image.
const QUIET: Duration = Duration::from_secs(2);
/// Waits for a child, where too many others wait.
const BUSY: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// Images of a bucket, or of one format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageCounts {
    pub images: i64,
    pub bytes: i64,
    /// As WebP of quality 80, where that is smaller: estimated where not all were tried.
    pub would_be: i64,
}

/// How small the images of a bucket could be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageReport {
    pub all: ImageCounts,
    /// Images that were tried: all, or the largest and a sample of the others.
    pub sampled: i64,
    /// Of those, images that could not be read.
    pub unread: i64,
    /// By media type of the images.
    pub by_format: BTreeMap<String, ImageCounts>,
}

/// The last report of a bucket.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LastImageReport {
    pub started_at: DateTime<Utc>,
    /// null: it is being made, and `report` is the one before.
    pub ended_at: Option<DateTime<Utc>>,
    pub report: Option<ImageReport>,
}

/// Makes a report.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReportImages {
    bucket: BucketId,
}

impl Job for ReportImages {
    const KIND: &'static str = "files.report";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    /// Two thousand images, of which each may take the ten seconds of a child.
    const TIMEOUT: Duration = Duration::from_hours(6);
}

/// Registers what runs the job.
pub(crate) fn register(registry: &mut Registry, files: &Files) {
    let files = files.clone();
    registry.register::<ReportImages, _, _>(move |context, job| {
        let files = files.clone();
        async move { files.make_report(&context, job.bucket).await }
    });
}

/// What came of the images of one format.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    images: i64,
    bytes: i64,
    would_be: i64,
}

impl Tried {
    fn add(&mut self, bytes: i64, would_be: i64) {
        self.images += 1;
        self.bytes += bytes;
        self.would_be += would_be;
    }
}

/// What came of the largest images, and of the others.
#[derive(Debug, Default)]
struct Sample {
    largest: BTreeMap<String, Tried>,
    others: BTreeMap<String, Tried>,
    unread: i64,
}

impl Files {
    /// Starts a report, unless one is being made.
    pub async fn start_image_report(&self, who: &Caller, bucket: &Bucket) -> Result<(), FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::Admin, "").await?;
        store::reports::begin(&mut tx, bucket.org, bucket.id, self.inner.clock.now()).await?;
        let unique = Enqueue { unique_key: Some(bucket.id.to_string()), priority: -5, ..Enqueue::default() };
        let job = ReportImages { bucket: bucket.id };
        jobs::enqueue(&mut tx, &self.inner.clock, Some(bucket.org), &job, &unique).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The last report of the bucket.
    pub async fn image_report(&self, who: &Caller, bucket: &Bucket) -> Result<Option<LastImageReport>, FilesError> {
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, Verb::List, "").await?;
        let last = store::reports::last(&mut tx, bucket.id).await?;
        drop(tx);
        let Some((started_at, ended_at, report)) = last else { return Ok(None) };
        Ok(Some(LastImageReport { started_at, ended_at, report: report.map(serde_json::from_value).transpose()? }))
    }

    async fn make_report(&self, context: &JobContext, bucket: BucketId) -> Result<(), JobError> {
        let org =
            context.org_id.ok_or_else(|| JobError::Permanent(anyhow::anyhow!("a report needs an organisation")))?;
        let report = self.report(context, org, bucket).await.map_err(JobError::retry)?;
        let report = serde_json::to_value(&report).map_err(JobError::permanent)?;
        let mut tx = self.inner.db.tenant(org).await.map_err(JobError::retry)?;
        // A bucket that was deleted meanwhile has no row, and needs none.
        store::reports::end(&mut tx, bucket, &report, self.inner.clock.now()).await.map_err(JobError::retry)?;
        tx.commit().await.map_err(JobError::retry)?;
        Ok(())
    }

    async fn report(&self, context: &JobContext, org: OrgId, bucket: BucketId) -> Result<ImageReport, FilesError> {
        let most = i64::try_from(self.image_limits().input_bytes).unwrap_or(i64::MAX);
        let mut tx = self.inner.db.tenant(org).await?;
        let counts = store::reports::count(&mut tx, bucket, most).await?;
        let (largest, others) = store::reports::sample(&mut tx, bucket, most, (LARGEST, OTHERS)).await?;
        drop(tx);
        let all = largest.len() + others.len();
        let (mut sample, mut done) = (Sample::default(), 0);
        for (ids, is_largest) in [(largest, true), (others, false)] {
            for page in ids.chunks(PAGE) {
                for object in self.page(org, page).await? {
                    if context.cancel.is_cancelled() {
                        return Err(FilesError::Busy);
                    }
                    self.try_one(&object, is_largest, &mut sample).await?;
                    done += 1;
                    context.progress(u8::try_from(done * 100 / all.max(1)).unwrap_or(100), "");
                }
            }
        }
        Ok(estimate(&counts, &sample))
    }

    async fn page(&self, org: OrgId, ids: &[Uuid]) -> Result<Vec<Object>, FilesError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let objects = store::objects::by_ids(&mut tx, ids).await?;
        drop(tx);
        Ok(objects)
    }

    async fn try_one(&self, object: &Object, is_largest: bool, sample: &mut Sample) -> Result<(), FilesError> {
        // Whoever waits for an image goes first.
        self.inner.traffic.quiet(QUIET).await;
        let bytes = i64::try_from(object.size).unwrap_or(i64::MAX);
        let made = match self.smaller(object).await {
            Ok(made) => made,
            // Its content is damaged, or it was deleted meanwhile: that is for others to say.
            Err(FilesError::Image(error)) if error.is_transient() => return Err(error.into()),
            Err(FilesError::Image(_) | FilesError::Damaged | FilesError::Quarantined) => {
                sample.unread += 1;
                bytes
            }
            Err(error) => return Err(error),
        };
        let of = if is_largest { &mut sample.largest } else { &mut sample.others };
        of.entry(object.sniffed.clone()).or_default().add(bytes, made.min(bytes));
        Ok(())
    }

    /// Its size as it could be.
    async fn smaller(&self, object: &Object) -> Result<i64, FilesError> {
        let limits = self.image_limits();
        let source = self.whole(object, limits.input_bytes).await?;
        let kind = Kind::of(&source).ok_or(ImageError::Format)?;
        let order = Order { want: Want::Reencode { quality: QUALITY }, limits, source: kind };
        let mut made = self.inner.images.run(&order, source.clone()).await;
        // Where others fill the children, it waits and tries again.
        for wait in BUSY {
            if made != Err(ImageError::Busy) {
                break;
            }
            tokio::time::sleep(wait).await;
            made = self.inner.images.run(&order, source.clone()).await;
        }
        Ok(i64::try_from(made?.bytes.len()).unwrap_or(i64::MAX))
    }
}

/// The largest count as they are; of the others, all shrink as those that were tried.
fn estimate(counts: &[store::reports::OfType], sample: &Sample) -> ImageReport {
    let mut report = ImageReport { unread: sample.unread, ..ImageReport::default() };
    for of in counts {
        let tried = |of_sample: &BTreeMap<String, Tried>| of_sample.get(&of.media_type).copied().unwrap_or_default();
        let (largest, others) = (tried(&sample.largest), tried(&sample.others));
        let rest = (of.bytes - largest.bytes).max(0);
        // Without a sample of the rest, they stay as large as they are.
        let shrunk = match others.bytes {
            0 => rest,
            bytes => i64::try_from(i128::from(rest) * i128::from(others.would_be) / i128::from(bytes)).unwrap_or(rest),
        };
        let counts = ImageCounts { images: of.images, bytes: of.bytes, would_be: largest.would_be + shrunk };
        report.sampled += largest.images + others.images;
        report.all.images += counts.images;
        report.all.bytes += counts.bytes;
        report.all.would_be += counts.would_be;
        report.by_format.insert(of.media_type.clone(), counts);
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_tried_shrinks_as_the_sample_did() {
        let jpeg = "image/jpeg".to_owned();
        let tried = |images, bytes, would_be| BTreeMap::from([(jpeg.clone(), Tried { images, bytes, would_be })]);
        let counts = [
            store::reports::OfType { media_type: jpeg.clone(), images: 100, bytes: 10_000 },
            store::reports::OfType { media_type: "image/png".to_owned(), images: 2, bytes: 500 },
        ];
        let sample = Sample { largest: tried(10, 6000, 1500), others: tried(20, 1000, 250), unread: 1 };
        let report = estimate(&counts, &sample);
        // 6000 become 1500, and the other 4000 a quarter; nothing is known of PNG.
        assert_eq!(report.by_format[&jpeg], ImageCounts { images: 100, bytes: 10_000, would_be: 2500 });
        assert_eq!(report.by_format["image/png"], ImageCounts { images: 2, bytes: 500, would_be: 500 });
        assert_eq!(report.all, ImageCounts { images: 102, bytes: 10_500, would_be: 3000 });
        assert_eq!((report.sampled, report.unread), (30, 1));
        // Without any of the others: all were among the largest.
        let sample = Sample { largest: tried(100, 10_000, 4000), ..Sample::default() };
        assert_eq!(estimate(&counts[..1], &sample).all.would_be, 4000);
        assert_eq!(estimate(&[], &Sample::default()), ImageReport::default());
    }
}
