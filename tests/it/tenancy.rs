//! No organisation reaches another's rows: every table with `org_id` that the migrations make, every verb.
//!
//! Rows are made from the catalogue: by column type, and the first allowed value of a CHECK that lists values. A table
//! whose other CHECKs refuse such a row fails the test until [`SEEDS`] has a value for the column, so no table is
//! left out.

use std::collections::BTreeMap;

use holdfast::platform::{
    clock::Clock,
    db::{Db, RoleKind, Target},
    ids::OrgId,
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::support::cluster::cluster;

/// Values for columns that CHECKs keep to a form: (table, column, SQL expression).
const SEEDS: &[(&str, &str, &str)] = &[
    // A picture has more columns.
    ("agent_attachments", "kind", "'document'"),
    ("api_keys", "prefix", "substr(md5(random()::text), 1, 8)"),
    // `HF` and 18 capital letters and digits.
    (
        "files_access_keys",
        "access_key_id",
        "'HF' || upper(translate(substr(md5(random()::text), 1, 18), '0189', 'wxyz'))",
    ),
    ("files_access_keys", "verbs", "ARRAY['read']"),
    ("files_rules", "subject", "'anyone'"),
    ("files_rules", "verbs", "ARRAY['read']"),
    ("incident_rota_overrides", "ends_at", "now() + interval '1 hour'"),
    ("one_time_links", "role", "'member'"),
    // One row for a monitor and a day.
    ("uptime_days", "monitor", "(random() * 1e9)::int"),
    ("uptime_monitors", "interval_seconds", "60"),
    ("uptime_monitors", "timeout_ms", "1000"),
    ("uptime_windows", "starts_at", "now()"),
    ("uptime_windows", "ends_at", "now() + interval '1 hour'"),
];

struct Table {
    name: String,
    /// Column -> SQL expression, without `org_id`.
    values: BTreeMap<String, String>,
    /// Rows without an organisation exist (the installation's own).
    org_is_nullable: bool,
}

impl Table {
    /// `INSERT` of one row that belongs to `org` (an SQL expression).
    fn insert(&self, org: &str) -> String {
        let (columns, values): (Vec<_>, Vec<_>) =
            self.values.iter().map(|(c, v)| (format!("\"{c}\""), v.as_str())).unzip();
        let (columns, values) = (columns.join(", "), values.join(", "));
        let comma = if self.values.is_empty() { "" } else { ", " };
        format!("INSERT INTO \"{}\" (org_id{comma}{columns}) VALUES ({org}{comma}{values})", self.name)
    }
}

/// Every table with `org_id` in the catalogue.
async fn tables(admin: &mut PgConnection) -> Vec<Table> {
    let rows = sqlx::raw_sql(
        "SELECT c.relname::text AS name, a.attname::text AS col, format_type(a.atttypid, NULL) AS type, a.attnotnull AS required,
           a.atthasdef OR a.attidentity <> '' AS given,
           (SELECT (regexp_match(pg_get_constraintdef(k.oid), '= ANY \\(+ARRAY\\[''([^'']*)'''))[1] FROM pg_constraint k
            WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] AND pg_get_constraintdef(k.oid) ~ '= ANY \\(+ARRAY' LIMIT 1) AS listed
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'org_id' AND NOT o.attisdropped)
         ORDER BY 1, a.attnum",
    )
    .fetch_all(admin)
    .await
    .unwrap();
    let mut found: Vec<Table> = Vec::new();
    for row in rows {
        let (name, column): (String, String) = (row.get("name"), row.get("col"));
        if found.last().is_none_or(|t| t.name != name) {
            found.push(Table { name: name.clone(), values: BTreeMap::new(), org_is_nullable: false });
        }
        let table = found.last_mut().unwrap();
        let required: bool = row.get("required");
        if column == "org_id" {
            table.org_is_nullable = !required;
            continue;
        }
        let seed = SEEDS.iter().find(|(t, c, _)| *t == name && *c == column).map(|(_, _, value)| (*value).to_owned());
        let (given, listed): (bool, Option<String>) = (row.get("given"), row.get("listed"));
        let value = match seed {
            Some(seed) => seed,
            None if given || !required => continue,
            None => listed.map_or_else(|| by_type(&name, &column, row.get("type")), |first| format!("'{first}'")),
        };
        table.values.insert(column, value);
    }
    found
}

fn by_type(table: &str, column: &str, kind: &str) -> String {
    let value = match kind {
        "uuid" => "gen_random_uuid()",
        "text" | "character varying" => "'x' || substr(md5(random()::text), 1, 10)",
        "bytea" => "sha256(gen_random_uuid()::text::bytea)",
        "timestamp with time zone" => "now()",
        "date" => "current_date",
        "boolean" => "false",
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => "1",
        "json" | "jsonb" => "'{}'",
        "text[]" => "ARRAY['x']",
        "uuid[]" => "ARRAY[gen_random_uuid()]",
        "interval" => "interval '1 second'",
        _ => panic!("{table}.{column}: no value for type {kind}; add one to by_type or to SEEDS"),
    };
    value.to_owned()
}

