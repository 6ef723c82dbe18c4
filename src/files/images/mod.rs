//! Pictures: what is asked of them, and the children that decode them.
//!
//! Decoders read what strangers upload, so they run in child processes of this program, which limit themselves before they read anything. Nothing
//! here knows a bucket or a database. The decoders themselves are still to be written: the pool answers that a format cannot be read.

pub mod child;
mod order;
mod pool;

pub use order::{Fit, Format, ImageError, Kind, Limits, Made, Options, Order, Want};
pub use pool::{Pool, PoolConfig};
