//! What the answers of each service mean.

use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use webhooks::{Answer, Verdict};

fn text<'a>(answer: &'a Answer<'_>) -> std::borrow::Cow<'a, str> {
    String::from_utf8_lossy(answer.head)
}

/// `it answered 400 Bad Request: invalid_payload`
fn said(answer: &Answer<'_>) -> String {
    let said: String = text(answer).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect();
    if said.is_empty() {
        format!("it answered {}", answer.status)
    } else {
        format!("it answered {}: {said}", answer.status)
    }
}

fn retry(answer: &Answer<'_>) -> Verdict {
    Verdict::Retry(answer.retry_after, said(answer))
}

/// What all of them mean by a status that they did not give a meaning of their own.
fn otherwise(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        StatusCode::GONE => Verdict::Gone(said(answer)),
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            Verdict::Refused(said(answer))
        }
        _ => retry(answer),
    }
}

/// 403 is `action_prohibited` and the like, 404 `no_service`, 410 `channel_is_archived`.
pub fn slack(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        StatusCode::OK => Verdict::Delivered,
        StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Verdict::Gone(said(answer)),
        _ => otherwise(answer),
    }
}

pub fn mattermost(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        StatusCode::OK => Verdict::Delivered,
        StatusCode::NOT_FOUND => Verdict::Gone(said(answer)),
        _ => otherwise(answer),
    }
}

/// `retry_after` is in seconds, with decimals; the header has whole ones.
pub fn discord(answer: &Answer<'_>) -> Verdict {
    #[derive(Deserialize)]
    struct Limited {
        retry_after: f64,
    }
    match answer.status {
        StatusCode::OK | StatusCode::NO_CONTENT => Verdict::Delivered,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Gone(said(answer)),
        // 10015: unknown webhook. Another 404 comes from what stands before it.
        StatusCode::NOT_FOUND if code(answer, "code") == Some(10015) => Verdict::Gone(said(answer)),
        StatusCode::TOO_MANY_REQUESTS => {
            let limited = serde_json::from_slice::<Limited>(answer.head).ok();
            let wait = limited.and_then(|limited| Duration::try_from_secs_f64(limited.retry_after).ok());
            Verdict::Retry(wait.or(answer.retry_after), said(answer))
        }
        _ => otherwise(answer),
    }
}

/// A workflow answers 202; a connector of the old kind 200 with `1`, or 200 with a text that says what is wrong.
pub fn teams(answer: &Answer<'_>) -> Verdict {
    match answer.status {
        StatusCode::ACCEPTED => Verdict::Delivered,
        StatusCode::OK => {
            let said_text = text(answer);
            if said_text.contains("HTTP error 429") {
                return retry(answer);
            }
            if said_text.contains("HTTP error 4") { Verdict::Refused(said(answer)) } else { Verdict::Delivered }
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Verdict::Gone(said(answer)),
        _ => otherwise(answer),
    }
}

pub fn telegram(answer: &Answer<'_>) -> Verdict {
    let body = serde_json::from_slice::<Value>(answer.head).unwrap_or_default();
    let parameter = |name: &str| body.get("parameters").and_then(|parameters| parameters.get(name));
    match answer.status {
        // The head of a long answer is no JSON; that it was taken is said by the status.
        StatusCode::OK if body.get("ok").and_then(Value::as_bool) != Some(false) => Verdict::Delivered,
        // 404, unknown method: that is what it says to a token that is none.
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Verdict::Gone(said(answer)),
        StatusCode::BAD_REQUEST if parameter("migrate_to_chat_id").is_some() => {
            Verdict::Retry(Some(Duration::ZERO), said(answer))
        }
        StatusCode::TOO_MANY_REQUESTS => {
            let wait = parameter("retry_after").and_then(Value::as_u64).map(Duration::from_secs);
            Verdict::Retry(wait.or(answer.retry_after), said(answer))
        }
        _ => otherwise(answer),
    }
}

/// The new id of a chat that has become a supergroup, as an error that Telegram answered says it.
pub fn migrated(error: &str) -> Option<i64> {
    let rest = error.split_once("\"migrate_to_chat_id\":")?.1.trim_start();
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn code(answer: &Answer<'_>, name: &str) -> Option<i64> {
    serde_json::from_slice::<Value>(answer.head).ok()?.get(name)?.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use webhooks::Judge;

    fn answer(status: u16, body: &str) -> (StatusCode, Vec<u8>) {
        (StatusCode::from_u16(status).unwrap(), body.as_bytes().to_vec())
    }

    fn word(judge: Judge, status: u16, body: &str) -> String {
        let (status, head) = answer(status, body);
        match judge(&Answer { status, head: &head, retry_after: Some(Duration::from_secs(9)) }) {
            Verdict::Delivered => "delivered".to_owned(),
            Verdict::Retry(wait, _) => format!("retry {}", wait.map_or(-1.0, |wait| wait.as_secs_f64())),
            Verdict::Refused(_) => "refused".to_owned(),
            Verdict::Gone(_) => "gone".to_owned(),
        }
    }

    #[test]
    fn each_error_form_is_judged() {
        let cases: &[(Judge, u16, &str, &str)] = &[
            (slack, 200, "ok", "delivered"),
            (slack, 400, "invalid_payload", "refused"),
            (slack, 403, "action_prohibited", "gone"),
            (slack, 404, "no_service", "gone"),
            (slack, 410, "channel_is_archived", "gone"),
            (slack, 429, "", "retry 9"),
            (slack, 500, "rollup_error", "retry 9"),
            (mattermost, 200, "ok", "delivered"),
            (mattermost, 400, "{}", "refused"),
            (mattermost, 404, "{}", "gone"),
            (mattermost, 502, "", "retry 9"),
            (discord, 204, "", "delivered"),
            (discord, 400, "{\"code\":50006}", "refused"),
            (discord, 401, "{}", "gone"),
            (discord, 404, "{\"message\":\"Unknown Webhook\",\"code\":10015}", "gone"),
            (discord, 404, "<html>", "retry 9"),
            (discord, 429, "{\"retry_after\":0.75,\"global\":true}", "retry 0.75"),
            (teams, 202, "", "delivered"),
            (teams, 200, "1", "delivered"),
            (teams, 200, "Webhook message delivery failed with error: ... returned HTTP error 413", "refused"),
            (teams, 200, "... returned HTTP error 429 ...", "retry 9"),
            (teams, 403, "", "gone"),
            (teams, 429, "", "retry 9"),
            (telegram, 200, "{\"ok\":true}", "delivered"),
            (telegram, 400, "{\"ok\":false,\"description\":\"Bad Request: chat not found\"}", "refused"),
            (telegram, 400, "{\"ok\":false,\"parameters\":{\"migrate_to_chat_id\":-1001}}", "retry 0"),
            (telegram, 401, "{}", "gone"),
            (telegram, 403, "{}", "gone"),
            (telegram, 429, "{\"ok\":false,\"parameters\":{\"retry_after\":3}}", "retry 3"),
            (telegram, 500, "", "retry 9"),
        ];
        for (judge, status, body, expected) in cases {
            assert_eq!(word(*judge, *status, body), *expected, "{status} {body}");
        }
    }

    #[test]
    fn the_new_chat_is_read_out_of_the_answer() {
        let text = "it answered 400 Bad Request: {\"ok\":false,\"parameters\":{\"migrate_to_chat_id\":-100123}}";
        assert_eq!(migrated(text), Some(-100_123));
        assert_eq!(migrated("it answered 400 Bad Request"), None);
    }
}
