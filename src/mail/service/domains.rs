//! Domains that mail is sent from: their keys, and what the DNS says about them.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use sqlx::PgConnection;

use super::{Mail, owners, sending::KEYS};
use crate::{
    Address, Domain, DomainId, MailError, Owner,
    dkim::{self, NewKeys},
    dns,
    events::DomainWithdrawn,
    model::{DnsCheck, DnsStatus},
    store::domains::{self, Checked, NewDomain, Standing},
};
use platform::{
    crypto,
    db::{DbError, Tx},
    http::{Principal, Slice},
};

const MOST_DOMAINS: i64 = 20;
/// How often verified domains are checked again.
const EVERY: TimeDelta = TimeDelta::hours(20);
/// How long a record may be missing: an accident at the DNS provider is repaired by then.
const GRACE: TimeDelta = TimeDelta::days(3);
/// Domains that one job checks, and at once: an hour later the next job follows.
const MOST_CHECKED: i64 = 500;
const AT_ONCE: usize = 8;
/// Of selectors: names in the DNS know no capitals.
const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

fn missing() -> MailError {
    MailError::NotFound("mail_domain")
}

fn taken() -> MailError {
    let text = "another organisation of this installation has shown that it controls this domain";
    MailError::Conflict("mail_domain_taken", text)
}

fn exists() -> MailError {
    MailError::Conflict("mail_domain_exists", "this domain is there already: delete it for new keys")
}

impl Mail {
    /// Newest first.
    pub async fn domains(&self, owner: Owner, slice: &Slice) -> Result<Vec<Domain>, MailError> {
        let mut tx = self.begin(owner).await?;
        Ok(domains::list(&mut tx, owner.org(), slice).await?)
    }

    /// Of the caller's organisation or, for operators, of the installation.
    pub async fn get_domain(&self, who: &Principal, id: DomainId) -> Result<Domain, MailError> {
        let (_, _, domain) = self.find_domain(who, id).await?;
        Ok(domain)
    }

    /// Makes keys for a domain. Mail is sent from it once its records are found in the DNS.
    pub async fn add_domain(&self, who: &Principal, owner: Owner, domain: &str) -> Result<Domain, MailError> {
        let added = self.make_domain(owner, domain).await?;
        tracing::info!(domain_id = %added.id, domain = added.domain, by = who.subject(), "mail domain added");
        Ok(added)
    }

