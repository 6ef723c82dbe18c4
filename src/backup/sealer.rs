//! Seals large data in the background, with little effect on requests.

use std::{
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use super::seal::{Recipients, SealError, Sealed, Sealing};
use platform::pools::{CpuPool, Traffic};

/// Bytes sealed per turn before its duration is judged: about 100 ms.
const TURN: u64 = 16 << 20;
/// Bytes after which a turn may rest: about 10 ms of work.
const STEP: u64 = 1 << 20;
const LONGEST_REST: Duration = Duration::from_millis(100);
/// A turn that takes this long is considered starved (or waits for the server, which does no harm) and ends.
const STARVED: Duration = Duration::from_secs(5);
/// Turns at normal priority after a starved one: a gigabyte, then idle priority is tried again.
const INSIST: u32 = 64;

/// Seals large data in the background.
#[derive(Clone, Debug)]
pub struct Sealer {
    pub pool: CpuPool,
    pub recipients: Recipients,
    pub traffic: Traffic,
}

impl Sealer {
    /// As [`super::seal::seal`], for a blocking reader, entirely on the sealing threads. Returns the reader too.
    ///
    /// Works in turns on a thread of idle priority, and rests while requests come, so that they hardly notice. If it gets no CPU for long,
    /// some turns run at low priority instead.
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

/// Remaining turns at low priority, after a turn of this duration.
fn insist(insisting: u32, took: Duration) -> u32 {
    if insisting == 0 && took > STARVED { INSIST } else { insisting.saturating_sub(1) }
}

/// Seals up to [`TURN`] bytes, resting under traffic; true at the end.
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
        // At low priority under contention a turn takes long anyway; that does not prolong the phase.
        assert_eq!(insist(INSIST, starved), INSIST - 1);
        assert_eq!(insist(1, quick), 0);
    }
}
