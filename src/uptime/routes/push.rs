//! Beats in the forms of other programs, for senders that were set up for them: Uptime Kuma's `/api/push/{token}`, and Gatus's
//! `/api/v1/endpoints/{key}/external`. Their answers are those programs', so they are in no description of the API.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    Beat, Uptime, UptimeError,
    import::go_duration,
    prober::{Push, Taken},
};
use platform::{error::ApiError, http::Path};

pub fn router() -> Router<Uptime> {
    Router::new()
        .route("/api/push/{token}", get(kuma).post(kuma))
        .route("/api/v1/endpoints/{key}/external", post(gatus))
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Pushed {
    /// Everything but `up` is down.
    status: Option<String>,
    msg: String,
    /// Milliseconds; empty: not known.
    ping: String,
}

async fn kuma(State(uptime): State<Uptime>, Path(token): Path<String>, Query(pushed): Query<Pushed>) -> Response {
    let beat = if pushed.status.is_none_or(|status| status == "up") { Beat::Ok } else { Beat::Fail };
    let took = pushed.ping.parse::<f64>().ok().and_then(milliseconds);
    let push = Push { token: &token, key: None, beat, took, message: &pushed.msg };
    match uptime.take_beat(push).await {
        Ok(Some(beat)) => Json(json!({ "ok": true, "stored": beat == Taken::Stored })).into_response(),
        Ok(None) => {
            let body = json!({ "ok": false, "msg": "Monitor not found or not active." });
            (StatusCode::NOT_FOUND, Json(body)).into_response()
        }
        Err(error) => refused(error),
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct External {
    success: String,
    error: String,
    /// As Go writes it, such as `1m30s`; empty: not known.
    duration: String,
}

/// The token must be that of the monitor with the key in the address: a sender that was set up for another one is told so.
async fn gatus(
    State(uptime): State<Uptime>,
    Path(key): Path<String>,
    headers: HeaderMap,
    Query(external): Query<External>,
) -> Response {
    let beat = match external.success.as_str() {
        "true" => Beat::Ok,
        "false" => Beat::Fail,
        _ => return (StatusCode::BAD_REQUEST, "invalid success value").into_response(),
    };
    let took = match external.duration.as_str() {
        "" => None,
        text => match go_duration(text) {
            Some(took) => i32::try_from(took).ok(),
            None => return (StatusCode::BAD_REQUEST, "invalid duration").into_response(),
        },
    };
    let Some(token) = bearer(&headers) else {
        return (StatusCode::UNAUTHORIZED, "invalid Authorization header").into_response();
    };
    let push = Push { token, key: Some(&key), beat, took, message: &external.error };
    match uptime.take_beat(push).await {
        Ok(Some(_)) => StatusCode::OK.into_response(),
        Ok(None) => (StatusCode::UNAUTHORIZED, "invalid token").into_response(),
        Err(error) => refused(error),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn refused(error: UptimeError) -> Response {
    ApiError::from(error).into_response()
}

/// Whole milliseconds; `None`: no duration.
fn milliseconds(ping: f64) -> Option<i32> {
    if !ping.is_finite() || ping < 0.0 {
        return None;
    }
    format!("{:.0}", ping.min(f64::from(i32::MAX))).parse().ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_ping_is_whole_milliseconds() {
        assert_eq!([12.6, 0.0, 1e300].map(milliseconds), [Some(13), Some(0), Some(i32::MAX)]);
        assert_eq!([-1.0, f64::NAN, f64::INFINITY].map(milliseconds), [None; 3]);
    }

    #[test]
    fn a_token_is_that_of_a_bearer() {
        let of = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))]);
            bearer(&headers).map(str::to_owned)
        };
        assert_eq!(of("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(["Basic abc", "Bearer ", "abc"].map(of), [None, None, None]);
    }
}
