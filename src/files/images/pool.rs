//! The children that decode pictures, kept for many orders.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{ImageError, Made, Order};
use platform::lifecycle::Lifecycle;

/// How many children there are, and what each may use.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    pub children: usize,
    pub memory_mib: u64,
    /// Of an order.
    pub deadline: Duration,
    /// Orders that may wait.
    pub waiting: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self { children: 2, memory_mib: 768, deadline: Duration::from_secs(10), waiting: 32 }
    }
}

/// Children of this program that decode pictures. Cheap to clone.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

/// What all clones share.
struct Shared {
    executable: PathBuf,
    config: PoolConfig,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Shared { executable, config } = &*self.0;
        f.debug_struct("Pool").field("executable", executable).field("config", config).finish_non_exhaustive()
    }
}

impl Pool {
    /// `executable`: this program, which has a hidden command for children.
    pub fn new(executable: PathBuf, config: PoolConfig, _lifecycle: Lifecycle) -> Self {
        Self(Arc::new(Shared { executable, config }))
    }

    /// What a picture becomes. No child is there yet: no format can be read.
    #[allow(clippy::unused_async, clippy::unused_self, reason = "children come with the decoders")]
    pub async fn run(&self, _order: &Order, _source: Bytes) -> Result<Made, ImageError> {
        Err(ImageError::Format)
    }
}
