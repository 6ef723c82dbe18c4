//! `incident_rotas`, `incident_rota_overrides`, `incident_people`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ChannelId, Layer, Override, OverrideId, Rota, RotaId};
use platform::{
    http::Slice,
    ids::{OrgId, UserId},
};
use uptime::ManagedBy;

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    name: String,
    zone: String,
    layers: serde_json::Value,
    managed_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Rota {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let layers: Vec<Layer> =
            serde_json::from_value(row.layers).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Self {
            id: RotaId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            zone: row.zone,
            layers,
            managed_by: row.managed_by.as_deref().and_then(|by| by.parse().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The owner's, newest first.
pub async fn read(conn: &mut PgConnection, org: Option<OrgId>, ids: &[Uuid]) -> sqlx::Result<Vec<Rota>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, zone, layers, managed_by, created_at, updated_at
         FROM incident_rotas WHERE id = ANY($1) AND org_id IS NOT DISTINCT FROM $2 ORDER BY id DESC",
        ids,
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Rota::try_from).collect()
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Rota>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, zone, layers, managed_by, created_at, updated_at
         FROM incident_rotas
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND ($3::text IS NULL OR strpos(lower(name || ' ' || key), lower($3)) > 0)
         ORDER BY id DESC LIMIT $4",
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Rota::try_from).collect()
}

/// Those that a rule names, of all owners. As role `system`.
pub async fn used(conn: &mut PgConnection) -> sqlx::Result<Vec<Rota>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, zone, layers, managed_by, created_at, updated_at FROM incident_rotas t
         WHERE EXISTS (SELECT FROM incident_rules r CROSS JOIN LATERAL jsonb_array_elements(r.steps) step
                       WHERE NOT r.disabled AND step->>'rota' = t.id::text AND r.org_id IS NOT DISTINCT FROM t.org_id)
         ORDER BY id LIMIT 1000",
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Rota::try_from).collect()
}

/// Key, id, who manages it.
pub async fn keys(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<(String, RotaId, Option<String>)>> {
    let rows = sqlx::query!(
        "SELECT key, id, managed_by FROM incident_rotas WHERE org_id IS NOT DISTINCT FROM $1",
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, RotaId(row.id), row.managed_by)).collect())
}

/// False: the owner has one with this key.
pub async fn insert(conn: &mut PgConnection, org: Option<OrgId>, rota: &Rota, created_by: &str) -> sqlx::Result<bool> {
    let layers = serde_json::to_value(&rota.layers).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = sqlx::query!(
        "INSERT INTO incident_rotas (id, org_id, key, name, zone, layers, managed_by, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (org_id, key) DO NOTHING",
        rota.id.0,
        org.map(|org| org.0),
        rota.key,
        rota.name,
        rota.zone,
        layers,
        rota.managed_by.map(ManagedBy::as_str),
        created_by,
        rota.created_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn update(
    conn: &mut PgConnection,
    id: RotaId,
    (name, zone, layers): (&str, &str, &[Layer]),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let layers = serde_json::to_value(layers).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "UPDATE incident_rotas SET name = $2, zone = $3, layers = $4, updated_at = $5 WHERE id = $1",
        id.0,
        name,
        zone,
        layers,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: RotaId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM incident_rotas WHERE id = $1", id.0).execute(conn).await.map(drop)
}

struct OverrideRow {
    id: Uuid,
    rota_id: Uuid,
    user_id: Uuid,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    created_by: String,
    created_at: DateTime<Utc>,
}

/// Those that end after `since`, newest first.
pub async fn overrides(
    conn: &mut PgConnection,
    rota: RotaId,
    since: DateTime<Utc>,
    slice: &Slice,
) -> sqlx::Result<Vec<Override>> {
    let rows = sqlx::query_as!(
        OverrideRow,
        "SELECT id, rota_id, user_id, starts_at, ends_at, created_by, created_at
         FROM incident_rota_overrides WHERE rota_id = $1 AND ends_at > $2 AND id < $3 ORDER BY id DESC LIMIT $4",
        rota.0,
        since,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Override {
            id: OverrideId(row.id),
            rota_id: RotaId(row.rota_id),
            user_id: UserId(row.user_id),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            created_by: row.created_by,
            created_at: row.created_at,
        })
        .collect())
}

pub async fn insert_override(conn: &mut PgConnection, org: Option<OrgId>, new: &Override) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_rota_overrides (id, org_id, rota_id, user_id, starts_at, ends_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        org.map(|org| org.0),
        new.rota_id.0,
        new.user_id.0,
        new.starts_at,
        new.ends_at,
        new.created_by,
        new.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// False: the rota has none with this id.
pub async fn delete_override(conn: &mut PgConnection, rota: RotaId, id: OverrideId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM incident_rota_overrides WHERE id = $1 AND rota_id = $2", id.0, rota.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Where a person is told: channels and language; `None`: by mail.
pub async fn person(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    user: UserId,
) -> sqlx::Result<Option<(Vec<ChannelId>, String)>> {
    let row = sqlx::query!(
        "SELECT channels, language FROM incident_people WHERE org_id IS NOT DISTINCT FROM $1 AND user_id = $2",
        org.map(|org| org.0),
        user.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.channels.into_iter().map(ChannelId).collect(), row.language)))
}

pub async fn set_person(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    user: UserId,
    channels: &[Uuid],
    language: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_people (org_id, user_id, channels, language, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (org_id, user_id) DO UPDATE SET channels = excluded.channels, language = excluded.language, updated_at = excluded.updated_at",
        org.map(|org| org.0),
        user.0,
        channels,
        language,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
