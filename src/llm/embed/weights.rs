//! Weights out of a safetensors file, one tensor at a time.
//!
//! candle's own readers either map the file (needs unsafe) or hold all of it beside the tensors that are made from it: twice the
//! model in memory while loading. The format is simple enough to seek in: 8 bytes of little-endian header length, a JSON header
//! `{name: {dtype, shape, data_offsets}}`, then the data (<https://huggingface.co/docs/safetensors>).

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::EmbedError;

/// A header beyond this is not a model's: the file is damaged, or made to exhaust memory.
const MAX_HEADER_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
struct Entry {
    dtype: String,
    shape: Vec<usize>,
    /// Start and end in bytes, counted from the end of the header.
    data_offsets: (u64, u64),
}

pub(super) struct WeightFile {
    file: Mutex<File>,
    data_start: u64,
    entries: HashMap<String, Entry>,
}

impl WeightFile {
    pub(super) fn open(path: &Path) -> std::result::Result<Self, EmbedError> {
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
        Ok(Self { file: Mutex::new(file), data_start, entries })
    }

    fn read(&self, name: &str, device: &Device) -> Result<Tensor> {
        let entry = self.entries.get(name).ok_or_else(|| Error::CannotFindTensor { path: name.to_string() }.bt())?;
        let dtype = match entry.dtype.as_str() {
            "F32" => DType::F32,
            "F16" => DType::F16,
            "BF16" => DType::BF16,
            other => candle_core::bail!("tensor `{name}` has data type {other}; F32, F16 and BF16 are read"),
        };
        let (start, end) = entry.data_offsets;
        let bytes = usize::try_from(end - start).map_err(Error::wrap)?;
        if bytes != entry.shape.iter().product::<usize>() * dtype.size_in_bytes() {
            candle_core::bail!("tensor `{name}` has {bytes} bytes, which does not match its shape {:?}", entry.shape);
        }
        let mut buffer = vec![0_u8; bytes];
        {
            let mut file = self.file.lock().map_err(|_| Error::msg("a reader of the weights panicked"))?;
            file.seek(SeekFrom::Start(self.data_start + start))?;
            file.read_exact(&mut buffer)?;
        }
        Tensor::from_raw_buffer(&buffer, dtype, &entry.shape, device)
    }
}

impl SimpleBackend for WeightFile {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() == &shape {
            return Ok(tensor);
        }
        let msg = format!("shape mismatch for {name}");
        Err(Error::UnexpectedShape { msg, expected: shape, got: tensor.shape().clone() }.bt())
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.read(name, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }
}

/// Adds a whole file to a digest, in pieces.
pub(super) fn hash_file(path: &Path, digest: &mut Sha256) -> std::result::Result<(), EmbedError> {
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
