//! Example data for each template: for previews, and for checking what people write.

use serde_json::{Value, json};

/// Data for the template `name`, with every field; null for a name that does not exist.
#[expect(clippy::too_many_lines, reason = "it is data")]
pub fn example(name: &str) -> Value {
    match name {
        "verify" => json!({
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "url": "https://ai.example.com/verify/3fV9wq1uQ2yZ",
            "valid_seconds": 86_400,
        }),
        "welcome" => json!({
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "organisation": "Analytical Engines",
            "url": "https://ai.example.com/login",
        }),
        "invitation" => json!({
            "email": "ada@example.com",
            "inviter": "Charles Babbage",
            "organisation": "Analytical Engines",
            "url": "https://ai.example.com/accept/8xK2mB7cR0sT",
            "valid_seconds": 604_800,
        }),
        "password_reset" => json!({
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "url": "https://ai.example.com/accept/5nD4hG6jL9pW",
            "valid_seconds": 3_600,
            "ip": "203.0.113.7",
        }),
        "new_device" => json!({
            "name": "Ada Lovelace",
            "device": "Firefox · Windows",
            "ip": "203.0.113.7",
            "at": "2026-08-03T09:41:00Z",
            "url": "https://ai.example.com/settings/account",
        }),
        "mfa_changed" => json!({
            "name": "Ada Lovelace",
            "change": "enabled",
            "device": "Safari · iPhone",
            "ip": "203.0.113.7",
            "at": "2026-08-03T09:41:00Z",
            "url": "https://ai.example.com/settings/account",
        }),
        "alert" => json!({
            "state": "firing",
            "alert": "HoldfastDiskAlmostFull",
            "severity": "warning",
            "summary": "The disk with the data will soon be full.",
            "description": "4.1 GB are free on /var/lib/holdfast; at the present rate it is full in 19 hours.",
            "started_at": "2026-08-03T09:41:00Z",
            "ended_at": "2026-08-03T11:06:00Z",
            "url": "https://ai.example.com/alerts/0198a1c2-5e33-7d21-9a4b-7c1d2e3f4a5b",
            "runbook_url": "https://ai.example.com/docs/runbooks/HoldfastDiskAlmostFull",
        }),
        "digest" => json!({
            "name": "Ada Lovelace",
            "since": "2026-08-02T06:00:00Z",
            "until": "2026-08-03T06:00:00Z",
            "items": [
                {
                    "title": "Bernoulli numbers.pdf could not be read",
                    "text": "The file is protected with a password.",
                    "at": "2026-08-02T14:20:00Z",
                    "url": "https://ai.example.com/knowledge/0198a1c2/documents/0198a1c3",
                },
                { "title": "Charles Babbage joined", "text": "", "at": "2026-08-02T16:05:00Z", "url": "" },
            ],
            "url": "https://ai.example.com/",
        }),
        "activity" => json!({
            "title": "Deal “Difference Engine No. 2” is won",
            "text": "The customer has signed. Delivery is due in March.",
            "actor": "Charles Babbage",
            "at": "2026-08-03T09:41:00Z",
            "details": [{ "label": "Value", "value": "€ 17,000" }, { "label": "Owner", "value": "Ada Lovelace" }],
            "url": "https://ai.example.com/deals/0198a1c2",
        }),
        "backup_report" => json!({
            "status": "verified",
            "started_at": "2026-08-03T02:00:00Z",
            "seconds": 754,
            "bytes": 48_300_000_000_i64,
            "error": "The destination offsite did not answer.",
            "restored_at": "2026-08-02T04:30:00Z",
            "url": "https://ai.example.com/settings/backups",
        }),
        "weekly_report" => json!({
            "since": "2026-07-27T00:00:00Z",
            "until": "2026-08-02T23:59:59Z",
            "answers": 1_284,
            "answers_before": 1_102,
            "answers_failed": 3,
            "people": 41,
            "cost": "$ 12.80",
            "backups": 7,
            "backups_failed": 1,
            "restored_at": "2026-08-02T04:30:00Z",
            "incidents": [
                {
                    "alert": "HoldfastDiskAlmostFull",
                    "severity": "warning",
                    "started_at": "2026-07-29T09:41:00Z",
                    "seconds": 5_100,
                },
                {
                    "alert": "HoldfastProviderFailing",
                    "severity": "critical",
                    "started_at": "2026-08-02T22:10:00Z",
                    "seconds": null,
                },
            ],
            "incidents_count": 5,
            "incidents_left_out": 3,
            "url": "https://ai.example.com/",
        }),
        "test" => json!({
            "sender": "ada@example.com",
            "at": "2026-08-03T09:41:00Z",
            "url": "https://ai.example.com/settings/mail",
        }),
        _ => Value::Null,
    }
}
