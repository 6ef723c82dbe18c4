//! A server for `grpc.health.v1.Health/Check` over HTTP/2 without TLS.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Task, listen};

/// The server.
pub struct Grpc {
    pub address: SocketAddr,
    status: Arc<AtomicU8>,
    _task: Task,
}

impl Grpc {
    /// Serving, until it is told otherwise.
    pub async fn start() -> Self {
        let (listener, address) = listen(Ipv4Addr::LOCALHOST).await;
        let status = Arc::new(AtomicU8::new(1));
        let shared = status.clone();
        let task = Task::run(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let status = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |_: Request<Incoming>| {
                        let status = status.load(Ordering::SeqCst);
                        async move { Ok::<_, Infallible>(answer(status)) }
                    });
                    let served = http2::Builder::new(TokioExecutor::new());
                    drop(served.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, status, _task: task }
    }

    /// 1 is serving, 2 is not.
    pub fn status(&self, status: u8) {
        self.status.store(status, Ordering::SeqCst);
    }
}

fn answer(status: u8) -> Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>> {
    // A field of number 1, of type varint.
    let body = Full::new(Bytes::from(vec![0, 0, 0, 0, 2, 0x08, status]));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = body.with_trailers(async move { Some(Ok(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}
