//! Randomness, hashes and the installation's master key.

use std::{fmt, fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, str::FromStr};

use anyhow::Context as _;
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::text_file;

/// `N` bytes from the operating system's generator.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use rand::TryRng as _;
    let mut bytes = [0; N];
    // Fails only on a kernel without a random source; nothing may continue then.
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

/// A number below `end` (0 for 0), for random choices; not for secrets.
pub fn random_below(end: usize) -> usize {
    usize::from_le_bytes(random_bytes()).checked_rem(end).unwrap_or_default()
}

/// SHA-256 of `data`.
pub fn sha256(data: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(data.as_ref()).into()
}

/// SHA-256 of `data`, 64 lower-case hexadecimal digits.
pub fn sha256_hex(data: impl AsRef<[u8]>) -> String {
    hex(&sha256(data))
}

/// Lower-case hexadecimal encoding.
pub fn hex(bytes: &[u8]) -> String {
    ::hex::encode(bytes)
}

/// Decodes 64 hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    ::hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(bytes)
}

/// A SHA-256 hash; as text 64 lower-case hexadecimal digits. Half the memory of the text, which matters for large sets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a hash of 64 hexadecimal digits")]
pub struct BadDigest;

impl Digest {
    pub fn of(data: impl AsRef<[u8]>) -> Self {
        Self(sha256(data))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let digest = unhex(text).filter(|_| !text.bytes().any(|b| b.is_ascii_uppercase()));
        digest.map(Self).ok_or(BadDigest)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Compares in constant time.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The secret that all other secrets of this installation are derived from. Hosts of one installation share it.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

impl MasterKey {
    /// Reads 64 hexadecimal digits from `path`; if the file does not exist and `create` is set, creates it (mode 0600).
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
        let text = text_file::read(path).with_context(|| format!("cannot read the master key {}", path.display()))?;
        Self::parse(text.trim()).with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))
    }

    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        unhex(text)
            .map(Self)
            .with_context(|| format!("expected 64 hexadecimal digits, found {} characters", text.chars().count()))
    }

    /// The key as 64 hexadecimal digits, for a copy outside the data directory.
    pub fn reveal(&self) -> SecretString {
        hex(&self.0).into()
    }

    /// A key for one purpose: HMAC-SHA256 of `label` under the master key (RFC 2104).
    pub fn derive(&self, label: &str) -> [u8; 32] {
        hmac_sha256(&self.0, label.as_bytes())
    }

    /// Encrypts for the database: AES-256-GCM under the key derived for `label`, random nonce prepended. `bound` is authenticated but not
    /// stored: naming the row there prevents moving a sealed value to another row.
    pub fn seal(&self, label: &str, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut sealed = plain.to_vec();
        let nonce = self.aead(label)?.seal_in_place_append_tag(Aad::from(bound), &mut sealed).map_err(|_| SealError)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// Decrypts the result of [`Self::seal`]; fails for another label, `bound` or key, and after any change.
    pub fn open(&self, label: &str, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (nonce, rest) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut rest = rest.to_vec();
        let plain = self.aead(label)?.open_in_place(nonce, Aad::from(bound), &mut rest).map_err(|_| SealError)?;
        Ok(plain.to_vec())
    }

    /// An Ed25519 key pair for one purpose; verify with [`SigningKey::public`].
    pub fn signing_key(&self, label: &str) -> Result<SigningKey, SealError> {
        Ed25519KeyPair::from_seed_unchecked(&self.derive(label)).map(SigningKey).map_err(|_| SealError)
    }

    fn aead(&self, label: &str) -> Result<RandomizedNonceKey, SealError> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.derive(label)).map_err(|_| SealError)
    }
}

/// An Ed25519 key pair (RFC 8032).
#[derive(Debug)]
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// Signature of `data`, 64 bytes.
    pub fn sign(&self, data: &[u8]) -> Vec<u8> {
        self.0.sign(data).as_ref().to_vec()
    }

    /// Public key, 32 bytes.
    pub fn public(&self) -> [u8; 32] {
        // An Ed25519 public key always has 32 bytes.
        self.0.public_key().as_ref().try_into().unwrap_or_default()
    }
}

/// Verifies an Ed25519 signature of `data`.
pub fn is_signed(public: &[u8; 32], data: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(data, signature).is_ok()
}

/// Sealing or opening failed. The reason is withheld, here and by the library, because it would help forgery.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a sealed value cannot be opened: it was changed, or sealed with another master key")]
pub struct SealError;

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(data);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_values_open_only_where_they_belong() {
        let key = MasterKey::parse(&"1f".repeat(32)).unwrap();
        let sealed = key.seal("label", b"row 1", b"hf_secret").unwrap();
        assert_eq!(key.open("label", b"row 1", &sealed).unwrap(), b"hf_secret");
        assert!(!sealed.windows(9).any(|w| w == b"hf_secret"));
        assert_ne!(sealed, key.seal("label", b"row 1", b"hf_secret").unwrap(), "the same nonce twice");
        assert!(key.open("other", b"row 1", &sealed).is_err());
        assert!(key.open("label", b"row 2", &sealed).is_err());
        assert!(MasterKey::parse(&"2f".repeat(32)).unwrap().open("label", b"row 1", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key.open("label", b"row 1", &changed).is_err(), "byte {at}");
        }
        assert!(key.open("label", b"row 1", &sealed[..5]).is_err());
    }

    #[test]
    fn a_signature_holds_for_its_text_and_key_only() {
        let key = MasterKey::parse(&"1f".repeat(32)).unwrap();
        let (signing, other) = (key.signing_key("a").unwrap(), key.signing_key("b").unwrap());
        let mut signature = signing.sign(b"text");
        assert!(is_signed(&signing.public(), b"text", &signature));
        assert!(!is_signed(&signing.public(), b"texT", &signature));
        assert!(!is_signed(&other.public(), b"text", &signature));
        assert!(!is_signed(&signing.public(), b"text", &signature[1..]));
        signature[7] ^= 1;
        assert!(!is_signed(&signing.public(), b"text", &signature));
    }
}
