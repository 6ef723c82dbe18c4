//! Mattermost, incoming webhooks: an attachment. A message has 16383 characters at most.
//! <https://developers.mattermost.com/integrate/webhooks/incoming/>

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    Words, limits,
    words::{color, listed},
};
use crate::message::Message;

const TITLE: usize = 300;
const TEXT: usize = 6000;
const LINE: usize = 200;

pub fn body(message: &Message, words: &Words) -> Value {
    let title = limits::cut(&limits::line(&words.title(message)), TITLE);
    let mut text = listed(
        message,
        words,
        TEXT,
        |text| text.chars().count(),
        |name, error| {
            let name = limits::markdown(&limits::cut(&limits::line(name), LINE));
            let error = limits::markdown(&limits::cut(&limits::line(error), LINE));
            if error.is_empty() { format!("- **{name}**") } else { format!("- **{name}** {error}") }
        },
    );
    if !message.text.is_empty() {
        let own = limits::markdown(&limits::cut(&message.text, TEXT / 2));
        text = if text.is_empty() { own } else { format!("{text}\n\n{own}") };
    }
    if !message.runbook_url.is_empty() {
        let _ = write!(text, "\n\n[{}]({})", words.text("incidents-runbook"), message.runbook_url);
    }
    let fields = words.facts(message).into_iter().map(|(name, value)| {
        json!({ "short": true, "title": name, "value": limits::markdown(&limits::cut(&limits::line(&value), TITLE)) })
    });
    json!({
        "text": "",
        "attachments": [{
            "fallback": title,
            "color": format!("#{:06x}", color(message)),
            "title": limits::markdown(&title),
            "title_link": message.url,
            "text": text,
            "fields": fields.collect::<Vec<_>>(),
        }],
    })
}
