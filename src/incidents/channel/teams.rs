//! Microsoft Teams, a workflow that posts an Adaptive Card; the message has 28 KB at most.
//! <https://learn.microsoft.com/power-automate/teams/teams-app-create>, "When a Teams webhook request is received"

use serde_json::{Value, json};

use super::{Words, limits, words::listed};
use crate::{message::Message, model::Severity};

const TITLE: usize = 1000;
/// Bytes. The whole has its place beside it.
const LIST: usize = 12_000;
const TEXT: usize = 4000;
const VALUE: usize = 1000;
const LINE: usize = 300;

pub fn body(message: &Message, words: &Words) -> Value {
    let color = match (message.is_over(), message.severity) {
        (true, _) => "Good",
        (false, Severity::Critical) => "Attention",
        (false, Severity::Warning) => "Warning",
        (false, Severity::Info) => "Accent",
    };
    let title = limits::markdown(&limits::cut_bytes(&limits::line(&words.title(message)), TITLE));
    let mut body = vec![json!({
        "type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true, "color": color, "text": title,
    })];
    let facts = words.facts(message).into_iter().map(|(name, value)| {
        json!({ "title": name, "value": limits::markdown(&limits::cut_bytes(&limits::line(&value), VALUE)) })
    });
    body.push(json!({ "type": "FactSet", "facts": facts.collect::<Vec<_>>() }));
    let list = listed(message, words, LIST, str::len, |name, error| {
        let name = limits::markdown(&limits::cut_bytes(&limits::line(name), LINE));
        let error = limits::markdown(&limits::cut_bytes(&limits::line(error), LINE));
        if error.is_empty() { format!("- {name}") } else { format!("- {name}: {error}") }
    });
    let own = limits::markdown(&limits::cut_bytes(&message.text, TEXT));
    for text in [list, own].into_iter().filter(|text| !text.is_empty()) {
        body.push(json!({ "type": "TextBlock", "wrap": true, "text": text }));
    }
    let action = |title: String, url: &str| json!({ "type": "Action.OpenUrl", "title": title, "url": url });
    let mut actions = vec![action(words.text("incidents-open-page"), &message.url)];
    if !message.runbook_url.is_empty() {
        actions.push(action(words.text("incidents-runbook"), &message.runbook_url));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "type": "AdaptiveCard",
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
                "actions": actions,
            },
        }],
    })
}
