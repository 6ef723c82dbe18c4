//! Citations and quotes of documents.

use holdfast::platform::ids::OrgId;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{handbook, make_agent, messages, stream};
use crate::support::{
    agents::start,
    app::{Client, TestApp},
    documents::{add_document, wait_for_document},
    upstream::Upstream,
    wait::until,
};

const HANDBOOK_RU: &str = "# Отпуск\n\nКаждому сотруднику положено 28 календарных дней оплачиваемого отпуска в год.\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_cites_what_it_was_given_and_quotes_it_exactly() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/cites", &[&base]).await;
    let conversation = start(&admin, &agent).await;
    let message = admin
        .post(&format!("{conversation}/messages"), &json!({"content": "How many days of leave are there?"}))
        .await
        .expect(200);
    assert_eq!(message["content"], "The answer stands in [1] and not in [7]. Both: [1, 9]");
    assert_eq!((&message["status"], &message["model"]), (&json!("complete"), &json!("mock/cites")));
    assert_eq!((&message["prompt_tokens"], &message["completion_tokens"]), (&json!(40), &json!(9)));
    let citations = message["citations"].as_array().unwrap();
    assert_eq!(citations.len(), 1, "{message}");
    let cited = &citations[0];
    assert_eq!((&cited["mark"], &cited["document_id"]), (&json!(1), &json!(document)));
    let path = format!("/api/v1/knowledge-bases/{base}/documents/{document}/text");
    let text = admin.get(&path).await.expect(200)["text"].as_str().unwrap().to_owned();
    let place = |key: &str| usize::try_from(cited[key].as_u64().unwrap()).unwrap();
    let (from, to) = (place("start"), place("end"));
    let quoted: String = text.chars().skip(from).take(to - from).collect();
    assert_eq!(cited["text"], quoted.as_str());

    // The model's input: sources only in the user's message.
    let shown = upstream.last_request();
    let (system, question) =
        (shown["messages"][0]["content"].as_str().unwrap(), shown["messages"][1]["content"].as_str().unwrap());
    assert!(system.contains("Be brief.") && !system.contains("28 calendar days"), "{system}");
    assert!(question.contains("<source number=\"1\">") && question.contains("28 calendar days"), "{question}");

    // The same as a stream, with the first answer as history.
    let events = stream(&admin, &conversation, "And when does the car park close?").await.all().await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[1], *names.last().unwrap()), ("start", "sources", "end"), "{names:?}");
    assert!(names[2..names.len() - 1].iter().all(|name| *name == "delta"));
    let text: String = events.iter().filter_map(|(_, data)| data["text"].as_str()).collect();
    let end = &events.last().unwrap().1["message"];
    assert_eq!((end["content"].as_str().unwrap(), &end["status"]), (text.as_str(), &json!("complete")));
    assert_eq!(upstream.last_request()["messages"].as_array().unwrap().len(), 4, "system, question, answer, question");
    let kept = messages(&admin, &conversation).await;
    let roles: Vec<&str> = kept.iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "assistant"]);
    let listed = admin.get(&format!("{}?q=car%20park", conversation.rsplit_once('/').unwrap().0)).await.expect(200);
    assert_eq!(listed["data"][0]["title"], "How many days of leave are there?");

    // A regenerated answer hides the old one.
    let again = admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
    let after = messages(&admin, &conversation).await;
    assert_eq!((after.len(), &after[3]["id"]), (4, &again["id"]));
    assert_ne!(after[3]["id"], kept[3]["id"]);
    assert_eq!(after[2]["id"], kept[2]["id"]);

    admin.patch(&conversation, &json!({"title": "Leave"})).await.expect(200);
    admin.patch(&conversation, &json!({"title": " "})).await.expect(422);
    admin.post(&format!("{conversation}/messages"), &json!({"content": " \u{0} "})).await.expect(422);
    admin.delete(&conversation).await.expect(204);
    admin.get(&conversation).await.problem(404, "conversation_not_found");
    app.stop().await;
}

/// How many stored messages contain this text in any column.
async fn messages_with(db: &mut PgConnection, text: &str) -> i64 {
    let count = "SELECT count(*) FROM messages WHERE strpos(messages::text, $1) > 0";
    sqlx::query_scalar(count).bind(text).fetch_one(db).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_document_is_quoted_by_no_stored_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, document) = handbook(&app, &admin).await;
    let (other, _) = handbook(&app, &admin).await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let ask = async |base: &str| {
        let draft = json!({"name": base, "model": "mock/cites", "knowledge_bases": [base]});
        let conversation = start(&admin, &admin.post("/api/v1/agents", &draft).await.expect(201)).await;
        let question = json!({"content": "How much paid leave is there?"});
        admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
        admin.post(&format!("{conversation}/regenerate"), &json!({})).await.expect(200);
        conversation
    };
    let (ours, theirs) = (ask(&base).await, ask(&other).await);
    let quoted = messages(&admin, &ours).await[1]["citations"].clone();
    assert!(quoted[0]["text"].as_str().unwrap().contains("28 calendar days"), "{quoted}");
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 4, "two answers each, one of them superseded");

    admin.delete(&format!("/api/v1/knowledge-bases/{base}/documents/{document}")).await.expect(204);
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 2, "the other base's");
    let answer = messages(&admin, &ours).await[1].clone();
    let left = &answer["citations"][0];
    assert_eq!(
        (&left["mark"], &left["filename"], &left["text"], &left["title"], &left["heading"], &left["deleted"]),
        (&json!(1), &json!("handbook.md"), &json!(""), &json!("handbook.md"), &json!([]), &json!(true))
    );
    let page = admin.get(ours.trim_start_matches("/api/v1")).await;
    assert!(page.text.contains("Deleted since") && page.text.contains("handbook.md"), "{}", page.text);
    assert!(!page.text.contains(&format!("/documents/{document}")), "no link leads to what is gone: {}", page.text);

    // An answer in progress meanwhile: its end is not stored either.
    let late = format!("UPDATE messages SET citations = '{quoted}' WHERE id = '{}'", answer["id"].as_str().unwrap());
    let mut tx = app.app.db.tenant(first_org(&admin).await).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(late)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 2, "the other base's");

    admin.delete(&format!("/api/v1/knowledge-bases/{other}")).await.expect(204);
    assert_eq!(messages_with(&mut db, "28 calendar days").await, 0);
    assert_eq!(messages(&admin, &theirs).await[1]["citations"][0]["deleted"], json!(true));
    db.close().await.unwrap();
    app.stop().await;
}

