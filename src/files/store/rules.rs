//! `files_rules`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{BucketId, BucketRule, BucketRuleId, FilesError, Subject};
use platform::ids::OrgId;

struct Row {
    id: BucketRuleId,
    subject: String,
    prefix: String,
    verbs: Vec<String>,
    created_by: String,
    created_at: DateTime<Utc>,
}

/// The rules of a bucket.
pub(crate) async fn list(conn: &mut PgConnection, bucket: BucketId) -> Result<Vec<BucketRule>, FilesError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: BucketRuleId", subject, prefix, verbs, created_by, created_at
           FROM files_rules WHERE bucket_id = $1 ORDER BY id"#,
        bucket.0,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(rule).collect()
}

fn rule(row: Row) -> Result<BucketRule, FilesError> {
    let Row { id, subject, prefix, verbs, created_by, created_at } = row;
    let subject = Subject::parse(&subject).ok_or(FilesError::Row(subject))?;
    let verbs = verbs.iter().map(|verb| verb.parse().map_err(FilesError::Row)).collect::<Result<_, _>>()?;
    Ok(BucketRule { id, subject, prefix, verbs, created_by, created_at })
}

/// Writes these rules in place of all that there are.
pub(crate) async fn replace(
    conn: &mut PgConnection,
    (org, bucket): (OrgId, BucketId),
    rules: &[BucketRule],
) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_rules WHERE bucket_id = $1", bucket.0).execute(&mut *conn).await?;
    for rule in rules {
        let verbs: Vec<String> = rule.verbs.iter().map(|verb| verb.as_str().to_owned()).collect();
        sqlx::query!(
            "INSERT INTO files_rules (id, org_id, bucket_id, subject, prefix, verbs, created_by, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            rule.id.0,
            org.0,
            bucket.0,
            rule.subject.to_string(),
            rule.prefix,
            &verbs,
            rule.created_by,
            rule.created_at,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
