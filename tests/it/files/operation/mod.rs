//! What people and operators see of files: pages, the command line, checks, gauges, the virus scanner, mail.

mod attached;
mod figures;
mod pages;
mod scanner;
mod terminal;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::app::TestApp;

/// The database as its owner.
async fn owner(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&app.target().admin).await.unwrap()
}

async fn execute(app: &TestApp, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut owner(app).await).await.unwrap();
}

/// A series of files; `None`: NaN, or not there.
fn metric(app: &TestApp, series: &str) -> Option<f64> {
    let (text, name) = (app.app.telemetry.encode(), format!("holdfast_files_{series} "));
    let value: f64 = text.lines().find_map(|line| line.strip_prefix(&name))?.split(' ').next()?.parse().ok()?;
    Some(value).filter(|value| value.is_finite())
}