/// An answer ends while its document is being deleted: in either order nothing of the document stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_and_the_end_of_an_answer_take_turns() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let org = first_org(&admin).await;
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    for answer_first in [true, false] {
        let (base, document) = handbook(&app, &admin).await;
        let draft = json!({"name": base, "model": "mock/cites", "knowledge_bases": [base]});
        let conversation = start(&admin, &admin.post("/api/v1/agents", &draft).await.expect(201)).await;
        let question = json!({"content": "How much paid leave is there?"});
        let answer = admin.post(&format!("{conversation}/messages"), &question).await.expect(200);
        sqlx::query("UPDATE messages SET citations = '[]'").execute(&mut db).await.unwrap();
        let set = "UPDATE messages SET citations = $1 WHERE id = $2::uuid";
        let end = sqlx::query(set).bind(answer["citations"].clone()).bind(answer["id"].as_str().unwrap().to_owned());
        let delete = sqlx::query("DELETE FROM knowledge_documents WHERE id = $1::uuid").bind(document);
        let (first, second) = if answer_first { (end, delete) } else { (delete, end) };
        let mut held = app.app.db.tenant(org).await.unwrap();
        first.execute(&mut *held).await.unwrap();
        let mut waits = app.app.db.tenant(org).await.unwrap();
        let other = tokio::spawn(async move {
            second.execute(&mut *waits).await.unwrap();
            waits.commit().await.unwrap();
        });
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        until("it does not wait for the other", async || {
            other.is_finished() || sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut db).await.unwrap() > 0
        })
        .await;
        assert!(!other.is_finished(), "answer first: {answer_first}");
        held.commit().await.unwrap();
        other.await.unwrap();
        assert_eq!(messages_with(&mut db, "28 calendar days").await, 0, "answer first: {answer_first}");
    }
    db.close().await.unwrap();
    app.kill().await;
}

async fn first_org(client: &Client) -> OrgId {
    let me = client.get("/api/v1/auth/me").await.expect(200);
    me["organisation_id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_passages_are_quoted_in_both_languages() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    let russian = add_document(&admin, &base, "справочник.md", HANDBOOK_RU.as_bytes()).await;
    wait_for_document(&admin, &base, &russian).await;
    app.wait_for_jobs().await;
    let agent = make_agent(&admin, "", &[&base]).await;
    let ask = async |question: &str| {
        let conversation = start(&admin, &agent).await;
        admin.post(&format!("{conversation}/messages"), &json!({"content": question})).await.expect(200)
    };
    let english = ask("How many calendar days of paid leave are there?").await;
    assert_eq!(english["model"], "builtin/extractive");
    let text = english["content"].as_str().unwrap();
    assert!(text.contains("No language model is configured") && text.contains("28 calendar days"), "{text}");
    assert_eq!(english["citations"][0]["filename"], "handbook.md");
    let russian = ask("Сколько календарных дней оплачиваемого отпуска положено сотруднику?").await;
    let text = russian["content"].as_str().unwrap();
    assert!(text.contains("Языковая модель не настроена") && text.contains("28 календарных дней"), "{text}");
    assert!(russian["citations"].as_array().unwrap().iter().any(|c| c["filename"] == "справочник.md"), "{russian}");
    let unknown = ask("Who won the chess olympiad in Budapest?").await;
    assert!(unknown["content"].as_str().unwrap().starts_with("The documents do not say."), "{unknown}");
    assert_eq!(unknown["citations"], json!([]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brackets_that_are_no_citation_stay_as_they_are() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    let agent = make_agent(&admin, "mock/lists", &[&base]).await;
    let conversation = start(&admin, &agent).await;
    let text = "Set `ports = [8080, 9090]`, read `arr[1]`, see [2019] and [1].";
    for _ in 0..2 {
        let message = admin
            .post(&format!("{conversation}/messages"), &json!({"content": "How much paid leave is there?"}))
            .await
            .expect(200);
        assert_eq!(message["content"], text);
        assert_eq!(message["citations"].as_array().unwrap().len(), 1, "{message}");
    }
    let sent = upstream.last_request()["messages"][2]["content"].clone();
    assert_eq!(sent, "Set `ports = [8080, 9090]`, read `arr[1]`, see [2019] and.", "the history");
    let shown = admin.get(conversation.trim_start_matches("/api/v1")).await.text;
    assert!(
        shown.contains(
            "<code>ports = [8080, 9090]</code>, read <code>arr[1]</code>, see [2019] and <a class=\"citation\""
        ),
        "{shown}"
    );
    app.stop().await;
}
