//! Signed webhooks (Standard Webhooks 1.0.0): `webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64>` over
//! `<id>.<timestamp>.<body>` with HMAC-SHA256.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret as _, SecretString};

use platform::crypto;

/// A key that signs webhooks.
pub struct SigningKey(Vec<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected whsec_ and 24 to 64 bytes in base64: create one with echo whsec_$(openssl rand -base64 32)")]
pub struct BadSecret;

impl SigningKey {
    /// Parses `whsec_<base64>`; the prefix is optional.
    pub fn parse(secret: &SecretString) -> Result<Self, BadSecret> {
        let text = secret.expose_secret().trim();
        let bytes = STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| BadSecret)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(BadSecret);
        }
        Ok(Self(bytes))
    }

    /// The value of `webhook-signature`; `timestamp` in Unix seconds.
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signed = if platform::mutant(8) { format!("{id}.{body}") } else { format!("{id}.{timestamp}.{body}") };
        let mac = crypto::hmac_sha256(&self.0, signed.as_bytes());
        format!("v1,{}", STANDARD.encode(mac))
    }
}
