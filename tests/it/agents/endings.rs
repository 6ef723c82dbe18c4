//! How an answer ends: complete, stopped, failed, cut off or abandoned.

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Method, header};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::time::Instant;

use super::{handbook, make_agent, messages, metric, stream, submit};
use crate::support::{agents::start, app::TestApp, sse::Events, upstream::Upstream, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_answer_keeps_what_was_written() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    admin
        .post(&format!("{conversation}/messages"), &json!({"content": "And?"}))
        .await
        .problem(409, "conversation_busy");
    admin.post(&format!("{conversation}/regenerate"), &json!({})).await.problem(409, "conversation_busy");
    assert_eq!(admin.get(&conversation).await.expect(200)["messages"][1]["status"], "streaming");

    // Other users cannot change anything with the ids: neither of another organisation nor another person of this one.
    let stranger = app.other_org("strangers").await;
    for (path, body) in [("/stop", json!({})), ("/messages", json!({"content": "x"})), ("/regenerate", json!({}))] {
        let answer = stranger.post(&format!("{conversation}{path}"), &body).await;
        answer.problem(404, if path == "/stop" { "conversation_not_found" } else { "agent_not_found" });
    }
    stranger.delete(&conversation).await.problem(404, "conversation_not_found");
    // Long enough for the answer to end, if one of them had stopped it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        admin.get(&conversation).await.expect(200)["messages"][1]["status"],
        "streaming",
        "a stranger stopped the answer"
    );

    // Another window of the same person: it shows the answer in progress, and a way to stop it.
    let page = conversation.trim_start_matches("/api/v1");
    let shown = admin.get(page).await;
    assert!(shown.text.contains(&format!("{page}/stop")), "{}", shown.text);
    assert_eq!(submit(&admin, &format!("{page}/stop"), "").await.status, 303);
    let rest = events.all().await;
    let (name, end) = rest.last().unwrap();
    assert_eq!((name.as_str(), &end["message"]["status"]), ("end", &json!("stopped")));
    let kept = messages(&admin, &conversation).await;
    assert!(kept[1]["content"].as_str().unwrap().starts_with("w0 "), "{}", kept[1]);
    assert_eq!(kept[1]["status"], "stopped");
    assert_eq!(admin.post(&format!("{conversation}/stop"), &json!({})).await.expect(200), json!({"stopped": false}));
    until("the upstream's stream goes on", async || upstream.cancelled() > 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_goes_away_ends_the_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    // A stream, a whole answer, and the OpenAI surface.
    let streamed = start(&admin, &agent).await;
    let mut events = stream(&admin, &streamed, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    drop(events);
    until("the upstream's stream goes on", async || upstream.cancelled() >= 1).await;
    let whole = start(&admin, &agent).await;
    let waiting = async { admin.post(&format!("{whole}/messages"), &json!({"content": "Everything"})).await };
    // Disconnects once the model writes, however long this machine takes to get there.
    let before = upstream.written();
    let writing = until("the model does not write", async || upstream.written() > before + 5);
    tokio::select! {
        answer = waiting => panic!("it waited for the end: {}", answer.text),
        () = writing => {}
    }
    for conversation in [&streamed, &whole] {
        let kept = messages(&admin, conversation).await;
        assert_eq!(kept[1]["status"], "stopped", "{}", kept[1]);
    }
    assert!(messages(&admin, &streamed).await[1]["content"].as_str().unwrap().contains("w0"));
    let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "stream": true, "messages": [{"role": "user", "content": "All"}]});
    let mut events = Events::of(admin.request(Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap());
    for _ in 0..3 {
        events.next().await.expect("a stream");
    }
    drop(events);
    until("not all three upstream streams are given up", async || upstream.cancelled() >= 3).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_answer_says_why_and_is_kept() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/broken", &[]).await;
    let conversation = start(&admin, &agent).await;
    let ask = async || admin.post(&format!("{conversation}/messages"), &json!({"content": "Anyone?"})).await;
    ask().await.problem(502, "provider_error");
    let kept = messages(&admin, &conversation).await;
    assert_eq!((&kept[1]["status"], &kept[1]["error_code"]), (&json!("failed"), &json!("provider_error")));

    let change = |model: &str| json!({"name": "x", "slug": agent["slug"], "model": model});
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    admin.put(&path, &change("mock/limited")).await.expect(200);
    let limited = ask().await;
    limited.problem(429, "provider_rate_limited");
    assert_eq!(limited.headers[header::RETRY_AFTER], "7");

    admin.put(&path, &change("mock/cut")).await.expect(200);
    let mut events = stream(&admin, &conversation, "Half?").await;
    let (name, end) = events.all().await.pop().unwrap();
    assert_eq!((name.as_str(), &end["message"]["status"]), ("end", &json!("failed")));
    assert!(!end["error"].as_str().unwrap().is_empty());
    let kept = messages(&admin, &conversation).await;
    assert_eq!(kept.last().unwrap()["content"], "half an answer");

    // The next answer sees only answered questions, and works.
    admin.put(&path, &change("mock/cites")).await.expect(200);
    ask().await.expect(200);
    assert_eq!(upstream.last_request()["messages"].as_array().unwrap().len(), 2, "{}", upstream.last_request());
    app.stop().await;
}

