//! Telegram, Bot API `sendMessage`: HTML, which has three special characters where its Markdown has eighteen. 4096 UTF-16 units at most, after
//! entities were read; so it is cut before it is escaped. <https://core.telegram.org/bots/api#sendmessage>

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Words, limits, words::listed};
use crate::{message::Message, model::ChannelSettings};

const TITLE: usize = 300;
const LIST: usize = 2200;
const TEXT: usize = 800;
const VALUE: usize = 150;
const LINE: usize = 100;

pub fn body(message: &Message, words: &Words, settings: &ChannelSettings) -> Value {
    let title = limits::cut_utf16(&limits::line(&words.title(message)), TITLE);
    let mut text = format!("<b>{}</b>", limits::escape(&title));
    for (name, value) in words.facts(message) {
        let value = limits::cut_utf16(&limits::line(&value), VALUE);
        let _ = write!(text, "\n{}: {}", limits::escape(&name), limits::escape(&value));
    }
    let list = listed(message, words, LIST, limits::utf16, |name, error| {
        let name = limits::escape(&limits::cut_utf16(&limits::line(name), LINE));
        let error = limits::escape(&limits::cut_utf16(&limits::line(error), LINE));
        if error.is_empty() { format!("• {name}") } else { format!("• {name}: {error}") }
    });
    if !list.is_empty() {
        let _ = write!(text, "\n\n{list}");
    }
    if !message.text.is_empty() {
        let _ = write!(text, "\n\n{}", limits::escape(&limits::cut_utf16(&message.text, TEXT)));
    }
    let link = |url: &str, name: &str| {
        format!("<a href=\"{}\">{}</a>", limits::escape(url).replace('"', "&quot;"), limits::escape(name))
    };
    let _ = write!(text, "\n\n{}", link(&message.url, &words.text("incidents-open-page")));
    if !message.runbook_url.is_empty() {
        let _ = write!(text, " · {}", link(&message.runbook_url, &words.text("incidents-runbook")));
    }
    let mut body = json!({
        "text": text,
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
    });
    if let Some(topic) = settings.topic {
        body["message_thread_id"] = topic.into();
    }
    body
}
