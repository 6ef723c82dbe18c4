//! Hashes that clients send with a content, by the names that S3 gives them.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;

use crate::errors::{BAD_DIGEST, INVALID_DIGEST, INVALID_REQUEST, S3Error};
use files::{Checksums, Object};
use storage::{DigestKind, DigestSet, Digests};

/// An algorithm: what headers and XML call it, and how many bytes it gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Algorithm {
    pub kind: DigestKind,
    pub name: &'static str,
    pub header: &'static str,
    /// Of an element.
    pub element: &'static str,
    bytes: usize,
}

pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm {
        kind: DigestKind::Crc32,
        name: "CRC32",
        header: "x-amz-checksum-crc32",
        element: "ChecksumCRC32",
        bytes: 4,
    },
    Algorithm {
        kind: DigestKind::Crc32c,
        name: "CRC32C",
        header: "x-amz-checksum-crc32c",
        element: "ChecksumCRC32C",
        bytes: 4,
    },
    Algorithm {
        kind: DigestKind::Crc64Nvme,
        name: "CRC64NVME",
        header: "x-amz-checksum-crc64nvme",
        element: "ChecksumCRC64NVME",
        bytes: 8,
    },
    Algorithm {
        kind: DigestKind::Sha1,
        name: "SHA1",
        header: "x-amz-checksum-sha1",
        element: "ChecksumSHA1",
        bytes: 20,
    },
    Algorithm {
        kind: DigestKind::Sha256,
        name: "SHA256",
        header: "x-amz-checksum-sha256",
        element: "ChecksumSHA256",
        bytes: 32,
    },
];

impl Algorithm {
    /// By `CRC32` and the like.
    pub fn named(name: &str) -> Result<Self, S3Error> {
        let found = ALGORITHMS.into_iter().find(|algorithm| algorithm.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| INVALID_REQUEST.with(format!("Checksum algorithm provided is unsupported: {name:?}")))
    }

    pub fn of_header(header: &str) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.header == header)
    }

    pub fn of_kind(kind: DigestKind) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.kind == kind)
    }

    /// Bytes of a value in base64.
    pub fn decode(self, value: &str) -> Result<Vec<u8>, S3Error> {
        let bytes = STANDARD.decode(value.trim()).ok().filter(|bytes| bytes.len() == self.bytes);
        bytes.ok_or_else(|| INVALID_REQUEST.with(format!("Value for {} header is invalid.", self.header)))
    }

    /// Whether a hash of the whole is only made of those of its parts.
    pub fn is_composite(self) -> bool {
        matches!(self.kind, DigestKind::Sha1 | DigestKind::Sha256)
    }

    /// `None`: it is no CRC.
    pub fn crc(self) -> Option<CrcAlgorithm> {
        match self.kind {
            DigestKind::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            DigestKind::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            DigestKind::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            DigestKind::Md5 | DigestKind::Sha1 | DigestKind::Sha256 => None,
        }
    }

    /// S3's hash of an object in parts: of the hashes of its parts, with their number behind it.
    pub fn composite(self, parts: &[Vec<u8>]) -> String {
        let mut digests = Digests::new(&DigestSet::of([self.kind]));
        parts.iter().for_each(|part| digests.update(part));
        let digested = digests.finish();
        format!("{}-{}", STANDARD.encode(digested.get(self.kind).unwrap_or_default()), parts.len())
    }

    /// The CRC of the whole, out of those of its parts and their sizes; `None`: this one cannot be joined.
    pub fn joined(self, parts: &[(Vec<u8>, u64)]) -> Option<String> {
        let crc = self.crc()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        let mut whole = None;
        for (hash, size) in parts {
            let part = number(hash);
            whole = Some(whole.map_or(part, |before| crc_fast::checksum_combine(crc, before, part, *size)));
        }
        let bytes = whole?.to_be_bytes();
        Some(STANDARD.encode(&bytes[8 - self.bytes..]))
    }
}

/// The hash that a request has in its headers, if any.
pub(crate) fn sent(headers: &HeaderMap) -> Result<Option<(Algorithm, Vec<u8>)>, S3Error> {
    let mut found = None;
    for algorithm in ALGORITHMS {
        let mut values = headers.get_all(algorithm.header).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() || found.is_some() {
            return Err(INVALID_REQUEST
                .with("Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed."));
        }
        found = Some((algorithm, algorithm.decode(value.to_str().unwrap_or_default())?));
    }
    Ok(found)
}

/// `Content-MD5`, if it is there.
pub(crate) fn md5(headers: &HeaderMap) -> Result<Option<Vec<u8>>, S3Error> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let bytes = STANDARD.decode(value.to_str().unwrap_or_default().trim()).ok().filter(|bytes| bytes.len() == 16);
    bytes.map(Some).ok_or_else(|| INVALID_DIGEST.error())
}

/// Compares a small body with the hashes of its headers.
pub(crate) fn check_small(headers: &HeaderMap, body: &[u8]) -> Result<(), S3Error> {
    let mut expected: Vec<(DigestKind, Vec<u8>)> =
        md5(headers)?.map(|hash| (DigestKind::Md5, hash)).into_iter().collect();
    expected.extend(sent(headers)?.map(|(algorithm, hash)| (algorithm.kind, hash)));
    let mut digests = Digests::new(&DigestSet::of(expected.iter().map(|(kind, _)| *kind)));
    digests.update(body);
    let digested = digests.finish();
    let is_wrong = expected.iter().any(|(kind, hash)| digested.get(*kind) != Some(hash.as_slice()));
    if is_wrong { Err(BAD_DIGEST.error()) } else { Ok(()) }
}

/// Hashes as an object has them, as headers.
pub(crate) fn tell(checksums: &Checksums, headers: &mut HeaderMap) {
    for algorithm in ALGORITHMS {
        if let Some(value) = checksums.get(algorithm.kind.as_str())
            && let Ok(value) = HeaderValue::try_from(value)
        {
            headers.insert(HeaderName::from_static(algorithm.header), value);
        }
    }
    if ALGORITHMS.iter().any(|algorithm| checksums.contains_key(algorithm.kind.as_str())) {
        headers.insert(HeaderName::from_static("x-amz-checksum-type"), HeaderValue::from_static(kind_of(checksums)));
    }
}

/// Whether the hashes are of the whole or of those of its parts.
pub(crate) fn kind_of(checksums: &Checksums) -> &'static str {
    if checksums.get("type").is_some_and(|kind| kind == "composite") { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// Names of the algorithms of an object, in the order of headers.
pub(crate) fn names(object: &Object) -> Vec<&'static str> {
    let has = |algorithm: &Algorithm| object.checksums.contains_key(algorithm.kind.as_str());
    ALGORITHMS.iter().filter(|algorithm| has(algorithm)).map(|algorithm| algorithm.name).collect()
}
