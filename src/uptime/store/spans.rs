//! `uptime_spans`.
