//! Echo requests, over the datagram socket that Linux gives to programs without privileges. Where the kernel does not permit it the status is unknown.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence, SurgeError};
use tokio::time::{Instant, sleep};

use super::{
    Prober,
    attempt::{Attempt, of_io},
    failure,
};
use crate::{
    model::{Failure, Phase, Reason},
    spec::IcmpSpec,
};

/// Between two requests.
const STEP: Duration = Duration::from_millis(100);

/// Sockets for all monitors. One that fails is opened anew.
#[derive(Default)]
pub struct Echo {
    four: Mutex<Option<Client>>,
    six: Mutex<Option<Client>>,
    /// Tells requests to the same address apart: the socket has an identifier of its own.
    sequence: AtomicU16,
}

impl Echo {
    fn client(&self, ip: IpAddr) -> io::Result<Client> {
        let (place, kind) = if ip.is_ipv4() { (&self.four, ICMP::V4) } else { (&self.six, ICMP::V6) };
        let mut client = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = Client::new(&Config::builder().kind(kind).build())?;
        *client = Some(made.clone());
        Ok(made)
    }

    /// Whether the kernel gives this process such a socket.
    pub fn is_permitted(&self) -> bool {
        let opened = self.client(IpAddr::V4(Ipv4Addr::LOCALHOST));
        !opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    }

    fn forget(&self, ip: IpAddr) {
        let place = if ip.is_ipv4() { &self.four } else { &self.six };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

pub async fn run(prober: &Prober, spec: &IcmpSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let addresses = prober.resolve(&spec.host, 0, spec.family, attempt).await?;
    let Some(ip) = addresses.first().map(|judged| judged.address().ip()) else {
        return Err(failure(Reason::NameNotFound, "there is no address"));
    };
    attempt.address = Some(ip.to_canonical());
    let echo = &prober.shared.echo;
    let client = echo.client(ip).map_err(|error| of_io(&error, "echo requests"))?;
    let (count, deadline) = (u32::from(spec.count.max(1)), attempt.deadline());
    let payload = vec![0x55_u8; usize::from(spec.size)];
    let one = |place: u32| {
        let (client, payload) = (&client, &payload);
        async move {
            sleep(STEP * place).await;
            let number = echo.sequence.fetch_add(1, Ordering::Relaxed);
            let mut pinger = client.pinger(ip, PingIdentifier(number)).await;
            pinger.timeout(deadline.saturating_duration_since(Instant::now()));
            pinger.ping(PingSequence(number), payload).await.map(|(_, took)| took)
        }
    };
    let answers = join_all((0..count).map(one)).await;
    let took: Vec<Duration> = answers.iter().filter_map(|answer| answer.as_ref().ok().copied()).collect();
    if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err().filter(|error| is_local(error))) {
        echo.forget(ip);
        if let SurgeError::IOError(error) = error {
            return Err(of_io(error, "echo requests"));
        }
        return Err(failure(Reason::Local, format!("echo requests: {error}")));
    }
    let answered = u32::try_from(took.len()).unwrap_or(u32::MAX);
    if answered > 0 {
        attempt.measured(Phase::FirstByte, took.iter().sum::<Duration>() / answered);
    }
    judge(answered, count, spec.loss_below)
}

/// `loss_below`: a share.
fn judge(answered: u32, count: u32, loss_below: f64) -> Result<(), Failure> {
    let lost = f64::from(count - answered.min(count)) / f64::from(count);
    if lost >= loss_below && lost > 0.0 {
        return Err(failure(Reason::PacketLoss, format!("{answered} of {count} echo requests were answered")));
    }
    Ok(())
}

/// An error of the socket, not a missing answer.
fn is_local(error: &SurgeError) -> bool {
    matches!(error, SurgeError::IOError(_) | SurgeError::ClientDestroyed | SurgeError::NetworkError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_may_be_lost() {
        for (answered, loss_below) in [(10, 0.0), (10, 0.1), (9, 0.2), (1, 1.0)] {
            assert!(judge(answered, 10, loss_below).is_ok(), "{answered} of 10, below {loss_below}");
        }
        for (answered, loss_below) in [(9, 0.0), (9, 0.1), (8, 0.2), (0, 1.0)] {
            let failed = judge(answered, 10, loss_below).unwrap_err();
            assert_eq!(failed.reason, Reason::PacketLoss, "{answered} of 10, below {loss_below}");
        }
    }
}
