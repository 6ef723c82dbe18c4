//! `holdfast mail` beside the running appliance, as the runbooks use it.

use serde_json::Value;

use super::outbox::FROM;
use crate::support::{
    process::Site,
    smtp::{Act, Smtp, Step},
    wait::until,
};

/// Exit code, what it prints, and what it complains about.
async fn run(site: &Site, args: &[&str]) -> (i32, String, String) {
    let output = site.run(&[&["mail"], args].concat()).await;
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn says(site: &Site, args: &[&str]) -> String {
    let (code, said, complaint) = run(site, args).await;
    assert_eq!(code, 0, "{args:?}: {said}{complaint}");
    said
}

async fn tells(site: &Site, args: &[&str]) -> Value {
    serde_json::from_str(&says(site, &[args, &["--json"]].concat()).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_tested_looked_at_and_sent_again_at_the_terminal() {
    let smtp = Smtp::start().await;
    let mut site = Site::with(smtp.settings());
    let (code, _, complaint) = run(&site, &["list"]).await;
    assert!(code == 1 && complaint.contains("there is no installation"), "{complaint}");
    let running = site.start().await;
    let (code, _, complaint) = run(&site, &["test", "ada@example.org"]).await;
    assert!(code == 1 && complaint.contains("no SMTP server is configured"), "{complaint}");
    assert!(running.stop().await.0.success());

    site.set("HOLDFAST_MAIL__FROM", FROM);
    let running = site.start().await;
    let said = says(&site, &["test", "Ada <ada@example.org>"]).await;
    assert!(said.contains("sent: the server has accepted it"), "{said}");
    assert_eq!(smtp.recipients(), ["ada@example.org"]);
    smtp.for_recipients("nobody@", Step::RcptTo, Act::Say("550 5.1.1 No such user here"));
    let (code, said, _) = run(&site, &["test", "nobody@example.org"]).await;
    assert!(code == 1 && said.contains("failed: 550 5.1.1 No such user here"), "{said}");
    let (code, said, _) = run(&site, &["test", "nobody@example.org"]).await;
    assert!(code == 1 && said.contains("holdfast mail unsuppress nobody@example.org"), "{said}");

    let failed = tells(&site, &["list", "--state", "failed", "--since", "1h"]).await;
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["to_address"]), (1, &"nobody@example.org".into()));
    assert_eq!(failed[0]["installation"], true);
    let listed = says(&site, &["list", "--search", failed[0]["message_id"].as_str().unwrap()]).await;
    assert!(listed.contains("nobody@example.org") && !listed.contains("ada@"), "{listed}");
    assert_eq!(tells(&site, &["list", "--until", "1h"]).await, Value::Array(Vec::new()));
    assert_eq!(tells(&site, &["list", "--org", "default"]).await, Value::Array(Vec::new()), "it is the installation's");

    // The server is repaired: whoever was refused gets it.
    smtp.behave();
    let known = ["unsuppress", "@example.org", "--reason", "hard_bounce", "--since", "2h"];
    assert_eq!(says(&site, &known).await.trim(), "1 removed");
    assert_eq!(run(&site, &known).await.0, 1);
    let again = ["retry", "--state", "failed", "--since", "2h", "--answer", "no such user"];
    assert_eq!(tells(&site, &[&again[..], &["--dry-run"]].concat()).await["found"], 1);
    assert_eq!(tells(&site, &again).await["changed"], 1);
    until("it was not sent again", async || smtp.recipients() == ["ada@example.org", "nobody@example.org"]).await;
    assert!(run(&site, &["retry"]).await.2.contains("--since 2h"));
    assert!(
        run(&site, &["retry", "--state", "sent", "--since", "1h"]).await.2.contains("failed, suppressed or cancelled")
    );

    let said = says(&site, &["suppress", "Eve@Example.org", "--detail", "asked by phone"]).await;
    assert!(said.contains("eve@example.org  installation: nothing more is sent"), "{said}");
    let (code, said, _) = run(&site, &["test", "eve@example.org"]).await;
    assert!(code == 1 && said.contains("is suppressed"), "{said}");
    assert!(run(&site, &["cancel"]).await.2.contains("--all"));
    assert!(says(&site, &["cancel", "--all"]).await.contains("0 cancelled"));
    assert!(run(&site, &["list", "--org", "nowhere"]).await.2.contains("there is no organisation nowhere"));
    assert_eq!(run(&site, &["list", "--since", "yesterday"]).await.0, 64);
    assert!(running.stop().await.0.success());
}
