//! `uptime_windows`.
