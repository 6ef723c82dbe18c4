//! Organisations and people. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Account, Organisation, User};
use platform::{
    db::{contains, lock_until_commit},
    http::{OrgRef, Role, Slice},
    ids::{OrgId, UserId},
};

/// Serialises first starts until the transaction ends.
pub async fn lock_bootstrap(conn: &mut PgConnection) -> sqlx::Result<()> {
    lock_until_commit(conn, "auth.bootstrap").await
}

pub async fn any_user(conn: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!("SELECT EXISTS (SELECT FROM users) AS \"any!\"").fetch_one(conn).await
}

pub async fn insert_organisation(conn: &mut PgConnection, org: &Organisation) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO organisations (id, slug, name, created_at) VALUES ($1, $2, $3, $4)",
        org.id.0,
        org.slug,
        org.name,
        org.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Organisations of the installation; `$rest` is the filter and the order.
macro_rules! organisations {
    ($rest:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            Organisation,
            "SELECT id AS \"id: OrgId\", slug, name, created_at FROM organisations WHERE " + $rest,
            $($argument),+
        )
    };
}

/// `search` is a part of name or slug.
pub async fn list_organisations(
    conn: &mut PgConnection,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Organisation>> {
    let (beyond, rows, oldest) = (slice.beyond(), slice.rows(), slice.is_oldest_first());
    let mut found = match search.map(contains) {
        None if oldest => organisations!("id > $1 ORDER BY id LIMIT $2", beyond, rows).fetch_all(conn).await?,
        None => organisations!("id < $1 ORDER BY id DESC LIMIT $2", beyond, rows).fetch_all(conn).await?,
        Some(pattern) => {
            organisations!(
                "id = ANY (ARRAY(SELECT auth_organisations_found($1, $2, $3, $4))) ORDER BY id DESC",
                pattern,
                beyond,
                oldest,
                rows
            )
            .fetch_all(conn)
            .await?
        }
    };
    if search.is_some() && oldest {
        found.reverse();
    }
    Ok(found)
}

pub async fn organisation_by_slug(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<Organisation>> {
    sqlx::query_as!(
        Organisation,
        "SELECT id AS \"id: OrgId\", slug, name, created_at FROM organisations WHERE slug = $1",
        slug
    )
    .fetch_optional(conn)
    .await
}

/// A person to insert.
pub struct NewUser<'a> {
    pub id: UserId,
    pub email: &'a str,
    pub name: &'a str,
    pub password_hash: &'a str,
    pub must_change_password: bool,
    pub is_operator: bool,
    pub created_at: DateTime<Utc>,
}

pub async fn insert_user(conn: &mut PgConnection, user: &NewUser<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO users (id, email, name, password_hash, must_change_password, is_operator, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        user.id.0,
        user.email,
        user.name,
        user.password_hash,
        user.must_change_password,
        user.is_operator,
        user.created_at
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn insert_membership(
    conn: &mut PgConnection,
    org: OrgId,
    user: UserId,
    role: Role,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO memberships (org_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)",
        org.0,
        user.0,
        role.as_str(),
        at
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The account with the first of these spellings that exists.
pub async fn account_by_email(conn: &mut PgConnection, spellings: &[String]) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        "SELECT id AS \"id: UserId\", email, password_hash, must_change_password, is_operator, \
           disabled_at IS NOT NULL AS \"disabled!\" FROM users WHERE email = ANY($1) \
         ORDER BY array_position($1, email) LIMIT 1",
        spellings
    )
    .fetch_optional(conn)
    .await
}

pub async fn account_by_id(conn: &mut PgConnection, id: UserId) -> sqlx::Result<Option<Account>> {
    sqlx::query_as!(
        Account,
        "SELECT id AS \"id: UserId\", email, password_hash, must_change_password, is_operator, \
           disabled_at IS NOT NULL AS \"disabled!\" FROM users WHERE id = $1",
        id.0
    )
    .fetch_optional(conn)
    .await
}

/// People of the installation, the oldest account first; `search` is a part of e-mail or name.
pub async fn list_users(conn: &mut PgConnection, search: Option<&str>, slice: &Slice) -> sqlx::Result<Vec<User>> {
    sqlx::query_as!(
        User,
        "SELECT id AS \"id: UserId\", email, name, is_operator, must_change_password, disabled_at IS NOT NULL AS \"disabled!\", \
           last_sign_in_at, created_at FROM users \
         WHERE id > $1 AND ($2::text IS NULL OR (email || ' ' || name) ILIKE $2) ORDER BY id LIMIT $3",
        slice.above(),
        search.map(contains),
        slice.rows()
    )
    .fetch_all(conn)
    .await
}

/// Operators who can sign in, the oldest account first.
pub async fn operators(conn: &mut PgConnection) -> sqlx::Result<Vec<User>> {
    sqlx::query_as!(
        User,
        "SELECT id AS \"id: UserId\", email, name, is_operator, must_change_password, disabled_at IS NOT NULL AS \"disabled!\", \
           last_sign_in_at, created_at FROM users WHERE is_operator AND disabled_at IS NULL ORDER BY id"
    )
    .fetch_all(conn)
    .await
}

pub async fn set_password(conn: &mut PgConnection, id: UserId, hash: &str, must_change: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE users SET password_hash = $2, must_change_password = $3 WHERE id = $1",
        id.0,
        hash,
        must_change
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the same password's hash under the current parameters, unless it was changed in between.
pub async fn rehash(conn: &mut PgConnection, id: UserId, old: &str, new: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2", id.0, old, new)
        .execute(conn)
        .await?;
    Ok(())
}

pub async fn set_name(conn: &mut PgConnection, id: UserId, name: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE users SET name = $2 WHERE id = $1", id.0, name).execute(conn).await?;
    Ok(())
}

/// `chosen`: the language that the person has chosen; `preferred`: the one to keep if none is kept yet.
pub async fn signed_in(
    conn: &mut PgConnection,
    id: UserId,
    at: DateTime<Utc>,
    chosen: Option<&str>,
    preferred: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE users SET last_sign_in_at = $2, language = coalesce($3, language, $4) WHERE id = $1",
        id.0,
        at,
        chosen,
        preferred
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn set_language(conn: &mut PgConnection, id: UserId, language: &str) -> sqlx::Result<()> {
    sqlx::query!("UPDATE users SET language = $2 WHERE id = $1", id.0, language).execute(conn).await?;
    Ok(())
}

/// E-mail and language of those accounts whose language is known.
pub async fn languages(conn: &mut PgConnection, emails: &[String]) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"SELECT email, language AS "language!" FROM users WHERE email = ANY($1) AND language IS NOT NULL"#,
        emails
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.email, row.language)).collect())
}

