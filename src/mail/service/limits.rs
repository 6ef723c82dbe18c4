//! Limits per hour: the API gets an error, notices wait. They are counted without a lock: of messages that are written at once, each counts those
//! that were there before, so that a few more may pass.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Mail;
use crate::{Config, Kind, MailError, MessageId, Owner, kinds, store::outbox::Standing};

/// Messages are counted up to this many hours' worth; what is beyond that waits as long.
const MOST_HOURS: i64 = 24;
/// Invitations of an organisation to one address in an hour: nobody need read more, and the address is anybody's.
const INVITATIONS: i64 = 5;
/// Mails to subscribers of an owner's status pages in an hour. They have all confirmed their address, and count for no other limit of the owner.
const UPDATES: i64 = 20_000;
/// When a caller of the API may try again: the limit is over the last hour, so some room is free sooner.
const RETRY_AFTER: Duration = Duration::from_mins(10);

impl Mail {
    /// The first id of the last hour.
    pub(super) fn counted_since(now: DateTime<Utc>) -> MessageId {
        MessageId::first_at(now - TimeDelta::hours(1))
    }

    /// How long a new message waits for its turn. Err for the API, whose callers wait themselves, and for invitations, whose maker has the link.
    /// Mail that somebody asked for a moment ago (a password, an invitation) does not wait behind an organisation's notices.
    pub(super) fn wait_of(&self, owner: Owner, kind: &Kind, standing: &Standing) -> Result<TimeDelta, MailError> {
        let config = &self.inner.config;
        let of_owner = if kind.name == kinds::STATUS_UPDATE.name { UPDATES } else { config.per_org_per_hour };
        let of_org = later_by(standing.of_org, of_owner);
        let to_recipient = later_by(standing.to_recipient, config.per_recipient_per_hour);
        if kind.name == kinds::API.name {
            if of_org > TimeDelta::zero() {
                return Err(MailError::Limited("of this organisation in an hour", RETRY_AFTER));
            }
            if to_recipient > TimeDelta::zero() {
                return Err(MailError::Limited("to this address in an hour", RETRY_AFTER));
            }
        }
        if kind.name == kinds::INVITATION.name && owner != Owner::Installation && standing.of_kind >= INVITATIONS {
            return Err(MailError::Limited("with an invitation to this address in an hour", RETRY_AFTER));
        }
        Ok(if kind.is_notice() { of_org.max(to_recipient) } else { to_recipient })
    }
}

/// Up to how many messages of the organisation, and of those to the recipient, are counted for a new one of this kind. No more than decide about
/// it: each mail pays for its count.
pub(crate) fn most_counted(config: &Config, kind: &Kind) -> (i64, i64) {
    let Config { per_org_per_hour: of_org, per_recipient_per_hour: to_recipient, .. } = *config;
    if kind.name == kinds::API.name {
        (of_org, to_recipient)
    } else {
        let of_org = if kind.is_notice() { of_org.saturating_mul(MOST_HOURS) } else { 0 };
        let of_org = if kind.name == kinds::STATUS_UPDATE.name { of_org.max(UPDATES) } else { of_org };
        (of_org, to_recipient.saturating_mul(MOST_HOURS))
    }
}

/// The hour in which the next message has room, when `count` were made in this one.
pub(crate) fn later_by(count: i64, limit: i64) -> TimeDelta {
    TimeDelta::hours(count / limit.max(1))
}
