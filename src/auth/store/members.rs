//! Members of the organisation, and its name. Inside the organisation.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Member, Organisation};
use platform::{
    db::contains,
    http::{Role, Slice},
    ids::{OrgId, UserId},
};

/// The members that `$from` gives, with their accounts. `$order` repeats its order.
macro_rules! select {
    ($from:literal, $order:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Member,
            "SELECT m.user_id AS \"user_id: UserId\", u.email, u.name, m.role AS \"role: Role\", u.last_sign_in_at, m.created_at \
             FROM " + $from + " m CROSS JOIN LATERAL (SELECT p.email, p.name, p.last_sign_in_at FROM users p WHERE p.id = m.user_id LIMIT 1) u ORDER BY m.user_id " + $order,
            $($argument),+
        )
    };
}

/// Id and name of these members; the e-mail where somebody has given no name.
pub async fn names(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, String, Option<Uuid>)>> {
    let rows = sqlx::query!(
        "SELECT m.user_id, coalesce(nullif(u.name, ''), u.email) AS \"name!\" \
         FROM memberships m CROSS JOIN LATERAL (SELECT p.email, p.name FROM users p WHERE p.id = m.user_id LIMIT 1) u \
         WHERE m.user_id = ANY($1)",
        ids
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.user_id, row.name, None)).collect())
}

/// The newest account first, or the oldest; `search` is a part of e-mail or name.
pub async fn list(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<Member>> {
    let (beyond, rows, oldest) = (slice.beyond(), slice.rows(), slice.is_oldest_first());
    match search.map(contains) {
        None if oldest => {
            select!("(SELECT * FROM memberships WHERE user_id > $1 ORDER BY user_id LIMIT $2)", "ASC", beyond, rows)
                .fetch_all(conn)
                .await
        }
        None => {
            select!(
                "(SELECT * FROM memberships WHERE user_id < $1 ORDER BY user_id DESC LIMIT $2)",
                "DESC",
                beyond,
                rows
            )
            .fetch_all(conn)
            .await
        }
        Some(pattern) => {
            let mut found = select!(
                "(SELECT * FROM memberships WHERE user_id = ANY (ARRAY(SELECT auth_members_found($1, $2, $3, $4))))",
                "DESC",
                pattern,
                beyond,
                oldest,
                rows
            )
            .fetch_all(conn)
            .await?;
            if oldest {
                found.reverse();
            }
            Ok(found)
        }
    }
}

pub async fn get(conn: &mut PgConnection, user: UserId) -> sqlx::Result<Option<Member>> {
    select!("(SELECT * FROM memberships WHERE user_id = $1)", "DESC", user.0).fetch_optional(conn).await
}

/// Owners and admins who can sign in, the oldest account first.
pub async fn admins(conn: &mut PgConnection) -> sqlx::Result<Vec<Member>> {
    sqlx::query_as!(
        Member,
        "SELECT m.user_id AS \"user_id: UserId\", u.email, u.name, m.role AS \"role: Role\", u.last_sign_in_at, m.created_at \
         FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.role IN ('owner', 'admin') AND u.disabled_at IS NULL ORDER BY m.user_id"
    )
    .fetch_all(conn)
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
