//! `[files]`

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{ScanMode, ScannerAddress};
use platform::config::ConfigErrors;

/// Files: limits, and where the S3 API answers.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port of the S3 API alone, with buckets at its root, for clients whose endpoint has no path; empty: off. `/s3` of the main port is
    /// always there.
    pub s3_listen: String,
    /// Names of hosts of the S3 API, e.g. `["s3.example.com"]`: there buckets are at the root, on every port, and each is a host of its own, too
    /// (`<bucket>.s3.example.com`).
    pub s3_hosts: Vec<String>,
    /// Region that the S3 API says it is in; requests may be signed for any.
    pub s3_region: String,
    /// A host of its own for what users upload, such as `files.example.net`: only there is shown what could run. Requests for it come here; empty: none.
    pub content_host: String,
    /// Largest object, bytes.
    pub max_object_bytes: u64,
    /// Largest piece that a file is stored in, MiB: a damaged one is repaired whole.
    pub blob_mib: u64,
    /// Most that a scrub reads, MiB in a second.
    pub scrub_mib_per_second: u64,
    /// Days for which an unfinished upload is kept.
    pub max_upload_days: u32,
    /// Days for which new buckets keep what was deleted.
    pub trash_days: i32,
    /// Bytes that an organisation may store, with versions and trash, unless an operator gives it another quota; 0: no limit.
    pub org_bytes: i64,
    /// Current objects that an organisation may have, likewise; 0: no limit.
    pub org_objects: i64,
    /// Most buckets of an organisation.
    pub buckets_per_org: i64,
    /// Where the virus scanner clamd listens: `unix:/run/clamav/clamd.ctl` or `tcp://127.0.0.1:3310`; empty: there is none.
    pub clamd: String,
    /// clamd's `StreamMaxLength`, MiB: what is larger is not scanned, and says so.
    pub clamd_max_mib: u64,
    /// When new objects are scanned, unless their bucket says otherwise.
    pub scan: ScanMode,
    /// Requests in a minute of an address, and of a key, to the surfaces of files (`/s3`, `/f`, `/storage`).
    pub requests_per_minute: u32,
    /// What was made of objects (images, compressed texts) is kept up to so many MiB, in `cache/files` of the data directory.
    pub cache_mib: u64,
    /// Memory of a child process that decodes images, MiB.
    pub image_memory_mib: u64,
    /// Largest file of which images are made, MiB.
    pub image_max_mib: u64,
    /// Largest image that is decoded, millions of pixels.
    pub image_max_megapixels: u64,
    /// Most frames of an animation.
    pub image_max_frames: u32,
    /// Write AVIF where clients accept it: a second of processor time for each image.
    pub avif: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            s3_listen: String::new(),
            s3_hosts: Vec::new(),
            s3_region: "us-east-1".to_owned(),
            content_host: String::new(),
            max_object_bytes: 5 << 40,
            blob_mib: 1024,
            scrub_mib_per_second: 200,
            max_upload_days: 7,
            trash_days: 7,
            org_bytes: 0,
            org_objects: 0,
            buckets_per_org: 100,
            clamd: String::new(),
            clamd_max_mib: 25,
            scan: ScanMode::After,
            requests_per_minute: 60_000,
            cache_mib: 2048,
            image_memory_mib: 768,
            image_max_mib: 25,
            image_max_megapixels: 50,
            image_max_frames: 250,
            avif: false,
        }
    }
}

impl Config {
    /// Where the S3 API has a port of its own; checked before.
    pub fn s3_address(&self) -> Option<SocketAddr> {
        self.s3_listen.parse().ok()
    }

    /// The virus scanner; checked before.
    pub fn scanner(&self) -> Option<ScannerAddress> {
        ScannerAddress::parse(&self.clamd)
    }

    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        if !self.s3_listen.is_empty() && self.s3_address().is_none() {
            errors.push("s3_listen", "expected an address and a port such as 127.0.0.1:9000, or nothing");
        }
        let is_name = |host: &String| {
            host.contains('.')
                && host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        };
        if !self.s3_hosts.iter().all(is_name) {
            errors.push("s3_hosts", "expected names of hosts in lower case, without ports, such as s3.example.com");
        }
        if self.s3_region.is_empty() || !self.s3_region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            errors.push("s3_region", "expected letters, digits and hyphens, such as us-east-1");
        }
        let is_host = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'));
        if !is_host(&self.content_host) {
            errors.push("content_host", "expected the name of a host such as files.example.net, or nothing");
        }
        errors.range("max_object_bytes", self.max_object_bytes, 1 << 20, 50 << 40);
        errors.range("blob_mib", self.blob_mib, 1, 1024);
        errors.range("scrub_mib_per_second", self.scrub_mib_per_second, 1, 100_000);
        errors.range("max_upload_days", self.max_upload_days, 1, 90);
        errors.range("trash_days", self.trash_days, 0, 90);
        errors.range("org_bytes", self.org_bytes, 0, i64::MAX);
        errors.range("org_objects", self.org_objects, 0, i64::MAX);
        errors.range("buckets_per_org", self.buckets_per_org, 1, 10_000);
        if !self.clamd.is_empty() && self.scanner().is_none() {
            errors.push("clamd", "expected unix:/path/of/clamd.ctl or tcp://host:port, or nothing");
        }
        errors.range("clamd_max_mib", self.clamd_max_mib, 1, 4095);
        if self.scan == ScanMode::Default {
            errors.push("scan", "expected off, after or before");
        }
        errors.range("requests_per_minute", self.requests_per_minute, 60, 10_000_000);
        errors.range("cache_mib", self.cache_mib, 16, 1 << 20);
        errors.range("image_memory_mib", self.image_memory_mib, 256, 16_384);
        errors.range("image_max_mib", self.image_max_mib, 1, 200);
        errors.range("image_max_megapixels", self.image_max_megapixels, 1, 200);
        errors.range("image_max_frames", self.image_max_frames, 1, 2000);
        if self.avif && !images::WRITES_AVIF {
            errors.push("avif", "this program was built without AVIF (the feature `avif`)");
        }
    }
}
