//! One HTTP request on a connection of its own, over HTTP/1.1 or HTTP/2.
//!
//! What hyper would run beside a request is polled within the attempt ([`Beside`]): when the attempt ends, at its deadline too, so does the connection.

use std::{
    any::Any,
    collections::BTreeMap,
    error::Error as _,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use futures::{StreamExt as _, stream::FuturesUnordered};
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, Version,
    body::Incoming,
    client::conn::{http1, http2},
    header,
    rt::Executor,
};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Prober,
    attempt::{Attempt, of_io},
    body::{self, Encoding},
    connect::Wire,
    failure,
    limited::LimitedWire,
    tls::Wanted,
};
use crate::{
    model::{Failure, Phase, Reason},
    spec::{Family, HttpVersion},
};
use platform::error::chain;

/// Of an answer's head, bytes and fields.
const HEAD: usize = 64 * 1024;
const FIELDS: usize = 100;
/// Bytes that are read until a head is whole: informational answers and frames of HTTP/2 may come before it, and neither has a limit of its own.
const BEFORE: usize = 4 * HEAD;
/// Bytes that are read of a body that no condition needs.
const UNNEEDED: usize = 64 * 1024;
/// Bytes that may come with a body of so many: what is around its parts, and what HTTP/2 sends before it is asked for.
const fn around(body: usize) -> usize {
    body.saturating_mul(8).saturating_add(8 * 1024 * 1024)
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// How it is sent, and what is wanted of the answer.
#[derive(Clone, Debug)]
pub struct Options {
    pub version: HttpVersion,
    pub family: Family,
    pub verify: bool,
    /// Of the client, PEM.
    pub identity: Option<(String, String)>,
    /// Bytes of the body at most; `None`: nobody needs it.
    pub body: Option<usize>,
}

/// What came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub version: &'static str,
    pub content_length: Option<i64>,
    pub body: Vec<u8>,
    _memory: Option<OwnedSemaphorePermit>,
    pub is_tls: bool,
}

impl Reply {
    pub fn content_type(&self) -> Option<String> {
        self.headers.get(header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
    }

    /// By lower-case name; several of one name are joined.
    pub fn fields(&self) -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            let field = fields.entry(name.as_str().to_owned()).or_default();
            if !field.is_empty() {
                field.push_str(", ");
            }
            field.push_str(&value);
        }
        fields
    }
}

/// What must live as long as its connection.
type Held = Box<dyn Any + Send>;

/// Sends a request and reads its answer.
pub async fn ask(
    prober: &Prober,
    outgoing: &Outgoing,
    options: &Options,
    attempt: &mut Attempt,
) -> Result<Reply, Failure> {
    let url = &outgoing.url;
    let (wire, is_two) = open(prober, url, options, attempt).await?;
    let (wire, limit) = LimitedWire::new(wire, BEFORE);
    let request = build(outgoing, is_two)?;
    let (beside, io) = (Beside::default(), TokioIo::new(wire));
    let work = async {
        let sent = if is_two {
            let mut builder = http2::Builder::new(beside.clone());
            builder.max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX));
            let sent = async {
                let (mut sender, connection) = builder.handshake(io).await?;
                beside.run(connection);
                let response = sender.send_request(request).await?;
                Ok::<_, hyper::Error>((response, Box::new(sender) as Held))
            };
            attempt.phase(Phase::FirstByte, sent).await?
        } else {
            let mut builder = http1::Builder::new();
            builder.max_headers(FIELDS).max_header_size(HEAD).max_buf_size(HEAD);
            let sent = async {
                let (mut sender, connection) = builder.handshake(io).await?;
                beside.run(connection);
                let response = sender.send_request(request).await?;
                Ok::<_, hyper::Error>((response, Box::new(sender) as Held))
            };
            attempt.phase(Phase::FirstByte, sent).await?
        };
        let (response, _held) = sent.map_err(|error| limit.or(Reason::HeadTooLarge, of_hyper(&error)))?;
        limit.allow(around(options.body.unwrap_or(UNNEEDED)));
        let read = read(prober, response, outgoing, options, attempt).await;
        read.map_err(|failure| limit.or(Reason::BodyTooLarge, failure))
    };
    beside.with(work).await
}

