//! Hashes of what is stored, computed in one pass while it is read.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::StorageError;
use platform::pools::CpuPool;

/// Below this, hashing takes less time than handing it to another thread.
const INLINE_BYTES: usize = 32 << 10;

/// A hash that a client may ask for. SHA-256 is always computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestKind {
    Md5,
    Sha1,
    Sha256,
    /// CRC-32/ISO-HDLC, that of zip.
    Crc32,
    /// CRC-32/ISCSI.
    Crc32c,
    /// CRC-64/NVME.
    Crc64Nvme,
}

impl DigestKind {
    pub const ALL: [Self; 6] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Crc32, Self::Crc32c, Self::Crc64Nvme];

    /// As S3 names it, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
        }
    }

    /// By the name that [`Self::as_str`] gives.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Md5 | Self::Sha1 | Self::Sha256 => None,
        }
    }

    /// The hash of a content out of those of its parts and their sizes, in order: as if all bytes had been read again. `None`: only CRCs can do that.
    pub fn joined(self, parts: &[(Vec<u8>, u64)]) -> Option<Vec<u8>> {
        let algorithm = self.crc()?;
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let ((first, _), rest) = parts.split_first()?;
        let all = rest
            .iter()
            .fold(number(first), |sum, (crc, size)| crc_fast::checksum_combine(algorithm, sum, number(crc), *size));
        let bytes = all.to_be_bytes();
        Some(bytes[bytes.len() - first.len().min(bytes.len())..].to_vec())
    }

    /// The hash of bytes in memory.
    pub fn of(self, bytes: &[u8]) -> Vec<u8> {
        let mut digests = Digests::new(&DigestSet::of([self]));
        digests.update(bytes);
        digests.finish().get(self).map(<[u8]>::to_vec).unwrap_or_default()
    }
}

/// Which hashes are asked for. SHA-256 is always computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigestSet(Vec<DigestKind>);

impl DigestSet {
    pub fn of(kinds: impl IntoIterator<Item = DigestKind>) -> Self {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self(kinds)
    }

    pub fn contains(&self, kind: DigestKind) -> bool {
        self.0.contains(&kind)
    }
}

/// The hashes of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    pub size: u64,
    pub sha256: [u8; 32],
    others: Vec<(DigestKind, Vec<u8>)>,
}

impl Digested {
    /// The bytes of a hash, the most significant first; `None` if it was not asked for.
    pub fn get(&self, kind: DigestKind) -> Option<&[u8]> {
        if kind == DigestKind::Sha256 {
            return Some(&self.sha256);
        }
        self.others.iter().find(|(other, _)| *other == kind).map(|(_, bytes)| bytes.as_slice())
    }
}

/// Hashes that are being computed.
#[derive(Clone)]
pub struct Digests {
    size: u64,
    sha256: Sha256,
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    crcs: Vec<(DigestKind, crc_fast::Digest)>,
}

impl std::fmt::Debug for Digests {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Digests").field("size", &self.size).finish_non_exhaustive()
    }
}

impl Digests {
    pub fn new(set: &DigestSet) -> Self {
        let asked = DigestKind::ALL.into_iter().filter(|kind| set.contains(*kind));
        Self {
            size: 0,
            sha256: Sha256::new(),
            md5: set.contains(DigestKind::Md5).then(Md5::new),
            sha1: set.contains(DigestKind::Sha1).then(Sha1::new),
            crcs: asked.filter_map(|kind| Some((kind, crc_fast::Digest::new(kind.crc()?)))).collect(),
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        self.sha256.update(data);
        if let Some(md5) = &mut self.md5 {
            md5.update(data);
        }
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(data);
        }
        for (_, crc) in &mut self.crcs {
            crc.update(data);
        }
    }

    /// As [`Self::update`], on a thread of `cpu` unless it is little. The thread is held for these bytes only: a slow client holds none.
    pub async fn take(mut self, cpu: &CpuPool, data: Vec<Bytes>) -> Result<Self, StorageError> {
        let is_little = data.iter().map(Bytes::len).sum::<usize>() <= INLINE_BYTES;
        let add = move || {
            data.iter().for_each(|bytes| self.update(bytes));
            self
        };
        if is_little { Ok(add()) } else { Ok(cpu.run(add).await?) }
    }

    pub fn finish(self) -> Digested {
        let mut others: Vec<(DigestKind, Vec<u8>)> = Vec::new();
        others.extend(self.md5.map(|md5| (DigestKind::Md5, md5.finalize().to_vec())));
        others.extend(self.sha1.map(|sha1| (DigestKind::Sha1, sha1.finalize().to_vec())));
        others.extend(self.crcs.into_iter().map(|(kind, crc)| {
            let bytes = crc.finalize().to_be_bytes();
            // The CRC of 32 bits is in the lower half.
            let from = if kind == DigestKind::Crc64Nvme { 0 } else { 4 };
            (kind, bytes[from..].to_vec())
        }));
        Digested { size: self.size, sha256: self.sha256.finalize().into(), others }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::crypto::hex;

    /// The check values of the algorithms' catalogues, and of RFC 1321 and RFC 3174.
    #[tokio::test]
    async fn hashes_are_those_of_the_standards() {
        let cpu = CpuPool::new(1);
        let expected = [
            (DigestKind::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (DigestKind::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (DigestKind::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
            (DigestKind::Crc32, "cbf43926"),
            (DigestKind::Crc32c, "e3069283"),
            (DigestKind::Crc64Nvme, "ae8b14860a799888"),
        ];
        let all = Digests::new(&DigestSet::of(DigestKind::ALL));
        let parts = ["1234", "", "56789"].map(|part| Bytes::from_static(part.as_bytes())).to_vec();
        let digested = all.clone().take(&cpu, parts).await.unwrap().finish();
        assert_eq!(digested.size, 9);
        for (kind, hash) in expected {
            assert_eq!(digested.get(kind).map(hex).as_deref(), Some(hash), "{}", kind.as_str());
        }
        // Much is hashed on another thread.
        let much = Bytes::from(vec![7_u8; 100_000]);
        let (mut here, there) = (all.clone(), all.take(&cpu, vec![much.clone(), much.clone()]).await.unwrap());
        here.update(&much);
        here.update(&much);
        assert_eq!(here.finish(), there.finish());
        // Of parts, without their bytes.
        let halves = [b"1234".as_slice(), b"", b"56789"];
        for (kind, hash) in expected {
            let parts: Vec<_> = halves.iter().map(|half| (kind.of(half), half.len() as u64)).collect();
            let joined = kind.joined(&parts).map(|bytes| hex(&bytes));
            let is_crc = matches!(kind, DigestKind::Crc32 | DigestKind::Crc32c | DigestKind::Crc64Nvme);
            assert_eq!(joined.as_deref(), Some(hash).filter(|_| is_crc), "{}", kind.as_str());
            assert_eq!(DigestKind::parse(kind.as_str()), Some(kind));
        }
        let none = Digests::new(&DigestSet::default()).finish();
        assert_eq!(none.get(DigestKind::Md5), None);
        assert!(none.get(DigestKind::Sha256).is_some());
    }
}