    /// As [`Self::add_domain`], for the command line.
    pub async fn make_domain(&self, owner: Owner, domain: &str) -> Result<Domain, MailError> {
        let domain = domain.trim().trim_start_matches('@');
        let address = Address::new("", &format!("postmaster@{domain}"))
            .map_err(|error| MailError::invalid("/domain", "invalid", error.to_string()))?;
        // Before the keys, which one thread makes for everybody.
        self.check_new_domain(&mut *self.begin(owner).await?, owner, address.domain()).await?;
        let keys = self.inner.cpu.run(dkim::generate).await??;
        let (id, now) = (DomainId::generate(&self.inner.clock), self.inner.clock.now());
        let seal = |private: &[u8]| self.inner.master_key.seal(KEYS, id.0.as_bytes(), private);
        let keys =
            NewKeys { rsa_private: seal(&keys.rsa_private)?, ed25519_private: seal(&keys.ed25519_private)?, ..keys };
        let selector = new_selector(now);
        let row = NewDomain { id, org: owner.org(), domain: address.domain(), selector: &selector, keys: &keys, now };
        let mut tx = self.begin(owner).await?;
        self.check_new_domain(&mut tx, owner, address.domain()).await?;
        if !domains::insert(&mut tx, &row).await? {
            return Err(exists());
        }
        let added = domains::get(&mut tx, owner.org(), id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        Ok(added)
    }

    /// Err if the owner has as many domains as it may have, or this one.
    async fn check_new_domain(&self, conn: &mut PgConnection, owner: Owner, domain: &str) -> Result<(), MailError> {
        if domains::named(conn, owner.org(), domain).await?.is_some() {
            return Err(exists());
        }
        if domains::count(conn, owner.org()).await? >= MOST_DOMAINS {
            return Err(MailError::TooMany(MOST_DOMAINS, "domains"));
        }
        Ok(())
    }

    /// Looks into the DNS now.
    pub async fn check_domain(&self, who: &Principal, id: DomainId) -> Result<Domain, MailError> {
        let (tx, owner, domain) = self.find_domain(who, id).await?;
        // The name server may take its time: no transaction stays open for it.
        tx.rollback().await?;
        self.look_up(owner, &domain).await
    }

    /// As [`Self::check_domain`], for the command line.
    pub async fn look_up(&self, owner: Owner, domain: &Domain) -> Result<Domain, MailError> {
        let checks = self.dns_checks(domain).await;
        if let Some(checked) = self.judge(owner, domain, &checks).await? {
            return Ok(checked);
        }
        // Whoever had the domain before may have sold it.
        if !self.is_given_up(&domain.domain).await? {
            return Err(taken());
        }
        self.judge(owner, domain, &checks).await?.ok_or_else(taken)
    }

    /// Stores what the DNS said; `None` if another owner has shown that it controls the domain.
    async fn judge(&self, owner: Owner, domain: &Domain, checks: &[DnsCheck]) -> Result<Option<Domain>, MailError> {
        let (now, rsa, ed25519) = (self.inner.clock.now(), status(checks, RSA), status(checks, ED25519));
        let mut tx = self.begin(owner).await?;
        let Standing { verified_at: before, failing_since } =
            domains::standing(&mut tx, domain.id).await?.ok_or_else(missing)?;
        let (verified_at, failing_since) = after_look(before, failing_since, rsa, now);
        let row = Checked {
            checks,
            verified_at,
            failing_since,
            ed25519: (ed25519 != DnsStatus::Unknown).then_some(ed25519 == DnsStatus::Pass),
            now,
        };
        match domains::checked(&mut tx, domain.id, &row).await {
            Ok(()) => {}
            Err(error) if platform::db::constraint(&error) == Some("mail_domains_domain_key") => return Ok(None),
            Err(error) => return Err(DbError::from(error).into()),
        }
        if before.is_some() && verified_at.is_none() {
            self.withdrawn(&mut tx, owner, domain).await?;
        }
        let checked = domains::get(&mut tx, owner.org(), domain.id).await?.ok_or_else(missing)?;
        tx.commit().await?;
        if before.is_none() && verified_at.is_some() {
            tracing::info!(domain_id = %domain.id, domain = checked.domain, "mail domain verified");
        }
        Ok(Some(checked))
    }

    /// Whether the owner who has shown that it controls this domain does so no longer: its record is not there. It is not verified then.
    async fn is_given_up(&self, name: &str) -> Result<bool, MailError> {
        let mut tx = self.system().await?;
        let former = domains::verified(&mut tx, name).await?;
        tx.commit().await?;
        let Some((owner, former)) = former else { return Ok(true) };
        let checks = self.dns_checks(&former).await;
        if status(&checks, RSA) != DnsStatus::Fail {
            return Ok(false);
        }
        let mut tx = self.begin(owner).await?;
        let row = Checked {
            checks: &checks,
            verified_at: None,
            failing_since: None,
            ed25519: None,
            now: self.inner.clock.now(),
        };
        domains::checked(&mut tx, former.id, &row).await?;
        self.withdrawn(&mut tx, owner, &former).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Says that a domain is not verified any more.
    async fn withdrawn(&self, conn: &mut PgConnection, owner: Owner, domain: &Domain) -> Result<(), MailError> {
        let event = DomainWithdrawn { domain_id: domain.id, domain: domain.domain.clone() };
        events::publish(conn, &self.inner.clock, owner.org(), &event).await?;
        let org = owner.org().map(|org| org.to_string());
        tracing::warn!(
            domain_id = %domain.id,
            domain = domain.domain,
            org_id = org,
            "mail domain is not verified any more: its DKIM record is not in the DNS; mail is not sent from it"
        );
        Ok(())
    }

    /// Checks the verified domains again that were not checked for a day; returns how many.
    pub async fn check_domains(&self) -> Result<usize, MailError> {
        let mut tx = self.system().await?;
        let due = domains::unchecked(&mut tx, self.inner.clock.now() - EVERY, MOST_CHECKED).await?;
        tx.commit().await?;
        for some in due.chunks(AT_ONCE) {
            for looked in join_all(some.iter().map(|(owner, domain)| self.look_up(*owner, domain))).await {
                match looked {
                    // It may have been deleted meanwhile.
                    Ok(_) | Err(MailError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(due.len())
    }

    pub async fn delete_domain(&self, who: &Principal, id: DomainId) -> Result<(), MailError> {
        let (mut tx, owner, domain) = self.find_domain(who, id).await?;
        if !domains::delete(&mut tx, owner.org(), id).await? {
            return Err(missing());
        }
        tx.commit().await?;
        tracing::info!(domain_id = %id, domain = domain.domain, by = who.subject(), "mail domain deleted");
        Ok(())
    }

    /// What the DNS says.
    pub(crate) async fn dns_checks(&self, domain: &Domain) -> Vec<DnsCheck> {
        let (dns, name, host) = (&self.inner.dns, domain.domain.as_str(), self.inner.hostname.as_str());
        let (dmarc_host, parent) = (dns::dmarc_host(name), dns::parent(name));
        let above = async {
            match parent {
                Some(parent) => Some((parent, dns.txt(&dns::dmarc_host(parent)).await)),
                None => None,
            }
        };
        let [rsa, ed25519] = domain.records.as_slice() else { return Vec::new() };
        let (rsa_found, ed25519_found, spf, dmarc, above, reverse) = tokio::join!(
            dns.txt(&rsa.host),
            dns.txt(&ed25519.host),
            dns.txt(name),
            dns.txt(&dmarc_host),
            above,
            dns.reverse(host),
        );
        vec![
            dns::dkim(RSA, rsa, rsa_found),
            dns::optional(dns::dkim(ED25519, ed25519, ed25519_found)),
            dns::spf(name, spf),
            dns::dmarc(name, dmarc, above),
            dns::reverse(host, reverse),
        ]
    }

    async fn find_domain(&self, who: &Principal, id: DomainId) -> Result<(Tx, Owner, Domain), MailError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if let Some(domain) = domains::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, owner, domain));
            }
        }
        Err(missing())
    }
}

/// Another selector for each pair of keys, so that the former keys can stay in the DNS for a while. Not by the day alone: who makes new keys on the
/// same day would publish them under a name for which resolvers still give the former ones.
pub(crate) fn new_selector(now: DateTime<Utc>) -> String {
    let letter = |_| char::from(LETTERS[crypto::random_below(LETTERS.len())]);
    format!("hf{}{}", now.format("%Y%m%d"), (0..4).map(letter).collect::<String>())
}

/// Names of the checks of the two keys. The RSA one shows that the owner controls the domain; Ed25519 is for those receivers who know it, and some
/// DNS providers take no such record. Mail is signed with it only while its record is there: a signature whose key is not there is worse than none for
/// some receivers.
const RSA: &str = "dkim_rsa";
const ED25519: &str = "dkim_ed25519";

/// What a look into the DNS makes of a domain: since when it is verified, and since when its record is missing.
pub(crate) fn after_look(
    verified_at: Option<DateTime<Utc>>,
    failing_since: Option<DateTime<Utc>>,
    rsa: DnsStatus,
    now: DateTime<Utc>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    match (rsa, verified_at) {
        (DnsStatus::Pass | DnsStatus::Warn, _) => (verified_at.or(Some(now)), None),
        // No answer says nothing.
        (DnsStatus::Unknown, _) => (verified_at, failing_since),
        (DnsStatus::Fail, None) => (None, None),
        (DnsStatus::Fail, Some(_)) => match failing_since.unwrap_or(now) {
            since if now - since >= GRACE => (None, None),
            since => (verified_at, Some(since)),
        },
    }
}

fn status(checks: &[DnsCheck], name: &str) -> DnsStatus {
    checks.iter().find(|check| check.name == name).map_or(DnsStatus::Unknown, |check| check.status)
}
