//! Pictures: what is asked of them, and the children that decode them.
//!
//! Decoders read what strangers upload, so they run in child processes of this program ([`child`]), which limit themselves before they read
//! anything; a [`Pool`] keeps them, because starting one costs more than a thumbnail. Headers are judged before any pixel is decoded. AVIF, HEIC,
//! JPEG XL and SVG are not read: there is no decoder of them that is safe enough. Nothing here knows a bucket or a database.

mod animate;
pub mod child;
mod colour;
mod decode;
mod encode;
mod header;
mod make;
mod options;
mod order;
mod plan;
mod pool;
mod posters;
mod running;
#[cfg(test)]
mod tests;
mod transform;

pub use encode::WRITES_AVIF;
pub use options::{Fit, Focus, Format, Options, Rect, SIDE};
pub use order::{Accepts, ImageError, Kind, Limit, Limits, Made, Order, Want};
pub use pool::{Figures, Pool, PoolConfig};
pub use posters::{Poster, Posters};
