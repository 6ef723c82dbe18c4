//! Agents and their versions.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::json;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::model::{Agent, AgentId, AgentSettings, Version};
use knowledge::KnowledgeBaseId;
use platform::{db::contains, http::Slice, ids::OrgId};

struct Row {
    id: Uuid,
    slug: String,
    name: String,
    description: String,
    version: i32,
    settings: Json<AgentSettings>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Agent {
    fn from(row: Row) -> Self {
        Self {
            id: AgentId(row.id),
            slug: row.slug,
            name: row.name,
            description: row.description,
            version: row.version,
            settings: row.settings.0,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Inserts an agent; its first version follows with [`insert_version`].
pub async fn insert(conn: &mut PgConnection, org: OrgId, agent: &Agent) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agents (id, org_id, slug, name, description, current_version, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        agent.id.0,
        org.0,
        agent.slug,
        agent.name,
        agent.description,
        agent.version,
        agent.created_at,
        agent.updated_at
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn insert_version(
    conn: &mut PgConnection,
    org: OrgId,
    agent: AgentId,
    version: &Version,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO agent_versions (org_id, agent_id, version, settings, note, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        org.0,
        agent.0,
        version.version,
        Json(&version.settings) as _,
        version.note,
        version.created_by,
        version.created_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The agents that `$from` gives, with the settings of the version that answers. LATERAL with a LIMIT: looked up for each of the page's rows,
/// however many the planner takes a page for.
macro_rules! select {
    ($from:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Row,
            r#"SELECT a.id, a.slug, a.name, a.description, a.current_version AS version, v.settings AS "settings: Json<AgentSettings>",
                 a.created_at, a.updated_at
               FROM "# + $from + r#" a CROSS JOIN LATERAL (
                 SELECT * FROM agent_versions v WHERE v.agent_id = a.id AND v.version = a.current_version LIMIT 1
               ) v
               ORDER BY a.id DESC"#,
            $($argument),+
        )
    };
}

pub async fn get(conn: &mut PgConnection, id: AgentId) -> sqlx::Result<Option<Agent>> {
    let row = select!("(SELECT * FROM agents WHERE id = $1)", id.0).fetch_optional(conn).await?;
    Ok(row.map(Agent::from))
}

pub async fn get_by_slug(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Agent>> {
    let row = select!("(SELECT * FROM agents WHERE slug = $1)", slug).fetch_optional(conn).await?;
    Ok(row.map(Agent::from))
}

/// Newest first; `search` is a substring of name, slug or description.
pub async fn list(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<Agent>> {
    let (beyond, rows) = (slice.beyond(), slice.rows());
    let rows = match search.map(contains) {
        None => {
            select!("(SELECT * FROM agents WHERE id < $1 ORDER BY id DESC LIMIT $2)", beyond, rows)
                .fetch_all(conn)
                .await?
        }
        Some(pattern) => {
            select!(
                "(SELECT * FROM agents WHERE id = ANY (ARRAY(SELECT agents_found($1, $2, $3))))",
                pattern,
                beyond,
                rows
            )
            .fetch_all(conn)
            .await?
        }
    };
    Ok(rows.into_iter().map(Agent::from).collect())
}

/// The agents whose present version names a knowledge base, by id.
pub async fn using(conn: &mut PgConnection, base: KnowledgeBaseId) -> sqlx::Result<Vec<(AgentId, String)>> {
    let rows = sqlx::query!(
        "SELECT a.id, a.name FROM agents a JOIN agent_versions v ON v.agent_id = a.id AND v.version = a.current_version \
         WHERE v.settings -> 'knowledge_bases' @> $1 ORDER BY a.id",
        json!([base])
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (AgentId(row.id), row.name)).collect())
}

/// Id, name, and who made the first version.
pub async fn names(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, String, Option<String>)>> {
    let rows = sqlx::query!(
        "SELECT a.id, a.name, v.created_by AS \"created_by?\" FROM agents a \
         LEFT JOIN agent_versions v ON v.agent_id = a.id AND v.version = 1 WHERE a.id = ANY($1)",
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name, row.created_by)).collect())
}

pub async fn newest(conn: &mut PgConnection) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM agents ORDER BY id DESC LIMIT 1").fetch_optional(conn).await
}

/// Locks an agent until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: AgentId) -> sqlx::Result<bool> {
    let row = sqlx::query_scalar!("SELECT id FROM agents WHERE id = $1 FOR UPDATE", id.0).fetch_optional(conn).await?;
    Ok(row.is_some())
}

/// Highest version number of an agent; rolling back does not lower it.
pub async fn last_version(conn: &mut PgConnection, id: AgentId) -> sqlx::Result<i32> {
    sqlx::query_scalar!(
        "SELECT coalesce(max(version), 0) AS \"version!\" FROM agent_versions WHERE agent_id = $1",
        id.0
    )
    .fetch_one(conn)
    .await
}

/// Updates name, slug, description and the current version.
pub async fn update(conn: &mut PgConnection, agent: &Agent) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE agents SET slug = $2, name = $3, description = $4, current_version = $5, updated_at = $6 WHERE id = $1",
        agent.id.0,
        agent.slug,
        agent.name,
        agent.description,
        agent.version,
        agent.updated_at
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: AgentId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM agents WHERE id = $1", id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Newest first; `search` is a substring of note or instructions. An agent has few versions: no index serves the search.
pub async fn versions(
    conn: &mut PgConnection,
    id: AgentId,
    search: Option<&str>,
    slice: &Slice<i64>,
) -> sqlx::Result<Vec<Version>> {
    let rows = sqlx::query!(
        r#"SELECT version, settings AS "settings: Json<AgentSettings>", note, created_by, created_at
           FROM agent_versions WHERE agent_id = $1 AND version < $2
             AND ($3::text IS NULL OR (note || ' ' || coalesce(settings->>'instructions', '')) ILIKE $3)
           ORDER BY version DESC LIMIT $4"#,
        id.0,
        i32::try_from(slice.beyond()).unwrap_or(i32::MAX),
        search.map(contains),
        slice.rows()
    )
    .fetch_all(conn)
    .await?;
    let version = |r: (i32, Json<AgentSettings>, String, String, DateTime<Utc>)| Version {
        version: r.0,
        settings: r.1.0,
        note: r.2,
        created_by: r.3,
        created_at: r.4,
    };
    Ok(rows.into_iter().map(|r| version((r.version, r.settings, r.note, r.created_by, r.created_at))).collect())
}

pub async fn has_version(conn: &mut PgConnection, id: AgentId, version: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        "SELECT EXISTS (SELECT FROM agent_versions WHERE agent_id = $1 AND version = $2) AS \"exists!\"",
        id.0,
        version
    )
    .fetch_one(conn)
    .await
}

/// Number of agents and conversations of the organisation, and of conversations with a message since `since`.
pub async fn counts(conn: &mut PgConnection, since: DateTime<Utc>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM agents) AS "agents!", (SELECT count(*) FROM conversations WHERE updated_at >= $1) AS "recent!""#,
        since
    )
    .fetch_one(conn)
    .await?;
    Ok((row.agents, row.recent))
}

/// `(day in UTC, conversations started on it)` since `since`.
pub async fn conversations_by_day(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
) -> sqlx::Result<Vec<(NaiveDate, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT (created_at AT TIME ZONE 'UTC')::date AS "day!", count(*) AS "count!" FROM conversations WHERE created_at >= $1 GROUP BY 1"#,
        since
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| (r.day, r.count)).collect())
}