/// Rows of two organisations in every table, foreign keys apart (the subject is who sees a row, not where it points).
async fn seed(admin: &mut PgConnection, tables: &[Table], orgs: [OrgId; 2]) {
    admin.execute("SET session_replication_role = replica").await.unwrap();
    for table in tables {
        let mut owners: Vec<String> = orgs.iter().map(|o| format!("'{o}'")).collect();
        if table.org_is_nullable {
            owners.push("NULL".into());
        }
        for org in owners {
            let insert = table.insert(&org);
            admin.execute(AssertSqlSafe(insert.clone())).await.unwrap_or_else(|e| {
                panic!("{}: a row cannot be made from the catalogue ({e}); add its columns to SEEDS in tests/it/tenancy.rs\n{insert}", table.name)
            });
        }
    }
}

/// How many rows a statement saw or touched; `Err` is the SQLSTATE.
async fn rows(conn: &mut PgConnection, sql: String) -> Result<u64, String> {
    let mut inner = conn.begin().await.unwrap();
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *inner).await;
    inner.rollback().await.unwrap();
    result
        .map(|done| done.rows_affected())
        .map_err(|e| e.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default().into_owned())
}

/// What organisation `ours` could do to others' rows, as the role that serves. Empty is right.
async fn violations(target: &Target, tables: &[Table], ours: OrgId, theirs: OrgId) -> Vec<String> {
    const DENIED: &str = "42501";
    let mut app = PgConnection::connect_with(&target.connect_as(RoleKind::App)).await.unwrap();
    let mut found = Vec::new();
    for (org, set) in [(ours.to_string(), true), (String::new(), false)] {
        app.execute(AssertSqlSafe(format!("SELECT set_config('holdfast.org_id', '{org}', false)"))).await.unwrap();
        for table in tables {
            let name = &table.name;
            let mut expect = |what: &str, got: Result<u64, String>, fine: &dyn Fn(&Result<u64, String>) -> bool| {
                if !fine(&got) {
                    found.push(format!("{name}: {what} (organisation {}): {got:?}", if set { "set" } else { "unset" }));
                }
            };
            let none =
                |got: &Result<u64, String>| matches!(got, Ok(0)) || got.as_ref().is_err_and(|code| code == DENIED);
            let denied = |got: &Result<u64, String>| got.as_ref().is_err_and(|code| code == DENIED);
            let others = if set { format!("org_id IS DISTINCT FROM '{ours}'") } else { "true".to_owned() };
            expect(
                "SELECT others' rows",
                rows(&mut app, format!("SELECT 1 FROM \"{name}\" WHERE {others}")).await,
                &none,
            );
            if set {
                expect("SELECT own row", rows(&mut app, format!("SELECT 1 FROM \"{name}\"")).await, &|got| {
                    *got == Ok(1)
                });
                let give = format!("UPDATE \"{name}\" SET org_id = '{theirs}'");
                expect("UPDATE own row away", rows(&mut app, give).await, &denied);
            }
            expect(
                "UPDATE others' rows",
                rows(&mut app, format!("UPDATE \"{name}\" SET org_id = org_id WHERE {others}")).await,
                &none,
            );
            expect(
                "DELETE others' rows",
                rows(&mut app, format!("DELETE FROM \"{name}\" WHERE {others}")).await,
                &none,
            );
            expect("INSERT for others", rows(&mut app, table.insert(&format!("'{theirs}'"))).await, &denied);
            if table.org_is_nullable {
                expect("INSERT for nobody", rows(&mut app, table.insert("NULL")).await, &denied);
            }
        }
    }
    app.close().await.unwrap();
    found
}

/// A scratch database with rows of two organisations in every tenant table.
async fn world() -> (String, Target, PgConnection, Vec<Table>, [OrgId; 2]) {
    let name = cluster().await.database().await;
    let target = cluster().await.target(&name);
    let mut admin = PgConnection::connect_with(&target.admin).await.unwrap();
    let tables = tables(&mut admin).await;
    let orgs = [OrgId::generate(&Clock::system()), OrgId::generate(&Clock::system())];
    seed(&mut admin, &tables, orgs).await;
    (name, target, admin, tables, orgs)
}

