//! `uptime_checks`, `uptime_hours_open`.
