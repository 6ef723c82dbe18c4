use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    message::Line,
    model::{IncidentStatus, Severity, What},
    module::LOCALE,
};
use console::Texts;

const ODD: &str = "<b>&*_[](){}|\" @everyone \u{1f525} \u{5d0}\u{5d1}";

fn words(language: &str) -> Words {
    Words::new(Texts::new(&[LOCALE]), language, "Europe/Berlin")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn message(kind: What, name: &str, lines: usize) -> Message {
    Message {
        name: name.to_owned(),
        kind,
        incident_id: None,
        status: IncidentStatus::Investigating,
        severity: Severity::Critical,
        started_at: at("2026-12-01T12:00:00Z"),
        ended_at: (kind == What::Resolved).then(|| at("2026-12-01T12:30:00Z")),
        monitors: (0..lines).map(|n| Line { name: format!("{name} {n}"), error: name.to_owned() }).collect(),
        more: 480,
        components: vec![name.to_owned()],
        text: name.to_owned(),
        url: "https://ai.example.com/incidents/1".into(),
        acknowledge_url: String::new(),
        runbook_url: "https://ai.example.com/runbooks/X".into(),
        late: false,
    }
}

fn chats() -> [ChannelKind; 5] {
    [ChannelKind::Slack, ChannelKind::Mattermost, ChannelKind::Discord, ChannelKind::Teams, ChannelKind::Telegram]
}

fn written(kind: ChannelKind, message: &Message, language: &str) -> Value {
    let settings = ChannelSettings { chat: Some("-1001".into()), topic: Some(7), ..ChannelSettings::default() };
    body(kind, message, &words(language), &settings).unwrap()
}

#[test]
fn each_kind_of_message_reads_differently_in_each_form_and_language() {
    for kind in chats() {
        for language in ["en", "ru"] {
            let mut seen = Vec::new();
            for what in What::ALL {
                let text = written(kind, &message(what, "Shop", 2), language).to_string();
                assert!(!seen.contains(&text), "{kind:?} {what:?}");
                let resolved = words(language).kind(What::Resolved);
                assert_eq!(text.contains(&resolved), what == What::Resolved, "{kind:?} {language} {what:?}: {text}");
                seen.push(text);
            }
        }
    }
}

#[test]
fn odd_names_are_escaped_and_call_nobody() {
    for kind in chats() {
        let text = written(kind, &message(What::Opened, ODD, 3), "en").to_string();
        assert!(!text.contains(": @everyone") && !text.is_empty(), "{kind:?}: {text}");
    }
    let telegram = written(ChannelKind::Telegram, &message(What::Opened, ODD, 1), "en");
    let text = telegram["text"].as_str().unwrap();
    assert!(text.contains("&lt;b&gt;&amp;*_[](){}|") && !text.contains("<b>&"), "{text}");
    assert_eq!(telegram["message_thread_id"], 7);
    let discord = written(ChannelKind::Discord, &message(What::Opened, ODD, 1), "en");
    assert_eq!(discord["allowed_mentions"]["parse"], serde_json::json!([]));
}

/// The fields of a value with their types; of a list each kind of element once.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "flag".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "text".into(),
        Value::Array(list) => {
            let mut kinds: Vec<Value> = Vec::new();
            for kind in list.iter().map(shape) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            kinds.into()
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect(),
    }
}