#[tokio::test]
async fn no_verb_reaches_another_organisations_rows() {
    let (name, target, admin, tables, [ours, theirs]) = world().await;
    let names: Vec<_> = tables.iter().map(|t| t.name.as_str()).collect();
    for known in ["memberships", "api_keys", "one_time_links"] {
        assert!(names.contains(&known), "{known} is not among {names:?}");
    }
    let found = violations(&target, &tables, ours, theirs).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    admin.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

/// The test above can fail: each way of losing a policy is seen.
#[tokio::test]
async fn a_policy_that_is_lost_or_weakened_is_noticed() {
    let (name, target, mut admin, tables, [ours, theirs]) = world().await;
    let app = target.role_name(RoleKind::App);
    for (mutation, repair) in [
        ("DROP POLICY tenant ON api_keys".to_owned(), "SELECT 1".to_owned()),
        (
            format!("CREATE POLICY tenant ON api_keys TO {app} USING (true)"),
            "DROP POLICY tenant ON api_keys".to_owned(),
        ),
        (
            format!(
                "CREATE POLICY tenant ON api_keys TO {app} USING (org_id = (SELECT nullif(current_setting('holdfast.org_id', true), '')::uuid)) WITH CHECK (true)"
            ),
            "DROP POLICY tenant ON api_keys".to_owned(),
        ),
        (
            "ALTER TABLE memberships DISABLE ROW LEVEL SECURITY".to_owned(),
            "ALTER TABLE memberships ENABLE ROW LEVEL SECURITY".to_owned(),
        ),
        (
            format!("CREATE POLICY more ON one_time_links TO {app} USING (true)"),
            "DROP POLICY more ON one_time_links".to_owned(),
        ),
    ] {
        admin.execute(AssertSqlSafe(mutation.clone())).await.unwrap();
        let found = violations(&target, &tables, ours, theirs).await;
        assert!(!found.is_empty(), "not noticed: {mutation}");
        admin.execute(AssertSqlSafe(repair)).await.unwrap();
    }
    admin.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

/// `text` without its sub-selects.
fn outside_sub_selects(text: &str) -> String {
    let mut rest = text.to_owned();
    while let Some(start) = rest.find("( SELECT ") {
        let mut depth = 0_i32;
        let end = rest[start..]
            .char_indices()
            .find(|(_, c)| {
                depth += match c {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                depth == 0
            })
            .map_or(rest.len(), |(i, _)| start + i + 1);
        rest.replace_range(start..end, "");
    }
    rest
}

#[tokio::test]
async fn every_policy_reads_the_organisation_once_for_a_statement() {
    let (name, _, mut admin, _, _) = world().await;
    let policies = sqlx::raw_sql(
        "SELECT tablename::text || '.' || policyname::text AS policy, coalesce(qual, '') || ' ' || coalesce(with_check, '') AS rule \
         FROM pg_policies WHERE schemaname = 'public' ORDER BY 1",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(policies.len() >= 5);
    for row in policies {
        let (policy, rule): (String, String) = (row.get("policy"), row.get("rule"));
        assert!(
            !outside_sub_selects(&rule).contains("current_setting"),
            "{policy} reads the setting for each row: {rule}"
        );
    }
    // The guard sees the other form.
    assert!(
        outside_sub_selects("(org_id = (NULLIF(current_setting('holdfast.org_id'::text, true), ''::text))::uuid)")
            .contains("current_setting")
    );
    let plan = sqlx::raw_sql(AssertSqlSafe(format!(
        "SET ROLE {}; EXPLAIN SELECT * FROM api_keys",
        cluster().await.target(&name).role_name(RoleKind::App)
    )))
    .fetch_all(&mut admin)
    .await
    .unwrap();
    let plan: Vec<String> = plan.iter().map(|r| r.get(0)).collect();
    assert!(plan.join("\n").contains("InitPlan"), "{plan:?}");
    admin.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}

/// The tables without `org_id` that tenants read: their own organisation, and the people in it, without secrets.
#[tokio::test]
async fn organisations_and_people_show_only_to_their_own() {
    let (name, target, mut admin, _, [ours, theirs]) = world().await;
    for org in [ours, theirs] {
        let sql = format!(
            "INSERT INTO organisations (id, slug, name, created_at) VALUES ('{org}', 's{}', 'O', now());
             INSERT INTO users (id, email, password_hash, created_at) VALUES ('{org}', 'u{org}@example.com', 'secret', now());
             INSERT INTO memberships (org_id, user_id, role, created_at) VALUES ('{org}', '{org}', 'owner', now())",
            org.0.simple()
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    }
    let db = Db::new(&target, &holdfast::platform::db::Config::default());
    for table in ["organisations", "users"] {
        let mut tx = db.tenant(ours).await.unwrap();
        let seen = tx.fetch_all(AssertSqlSafe(format!("SELECT id FROM {table}"))).await.unwrap();
        let ids: Vec<uuid::Uuid> = seen.iter().map(|r| r.get(0)).collect();
        assert_eq!(ids, [ours.0], "{table}");
        tx.rollback().await.unwrap();
    }
    for sql in [
        "SELECT password_hash FROM users",
        "UPDATE users SET is_operator = true",
        "SELECT * FROM sessions",
        "DELETE FROM organisations",
    ] {
        let mut tx = db.tenant(ours).await.unwrap();
        let denied = tx.execute(sql).await.expect_err(sql);
        assert_eq!(
            denied.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref(),
            Some("42501"),
            "{sql}"
        );
        tx.rollback().await.unwrap();
    }
    db.close().await;
    admin.close().await.unwrap();
    cluster().await.drop_database(&name).await;
}
