//! Lists: one query for all, and each costs what its page costs.
//!
//! The lists are those of the OpenAPI document: operations that take a `cursor`. What the database does for a page is read from the plans
//! that the server logs (`auto_explain`): the statements as they are, with the plans that they got, those inside functions too.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::support::{
    app::{Client, TestApp},
    cluster::{cluster, is_bare},
    room_rows,
    watching::Watching,
};

/// Rows of each list of the organisation. A list that is read whole reads so many; of much fewer the planner rather reads all.
const ROWS: usize = 10_000;
/// Rows that the pages here ask for.
const PAGE: usize = 20;
/// Rows that the database may look at for such a page, in all statements of the request together: each table and index that takes part
/// looks at about a page.
const MOST: f64 = 400.0;

/// Lists that [`filled`] does not fill, and why.
const NOT_FILLED: [(&str, &str); 1] = [("/api/v1/logs", "lines are not in the database")];
/// Rows for a page of a search that the newest rows do not fill: a thousand that the search index finds, with what is beside them.
const MOST_OF_A_SEARCH: f64 = 4000.0;
/// And where the index finds more than that, all among the oldest: every row once, with a row or two beside it.
const MOST_OF_AN_OLD_WORD: f64 = MOST_OF_A_SEARCH + 3.0 * ROWS as f64;
/// Searches that no index serves, and why.
const SCANNED: [(&str, &str); 8] = [
    ("/api/v1/agents/{agent}/versions", "an agent has few versions, and the search stays within one agent"),
    ("/api/v1/incident-channels", "an organisation has at most 100 channels"),
    ("/api/v1/incident-components", "an organisation has at most 500 components"),
    ("/api/v1/incident-rotas", "an organisation has a few rotas"),
    ("/api/v1/incident-rules", "an organisation has at most 100 rules"),
    ("/api/v1/incident-templates", "an organisation has a few templates"),
    ("/api/v1/webhooks", "an organisation has at most 50 endpoints"),
    (
        "/api/v1/webhooks/{id}/deliveries",
        "deliveries are kept for some weeks, and the search stays within one endpoint",
    ),
];

/// Logs the plan of every statement, with what it really did.
const EXPLAIN: [&str; 6] = [
    "ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'",
    "ALTER DATABASE {name} SET auto_explain.log_min_duration = 0",
    "ALTER DATABASE {name} SET auto_explain.log_nested_statements = on",
    "ALTER DATABASE {name} SET auto_explain.log_analyze = on",
    "ALTER DATABASE {name} SET auto_explain.log_timing = off",
    "ALTER DATABASE {name} SET auto_explain.log_format = 'json'",
];

/// An operation that gives a list.
struct List {
    path: String,
    /// With the ids of what [`filled`] made.
    filled: String,
    parameters: BTreeSet<String>,
}

/// Those of the OpenAPI document. `ids` are the values of `{name}`, or of `{name}` behind `folder/`.
fn lists(document: &Value, ids: &[(&str, &str)]) -> Vec<List> {
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let parameters = operations["get"]["parameters"].as_array().into_iter().flatten();
        let names = parameters.filter(|p| p["in"] == "query").map(|p| p["name"].as_str().unwrap().to_owned());
        let parameters: BTreeSet<String> = names.collect();
        if parameters.contains("cursor") {
            let filled = ids.iter().fold(path.clone(), |path, (name, id)| match name.split_once('/') {
                Some((folder, name)) => path.replace(&format!("{folder}/{{{name}}}"), &format!("{folder}/{id}")),
                None => path.replace(&format!("{{{name}}}"), id),
            });
            assert!(
                !filled.contains('{'),
                "{path}: this test does not know its ids: add them to `ids`, and rows to tests/it/lists/<room>.sql"
            );
            found.push(List { path: path.clone(), filled, parameters });
        }
    }
    found
}

/// Rows that the plans in this log looked at, and the worst of them in words. `None` where no plan is in it.
fn looked_at(log: &str) -> Option<(f64, String)> {
    let (mut all, mut worst) = (0.0, (-1.0, String::new()));
    for entry in log.split("  plan:\n").skip(1) {
        let text: String = entry
            .lines()
            .take_while(|line| line.starts_with('\t') || line.starts_with('{'))
            .collect::<Vec<_>>()
            .join("\n");
        let Ok(read) = serde_json::from_str::<Value>(text.trim()) else { panic!("no plan: {entry}") };
        // The server's own catalogue is read by statistics and checks, which no list waits for.
        if read["Query Text"].as_str().unwrap().contains("FROM pg_") {
            continue;
        }
        let rows = rows_of(&read["Plan"]);
        all += rows;
        if rows > worst.0 {
            worst = (rows, serde_json::to_string_pretty(&read).unwrap());
        }
    }
    (worst.0 >= 0.0).then_some((all, worst.1))
}

