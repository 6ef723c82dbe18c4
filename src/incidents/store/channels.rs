//! `incident_channels`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Channel, ChannelId, ChannelKind, ChannelSettings, DisabledReason};
use platform::{http::Slice, ids::OrgId};
use uptime::ManagedBy;

/// A channel as stored.
pub struct Row {
    pub id: Uuid,
    pub org_id: Option<Uuid>,
    pub key: String,
    pub name: String,
    pub kind: String,
    pub settings: serde_json::Value,
    pub secrets: Option<Vec<u8>>,
    pub language: String,
    pub zone: String,
    pub disabled_at: Option<DateTime<Utc>>,
    pub disabled_reason: Option<String>,
    pub managed_by: Option<String>,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl Row {
    pub fn id(&self) -> ChannelId {
        ChannelId(self.id)
    }

    pub fn kind(&self) -> ChannelKind {
        self.kind.parse().unwrap_or(ChannelKind::Webhook)
    }

    pub fn settings(&self) -> ChannelSettings {
        serde_json::from_value(self.settings.clone()).unwrap_or_default()
    }

    pub fn is_managed(&self) -> bool {
        self.managed_by.as_deref() == Some(ManagedBy::File.as_str())
    }

    /// `ends_with`: of its secret.
    pub fn channel(self, ends_with: Option<String>) -> Channel {
        Channel {
            id: self.id(),
            installation: self.org_id.is_none(),
            kind: self.kind(),
            settings: self.settings(),
            key: self.key,
            name: self.name,
            ends_with,
            language: self.language,
            zone: self.zone,
            disabled_at: self.disabled_at,
            disabled_reason: self.disabled_reason.as_deref().and_then(|reason| reason.parse().ok()),
            managed_by: self.managed_by.as_deref().and_then(|by| by.parse().ok()),
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, kind, settings, secrets, language, zone, disabled_at, disabled_reason, managed_by, created_by, created_at,
           updated_at
         FROM incident_channels
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND ($3::text IS NULL OR strpos(lower(name || ' ' || key || ' ' || kind), lower($3)) > 0)
         ORDER BY id DESC LIMIT $4",
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}

/// The owner's; in no order.
pub async fn read(conn: &mut PgConnection, org: Option<OrgId>, ids: &[Uuid]) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, kind, settings, secrets, language, zone, disabled_at, disabled_reason, managed_by, created_by, created_at,
           updated_at
         FROM incident_channels WHERE id = ANY($1) AND org_id IS NOT DISTINCT FROM $2",
        ids,
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await
}

/// Key, id, who manages it.
pub async fn keys(
    conn: &mut PgConnection,
    org: Option<OrgId>,
) -> sqlx::Result<Vec<(String, ChannelId, Option<String>)>> {
    let rows = sqlx::query!(
        "SELECT key, id, managed_by FROM incident_channels WHERE org_id IS NOT DISTINCT FROM $1",
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, ChannelId(row.id), row.managed_by)).collect())
}

/// What a channel is made of, or changed to.
pub struct Draft<'a> {
    pub key: &'a str,
    pub name: &'a str,
    pub kind: ChannelKind,
    pub settings: &'a ChannelSettings,
    /// Sealed.
    pub secrets: Option<&'a [u8]>,
    pub language: &'a str,
    pub zone: &'a str,
    pub managed_by: Option<ManagedBy>,
}

/// False: the owner has one with this key.
pub async fn insert(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: ChannelId,
    draft: &Draft<'_>,
    created_by: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let settings = serde_json::to_value(draft.settings).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let done = sqlx::query!(
        "INSERT INTO incident_channels (id, org_id, key, name, kind, settings, secrets, language, zone, managed_by, created_by, created_at,
           updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12) ON CONFLICT (org_id, key) DO NOTHING",
        id.0,
        org.map(|org| org.0),
        draft.key,
        draft.name,
        draft.kind.as_str(),
        settings,
        draft.secrets,
        draft.language,
        draft.zone,
        draft.managed_by.map(ManagedBy::as_str),
        created_by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Without new secrets it keeps its own.
pub async fn update(conn: &mut PgConnection, id: ChannelId, draft: &Draft<'_>, now: DateTime<Utc>) -> sqlx::Result<()> {
    let settings = serde_json::to_value(draft.settings).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!(
        "UPDATE incident_channels SET name = $2, settings = $3, secrets = coalesce($4, secrets), language = $5, zone = $6, updated_at = $7
         WHERE id = $1",
        id.0,
        draft.name,
        settings,
        draft.secrets,
        draft.language,
        draft.zone,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Another chat, as Telegram says when a group becomes a supergroup.
pub async fn set_settings(
    conn: &mut PgConnection,
    id: ChannelId,
    settings: &ChannelSettings,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let settings = serde_json::to_value(settings).map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query!("UPDATE incident_channels SET settings = $2, updated_at = $3 WHERE id = $1", id.0, settings, now)
        .execute(conn)
        .await
        .map(drop)
}

/// `None` enables it. False: it was so already.
pub async fn disable(
    conn: &mut PgConnection,
    id: ChannelId,
    reason: Option<DisabledReason>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incident_channels SET disabled_at = CASE WHEN $2::text IS NOT NULL THEN $3::timestamptz END, disabled_reason = $2, updated_at = $3
         WHERE id = $1 AND disabled_reason IS DISTINCT FROM $2",
        id.0,
        reason.map(DisabledReason::as_str),
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn delete(conn: &mut PgConnection, id: ChannelId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM incident_channels WHERE id = $1", id.0).execute(conn).await.map(drop)
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM incident_channels WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
    )
    .fetch_one(conn)
    .await
}
