//! Reads weights from a safetensors file, one tensor at a time.
//!
//! The format is simple enough to seek in: 8 bytes of little-endian header length, a JSON header
//! `{name: {dtype, shape, data_offsets}}`, then the data (<https://huggingface.co/docs/safetensors>). Mapping the file
//! would need unsafe code, and reading it whole would take twice the model's memory while loading.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::EmbedError;

/// A larger header is not a model's: the file is damaged, or made to exhaust memory.
const MAX_HEADER_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    /// Start and end in bytes, from the end of the header.
    data_offsets: (u64, u64),
}

pub(super) struct WeightFile {
    path: PathBuf,
    file: File,
    data_start: u64,
    entries: HashMap<String, Entry>,
}

impl WeightFile {
    pub(super) fn open(path: &Path) -> Result<Self, EmbedError> {
        let read = |source| EmbedError::Read { path: PathBuf::from(path), source };
        let mut file = File::open(path).map_err(read)?;
        let file_bytes = file.metadata().map_err(read)?.len();
        let mut length = [0_u8; 8];
        file.read_exact(&mut length).map_err(read)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(EmbedError::malformed(path, &"not a safetensors file"));
        }
        let mut header = Vec::new();
        file.by_ref().take(header_bytes).read_to_end(&mut header).map_err(read)?;
        let mut header: HashMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|error| EmbedError::malformed(path, &error))?;
        header.remove("__metadata__");
        let data_start = 8 + header_bytes;
        let mut entries = HashMap::with_capacity(header.len());
        for (name, value) in header {
            let entry: Entry = serde_json::from_value(value).map_err(|error| EmbedError::malformed(path, &error))?;
            let (start, end) = entry.data_offsets;
            if start > end || data_start.saturating_add(end) > file_bytes {
                return Err(EmbedError::malformed(
                    path,
                    &format!("tensor `{name}` lies outside the file, which may be cut short"),
                ));
            }
            entries.insert(name, entry);
        }
        Ok(Self { path: path.to_path_buf(), file, data_start, entries })
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Reads a tensor of this shape, in row-major order.
    pub(super) fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, EmbedError> {
        let entry = self.entries.get(name).ok_or_else(|| self.malformed(&format!("tensor `{name}` is missing")))?;
        if entry.shape != shape {
            return Err(self.malformed(&format!("tensor `{name}` has the shape {:?}, not {shape:?}", entry.shape)));
        }
        let width = match entry.dtype.as_str() {
            "F32" => 4,
            "F16" | "BF16" => 2,
            other => {
                let what = format!("tensor `{name}` has data type {other}; supported: F32, F16 and BF16");
                return Err(EmbedError::Unsupported(what));
            }
        };
        let (start, end) = entry.data_offsets;
        let numbers: usize = shape.iter().product();
        if usize::try_from(end - start).ok() != numbers.checked_mul(width) {
            let bytes = end - start;
            return Err(self.malformed(&format!("tensor `{name}` has {bytes} bytes, which does not match its shape")));
        }
        let mut bytes = vec![0_u8; numbers * width];
        let failed = |source| EmbedError::Read { path: self.path.clone(), source };
        self.file.seek(SeekFrom::Start(self.data_start + start)).map_err(failed)?;
        self.file.read_exact(&mut bytes).map_err(failed)?;
        let two = |bytes: &[u8]| [bytes[0], bytes[1]];
        Ok(match self.entries[name].dtype.as_str() {
            "F16" => bytes.chunks_exact(2).map(|b| f16::from_le_bytes(two(b)).to_f32()).collect(),
            "BF16" => bytes.chunks_exact(2).map(|b| bf16::from_le_bytes(two(b)).to_f32()).collect(),
            _ => holdfast_kernels::numbers(&bytes),
        })
    }

    fn malformed(&self, reason: &str) -> EmbedError {
        EmbedError::malformed(&self.path, &reason)
    }
}

/// Adds a file to a digest, block by block.
pub(super) fn hash_file(path: &Path, digest: &mut Sha256) -> Result<(), EmbedError> {
    let read = |source| EmbedError::Read { path: PathBuf::from(path), source };
    let mut file = File::open(path).map_err(read)?;
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let bytes = file.read(&mut buffer).map_err(read)?;
        if bytes == 0 {
            return Ok(());
        }
        digest.update(&buffer[..bytes]);
    }
}
