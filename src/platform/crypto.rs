//! Randomness, hashes and the installation's master key.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// `N` bytes from the operating system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use rand::TryRng as _;
    let mut bytes = [0; N];
    // The only failure is a kernel without a random source, in which nothing here may go on.
    #[expect(clippy::expect_used, reason = "no random source: every token would be guessable")]
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).expect("the operating system has no random source");
    bytes
}

/// A 256-bit secret as 43 URL-safe characters.
pub fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes::<32>())
}

/// A number in `[0, 1)` for jitter; not for secrets.
pub fn random_unit() -> f64 {
    f64::from(u32::from_le_bytes(random_bytes())) / (f64::from(u32::MAX) + 1.0)
}

/// SHA-256 of `data`.
pub fn sha256(data: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(data.as_ref()).into()
}

/// SHA-256 of `data`, 64 lower-case hexadecimal digits.
pub fn sha256_hex(data: impl AsRef<[u8]>) -> String {
    hex(&sha256(data))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// Compares without telling by its duration where the two differ.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The secret from which all others of this installation are derived. Hosts of one installation share it.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// Reads 64 hexadecimal digits from `path`, or makes the file (mode 0600) when it does not exist and `create` is set.
    pub fn load(path: &Path, create: bool) -> anyhow::Result<Self> {
        if !path.exists() && create {
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .with_context(|| format!("cannot create the master key {}", path.display()))?;
            writeln!(file, "{}", hex(&random_bytes::<32>()))?;
            file.sync_all()?;
        }
        let text =
            fs::read_to_string(path).with_context(|| format!("cannot read the master key {}", path.display()))?;
        Self::parse(text.trim()).with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))
    }

    /// 64 hexadecimal digits.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(
            text.len() == 64 && text.is_ascii(),
            "expected 64 hexadecimal digits, found {} characters",
            text.len()
        );
        let mut key = [0; 32];
        for (i, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16)?;
        }
        Ok(Self(key))
    }

    /// A key for one purpose: HMAC-SHA256 of the label under the master key (RFC 2104).
    pub fn derive(&self, label: &str) -> [u8; 32] {
        hmac_sha256(&self.0, label.as_bytes())
    }
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}
