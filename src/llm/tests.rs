//! The rules of the gateway that need neither a database nor a server.

use futures::StreamExt as _;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    backend::ChatStream,
    config::{Config, Provider},
    ending::Ending,
    error::{Failure, LlmError, OpenAiError},
    extractive::answer,
    model::{Passage, estimate_tokens},
    sse::{SseEvent, SseParser},
    turns::alternate,
    wire::{ChatCompletion, ChatRequest, Chunk, Message, Original},
};
use platform::config::ConfigErrors;

fn parse_in(pieces: &[&[u8]]) -> Vec<SseEvent> {
    let mut parser = SseParser::new(1 << 20);
    let mut events: Vec<SseEvent> = pieces.iter().flat_map(|piece| parser.push(piece).unwrap()).collect();
    events.extend(parser.finish());
    events
}

fn event(event: &str, data: &str) -> SseEvent {
    SseEvent { event: event.into(), data: data.into() }
}

#[test]
fn events_are_read_in_every_spelling_of_the_format() {
    let text = "\u{feff}: OPENROUTER PROCESSING\n\ndata: one\r\n\r\ndata:two\rdata: lines\r\revent: ping\ndata\n\nid: 7\nretry: 1\n\ndata: last";
    assert_eq!(
        parse_in(&[text.as_bytes()]),
        [event("", "one"), event("", "two\nlines"), event("ping", ""), event("", "last")]
    );
    let beside = "data: one\n\nerror: {\"code\":400}\n\n{\"error\":\"x\"}\n\nerror:\n\ndata: last\n\n";
    assert_eq!(
        parse_in(&[beside.as_bytes()]),
        [event("", "one"), event("error", "{\"code\":400}"), event("", "{\"error\":\"x\"}"), event("", "last")]
    );
}

#[test]
fn an_endless_event_is_refused() {
    let mut parser = SseParser::new(100);
    assert!((0..20).any(|_| parser.push(b"data: 0123456789").is_err()));
    let mut parser = SseParser::new(100);
    assert!((0..20).any(|_| parser.push(b"data: 0123456789\n").is_err()), "many lines are one event");
    let mut parser = SseParser::new(100);
    assert!((0..20).all(|_| parser.push(b"data: 0123456789\n\n").is_ok()), "many events are not");
}

proptest! {
    #[test]
    fn where_the_network_cuts_makes_no_difference(
        lines in prop::collection::vec(("(data|event|id|: note|)", "[a-zй€😀 :]{0,12}", prop::sample::select(vec!["\n", "\r\n", "\r"])), 0..30),
        mut cuts in prop::collection::vec(0_usize..600, 0..20),
    ) {
        let text: String = lines.iter().map(|(field, value, end)| if field.is_empty() { (*end).to_owned() } else { format!("{field}: {value}{end}") }).collect();
        let bytes = text.as_bytes();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts.into_iter().map(|c| c.min(bytes.len())) {
            pieces.push(&bytes[at..cut]);
            at = cut;
        }
        pieces.push(&bytes[at..]);
        let one_by_one: Vec<&[u8]> = bytes.chunks(1).collect();
        let whole = parse_in(&[bytes]);
        prop_assert_eq!(&parse_in(&pieces), &whole);
        prop_assert_eq!(&parse_in(&one_by_one), &whole);
    }

    #[test]
    fn a_parser_survives_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        parse_in(&[&bytes]);
    }
}