/// Of a node and those below it: what scans gave, and what they threw away. A bitmap of places is no row.
fn rows_of(plan: &Value) -> f64 {
    let number = |name: &str| plan[name].as_f64().unwrap_or_default();
    let node = plan["Node Type"].as_str().unwrap_or_default();
    let reads =
        matches!(node, "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" | "Tid Scan" | "Sample Scan");
    let here = number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
    let below: f64 = plan["Plans"].as_array().into_iter().flatten().map(rows_of).sum();
    if reads { here * number("Actual Loops") + below } else { below }
}

async fn page(client: &Client, path: &str) -> (usize, Option<String>) {
    let page = client.get(path).await.expect(200);
    (page["data"].as_array().unwrap().len(), page["next_cursor"].as_str().map(str::to_owned))
}

/// An appliance with so many rows of every list, its administrator, and the ids for the paths. `sql` is executed in its new database. One test
/// at a time may log plans: the log is the server's.
async fn filled(rows: usize, sql: &[&str]) -> (TestApp, Client, Vec<List>) {
    let app = TestApp::start_quiet(sql).await;
    let admin = app.admin().await;
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let mut conn = PgConnection::connect_with(&app.target().admin).await.unwrap();
    conn.execute("SET auto_explain.log_min_duration = -1").await.unwrap();
    room_rows::insert(&mut conn, &room_rows::rooms(), &me, rows).await;
    conn.execute("VACUUM ANALYZE").await.unwrap();
    let ids: Vec<String> = sqlx::query_scalar(
        "SELECT x FROM (SELECT min(id::text) AS a, max(id::text) AS z FROM agents) AS t, unnest(ARRAY[a, z]) AS x",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();
    let (first, last) = (&*ids[0], &*ids[1]);
    let document = admin.get("/api/v1/openapi.json").await.expect(200);
    let ids =
        [("id", last), ("document", first), ("agent", first), ("incident", last), ("channel", last), ("rota", last)];
    let lists = lists(&document, &ids);
    (app, admin, lists)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_costs_what_its_page_costs() {
    if is_bare().await {
        return;
    }
    let (app, admin, lists) = filled(ROWS, &EXPLAIN).await;
    assert!(lists.len() >= 15, "only {} lists?", lists.len());
    let (mut tried, mut wrong) = (0, Vec::new());
    for List { path, filled, parameters } in &lists {
        if NOT_FILLED.iter().any(|(other, _)| other == path) {
            continue;
        }
        // The document of the passages is in the last base, as all are.
        let (mut rows, mut cursors, mut next) = (0, Vec::new(), Some(String::new()));
        while let Some(cursor) = next {
            let found;
            (found, next) = page(&admin, &format!("{filled}?limit=200&cursor={cursor}")).await;
            rows += found;
            cursors.push(cursor);
        }
        assert!(rows >= ROWS, "{path} has only {rows} rows: add `$rows` of them to tests/it/lists/<room>.sql");
        let (middle, last) = (&cursors[cursors.len() / 2], cursors.last().unwrap());
        let mut queries = vec![String::new(), format!("cursor={middle}"), format!("cursor={last}")];
        if parameters.contains("sort") {
            queries.extend(["sort=oldest".to_owned(), format!("sort=oldest&cursor={middle}")]);
        }
        if parameters.contains("q") && !SCANNED.iter().any(|(other, _)| other == path) {
            queries.extend(["q=common", "q=heron", "q=absentee", "q=bygone"].map(str::to_owned));
            queries.push(format!("q=common&cursor={middle}"));
        }
        for query in queries {
            let (_, from) = cluster().await.log_from(usize::MAX);
            let address = format!("{filled}?limit={PAGE}&{query}");
            let (found, _) = page(&admin, &address).await;
            let (log, _) = cluster().await.log_from(from);
            tried += 1;
            if query.contains("absentee") == (found > 0) && !query.contains(&**last) {
                wrong.push(format!("{path}?{query} gives {found} rows"));
            }
            let Some((looked, worst)) = looked_at(&log) else {
                wrong.push(format!("{path}?{query}: the server logged no plan"));
                continue;
            };
            let most = match query.split(['=', '&']).nth(1) {
                Some("heron" | "absentee") => MOST_OF_A_SEARCH,
                Some("bygone") => MOST_OF_AN_OLD_WORD,
                _ => MOST,
            };
            if looked > most {
                wrong.push(format!(
                    "{path}?{query} looks at {looked} rows for a page of {found}: give it an index, and read what is beside the page's \
                     rows for these alone. Most of it in:\n{worst}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_takes_the_same_query_and_names_what_is_wrong() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = crate::support::documents::make_base(&admin, "Listed").await;
    let document = crate::support::documents::add_document(&admin, &base, "a.md", b"# A\n\nText.\n").await;
    let agent = admin.post("/api/v1/agents", &json!({"name": "Listed"})).await.expect(201)["id"].clone();
    let new = json!({"url": "https://example.com/hook", "topics": ["auth.member.removed"]});
    let hook = admin.post("/api/v1/webhooks", &new).await.expect(201)["id"].clone();
    let (agent, hook) = (agent.as_str().unwrap(), hook.as_str().unwrap());
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let watching = Watching::make(&admin, me["user"]["id"].as_str().unwrap()).await;
    let ids = [
        ("webhooks/id", hook),
        ("monitors/id", &watching.monitor),
        ("status-pages/id", &watching.page),
        ("id", &*base),
        ("document", &*document),
        ("agent", agent),
        ("incident", &watching.incident),
        ("channel", &watching.channel),
        ("rota", &watching.rota),
    ];
    let openapi = admin.get("/api/v1/openapi.json").await.expect(200);
    for List { path, filled, parameters } in lists(&openapi, &ids) {
        assert!(parameters.contains("limit"), "{path} has pages but no limit: take ListQuery");
        for old in ["search", "page", "offset", "per_page"] {
            assert!(!parameters.contains(old), "{path} takes {old}: lists take limit, cursor, q and sort");
        }
        admin.get(&filled).await.expect(200);
        for (wrong, pointer, code) in [
            ("limit=0", "/limit", "out_of_range"),
            ("limit=201", "/limit", "out_of_range"),
            ("cursor=no-cursor", "/cursor", "invalid"),
            ("cursor=%25", "/cursor", "invalid"),
            ("sort=name", "/sort", "invalid"),
            (&format!("q={}", "x".repeat(201)), "/q", "too_long"),
        ] {
            let (name, _) = wrong.split_once('=').unwrap();
            let answer = admin.get(&format!("{filled}?{wrong}")).await;
            if parameters.contains(name) {
                let problem = answer.expect(422);
                assert_eq!(
                    (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
                    (&json!(pointer), &json!(code)),
                    "{path}?{wrong}"
                );
            } else {
                answer.problem(400, "unknown_parameter");
            }
        }
        admin.get(&format!("{filled}?limit=many")).await.problem(400, "invalid_query");
        // What it was called until lists had one query.
        let old = admin.get(&format!("{filled}?search=x")).await;
        old.problem(400, "unknown_parameter");
        let renamed = old.json()["detail"].as_str().unwrap().contains("called \"q\" now");
        assert_eq!(renamed, parameters.contains("q"), "{path}: {}", old.text);
    }
    app.stop().await;
}

/// As the role that serves, whatever is asked for: functions that find rows for lists run as the owner.
#[tokio::test(flavor = "multi_thread")]
async fn what_finds_rows_as_the_owner_finds_the_organisations_alone() {
    if is_bare().await {
        return;
    }
    let (app, admin, _) = filled(1000, &[]).await;
    let me = admin.get("/api/v1/auth/me").await.expect(200);
    let (org, user) = (me["organisation_id"].as_str().unwrap(), me["user"]["id"].as_str().unwrap());
    let mut conn = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let (first, last): (String, String) =
        sqlx::query_as("SELECT min(id::text), max(id::text) FROM agents").fetch_one(&mut conn).await.unwrap();
    let beyond = "'ffffffff-ffff-ffff-ffff-ffffffffffff'";
    // Of those with other arguments than a pattern and a page.
    let calls = [
        ("knowledge_documents_found", format!("'{last}', '%common%', NULL, NULL, NULL, NULL, {beyond}, false, 10")),
        ("agents_conversations_found", format!("'{first}', 'user:{user}', '%common%', 'common', {beyond}, 10")),
        ("auth_members_found", format!("'%common%', {beyond}, false, 10")),
        ("jobs_found", format!("false, NULL, NULL, NULL, '%common%', true, NULL, NULL, {beyond}, 10")),
        ("mail_messages_found", format!("false, NULL, NULL, NULL, '%common%', {beyond}, 10")),
        ("mail_log_found", format!("false, NULL, NULL, NULL, false, NULL, NULL, NULL, '%common%', {beyond}, 10")),
        ("mail_suppressions_found", format!("false, NULL, '%common%', {beyond}, 10")),
        ("uptime_monitors_found", format!("false, false, NULL, NULL, NULL, NULL, '%common%', {beyond}, 10")),
        ("incidents_found", format!("false, NULL, NULL, NULL, NULL, '%common%', {beyond}, 10")),
    ];
    // Those that the role may call and that run as somebody else.
    let app_role = format!("{}_app", app.target().role_prefix);
    let all: Vec<(String, String)> = sqlx::query_as(
        "SELECT proname::text, pg_get_function_identity_arguments(oid) FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace AND prosecdef AND prokind = 'f'
           AND prorettype <> 'trigger'::regtype AND has_function_privilege($1, oid, 'EXECUTE')",
    )
    .bind(&app_role)
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(all.len() >= 7, "{all:?}");
    let call = |(name, takes): &(String, String)| {
        let special = calls.iter().find(|(known, _)| known == name).map(|(_, arguments)| arguments.clone());
        let usual = (takes == "pattern text, below uuid, most bigint").then(|| format!("'%common%', {beyond}, 10"));
        let arguments = special.or(usual);
        (
            name.clone(),
            arguments.unwrap_or_else(|| panic!("{name} runs as its owner for {app_role}: add a call of it here")),
        )
    };
    let all: Vec<(String, String)> = all.iter().map(call).collect();
    conn.close().await.unwrap();
    let options = app.target().connect_as(holdfast::platform::db::RoleKind::App);
    let mut conn = PgConnection::connect_with(&options).await.unwrap();
    for (name, arguments) in all {
        for (whose, rows) in [(org, 10), (first.as_str(), 0), ("", 0)] {
            conn.execute(AssertSqlSafe(format!("SELECT set_config('holdfast.org_id', '{whose}', false)")))
                .await
                .unwrap();
            let count = format!("SELECT count(*) FROM {name}({arguments})");
            let found: i64 = sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut conn).await.unwrap();
            // Organisation `first` has bases that are called so.
            let rows = if name == "knowledge_bases_found" && whose == first { 10 } else { rows };
            assert_eq!(found, rows, "{name} for {whose:?}");
        }
    }
    conn.close().await.unwrap();
    app.kill().await;
}

/// A server that has no extensions for us is searched row by row, and doctor says so until the indexes are there.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_extensions_a_search_finds_the_same() {
    if is_bare().await {
        return;
    }
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    for name in ["A hundred% heron", "Another"] {
        admin.post("/api/v1/knowledge-bases", &json!({"name": name})).await.expect(201);
    }
    let owner = app.target().role_name(holdfast::platform::db::RoleKind::Owner);
    let mut conn = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let check = async || {
        let checks = app.app.checks().into_iter().filter(|check| check.name() == "database.search");
        holdfast::platform::health::run_all(&checks.collect::<Vec<_>>()).await
    };
    let as_owner = async |conn: &mut PgConnection| -> bool {
        let mut tx = conn.begin().await.unwrap();
        tx.execute(AssertSqlSafe(format!("SET LOCAL ROLE {owner}"))).await.unwrap();
        let made = sqlx::query_scalar("SELECT holdfast_search_indexes()").fetch_one(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        made
    };
    let reports = check().await;
    assert_eq!(reports.len(), 1);
    assert!(format!("{reports:?}").contains("Pass"), "{reports:?}");
    // Extensions go with their indexes, and the owner may make no others.
    conn.execute("DROP EXTENSION pg_trgm, btree_gin CASCADE").await.unwrap();
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(&mut conn).await.unwrap();
    conn.execute(AssertSqlSafe(format!("REVOKE CREATE ON DATABASE {database} FROM {owner}"))).await.unwrap();
    assert!(!as_owner(&mut conn).await);
    let found = async |q: &str| {
        let page = admin.get(&format!("/api/v1/knowledge-bases?q={q}")).await.expect(200);
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|base| base["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let all = [("HERON", 1), ("a", 2), ("d%25+h", 1), ("d_h", 0), ("%25", 1), ("zebra", 0)];
    for (q, rows) in all {
        assert_eq!(found(q).await.len(), rows, "{q}");
    }
    let reports = format!("{:?}", check().await);
    assert!(
        reports.contains("Warn") && reports.contains("CREATE EXTENSION") && reports.contains(&database),
        "{reports}"
    );
    assert!(reports.contains("knowledge_bases_search_idx"), "{reports}");
    conn.execute(AssertSqlSafe(format!("GRANT CREATE ON DATABASE {database} TO {owner}"))).await.unwrap();
    assert!(as_owner(&mut conn).await);
    assert!(format!("{:?}", check().await).contains("Pass"));
    for (q, rows) in all {
        assert_eq!(found(q).await.len(), rows, "{q}");
    }
    // Extensions that were there before, in a schema of their own.
    let moved =
        "DROP EXTENSION pg_trgm, btree_gin CASCADE; CREATE SCHEMA elsewhere; CREATE EXTENSION pg_trgm SCHEMA elsewhere";
    sqlx::raw_sql(moved).execute(&mut conn).await.unwrap();
    assert!(!as_owner(&mut conn).await);
    assert_eq!(found("HERON").await.len(), 1);
    conn.execute("ALTER EXTENSION pg_trgm SET SCHEMA public").await.unwrap();
    assert!(as_owner(&mut conn).await);
    assert!(format!("{:?}", check().await).contains("Pass"));
    conn.close().await.unwrap();
    app.stop().await;
}

/// Words of messages: as they stand, as the beginning of a longer one, with another ending; all of them in one message.
#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_found_by_words() {
    if is_bare().await {
        return;
    }
    let (app, admin, lists) = filled(1000, &[]).await;
    let list = lists.iter().find(|list| list.path.ends_with("/conversations")).unwrap();
    let mut conn = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let newest: String =
        sqlx::query_scalar("SELECT max(id::text) FROM conversations").fetch_one(&mut conn).await.unwrap();
    let texts = [
        "The policies of refunds",
        "Какие гарантии на чайники? See foo-bar: it's C:\\temp",
        "Warranty",
        // й as macOS writes it; and what PostgreSQL's parser takes for one word, or for markup.
        "Свежии\u{306} и\u{306}огурт, ещё: Vec<String> from /etc/heath.toml, invoice 2024-1187, ask ivan@example.ru",
    ];
    for (n, text) in texts.iter().enumerate() {
        let insert = "INSERT INTO messages (id, org_id, conversation_id, role, status, content, created_at)
            SELECT gen_random_uuid(), org_id, id, 'assistant', 'complete', $2, now() FROM conversations WHERE id = $1::uuid";
        sqlx::query(insert).bind(&newest).bind(text).execute(&mut conn).await.unwrap_or_else(|e| panic!("{n}: {e}"));
    }
    conn.close().await.unwrap();
    for (q, found) in [
        ("policy", true),
        ("POLIC", true),
        ("refund policies", true),
        ("гарантия", true),
        ("чайник", true),
        ("чай", true),
        ("foo-bar", true),
        ("it's", true),
        ("C:\\temp", true),
        ("ЙОГУРТ", true),
        ("еще", true),
        ("string", true),
        ("heath.toml", true),
        ("1187", true),
        ("example.ru", true),
        // In two messages.
        ("policies warranty", false),
        ("olicies", false),
        ("'", false),
        ("& | ! ( ) :*", false),
    ] {
        let encoded: String = percent_encoding::utf8_percent_encode(q, percent_encoding::NON_ALPHANUMERIC).collect();
        let page = admin.get(&format!("{}?q={encoded}", list.filled)).await.expect(200);
        let ids: Vec<&str> = page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
        assert_eq!(ids.contains(&&*newest), found, "{q}: {ids:?}");
        assert!(ids.len() <= 1, "{q}: {ids:?}");
    }
    app.kill().await;
}
