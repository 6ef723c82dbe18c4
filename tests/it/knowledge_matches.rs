//! Weak matches, spelling variants, and index terms of an older version.

use serde_json::{Value, json};
use sqlx::Connection as _;

use crate::{
    knowledge::{search, superuser},
    support::{
        app::{Client, TestApp},
        documents::{add_document, fixture, make_base, wait_for_document},
    },
};

async fn ask(client: &Client, base: &str, query: &str, mode: &str) -> Value {
    let body = json!({"query": query, "limit": 5, "mode": mode});
    client.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_matches_says_so() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Pumps").await;
    add_document(&admin, &base, "handbook.pdf", &fixture("chromium.en.pdf")).await;
    app.wait_for_jobs().await;
    let weights = admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200)["weights"].clone();
    assert!(weights["other"]["floor"].as_f64().is_some(), "measured with the base: {weights}");

    for question in ["how long may a pump run dry", "pump run dry"] {
        let found = ask(&admin, &base, question, "hybrid").await;
        assert!(found["matches"].as_u64().unwrap() >= 1, "{question}: {found}");
        assert_eq!(found["results"][0]["weak"], false, "{question}: {found}");
    }
    for nonsense in
        ["xyzzy plugh frobnicate", "best chocolate cake recipe for a birthday", "кто победил на выборах мэра"]
    {
        let found = ask(&admin, &base, nonsense, "hybrid").await;
        assert_eq!(found["matches"], 0, "{nonsense}: {found}");
        assert!(found["results"].as_array().unwrap().iter().all(|hit| hit["weak"] == true), "{nonsense}: {found}");
    }
    let page = admin.get(&format!("/knowledge/{base}/search?q=best+chocolate+cake+recipe+for+a+birthday")).await.text;
    assert!(page.contains("Nothing in this base seems to answer that") && page.contains("Weak matches"), "{page}");
    let page = admin.get(&format!("/knowledge/{base}/search?q=how+long+may+a+pump+run+dry")).await.text;
    assert!(!page.contains("Nothing in this base seems to answer that"), "{page}");
    let metrics = app.app.telemetry.encode();
    assert!(metrics.contains(r#"holdfast_knowledge_searches_unmatched_total{mode="hybrid"} 4"#), "{metrics}");
    app.stop().await;
}

/// A weak match that full text ranks first must not displace a later match.
#[tokio::test(flavor = "multi_thread")]
async fn results_are_truncated_after_marking_weak_matches() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Farm").await;
    let mut documents = vec![
        ("air.md".to_owned(), "The zeppelin, the zeppelin, a zeppelin, one zeppelin more."),
        ("farm.md".to_owned(), "A cat and a dog share the yard with hens, geese, ducks and the morning sun."),
    ];
    for n in 0..4 {
        documents.push((format!("cat{n}.md"), "The cat sleeps."));
        documents.push((format!("dog{n}.md"), "The dog barks."));
    }
    for (n, (name, text)) in documents.iter().enumerate() {
        add_document(&admin, &base, name, format!("# Part {n}\n\n{text}\n").as_bytes()).await;
    }
    app.wait_for_jobs().await;
    let question = "zeppelin cat dog bird";
    let all = ask(&admin, &base, question, "text").await;
    let names = |found: &Value| -> Vec<(String, bool)> {
        let hits = found["results"].as_array().unwrap().iter();
        hits.map(|hit| (hit["filename"].as_str().unwrap().to_owned(), hit["weak"] == true)).collect()
    };
    let zeppelin = all["results"].as_array().unwrap().iter().find(|hit| hit["filename"] == "air.md").unwrap();
    assert!(zeppelin["score"].as_f64() > all["results"][0]["score"].as_f64(), "ranked first by the words: {all}");
    let body = json!({"query": question, "limit": 1, "mode": "text"});
    let one = admin.post(&format!("/api/v1/knowledge-bases/{base}/search"), &body).await.expect(200);
    assert_eq!((names(&one), &one["matches"]), (vec![("farm.md".to_owned(), false)], &json!(1)), "{one}");
    app.stop().await;
}

