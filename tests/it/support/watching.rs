//! One of each thing of monitors, incidents and status pages.

use serde_json::{Value, json};

use super::app::Client;

/// Their ids.
pub struct Watching {
    /// Paused: nothing is asked.
    pub monitor: String,
    pub component: String,
    pub incident: String,
    /// Of the incident.
    pub update: String,
    pub channel: String,
    pub rota: String,
    /// Of the rota.
    pub shift: String,
    pub rule: String,
    pub template: String,
    pub page: String,
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// What a channel is made of. Nothing is sent there.
pub fn channel(key: &str) -> Value {
    json!({"key": key, "name": "Chat", "kind": "mattermost", "url": "https://chat.example.com/hooks/x"})
}

/// What a rota of one person is made of.
pub fn rota(key: &str, user: &str) -> Value {
    let layer = json!({"people": [user], "starts": "2020-01-06T09:00:00", "turn": "week"});
    json!({"key": key, "name": "First line", "zone": "Europe/Berlin", "layers": [layer]})
}

/// What a turn that somebody takes over is made of.
pub fn shift(user: &str) -> Value {
    json!({"user_id": user, "starts_at": "2040-01-02T09:00:00Z", "ends_at": "2040-01-02T17:00:00Z"})
}

/// What a rule of one step is made of.
pub fn rule(key: &str, channel: &str) -> Value {
    json!({"key": key, "name": "Everything", "steps": [{"after_seconds": 0, "channels": [channel]}]})
}

/// What a prepared text is made of.
pub fn template(name: &str) -> Value {
    json!({"name": name, "language": "en", "title": "Network", "body": "We look into it.", "status": "investigating"})
}

impl Watching {
    /// Makes them. `user` is somebody of the organisation.
    pub async fn make(admin: &Client, user: &str) -> Self {
        let make = async |path: &str, body: Value| id(&admin.post(path, &body).await.expect(201));
        let spec = json!({"kind": "tcp", "host": "shop.example", "port": 443});
        let monitor = make("/api/v1/uptime/monitors", json!({"name": "Watched", "spec": spec, "paused": true})).await;
        let component = make("/api/v1/incident-components", json!({"key": "watched", "name": "Watched"})).await;
        let incident = make("/api/v1/incidents", json!({"name": "Slow", "body": "We look into it."})).await;
        let updates = format!("/api/v1/incidents/{incident}/updates");
        let update = id(&admin.get(&updates).await.expect(200)["data"][0]);
        let channel = make("/api/v1/incident-channels", channel("watched")).await;
        let rota = make("/api/v1/incident-rotas", rota("watched", user)).await;
        let shift = make(&format!("/api/v1/incident-rotas/{rota}/overrides"), shift(user)).await;
        let rule = make("/api/v1/incident-rules", rule("watched", &channel)).await;
        let template = make("/api/v1/incident-templates", template("Watched")).await;
        let page = make("/api/v1/status-pages", json!({"slug": "watched", "name": "Watched"})).await;
        Self { monitor, component, incident, update, channel, rota, shift, rule, template, page }
    }
}