/// Answers abandoned by a crash are found soon, and slow ones are not taken for abandoned.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_writes_any_more_is_marked_and_a_slow_one_is_not() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/slow", &[]).await;
    let conversation = start(&admin, &agent).await;
    let mut events = stream(&admin, &conversation, "Tell me everything").await;
    while events.next().await.expect("a stream").0 != "delta" {}
    let status = async || admin.get(&conversation).await.expect(200)["messages"][1]["status"].clone();

    // Slower than the sweep's limit: two minutes in all, but its writer records it every 15 s of real time; the
    // application's own sweep runs meanwhile.
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let begun = app.clock.now();
    for _ in 0..3 {
        let (said, since) = ("SELECT count(*) FROM messages WHERE alive_at > $1", app.clock.now());
        let waited = Instant::now();
        while sqlx::query_scalar::<_, i64>(said).bind(since).fetch_one(&mut db).await.unwrap() == 0 {
            assert!(waited.elapsed() < Duration::from_secs(60), "the writer says nothing");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        app.clock.advance(TimeDelta::seconds(30));
        app.app.agents.sweep_abandoned().await.unwrap();
    }
    assert!(app.clock.now() - begun > TimeDelta::seconds(100));
    assert_eq!(status().await, "streaming");
    app.clock.advance(TimeDelta::seconds(61));
    app.app.agents.sweep_abandoned().await.unwrap();
    assert_eq!(status().await, "failed");
    admin.post(&format!("{conversation}/stop"), &json!({})).await;
    db.close().await.unwrap();
    app.stop().await;
}

