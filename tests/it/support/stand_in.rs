//! A server that goes away and comes back at the same address, as a process does: it has threads of its own, so that its end closes every
//! connection.

use std::net::SocketAddr;

use axum::Router;

pub struct StandIn {
    pub address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl StandIn {
    /// An address where nobody listens yet.
    pub fn absent() -> Self {
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { address, runtime: None }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens, with these routes, when it returns.
    pub fn come_back(&mut self, router: Router) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let address = self.address;
        let (ready, listens) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            let listener = socket.listen(64).unwrap();
            ready.send(()).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
        listens.recv().unwrap();
        self.runtime = Some(runtime);
    }

    /// As kill -9 does.
    pub fn go_away(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.go_away();
    }
}
