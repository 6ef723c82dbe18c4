//! Tokens.

use super::Files;
use crate::{Claims, FilesError};

impl Files {
    /// The text of a token that allows what the claims say.
    pub fn sign(&self, claims: &Claims) -> Result<String, FilesError> {
        Ok(claims.sign(&self.inner.token_key)?)
    }

    /// What a token allows now.
    pub fn verify(&self, token: &str) -> Result<Claims, FilesError> {
        Ok(Claims::verify(token, &self.inner.token_key, self.inner.clock.now())?)
    }
}