#[test]
fn each_payload_is_as_its_service_wants_it() {
    let written = |kind| written(kind, &message(What::Opened, ODD, 2), "en");
    let text = json!({ "type": "text", "text": "text" });
    let slack = written(ChannelKind::Slack);
    let header = json!({ "type": "text", "text": { "type": "text", "text": "text", "emoji": "flag" } });
    let section = json!({ "type": "text", "text": text });
    let context = json!({ "type": "text", "elements": [text] });
    let actions = json!({ "type": "text", "elements": [{ "type": "text", "text": text, "url": "text" }] });
    assert_eq!(shape(&slack), json!({ "text": "text", "blocks": [header, section, context, actions] }));
    let types: Vec<&str> =
        slack["blocks"].as_array().unwrap().iter().map(|one| one["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["header", "section", "section", "context", "actions"]);

    let fields = json!([{ "short": "flag", "title": "text", "value": "text" }]);
    let attachment = json!({
        "fallback": "text", "color": "text", "title": "text", "title_link": "text", "text": "text", "fields": fields,
    });
    let mattermost = written(ChannelKind::Mattermost);
    assert_eq!(shape(&mattermost), json!({ "text": "text", "attachments": [attachment] }));
    assert_eq!(mattermost["attachments"][0]["color"], "#c62828");

    let embed = json!({
        "title": "text", "url": "text", "description": "text", "color": "number", "timestamp": "text",
        "fields": [{ "name": "text", "value": "text", "inline": "flag" }],
    });
    let discord = written(ChannelKind::Discord);
    let expected = json!({ "content": "text", "embeds": [embed], "allowed_mentions": { "parse": [] } });
    assert_eq!(shape(&discord), expected);

    let teams = written(ChannelKind::Teams);
    let card = &teams["attachments"][0];
    assert_eq!(
        (&teams["type"], &card["contentType"]),
        (&json!("message"), &json!("application/vnd.microsoft.card.adaptive"))
    );
    let title =
        json!({ "type": "text", "size": "text", "weight": "text", "wrap": "flag", "color": "text", "text": "text" });
    let facts = json!({ "type": "text", "facts": [{ "title": "text", "value": "text" }] });
    let block = json!({ "type": "text", "wrap": "flag", "text": "text" });
    let body = json!({
        "type": "text", "$schema": "text", "version": "text", "msteams": { "width": "text" }, "body": [title, facts, block],
        "actions": [{ "type": "text", "title": "text", "url": "text" }],
    });
    assert_eq!(shape(card), json!({ "contentType": "text", "contentUrl": null, "content": body }));

    let telegram = written(ChannelKind::Telegram);
    let preview = json!({ "is_disabled": "flag" });
    let expected =
        json!({ "text": "text", "parse_mode": "text", "link_preview_options": preview, "message_thread_id": "number" });
    assert_eq!(shape(&telegram), expected, "the chat is in the address");
}

#[test]
fn long_ones_fit() {
    let long = "\u{1f525}".repeat(2500);
    let messages = [message(What::Opened, &long, 20), message(What::Opened, &"*".repeat(5000), 20)];
    for message in &messages {
        let slack = written(ChannelKind::Slack, message, "ru");
        for block in slack["blocks"].as_array().unwrap() {
            let most = if block["type"] == "header" { 150 } else { 3000 };
            let length = block["text"]["text"].as_str().map_or(0, |text| text.chars().count());
            assert!(length <= most, "{length}");
        }
        let discord = written(ChannelKind::Discord, message, "ru");
        let embed = &discord["embeds"][0];
        let fields = embed["fields"].as_array().unwrap();
        let length = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
        let all = length(&embed["title"])
            + length(&embed["description"])
            + fields.iter().map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>();
        assert!(length(&embed["title"]) <= 256 && length(&embed["description"]) <= 4096 && all <= 6000, "{all}");
        assert!(fields.iter().all(|field| length(&field["value"]) <= 1024));
        assert!(written(ChannelKind::Teams, message, "ru").to_string().len() <= 28 * 1024);
        let mattermost = written(ChannelKind::Mattermost, message, "ru");
        assert!(mattermost.to_string().chars().count() <= 16_383);
        let telegram = written(ChannelKind::Telegram, message, "ru");
        assert!(limits::utf16(telegram["text"].as_str().unwrap()) <= 4096);
    }
}

#[test]
fn what_was_left_out_is_counted() {
    for kind in chats() {
        let text = written(kind, &message(What::Opened, "Shop", 3), "en").to_string();
        assert!(text.contains("480"), "{kind:?}: {text}");
    }
}

#[test]
fn addresses_show_their_end_only() {
    let secrets = Secrets { url: "https://hooks.slack.com/services/T0/B0/abcdWXYZ".into(), ..Secrets::default() };
    assert_eq!(secrets.ends_with().as_deref(), Some("WXYZ"));
    assert_eq!(Secrets { url: "short".into(), ..Secrets::default() }.ends_with(), None);
}

#[test]
fn a_channel_has_what_its_kind_needs() {
    let none = ChannelSettings::default();
    let url = Secrets { url: "https://chat.example/hooks/1".into(), ..Secrets::default() };
    assert!(check(ChannelKind::Slack, &none, &url, true).is_empty());
    assert!(!check(ChannelKind::Slack, &none, &Secrets::default(), true).is_empty());
    assert!(check(ChannelKind::Slack, &none, &Secrets::default(), false).is_empty(), "it keeps its own");
    assert!(check(ChannelKind::Mail, &none, &Secrets::default(), true).is_empty(), "administrators get it");
    let chat = ChannelSettings { chat: Some("-1001".into()), ..none.clone() };
    let token = Secrets { token: "123:ABC-d_e".into(), ..Secrets::default() };
    assert!(check(ChannelKind::Telegram, &chat, &token, true).is_empty());
    let path = Secrets { token: "123:ABC/../x".into(), ..Secrets::default() };
    assert!(!check(ChannelKind::Telegram, &chat, &path, true).is_empty());
    assert!(!check(ChannelKind::Slack, &chat, &url, true).is_empty());
}