#[test]
fn odd_chunks_are_understood_and_keep_their_text() {
    for (text, content, tokens) in [
        (r#"{"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#, "a", None),
        (r#"{"choices":null,"usage":{"prompt_tokens":3,"completion_tokens":4.0}}"#, "", Some(7)),
        (r#"{"id":7,"created":"x","choices":[{"index":0,"delta":null}]}"#, "", None),
        (r#"{"usage":"none"}"#, "", None),
        (
            r#"{"choices":[{"delta":{"content":"z"}}],"usage":{"prompt_tokens":null,"completion_tokens":1}}"#,
            "z",
            Some(1),
        ),
    ] {
        let chunk = Chunk::parse(text).unwrap();
        assert_eq!(chunk.raw(), text);
        assert_eq!(chunk.body().text(), content, "{text}");
        assert_eq!(chunk.body().usage.as_ref().map(|u| u.prompt_tokens + u.completion_tokens), tokens, "{text}");
    }
}

#[test]
fn a_content_of_parts_is_sorted_into_text_thinking_and_refusal() {
    for (delta, text, thinking, refusal) in [
        (json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}), "ab", "", ""),
        (json!({"content": {"type": "text", "text": "a"}}), "a", "", ""),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}, {"type": "text", "text": "a"}]}),
            "a",
            "t",
            "",
        ),
        (json!({"content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}), "", "t", ""),
        (json!({"content": [{"type": "reasoning", "text": "t"}]}), "", "t", ""),
        (json!({"content": [{"type": "refusal", "refusal": "no"}]}), "", "", "no"),
        (json!({"content": null, "refusal": "no"}), "", "", "no"),
        (json!({"content": "a", "reasoning_content": "t"}), "a", "t", ""),
        (
            json!({"reasoning": "t", "reasoning_content": "t", "reasoning_details": [{"type": "reasoning.text", "text": "t"}]}),
            "",
            "t",
            "",
        ),
        (json!({"reasoning_details": [{"type": "reasoning.summary", "summary": "t"}]}), "", "t", ""),
        (json!({"thinking": "t", "content": ""}), "", "t", ""),
        (json!({"content": ["a", "b"]}), "ab", "", ""),
        (json!({"content": 7}), "", "", ""),
    ] {
        let chunk = Chunk::parse(json!({"choices": [{"delta": delta}]}).to_string()).unwrap();
        let found = &chunk.body().choices[0].delta;
        assert_eq!(
            (chunk.body().text(), found.thinking().as_str(), found.refusal()),
            (text, thinking, refusal),
            "{delta}"
        );
    }
}

#[test]
fn an_empty_finish_reason_is_none() {
    let reason = |json: Value| {
        let chunk =
            Chunk::parse(json!({"choices": [{"delta": {"content": "a"}, "finish_reason": json}]}).to_string()).unwrap();
        chunk.body().finish_reason().map(str::to_owned)
    };
    assert_eq!((reason(json!("")), reason(json!(null)), reason(json!(5))), (None, None, None));
    assert_eq!(reason(json!("length")).as_deref(), Some("length"));
    for (said, ending) in [
        ("MAX_TOKENS", Ending::Length),
        ("end_turn", Ending::Stop),
        ("SAFETY", Ending::ContentFilter),
        ("abort", Ending::Failed),
        ("x", Ending::Other),
    ] {
        assert_eq!(Ending::of(said), ending, "{said}");
    }
}

#[test]
fn parts_of_a_message_stand_apart() {
    let text =
        |parts: Value| serde_json::from_value::<Message>(json!({"role": "user", "content": parts})).unwrap().text();
    let part = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(text(json!([part("one"), part("two")])), "one\ntwo");
    assert_eq!(text(json!([part("one "), part("two"), part("\nthree"), part("")])), "one two\nthree");
    assert_eq!(text(json!([{"type": "thinking", "thinking": "t"}, part("one")])), "one");
}

#[test]
fn turns_alternate_and_nothing_is_left_out() {
    let message = |role: &str, text: &str| Message::new(role, text);
    let flat =
        |messages: Vec<Message>| alternate(messages).iter().map(|m| (m.role.clone(), m.text())).collect::<Vec<_>>();
    let expect =
        |list: &[(&str, &str)]| list.iter().map(|(r, t)| ((*r).to_owned(), (*t).to_owned())).collect::<Vec<_>>();
    let given = vec![
        message("system", "s"),
        message("user", "a"),
        message("user", "b"),
        message("assistant", "c"),
        message("assistant", "d"),
        message("user", "e"),
    ];
    assert_eq!(flat(given), expect(&[("system", "s"), ("user", "a\n\nb"), ("assistant", "c\n\nd"), ("user", "e")]));
    let given =
        vec![message("assistant", "Hello!"), message("user", "a"), message("system", "s"), message("user", "b")];
    assert_eq!(flat(given), expect(&[("system", "You began the conversation with:\nHello!\n\ns"), ("user", "a\n\nb")]));
    let plain = vec![message("system", "s"), message("user", "a"), message("assistant", "b"), message("user", "c")];
    assert_eq!(alternate(plain.clone()), plain);
    // Tool messages keep their order.
    let tools: Vec<Message> = serde_json::from_value(json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "1"}, {"id": "2"}]},
        {"role": "tool", "content": "x", "tool_call_id": "1"},
        {"role": "tool", "content": "y", "tool_call_id": "2"},
        {"role": "user", "content": "b"}
    ]))
    .unwrap();
    assert_eq!(alternate(tools.clone()), tools);
    // Images stay among the parts.
    let picture: Message =
        serde_json::from_value(json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}))
            .unwrap();
    let both = alternate(vec![picture, message("user", "What is it?")]);
    assert_eq!(
        serde_json::to_value(&both[0]).unwrap()["content"],
        json!([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "What is it?"}])
    );
}

