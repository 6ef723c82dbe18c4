//! `job_leases`. As role `system`.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

/// What a candidate finds.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) enum Standing {
    /// It holds the lease; `term` grows with each change of the holder.
    Ours { term: i64 },
    /// Somebody else does, for these many seconds if it is not renewed.
    Theirs { seconds: f64 },
}

/// Takes the lease where nobody holds it, and renews it where the candidate does. One that ends later than any holder could have
/// asked for is of a clock that was ahead, and holds nobody off.
pub(in crate::jobs) async fn stand(
    conn: &mut PgConnection,
    name: &str,
    candidate: Uuid,
    lease: Duration,
) -> Result<Standing, sqlx::Error> {
    // Looks before it writes: most candidates find somebody else, every few seconds.
    if let Some(seconds) = held_by_another(conn, name, candidate, lease).await? {
        return Ok(Standing::Theirs { seconds });
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
        Some(term) => Ok(Standing::Ours { term }),
        // Another candidate was faster.
        None => Ok(Standing::Theirs { seconds: lease.as_secs_f64() }),
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

/// Gives the lease back, so that another candidate need not wait for its end.
pub(in crate::jobs) async fn resign(conn: &mut PgConnection, name: &str, holder: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job_leases SET expires_at = clock_timestamp() WHERE name = $1 AND holder = $2", name, holder)
        .execute(conn)
        .await?;
    Ok(())
}

/// A lease as `doctor` shows it.
pub(in crate::jobs) struct LeaseRow {
    pub name: String,
    pub holder: Uuid,
    /// How long the holder has had it.
    pub held_seconds: f64,
    /// Until it ends; negative where it has ended.
    pub left_seconds: f64,
}

/// All leases.
pub(in crate::jobs) async fn leases(conn: &mut PgConnection) -> Result<Vec<LeaseRow>, sqlx::Error> {
    sqlx::query_as!(
        LeaseRow,
        r#"SELECT name, holder, extract(epoch FROM clock_timestamp() - held_since)::float8 AS "held_seconds!",
             extract(epoch FROM expires_at - clock_timestamp())::float8 AS "left_seconds!"
           FROM job_leases ORDER BY name"#
    )
    .fetch_all(conn)
    .await
}
