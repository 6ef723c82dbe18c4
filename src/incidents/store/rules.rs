//! `incident_rules`, `incident_defaults`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Matches, Quiet, Rule, RuleId, Step};
use platform::{http::Slice, ids::OrgId};
use uptime::ManagedBy;

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    name: String,
    position: i32,
    matches: serde_json::Value,
    steps: serde_json::Value,
    after_seconds: i32,
    group_wait_ms: i32,
    group_interval_seconds: i32,
    flap_changes: i32,
    flap_minutes: i32,
    quiet: serde_json::Value,
    proceed: bool,
    disabled: bool,
    managed_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Rule {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> sqlx::Result<T> {
            serde_json::from_value(value).map_err(|error| sqlx::Error::Decode(error.into()))
        }
        Ok(Self {
            id: RuleId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            position: row.position,
            matches: read::<Matches>(row.matches)?,
            steps: read::<Vec<Step>>(row.steps)?,
            after_seconds: row.after_seconds,
            group_wait_ms: row.group_wait_ms,
            group_interval_seconds: row.group_interval_seconds,
            flap_changes: row.flap_changes,
            flap_minutes: row.flap_minutes,
            quiet: read::<Vec<Quiet>>(row.quiet)?,
            proceed: row.proceed,
            disabled: row.disabled,
            managed_by: row.managed_by.as_deref().and_then(|by| by.parse().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// All of an owner's, in the order in which they are tried.
pub async fn all(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<Rule>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, position, matches, steps, after_seconds, group_wait_ms, group_interval_seconds, flap_changes, flap_minutes,
           quiet, proceed, disabled, managed_by, created_at, updated_at
         FROM incident_rules WHERE org_id IS NOT DISTINCT FROM $1 ORDER BY position, id",
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Rule::try_from).collect()
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Rule>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, position, matches, steps, after_seconds, group_wait_ms, group_interval_seconds, flap_changes, flap_minutes,
           quiet, proceed, disabled, managed_by, created_at, updated_at
         FROM incident_rules
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND ($3::text IS NULL OR strpos(lower(name || ' ' || key), lower($3)) > 0)
         ORDER BY id DESC LIMIT $4",
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Rule::try_from).collect()
}

/// What a rule is made of.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    pub key: &'a str,
    pub name: &'a str,
    pub position: i32,
    pub matches: &'a Matches,
    pub steps: &'a [Step],
    pub after_seconds: i32,
    pub group_wait_ms: i32,
    pub group_interval_seconds: i32,
    pub flap_changes: i32,
    pub flap_minutes: i32,
    pub quiet: &'a [Quiet],
    pub proceed: bool,
    pub disabled: bool,
    pub managed_by: Option<ManagedBy>,
}

fn json(value: impl serde::Serialize) -> sqlx::Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|error| sqlx::Error::Encode(error.into()))
}

/// False: the owner has one with this key.
pub async fn insert(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: RuleId,
    draft: &Draft<'_>,
    created_by: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO incident_rules (id, org_id, key, name, position, matches, steps, after_seconds, group_wait_ms, group_interval_seconds,
           flap_changes, flap_minutes, quiet, proceed, disabled, managed_by, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18) ON CONFLICT (org_id, key) DO NOTHING",
        id.0,
        org.map(|org| org.0),
        draft.key,
        draft.name,
        draft.position,
        json(draft.matches)?,
        json(draft.steps)?,
        draft.after_seconds,
        draft.group_wait_ms,
        draft.group_interval_seconds,
        draft.flap_changes,
        draft.flap_minutes,
        json(draft.quiet)?,
        draft.proceed,
        draft.disabled,
        draft.managed_by.map(ManagedBy::as_str),
        created_by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Its key stays.
pub async fn update(conn: &mut PgConnection, id: RuleId, draft: &Draft<'_>, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incident_rules SET name = $2, position = $3, matches = $4, steps = $5, after_seconds = $6, group_wait_ms = $7,
           group_interval_seconds = $8, flap_changes = $9, flap_minutes = $10, quiet = $11, proceed = $12, disabled = $13, updated_at = $14
         WHERE id = $1",
        id.0,
        draft.name,
        draft.position,
        json(draft.matches)?,
        json(draft.steps)?,
        draft.after_seconds,
        draft.group_wait_ms,
        draft.group_interval_seconds,
        draft.flap_changes,
        draft.flap_minutes,
        json(draft.quiet)?,
        draft.proceed,
        draft.disabled,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: RuleId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM incident_rules WHERE id = $1", id.0).execute(conn).await.map(drop)
}

/// True: the rule that mails the administrators of this organisation was not made before.
pub async fn take_default(conn: &mut PgConnection, org: OrgId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO incident_defaults (org_id, made_at) VALUES ($1, $2) ON CONFLICT (org_id) DO NOTHING",
        org.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Organisations that watch something and for which that rule was not made yet. As role `system`.
pub async fn without_default(conn: &mut PgConnection) -> sqlx::Result<Vec<OrgId>> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT m.org_id AS "org_id!" FROM uptime_monitors m
           WHERE m.org_id IS NOT NULL AND m.removed_at IS NULL
             AND NOT EXISTS (SELECT FROM incident_defaults d WHERE d.org_id = m.org_id)
           LIMIT 100"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(OrgId).collect())
}
