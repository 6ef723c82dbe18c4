//! Server-sent events, read as a client reads them.

use serde_json::Value;

/// Reads events from a response as they come.
pub struct Events {
    response: reqwest::Response,
    unread: String,
    /// Everything that came so far, comments included.
    pub raw: String,
}

impl Events {
    #[track_caller]
    pub fn of(response: reqwest::Response) -> Self {
        assert!(response.status().is_success(), "{}", response.status());
        let kind = response.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with("text/event-stream"), "{kind}");
        Self { response, unread: String::new(), raw: String::new() }
    }

    /// `(event, data)`; `None` at the end. Comments are passed over.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let found = parse(block);
                self.unread = rest.to_string();
                if found.is_some() {
                    return found;
                }
            }
            let bytes = self.response.chunk().await.unwrap()?;
            let text = String::from_utf8(bytes.to_vec()).expect("whole characters in each chunk of a test");
            self.raw.push_str(&text);
            self.unread.push_str(&text);
        }
    }

    /// All events until the end.
    pub async fn all(&mut self) -> Vec<(String, Value)> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(block: &str) -> Option<(String, Value)> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let data = field("data:")?;
    let value = if data == "[DONE]" { Value::String(data.into()) } else { serde_json::from_str(data).unwrap() };
    Some((field("event:").unwrap_or("message").to_owned(), value))
}
