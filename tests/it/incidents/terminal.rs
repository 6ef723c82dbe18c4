//! `holdfast incidents` beside the running appliance.

use serde_json::{Value, json};

use super::id;
use crate::support::process::Site;

async fn says(site: &Site, args: &[&str], code: i32) -> String {
    let output = site.run(&[&["incidents"], args].concat()).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (said, complaint) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}{complaint}");
    format!("{said}{complaint}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_acknowledged_noted_and_resolved_at_the_terminal() {
    let site = Site::new();
    let running = site.start().await;
    let admin = site.admin().await;
    let body = json!({"name": "Orders are slow", "installation": true});
    let incident = id(&admin.post("/api/v1/incidents", &body).await.expect(201));
    let listed = says(&site, &["list"], 0).await;
    assert!(listed.contains("Orders are slow") && listed.contains("nobody has it"), "{listed}");
    let acknowledged = says(&site, &["acknowledge", &incident], 0).await;
    assert!(!acknowledged.contains("nobody has it"), "{acknowledged}");
    says(&site, &["note", &incident, "A disk is full.", "--status", "identified"], 0).await;
    let refused = says(&site, &["note", &incident, "It is over.", "--status", "postmortem"], 1).await;
    assert!(refused.contains("a post-mortem comes after the incident was resolved"), "{refused}");
    says(&site, &["resolve", &incident, "--text", "It has space again."], 0).await;
    let shown: Value = serde_json::from_str(&says(&site, &["show", &incident, "--json"], 0).await).unwrap();
    assert_eq!(
        (&shown["incident"]["status"], &shown["incident"]["acknowledged_by"]),
        (&json!("resolved"), &json!("cli"))
    );
    let said: Vec<&str> =
        shown["incident"]["updates"].as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap()).collect();
    assert_eq!(said, ["It has space again.", "A disk is full."]);
    assert!(!says(&site, &["list"], 0).await.contains("Orders are slow"));
    assert!(says(&site, &["list", "--all"], 0).await.contains("Orders are slow"));
    says(&site, &["list", "--org", "nobody"], 1).await;
    says(&site, &["on-call", "--json"], 0).await;
    assert!(says(&site, &["test", "nobody"], 1).await.contains("there is no such channel"));
    assert!(running.stop().await.0.success());
}