/// An invalid answer fails, shows its reason everywhere, and is stored so.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_text_or_a_failure_with_a_reason() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    for (model, status, code, reason, content, words, russian) in [
        (
            "only-thinking",
            502,
            "answer_only_thinking",
            json!("stop"),
            "",
            "did not get to an answer",
            "не дошла до ответа",
        ),
        (
            "thinks-to-the-limit",
            422,
            "answer_only_thinking",
            json!("length"),
            "",
            "did not get to an answer",
            "не дошла до ответа",
        ),
        ("filtered", 422, "answer_filtered", json!("content_filter"), "", "content filter", "Фильтр содержания"),
        (
            "half-filtered",
            422,
            "answer_filtered",
            json!("content_filter"),
            "Half of it",
            "content filter",
            "Фильтр содержания",
        ),
        ("refuses", 422, "answer_refused", json!("stop"), "I will not.", "refused to answer", "отказалась отвечать"),
        (
            "refuses-in-parts",
            422,
            "answer_refused",
            json!("stop"),
            "I will not.",
            "refused to answer",
            "отказалась отвечать",
        ),
        ("tools", 502, "answer_needs_tools", json!("tool_calls"), "", "asked for a tool", "запросила инструмент"),
        ("empty", 502, "answer_empty", json!("stop"), "", "answered nothing", "ничего не ответила"),
        ("cut", 502, "provider_stream_cut", json!(null), "half an answer", "broke off", "оборвалась"),
        ("fails-inside", 502, "provider_error", json!(null), "half an answer [", "provider failed", "произошла ошибка"),
        ("empty-reasons", 502, "provider_stream_cut", json!(null), "half", "broke off", "оборвалась"),
        ("aborts", 502, "answer_broke_off", json!("abort"), "Half of it", "broke the answer off", "прервал ответ"),
    ] {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[]).await;
        let conversation = start(&admin, &agent).await;
        admin.post(&format!("{conversation}/messages"), &json!({"content": "Well?"})).await.problem(status, code);
        let end = stream(&admin, &conversation, "And?").await.all().await.pop().unwrap().1;
        assert!(!end["error"].as_str().unwrap().is_empty(), "{model}: {end}");
        for kept in messages(&admin, &conversation).await.iter().skip(1).step_by(2).chain([&end["message"]]) {
            let found = (
                &kept["status"],
                &kept["error_code"],
                &kept["finish_reason"],
                kept["content"].as_str().unwrap().trim(),
            );
            assert_eq!(found, (&json!("failed"), &json!(code), &reason, content), "{model}: {kept}");
        }
        // Once on the page, in words, without the code; also in Russian.
        let page = conversation.trim_start_matches("/api/v1");
        let shown = admin.get(page).await.text;
        assert_eq!(shown.matches("class=\"banner error\"").count(), 2, "{model}: one for each answer: {shown}");
        assert!(shown.contains(words) && !shown.contains(&format!("<code>{code}")), "{model}: {shown}");
        let request = admin.request(Method::GET, page).header(header::ACCEPT_LANGUAGE, "ru");
        let shown = admin.send(request).await.text;
        assert!(shown.contains(russian), "{model}: {shown}");
    }
    for (reason, count) in [
        ("only_thinking", 4),
        ("filtered", 4),
        ("refused", 4),
        ("needs_tools", 2),
        ("empty", 2),
        ("broke_off", 6),
        ("provider", 2),
    ] {
        let series = format!("holdfast_agents_answers_failed_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(&app, &series), count, "{series}");
    }
    app.stop().await;
}

