//! The blob store over a store that does wrong what stores do wrong.

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use platform::{
    clock::Clock,
    crypto::{MasterKey, sha256},
    db::{self, Db, Target},
    ids::OrgId,
    lifecycle::Lifecycle,
    pools::CpuPool,
};
use prometheus_client::registry::Registry;
use storage::{Deletions, DigestKind, DigestSet, Fault, Faults, Metrics, Storage, StorageError};

use crate::{Blobs, FilesError, Put, Want};

/// Nobody listens there: what is written here gets no rows.
fn no_database() -> Db {
    let key = MasterKey::parse(&"00".repeat(32)).unwrap();
    let target = Target::from_url("postgres://nobody@127.0.0.1:1/none", "none".into(), key).unwrap();
    Db::new(&target, &db::Config::default())
}

fn blobs(faults: &Faults, blob_bytes: u64) -> Blobs {
    let metrics = Metrics::register(&mut Registry::default());
    Blobs {
        storage: Storage::of_faults(faults, Lifecycle::new(), metrics),
        deletions: Deletions::new(no_database()),
        clock: Clock::system(),
        lifecycle: Lifecycle::new(),
        cpu: CpuPool::new(2),
        blob_bytes,
    }
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect()
}

async fn put(blobs: &Blobs, org: OrgId, content: &[u8]) -> Result<Put, FilesError> {
    let parts: Vec<std::io::Result<Bytes>> =
        content.chunks(70_001).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    let want = Want { length: None, limit: u64::MAX, digests: DigestSet::of([DigestKind::Md5]) };
    blobs.put(org, stream::iter(parts), &want).await
}

async fn read(blobs: &Blobs, org: OrgId, put: &Put, range: std::ops::Range<u64>) -> Result<Vec<u8>, StorageError> {
    let parts: Vec<Bytes> = blobs.open(org, &put.pieces, range).try_collect().await?;
    Ok(parts.concat())
}

#[tokio::test]
async fn a_content_is_cut_into_blobs_and_read_across_their_borders() {
    let org = OrgId::generate(&Clock::system());
    for size in [0, 1, 999_999, 1_000_000, 1_000_001, 3_500_000] {
        let (blobs, content) = (blobs(&Faults::default(), 1_000_000), content(size));
        let put = put(&blobs, org, &content).await.unwrap();
        assert_eq!(put.pieces.len(), size.div_ceil(1_000_000), "{size}");
        assert_eq!((put.size, put.digests.sha256), (size as u64, sha256(&content)));
        assert!(read(&blobs, org, &put, 0..size as u64).await.unwrap() == content);
        for border in [1_000_000_usize, 2_000_000, 3_000_000] {
            if border + 5 < size {
                let range = border - 5..border + 5;
                let found = read(&blobs, org, &put, range.start as u64..range.end as u64).await.unwrap();
                assert_eq!(found, content[range]);
            }
        }
        put.left();
    }
}

/// Whatever goes wrong with a write is said, and nobody refers to what is left.
#[tokio::test]
async fn nothing_is_acknowledged_that_the_store_does_not_have() {
    let (faults, org) = (Faults::default(), OrgId::generate(&Clock::system()));
    let blobs = blobs(&faults, 1_000_000);
    for fault in [Fault::Lost, Fault::Half, Fault::Refused, Fault::DoneAndFailed] {
        // In the first blob, and in the last.
        for before in 0..3 {
            faults.on_writes(std::iter::repeat_n(Fault::Late(std::time::Duration::ZERO), before).chain([fault]));
            let written = put(&blobs, org, &content(2_500_000)).await;
            assert!(written.is_err(), "{fault:?} after {before}");
            assert_eq!(faults.left(), 0, "{fault:?} after {before}: it never happened");
        }
    }
    let written = put(&blobs, org, &content(2_500_000)).await.unwrap();
    for fault in [Fault::Half, Fault::Refused, Fault::Lost] {
        faults.on_reads([fault]);
        assert!(
            read(&blobs, org, &written, 0..2_500_000).await.is_err(),
            "{fault:?}: it ended early, and looked whole"
        );
    }
    written.left();
}
