//! Members of the organisation, and its name. Inside the organisation.

use sqlx::PgConnection;

use crate::{
    auth::model::{Member, Organisation},
    platform::{
        http::Role,
        ids::{OrgId, UserId},
    },
};

/// A page of members by user id; `search` matches e-mail and name.
pub async fn list(
    conn: &mut PgConnection,
    search: &str,
    after: Option<uuid::Uuid>,
    limit: i64,
) -> sqlx::Result<Vec<Member>> {
    sqlx::query_as!(
        Member,
        "SELECT m.user_id AS \"user_id: UserId\", u.email, u.name, m.role AS \"role: Role\", u.last_sign_in_at, m.created_at \
         FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE ($1::uuid IS NULL OR m.user_id > $1) AND strpos(lower(u.email || ' ' || u.name), lower($2)) > 0 ORDER BY m.user_id LIMIT $3",
        after,
        search,
        limit
    )
    .fetch_all(conn)
    .await
}

pub async fn get(conn: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Member>> {
    sqlx::query_as!(
        Member,
        "SELECT m.user_id AS \"user_id: UserId\", u.email, u.name, m.role AS \"role: Role\", u.last_sign_in_at, m.created_at \
         FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.user_id = $1",
        user.0
    )
    .fetch_optional(conn)
    .await
}

pub async fn by_email(conn: &mut PgConnection, spellings: &[String]) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        "SELECT EXISTS (SELECT FROM memberships m JOIN users u ON u.id = m.user_id WHERE u.email = ANY($1)) AS \"member!\"",
        spellings
    )
    .fetch_one(conn)
    .await
}

/// The owners, locked: serialises two owners who remove each other at the same time.
pub async fn lock_owners(conn: &mut PgConnection) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar!(
        "SELECT user_id AS \"id: UserId\" FROM memberships WHERE role = 'owner' ORDER BY user_id FOR UPDATE"
    )
    .fetch_all(conn)
    .await
}

pub async fn set_role(conn: &mut PgConnection, user: UserId, role: Role) -> sqlx::Result<()> {
    sqlx::query!("UPDATE memberships SET role = $2 WHERE user_id = $1", user.0, role.as_str()).execute(conn).await?;
    Ok(())
}

pub async fn delete(conn: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM memberships WHERE user_id = $1", user.0).execute(conn).await?;
    Ok(())
}

pub async fn organisation(conn: &mut PgConnection) -> sqlx::Result<Option<Organisation>> {
    sqlx::query_as!(Organisation, "SELECT id AS \"id: OrgId\", slug, name, created_at FROM organisations")
        .fetch_optional(conn)
        .await
}

pub async fn rename_organisation(conn: &mut PgConnection, id: OrgId, name: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE organisations SET name = $2 WHERE id = $1", id.0, name).execute(conn).await?;
    Ok(())
}
