//! Names of DNS that lead to pages. Nothing is served under one before a TXT record shows that its owner wants it.

use chrono::TimeDelta;

use super::StatusPages;
use crate::{
    Domain, Page, PageId, StatusPageError,
    dns::Proof,
    store::{domains, pages},
};
use platform::{
    crypto,
    db::constraint,
    error::{FieldError, chain},
    http::Principal,
};

/// Names of a page.
const MOST: usize = 5;
/// Proofs are looked at again after this time: who gives a domain away must not keep its page.
const AGAIN: TimeDelta = TimeDelta::hours(6);
/// Claims without a proof are looked at more often.
const MOST_AT_ONCE: i64 = 50;

/// A name in the form in which it is stored: ASCII, lower case, at least two labels, no address.
pub(crate) fn normal(domain: &str) -> Result<String, StatusPageError> {
    let wrong = |why: &str| StatusPageError::Invalid(vec![FieldError::new("/domain", "invalid", why)]);
    let text = domain.trim().trim_end_matches('.');
    let ascii = idna::domain_to_ascii_strict(text).map_err(|_| wrong("this is no name of DNS"))?;
    let fits = |label: &str| !label.is_empty() && label.len() <= 63;
    let is_name = ascii.len() <= 253 && ascii.contains('.') && ascii.split('.').all(fits);
    if !is_name || ascii.parse::<std::net::IpAddr>().is_ok() {
        return Err(wrong("write a name such as status.example.com"));
    }
    Ok(ascii)
}

impl StatusPages {
    /// Claims a name. The answer names the record to publish.
    pub async fn add_domain(&self, who: &Principal, id: PageId, domain: &str) -> Result<Page, StatusPageError> {
        let domain = normal(domain)?;
        if self
            .inner
            .base_url
            .split("://")
            .nth(1)
            .is_some_and(|rest| rest.split([':', '/']).next() == Some(domain.as_str()))
        {
            return Err(StatusPageError::Conflict("taken", "this is the name of the console".into()));
        }
        let (mut tx, owner, stored) = self.change(who, id).await?;
        if stored.page.domains.len() >= MOST {
            return Err(StatusPageError::Conflict("too_many", format!("a page has at most {MOST} names")));
        }
        let proof = format!("holdfast={}", crypto::random_token());
        if !domains::insert(&mut tx, id, owner.org(), &domain, &proof).await? {
            return Err(StatusPageError::Conflict("taken", "the page has this name already".into()));
        }
        self.saved(tx, owner, id).await
    }

    /// Looks for the record now.
    pub async fn check_domain(&self, who: &Principal, id: PageId, domain: &str) -> Result<Page, StatusPageError> {
        let (tx, owner, stored) = self.find(who, id).await?;
        drop(tx);
        let claim = stored.page.domains.iter().find(|claim| claim.domain == domain);
        let claim = claim.ok_or(StatusPageError::NotFound("status_page_domain"))?;
        self.look_at(id, claim).await?;
        let mut tx = self.begin(owner).await?;
        let stored = pages::get(&mut tx, owner.org(), id).await?;
        Ok(stored.ok_or(StatusPageError::NotFound("status_page"))?.page)
    }

    pub async fn remove_domain(&self, who: &Principal, id: PageId, domain: &str) -> Result<Page, StatusPageError> {
        let (mut tx, owner, _) = self.change(who, id).await?;
        if !domains::delete(&mut tx, id, domain).await? {
            return Err(StatusPageError::NotFound("status_page_domain"));
        }
        self.saved(tx, owner, id).await
    }

    /// Looks at claims of all pages whose turn it is.
    pub(super) async fn check_domains(&self) -> Result<(), StatusPageError> {
        let mut tx = self.system().await?;
        let all = domains::to_check(&mut tx, self.inner.clock.now() - AGAIN, MOST_AT_ONCE).await?;
        drop(tx);
        for (page, claim) in all {
            if let Err(error) = self.look_at(page, &claim).await {
                // The others are looked at all the same.
                tracing::warn!(page_id = %page, domain = claim.domain, error = chain(&error), "what the DNS says of a status page's name could not be noted");
            }
        }
        Ok(())
    }

    /// Asks the DNS and notes what it says. A name server that does not answer takes no proof away.
    async fn look_at(&self, page: PageId, claim: &Domain) -> Result<(), StatusPageError> {
        let (mut proven, error) = match self.inner.dns.proves(&claim.domain, &claim.proof).await {
            Proof::Right => (true, None),
            Proof::Wrong(error) => (false, Some(error)),
            Proof::Unknown(error) => (claim.proven_at.is_some(), Some(error)),
        };
        let now = self.inner.clock.now();
        let mut tx = self.system().await?;
        let noted = domains::checked(&mut tx, page, &claim.domain, proven, error.as_deref(), now).await;
        if let Err(error) = noted {
            if constraint(&error) != Some("status_page_domains_domain_key") {
                return Err(error.into());
            }
            // The statement has failed, and with it the transaction.
            tx = self.system().await?;
            let taken = "another status page has proven that it has this name";
            domains::checked(&mut tx, page, &claim.domain, false, Some(taken), now).await?;
            proven = false;
        }
        if proven != claim.proven_at.is_some() {
            pages::touch(&mut tx, page, now).await?;
            tracing::info!(page_id = %page, domain = claim.domain, proven, "the proof of a status page's name has changed");
        }
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn names_have_one_form() {
        assert_eq!(normal(" Status.Example.COM. ").unwrap(), "status.example.com");
        assert_eq!(normal("статус.рф").unwrap(), "xn--80a7abcbg.xn--p1ai");
        for wrong in ["", "localhost", "192.0.2.1", "a b.example", "http://a.example", "-a.example", "a..example"] {
            assert!(normal(wrong).is_err(), "{wrong}");
        }
    }
}
