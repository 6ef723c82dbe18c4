//! Advisory locks: until the end of a transaction, or for as long as a [`SessionLock`] lives.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection, Postgres, pool::PoolConnection};

use super::{Db, DbError};
use crate::crypto::sha256;

impl Db {
    /// The session-level advisory lock `name` on its own connection: held until the guard is dropped or the connection breaks. `None` if
    /// another session holds it.
    pub async fn try_session_lock(&self, name: &str) -> Result<Option<SessionLock>, DbError> {
        self.session_lock(name, false).await
    }

    /// As [`Self::try_session_lock`], shared with others; `None` while a session holds it exclusively.
    pub async fn try_shared_session_lock(&self, name: &str) -> Result<Option<SessionLock>, DbError> {
        self.session_lock(name, true).await
    }

    /// As [`Self::try_session_lock`], after waiting at most `timeout` for shared holders. Requests for a shared lock are refused
    /// meanwhile: the server queues them behind the waiter, so the wait ends however many there are.
    pub async fn session_lock_within(&self, name: &str, timeout: Duration) -> Result<Option<SessionLock>, DbError> {
        let mut conn = self.lock_connection().await?;
        let limits = "SELECT set_config('lock_timeout', $1, false), set_config('statement_timeout', '0', false)";
        sqlx::query(limits).bind(timeout.as_millis().max(1).to_string()).execute(&mut *conn).await?;
        match sqlx::query("SELECT pg_advisory_lock($1)").bind(lock_key(name)).execute(&mut *conn).await {
            Ok(_) => Ok(Some(SessionLock { conn })),
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn session_lock(&self, name: &str, shared: bool) -> Result<Option<SessionLock>, DbError> {
        let mut conn = self.lock_connection().await?;
        let locked = sqlx::query_scalar!(
            "SELECT CASE WHEN $2 THEN pg_try_advisory_lock_shared($1) ELSE pg_try_advisory_lock($1) END AS \"locked!\"",
            lock_key(name),
            shared
        )
        .fetch_one(&mut *conn)
        .await?;
        Ok(locked.then_some(SessionLock { conn }))
    }

    /// A connection that is closed after use, however that ends: neither a lock nor changed timeouts may return to the pool.
    async fn lock_connection(&self) -> Result<PoolConnection<Postgres>, DbError> {
        let pool = if crate::mutant(38) { &self.app.pool } else { &self.locks };
        let mut conn = pool.acquire().await?;
        conn.close_on_drop();
        Ok(conn)
    }
}

/// Takes the advisory lock `name` until the transaction of `conn` ends, after waiting for other holders.
pub async fn lock_until_commit(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", lock_key(name)).execute(conn).await.map(drop)
}

/// The key of an advisory lock. Versions that use the same name exclude one another.
fn lock_key(name: &str) -> i64 {
    i64::from_le_bytes(sha256(name)[..8].try_into().unwrap_or_default())
}

/// Holds an advisory lock for as long as it lives; the server releases it when the connection goes.
#[derive(Debug)]
pub struct SessionLock {
    conn: PoolConnection<Postgres>,
}

impl SessionLock {
    /// Whether the connection, and with it the lock, still exists.
    pub async fn is_held(&mut self) -> bool {
        self.conn.ping().await.is_ok()
    }

    /// Releases the lock before returning, for a caller that takes it again at once. After a mere drop it is free only when the server
    /// notices.
    pub async fn release(mut self) {
        let _ = self.conn.execute("SELECT pg_advisory_unlock_all()").await;
        let _ = self.conn.close().await;
    }
}
