//! Labels of the metrics of files.

use prometheus_client::encoding::EncodeLabelSet;

use platform::label_enum;

label_enum! {
    /// What was done with files, by whatever surface.
    pub enum Operation {
        /// A whole object, to its commit.
        Write = "write",
        /// A part of an upload, or bytes that were added to one.
        Part = "part",
        /// An upload that became an object.
        Complete = "complete",
        /// To its first byte.
        Read = "read",
        List = "list",
        Delete = "delete",
        /// A copy, or another name.
        Copy = "copy",
    }
}

label_enum! {
    /// How an operation ended.
    pub enum OperationOutcome {
        Done = "done",
        /// The caller may not, or asks for what is not there or not possible.
        Refused = "refused",
        Failed = "failed",
        /// Whoever asked went away before.
        Aborted = "aborted",
    }
}

label_enum! {
    /// Why something was not stored.
    pub enum UploadFailure {
        Digest = "digest",
        Incomplete = "incomplete",
        Quota = "quota",
        TooLarge = "too_large",
        Type = "type",
        Lock = "lock",
        Disk = "disk",
        Store = "store",
        Database = "database",
        Other = "other",
    }
}

label_enum! {
    /// Why a signature of the S3 API was not taken.
    pub enum SignatureRefusal {
        /// No such access key, or it is revoked or has expired.
        Key = "key",
        /// The signature is not that of the request.
        Signature = "signature",
        /// Too old, or a clock is off.
        Time = "time",
        /// It cannot be read, or is of a kind that is not taken.
        Form = "form",
    }
}

impl SignatureRefusal {
    /// Of S3's code for it.
    pub fn of(code: &str) -> Self {
        match code {
            "InvalidAccessKeyId" => Self::Key,
            "SignatureDoesNotMatch" => Self::Signature,
            "RequestTimeTooSkewed" | "ExpiredToken" => Self::Time,
            _ => Self::Form,
        }
    }
}

label_enum! {
    /// What a scan found.
    pub enum ScanOutcome {
        Clean = "clean",
        Infected = "infected",
        /// It is larger than the scanner takes.
        Unscanned = "unscanned",
        /// The scanner gave no answer: tried again.
        Failed = "failed",
    }
}

label_enum! {
    /// What lifecycle rules did.
    pub enum LifecycleAction {
        Expired = "expired",
        Moved = "moved",
        UploadAborted = "upload_aborted",
    }
}

macro_rules! labels {
    ($($name:ident { $label:ident: $kind:ty })*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        pub(super) struct $name { pub $label: $kind }
    )*};
}

labels! {
    FailureLabels { reason: UploadFailure }
    RefusalLabels { reason: SignatureRefusal }
    ScanLabels { outcome: ScanOutcome }
    ActionLabels { action: LifecycleAction }
    TimedLabels { operation: Operation }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabels {
    pub operation: Operation,
    pub outcome: OperationOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct KindLabels {
    pub kind: Kind,
}

label_enum! {
    /// What stored bytes are.
    pub enum Kind {
        Current = "current",
        /// Former versions.
        Version = "version",
        Trash = "trash",
    }
}
