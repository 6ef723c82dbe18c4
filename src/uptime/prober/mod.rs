//! The task that checks all monitors, in the worker that has the duty (`jobs::Loops::prober`).
//!
//! `load.rs` reads definitions and resumes, `writer.rs` writes what was found in batches and keeps it while the database is away, `beats.rs` takes
//! reports, `live.rs` makes the view of what is known now ([`crate::Uptime::live`]).
//!
//! ```ignore
//! pub fn start(uptime: &Uptime, loops: &Loops);                    // called by module.rs in `background`
//! pub enum Command { Reload, Beat(NewBeat), .. }                   // from the same process; others are seen in the database
//! impl Uptime {
//!     pub(crate) fn tell_prober(&self, command: Command);          // dropped where no prober runs
//!     // Taken::{Stored, Kept}; `None`: no monitor has this token
//!     pub async fn take_beat(&self, token: &str, beat: Beat, took: Option<i32>, message: &str) -> Result<Option<Taken>, UptimeError>;
//! }
//! ```