/// A connection to the URL's host, and whether it speaks HTTP/2.
pub async fn open(
    prober: &Prober,
    url: &Url,
    options: &Options,
    attempt: &mut Attempt,
) -> Result<(Wire, bool), Failure> {
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(failure(Reason::RedirectInvalid, "the address has no host"));
    };
    let stream = prober.connect(host, port, options.family, attempt).await?;
    if url.scheme() != "https" {
        return Ok((Box::new(stream), options.version == HttpVersion::Two));
    }
    let alpn: &[&[u8]] = match options.version {
        HttpVersion::Auto => &[b"h2", b"http/1.1"],
        HttpVersion::One => &[b"http/1.1"],
        HttpVersion::Two => &[b"h2"],
    };
    let wanted = Wanted {
        verify: options.verify,
        alpn: alpn.iter().map(|name| name.to_vec()).collect(),
        identity: options.identity.clone(),
    };
    let stream = prober.shared.tls.wrap(stream, host, &wanted, attempt).await?;
    let is_two = stream.get_ref().1.alpn_protocol() == Some(b"h2".as_slice());
    if options.version == HttpVersion::Two && !is_two {
        return Err(failure(Reason::Protocol, "the server does not speak HTTP/2"));
    }
    Ok((Box::new(stream), is_two))
}

fn build(outgoing: &Outgoing, is_two: bool) -> Result<Request<Full<Bytes>>, Failure> {
    let url = &outgoing.url;
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    // HTTP/2 takes the host out of the address, HTTP/1.1 out of the field.
    let target = if is_two { format!("{}://{authority}{path}", url.scheme()) } else { path };
    let mut request = Request::builder().method(outgoing.method.clone()).uri(target);
    if let Some(headers) = request.headers_mut() {
        headers.clone_from(&outgoing.headers);
    }
    if !is_two {
        request = request.header(header::HOST, authority).header(header::CONNECTION, "close");
    }
    let built = request.body(Full::new(outgoing.body.clone()));
    built.map_err(|error| failure(Reason::RedirectInvalid, format!("the request cannot be made: {error}")))
}

async fn read(
    prober: &Prober,
    response: Response<Incoming>,
    outgoing: &Outgoing,
    options: &Options,
    attempt: &mut Attempt,
) -> Result<Reply, Failure> {
    let (parts, incoming) = response.into_parts();
    let text = |name: header::HeaderName| parts.headers.get(name)?.to_str().ok().map(str::trim);
    let content_length: Option<i64> = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
    let most = options.body.unwrap_or(UNNEEDED);
    // RFC 9110 section 6.4.1: these have none, whatever the head says of one.
    let has_body = outgoing.method != Method::HEAD && !matches!(parts.status.as_u16(), 204 | 304);
    let is_too_large = content_length.is_some_and(|length| usize::try_from(length).unwrap_or(usize::MAX) > most);
    if options.body.is_some() && has_body && is_too_large {
        return Err(too_large(most));
    }
    let encoding = if has_body { Encoding::of(text(header::CONTENT_ENCODING)) } else { Encoding::Plain };
    let work = body::read(incoming, encoding, most, &prober.shared.memory);
    let read = attempt.phase(Phase::Transfer, work).await??;
    if options.body.is_some() && !read.is_whole {
        return Err(too_large(most));
    }
    attempt.code = i16::try_from(parts.status.as_u16()).ok();
    Ok(Reply {
        status: parts.status.as_u16(),
        version: if parts.version == Version::HTTP_2 { "2" } else { "1.1" },
        headers: parts.headers,
        content_length,
        body: read.bytes,
        _memory: read.held,
        is_tls: outgoing.url.scheme() == "https",
    })
}

fn too_large(most: usize) -> Failure {
    failure(Reason::BodyTooLarge, format!("the body has more than {most} bytes"))
}

/// What an error of hyper says about the server.
pub fn of_hyper(error: &hyper::Error) -> Failure {
    let io = std::iter::successors(error.source(), |cause| (*cause).source())
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    let reason = if error.is_parse_too_large() {
        Reason::HeadTooLarge
    } else if error.is_parse() || error.is_parse_status() {
        Reason::Protocol
    } else if let Some(io) = io {
        return of_io(io, "the answer");
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        Reason::Closed
    } else {
        Reason::Protocol
    };
    failure(reason, chain(error))
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What runs beside a request, until that is done.
#[derive(Clone, Default)]
pub struct Beside(Arc<Mutex<Vec<Task>>>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Beside {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(task));
    }
}

impl Beside {
    /// Runs a connection. Its error comes to the request, too.
    pub fn run<E>(&self, connection: impl Future<Output = Result<(), E>> + Send + 'static) {
        self.execute(async move { drop(connection.await) });
    }

    fn take(&self) -> Vec<Task> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does the work, and runs what it starts beside it.
    pub async fn with<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let mut tasks: FuturesUnordered<Task> = FuturesUnordered::new();
        poll_fn(|context| {
            loop {
                while let Poll::Ready(Some(())) = tasks.poll_next_unpin(context) {}
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    return Poll::Ready(done);
                }
                // What was started now must be polled, or nothing wakes this task for it.
                let started = self.take();
                if started.is_empty() {
                    return Poll::Pending;
                }
                tasks.extend(started);
            }
        })
        .await
    }
}
