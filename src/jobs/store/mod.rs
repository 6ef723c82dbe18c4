//! The only SQL of the queue. Functions that change a leased job take its fencing token and return whether the lease
//! held.

mod enqueue;
mod gauges;
mod leader;
mod lease;
mod schedules;
mod settle;
mod view;

pub(super) use enqueue::{NewJob, insert};
pub use enqueue::{enqueue, is_live};
pub(super) use gauges::*;
pub(super) use leader::*;
pub(super) use lease::*;
pub(super) use schedules::*;
pub(super) use settle::*;
pub(super) use view::*;