#[test]
fn a_request_passes_through_with_what_we_do_not_know_in_its_order() {
    let text = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"b"}],"name":"n"}],"tools":[{"function":{"parameters":{"properties":{"zebra":{},"apple":{}}}}}],"seed":7}"#;
    let request: ChatRequest = serde_json::from_str(text).unwrap();
    assert_eq!(request.question(), "a\nb");
    assert_eq!(serde_json::to_string(&request).unwrap(), text);
    let null: ChatRequest = serde_json::from_value(json!({"model": "m", "stream": null, "max_tokens": null, "messages": [{"role": "assistant", "content": null, "tool_calls": []}]})).unwrap();
    assert_eq!(
        serde_json::to_value(&null).unwrap()["messages"][0],
        json!({"role": "assistant", "content": null, "tool_calls": []})
    );
    let wrong =
        serde_json::from_value::<ChatRequest>(json!({"model": "m", "messages": [{"role": "user", "content": 5}]}))
            .unwrap_err();
    assert!(wrong.to_string().contains("text or a list of parts"), "{wrong}");
}

#[tokio::test]
async fn chunks_put_together_are_the_whole_answer() {
    let chunks = [
        json!({"id": "c", "created": 5, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "He"}}]}),
        json!({"choices": [{"index": 0, "delta": {"content": "llo", "reasoning_content": "th"}}]}),
        json!({"choices": [{"index": 0, "delta": {"reasoning_content": "ink", "tool_calls": [{"index": 1, "id": "b", "type": "function", "function": {"name": "two", "arguments": ""}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "one", "arguments": "{"}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 1, "id": "", "function": {"name": "", "arguments": "[]"}}, {"index": 0, "id": null, "function": {"name": null, "arguments": "}"}}]}}]}),
        json!({"choices": [{"index": 0, "delta": {"annotations": [{"type": "file_citation", "n": 1}]}, "finish_reason": "tool_calls"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}),
    ];
    let stream = ChatStream::new(futures::stream::iter(chunks).map(|c| Ok(Chunk::parse(c.to_string()).unwrap())));
    let whole = stream.collect().await.unwrap();
    let body: &ChatCompletion = whole.body();
    assert_eq!((body.id.as_str(), body.object.as_str(), body.created), ("c", "chat.completion", 5));
    let message = &body.choices[0].message;
    assert_eq!((message.role.as_str(), message.text().as_str()), ("assistant", "Hello"));
    assert_eq!(message.extra["reasoning_content"], "think");
    assert_eq!(message.extra["annotations"], json!([{"type": "file_citation", "n": 1}]));
    let call = |name: &str, id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(message.extra["tool_calls"], json!([call("two", "b", "[]"), call("one", "a", "{}")]));
    assert_eq!(body.choices[0].finish_reason.as_deref(), Some("tool_calls"));
    assert_eq!(body.usage.as_ref().unwrap().total_tokens, 3);
    assert_eq!(serde_json::from_str::<Value>(whole.raw()).unwrap()["object"], "chat.completion");
    assert_eq!(Original::<ChatCompletion>::parse(whole.raw()).unwrap().body(), body);
}

#[test]
fn errors_name_the_parameter_as_openai_does() {
    let body = OpenAiError::from(LlmError::invalid("messages[2].content", "invalid_value", "no")).body();
    assert_eq!(
        body,
        json!({"error": {"message": "no", "type": "invalid_request_error", "param": "messages[2].content", "code": "invalid_value"}})
    );
    let body = OpenAiError::from(LlmError::UnknownModel("x/y".into())).body();
    assert_eq!((&body["error"]["param"], &body["error"]["code"]), (&json!("model"), &json!("model_not_found")));
}

fn kettle() -> Vec<Passage> {
    let passage = |title: &str, text: &str| Passage { title: title.into(), text: text.into(), weak: false };
    vec![
        passage(
            "kettle.md",
            "# Aurora kettle\n\n## Cleaning\n\nDescale the kettle with citric acid every eight weeks. Never put it under water.",
        ),
        passage(
            "kettle.md",
            "## Warranty\n\nThe Aurora kettle carries a warranty of 27 months from the date of purchase. Keep the receipt.",
        ),
        passage(
            "чайник.md",
            "Гарантия на чайник «Аврора» составляет 27 месяцев со дня покупки. Накипь удаляют лимонной кислотой каждые восемь недель.",
        ),
    ]
}

