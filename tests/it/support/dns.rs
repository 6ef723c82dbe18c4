//! Somebody else's name server: TXT records over UDP (RFC 1035), and no other.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use holdfast::platform::lifecycle::Lifecycle;
use tokio::net::UdpSocket;

const HEADER: usize = 12;
const TXT: u16 = 16;
const NO_SUCH_NAME: u8 = 3;

/// The server. Clones share the records.
#[derive(Clone)]
pub struct Dns {
    pub address: SocketAddr,
    /// Text by name, in lower case.
    records: Arc<Mutex<BTreeMap<String, String>>>,
    is_silent: Arc<AtomicBool>,
}

impl Dns {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns = Self { address: socket.local_addr().unwrap(), records: Arc::default(), is_silent: Arc::default() };
        let server = dns.clone();
        Lifecycle::new().spawn("dns", async move {
            let mut buffer = [0; 1500];
            loop {
                let (size, from) = socket.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = server.answer(&buffer[..size]) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        dns
    }

    /// Settings with which an appliance asks it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("HOLDFAST_MAIL__DNS_SERVER", self.address.to_string())]
    }

    pub fn publish(&self, name: &str, text: &str) {
        self.records.lock().unwrap().insert(name.to_lowercase(), text.to_owned());
    }

    pub fn remove(&self, name: &str) {
        self.records.lock().unwrap().remove(&name.to_lowercase());
    }

    /// Says nothing, as one that is away.
    pub fn silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::SeqCst);
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        if self.is_silent.load(Ordering::SeqCst) {
            return None;
        }
        let (mut labels, mut at) = (Vec::new(), HEADER);
        loop {
            let length = usize::from(*query.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes([*query.get(at)?, *query.get(at + 1)?]);
        let question = query.get(HEADER..at + 4)?;
        let found = self.records.lock().unwrap().get(&labels.join(".")).cloned().filter(|_| kind == TXT);
        let code = if found.is_some() { 0 } else { NO_SUCH_NAME };
        let mut answer = query[..2].to_vec();
        // An authoritative answer, with one question.
        answer.extend([0x85, 0x80 | code, 0, 1, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
        answer.extend(question);
        if let Some(text) = found {
            // A text has pieces of at most 255 bytes, each after its length.
            let data: Vec<u8> = text
                .as_bytes()
                .chunks(255)
                .flat_map(|piece| [&[u8::try_from(piece.len()).unwrap()][..], piece].concat())
                .collect();
            // The name of the question, TXT, internet, not to be kept.
            answer.extend([0xC0, 0x0C, 0, 16, 0, 1, 0, 0, 0, 0]);
            answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            answer.extend(data);
        }
        Some(answer)
    }
}
