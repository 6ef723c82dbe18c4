//! `files_rules`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{BucketId, BucketRule, BucketRuleId, FilesError, Subject};

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
