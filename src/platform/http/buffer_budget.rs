//! Memory budget for buffered request bodies. Each body has its own limit, but many together could exceed the memory.
//!
//! Bytes are counted as they arrive, not by `Content-Length`. A request that finds no room gets 503 at once: waiting with half a body
//! buffered could deadlock with others that wait. The budget is released when the response has ended, because the decoded body lives as
//! long.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Bytes per body outside the budget, so that small requests work while large ones use all of it. `max_connections` bounds their sum.
const FREE: usize = 64 * 1024;

/// Budget of all requests.
#[derive(Clone, Debug)]
pub(super) struct BufferBudget(Arc<Semaphore>);

impl BufferBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// An empty reservation, for one request.
    pub(super) fn reservation(&self) -> BufferReservation {
        BufferReservation(Arc::new(Mutex::new(Taken { memory: self.0.clone(), free: FREE, permit: None })))
    }
}

/// One request's part of the budget: a request extension, held until its response has ended.
#[derive(Clone, Debug)]
pub(super) struct BufferReservation(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    memory: Arc<Semaphore>,
    free: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl BufferReservation {
    /// Reserves `bytes` more; 503 if the budget is exhausted.
    pub(super) fn reserve(&self, bytes: usize) -> Result<(), ApiError> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let free = bytes.min(taken.free);
        taken.free -= free;
        if bytes == free {
            return Ok(());
        }
        let more = u32::try_from(bytes - free).unwrap_or(u32::MAX);
        let permit = taken.memory.clone().try_acquire_many_owned(more).map_err(|_| {
            ApiError::unavailable(Duration::from_secs(2), "too many large requests are being answered right now")
        })?;
        match &mut taken.permit {
            Some(all) => all.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_share_what_there_is_and_give_it_back_when_they_end() {
        let memory = BufferBudget::new(100);
        let (first, second) = (memory.reservation(), memory.reservation());
        first.reserve(FREE - 10).unwrap();
        first.reserve(70).unwrap();
        assert!(second.reserve(FREE + 50).is_err());
        assert!(second.reserve(41).is_err(), "40 are left");
        let held = first.clone();
        drop(first);
        assert!(second.reserve(41).is_err(), "its answer still holds it");
        drop(held);
        second.reserve(100).unwrap();
        memory.reservation().reserve(FREE).unwrap();
    }
}
