//! Responses as server-sent events (WHATWG HTML, section 9.2).

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderValue, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt as _};

/// Sends `events` as they come. While there are none, a comment line each `heartbeat` keeps the connection open.
pub fn event_stream(events: impl Stream<Item = Event> + Send + 'static, heartbeat: Duration) -> Response {
    let heartbeats = KeepAlive::new().interval(heartbeat).text("heartbeat");
    let mut response = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(heartbeats).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would buffer the stream otherwise.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_quiet_stream_has_heartbeats_and_no_proxy_keeps_it_back() {
        let event = |data: &str| Event::default().event("delta").data(data);
        let late = stream::once(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            event("b")
        });
        let response = event_stream(stream::iter([event("a")]).chain(late), Duration::from_millis(50));
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        let text = String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap();
        let (first, rest) = text.split_once("\n\n").unwrap();
        assert_eq!(first, "event: delta\ndata: a");
        assert!(rest.starts_with(": heartbeat\n\n") && rest.ends_with("event: delta\ndata: b\n\n"), "{text}");
    }
}
