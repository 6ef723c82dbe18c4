//! Discord, webhooks: an embed. Title 256, description 4096, 25 fields, 6000 characters in all; nobody is mentioned, whatever a name says.
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook>

use std::fmt::Write as _;

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::{
    Words, limits,
    words::{color, listed},
};
use crate::message::Message;

const TITLE: usize = 256;
/// Half of what is allowed: title, facts and the newest update have their place beside it.
const LIST: usize = 2000;
const TEXT: usize = 1000;
const VALUE: usize = 300;
const LINE: usize = 120;

pub fn body(message: &Message, words: &Words) -> Value {
    let title = limits::cut(&limits::line(&words.title(message)), TITLE);
    let mut description = listed(
        message,
        words,
        LIST,
        |text| text.chars().count(),
        |name, error| {
            let name = limits::markdown(&limits::cut(&limits::line(name), LINE));
            let error = limits::markdown(&limits::cut(&limits::line(error), LINE));
            if error.is_empty() { format!("- **{name}**") } else { format!("- **{name}** {error}") }
        },
    );
    if !message.text.is_empty() {
        // Each sign may be escaped.
        let own = limits::markdown(&limits::cut(&message.text, TEXT / 2));
        description = if description.is_empty() { own } else { format!("{description}\n\n{own}") };
    }
    if !message.runbook_url.is_empty() {
        let _ = write!(description, "\n\n[{}]({})", words.text("incidents-runbook"), message.runbook_url);
    }
    let fields = words.facts(message).into_iter().map(|(name, value)| {
        let value = limits::markdown(&limits::cut(&limits::line(&value), VALUE));
        json!({ "name": name, "value": value, "inline": true })
    });
    json!({
        "content": "",
        "embeds": [{
            "title": title,
            "url": message.url,
            "description": limits::cut(&description, 4096),
            "color": color(message),
            "timestamp": message.ended_at.unwrap_or(message.started_at).to_rfc3339_opts(SecondsFormat::Millis, true),
            "fields": fields.collect::<Vec<_>>(),
        }],
        "allowed_mentions": { "parse": [] },
    })
}