pub async fn has_signed_in(conn: &mut PgConnection, id: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT last_sign_in_at IS NOT NULL AS "ever!" FROM users WHERE id = $1"#, id.0)
        .fetch_one(conn)
        .await
}

/// The organisations that a person belongs to, by name.
pub async fn organisations_of(conn: &mut PgConnection, user: UserId) -> sqlx::Result<Vec<OrgRef>> {
    sqlx::query_as!(
        OrgRef,
        "SELECT o.id AS \"id: OrgId\", o.name, o.slug, m.role AS \"role: Role\" FROM memberships m JOIN organisations o ON o.id = m.org_id \
         WHERE m.user_id = $1 ORDER BY o.name, o.id",
        user.0
    )
    .fetch_all(conn)
    .await
}

/// For the health check: owners who can sign in, organisations without an owner, operators with a one-time password.
pub async fn health(conn: &mut PgConnection) -> sqlx::Result<(i64, i64, i64)> {
    let row = sqlx::query!(
        "SELECT (SELECT count(*) FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.role = 'owner' AND u.disabled_at IS NULL) AS \"owners!\", \
           (SELECT count(*) FROM organisations o WHERE NOT EXISTS (SELECT FROM memberships m WHERE m.org_id = o.id AND m.role = 'owner')) AS \"ownerless!\", \
           (SELECT count(*) FROM users WHERE is_operator AND must_change_password) AS \"one_time!\""
    )
    .fetch_one(conn)
    .await?;
    Ok((row.owners, row.ownerless, row.one_time))
}
