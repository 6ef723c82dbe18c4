//! `incident_told`, `incident_told_keys`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ChannelId, Held, IncidentId, RuleId, Told, ToldId, What};
use platform::{
    http::Slice,
    ids::{OrgId, UserId},
};

/// True: it was not decided on before. `once` is `<what>/<number>/<rule>/<step>/<receiver>`.
pub async fn take(conn: &mut PgConnection, org: Option<OrgId>, incident: IncidentId, once: &str) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO incident_told_keys (incident_id, once, org_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        incident.0,
        once,
        org.map(|org| org.0),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Keys that begin so.
pub async fn keys(conn: &mut PgConnection, incident: IncidentId, begin: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT once FROM incident_told_keys WHERE incident_id = $1 AND starts_with(once, $2) ORDER BY once",
        incident.0,
        begin,
    )
    .fetch_all(conn)
    .await
}

pub async fn insert(conn: &mut PgConnection, org: Option<OrgId>, told: &Told) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_told (id, created_at, org_id, incident_id, rule_id, channel_id, user_id, what, delivery_id, held)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        told.id.0,
        told.created_at,
        org.map(|org| org.0),
        told.incident_id.map(|id| id.0),
        told.rule_id.map(|id| id.0),
        told.channel_id.map(|id| id.0),
        told.user_id.map(|id| id.0),
        told.what.as_str(),
        told.delivery_id,
        told.held.map(Held::as_str),
    )
    .execute(conn)
    .await
    .map(drop)
}

struct Row {
    id: Uuid,
    created_at: DateTime<Utc>,
    incident_id: Option<Uuid>,
    rule_id: Option<Uuid>,
    channel_id: Option<Uuid>,
    user_id: Option<Uuid>,
    what: String,
    delivery_id: Option<Uuid>,
    held: Option<String>,
}

impl From<Row> for Told {
    fn from(row: Row) -> Self {
        Self {
            id: ToldId(row.id),
            incident_id: row.incident_id.map(IncidentId),
            rule_id: row.rule_id.map(RuleId),
            channel_id: row.channel_id.map(ChannelId),
            user_id: row.user_id.map(UserId),
            what: row.what.parse().unwrap_or(What::Updated),
            delivery_id: row.delivery_id,
            held: row.held.as_deref().and_then(|held| held.parse().ok()),
            created_at: row.created_at,
        }
    }
}

/// Newest first.
pub async fn of_incident(conn: &mut PgConnection, incident: IncidentId, slice: &Slice) -> sqlx::Result<Vec<Told>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, created_at, incident_id, rule_id, channel_id, user_id, what, delivery_id, held
         FROM incident_told WHERE incident_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        incident.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Told::from).collect())
}

/// Newest first.
pub async fn of_channel(conn: &mut PgConnection, channel: ChannelId, slice: &Slice) -> sqlx::Result<Vec<Told>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, created_at, incident_id, rule_id, channel_id, user_id, what, delivery_id, held
         FROM incident_told WHERE channel_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        channel.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Told::from).collect())
}

/// When this rule last told that it began or has grown.
pub async fn last(conn: &mut PgConnection, incident: IncidentId, rule: RuleId) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "SELECT max(created_at) FROM incident_told
         WHERE incident_id = $1 AND rule_id = $2 AND what IN ('opened', 'grown') AND delivery_id IS NOT NULL",
        incident.0,
        rule.0,
    )
    .fetch_one(conn)
    .await
}

/// What was told of one incident was told of another, of which it is a part.
pub async fn move_to(conn: &mut PgConnection, from: IncidentId, into: IncidentId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incident_told SET incident_id = $2 WHERE incident_id = $1", from.0, into.0)
        .execute(conn)
        .await
        .map(drop)
}

/// Somebody who was told.
pub struct Reached {
    pub rule: Option<RuleId>,
    pub channel: Option<ChannelId>,
    pub user: Option<UserId>,
}

/// Whom the incident was told to since its last resolution was told. They are told of the end.
pub async fn receivers(conn: &mut PgConnection, incident: IncidentId) -> sqlx::Result<Vec<Reached>> {
    let rows = sqlx::query!(
        "SELECT DISTINCT ON (channel_id, user_id) rule_id, channel_id, user_id FROM incident_told
         WHERE incident_id = $1 AND delivery_id IS NOT NULL AND what IN ('opened', 'grown', 'reminder', 'escalated', 'flapping')
           AND created_at > coalesce((SELECT max(created_at) FROM incident_told
                                      WHERE incident_id = $1 AND what = 'resolved' AND delivery_id IS NOT NULL), '-infinity')
         ORDER BY channel_id, user_id, id",
        incident.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Reached {
            rule: row.rule_id.map(RuleId),
            channel: row.channel_id.map(ChannelId),
            user: row.user_id.map(UserId),
        })
        .collect())
}
