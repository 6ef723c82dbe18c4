//! What the bodies that are held whole take together. Each has its limit, but many at once would add up to more memory than there is.
//!
//! Bytes are counted as they come, not by what a head announces, and whoever finds no room is told to come back: waiting
//! with a half-read body in hand could wait for others that wait. What a body took is given back when its request has
//! been answered to the end, because what it was decoded into lives as long.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::platform::error::ApiError;

/// The first bytes of each body are free: small requests work while large ones have taken all. `max_connections` bounds these.
const FREE: usize = 64 * 1024;

/// The memory that all bodies share.
#[derive(Clone, Debug)]
pub(super) struct BufferBudget(Arc<Semaphore>);

impl BufferBudget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// For one request.
    pub(super) fn reservation(&self) -> BufferReservation {
        BufferReservation(Arc::new(Mutex::new(Taken { memory: self.0.clone(), free: FREE, permit: None })))
    }
}

/// A request's share: an extension of the request, and held until its answer has ended.
#[derive(Clone, Debug)]
pub(super) struct BufferReservation(Arc<Mutex<Taken>>);

#[derive(Debug)]
struct Taken {
    memory: Arc<Semaphore>,
    free: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl BufferReservation {
    /// Takes room for so many bytes more; 503 when there is none.
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
