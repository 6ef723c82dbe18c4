use super::*;

fn refuse(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> (Failure, String, Option<Duration>) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let secrets = Secrets::new(Some("sk-secret".to_owned().into()), "http://localhost/v1");
    let refusal = refused("p", &secrets, StatusCode::from_u16(status).unwrap(), &map, body.as_bytes());
    (refusal.failure, refusal.message, refusal.retry_after)
}

#[test]
fn statuses_become_failures_and_nothing_internal_is_passed_on() {
    let (failure, message, _) = refuse(401, &[], r#"{"error":{"message":"Incorrect API key provided: sk-secret"}}"#);
    assert_eq!(failure, Failure::Auth);
    assert!(!message.contains("sk-"), "{message}");
    assert_eq!(refuse(403, &[], "").0.status(), (StatusCode::FORBIDDEN, "provider_forbidden"));
    assert_eq!(refuse(403, &[], r#"{"error":{"message":"Invalid API key"}}"#).0, Failure::Auth);
    let (failure, _, retry) = refuse(429, &[("retry-after", "7")], "");
    assert_eq!((failure.status().0.as_u16(), retry), (429, Some(Duration::from_secs(7))));
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    let (_, _, retry) = refuse(429, &[("date", date), ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], "");
    assert_eq!(retry, Some(Duration::from_secs(30)));
    assert_eq!(refuse(402, &[], "").0, Failure::Billing);
    assert_eq!(refuse(402, &[("retry-after", "3")], "").0, Failure::RateLimited);
    let (failure, message, _) = refuse(500, &[], "Traceback: /srv/model.py");
    assert_eq!((failure, message.as_str()), (Failure::Server, "it failed (500)"));
    let (failure, message, _) = refuse(400, &[], r#"{"error":{"message":"bad tools for sk-secret"}}"#);
    assert_eq!((failure, message.as_str()), (Failure::Rejected, "bad tools for ***"));
    assert_eq!(refuse(404, &[], "{}").0, Failure::ModelNotFound);
}

#[test]
fn errors_inside_an_answer_are_seen_in_every_shape() {
    let ask = |text: &str| in_body("p", &Secrets::default(), text).err().map(|e| e.failure().unwrap());
    assert_eq!(ask(r#"{"error":{"message":"no","code":429}}"#), Some(Failure::RateLimited));
    assert_eq!(ask(r#"{"error":{"message":"no","code":"server_error"},"choices":[]}"#), Some(Failure::Server));
    assert_eq!(ask(r#"{"error":"model is loading"}"#), Some(Failure::Loading));
    assert_eq!(ask(r#"{"detail":"Internal error"}"#), Some(Failure::Server));
    assert_eq!(ask(r#"{"error":{"message":"m","type":"insufficient_quota"}}"#), Some(Failure::Quota));
    assert_eq!(ask(r#"{"object":"error","message":"too long","code":400}"#), Some(Failure::Rejected));
    assert_eq!(ask(r#"{"choices":[{"delta":{"content":"an \"error\" is quoted"}}],"error":null}"#), None);
    assert_eq!(ask(r#"{"choices":[{"delta":{"content":"\"error\""}}]}"#), None);
}

#[test]
fn a_refusal_is_told_apart_by_what_it_says() {
    let error =
        |message: &str, code: &str| serde_json::json!({"error": {"message": message, "code": code}}).to_string();
    for (status, message, code, expected) in [
        (
            429,
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
            Failure::Quota,
        ),
        (429, "Rate limit reached for requests", "rate_limit_exceeded", Failure::RateLimited),
        (400, "Your credit balance is too low to access the API", "", Failure::Billing),
        (400, "This model's maximum context length is 2048 tokens", "", Failure::TooLong),
        (400, "the request exceeds the available context size, try increasing it", "", Failure::TooLong),
        (
            400,
            "The response was filtered due to the prompt triggering content management policy",
            "content_filter",
            Failure::Moderated,
        ),
        (403, "Your chosen model requires moderation and your input was flagged", "", Failure::Moderated),
        (
            403,
            "Country, region, or territory not supported",
            "unsupported_country_region_territory",
            Failure::Forbidden,
        ),
        (404, "The model `x` does not exist", "model_not_found", Failure::ModelNotFound),
        (413, "Request too large", "", Failure::TooLarge),
        (503, "Loading model", "", Failure::Loading),
        (503, "no healthy upstream", "", Failure::Overloaded),
        (529, "Overloaded", "", Failure::Overloaded),
        (422, "top_p is wrong", "", Failure::Rejected),
    ] {
        assert_eq!(refuse(status, &[], &error(message, code)).0, expected, "{status} {message}");
    }
    assert_eq!(refuse(404, &[], "<html><title>404 Not Found</title></html>").0, Failure::BadResponse);
    let per_minute = error("You exceeded your current quota", "");
    assert_eq!(refuse(429, &[("retry-after", "7")], &per_minute).0, Failure::RateLimited);
    assert_eq!(refuse(429, &[("retry-after-ms", "250")], "").2, Some(Duration::from_millis(250)));
}
