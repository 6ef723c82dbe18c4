//! The only SQL on `idempotency_keys`. In the organisation's transaction, except the retention.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::platform::ids::OrgId;

/// A key of one principal, and the request that it came with.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub org: OrgId,
    pub principal: String,
    pub key: String,
    pub fingerprint: [u8; 32],
    pub run: Uuid,
}

/// What was there.
pub(super) struct Found {
    pub fingerprint: Vec<u8>,
    /// Sealed; `None` while the request runs.
    pub response: Option<Vec<u8>>,
}

/// Takes the key for this run: true when nobody has it, when it is older than `expired`, or when the same request began
/// and never ended (its lease ran out before `now`).
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

/// The request that has the key; `None` when it was let go meanwhile.
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

/// Keeps the response of this run.
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

/// Lets the key go: this run changed nothing that a repetition would do twice.
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

/// Removes keys older than `expired`, of all organisations, as the system role; how many.
pub(super) async fn purge(conn: &mut PgConnection, expired: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM idempotency_keys WHERE created_at <= $1", expired).execute(conn).await?;
    Ok(done.rows_affected())
}
