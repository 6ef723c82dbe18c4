//! A real Alertmanager opens drafts.

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{id, list, one, start};
use crate::support::{alertmanager::Alertmanager, app::Client, wait::until};

const TOKEN: &str = "a-token-for-alertmanager";

/// Those that alerts opened, and that last.
async fn open(admin: &Client) -> Vec<Value> {
    let mut open = list(admin, "installation=true&open=true").await;
    open.retain(|incident| incident["opened_by"] == "alert");
    open
}

/// When the newest notification of the alert came.
async fn heard(admin: &Client) -> DateTime<Utc> {
    let alerts = admin.get("/api/v1/alerts").await.expect(200);
    alerts["data"][0]["heard_at"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn alertmanager_opens_a_draft() {
    let app = start(&[("HOLDFAST_ALERTING__TOKEN", TOKEN)]).await;
    let alertmanager = Alertmanager::start(app.base_url.trim_start_matches("http://"), TOKEN).await;
    let admin = app.admin().await;
    let began = (app.clock.now() - TimeDelta::minutes(1)).trunc_subsecs(3);
    alertmanager.tell("QueueStuck", began, None).await;
    until("no incident", async || open(&admin).await.len() == 1).await;
    let draft = one(&admin, &id(&open(&admin).await[0])).await;
    assert_eq!((&draft["name"], &draft["opened_by"]), (&json!("QueueStuck"), &json!("alert")));
    assert_eq!((&draft["published_at"], &draft["severity"]), (&Value::Null, &json!("critical")));
    assert_eq!(draft["causes"].as_array().unwrap().len(), 1);

    // It repeats after two seconds: that is nothing new.
    let first = heard(&admin).await;
    until("it does not repeat", async || heard(&admin).await > first).await;
    app.wait_for_jobs().await;
    let again = one(&admin, &id(&draft)).await;
    assert_eq!(
        (again["causes"].clone(), again["version"].clone()),
        (draft["causes"].clone(), draft["version"].clone())
    );

    // Another alert of the same name and service is the same trouble; one of another name is not.
    alertmanager.tell("DiskWillFill", began, None).await;
    until("the other one opens nothing", async || open(&admin).await.len() == 2).await;
    for name in ["QueueStuck", "DiskWillFill"] {
        alertmanager.tell(name, began, Some(app.clock.now())).await;
    }
    until("they do not end", async || open(&admin).await.is_empty()).await;
    app.stop().await;
}
