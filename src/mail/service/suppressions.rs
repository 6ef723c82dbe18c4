//! Addresses to which nothing is sent.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Mail, NewSuppression, SuppressionFilter, Unsuppress, owners};
use crate::{
    Address, Kind, MailError, MessageId, Owner, Suppression, SuppressionId,
    model::Reason,
    store::suppressions::{self, NewRow},
};
use platform::{
    error::FieldError,
    http::{Principal, Slice},
    names::tidy,
};

impl Mail {
    /// Newest first.
    pub async fn suppressions(
        &self,
        who: &Principal,
        filter: &SuppressionFilter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Suppression>, MailError> {
        self.suppressions_of(self.owner(who, filter.installation)?, filter, slice).await
    }

    pub(super) async fn suppressions_of(
        &self,
        owner: Owner,
        filter: &SuppressionFilter<'_>,
        slice: &Slice,
    ) -> Result<Vec<Suppression>, MailError> {
        let mut tx = self.begin(owner).await?;
        Ok(suppressions::list(&mut tx, filter, slice).await?)
    }

    /// Whether mail of this kind is sent to the address, as far as suppressions decide it.
    pub async fn takes(&self, owner: Owner, kind: &Kind, to: &Address) -> Result<bool, MailError> {
        // What the installation suppresses holds for all, and an organisation's transaction does not see it.
        let mut tx = self.system().await?;
        Ok(!suppressions::covers(&mut tx, owner.org(), &to.key(), kind.name).await?)
    }

    /// By hand. Returns the existing one if the address is suppressed for this kind already.
    pub async fn add_suppression(
        &self,
        who: &Principal,
        owner: Owner,
        new: &NewSuppression<'_>,
    ) -> Result<Suppression, MailError> {
        self.suppress(owner, new, &who.subject()).await
    }

    /// As [`Self::add_suppression`], for the command line.
    pub async fn suppress(&self, owner: Owner, new: &NewSuppression<'_>, by: &str) -> Result<Suppression, MailError> {
        let address = Address::parse(new.address);
        let mut errors = Vec::new();
        if let Err(error) = &address {
            errors.push(FieldError::new("/address", "invalid", error.to_string()));
        }
        if new.kind != "*" && Kind::named(new.kind).is_none() {
            errors.push(FieldError::new(
                "/kind",
                "unknown",
                format!("{:?} is no kind of mail; * is all of them", new.kind),
            ));
        }
        let detail = tidy(new.detail);
        if detail.chars().count() > 500 {
            errors.push(FieldError::new("/detail", "too_long", "at most 500 characters"));
        }
        let (Ok(address), true) = (address, errors.is_empty()) else { return Err(MailError::Invalid(errors)) };
        let mut tx = self.begin(owner).await?;
        self.suppress_address(&mut tx, owner, &address, new.kind, Reason::Manual, &detail, None, by).await?;
        let found = suppressions::get(&mut tx, owner.org(), &address.key(), new.kind).await?;
        tx.commit().await?;
        found.ok_or(MailError::NotFound("mail_suppression"))
    }

    pub async fn remove_suppression(&self, who: &Principal, id: SuppressionId) -> Result<(), MailError> {
        for owner in owners(who) {
            let mut tx = self.begin(owner).await?;
            if suppressions::delete(&mut tx, owner.org(), id).await? {
                tx.commit().await?;
                tracing::info!(suppression_id = %id, by = who.subject(), "suppression removed");
                return Ok(());
            }
        }
        Err(MailError::NotFound("mail_suppression"))
    }

    /// Removes suppressions of an owner, or of all (`None`), for the command line. Returns how many.
    pub async fn unsuppress(
        &self,
        owner: Option<Owner>,
        what: &Unsuppress<'_>,
        since: Option<DateTime<Utc>>,
    ) -> Result<u64, MailError> {
        let mut tx = self.system().await?;
        let whose = (owner.is_none(), owner.and_then(Owner::org));
        let removed = suppressions::delete_where(&mut tx, whose, what, since).await?;
        tx.commit().await?;
        tracing::info!(removed, by = "cli", "suppressions removed");
        Ok(removed)
    }

    /// Suppresses an address in the caller's transaction; false if it was before.
    #[expect(clippy::too_many_arguments, reason = "each is a column")]
    pub(super) async fn suppress_address(
        &self,
        conn: &mut PgConnection,
        owner: Owner,
        address: &Address,
        kind: &str,
        reason: Reason,
        detail: &str,
        message_id: Option<MessageId>,
        created_by: &str,
    ) -> Result<bool, MailError> {
        let (id, now) = (SuppressionId::generate(&self.inner.clock), self.inner.clock.now());
        let address = address.key();
        let row = NewRow { id, org: owner.org(), address: &address, kind, reason, detail, message_id, created_by, now };
        let is_new = suppressions::insert(conn, &row).await?;
        if is_new {
            self.inner.metrics.suppressed(reason);
        }
        Ok(is_new)
    }
}
