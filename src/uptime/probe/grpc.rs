//! `grpc.health.v1.Health/Check` over HTTP/2.

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{HeaderMap, Request, client::conn::http2, header};
use hyper_util::rt::TokioIo;
use prost::Message;
use reqwest::Url;

use super::{
    Prober,
    attempt::Attempt,
    exchange::{Beside, Options, of_hyper, open},
    failure,
    limited::{LimitedWire, SMALL},
};
use crate::{
    model::{Failure, Phase, Reason},
    spec::{GrpcSpec, HttpVersion},
};

const ANSWER: usize = 64 * 1024;
/// `HealthCheckResponse.ServingStatus`
const SERVING: i32 = 1;
const STATUSES: [&str; 4] = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

#[derive(Clone, PartialEq, Message)]
struct HealthRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, Message)]
struct HealthResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

pub async fn run(prober: &Prober, spec: &GrpcSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let url: Url = spec.url.parse().map_err(|_| failure(Reason::RedirectInvalid, "the address is no http address"))?;
    let options = Options {
        version: HttpVersion::Two,
        family: spec.family,
        verify: spec.verify,
        identity: None,
        body: Some(ANSWER),
    };
    let (wire, _) = open(prober, &url, &options, attempt).await?;
    let (wire, limit) = LimitedWire::new(wire, SMALL);
    let request = request(&url, &spec.service)?;
    let (beside, io) = (Beside::default(), TokioIo::new(wire));
    let work = async {
        let sent = async {
            let (mut sender, connection) = http2::Builder::new(beside.clone()).handshake(io).await?;
            beside.run(connection);
            let response = sender.send_request(request).await?;
            Ok::<_, hyper::Error>((response, sender))
        };
        let (response, _held) = attempt.phase(Phase::FirstByte, sent).await?.map_err(|error| of_hyper(&error))?;
        let (parts, body) = response.into_parts();
        attempt.code = i16::try_from(parts.status.as_u16()).ok();
        if !parts.status.is_success() {
            return Err(failure(Reason::Status, format!("the status is {}", parts.status.as_u16())));
        }
        let collected = attempt.phase(Phase::Transfer, Limited::new(body, ANSWER).collect()).await?;
        let collected = collected.map_err(|error| failure(Reason::Closed, format!("the answer: {error}")))?;
        // An answer without a message has its status in the head.
        let status = collected.trailers().and_then(grpc_status).or_else(|| grpc_status(&parts.headers));
        attempt.code = status.and_then(|status| i16::try_from(status).ok());
        judge(status, &collected.to_bytes())
    };
    beside.with(work).await.map_err(|failure| limit.or(Reason::BodyTooLarge, failure))
}

fn request(url: &Url, service: &str) -> Result<Request<Full<Bytes>>, Failure> {
    let message = HealthRequest { service: service.to_owned() }.encode_to_vec();
    let mut body = BytesMut::with_capacity(message.len() + 5);
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    body.extend_from_slice(&message);
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Request::post(format!("{}://{authority}/grpc.health.v1.Health/Check", url.scheme()))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(body.freeze()))
        .map_err(|error| failure(Reason::RedirectInvalid, format!("the request cannot be made: {error}")))
}

fn grpc_status(headers: &HeaderMap) -> Option<u16> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

fn judge(status: Option<u16>, body: &Bytes) -> Result<(), Failure> {
    match status {
        Some(0) => {}
        Some(status) => return Err(failure(Reason::GrpcStatus, format!("the status of gRPC is {status}"))),
        None => return Err(failure(Reason::Protocol, "the answer has no status of gRPC")),
    }
    // A byte for compression, four for the length.
    let message = body.get(5..).and_then(|bytes| HealthResponse::decode(bytes).ok());
    let Some(message) = message else { return Err(failure(Reason::Protocol, "the answer is no message of gRPC")) };
    if message.status == SERVING {
        return Ok(());
    }
    let name = usize::try_from(message.status).ok().and_then(|place| STATUSES.get(place)).unwrap_or(&"?");
    Err(failure(Reason::GrpcStatus, format!("the service is {name}")))
}
