//! The only SQL on `idempotency_keys`. Runs in the organisation's transaction, except the purge.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::OrgId;

/// A key of one principal, and the request that carries it.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub org: OrgId,
    pub principal: String,
    pub key: String,
    pub fingerprint: [u8; 32],
    pub run: Uuid,
}

/// The stored row.
pub(super) struct Found {
    pub fingerprint: Vec<u8>,
    /// Encrypted; `None` while the request runs.
    pub response: Option<Vec<u8>>,
}

/// Takes the key for this run: true when it is free, older than `expired`, or left by a run of the same request whose lease ended before
/// `now`.
pub(super) async fn begin(
    conn: &mut PgConnection,
    slot: &Slot,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
    expired: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "INSERT INTO idempotency_keys AS k (org_id, principal, key, fingerprint, run, leased_until, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (org_id, principal, key) DO UPDATE SET fingerprint = $4, run = $5, leased_until = $6, created_at = $7, response = NULL \
         WHERE k.created_at <= $8 OR (k.response IS NULL AND k.leased_until <= $7 AND k.fingerprint = $4)",
        slot.org.0,
        slot.principal,
        slot.key,
        slot.fingerprint.as_slice(),
        slot.run,
        leased_until,
        now,
        expired
    )
    .execute(conn)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// The request that holds the key; `None` when it was released meanwhile.
pub(super) async fn find(conn: &mut PgConnection, slot: &Slot) -> sqlx::Result<Option<Found>> {
    sqlx::query_as!(
        Found,
        "SELECT fingerprint, response FROM idempotency_keys WHERE org_id = $1 AND principal = $2 AND key = $3",
        slot.org.0,
        slot.principal,
        slot.key
    )
    .fetch_optional(conn)
    .await
}

/// Stores the response of this run.
pub(super) async fn finish(conn: &mut PgConnection, slot: &Slot, response: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE idempotency_keys SET response = $5 WHERE org_id = $1 AND principal = $2 AND key = $3 AND run = $4",
        slot.org.0,
        slot.principal,
        slot.key,
        slot.run,
        response
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Frees the key: this run changed nothing that a retry would do twice.
pub(super) async fn release(conn: &mut PgConnection, slot: &Slot) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM idempotency_keys WHERE org_id = $1 AND principal = $2 AND key = $3 AND run = $4",
        slot.org.0,
        slot.principal,
        slot.key,
        slot.run
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes keys of all organisations older than `expired`, as the system role; returns how many.
pub(super) async fn purge(conn: &mut PgConnection, expired: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM idempotency_keys WHERE created_at <= $1", expired).execute(conn).await?;
    Ok(done.rows_affected())
}
