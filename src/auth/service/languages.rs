//! The languages of people: mails to them are in it.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{Auth, person};
use crate::{AuthError, email::spellings, store::accounts};
use console::{Lang, LanguageKeeper};
use platform::{error::ApiError, http::Principal};

impl Auth {
    /// The languages of those of these addresses who have an account and whose language is known, by the address as it was given.
    pub async fn languages(&self, emails: &[String]) -> Result<HashMap<String, Lang>, AuthError> {
        if emails.is_empty() {
            return Ok(HashMap::new());
        }
        let stored: Vec<String> = emails.iter().flat_map(|email| spellings(email)).collect();
        let mut tx = self.inner.db.system().await?;
        let known: HashMap<String, Lang> = accounts::languages(&mut tx, &stored)
            .await?
            .into_iter()
            .filter_map(|(email, language)| Some((email, Lang::from_code(&language)?)))
            .collect();
        tx.commit().await?;
        let of = |email: &String| spellings(email).iter().find_map(|spelling| known.get(spelling)).copied();
        Ok(emails.iter().filter_map(|email| Some((email.clone(), of(email)?))).collect())
    }

    /// The person has chosen it.
    pub async fn keep_language(&self, who: &Principal, lang: Lang) -> Result<(), AuthError> {
        let user = person(who)?;
        let mut tx = self.inner.db.system().await?;
        accounts::set_language(&mut tx, user.user_id, lang.code()).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[async_trait]
impl LanguageKeeper for Auth {
    async fn chosen(&self, who: &Principal, lang: Lang) -> Result<(), ApiError> {
        Ok(self.keep_language(who, lang).await?)
    }
}
