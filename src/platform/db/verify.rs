//! Verifies at each start that the server enforces tenancy; otherwise we do not serve.

use sqlx::PgConnection;

use super::{DbError, RoleKind, Target};

/// Row-level security is not enforced.
#[derive(Debug, thiserror::Error)]
pub enum Unsafe {
    #[error("row-level security does not hold, refusing to serve:\n  {}", .0.join("\n  "))]
    RowLevelSecurity(Vec<String>),
    #[error(transparent)]
    Db(#[from] DbError),
}

crate::from_sqlx!(Unsafe);

/// Checks that the serving roles are bound by row-level security and that every table with `org_id` forces it and has a policy. Also
/// refuses minor versions that leak rows through policies (CVE-2023-2455, CVE-2024-10976).
pub async fn row_level_security(conn: &mut PgConnection, target: &Target) -> Result<(), Unsafe> {
    let mut findings = Vec::new();
    version(conn, &mut findings).await?;
    for kind in [RoleKind::App, RoleKind::System] {
        let name = target.role_name(kind);
        let role = sqlx::query!(
            "SELECT rolsuper, rolbypassrls, EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relowner = r.oid AND n.nspname = 'public') AS \"owns!\" FROM pg_roles r WHERE rolname = $1",
            name
        )
        .fetch_optional(&mut *conn)
        .await?;
        match role {
            None => findings.push(format!("role {name} does not exist")),
            Some(r) if r.rolsuper == Some(true) || r.rolbypassrls == Some(true) => {
                findings.push(format!("role {name} is a superuser or bypasses row-level security"));
            }
            Some(r) if r.owns => findings.push(format!("role {name} owns tables")),
            Some(_) => {}
        }
    }
    let tables = sqlx::query!(
        "SELECT c.relname AS \"name!\", c.relrowsecurity AS \"enabled!\", c.relforcerowsecurity AS \"forced!\", \
           EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant') AS \"policy!\" \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' AND NOT a.attisdropped \
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
    )
    .fetch_all(&mut *conn)
    .await?;
    for t in tables {
        if !(t.enabled && t.forced && t.policy) {
            findings.push(format!(
                "table {} (enabled: {}, forced: {}, tenant policy: {})",
                t.name, t.enabled, t.forced, t.policy
            ));
        }
    }
    if findings.is_empty() { Ok(()) } else { Err(Unsafe::RowLevelSecurity(findings)) }
}

async fn version(conn: &mut PgConnection, findings: &mut Vec<String>) -> Result<(), Unsafe> {
    let number = sqlx::query_scalar!("SELECT current_setting('server_version_num')::int AS \"n!\"")
        .fetch_one(&mut *conn)
        .await?;
    let (major, minor) = (number / 10_000, number % 10_000);
    if major < 15 {
        findings.push(format!("PostgreSQL {major} is too old: 15 to 18 are supported"));
    }
    findings.extend(leaks(major, minor));
    Ok(())
}

/// Message for a version that leaks rows through policies.
pub fn leaks(major: i32, minor: i32) -> Option<String> {
    let minimum = match major {
        15 => 9,
        16 => 5,
        17 => 1,
        _ => return None,
    };
    (minor < minimum).then(|| {
        format!("PostgreSQL {major}.{minor} leaks rows through policies (CVE-2024-10976): update to {major}.{minimum}")
    })
}
