//! What requests and jobs cost the server, out of `pg_stat_statements`, where that is there.
//!
//! The extension shows the statements of all databases wherever it was created. In the private cluster that is the database
//! `postgres` and not ours: a dump of ours must not need a superuser to be restored. On a server of somebody else's it may be in
//! either.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;

/// Where the extension is, where it is not in our database.
const MAINTENANCE: &str = "postgres";

/// Totals of the roles that serve.
#[derive(Debug)]
pub(super) struct Figures {
    pub calls: i64,
    /// Milliseconds, as the server counts them.
    pub total_ms: f64,
    /// Mean of the slowest among those that were called ten times.
    pub slowest_mean_ms: Option<f64>,
}

/// The reader.
#[derive(Debug)]
pub(super) struct Statements {
    /// As role `system`, to our database.
    options: PgConnectOptions,
    /// Whose statements count.
    roles: Vec<String>,
    /// The connection to the maintenance database, once it was found to be needed.
    apart: Option<PgConnection>,
    /// When it was found to be nowhere, or not for us.
    absent: Option<Instant>,
}

/// Somebody may make the extension while we run.
const ASK_AGAIN: Duration = Duration::from_mins(10);

// Without the texts, which are in a file that would be read whole each time. Whose columns depend on the extension's version
// are left out; the extension need not be there when this is built.
const TOTALS: &str = "SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(total_exec_time), 0)::float8, \
      (max(mean_exec_time) FILTER (WHERE calls >= 10))::float8 \
    FROM pg_stat_statements(false) \
    WHERE dbid = (SELECT oid FROM pg_database WHERE datname = $1) \
      AND userid IN (SELECT oid FROM pg_roles WHERE rolname = ANY($2))";

impl Statements {
    pub(super) fn new(options: PgConnectOptions, roles: Vec<String>) -> Self {
        Self { options, roles, apart: None, absent: None }
    }

    /// `None` where there is no such extension, or not for this role. `conn` is a connection to our database.
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
            // It may be a connection that broke: the next look makes another.
            self.apart = None;
        }
        Ok(figures.ok())
    }

    /// The connection to the maintenance database; `None` where the extension is not there either, or the server lets us in nowhere
    /// but to our own.
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
