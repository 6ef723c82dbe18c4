//! Slack, incoming webhooks: a header, a section and a context. Text of a header has 150 characters at most, that of a section 3000; `& < >` are
//! escaped. <https://api.slack.com/messaging/webhooks>

use serde_json::{Value, json};

use super::{Words, limits, words::listed};
use crate::message::Message;

const HEADER: usize = 150;
const SECTION: usize = 3000;
const FALLBACK: usize = 300;
const LINE: usize = 300;

pub fn body(message: &Message, words: &Words) -> Value {
    let title = words.title(message);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": limits::cut(&limits::line(&title), HEADER), "emoji": false },
    })];
    let list = listed(
        message,
        words,
        SECTION,
        |text| text.chars().count(),
        |name, error| {
            let name = limits::escape(&limits::cut(&limits::line(name), LINE / 2));
            let error = limits::escape(&limits::cut(&limits::line(error), LINE / 2));
            if error.is_empty() {
                format!("• *{}*", plain(&name))
            } else {
                format!("• *{}* {}", plain(&name), plain(&error))
            }
        },
    );
    if !list.is_empty() {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": list } }));
    }
    if !message.text.is_empty() {
        // Escaping makes it up to five times as long.
        let text = plain(&limits::escape(&limits::cut(&message.text, SECTION / 5)));
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } }));
    }
    let facts = words.facts(message).into_iter().map(|(name, value)| {
        let text = format!("{name}: {}", plain(&limits::escape(&limits::cut(&limits::line(&value), LINE))));
        json!({ "type": "mrkdwn", "text": text })
    });
    blocks.push(json!({ "type": "context", "elements": facts.collect::<Vec<_>>() }));
    let mut buttons = vec![json!({
        "type": "button",
        "text": { "type": "plain_text", "text": words.text("incidents-open-page") },
        "url": message.url,
    })];
    if !message.runbook_url.is_empty() {
        buttons.push(json!({
            "type": "button",
            "text": { "type": "plain_text", "text": words.text("incidents-runbook") },
            "url": message.runbook_url,
        }));
    }
    blocks.push(json!({ "type": "actions", "elements": buttons }));
    json!({
        "text": limits::escape(&limits::cut(&limits::line(&title), FALLBACK)),
        "blocks": blocks,
    })
}

/// Signs of mrkdwn in a name would make it bold, and `@` or `#` would call somebody: an invisible character keeps them apart.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '_' | '~' | '`') {
            plain.push('\u{200b}');
        }
        plain.push(c);
        if matches!(c, '@' | '#') {
            plain.push('\u{200b}');
        }
    }
    plain
}
