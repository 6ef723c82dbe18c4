//! The real program is killed while it sends, or has no server to send to: the outbox keeps what it was given.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::outbox::{FROM, UNLIMITED};
use crate::support::{
    app::Client,
    process::{Running, Site},
    smtp::{Act, Smtp, Step},
    wait::until,
};

const PATH: &str = "/api/v1/mail/messages";

fn site(smtp: Option<&Smtp>) -> Site {
    let mut site = Site::with([
        ("HOLDFAST_MAIL__FROM", FROM.to_owned()),
        // A silent server is not given up while a test goes on to its next step.
        ("HOLDFAST_MAIL__CONNECT_SECONDS", "100".to_owned()),
        ("HOLDFAST_JOBS__CONCURRENCY", "16".to_owned()),
    ]);
    for name in UNLIMITED {
        site.set(name, "1000000");
    }
    for (name, value) in smtp.map(Smtp::settings).unwrap_or_default() {
        site.set(name, &value);
    }
    site
}

async fn post(client: &Client, to: &str, subject: &str) -> String {
    let made = client.post(PATH, &json!({"to": to, "subject": subject, "text": "The tide turns at noon."})).await;
    made.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn message(client: &Client, id: &str) -> Value {
    client.get(&format!("{PATH}/{id}")).await.expect(200)
}

async fn until_sent(client: &Client, id: &str, running: &Running) -> Value {
    let is_sent = async || {
        let state = message(client, id).await["state"].clone();
        assert!(state != "failed" && state != "cancelled", "{state}:\n{}", running.output());
        state == "sent"
    };
    until(&format!("{id} is stuck"), is_sent).await;
    message(client, id).await
}

fn arrivals(smtp: &Smtp, message: &Value) -> usize {
    let wanted = format!("<{}>", message["message_id"].as_str().unwrap());
    smtp.kept().iter().filter(|kept| kept.message_id() == wanted).count()
}

/// One mail hangs at each step of its conversation when the process is killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_step_leaves_nothing_stuck_and_nothing_unsent() {
    let smtp = Smtp::start().await;
    let site = site(Some(&smtp));
    let running = site.start().await;
    let admin = site.admin().await;
    let by_recipient = [Step::RcptTo, Step::Data, Step::Content, Step::Kept];
    for step in by_recipient {
        smtp.for_recipients(&format!("{step:?}.example").to_lowercase(), step, Act::Silence);
    }
    let mut mails = Vec::new();
    // These have no recipient yet: one after another, each of a domain of its own.
    for step in [Step::Connected, Step::Ehlo, Step::MailFrom].into_iter().chain(by_recipient) {
        if !by_recipient.contains(&step) {
            smtp.once(step, Act::Silence);
        }
        let before = smtp.reached(step);
        let to = format!("ada@{step:?}.example").to_lowercase();
        mails.push((step, post(&admin, &to, "Hello").await));
        until(&format!("{step:?} is not reached:\n{}", running.output()), async || smtp.reached(step) > before).await;
    }
    let ordinary = post(&admin, "ada@ordinary.example", "Hello").await;
    until_sent(&admin, &ordinary, &running).await;
    running.kill();
    smtp.behave();
    let running = site.start().await;
    let admin = site.admin().await;
    for (step, id) in &mails {
        let sent = until_sent(&admin, id, &running).await;
        let arrived = arrivals(&smtp, &sent);
        let most = if *step == Step::Kept { 2 } else { 1 };
        assert!((1..=most).contains(&arrived), "{step:?}: arrived {arrived} times: {sent}");
        // That the process was killed during an attempt is in the log of attempts.
        let history = sent["history"].as_array().unwrap();
        assert!(history.len() == 2 && history[1]["outcome"] == "sent", "{step:?}: {sent}");
        let is_said = history[0]["outcome"] == "lost" && sent["maybe_sent"] == json!(true);
        assert!(is_said, "{step:?}: {sent}");
    }
    assert_eq!(arrivals(&smtp, &message(&admin, &ordinary).await), 1);
    smtp.check_conversations();
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
}

