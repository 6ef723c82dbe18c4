//! Sealing what is large beside the requests, so that they hardly feel it.

use std::{
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use super::seal::{Recipients, SealError, Sealed, Sealing};
use crate::platform::pools::{CpuPool, Traffic};

/// Bytes that are sealed by one thread, before it is seen how long that took: some 100 ms.
const TURN: u64 = 16 << 20;
/// Bytes after which a turn rests: as long as they took, some 10 ms.
const STEP: u64 = 1 << 20;
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A turn that takes this long is starved (or waits for the server, which loses nothing by the following), and ends.
const STARVED: Duration = Duration::from_secs(5);
/// Turns that are then not left to chance: a gigabyte, after which it is tried again.
const INSIST: u32 = 64;

/// Seals what is large, beside the requests.
#[derive(Clone, Debug)]
pub struct Sealer {
    pub pool: CpuPool,
    pub recipients: Recipients,
    pub traffic: Traffic,
}

impl Sealer {
    /// As [`super::seal::seal`], of what `data` reads, on the sealing threads themselves: nothing passes through the threads that serve
    /// requests. Returns the reader too.
    ///
    /// In turns, each on a thread that takes only what processor is left over, and rests while requests come: they hardly feel
    /// it. Where nothing is left over for long, some turns take their share.
    pub async fn seal<R: Read + Send + 'static>(&self, data: R, path: &Path) -> Result<(Sealed, R), SealError> {
        let (idle, mut insisting) = (self.pool.idle(), 0_u32);
        let mut sealing = Box::new(Sealing::begin(&self.recipients, data, path)?);
        loop {
            let (started, pool) = (Instant::now(), if insisting == 0 { &idle } else { &self.pool });
            let traffic = self.traffic.clone();
            let (advanced, whole) = pool.run(move || turn(sealing, &traffic)).await??;
            if whole {
                return pool.run(move || advanced.finish()).await?;
            }
            sealing = advanced;
            insisting = insist(insisting, started.elapsed());
        }
    }
}

/// How many turns are still not left to chance, after one that took so long.
fn insist(insisting: u32, took: Duration) -> u32 {
    if insisting == 0 && took > STARVED { INSIST } else { insisting.saturating_sub(1) }
}

/// Seals up to [`TURN`], with rests while there is traffic; true where it was the last.
fn turn<R: Read>(mut sealing: Box<Sealing<R>>, traffic: &Traffic) -> Result<(Box<Sealing<R>>, bool), SealError> {
    let began = Instant::now();
    for _ in 0..TURN / STEP {
        if began.elapsed() > STARVED {
            break;
        }
        let started = Instant::now();
        if sealing.advance(STEP)? {
            return Ok((sealing, true));
        }
        if traffic.is_heavy() {
            std::thread::sleep(started.elapsed().min(LONGEST_REST));
        }
    }
    Ok((sealing, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_starved_takes_a_share_for_a_while_and_then_tries_again() {
        let (quick, starved) = (Duration::from_millis(100), STARVED + Duration::from_millis(1));
        assert_eq!(insist(0, quick), 0);
        assert_eq!(insist(0, starved), INSIST);
        // A share is small where everybody wants the processor: that it takes long does not prolong it.
        assert_eq!(insist(INSIST, starved), INSIST - 1);
        assert_eq!(insist(1, quick), 0);
    }
}