#[test]
fn the_extractive_model_quotes_the_sentence_that_answers() {
    let english = answer("How long is the warranty of the Aurora kettle?", &kettle());
    assert!(english.starts_with("No language model is configured"), "{english}");
    assert!(
        english.contains("> The Aurora kettle carries a warranty of 27 months from the date of purchase. [2]"),
        "{english}"
    );
    assert!(!english.contains("receipt"), "{english}");
    let russian = answer("Какая гарантия на чайник Аврора?", &kettle());
    assert!(russian.starts_with("Языковая модель не настроена"), "{russian}");
    assert!(russian.contains("27 месяцев со дня покупки. [3]"), "{russian}");
    assert!(answer("How often should I descale it?", &kettle()).contains("every eight weeks. [1]"));
}

#[test]
fn the_extractive_model_quotes_no_weak_match() {
    let question = "How long is the warranty of the Aurora kettle?";
    let weak: Vec<Passage> = kettle().into_iter().map(|p| Passage { weak: true, ..p }).collect();
    assert!(answer(question, &weak).starts_with("The documents do not say."), "{}", answer(question, &weak));
    // The other chunks keep their numbers.
    let mut mixed = kettle();
    mixed[0].weak = true;
    assert!(
        answer(question, &mixed).contains("27 months from the date of purchase. [2]"),
        "{}",
        answer(question, &mixed)
    );
}

#[test]
fn the_extractive_model_says_when_the_documents_do_not() {
    for question in
        ["Who is the president of France?", "What does the Borealis toaster cost in Japan?", "?", "the of and"]
    {
        let said = answer(question, &kettle());
        assert!(said.starts_with("The documents do not say."), "{question}: {said}");
    }
    assert!(answer("Сколько стоит доставка в Казань?", &kettle()).starts_with("В документах нет ответа"));
    assert!(answer("How long is the warranty?", &[]).starts_with("The documents do not say."));
}

#[test]
fn tokens_are_estimated_within_a_third() {
    // Counted by cl100k: 27 and 33.
    let english = estimate_tokens(
        "The Aurora kettle carries a warranty of 27 months from the date of purchase, and covers the heating element as well as the lid.",
    );
    assert!((22..=36).contains(&english), "{english}");
    let russian = estimate_tokens("Гарантия на чайник составляет 27 месяцев со дня покупки.");
    assert!((20..=40).contains(&russian), "{russian}");
}

#[test]
fn every_mistake_in_the_configuration_is_named() {
    let provider: Provider =
        toml::from_str("base_url = 'localhost'\ntimeout_seconds = 0\nmodels = ['a', 'a']").unwrap();
    let mut config = Config::default();
    config.providers.insert("agent".into(), provider);
    config.aliases.fast = "nowhere/x".into();
    config.aliases.quality = "x".into();
    config.embedding.model = "agent/e".into();
    config.max_output_tokens = 0;
    let mut errors = ConfigErrors::default();
    errors.enter("llm");
    config.validate(&mut errors);
    let found: Vec<&str> = errors.iter().map(|(setting, _)| setting).collect();
    for expected in [
        "llm.max_output_tokens",
        "llm.providers.agent",
        "llm.providers.agent.base_url",
        "llm.providers.agent.timeout_seconds",
        "llm.providers.agent.models",
        "llm.aliases.fast",
        "llm.aliases.quality",
        "llm.embedding.dimensions",
    ] {
        assert!(found.contains(&expected), "{expected} is not in {found:?}");
    }
    let mut errors = ConfigErrors::default();
    Config::default().validate(&mut errors);
    assert!(errors.is_empty(), "{errors}");
    for (base_url, fine) in [
        ("http://localhost:11434/v1", true),
        ("https://openrouter.ai/api/v1/", true),
        ("https://models.example.com", true),
        ("http://localhost:8000/v1/chat/completions", false),
        ("http://localhost:8000/v1/embeddings/", false),
    ] {
        let mut config = Config::default();
        config.providers.insert("p".into(), toml::from_str(&format!("base_url = '{base_url}'")).unwrap());
        let mut errors = ConfigErrors::default();
        config.validate(&mut errors);
        assert_eq!(errors.is_empty(), fine, "{base_url}: {errors}");
    }
}

#[test]
fn every_failure_of_a_provider_has_advice_in_both_languages() {
    for &failure in Failure::ALL {
        let key = format!("\nllm-advice-{} = ", failure.status().1.replace('_', "-"));
        for locale in [include_str!("locales/en.ftl"), include_str!("locales/ru.ftl")] {
            assert!(locale.contains(&key), "{key} is missing");
        }
    }
}