/// At moments that nobody has chosen: what arrives twice is marked, and nothing is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_again_and_again_sends_everything() {
    let smtp = Smtp::start().await;
    smtp.always(Step::Data, Act::Wait(Duration::from_millis(15)));
    let site = site(Some(&smtp));
    let mut running = site.start().await;
    let mut admin = site.admin().await;
    let mut ids = Vec::new();
    for round in 0..3 {
        // Some may have been sent before the last of them is posted.
        let goal = smtp.kept().len() + 10 + 7 * round;
        for n in 0..40 {
            ids.push(post(&admin, &format!("reader{n}.{round}@example{}.org", n % 6), "Hello").await);
        }
        until("nothing is sent", async || smtp.kept().len() >= goal).await;
        running.kill();
        running = site.start().await;
        admin = site.admin().await;
    }
    for id in &ids {
        let sent = until_sent(&admin, id, &running).await;
        let arrived = arrivals(&smtp, &sent);
        assert!(arrived == 1 || (arrived > 1 && sent["maybe_sent"] == json!(true)), "arrived {arrived} times: {sent}");
    }
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
}

/// A stop lets what is being sent come to its end: nothing is doubtful afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_stopped_leaves_no_doubt() {
    let smtp = Smtp::start().await;
    smtp.always(Step::Kept, Act::Wait(Duration::from_millis(300)));
    let site = site(Some(&smtp));
    let running = site.start().await;
    let admin = site.admin().await;
    let mut ids = Vec::new();
    for n in 0..30 {
        ids.push(post(&admin, &format!("reader{n}@example{}.org", n % 3), "Hello").await);
    }
    until("nothing is sent", async || smtp.reached(Step::Kept) >= 3).await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{status}:\n{output}");
    assert!(smtp.kept().len() < 30, "everything was sent before the stop");
    let running = site.start().await;
    let admin = site.admin().await;
    for id in &ids {
        let sent = until_sent(&admin, id, &running).await;
        assert_eq!((arrivals(&smtp, &sent), &sent["maybe_sent"]), (1, &json!(false)), "{sent}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_mail_waits_and_goes_out_when_a_process_has_one() {
    let smtp = Smtp::start().await;
    let mut site = site(None);
    site.set("HOLDFAST_MAIL__FROM", "");
    let running = site.start().await;
    let admin = site.admin().await;
    let id = post(&admin, "ada@example.org", "Hello").await;
    // Long enough for an attempt, if there were one.
    sleep(Duration::from_secs(3)).await;
    let waiting = message(&admin, &id).await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("queued"), &json!(0)), "{waiting}");
    // Nobody's domain is in its Message-ID, least of all the address of this host.
    assert_eq!(waiting["message_id"], json!(format!("{id}@unset.invalid")));
    // It is said where people look.
    let page = admin.request(Method::GET, "/settings/mail").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("smtp_host"), "{page}");
    let doctor = site.run(&["doctor", "--json"]).await;
    let reports: Value = serde_json::from_slice(&doctor.stdout).unwrap();
    let report = reports.as_array().unwrap().iter().find(|report| report["name"] == "mail.smtp");
    assert_eq!(report.unwrap_or_else(|| panic!("{reports}"))["status"], "warn");
    let metrics = Client::new(&format!("http://{}", site.ops)).get("/metrics").await.text;
    assert!(metrics.lines().any(|line| line.starts_with("holdfast_mail_configured 0")), "{metrics}");
    running.stop().await;
    for (name, value) in smtp.settings() {
        site.set(name, &value);
    }
    site.set("HOLDFAST_MAIL__FROM", FROM);
    // The domain that it gets with its first attempt stays.
    smtp.once(Step::RcptTo, Act::Say("451 4.7.1 Greylisted"));
    let running = site.start().await;
    let admin = site.admin().await;
    let is_put_off = async || {
        let now = message(&admin, &id).await;
        now["state"] == "queued" && now["attempts"] == json!(1)
    };
    until("it is not put off", is_put_off).await;
    let wanted = json!(format!("{id}@example.com"));
    assert_eq!(message(&admin, &id).await["message_id"], wanted);
    admin.post(&format!("{PATH}/{id}/retry"), &json!({})).await.expect(202);
    let sent = until_sent(&admin, &id, &running).await;
    assert_eq!((arrivals(&smtp, &sent), &sent["message_id"]), (1, &wanted));
    running.stop().await;
}
