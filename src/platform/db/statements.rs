//! Cost of the statements of requests and jobs, from `pg_stat_statements` if available.
//!
//! The extension shows the statements of all databases, whichever database it is in. In the private cluster that is `postgres`, not ours,
//! so that restoring our dump needs no superuser. On an external server it may be in either.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;

/// Where to look for the extension if it is not in our database.
const MAINTENANCE: &str = "postgres";

/// Totals of the serving roles.
#[derive(Debug)]
pub(super) struct Figures {
    pub calls: i64,
    /// Milliseconds, as the server counts.
    pub total_ms: f64,
    /// Highest mean among statements called at least ten times.
    pub slowest_mean_ms: Option<f64>,
}

/// The reader.
#[derive(Debug)]
pub(super) struct Statements {
    /// Connects as role `system` to our database.
    options: PgConnectOptions,
    /// Roles whose statements count.
    roles: Vec<String>,
    /// Connection to the maintenance database, if needed.
    apart: Option<PgConnection>,
    /// When the extension was found to be missing or unreadable.
    absent: Option<Instant>,
}

/// Interval of the search for a missing extension, which may be created while we run.
const ASK_AGAIN: Duration = Duration::from_mins(10);

// Without the texts, because they are in a file that would be read whole each time, and without columns that depend on the extension's
// version; the extension may be missing at build time.
const TOTALS: &str = "SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_exec_time), 0)::float8, \
      (max(mean_exec_time) FILTER (WHERE calls >= 10))::float8 \
    FROM pg_stat_statements(false) \
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) \
      AND userid IN (SELECT oid FROM pg_roles WHERE rolname = ANY($2))";

impl Statements {
    pub(super) fn new(options: PgConnectOptions, roles: Vec<String>) -> Self {
        Self { options, roles, apart: None, absent: None }
    }

    /// `None` if the extension is missing or unreadable for this role. `conn` is a connection to our database.
    pub(super) async fn read(&mut self, conn: &mut PgConnection) -> Result<Option<Figures>, sqlx::Error> {
        if self.absent.is_some_and(|found| found.elapsed() < ASK_AGAIN) {
            return Ok(None);
        }
        let roles = self.roles.clone();
        let ours = sqlx::query_scalar!("SELECT current_database() AS \"name!\"").fetch_one(&mut *conn).await?;
        if self.apart.is_none() && has_extension(conn).await? {
            return Ok(totals(conn, &ours, &roles).await.ok());
        }
        let figures = match self.apart().await {
            Ok(Some(apart)) => totals(apart, &ours, &roles).await,
            Ok(None) => {
                self.absent = Some(Instant::now());
                return Ok(None);
            }
            Err(error) => Err(error),
        };
        if figures.is_err() {
            // The connection may be broken: the next look makes a new one.
            self.apart = None;
        }
        Ok(figures.ok())
    }

    /// Connection to the maintenance database; `None` if the extension is not there either, or we may not connect.
    async fn apart(&mut self) -> Result<Option<&mut PgConnection>, sqlx::Error> {
        if self.apart.is_none() {
            let options = self.options.clone().database(MAINTENANCE).application_name("holdfast statistics");
            let mut conn = match PgConnection::connect_with(&options).await {
                Ok(conn) => conn,
                Err(sqlx::Error::Database(_)) => return Ok(None),
                Err(error) => return Err(error),
            };
            if !has_extension(&mut conn).await? {
                return Ok(None);
            }
            self.apart = Some(conn);
        }
        Ok(self.apart.as_mut())
    }
}

async fn has_extension(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT to_regclass('pg_stat_statements') IS NOT NULL AS "there!""#).fetch_one(conn).await
}

async fn totals(conn: &mut PgConnection, database: &str, roles: &[String]) -> Result<Figures, sqlx::Error> {
    let (calls, total_ms, slowest_mean_ms) = sqlx::query_as(TOTALS).bind(database).bind(roles).fetch_one(conn).await?;
    Ok(Figures { calls, total_ms, slowest_mean_ms })
}
