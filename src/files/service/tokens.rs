//! Tokens.

use chrono::{DateTime, Utc};

use super::{Files, permit};
use crate::{Bucket, Caller, CallerKind, Claims, FilesError, Why};

impl Files {
    /// The time by which signatures are judged, and tokens and links end.
    pub fn now(&self) -> DateTime<Utc> {
        self.inner.clock.now()
    }

    /// The text of a token that allows what the claims say.
    pub fn sign(&self, claims: &Claims) -> Result<String, FilesError> {
        Ok(claims.sign(&self.inner.token_key)?)
    }

    /// As [`Self::sign`], of claims that somebody asks for: nobody gives away more than they have.
    pub async fn grant(&self, who: &Caller, bucket: &Bucket, claims: &Claims) -> Result<String, FilesError> {
        // What was given away cannot be made to last longer.
        match who.kind {
            CallerKind::Member { .. } | CallerKind::ApiKey { .. } | CallerKind::Worker => {}
            CallerKind::Anyone => return Err(Why::Nobody.into()),
            CallerKind::Token(_) | CallerKind::Link(_) | CallerKind::AccessKey(_) => return Err(Why::Token.into()),
        }
        let mut tx = self.inner.db.tenant(who.org).await?;
        permit(&mut tx, who, bucket, claims.verb, &claims.key).await?;
        drop(tx);
        self.sign(claims)
    }

    /// What a token allows now.
    pub fn verify(&self, token: &str) -> Result<Claims, FilesError> {
        Ok(Claims::verify(token, &self.inner.token_key, self.inner.clock.now())?)
    }

    /// The holder of a token.
    pub fn bearer(&self, claims: &Claims) -> Caller {
        let kind = CallerKind::Token(Box::new(claims.clone()));
        Caller { kind, subject: "token".to_owned(), ..Caller::anyone(claims.org) }
    }

    /// Uses up a token that is good for one reading. A token of a writer is used up with its object.
    pub async fn spend_on_reading(&self, claims: &Claims) -> Result<(), FilesError> {
        if claims.once.is_none() {
            return Ok(());
        }
        let mut tx = self.inner.db.tenant(claims.org).await?;
        self.spend(&mut tx, claims).await?;
        Ok(tx.commit().await?)
    }
}
