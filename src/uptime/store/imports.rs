//! `uptime_imports`.
