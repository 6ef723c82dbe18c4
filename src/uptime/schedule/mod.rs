//! When a monitor is checked, and what becomes of what a check found. Pure: no database, no clock of its own.
//!
//! `heap.rs`: what is due next, on a grid. `state.rs`: the state machine of one monitor. `windows.rs`: maintenance. `clock.rs`: the time that is
//! observed, and jumps of the wall clock.

pub mod clock;
pub mod heap;
pub mod state;
pub mod windows;