/// Thinking is kept apart, however it is sent: not in the text, not in history, not cited.
#[tokio::test(flavor = "multi_thread")]
async fn thinking_is_kept_apart_from_the_answer() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let (base, _) = handbook(&app, &admin).await;
    for (model, thinking) in [
        ("tagged", "I read [1] and [1, 1]."),
        ("unopened", "I should read [1]. So it is."),
        ("reasons", "I read [1]."),
        ("parts", "Hm [1]."),
    ] {
        let agent = make_agent(&admin, &format!("mock/{model}"), &[&base]).await;
        let conversation = start(&admin, &agent).await;
        // Twice: what the first answer taught about the model must not spoil the second.
        for round in 0..2 {
            let events = stream(&admin, &conversation, "How much paid leave is there?").await.all().await;
            let (mut text, mut thought) = (String::new(), String::new());
            for (name, data) in &events {
                match name.as_str() {
                    "delta" => text.push_str(data["text"].as_str().unwrap()),
                    "thinking" => thought.push_str(data["text"].as_str().unwrap()),
                    "rewrite" => {
                        data["text"].as_str().unwrap().clone_into(&mut text);
                        data["thinking"].as_str().unwrap().clone_into(&mut thought);
                    }
                    _ => {}
                }
            }
            let rewritten = events.iter().any(|(name, _)| name == "rewrite");
            assert_eq!(rewritten, model == "unopened" && round == 0, "{model}, {round}");
            let message = &events.last().unwrap().1["message"];
            assert_eq!((text.as_str(), thought.trim()), ("It is so.", thinking), "{model}, {round}");
            let kept = (&message["content"], &message["thinking"], &message["citations"], &message["status"]);
            assert_eq!(
                kept,
                (&json!("It is so."), &json!(thinking), &json!([]), &json!("complete")),
                "{model}, {round}"
            );
        }
        let sent = upstream.last_request()["messages"].to_string();
        assert!(sent.contains("It is so.") && !sent.contains("I read") && !sent.contains("think"), "{model}: {sent}");
        let shown = admin.get(conversation.trim_start_matches("/api/v1")).await.text;
        assert_eq!(shown.matches("<details class=\"thinking\">").count(), 2, "{model}: {shown}");

        let body = json!({"model": format!("agent/{}", agent["slug"].as_str().unwrap()), "messages": [
            {"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>secret</think>b [1]"}, {"role": "user", "content": "How much?"}]});
        let whole = admin.post("/v1/chat/completions", &body).await.expect(200);
        let message = &whole["choices"][0]["message"];
        let found =
            (&message["content"], message["reasoning_content"].as_str().unwrap().trim(), &message["annotations"]);
        assert_eq!(found, (&json!("It is so."), thinking, &json!([])), "{model}: {whole}");
        assert!(!upstream.last_request()["messages"].to_string().contains("secret"), "{}", upstream.last_request());
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_off_goes_on_in_the_same_message() {
    let upstream = Upstream::start().await;
    let app = TestApp::start_with(&[upstream.setting()]).await;
    let admin = app.admin().await;
    let agent = make_agent(&admin, "mock/long", &[]).await;
    let conversation = start(&admin, &agent).await;
    let cut = admin.post(&format!("{conversation}/messages"), &json!({"content": "All?"})).await.expect(200);
    assert_eq!(
        (&cut["status"], &cut["finish_reason"], &cut["content"]),
        (&json!("complete"), &json!("length"), &json!("It begins and "))
    );
    assert_eq!(metric(&app, "holdfast_agents_answers_cut_off_total"), 1);
    let page = conversation.trim_start_matches("/api/v1");
    let shown = admin.get(page).await.text;
    assert!(shown.contains("cut off at its length limit") && shown.contains(&format!("{page}/continue")), "{shown}");

    // Without JavaScript: a form.
    assert_eq!(submit(&admin, &format!("{page}/continue"), "").await.status, 303);
    let kept = messages(&admin, &conversation).await;
    assert_eq!(kept.len(), 2);
    let whole = "It begins and after this it ends.";
    assert_eq!(
        (&kept[1]["id"], &kept[1]["content"], &kept[1]["finish_reason"]),
        (&cut["id"], &json!(whole), &json!("stop"))
    );
    let sent = upstream.last_request()["messages"].clone();
    let roles: Vec<&str> = sent.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!((roles, &sent[2]["content"]), (vec!["system", "user", "assistant", "user"], &json!("It begins and ")));
    let shown = admin.get(page).await.text;
    assert!(!shown.contains("cut off") && !shown.contains(&format!("{page}/continue")), "{shown}");
    admin.post(&format!("{conversation}/continue"), &json!({})).await.problem(409, "nothing_to_continue");

    // As a stream, and after an answer that was interrupted.
    let second = start(&admin, &agent).await;
    admin.post(&format!("{second}/messages"), &json!({"content": "All?"})).await.expect(200);
    let going_on = admin.request(Method::POST, &format!("{second}/continue")).json(&json!({"stream": true}));
    let events = Events::of(going_on.send().await.unwrap()).all().await;
    let added: String =
        events.iter().filter(|(name, _)| name == "delta").filter_map(|(_, data)| data["text"].as_str()).collect();
    assert_eq!(
        (added.as_str(), &events.last().unwrap().1["message"]["content"]),
        ("after this it ends.", &json!(whole))
    );
    let path = format!("/api/v1/agents/{}", agent["id"].as_str().unwrap());
    let change = |model: &str| json!({"name": "x", "slug": agent["slug"], "model": model});
    admin.put(&path, &change("mock/cut")).await.expect(200);
    let third = start(&admin, &agent).await;
    admin.post(&format!("{third}/messages"), &json!({"content": "All?"})).await.problem(502, "provider_stream_cut");
    // A continuation that fails keeps the earlier text.
    admin.put(&path, &change("mock/broken")).await.expect(200);
    admin.post(&format!("{third}/continue"), &json!({})).await.problem(502, "provider_error");
    assert_eq!(messages(&admin, &third).await[1]["content"], "half an answer");
    admin.put(&path, &change("mock/long")).await.expect(200);
    let whole = admin.post(&format!("{third}/continue"), &json!({})).await.expect(200);
    assert_eq!(
        (&whole["content"], &whole["status"], &whole["error_code"]),
        (&json!("half an answer after this it ends."), &json!("complete"), &json!(null))
    );

    let stranger = app.other_org("strangers").await;
    stranger.post(&format!("{third}/continue"), &json!({})).await.problem(404, "agent_not_found");
    app.stop().await;
}
