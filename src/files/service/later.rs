//! What comes with links and access keys: its signatures, so that the surfaces can be written against them. Each answers that it
//! cannot be done yet, and leaves this file when it can.

#![allow(clippy::unused_async, clippy::unused_self, reason = "signatures of what is still to be written")]

use std::sync::Arc;

use super::Files;
use crate::{AccessKey, Caller, FilesError, NewAccessKey};
use secrecy::SecretString;

fn later<T>(what: &'static str) -> Result<T, FilesError> {
    Err(FilesError::Unsupported(what))
}

impl Files {
    /// The key that a signature names; `None`: there is none, it is revoked or has expired.
    pub async fn access_key(&self, _access_key_id: &str) -> Result<Option<Arc<AccessKey>>, FilesError> {
        later("signing in with an access key")
    }

    /// The secret is in the answer, and never again.
    pub async fn create_key(&self, _who: &Caller, _new: NewAccessKey) -> Result<(AccessKey, SecretString), FilesError> {
        later("signing in with an access key")
    }
}