/// `C++` is a different name than C, and characters of a script without spaces are not words.
#[tokio::test(flavor = "multi_thread")]
async fn names_with_symbols_and_words_without_spaces_differ_from_their_letters() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Names").await;
    for (name, text) in [
        ("vitamin.md", "Vitamin C is in lemons, and vitamin F in oil."),
        ("code.md", "The driver is written in C++17, the tool in C#, the service for ASP.NET."),
        ("fishing.md", "A net of hemp."),
        ("leave.md", "员工申请带薪年假需提前三天。"),
        ("year.md", "今年的申报很长，请看假日表。"),
        ("thai.md", "เขากำลังกินข้าวที่บ้าน"),
        ("korean.md", "번역을 부탁했다."),
        ("isbn.md", "The book has the ISBN 978-3-16-148410-0."),
        ("part.md", "Деталь СВ-1234 на складе."),
    ] {
        add_document(&admin, &base, name, format!("# {name}\n\n{text}\n").as_bytes()).await;
    }
    app.wait_for_jobs().await;
    for (query, name) in [
        ("C++", "code.md"),
        ("C#", "code.md"),
        (".NET", "code.md"),
        ("申请年假", "leave.md"),
        ("กินข้าว", "thai.md"),
        ("번역이", "korean.md"),
        ("9783161484100", "isbn.md"),
        ("CB-1234", "part.md"),
        ("cb1234", "part.md"),
    ] {
        let found = ask(&admin, &base, query, "text").await;
        let strong: Vec<&Value> =
            found["results"].as_array().unwrap().iter().filter(|hit| hit["weak"] == false).collect();
        let names: Vec<&str> = strong.iter().map(|hit| hit["filename"].as_str().unwrap()).collect();
        assert_eq!(names, [name], "{query}: {found}");
        assert_eq!(found["results"][0]["filename"], name, "{query}: {found}");
    }
    app.stop().await;
}

/// Without a self-test there is no floor, and nothing is called weak.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_is_measured_when_its_last_pending_document_fails() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Pumps").await;
    add_document(&admin, &base, "handbook.pdf", &fixture("chromium.en.pdf")).await;
    app.wait_for_jobs().await;
    let mut db = superuser(&app).await;
    sqlx::query("UPDATE knowledge_bases SET weights = NULL").execute(&mut db).await.unwrap();
    let damaged = add_document(&admin, &base, "damaged.pdf", &fixture("truncated.pdf")).await;
    assert_eq!(wait_for_document(&admin, &base, &damaged).await["status"], "failed");
    app.wait_for_jobs().await;
    let weights = admin.get(&format!("/api/v1/knowledge-bases/{base}")).await.expect(200)["weights"].clone();
    assert!(weights["other"]["floor"].as_f64().is_some(), "{weights}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spelling_variants_match() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Спецификаци\u{438}\u{306}").await;
    let text = "# Notes\n\nRelease v1.2.3 follows RFC9110.\n\n## Store\n\nThe café holds 10kg of flour.\n\n## Health\n\nThe WHO advises 10,5 grams.\n";
    add_document(&admin, &base, "a.md", text.as_bytes()).await;
    app.wait_for_jobs().await;
    for (query, expected) in [
        ("1.2.3", "Release"),
        ("v1.2.3", "Release"),
        ("RFC 9110", "Release"),
        ("cafe", "flour"),
        ("10 kg", "flour"),
        ("WHO", "advises"),
        ("10.5", "advises"),
    ] {
        let found = search(&admin, &base, query, "text").await;
        assert_eq!(found[0]["weak"], false, "{query}: {found:?}");
        assert!(
            found.first().is_some_and(|hit| hit["text"].as_str().unwrap().contains(expected)),
            "{query}: {found:?}"
        );
    }
    // Lists: macOS pastes й as two characters; both forms of the name must be found.
    for typed in ["Спецификаций", "Спецификаци\u{438}\u{306}"] {
        let typed: String = typed.chars().skip(8).collect();
        let query = serde_html_form::to_string([("q", typed.as_str())]).unwrap();
        let listed = admin.get(&format!("/api/v1/knowledge-bases?{query}")).await.expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), 1, "{typed:?}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outdated_terms_are_rewritten_while_the_base_is_searched() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let base = make_base(&admin, "Old").await;
    let id = add_document(&admin, &base, "a.md", b"# Sea\n\nThe albatross returns in spring.\n").await;
    app.wait_for_jobs().await;
    let mut db = superuser(&app).await;
    // As if the terms had been made from other words.
    sqlx::query("UPDATE knowledge_chunks SET text = replace(text, 'albatross', 'petrel')")
        .execute(&mut db)
        .await
        .unwrap();
    sqlx::query("UPDATE knowledge_bases SET analysis = 1").execute(&mut db).await.unwrap();
    assert!(search(&admin, &base, "petrel", "text").await.is_empty());
    app.app.knowledge.reconcile_soon().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!(search(&admin, &base, "petrel", "text").await.len(), 1);
    let by_meaning = search(&admin, &base, "the albatross returns in spring", "vector").await;
    assert_eq!(by_meaning[0]["document_id"], id.as_str(), "the vectors are still there");
    assert!(by_meaning[0]["score"].as_f64().unwrap() > 0.8, "and still the old ones: {by_meaning:?}");
    let analysis: i16 = sqlx::query_scalar("SELECT analysis FROM knowledge_bases").fetch_one(&mut db).await.unwrap();
    assert_eq!(analysis, 4);
    db.close().await.unwrap();
    app.stop().await;
}
