//! What is kept, and for how long.

use super::{number, start};
use crate::uptime::watch::{connect, execute};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_over_is_deleted_with_its_parts() {
    let app = start(&[]).await;
    let mut db = connect(&app.target().admin).await;
    // Number, days since it was resolved (or nothing), and of which one it is a part.
    let incident = |id: u32, over: Option<u32>, into: Option<u32>| {
        let (status, over) = over.map_or_else(
            || ("investigating", "NULL".to_owned()),
            |days| ("resolved", format!("now() - interval '{days} days'")),
        );
        let into = into.map_or_else(|| "NULL".to_owned(), |into| format!("lpad('{into}', 32, '0')::uuid"));
        format!(
            "INSERT INTO incidents (id, code, kind, name, status, impact, severity, opened_by, started_at, resolved_at, merged_into, created_at,
               updated_at)
             VALUES (lpad('{id}', 32, '0')::uuid, 'kept-{id}', 'incident', 'Kept {id}', '{status}', 'none', 'info', 'test', now(), {over}, {into},
               now(), now())"
        )
    };
    for (id, over, into) in
        [(1, Some(2000), None), (2, None, Some(1)), (3, None, Some(2)), (4, Some(10), None), (5, None, None)]
    {
        execute(&mut db, &incident(id, over, into)).await;
    }
    execute(
        &mut db,
        "INSERT INTO incident_components (id, key, code, name, status, since, created_by, created_at, updated_at)
         VALUES (lpad('9', 32, '0')::uuid, 'kept', 'kept', 'Kept', 'operational', now(), 'test', now(), now())",
    )
    .await;
    for days in [900, 800, 500, 5] {
        let change = format!(
            "INSERT INTO incident_component_changes (id, component_id, status, at)
             VALUES (gen_random_uuid(), lpad('9', 32, '0')::uuid, 'operational', now() - interval '{days} days')"
        );
        execute(&mut db, &change).await;
    }
    app.app.incidents.maintain().await.unwrap();
    let left = "SELECT coalesce(sum(right(name, 1)::bigint), 0)::bigint FROM incidents WHERE name LIKE 'Kept %'";
    assert_eq!(number(&app, left).await, 4 + 5, "a part of what was deleted is left, or too much was deleted");
    // What was shown 500 days ago was shown until five days ago.
    let changes = "SELECT count(*) FROM incident_component_changes c JOIN incident_components k ON k.id = c.component_id WHERE k.key = 'kept'";
    assert_eq!(number(&app, changes).await, 2);
    app.stop().await;
}
