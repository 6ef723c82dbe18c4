//! `job_leases`. As role `system`.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

/// Result of a candidacy.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Candidacy {
    /// It holds the lease; `term` grows with each change of the holder.
    Ours { term: i64 },
    /// Another process holds it, for this many seconds unless renewed.
    Theirs { seconds: f64 },
}

/// Acquires the lease if it is free, and renews it if the candidate holds it. A lease that ends later than any holder could have requested
/// comes from a clock that was ahead, and is ignored.
pub(crate) async fn stand(
    conn: &mut PgConnection,
    name: &str,
    candidate: Uuid,
    lease: Duration,
) -> Result<Candidacy, sqlx::Error> {
    // Reads before it writes: most candidates find another holder, every few seconds.
    if let Some(seconds) = held_by_another(conn, name, candidate, lease).await? {
        return Ok(Candidacy::Theirs { seconds });
    }
    let taken = sqlx::query_scalar!(
        "INSERT INTO job_leases AS l (name, holder, expires_at) VALUES ($1, $2, clock_timestamp() + make_interval(secs => $3))
         ON CONFLICT (name) DO UPDATE SET holder = $2, expires_at = excluded.expires_at,
           term = l.term + (l.holder <> $2)::int, held_since = CASE WHEN l.holder = $2 THEN l.held_since ELSE clock_timestamp() END
         WHERE l.holder = $2 OR l.expires_at <= clock_timestamp() OR l.expires_at > clock_timestamp() + 2 * make_interval(secs => $3)
         RETURNING term",
        name,
        candidate,
        lease.as_secs_f64(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match taken {
        Some(term) => Ok(Candidacy::Ours { term }),
        // Another candidate was faster.
        None => Ok(Candidacy::Theirs { seconds: lease.as_secs_f64() }),
    }
}

async fn held_by_another(
    conn: &mut PgConnection,
    name: &str,
    candidate: Uuid,
    lease: Duration,
) -> Result<Option<f64>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 AS "seconds!" FROM job_leases
           WHERE name = $1 AND holder <> $2 AND expires_at > clock_timestamp()
             AND expires_at <= clock_timestamp() + 2 * make_interval(secs => $3)"#,
        name,
        candidate,
        lease.as_secs_f64(),
    )
    .fetch_optional(conn)
    .await
}

/// Whether the lease is still of this term. If so its row is locked until the transaction ends, and nobody takes it over before.
pub(crate) async fn holds(conn: &mut PgConnection, name: &str, term: i64) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!("SELECT term FROM job_leases WHERE name = $1 FOR SHARE", name);
    Ok(found.fetch_optional(conn).await? == Some(term))
}

/// Releases the lease, so that another candidate need not wait for its end.
pub(crate) async fn resign(conn: &mut PgConnection, name: &str, holder: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job_leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2", name, holder)
        .execute(conn)
        .await?;
    Ok(())
}

/// A lease, for `doctor`.
pub(crate) struct LeaseRow {
    pub name: String,
    pub holder: Uuid,
    /// Time since the holder acquired it.
    pub held_seconds: f64,
    /// Time until it expires; negative if it has expired.
    pub left_seconds: f64,
}

/// All leases.
pub(crate) async fn leases(conn: &mut PgConnection) -> Result<Vec<LeaseRow>, sqlx::Error> {
    sqlx::query_as!(
        LeaseRow,
        r#"SELECT name, holder, extract(epoch FROM clock_timestamp() - held_since)::float8 AS "held_seconds!",
             extract(epoch FROM expires_at - clock_timestamp())::float8 AS "left_seconds!"
           FROM job_leases ORDER BY name"#
    )
    .fetch_all(conn)
    .await
}
