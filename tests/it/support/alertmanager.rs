//! A real Alertmanager.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::json;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
};

use super::{app::Client, wait::until};

/// The program: `HOLDFAST_TEST_ALERTMANAGER`, else Debian's or upstream's name on the path. `scripts/test` installs it.
fn program() -> PathBuf {
    if let Ok(path) = std::env::var("HOLDFAST_TEST_ALERTMANAGER") {
        return path.into();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .flat_map(|folder| ["prometheus-alertmanager", "alertmanager"].map(|name| folder.join(name)))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("no Alertmanager: apt-get install prometheus-alertmanager, or set HOLDFAST_TEST_ALERTMANAGER")
    })
}

/// A running Alertmanager; ends with the value.
pub struct Alertmanager {
    pub url: String,
    _process: Child,
    pub config: PathBuf,
    _dir: tempfile::TempDir,
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

fn write_config(dir: &Path, holdfast: &str, secret: &str) -> PathBuf {
    let token = dir.join("token");
    std::fs::write(&token, secret).unwrap();
    let config = format!(
        "route:\n  receiver: holdfast\n  group_by: [alertname]\n  group_wait: 100ms\n  group_interval: 1s\n  repeat_interval: 2s\n\
         receivers:\n- name: holdfast\n  webhook_configs:\n  - url: http://{holdfast}/api/v1/alerts\n    send_resolved: true\n    http_config:\n      \
         authorization:\n        type: Bearer\n        credentials_file: {}\n",
        token.display()
    );
    let file = dir.join("alertmanager.yml");
    std::fs::write(&file, config).unwrap();
    file
}

impl Alertmanager {
    /// Notifies this address, with this token, at once and every two seconds.
    pub async fn start(holdfast: &str, token: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = write_config(dir.path(), holdfast, token);
        let log = dir.path().join("log");
        let port = free_port().await;
        let mut process = Command::new(program())
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let client = Client::new(&url);
        until("Alertmanager does not start", async || {
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none(), "Alertmanager ended:\n{}", std::fs::read_to_string(&log).unwrap());
            client.request(Method::GET, "/-/ready").send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        Self { url, _process: process, config, _dir: dir }
    }

    /// As Prometheus does.
    pub async fn tell(&self, name: &str, starts_at: DateTime<Utc>, ends_at: Option<DateTime<Utc>>) {
        let mut alert = json!({
            "labels": {"alertname": name, "severity": "critical", "job": "holdfast"},
            "annotations": {"summary": format!("{name} happened")}, "startsAt": starts_at, "generatorURL": "http://prometheus:9090/graph",
        });
        if let Some(end) = ends_at {
            alert["endsAt"] = json!(end);
        }
        let answer = Client::new(&self.url).post("/api/v2/alerts", &json!([alert])).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}
