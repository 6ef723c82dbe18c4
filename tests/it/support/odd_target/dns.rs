//! A name server over UDP that answers as it is told.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use tokio::net::UdpSocket;

use super::Task;

/// What it says to a question.
#[derive(Clone, Debug)]
pub enum Said {
    /// Addresses; those of the other family than was asked for are left out.
    Addresses(Vec<IpAddr>),
    /// A record of the type that was asked for, with these bytes.
    Record(Vec<u8>),
    /// This code, such as 3 for NXDOMAIN.
    Code(u8),
    Nothing,
}

type Rule = Box<dyn Fn(&str, u16) -> Said + Send>;

/// The server.
pub struct Dns {
    pub address: SocketAddr,
    rule: Arc<Mutex<Rule>>,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    _task: Task,
}

impl Dns {
    /// `rule`: name without the final dot, and type (1 A, 15 MX, 16 TXT, 28 AAAA).
    pub async fn start(rule: impl Fn(&str, u16) -> Said + Send + 'static) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(rule)));
        let asked = Arc::<Mutex<Vec<(String, u16)>>>::default();
        let (rules, noted) = (rule.clone(), asked.clone());
        let task = Task::run(async move {
            let mut some = [0; 2048];
            loop {
                let (count, peer) = socket.recv_from(&mut some).await.unwrap();
                let (name, kind, end) = question(&some[..count]);
                noted.lock().unwrap().push((name.clone(), kind));
                let said = rules.lock().unwrap()(&name, kind);
                if let Some(answer) = answer(&some[..end], kind, &said) {
                    socket.send_to(&answer, peer).await.unwrap();
                }
            }
        });
        Self { address, rule, asked, _task: task }
    }

    pub fn answer(&self, rule: impl Fn(&str, u16) -> Said + Send + 'static) {
        *self.rule.lock().unwrap() = Box::new(rule);
    }

    /// Questions of this type.
    pub fn asked(&self, kind: u16) -> usize {
        self.asked.lock().unwrap().iter().filter(|(_, asked)| *asked == kind).count()
    }
}

/// Name, type, and where the question ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let (mut at, mut labels) = (12, Vec::new());
    while message[at] != 0 {
        let length = usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..=at + length]).to_lowercase());
        at += length + 1;
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}

fn answer(asked: &[u8], kind: u16, said: &Said) -> Option<Vec<u8>> {
    let (code, records): (u8, Vec<Vec<u8>>) = match said {
        Said::Nothing => return None,
        Said::Code(code) => (*code, Vec::new()),
        Said::Record(bytes) => (0, vec![bytes.clone()]),
        Said::Addresses(all) => {
            let bytes = all.iter().filter_map(|ip| match ip {
                IpAddr::V4(ip) if kind == 1 => Some(ip.octets().to_vec()),
                IpAddr::V6(ip) if kind == 28 => Some(ip.octets().to_vec()),
                _ => None,
            });
            (0, bytes.collect())
        }
    };
    let mut message = asked.to_vec();
    // An answer, recursion available; one question, no authority, nothing additional.
    message[2] = 0x81;
    message[3] = 0x80 | code;
    message[4..12].copy_from_slice(&[0, 1, 0, u8::try_from(records.len()).unwrap(), 0, 0, 0, 0]);
    for record in records {
        message.extend([0xc0, 12]);
        message.extend(kind.to_be_bytes());
        message.extend([0, 1, 0, 0, 0, 60]);
        message.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        message.extend(record);
    }
    Some(message)
}
