//! Types of files.

mod bucket;
mod key;
mod lifecycle;
mod link;
mod object;
mod rule;
mod upkeep;
mod upload;

pub use bucket::{
    Bucket, BucketChange, BucketUsage, DefaultLock, ImageRights, LockMode, NewBucket, OrgUsage, ScanMode,
    TrashedBucket, Versioning,
};
pub use key::{AccessKey, AccessKeyInfo, NewAccessKey};
pub use lifecycle::{Expire, LifecycleRule, LifecycleRun, MoveTo, Noncurrent};
pub use link::{FileLink, NewFileLink};
pub use object::{
    Checksums, Conditions, CopyObject, Deleted, EtagKind, EtagList, Expect, Headers, ListEntry, ListObjects,
    ListVersions, Listed, ListedVersions, Lock, Metadata, NewObject, Object, ObjectChange, ScanState, Tags, TrashEntry,
    VersionEntry, VersionRef, Written,
};
pub use rule::{BucketRule, NewBucketRule, Subject, Verb};
pub use upkeep::{DamagedObject, Scrub, Swept};
pub use upload::{ListUploads, NewUpload, PartWant, Upload, UploadKind, UploadPart};

platform::id_type!(BucketId, "A bucket.");
platform::id_type!(BlobId, "A piece of stored bytes.");
platform::id_type!(VersionId, "A version of an object.");
platform::id_type!(UploadId, "An unfinished object. Random: it is a secret in the address of a resumable upload.");
platform::id_type!(AccessKeyId, "An access key of the S3 API; not the id that clients send.");
platform::id_type!(BucketRuleId, "A rule of a bucket.");
platform::id_type!(FileLinkId, "A link to a file or a folder.");
