//! Locks of versions: what may be deleted at a time, and what of a lock may be changed. Times are the database's: no host's clock unlocks anything.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Bucket, FilesError, Lock, LockMode, Object};

/// Err unless the version may be deleted, or put into the trash. `bypass`: the caller may end locks of the mode governance, and says so.
pub(crate) fn may_go(version: &Object, now: DateTime<Utc>, bypass: bool) -> Result<(), FilesError> {
    if version.legal_hold {
        return Err(FilesError::Locked("it is under a legal hold".to_owned()));
    }
    match version.lock.filter(|lock| lock.until > now) {
        Some(Lock { mode: LockMode::Governance, .. }) if bypass => Ok(()),
        Some(Lock { mode, until }) => {
            Err(FilesError::Locked(format!("{} until {}", mode.as_str(), until.to_rfc3339())))
        }
        None => Ok(()),
    }
}

/// Err unless the lock may be changed so. A lock of the mode compliance only gets longer, whoever asks.
pub(crate) fn may_change(
    before: Option<Lock>,
    after: Option<Lock>,
    now: DateTime<Utc>,
    bypass: bool,
) -> Result<(), FilesError> {
    let Some(lock) = before.filter(|lock| lock.until > now) else { return Ok(()) };
    let longer = after.is_some_and(|after| after.until >= lock.until);
    let as_strict = after.is_some_and(|after| after.mode == LockMode::Compliance || after.mode == lock.mode);
    match lock.mode {
        LockMode::Governance if bypass => Ok(()),
        _ if longer && as_strict => Ok(()),
        mode => {
            let text = format!("{} until {}: it can only be made longer", mode.as_str(), lock.until.to_rfc3339());
            Err(FilesError::Locked(text))
        }
    }
}

/// Err where a lock is asked for that a bucket does not take.
pub(crate) fn check(bucket: &Bucket, lock: Option<Lock>, hold: bool, now: DateTime<Utc>) -> Result<(), FilesError> {
    if (lock.is_some() || hold) && !bucket.object_lock {
        return Err(FilesError::invalid("/lock", "no_object_lock", "the bucket has no object lock"));
    }
    if lock.is_some_and(|lock| lock.until <= now) {
        return Err(FilesError::invalid("/lock/until", "in_the_past", "a lock ends in the future"));
    }
    Ok(())
}

/// The lock of a new version: what was asked for, or else what the bucket says.
pub(crate) fn of_new(bucket: &Bucket, asked: Option<Lock>, now: DateTime<Utc>) -> Option<Lock> {
    asked.or_else(|| {
        let (mode, days) = (bucket.lock_mode?, bucket.lock_days?);
        Some(Lock { mode, until: now + TimeDelta::days(days.into()) }).filter(|_| bucket.object_lock)
    })
}
