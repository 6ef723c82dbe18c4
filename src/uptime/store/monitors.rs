//! `uptime_monitors`, `uptime_groups`.
