//! Tokens: signed claims that allow one thing without a row. They cannot be revoked, and end with their time; who needs revoking uses a link.
//!
//! `base64url(claims) . base64url(HMAC-SHA-256(key, claims))`. Nothing in a token is believed before its signature is compared.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{BucketId, EtagList, FilesError, NewObject, Verb, VersionId, sniff::essence};
use platform::{crypto, ids::OrgId};

/// What a token allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Of this form: 1.
    #[serde(rename = "v")]
    pub version: u8,
    pub org: OrgId,
    pub bucket: BucketId,
    /// The key; with `prefix` everything that begins so.
    pub key: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub prefix: bool,
    /// Of what is read: this version; `None`: what is current then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<VersionId>,
    /// `read` or `write`.
    pub verb: Verb,
    pub expires: DateTime<Utc>,
    /// Bytes of what is written: at most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Exactly so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// An object that is there is not replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Good once: its name among those that were used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Uuid>,
    /// Options of an image, in their canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("this token is not valid")]
    Invalid,
    #[error("this token has expired")]
    Expired,
}

impl Claims {
    /// Whether they allow this.
    pub fn allow(&self, bucket: BucketId, verb: Verb, key: &str) -> bool {
        let fits = if self.prefix { key.starts_with(&self.key) } else { key == self.key };
        self.bucket == bucket && self.verb == verb && fits
    }

    /// Whether what is said of an object before its bytes come is what they allow. The bytes themselves are compared when they are there.
    pub fn check(&self, new: &NewObject) -> Result<(), FilesError> {
        let said = new.content_type.as_deref().unwrap_or_default();
        if self.content_type.as_ref().is_some_and(|kind| essence(kind) != essence(said)) {
            return Err(FilesError::Type { found: said.to_owned() });
        }
        match (new.length, self.exact_bytes, self.max_bytes) {
            (Some(got), Some(expected), _) if got != expected => Err(FilesError::Incomplete { expected, got }),
            (Some(got), _, Some(limit)) if got > limit => Err(FilesError::TooLarge { limit }),
            _ => Ok(()),
        }
    }

    /// What a writer asks for, bound to the claims.
    pub(crate) fn bind(&self, mut new: NewObject) -> Result<NewObject, FilesError> {
        self.check(&new)?;
        if self.keep {
            new.when.if_none_match = Some(EtagList::Any);
        }
        new.claims = Some(self.clone());
        Ok(new)
    }

    /// The token.
    pub(crate) fn sign(&self, key: &[u8; 32]) -> Result<String, serde_json::Error> {
        let claims = serde_json::to_vec(self)?;
        let signature = crypto::hmac_sha256(key, &claims);
        Ok(format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token that was signed with this key and has not expired.
    pub(crate) fn verify(token: &str, key: &[u8; 32], now: DateTime<Utc>) -> Result<Self, TokenError> {
        let (claims, signature) = token.split_once('.').ok_or(TokenError::Invalid)?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Invalid);
        let (claims, signature) = (decode(claims)?, decode(signature)?);
        if !crypto::constant_time_eq(&crypto::hmac_sha256(key, &claims), &signature) {
            return Err(TokenError::Invalid);
        }
        let claims: Self = serde_json::from_slice(&claims).map_err(|_| TokenError::Invalid)?;
        match claims {
            Self { version: 1, expires, .. } if now < expires => Ok(claims),
            Self { version: 1, .. } => Err(TokenError::Expired),
            _ => Err(TokenError::Invalid),
        }
    }
}
